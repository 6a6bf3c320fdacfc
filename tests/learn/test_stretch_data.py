"""Two depths of one sample: which fragments each holds, in which unit, and what can't be asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.errors import TrackgenError, UsageError
from trackgen.genome import Interval
from trackgen.genome.fragments import FragmentOptions, Fragments, load_fragments
from trackgen.learn.datasets import stretch_data
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.stretch_data import PairOptions, load_stretches, make_pair, thinned
from trackgen.learn.datasets.stretches import RESOLUTION
from trackgen.progress import NullProgress
from trackgen.signals import usual_depth

LENGTHS = {"a": 220_010, "b": 160_000, "c": 150_000}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fragments of 100 bp, 4 for 100 bases."""
    path = tmp_path_factory.mktemp("data") / "deep.bed"
    random = np.random.default_rng(1)
    with open(path, "w") as file:
        for name, length in LENGTHS.items():
            starts = np.sort(random.integers(0, length - 100, length // 25))
            file.writelines(f"{name}\t{start}\t{start + 100}\n" for start in starts)
    return path


@given(fraction=st.floats(0.01, 0.99), seed=st.integers(0, 1200))
@settings(max_examples=10, deadline=None)
def test_draws_are_those_of_files_that_are_read_thinned(source: Path, fraction: float, seed: int) -> None:
    ours = thinned(load_fragments(source, LENGTHS, FragmentOptions()), fraction, seed)
    for complement, mine in zip((False, True), ours, strict=True):
        options = FragmentOptions(fraction=fraction, seed=seed, complement=complement)
        for name, theirs in load_fragments(source, LENGTHS, options).items():
            np.testing.assert_array_equal(mine[name].start, theirs.start)
            np.testing.assert_array_equal(mine[name].end, theirs.end)


def slow_coverage(fragments: Fragments, length: int, mean: float) -> list[float]:
    depth = np.zeros(-(-length // RESOLUTION) * RESOLUTION)
    for start, end in zip(fragments.start, fragments.end, strict=True):
        depth[start:end] += 1
    return list(depth.reshape(-1, RESOLUTION).mean(axis=1) / mean)


@pytest.mark.parametrize("pairing", ["complement", "all"])
def test_coverage_is_fold_over_the_mean_of_its_own_fragments(source: Path, pairing: str) -> None:
    every = load_fragments(source, LENGTHS, FragmentOptions())
    pair = make_pair(every, LENGTHS, ["a", "c"], PairOptions(pairing=pairing, fraction=0.25), 3)
    noisy, rest = thinned(every, 0.25, 3)
    for bins, fragments in ((pair.noisy, noisy), (pair.deep, rest if pairing == "complement" else every)):
        assert list(bins) == ["a", "c"]
        mean = usual_depth(fragments, LENGTHS)
        for name in bins:
            # float32 against float64
            np.testing.assert_allclose(bins[name], slow_coverage(fragments[name], LENGTHS[name], mean), rtol=1e-5)


def test_peaks_are_called_on_either_depth_by_itself(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, float, object]] = []

    def call(fragments: dict[str, Fragments], lengths: object, output: Path, **rest: object) -> list[BedRow]:
        asked.append((sum(len(own.start) for own in fragments.values()), float(str(rest["threshold"])), lengths))
        return [BedRow("a", 50, 100, 0, False, None, signal=float(len(asked)))]

    monkeypatch.setattr(stretch_data, "call_peaks", call)
    every = load_fragments(source, LENGTHS, FragmentOptions())
    options = PairOptions(reads="peaks", tells="peaks", threshold=0.2, pairing="all")
    pair = make_pair(every, LENGTHS, ["a"], options, 3)
    assert pair.noisy["a"][:6].tolist() == [0, 0, 1, 1, 0, 0]
    assert pair.deep["a"][:6].tolist() == [0, 0, 2, 2, 0, 0]
    total = sum(len(own.start) for own in every.values())
    assert asked[1] == (total, 0.2, LENGTHS)
    assert 0.08 * total < asked[0][0] < 0.12 * total


def test_parts_have_their_own_sequences_and_draws(source: Path) -> None:
    split = Split.of(list(LENGTHS), validation=["b"], test=["c"])
    made = load_stretches(
        source, LENGTHS, split, PairOptions(thinnings=2), excluded=[Interval("a", 0, 10)], examples=(7, 5, 3),
        batch_size=4, progress=NullProgress(),
    )  # fmt: skip
    parts = (made.train, made.validation, made.test)
    assert [part.places.names for part in parts] == [("a",), ("b",), ("c",)]
    assert [len(part.pairs) for part in parts] == [2, 1, 1]
    assert not np.array_equal(made.train.pairs[0].noisy["a"], made.train.pairs[1].noisy["a"])
    assert [sum(len(targets) for _, targets in part.batches(0)) for part in parts] == [7, 5, 3]
    assert made.train.places.runs[0, 1] == 1
    # 4 bases of fragments over a base, of which a tenth is kept
    assert 0.35 < made.depth < 0.45
    assert made.fragments == sum(length // 25 for length in LENGTHS.values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reads": "cuts"}, "unknown input; found cuts; wanted coverage or peaks."),
        ({"tells": "x"}, "unknown target; found x; wanted coverage or peaks."),
        ({"pairing": "none"}, "unknown pairing; found none; wanted complement or all."),
        ({"fraction": 1.0}, "a net is to read a share of the fragments; found 1.0; wanted between 0 and 1."),
        ({"seed": 499, "thinnings": 2}, "found seed 499, 2 thinnings; wanted seeds below 500."),
    ],
)
def test_pairs_that_cannot_be_are_told(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        PairOptions(**options)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_missing_caller_is_told_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> Path:
        raise UsageError("calling peaks needs the program macs3")

    monkeypatch.setattr(stretch_data, "macs3", missing)
    split = Split.of(list(LENGTHS), validation=["b"], test=["c"])
    with pytest.raises(TrackgenError, match="needs the program macs3"):
        load_stretches(
            tmp_path / "none.bed", LENGTHS, split, PairOptions(reads="peaks"), progress=NullProgress()
        )  # fmt: skip
