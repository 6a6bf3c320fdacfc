"""A small file system that runs full: a tmpfs, mounted as root or in a user namespace of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.jobs import ROOT, python

PAGE = 4096


@dataclass(frozen=True)
class Disk:
    """A tmpfs.

    Attributes:
        path: where it is mounted, as the commands that it runs see it.
        seen: the same as this process sees it.
        prefix: what stands before each command that is to see it.
    """

    path: Path
    seen: Path
    prefix: tuple[str, ...] = ()

    def resize(self, size: int) -> None:
        self._mount(f"remount,size={size}")

    def lock(self, locked: bool = True) -> None:
        """Make it read-only, or writable again."""
        self._mount(f"remount,{'ro' if locked else 'rw'}")

    def _mount(self, options: str) -> None:
        subprocess.run([*self.prefix, "mount", "-o", options, "tmpfs", str(self.path)], check=True)

    @property
    def used(self) -> int:
        """Bytes in use."""
        found = os.statvfs(self.seen)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def python(self, module: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """``python -m MODULE WORDS`` to its end."""
        return python(module, *words, prefix=self.prefix, **environment)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Disk]:
    """A tmpfs with these mount options in a new folder; skips the calling test where it can't be had."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    asked = subprocess.run(mount, capture_output=True, text=True, check=False)
    if asked.returncode == 0:
        try:
            yield Disk(folder, folder)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=False)
        return
    held = f"{' '.join(mount)} && echo mounted && exec sleep 600"
    with contextlib.ExitStack() as stack:
        holder = subprocess.Popen(["unshare", "-rm", "sh", "-c", held], stdout=subprocess.PIPE, text=True)
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        assert holder.stdout is not None
        if holder.stdout.readline() != "mounted\n":
            pytest.skip(f"no small file system: {asked.stderr.strip()}, and unshare -rm does not work either")
        prefix = ("nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials", f"--wd={ROOT}")
        yield Disk(folder, Path(f"/proc/{holder.pid}/root{folder}"), prefix)
