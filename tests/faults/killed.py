"""``python -m tests.faults.killed MOMENT scan ...``: trackgen, killed by itself at one of its calls to the disk.

Every call through which the program changes the disk is counted from 0. At moment 2 n the process is killed right
before call n, at moment 2 n + 1 right after it; a write is killed half done instead of before. A negative moment kills
nothing. With FAULTS_LOG in the environment, each call is a line of that file: number, phase, function and file name.
With FAULTS_FAIL=FUNCTION:ENDING:ERRNO each call of that function on a file of such a name fails.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import trackgen.bigwig.assembly
import trackgen.bigwig.spool
import trackgen.scan.assembly
import trackgen.scan.shard_file
from trackgen.cli.main import main

PHASES = ("plan", "shard", "assembly", "commit", "removal")
NAMED = ("replace", "rename", "link", "unlink", "mkdir", "rmdir")
"""Functions of `os` that change names; the last path among their arguments is the one that is told."""
WRITERS = (trackgen.bigwig.spool, trackgen.bigwig.assembly, trackgen.scan.assembly, trackgen.scan.shard_file)
"""Where `write_all` is called from."""


class Disk:
    """Counts calls, and kills this process at one of them."""

    def __init__(self, moment: int, log: str | None) -> None:
        self._moment, self._count = moment, 0
        self._lock = threading.Lock()
        self._phase = PHASES[0]
        self._fails = os.environ.get("FAULTS_FAIL", "::0").split(":")
        self._log = None if log is None else os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def call(self, function: str, place: str, work: Callable[[], Any], half: Callable[[], Any] = lambda: None) -> Any:
        """Do `work`, which is a call of `function` on the file `place`, or be killed in the middle."""
        with self._lock:
            number, self._count = self._count, self._count + 1
            self._phase = phase_of(self._phase, function, place)
            if self._log is not None:
                os.write(self._log, f"{number}\t{self._phase}\t{function}\t{os.path.basename(place)}\n".encode())
        if function == self._fails[0] and place.endswith(self._fails[1]):
            raise OSError(int(self._fails[2]), os.strerror(int(self._fails[2])), place)
        if self._moment == 2 * number:
            half()
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return work()
        finally:  # a call that fails, such as the removal of what is not there, has an end too
            if self._moment == 2 * number + 1:
                os.kill(os.getpid(), signal.SIGKILL)


def phase_of(phase: str, function: str, place: str) -> str:
    """The phase that a call belongs to, where the one before it belonged to `phase`."""
    name, folder = os.path.basename(place), os.path.basename(os.path.dirname(place))
    if function == "create" and name.endswith("assemble.lock"):
        return "assembly"
    if phase == "plan" and ".lock" in name:
        return "shard"
    if phase == "assembly" and name == "run.json" and function == "unlink":
        return "commit"
    if phase == "commit" and function in ("unlink", "rmdir") and (name == "plan.json" or folder == ".trackgen"):
        return "removal"
    return phase


def install(disk: Disk, output: str) -> None:
    """Put `disk` before every function that changes what is in the folder `output`."""
    inside = os.path.abspath(output)

    def ours(path: Any) -> bool:
        return not isinstance(path, int) and os.path.abspath(os.fspath(path)).startswith(inside)

    for name in NAMED:
        setattr(os, name, _named(disk, name, getattr(os, name), ours))
    os.fsync = _plain(disk, "fsync", os.fsync)  # type: ignore[assignment]
    os.copy_file_range = _plain(disk, "copy_file_range", os.copy_file_range)
    os.open = _opening(disk, os.open, lambda path, flags=0, *_, **__: ours(path) and flags & os.O_CREAT)  # type: ignore
    opened = _opening(disk, io.open, lambda path, mode="r", *_, **__: ours(path) and mode[0] in "wxa")
    io.open = builtins.open = opened  # type: ignore[assignment]
    write_all = trackgen.bigwig.spool.write_all

    def write(file: Any, data: Any) -> None:
        half = memoryview(data)[: len(data) // 2]
        disk.call("write", str(file.name), lambda: write_all(file, data), lambda: write_all(file, half))

    for module in WRITERS:
        module.write_all = write  # type: ignore[attr-defined]


def _named(disk: Disk, name: str, function: Callable[..., Any], ours: Callable[[Any], bool]) -> Callable[..., Any]:
    def call(*paths: Any, **options: Any) -> Any:
        # Names inside an open folder are those that shutil.rmtree removes.
        place = next(os.fspath(path) for path in reversed(paths) if isinstance(path, (str, os.PathLike)))
        if options.get("dir_fd") is None and not ours(place):
            return function(*paths, **options)
        return disk.call(name, place, lambda: function(*paths, **options))

    return call


def _plain(disk: Disk, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: disk.call(name, "", lambda: function(*arguments))


def _opening(disk: Disk, function: Callable[..., Any], makes: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        if not makes(*arguments, **options):
            return function(*arguments, **options)
        return disk.call("create", os.fspath(arguments[0]), lambda: function(*arguments, **options))

    return call


if __name__ == "__main__":
    arguments = sys.argv[2:]
    install(Disk(int(sys.argv[1]), os.environ.get("FAULTS_LOG")), arguments[arguments.index("-o") + 1])
    sys.argv = ["trackgen", *arguments]
    main()
