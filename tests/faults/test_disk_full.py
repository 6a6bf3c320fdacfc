"""A disk that is full at any stage: one message that says how much it lacks, and the same command goes on."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.disks import PAGE, Disk, small_disk
from tests.faults.jobs import (
    WORK,
    Job,
    assert_finished,
    assert_nothing_half_done,
    done,
    finished_shards,
    messages,
    python,
    results,
    trackgen,
)
from tests.faults.test_killed import calls

RUNNER = "tests.faults.killed"
PLENTY = 1 << 24
STAGES = ("plan", "first shard", "later shard", "tracks", "last files")
QUICK = ("tracks",)


@pytest.fixture(scope="session")
def full_job(job: Job, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The small job, with a gap at every other base of 8,000: its skipped.bed is as large as a track."""
    folder = tmp_path_factory.mktemp("full")
    genome = folder / "gaps.fa"
    genome.write_text(Path(job.words[1]).read_text() + f">chrIV\n{'ANCNGNTN' * 2_000}\n")
    return Job((job.words[0], str(genome), *job.words[2:]), 7)


@pytest.fixture(scope="session")
def full_expected(full_job: Job, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    done(trackgen(*full_job.scan(output)))
    return results(output)


@pytest.fixture(scope="session")
def size_at(full_job: Job, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], int]:
    """Bytes of a disk that runs full at a stage: what is in use where a run is killed there, and a little."""
    log = tmp_path_factory.mktemp("log") / "calls.log"
    done(python(RUNNER, -1, *full_job.scan(log.parent / "out"), FAULTS_LOG=str(log)))
    found = calls(log)
    shards = [call for call in found if call.function == "replace" and call.file.endswith(".shard")]
    tracks = [call for call in found if call.phase == "assembly" and call.function == "replace"]
    (skipped,) = [call for call in found if call.phase == "assembly" and call.file == "skipped.bed"]
    stops = {
        "first shard": ((shards[0],), -2),
        # In the middle of the fourth: how many locks lie ahead of it differs from run to run.
        "later shard": ((shards[2], shards[3]), 0),
        "tracks": ((tracks[1],), 1),
        "last files": ((skipped,), 12),
    }

    def size(stage: str) -> int:
        if stage == "plan":
            return PAGE
        killed_at, pages = stops[stage]
        used = []
        for call in killed_at:
            with small_disk(tmp_path_factory.mktemp("disk") / "disk", f"size={PLENTY}") as disk:
                disk.python(RUNNER, 2 * call.number, *full_job.scan(disk.path / "out"))
                used.append(disk.used)
        return sum(used) // len(used) // PAGE * PAGE + pages * PAGE

    return size


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", f"size={PLENTY}") as disk:
        yield disk


def assert_full(status: int, stderr: str, output: Path) -> int:
    """One message, which says what to do; the bytes that it asks for."""
    assert status == 75, stderr
    assert "Traceback" not in stderr
    (message,) = messages(stderr)
    assert str(output) in message
    assert "No space left" in message
    assert "run the same command again" in message
    (needed,) = re.findall(r"about ([\d,]+) bytes of free space", message)
    assert int(needed.replace(",", "")) > 0, message
    return int(needed.replace(",", ""))


def stage_of(log: Path) -> str:
    """The stage that a run with a log of its calls came to."""
    found = calls(log)
    shards = sum(1 for call in found if call.function == "replace" and call.file.endswith(".shard"))
    if any(call.phase == "assembly" for call in found):
        return "last files" if any(call.file == "skipped.bed" for call in found) else "tracks"
    return "later shard" if shards else "first shard" if any(call.phase == "shard" for call in found) else "plan"


@pytest.mark.parametrize(
    "stage", [pytest.param(stage, marks=[] if stage in QUICK else pytest.mark.slow) for stage in STAGES]
)
def test_a_run_goes_on_when_there_is_space_again(
    tmp_path: Path,
    disk: Disk,
    full_job: Job,
    full_expected: dict[str, bytes],
    size_at: Callable[[str], int],
    stage: str,
) -> None:
    disk.resize(size_at(stage))
    if stage == "plan":
        (disk.seen / "filler").write_bytes(bytes(PAGE))
    log, output, seen = tmp_path / "calls.log", disk.path / "out", disk.seen / "out"
    result = disk.python(RUNNER, -1, *full_job.scan(output), FAULTS_LOG=str(log))
    assert_full(result.returncode, result.stderr, output)
    assert stage_of(log) == stage
    assert_nothing_half_done(seen, full_expected)
    assert [path for path in seen.rglob("*") if path.name.endswith((".tmp", ".lock"))] == []
    kept = finished_shards(seen)
    assert len(kept) == {"later shard": 3, "tracks": 7, "last files": 7}.get(stage, 0)
    disk.resize(PLENTY)
    (disk.seen / "filler").unlink(missing_ok=True)
    again = disk.python("trackgen", *full_job.scan(output))
    done(again)
    assert (f"{len(kept)} of 7 shards are done already" in again.stderr) == (0 < len(kept) < 7)
    assert_finished(seen, full_expected)


@pytest.mark.parametrize("room", [150_000, pytest.param(700_000, marks=pytest.mark.slow)])
def test_the_bytes_that_it_asks_for_are_enough(disk: Disk, job: Job, expected: dict[str, bytes], room: int) -> None:
    """For a run that ends at its first shard, and for one that ends at its tracks."""
    disk.resize(room)
    result = disk.python("trackgen", *job.scan(disk.path / "out"))
    needed = assert_full(result.returncode, result.stderr, disk.path / "out")
    disk.resize(disk.used + needed + PAGE)
    done(disk.python("trackgen", *job.scan(disk.path / "out")))
    assert_finished(disk.seen / "out", expected)


@pytest.mark.slow
def test_a_disk_without_names_left_is_full_too(tmp_path: Path, full_job: Job) -> None:
    with small_disk(tmp_path / "names", "size=1M,nr_inodes=3") as disk:
        result = disk.python("trackgen", *full_job.scan(disk.path / "out"))
        assert_full(result.returncode, result.stderr, disk.path / "out")


@pytest.mark.slow
def test_assembling_alone_says_what_it_lacks(disk: Disk, job: Job, expected: dict[str, bytes]) -> None:
    output = disk.path / "out"
    done(disk.python("trackgen", *job.scan(output, "--shard", "1/1")))
    disk.resize(disk.used + 30 * PAGE)
    result = disk.python("trackgen", "assemble", output)
    needed = assert_full(result.returncode, result.stderr, output)
    assert not list((disk.seen / "out" / WORK / "tracks").glob("*.tmp"))
    disk.resize(disk.used + needed + PAGE)
    done(disk.python("trackgen", "assemble", output))
    assert_finished(disk.seen / "out", expected)


@pytest.mark.parametrize(
    ("function", "ending"),
    [
        ("mkdir", "shards"),
        ("link", "plan.json"),
        ("create", ".lock"),
        ("create", ".tmp"),
        ("write", ".tmp"),
        ("fsync", ""),
        ("replace", ".shard"),
        ("copy_file_range", ""),
        ("replace", ".bw"),
        ("create", "run.json"),
        ("replace", "run.json"),
    ],
)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=["ENOSPC", "EDQUOT", "EIO"])
@pytest.mark.slow
def test_a_call_that_fails_ends_the_run_and_can_be_made_up_for(
    tmp_path: Path, job: Job, expected: dict[str, bytes], function: str, ending: str, number: int
) -> None:
    output = tmp_path / "out"
    result = python(RUNNER, -1, *job.scan(output), FAULTS_FAIL=f"{function}:{ending}:{number}")
    assert result.returncode == 75, result.stderr
    assert "Traceback" not in result.stderr
    (message,) = messages(result.stderr)
    assert str(output) in message
    assert ("bytes of free space" in message) == (number != errno.EIO)
    assert_nothing_half_done(output, expected)
    done(trackgen(*job.scan(output)))
    assert_finished(output, expected)
