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
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from trackgen.errors import UsageError

__all__ = ["CLUSTER_JOB", "Holder", "Lock", "living_holder", "scheduler_job"]

CLUSTER_JOB = "dask:"
"""How the names of jobs begin whose tasks a scheduler starts again only when it has given the first up."""
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
        for _ in range(2):
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                holder = living_holder(path, job)
                if holder is not None:
                    raise _held(path, holder) from None
                path.unlink(missing_ok=True)
                continue
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(self._content)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return
        raise UsageError("another run took this work just now", path=path, remedy="run the same command again")

    def release(self) -> None:
        """Give it back; without effect where somebody took it over."""
        with contextlib.suppress(OSError):
            if self._path.read_text(encoding="utf-8") == self._content:
                self._path.unlink()


def living_holder(path: Path, job: str = "") -> Holder | None:
    """Who holds a lock file; None where there is none, or where it is stale."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        holder = Holder(
            str(values["host"]),
            int(values["process"]),
            str(values["since"]),
            str(values.get("job", "")),
            int(values.get("born", 0)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # gone, or its process was killed while it made it
    return holder if holder.lives(job) else None


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
