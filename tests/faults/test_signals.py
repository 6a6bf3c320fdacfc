"""SIGINT and SIGTERM: a run ends within two seconds, says how to go on, and goes on to the same bytes."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.jobs import (
    WORK,
    Job,
    assert_finished,
    assert_nothing_half_done,
    done,
    finished_shards,
    long_job,
    messages,
    results,
    start,
    trackgen,
)

LONGEST = 2.0
"""Seconds from the signal to the end: DESIGN's bar."""
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
HANGING = "tests.faults.hanging"


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return long_job(tmp_path_factory.mktemp("long"))


def wait_for(process: subprocess.Popen[str], moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not moment():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stop(process: subprocess.Popen[str], number: signal.Signals, status: int) -> str:
    """Send the signal; what the process says until its end, which must come soon."""
    sent = time.monotonic()
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    seconds = time.monotonic() - sent
    assert process.returncode == status, text
    assert seconds <= LONGEST
    assert "Traceback" not in text
    (message,) = messages(text)
    return message


def some_are_done(output: Path) -> bool:
    return len(list((output / WORK / "shards").glob("*.shard"))) >= 2


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_run_of_threads_ends_soon_and_says_how_to_go_on(
    tmp_path: Path, long: Job, number: signal.Signals, status: int
) -> None:
    output = tmp_path / "out"
    process = start(*long.scan(output))
    wait_for(process, lambda: some_are_done(output))
    message = stop(process, number, status)
    kept = finished_shards(output)
    assert f"{len(kept)} of {long.shards} shards are done" in message
    assert "run the same command again" in message
    assert [path.name for path in output.iterdir()] == [WORK]
    left = [path.name for path in (output / WORK).rglob("*") if path.is_file()]
    assert sorted(left) == sorted([*kept, "plan.json"])


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path, number: signal.Signals, status: int) -> None:
    job, output = long_job(tmp_path, 4_000_000), tmp_path / "out"
    done(trackgen(*job.scan(tmp_path / "undisturbed")))
    for _ in range(2):
        process, before = start(*job.scan(output)), len(finished_shards(output))
        wait_for(process, lambda before=before: len(finished_shards(output)) > before)  # type: ignore[misc]
        stop(process, number, status)
    again = trackgen(*job.scan(output))
    done(again)
    assert re.search(r"\d+ of 20 shards are done already", again.stderr)
    assert_finished(output, results(tmp_path / "undisturbed"))


@pytest.mark.parametrize("stage", ["read", "run", "commit", "assemble"])
@pytest.mark.parametrize(
    ("number", "status"), [SIGNALS[0], pytest.param(*SIGNALS[1], marks=pytest.mark.slow)], ids=["INT", "TERM"]
)
def test_a_stage_that_never_returns_does_not_hold_it_up(
    tmp_path: Path, job: Job, expected: dict[str, bytes], stage: str, number: signal.Signals, status: int
) -> None:
    output, told = tmp_path / "out", tmp_path / "hanging"
    process = start(stage, told, *job.scan(output, "-t", "2"), module=HANGING)
    wait_for(process, told.exists)
    message = stop(process, number, status)
    assert "run the same command again" in message
    assert_nothing_half_done(output, expected)
    done(trackgen(*job.scan(output)))
    assert_finished(output, expected)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_assembling_alone_ends_soon_and_goes_on(
    tmp_path: Path, job: Job, expected: dict[str, bytes], number: signal.Signals, status: int
) -> None:
    output, told = tmp_path / "out", tmp_path / "hanging"
    done(trackgen(*job.scan(output, "--shard", "1/1")))
    process = start("assemble", told, "assemble", output, "-t", "2", module=HANGING)
    wait_for(process, told.exists)
    assert "run the same command again" in stop(process, number, status)
    assert_nothing_half_done(output, expected)
    done(trackgen("assemble", output))
    assert_finished(output, expected)


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_an_assembly_at_work_ends_soon_and_goes_on(
    tmp_path: Path, number: signal.Signals, status: int, threads: str
) -> None:
    """Nothing hangs here: the threads that put tracks together end early by themselves."""
    job, output = long_job(tmp_path, 8_000_000), tmp_path / "out"
    done(trackgen(*job.scan(tmp_path / "undisturbed")))
    done(trackgen(*job.scan(output, "--shard", "1/1")))
    process = start("assemble", output, "-t", threads)
    wait_for(process, lambda: any((output / WORK / "tracks").glob("*.bw.tmp")))
    stop(process, number, status)
    assert_nothing_half_done(output, results(tmp_path / "undisturbed"))
    assert not list(output.rglob("*.tmp"))
    assert not list(output.rglob("*.lock"))
    done(trackgen("assemble", output))
    assert_finished(output, results(tmp_path / "undisturbed"))
