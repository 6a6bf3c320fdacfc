"""``kill -9`` at calls to the disk: nothing half done has its final name, and the same command goes on."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.jobs import (
    RUN_FILE,
    WORK,
    Job,
    assert_finished,
    assert_nothing_half_done,
    done,
    finished_shards,
    python,
    results,
    trackgen,
)
from tests.faults.killed import PHASES

RUNNER = "tests.faults.killed"
NEVER = -1
MOMENTS = {"plan": 7, "shard": 14, "assembly": 15, "commit": 7, "removal": 7}
"""How many moments of each phase are tried."""
QUICK = {("plan", 5), ("shard", 8), ("assembly", 5), ("commit", 3), ("removal", 1)}
KINDS = {
    "plan": {"mkdir", "create", "fsync", "link", "unlink"},
    "shard": {"create", "link", "write", "fsync", "replace", "unlink"},
    "assembly": {"create", "link", "unlink", "mkdir", "rmdir", "write", "copy_file_range", "fsync", "replace"},
    "commit": {"unlink", "replace", "fsync"},
    "removal": {"unlink", "rmdir"},
}


@dataclass(frozen=True)
class Call:
    """One call to the disk."""

    number: int
    phase: str
    function: str
    file: str


def calls(log: Path) -> list[Call]:
    rows = [line.split("\t") for line in log.read_text().splitlines()]
    return [Call(int(number), phase, function, file) for number, phase, function, file in rows]


def counted(folder: Path, *words: str) -> list[Call]:
    """The calls of a run that nobody kills."""
    log = folder / "calls.log"
    log.unlink(missing_ok=True)
    done(python(RUNNER, NEVER, *words, FAULTS_LOG=str(log)))
    return calls(log)


def choose(found: Sequence[Call], wanted: int) -> list[int]:
    """So many moments: every function in turn, its calls from the first to the last, before and after them."""
    by_function: dict[str, list[Call]] = defaultdict(list)
    for call in found:
        by_function[call.function].append(call)
    moments: list[int] = []
    turns = -(-wanted // len(by_function))
    for turn in range(turns):
        for place, rows in enumerate(by_function.values()):
            call = rows[turn * (len(rows) - 1) // max(1, turns - 1)]
            moments.append(2 * call.number + (turn + place) % 2)
    every = sorted({2 * call.number + side for call in found for side in (0, 1)} - set(moments))
    chosen = list(dict.fromkeys(moments))[:wanted]
    return chosen + every[:: max(1, len(every) // max(1, wanted))][: wanted - len(chosen)]


@pytest.fixture(scope="session")
def moments(job: Job, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """By phase the moments at which a run is killed."""
    folder = tmp_path_factory.mktemp("counted")
    found = counted(folder, *job.scan(folder / "out"))
    phases = {phase: [call for call in found if call.phase == phase] for phase in PHASES}
    assert {phase: {call.function for call in rows} for phase, rows in phases.items()} == KINDS
    return {phase: choose(phases[phase], MOMENTS[phase]) for phase in PHASES}


def kill(moment: int, *words: str) -> None:
    result = python(RUNNER, moment, *words)
    assert result.returncode == -signal.SIGKILL, result.stderr


def go_on(folder: Path, output: Path, words: Sequence[str], expected: dict[str, bytes]) -> None:
    """Run again, undisturbed: the same bytes, and no shard made that was finished before."""
    whole = finished_shards(output) if (output / WORK / "plan.json").exists() else set()
    complete = (output / RUN_FILE).exists() and "--overwrite" not in words
    again = counted(folder, *words)
    made = {call.file for call in again if call.function == "replace" and call.file.endswith(".shard")}
    assert made & whole == set()
    assert not (complete and made)
    assert_finished(output, expected)


def every_moment() -> list[object]:
    return [
        pytest.param(phase, place, marks=[] if (phase, place) in QUICK else pytest.mark.slow, id=f"{phase}-{place}")
        for phase in PHASES
        for place in range(MOMENTS[phase])
    ]


def test_fifty_different_moments_are_tried(moments: dict[str, list[int]]) -> None:
    tried = [moment for chosen in moments.values() for moment in chosen]
    assert len(set(tried)) == len(tried) == 50


@pytest.mark.parametrize(("phase", "place"), every_moment())
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path: Path, job: Job, expected: dict[str, bytes], moments: dict[str, list[int]], phase: str, place: int
) -> None:
    output = tmp_path / "out"
    kill(moments[phase][place], *job.scan(output))
    assert_nothing_half_done(output, expected)
    go_on(tmp_path, output, job.scan(output), expected)


@pytest.mark.parametrize(
    "places",
    [
        pytest.param((1, 3), marks=pytest.mark.slow),
        pytest.param((9, 5), marks=pytest.mark.slow),
        pytest.param((4, 11), marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_twice_in_a_row_goes_on(
    tmp_path: Path, job: Job, expected: dict[str, bytes], moments: dict[str, list[int]], places: tuple[int, int]
) -> None:
    """The second time at as many calls from its start: it does other things then."""
    output = tmp_path / "out"
    for phase, place in zip(("shard", "shard"), places, strict=True):
        kill(min(moments[phase][place], 60), *job.scan(output))
        assert_nothing_half_done(output, expected)
    go_on(tmp_path, output, job.scan(output), expected)


@pytest.fixture(scope="session")
def other(job: Job, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Path, dict[str, list[Call]]]:
    """Another job with fewer tracks, a folder that holds its finished run, and its calls when it replaces one."""
    folder = tmp_path_factory.mktemp("other")
    other = job.differently("--stride", "7", "--classes", "hit")
    done(trackgen(*job.scan(folder / "replaced")))
    found = counted(folder, *other.scan(folder / "replaced", "--overwrite"))
    return other, folder / "replaced", {phase: [call for call in found if call.phase == phase] for phase in PHASES}


OVERWRITING = [("shard", 0.5), ("assembly", 0.5), *(("commit", place / 12) for place in range(13)), ("removal", 0.4)]


@pytest.mark.parametrize(
    ("phase", "share"),
    [
        pytest.param(*entry, marks=[] if place == 7 else pytest.mark.slow, id=f"{entry[0]}-{place}")
        for place, entry in enumerate(OVERWRITING)
    ],
)
def test_overwriting_that_is_killed_leaves_one_run_or_the_other(
    tmp_path: Path,
    job: Job,
    expected: dict[str, bytes],
    other: tuple[Job, Path, dict[str, list[Call]]],
    phase: str,
    share: float,
) -> None:
    new, finished, found = other
    output = tmp_path / "out"
    done(trackgen(*job.scan(output)))
    sides = [2 * call.number + side for call in found[phase] for side in (0, 1)]
    kill(sides[round(share * (len(sides) - 1))], *new.scan(output, "--overwrite"))
    assert_nothing_half_done(output, expected, results(finished))
    go_on(tmp_path, output, new.scan(output, "--overwrite"), results(finished))
