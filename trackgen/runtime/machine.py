"""How many cores and how much memory this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_memory", "default_threads"]

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")
MEBIBYTE = 1 << 20
SLURM_UNITS = {"K": 1 << 10, "M": MEBIBYTE, "G": 1 << 30, "T": 1 << 40}


def default_threads() -> int:
    """Cores to use when nobody says: SLURM_CPUS_PER_TASK, else the CPU affinity, the cgroup's quota, the machine.

    The last three bound each other, so that a job never floods the machine it shares.
    """
    slurm = _number(os.environ.get("SLURM_CPUS_PER_TASK"))
    if slurm:
        return slurm
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min([cores, *_cgroup_cores()]))


def available_memory() -> int:
    """Bytes of memory this process may use: Slurm's limit, else the smallest of the cgroups' and the machine's."""
    slurm = _slurm_memory()
    if slurm:
        return slurm
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_cgroup_memory()])


def _slurm_memory() -> int | None:
    """SLURM_MEM_PER_NODE, else SLURM_MEM_PER_CPU times the job's cores on this node; both in MiB or with a unit."""
    node = _size(os.environ.get("SLURM_MEM_PER_NODE"))
    if node:
        return node
    per_core = _size(os.environ.get("SLURM_MEM_PER_CPU"))
    cores = _number(os.environ.get("SLURM_CPUS_ON_NODE")) or _number(os.environ.get("SLURM_CPUS_PER_TASK"))
    return per_core * cores if per_core and cores else None


def _cgroup_cores() -> Iterator[int]:
    """The CPU quotas of this process' cgroups and of those above them, in cores, rounded up."""
    for folder in _own_folders(""):
        words = _read_text(folder / "cpu.max").split()
        if len(words) == 2:
            yield from _cores(_number(words[0]), _number(words[1]))
    for folder in _own_folders("cpu"):
        quota, period = (_number(_read_text(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
        yield from _cores(quota, period)


def _cores(quota: int | None, period: int | None) -> Iterator[int]:
    if quota and period:
        yield -(-quota // period)


def _cgroup_memory() -> Iterator[int]:
    """The memory limits, in bytes, of this process' cgroups and of those above them."""
    for controller, file in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _own_folders(controller):
            limit = _number(_read_text(folder / file))
            if limit:
                yield limit


def _own_folders(controller: str) -> Iterator[Path]:
    """The folders of this process' cgroup and of all above it.

    A limit binds all that is below it. Inside a container the path may be that of the host, and only the root is
    there: folders that do not exist read as no limit.

    Args:
        controller: a controller of cgroup version 1, or empty for version 2.
    """
    root = CGROUP_ROOT / controller
    yield root
    for line in _read_text(OWN_CGROUPS).splitlines():
        # A line is "number:controllers:path"; version 2 has number 0 and no controllers.
        fields = line.split(":", 2)
        if len(fields) == 3 and controller in fields[1].split(","):
            folder = root
            for part in Path(fields[2]).parts[1:]:
                folder = folder / part
                yield folder


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _number(text: str | None) -> int | None:
    """A positive whole number, or None for anything else (``max``, -1, empty)."""
    return int(text) if text and text.isdecimal() and int(text) > 0 else None


def _size(text: str | None) -> int | None:
    """Bytes of a size as Slurm writes it: ``4096`` (MiB), ``4G``; None for anything else."""
    if not text:
        return None
    unit = SLURM_UNITS.get(text[-1].upper())
    number = _number(text[:-1] if unit else text)
    return number * (unit or MEBIBYTE) if number else None
