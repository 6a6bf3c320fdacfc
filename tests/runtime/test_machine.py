"""Cores and memory: Slurm's word first, then affinity, the cgroups and the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trackgen.runtime import machine

GIBIBYTE = 1 << 30


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of 8 cores without Slurm and without cgroup limits; returns the cgroup folder."""
    for name in [name for name in os.environ if name.startswith("SLURM")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    root = tmp_path / "cgroup"
    root.mkdir()
    monkeypatch.setattr(machine, "CGROUP_ROOT", root)
    monkeypatch.setattr(machine, "OWN_CGROUPS", tmp_path / "own")
    return root


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_without_limits_every_core_of_the_affinity_is_used() -> None:
    assert machine.default_threads() == 8


def test_slurm_comes_first(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(bare_machine / "cpu.max", "200000 100000")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "5")
    assert machine.default_threads() == 5


@pytest.mark.parametrize("nonsense", ["", "0", "-2", "many"])
def test_a_slurm_number_that_is_none_is_passed_over(monkeypatch: pytest.MonkeyPatch, nonsense: str) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", nonsense)
    assert machine.default_threads() == 8


@pytest.mark.parametrize(("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("max 100000", 8)])
def test_the_cgroup_quota_is_rounded_up(bare_machine: Path, quota: str, cores: int) -> None:
    write(bare_machine / "cpu.max", quota)
    assert machine.default_threads() == cores


def test_the_quota_of_version_1_counts(bare_machine: Path) -> None:
    write(bare_machine / "cpu" / "cpu.cfs_quota_us", "300000")
    write(bare_machine / "cpu" / "cpu.cfs_period_us", "100000")
    assert machine.default_threads() == 3
    write(bare_machine / "cpu" / "cpu.cfs_quota_us", "-1")
    assert machine.default_threads() == 8


def test_the_smallest_limit_on_the_way_up_binds(bare_machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "own", "0::/slice/job")
    write(bare_machine / "slice" / "cpu.max", "200000 100000")
    write(bare_machine / "slice" / "job" / "cpu.max", "400000 100000")
    write(bare_machine / "slice" / "job" / "memory.max", str(GIBIBYTE))
    write(bare_machine / "memory.max", "max")
    assert machine.default_threads() == 2
    assert machine.available_memory() == GIBIBYTE


def test_the_memory_limit_of_version_1_counts(bare_machine: Path, tmp_path: Path) -> None:
    write(tmp_path / "own", "4:memory:/box\n0::/")
    write(bare_machine / "memory" / "memory.limit_in_bytes", str((1 << 63) - 4096))
    write(bare_machine / "memory" / "box" / "memory.limit_in_bytes", str(GIBIBYTE))
    assert machine.available_memory() == GIBIBYTE


def test_without_limits_the_memory_is_that_of_the_machine() -> None:
    assert machine.available_memory() == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(("text", "size"), [("4096", 4 * GIBIBYTE), ("4G", 4 * GIBIBYTE), ("512M", GIBIBYTE // 2)])
def test_slurm_memory_per_node_is_in_mebibytes_or_has_a_unit(
    monkeypatch: pytest.MonkeyPatch, text: str, size: int
) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_NODE", text)
    assert machine.available_memory() == size


def test_slurm_memory_per_core_is_times_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "1024")
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "4")
    assert machine.available_memory() == 4 * GIBIBYTE
