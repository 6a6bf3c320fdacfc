"""The same plan gives the same bytes: any threads, runner, shards, shares, chunks, memory or resume point."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyBigWig
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models import mixed_model, small_model
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.errors import DataError, UsageError
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, machinery, making, run_scan
from trackgen.scan.assembly import assemble_folder
from trackgen.scan.pipeline import run_serial

TILE = 256
Sequences = dict[str, str]


def files_of(out: Path) -> dict[str, str]:
    """A digest of every track and of skipped.bed."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.iterdir())
        if path.suffix in (".bw", ".bed")
    }


def totals_of(out: Path) -> list[Any]:
    """What run.json says of the values, and nothing of how they came about."""
    run = json.loads((out / "run.json").read_text())
    names = ("file", "values", "min", "max", "percentiles", "sha256", "min_value")
    return [run["bases"], run["plan"], [{name: track[name] for name in names} for track in run["tracks"]]]


@dataclasses.dataclass
class Case:
    """A run whose tracks are known; `run` makes it again, some other way."""

    options: ScanOptions
    wanted: dict[str, str]
    totals: list[Any]

    @staticmethod
    def of(options: ScanOptions) -> Case:
        run_scan(options)
        return Case(options, files_of(options.output), totals_of(options.output))

    def start(self, out: Path, **changes: Any) -> ScanOptions:
        return dataclasses.replace(self.options, output=out, **changes)

    def check(self, out: Path) -> None:
        assert files_of(out) == self.wanted
        assert totals_of(out) == self.totals


def several_sequences(seed: int = 0) -> Sequences:
    """Long and tiny ones, gaps in them, in an order that is not that of their bytes."""
    source = np.random.default_rng(seed)
    lengths = {
        "chr10": 3001,
        "chr2": 40,
        "chr1": 5000,
        "b": 1,
        "Z": 700,
        "a": 255,
        "chrÜ": 256,
        "none": 90,
        "chr9": 257,
    }
    return {name: random_sequence(source, length) if name != "none" else "N" * 90 for name, length in lengths.items()}


def wide_case(folder: Path) -> Case:
    """Bins wider than the stride, so items begin before the chromosome; two strands."""
    model = small_model(folder, name="wide", window=40, bin_=20, stride=6, strands="both")
    genome = write_fasta(folder / "g.fa", several_sequences())
    return Case.of(ScanOptions((str(model.path),), genome, folder / "wanted", tile=TILE, shard_size=10**9))


def profile_case(folder: Path) -> Case:
    """A profile whose windows overlap, beside a scalar output, without rounding; regions and exclusions."""
    (model, _) = mixed_model(folder, window=44, bin_=30, stride=15, positions=6, strands="average")
    genome = write_fasta(folder / "g.fa", several_sequences(1))
    (folder / "r.bed").write_text("chr10\t100\t2500\nchr10\t2600\t2601\nchr1\t10\t20\nchr1\t4000\t4999\nZ\t0\t700\n")
    (folder / "x.bed").write_text("chr10\t300\t340\nchr1\t4500\t4777\n")
    options = ScanOptions(
        (str(model.path),), genome, folder / "wanted", tile=TILE, shard_size=10**9, digits="full",
        regions=(str(folder / "r.bed"),), exclude=(folder / "x.bed",),
    )  # fmt: skip
    return Case.of(options)


def models_case(folder: Path) -> Case:
    """Several models of several strides in one pass, one of them window by window."""
    models = [
        small_model(folder, name="one", window=20, seed=1),
        small_model(folder, name="ten", window=33, bin_=10, strands="average", seed=2),
        small_model(folder, name="many", window=25, bin_=9, stride=3, activation="none", seed=3),
    ]
    genome = write_fasta(folder / "g.fa", several_sequences(2))
    paths = tuple(str(model.path) for model in models)
    return Case.of(ScanOptions(paths, genome, folder / "wanted", tile=TILE, shard_size=10**9, min_value=0.2))


def contigs_case(folder: Path) -> Case:
    """Many tiny contigs, several to a tile and to a shard."""
    source = np.random.default_rng(4)
    names = [f"c{number}" for number in source.permutation(60)]
    contigs = {name: random_sequence(source, int(source.integers(1, 120))) for name in names}
    contigs["long"] = random_sequence(source, 2000)
    model = small_model(folder, name="contigs", window=20, bin_=2, stride=2)
    genome = write_fasta(folder / "g.fa", contigs)
    return Case.of(
        ScanOptions((str(model.path),), genome, folder / "wanted", tile=TILE, shard_size=10**9, mode="window")
    )


CASES: dict[str, Callable[[Path], Case]] = {
    "wide": wide_case,
    "profile": profile_case,
    "models": models_case,
    "contigs": contigs_case,
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return CASES[request.param](tmp_path_factory.mktemp(request.param))


class Notes(NullProgress):
    """What the user is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def serial(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain loop instead of threads."""

    def run(pieces: Any, stages: Any, slots: int, **more: Any) -> None:
        run_serial(pieces, stages)

    monkeypatch.setattr(making, "run_threaded", run)


def test_the_cases_hold_what_they_are_for(case: Case) -> None:
    assert len(case.wanted) >= 3
    assert case.totals[0] > 2000
    for track in case.totals[2]:
        assert track["values"] > 0
        assert track["min"] < track["max"]


@pytest.mark.parametrize(("threads", "size"), [(1, TILE), (2, 3 * TILE), (4, 10**9)])
def test_any_number_of_threads_and_shards_gives_the_same_bytes(
    case: Case, tmp_path: Path, threads: int, size: int
) -> None:
    result = run_scan(case.start(tmp_path / "out", threads=threads, shard_size=size))
    assert result.shards > 3 or size == 10**9
    case.check(tmp_path / "out")


@pytest.mark.usefixtures("serial")
def test_the_plain_loop_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    run_scan(case.start(tmp_path / "out", shard_size=2 * TILE, threads=2))
    case.check(tmp_path / "out")


def hold_chunks_to(patch: pytest.MonkeyPatch, size: int) -> None:
    for name in ("CHUNK_BYTES", "CHUNK_TRACK_BYTES"):
        patch.setattr(machinery, name, size)


@pytest.mark.parametrize("size", [1, 20_000])
def test_any_size_of_chunks_gives_the_same_bytes(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    hold_chunks_to(monkeypatch, size)
    run_scan(case.start(tmp_path / "out", shard_size=7 * TILE, threads=3))
    case.check(tmp_path / "out")


def test_little_memory_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    options = case.start(tmp_path / "out", shard_size=2 * TILE, threads=4, memory=1)
    with pytest.raises(UsageError, match=r"at least [0-9,]+ bytes") as caught:
        run_scan(options)
    least = int(str(caught.value.wanted).split()[2].replace(",", ""))
    run_scan(dataclasses.replace(options, memory=least))
    case.check(tmp_path / "out")


def test_shares_in_any_order_give_the_same_bytes(case: Case, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shares = 7
    order = list(range(1, shares + 1))
    random.Random(shares).shuffle(order)
    for share in order:
        result = run_scan(case.start(out, shard_size=5 * TILE, share=(share, shares), threads=1 + share % 2))
        assert not result.assembled
        assert not (out / "run.json").exists()
    tracks, before = assemble_folder(out, 2)
    assert not before
    assert sorted(track.name for track in tracks) == sorted(name for name in case.wanted if name.endswith(".bw"))
    case.check(out)
    assert assemble_folder(out, 1) == (tracks, True)


def made_shards(case: Case, out: Path, size: int = 2 * TILE) -> list[Path]:
    """All shards of a run that stops before they are put together."""
    run_scan(case.start(out, shard_size=size, share=(1, 1)))
    shards = sorted((out / ".trackgen" / "shards").glob("*.shard"))
    assert len(shards) > 3
    return shards


def test_a_run_that_goes_on_gives_the_same_bytes_and_makes_only_what_is_missing(case: Case, tmp_path: Path) -> None:
    shards = made_shards(case, tmp_path / "out")
    gone = random.Random(len(shards)).sample(shards, len(shards) // 2)
    for shard in gone:
        shard.unlink()
    kept = {shard: shard.stat().st_mtime_ns for shard in shards if shard not in gone}
    options = case.start(tmp_path / "out", shard_size=2 * TILE)
    run_scan(dataclasses.replace(options, share=(1, 1)))
    assert {shard: shard.stat().st_mtime_ns for shard in kept} == kept
    assert_assembles(case, tmp_path / "out")


def assert_assembles(case: Case, out: Path) -> None:
    assemble_folder(out, 2)
    case.check(out)


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


def of_another_plan(data: bytes) -> bytes:
    """The facts name another plan, and the checksum is right: as if the file came from another folder."""
    place = data.index(b'"plan": "') + 9
    changed = data[:place] + (b"0" if data[place : place + 1] != b"0" else b"1") + data[place + 1 :]
    end = struct.Struct("<QQQQI8s")
    *numbers, _, magic = end.unpack(changed[-end.size :])
    body = changed[: -end.size]
    return body + end.pack(*numbers, zlib.crc32(body), magic)


DAMAGE: tuple[Callable[[bytes], bytes], ...] = (
    flipped,
    lambda data: data[: len(data) * 2 // 3],
    lambda data: b"",
    of_another_plan,
)


def test_damaged_shards_are_made_again(case: Case, tmp_path: Path) -> None:
    """Whatever the damage; and a whole shard in the place of another is damage too."""
    shards = made_shards(case, tmp_path / "out")
    for shard, damage in zip(shards, DAMAGE, strict=False):
        shard.write_bytes(damage(shard.read_bytes()))
    shards[-1].write_bytes(shards[-2].read_bytes())
    told = Notes()
    run_scan(case.start(tmp_path / "out", shard_size=2 * TILE), told)
    case.check(tmp_path / "out")
    assert f"{len(shards) - len(DAMAGE) - 1} of {len(shards)} shards are done already" in "".join(told.texts)


def test_damaged_shards_are_told_rather_than_put_together(case: Case, tmp_path: Path) -> None:
    shards = made_shards(case, tmp_path / "out")
    shards[1].write_bytes(flipped(shards[1].read_bytes()))
    with pytest.raises(DataError, match=r"1 of \d+ missing: 2 \(1 of them damaged\)") as caught:
        assemble_folder(tmp_path / "out", 1)
    assert caught.value.exit_status == 3
    assert all(shard.exists() for shard in shards), "another process may have made it again in the meantime"
    assert not list((tmp_path / "out").glob("*.bw"))
    run_scan(case.start(tmp_path / "out", shard_size=2 * TILE, share=(1, 1)))
    assert_assembles(case, tmp_path / "out")


@settings(max_examples=12)
@given(
    lengths=st.lists(st.one_of(st.integers(1, 60), st.integers(1, 1500)), min_size=1, max_size=5),
    geometry=st.sampled_from([(1, 1), (20, 3), (8, 8), (5, 31), (20, 1)]),
    tile=st.integers(20, 300),
    tiles=st.integers(1, 8),
    threads=st.integers(1, 3),
    chunk=st.sampled_from([1, 3000, 1 << 22]),
    seed=st.integers(0, 2**31),
)
def test_any_genome_gives_the_same_bytes_in_shards_as_whole(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    geometry: tuple[int, int],
    tile: int,
    tiles: int,
    threads: int,
    chunk: int,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    source = np.random.default_rng(seed)
    names = source.permutation([f"chr{number}" for number in range(len(lengths))]).tolist()
    sequences = {name: random_sequence(source, length) for name, length in zip(names, lengths, strict=True)}
    model = small_model(folder, window=30, bin_=geometry[0], stride=geometry[1], strands="both", seed=seed % 7)
    options = ScanOptions((str(model.path),), write_fasta(folder / "g.fa", sequences), folder / "a", tile=tile)
    case = Case.of(dataclasses.replace(options, shard_size=10**9))
    with pytest.MonkeyPatch.context() as patch:
        hold_chunks_to(patch, chunk)
        run_scan(case.start(folder / "b", shard_size=tiles * tile, threads=threads))
    case.check(folder / "b")


def read_values(path: Path, sequences: Sequences) -> np.ndarray:
    with pyBigWig.open(str(path)) as track:
        return np.concatenate([track.values(name, 0, len(text), numpy=True) for name, text in sequences.items()])


@pytest.mark.parametrize("digits", [None, "full", 2])
def test_the_smallest_value_leaves_out_what_is_below_it_and_nothing_else(
    tmp_path: Path, digits: Literal["full"] | int | None
) -> None:
    sequences = several_sequences(7)
    model = small_model(tmp_path, window=20, bin_=10, stride=4)
    genome = write_fasta(tmp_path / "g.fa", sequences)
    options = ScanOptions((str(model.path),), genome, tmp_path / "all", tile=TILE, shard_size=TILE, digits=digits)
    run_scan(options)
    everything = read_values(tmp_path / "all" / "small.hit.bw", sequences)
    # A value that is written: it stays, the next smaller one goes.
    bound = float(np.sort(everything[np.isfinite(everything)])[len(everything) // 3])
    run_scan(dataclasses.replace(options, output=tmp_path / "few", min_value=bound))
    found = read_values(tmp_path / "few" / "small.hit.bw", sequences)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, np.where(everything >= bound, everything, np.nan))
    (track,) = [row for row in totals_of(tmp_path / "few")[2] if row["file"] == "small.hit.bw"]
    assert track["min_value"] == track["min"] == pytest.approx(bound)
    assert track["values"] == np.isfinite(found).sum() < np.isfinite(everything).sum()
    assert (tmp_path / "few" / "skipped.bed").read_bytes() == (tmp_path / "all" / "skipped.bed").read_bytes()
    assert totals_of(tmp_path / "all")[2][1]["min_value"] is None
