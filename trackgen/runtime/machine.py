"""How many cores and how much memory this process may use."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_memory", "default_threads"]

CGROUP = Path("/sys/fs/cgroup")
MEBIBYTE = 1 << 20


def default_threads() -> int:
    """Cores to use when nobody says: SLURM_CPUS_PER_TASK, else the CPU affinity, the cgroup, the machine.

    The first three bound each other, so a job never floods the node it shares.
    """
    slurm = _number(os.environ.get("SLURM_CPUS_PER_TASK"))
    if slurm:
        return slurm
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    quota = _cgroup_cores()
    return max(1, min(cores, quota) if quota else cores)


def available_memory() -> int:
    """Bytes of memory this process may use: SLURM_MEM_PER_NODE, else the cgroup's limit, else the machine's."""
    slurm = _number(os.environ.get("SLURM_MEM_PER_NODE"))
    if slurm:
        return slurm * MEBIBYTE
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_read_number(CGROUP / "memory.max"), _read_number(CGROUP / "memory" / "memory.limit_in_bytes")]
    return min([machine, *(limit for limit in limits if limit)])


def _cgroup_cores() -> int | None:
    """The CPU quota of the cgroup (version 2, else 1) in cores, rounded up; None where there is none."""
    words = _read_text(CGROUP / "cpu.max").split()
    if len(words) == 2:
        quota, period = _number(words[0]), _number(words[1])
    else:
        quota = _read_number(CGROUP / "cpu" / "cpu.cfs_quota_us")
        period = _read_number(CGROUP / "cpu" / "cpu.cfs_period_us")
    return -(-quota // period) if quota and period else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _read_number(path: Path) -> int | None:
    return _number(_read_text(path).strip())


def _number(text: str | None) -> int | None:
    """A positive whole number, or None for anything else (``max``, -1, empty)."""
    return int(text) if text and text.isdecimal() and int(text) > 0 else None
