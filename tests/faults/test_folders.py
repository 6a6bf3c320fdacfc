"""Folders that can't be written to, vanish, or are wanted by two runs at once."""

from __future__ import annotations

import errno
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.disks import small_disk
from tests.faults.jobs import (
    WORK,
    Job,
    assert_finished,
    done,
    finished_shards,
    long_job,
    messages,
    python,
    results,
    start,
    trackgen,
)
from tests.faults.test_killed import NEVER, RUNNER
from tests.faults.test_signals import some_are_done, wait_for

SOON = 5.0
"""Seconds in which a run notices that its folder is gone."""


def assert_refused(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    (message,) = messages(result.stderr)
    assert [word for word in words if word.lower() not in message.lower()] == [], message


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return long_job(tmp_path_factory.mktemp("long"))


@pytest.fixture
def running(tmp_path: Path, long: Job) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A folder, and a run of many seconds that has finished shards in it."""
    output = tmp_path / "out"
    process = start(*long.scan(output))
    wait_for(process, lambda: some_are_done(output))
    yield output, process
    process.kill()
    process.communicate()


def test_a_read_only_folder_is_refused_by_name(tmp_path: Path, job: Job, expected: dict[str, bytes]) -> None:
    with small_disk(tmp_path / "disk", "size=16M") as disk:
        disk.lock()
        result = disk.python("trackgen", *job.scan(disk.path / "out"))
        assert_refused(result, 2, str(disk.path / "out"), "Read-only file system", "choose another one with -o")
        disk.lock(False)
        done(disk.python("trackgen", *job.scan(disk.path / "out", "--shard", "1/1")))
        disk.lock()
        for words in (job.scan(disk.path / "out"), ("assemble", disk.path / "out")):
            result = disk.python("trackgen", *words)
            assert_refused(result, 75, str(disk.path / "out"), "Read-only file system", "run the same command again")
        disk.lock(False)
        done(disk.python("trackgen", "assemble", disk.path / "out"))
        assert_finished(disk.seen / "out", expected)


@pytest.mark.parametrize(("function", "ending"), [("mkdir", "shards"), ("create", ".tmp"), ("create", ".lock")])
@pytest.mark.slow
def test_a_folder_without_permission_is_refused_by_name(tmp_path: Path, job: Job, function: str, ending: str) -> None:
    """Injected: root may write everywhere."""
    result = python(RUNNER, NEVER, *job.scan(tmp_path / "out"), FAULTS_FAIL=f"{function}:{ending}:{errno.EACCES}")
    status = 75 if ending == ".lock" else 2
    assert_refused(result, status, str(tmp_path / "out"), "Permission denied")


def test_a_folder_that_is_removed_ends_the_run_within_seconds(running: tuple[Path, subprocess.Popen[str]]) -> None:
    output, process = running
    removed = time.monotonic()
    while output.exists():
        shutil.rmtree(output, ignore_errors=True)
    _, text = process.communicate(timeout=60)
    assert time.monotonic() - removed <= SOON
    assert process.returncode == 75, text
    assert "Traceback" not in text
    (message,) = messages(text)
    assert f"{output}: the output folder is gone" in message
    assert "run the same command again" in message


def test_a_folder_that_is_removed_ends_a_run_of_one_shard(tmp_path: Path, long: Job) -> None:
    """Its file is open: writing alone would not notice before the end."""
    output = tmp_path / "out"
    process = start(*long.scan(output, "--shard-size", "20000000"))
    wait_for(process, lambda: any((output / WORK / "shards").glob("*.tmp")))
    removed = time.monotonic()
    shutil.rmtree(output)
    _, text = process.communicate(timeout=60)
    assert time.monotonic() - removed <= SOON
    assert process.returncode == 75, text
    assert "the output folder is gone" in messages(text)[0]


def test_others_are_refused_while_a_run_lives(running: tuple[Path, subprocess.Popen[str]], long: Job) -> None:
    """Of the same plan, of another one, and with --overwrite; the first goes on undisturbed."""
    output, process = running
    who = f"process {process.pid} on {socket.gethostname()} since 2"
    assert_refused(trackgen(*long.scan(output)), 2, "another run is writing", who, "wait for it")
    assert_refused(trackgen(*long.scan(output, "--overwrite")), 2, "another run is writing", who, "wait for it")
    for more in ((), ("--overwrite",)):
        other = trackgen(*long.scan(output, "--stride", "7", *more))
        assert_refused(other, 2, str(output), "unfinished run", "another stride", who, "wait for that process")
    assert process.poll() is None
    before = len(finished_shards(output))
    wait_for(process, lambda: len(finished_shards(output)) > before)


@pytest.mark.slow
def test_a_run_is_undisturbed_by_those_that_were_refused(tmp_path: Path) -> None:
    job, output = long_job(tmp_path, 4_000_000), tmp_path / "out"
    done(trackgen(*job.scan(tmp_path / "undisturbed")))
    process = start(*job.scan(output))
    wait_for(process, lambda: some_are_done(output))
    tried = 0
    while process.poll() is None:
        more = ((), ("--overwrite",), ("--stride", "7"), ("--stride", "7", "--overwrite"))[tried % 4]
        words = job.scan(output, *more)
        tried += 1
        # The last moments are too short to start another process in.
        if len(finished_shards(output)) > 12:
            break
        assert trackgen(*words).returncode == 2
    _, text = process.communicate(timeout=60)
    assert process.returncode == 0, text
    assert tried
    assert_finished(output, results(tmp_path / "undisturbed"))


def write_lock(path: Path, process: int, host: str) -> None:
    path.write_text(json.dumps({"host": host, "process": process, "since": "2020-01-01 00:00:00", "born": 0}))


@pytest.mark.parametrize("name", ["shards/000002.lock", pytest.param("assemble.lock", marks=pytest.mark.slow)])
def test_the_lock_of_a_dead_process_is_taken_over(
    tmp_path: Path, job: Job, expected: dict[str, bytes], name: str
) -> None:
    output = tmp_path / "out"
    done(trackgen(*job.scan(output, "--plan-only")))
    with subprocess.Popen([sys.executable, "-c", "pass"]) as dead:
        dead.wait()
        write_lock(output / WORK / name, dead.pid, socket.gethostname())
    done(trackgen(*job.scan(output)))
    assert_finished(output, expected)


@pytest.mark.parametrize("name", ["shards/000002.lock", pytest.param("assemble.lock", marks=pytest.mark.slow)])
def test_the_lock_of_another_host_is_cleared_in_the_way_that_is_told(
    tmp_path: Path, job: Job, expected: dict[str, bytes], name: str
) -> None:
    output = tmp_path / "out"
    done(trackgen(*job.scan(output, "--plan-only")))
    lock = output / WORK / name
    write_lock(lock, 7, "elsewhere")
    result = trackgen(*job.scan(output))
    told = ("process 7 on elsewhere since 2020-01-01 00:00:00", "or delete this file if that process is gone")
    assert_refused(result, 2, *told)
    (message,) = messages(result.stderr)
    path = Path(message.removeprefix("trackgen: ").partition(": ")[0])
    assert path == lock
    path.unlink()
    done(trackgen(*job.scan(output)))
    assert_finished(output, expected)


@pytest.mark.slow
def test_a_killed_run_of_another_plan_can_be_overwritten(tmp_path: Path, long: Job) -> None:
    """Its locks are still there, and nobody holds them."""
    output = tmp_path / "out"
    process = start(*long.scan(output))
    wait_for(process, lambda: some_are_done(output))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(output.rglob("*.lock"))
    assert_refused(trackgen(*long.scan(output, "--stride", "4000")), 2, "another stride", "--overwrite")
    done(trackgen(*long.scan(output, "--stride", "4000", "--overwrite")))
    assert not (output / WORK).exists()
