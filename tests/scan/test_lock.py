"""The lock of a shard: who holds it, and when it is stale."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trackgen.errors import UsageError
from trackgen.scan.lock import CLUSTER_JOB, Holder, Lock, living_holder, scheduler_job


def write_lock(path: Path, process: int, host: str, **more: object) -> None:
    path.write_text(json.dumps({"host": host, "process": process, "since": "2020-01-01 00:00:00", **more}))


def test_a_living_process_keeps_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        write_lock(path, other.pid, socket.gethostname())
        with pytest.raises(
            UsageError, match=rf"another run is writing here.*process {other.pid}.*2020-01-01"
        ) as caught:
            Lock(path)
        assert caught.value.exit_status == 2
        other.kill()


def test_the_lock_of_a_dead_process_is_taken_over_even_before_it_is_reaped(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", "pass"]) as other:
        stat = Path(f"/proc/{other.pid}/stat")
        while stat.exists() and ") Z " not in stat.read_text():
            time.sleep(0.01)
        write_lock(path, other.pid, socket.gethostname())
        Lock(path)
    assert json.loads(path.read_text())["process"] == os.getpid()


def test_a_process_of_another_host_is_never_thought_dead(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    write_lock(path, 2**22 + 1, "elsewhere")
    with pytest.raises(UsageError, match=r"on elsewhere.*delete this file"):
        Lock(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"host": 1, "process": "x", "since": 0}'])
def test_a_damaged_lock_is_taken_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock"
    path.write_text(content)
    Lock(path)
    assert json.loads(path.read_text())["process"] == os.getpid()


def test_a_released_lock_is_gone_and_one_that_was_taken_over_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = Lock(path)
    lock.release()
    assert not path.exists()
    lock = Lock(path)
    write_lock(path, 7, "elsewhere")
    lock.release()
    assert json.loads(path.read_text())["host"] == "elsewhere"


def test_a_reused_process_number_is_not_taken_for_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        write_lock(path, other.pid, socket.gethostname(), born=1)
        assert living_holder(path) is None
        write_lock(path, other.pid, socket.gethostname(), born=0)
        assert living_holder(path) == Holder(socket.gethostname(), other.pid, "2020-01-01 00:00:00")
        other.kill()


def test_a_job_that_was_put_back_takes_over_from_its_earlier_life_on_another_host(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    write_lock(path, 7, "elsewhere", job="12_3_0")
    with pytest.raises(UsageError, match=r"process 7 on elsewhere since 2020-01-01 00:00:00, job 12_3_0"):
        Lock(path, "12_4_0")
    Lock(path, "12_3_0")
    assert json.loads(path.read_text())["job"] == "12_3_0"


def test_a_task_that_a_cluster_gave_up_is_taken_over_even_if_its_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        write_lock(path, other.pid, socket.gethostname(), job=f"{CLUSTER_JOB}1")
        assert living_holder(path, f"{CLUSTER_JOB}2") is not None
        assert living_holder(path, "") is not None
        Lock(path, f"{CLUSTER_JOB}1")
        other.kill()


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({}, ""),
        ({"SLURM_JOB_ID": "9"}, "9_0"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "8", "SLURM_ARRAY_TASK_ID": "2", "SLURM_PROCID": "1"}, "8_2_1"),
        ({"PBS_JOBID": "5.server"}, "5.server"),
        ({"LSB_JOBID": "4", "LSB_JOBINDEX": "3"}, "4_3"),
    ],
)
def test_schedulers_name_their_jobs(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], job: str) -> None:
    for name in list(os.environ):
        if name.startswith(("SLURM_", "PBS_", "LSB_", "JOB_ID", "SGE_")):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert scheduler_job() == job
