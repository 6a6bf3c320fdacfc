"""One process at a time on one shard: a file made exclusively, naming who holds it. No flock: network folders lack it.

A lock never protects a file from damage, since shards appear whole by rename under names of their own until then; it
keeps two processes from doing the same work, and two runs from writing into one folder unawares.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from trackgen.errors import DISK_ERRORS, UsageError

__all__ = ["CLUSTER_JOB", "Holder", "Lock", "living_holder", "scheduler_job"]

CLUSTER_JOB = "dask:"
"""How the names of jobs begin whose tasks a scheduler starts again only when it has given the first up."""
TRIES = 8
SCHEDULER_JOBS = (
    ("TRACKGEN_JOB",),
    ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID"),
    ("SLURM_JOB_ID", "SLURM_PROCID"),
    ("PBS_JOBID",),
    ("LSB_JOBID", "LSB_JOBINDEX"),
    ("JOB_ID", "SGE_TASK_ID"),
)
"""Variables by which schedulers name a job; it keeps its name when it is put back into the queue.

Workflow managers submit a job that died as another one: there TRACKGEN_JOB, set in its script, is what stays the same.
"""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        process: its number on that host.
        since: when it took the lock, local time.
        job: how its scheduler names it, or empty.
        born: when the process began, in the kernel's clock, so that a reused number is not taken for it; 0 if unknown.
    """

    host: str
    process: int
    since: str
    job: str = ""
    born: int = 0

    @staticmethod
    def here(job: str) -> Holder:
        """This process, now."""
        process = os.getpid()
        return Holder(socket.gethostname(), process, time.strftime("%F %T"), job, _born(process)[0])

    def lives(self, job: str = "") -> bool:
        """Whether it may still be at work, as seen by this process, which belongs to `job`."""
        if job == self.job and job.startswith(CLUSTER_JOB):
            return False
        if self.host != socket.gethostname():
            # An earlier life of this very job, on a node that was lost.
            return not job or job != self.job
        if self.process == os.getpid():
            return False
        return _lives(self.process, self.born)

    def __str__(self) -> str:
        job = f", job {self.job}" if self.job else ""
        return f"process {self.process} on {self.host} since {self.since}{job}"


class Lock:
    """A lock file that this process holds.

    A lock whose process has ended on this host, or that an earlier life of this job left, is stale and taken over.

    Args:
        path: the file.
        job: how the scheduler names this job; see `scheduler_job`.

    Raises:
        UsageError: another process holds it, told by host, process and time.
    """

    def __init__(self, path: Path, job: str = "") -> None:
        self._path = path
        self._content = json.dumps(asdict(Holder.here(job)))
        for _ in range(TRIES):
            if _make(path, self._content):
                return
            found = _read(path)
            if found is None:
                continue
            holder = _parse(found)
            if holder is not None and holder.lives(job):
                raise _held(path, holder)
            _set_aside(path, found)
        raise UsageError("another run took this work just now", path=path, remedy="run the same command again")

    def release(self) -> None:
        """Give it back; without effect where somebody took it over."""
        with contextlib.suppress(OSError):
            if self._path.read_text(encoding="utf-8") == self._content:
                self._path.unlink()


def living_holder(path: Path, job: str = "") -> Holder | None:
    """Who holds a lock file; None where there is none, or where it is stale."""
    holder = _parse(_read(path) or "")
    return holder if holder is not None and holder.lives(job) else None


def _parse(text: str) -> Holder | None:
    """Who a lock names; None where it is damaged, which is stale: a lock appears with its content."""
    try:
        values = json.loads(text)
        host, process, since = str(values["host"]), int(values["process"]), str(values["since"])
        return Holder(host, process, since, str(values.get("job", "")), int(values.get("born", 0)))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _make(path: Path, content: str) -> bool:
    """Make the file with its content unless there is one; whether it was made."""
    own = path.with_name(f"{uuid.uuid4().hex}.{path.name}")
    try:
        own.write_text(content, encoding="utf-8")
        try:
            os.link(own, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno in DISK_ERRORS:
                raise
            return _make_without_links(path, content)
        return True
    finally:
        own.unlink(missing_ok=True)


def _make_without_links(path: Path, content: str) -> bool:
    """The same where the file system has no links: for a moment the file is empty."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        return False
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _set_aside(path: Path, stale: str) -> None:
    """Remove a stale lock, and no other: somebody else may have taken its place in the meantime."""
    aside = path.with_name(f"{uuid.uuid4().hex}.{path.name}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return
    try:
        if _read(aside) != stale:
            # A lock that was made since: back with it.
            with contextlib.suppress(OSError):
                os.link(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def _held(path: Path, holder: Holder) -> UsageError:
    return UsageError(
        "another run is writing here",
        path=path,
        found=str(holder),
        wanted="one run at a time on a shard",
        remedy="wait for it, choose another folder with -o, or delete this file if that process is gone",
    )


def scheduler_job() -> str:
    """How the scheduler that runs this process names the job, the same after it was put back; empty without one."""
    return next(_jobs(), "")


def _jobs() -> Iterator[str]:
    for names in SCHEDULER_JOBS:
        if os.environ.get(names[0]):
            yield "_".join(os.environ.get(name, "0") for name in names)


def _born(process: int) -> tuple[int, str]:
    """When a process of this host began (clock ticks since boot) and its state; (0, "") where that can't be told."""
    try:
        # The fields stand behind the command's name, which may hold anything but ends with the last bracket.
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[19]), fields[0]
    except (OSError, IndexError, ValueError):
        return 0, ""


def _lives(process: int, born: int) -> bool:
    """Whether a process of this host still runs. One that ended and was not yet reaped (a zombie) does not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    began, state = _born(process)
    return state not in ("Z", "X") and not (born and began and began != born)
