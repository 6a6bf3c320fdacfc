"""DREAM bins against a slow rule, regions against masks of every bin, batches of them, and what they hold in memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import data_file
from trackgen.errors import DataError
from trackgen.genome import Genome, decode, open_genome, reverse_complement
from trackgen.learn.datasets.bed import BedRow, read_peaks
from trackgen.learn.datasets.dream import Ambiguous, CellPeaks, DreamCell, dream_labels
from trackgen.learn.datasets.permutation import permuted
from trackgen.learn.datasets.regions import RegionBatches
from trackgen.learn.datasets.windows import one_hot

LENGTHS = {"a": 2000, "b": 1300, "c": 150}


def row(name: str, start: int, end: int) -> BedRow:
    return BedRow(name, start, end, 0, False, None)


def covered(start: int, rows: list[BedRow], name: str) -> int:
    """The largest overlap of a bin with one peak, bp."""
    return max((min(start + 200, p.end) - max(start, p.start) for p in rows if p.name == name), default=0)


def slow_label(peaks: CellPeaks, name: str, start: int, ambiguous: Ambiguous) -> int:
    if covered(start, list(peaks.conservative), name) >= 100:
        return 1
    both = [*peaks.conservative, *peaks.relaxed]
    return -1 if covered(start, both, name) > 0 and ambiguous == "left out" else 0


@pytest.fixture
def genome(tmp_path: Path) -> Genome:
    random = np.random.default_rng(2)
    rows = {name: random.integers(0, 4, length).astype(np.uint8) for name, length in LENGTHS.items()}
    rows["a"][1500] = 4
    (tmp_path / "g.fa").write_text("".join(f">{name}\n{decode(codes)}\n" for name, codes in rows.items()))
    return open_genome(tmp_path / "g.fa")


def peaks_of(random: np.random.Generator, cell: str = "x") -> CellPeaks:
    def some(number: int) -> list[BedRow]:
        starts = random.integers(0, 1000, number).tolist()
        return [row(str(random.choice(["a", "b"])), s, s + int(random.integers(1, 300))) for s in starts]

    return CellPeaks(cell, [*some(2), row("a", 300, 520)], some(3), [row("a", 250, 700), *some(2)])


@pytest.mark.parametrize("number", [*range(1, 40), 255, 256, 257, 1000, 4097])
def test_an_order_takes_every_place_once(number: int) -> None:
    index = np.arange(number)
    found = permuted(index, number, (1, 2))
    assert sorted(found.tolist()) == index.tolist()
    assert np.array_equal(permuted(index[::-1], number, (1, 2)), found[::-1])
    if number > 200:
        assert not np.array_equal(permuted(index, number, (1, 3)), found)
        assert abs(np.corrcoef(index, found)[0, 1]) < 0.2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["unbound", "left out"]))
def test_labels_follow_the_challenges_rule(seed: int, ambiguous: Ambiguous) -> None:
    peaks = peaks_of(np.random.default_rng(seed))
    for name, length in LENGTHS.items():
        wanted = [slow_label(peaks, name, start, ambiguous) for start in range(0, length - 199, 50)]
        assert dream_labels(peaks, name, length, ambiguous).tolist() == wanted


@pytest.mark.parametrize("seed", range(12))
def test_regions_are_the_accessible_bins_and_distinct_others(genome: Genome, seed: int) -> None:
    random = np.random.default_rng(seed)
    peaks = peaks_of(random)
    ambiguous: Ambiguous = "left out" if seed % 2 else "unbound"
    excluded = [row("b", 100, 120)]
    cell = DreamCell(genome, ("a", "b", "c"), peaks, others=5, ambiguous=ambiguous, excluded=excluded)  # type: ignore[arg-type]
    sites, labels = cell.sites(np.arange(len(cell)))
    found = list(zip((sites.names[c] for c in sites.chromosome), sites.position.tolist(), strict=True))
    accessible, others = set(), set()
    for name, length in LENGTHS.items():
        for start in range(0, length - 199, 50):
            codes = genome.fetch(name, start, start + 200)
            shut_out = (name == "b" and start < 120 and start + 200 > 100) or (codes == 4).any()
            if not shut_out and slow_label(peaks, name, start, ambiguous) >= 0:
                (accessible if covered(start, list(peaks.accessible), name) > 0 else others).add((name, start))
    assert set(found[: len(accessible)]) == accessible
    rest = found[len(accessible) :]
    assert len(rest) == len(set(rest)) == min(5, len(others))
    assert set(rest) <= others
    assert labels.tolist() == [slow_label(peaks, name, start, ambiguous) for name, start in found]


def test_an_epoch_has_every_region_of_every_cell_once_in_another_order(genome: Genome) -> None:
    cells = [DreamCell(genome, ("a", "b"), peaks_of(np.random.default_rng(s), f"cell{s}"), others=9) for s in (1, 2)]
    ordered = RegionBatches(genome, cells, 300, 4, None)
    plain = [(x.argmax(1), y) for (x,), y in ordered.batches(0)]
    wanted = {np.concatenate([x for x, _ in plain])[i].tobytes() for i in range(len(ordered))}
    shuffled = RegionBatches(genome, cells, 300, 4, 3)
    epochs = []
    for epoch in (0, 1, 0):
        batches = list(shuffled.batches(epoch))
        assert all(len(y) == 4 for _, y in batches[:-1])
        inputs, labels = np.concatenate([x for (x,), _ in batches]), np.concatenate([y for _, y in batches])
        assert inputs.shape == (len(shuffled), 4, 300)
        assert labels.sum() == np.concatenate([y for _, y in plain]).sum() > 0
        epochs.append(inputs)
    assert np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[1])
    turned = {np.ascontiguousarray(x[::-1, ::-1]).argmax(0).tobytes() for x in epochs[0]}
    assert {x.argmax(0).tobytes() for x in epochs[0]} | turned >= wanted


def test_windows_of_a_batch_are_those_around_their_bins(genome: Genome) -> None:
    cell = DreamCell(genome, ("a",), peaks_of(np.random.default_rng(1)), others=0)
    (inputs,), labels = next(RegionBatches(genome, [cell], 300, 3, None).batches(0))
    sites, own = cell.sites(np.arange(3))
    codes = np.stack([genome.fetch("a", p - 50, p + 250) for p in sites.position.tolist()])
    assert np.array_equal(inputs, one_hot(codes))
    assert labels[:, 0].tolist() == own.tolist()
    assert not np.array_equal(codes, reverse_complement(codes))


def test_epochs_of_a_number_of_batches_go_on_where_the_last_ended(genome: Genome) -> None:
    cell = DreamCell(genome, ("a", "b"), peaks_of(np.random.default_rng(1)), others=9)
    whole = [x for (x,), _ in RegionBatches(genome, [cell], 250, 5, None).batches(0)]
    part = RegionBatches(genome, [cell], 250, 5, None, limit=2)
    seen = np.concatenate([x for epoch in range(3) for (x,), _ in part.batches(epoch)])
    assert np.array_equal(seen[: len(cell)], np.concatenate(whole)[: len(seen)])
    drawn = [
        np.concatenate([x for (x,), _ in RegionBatches(genome, [cell], 250, 5, 1, limit=2).batches(e)]) for e in (0, 1)
    ]
    assert not np.array_equal(*drawn)


def test_a_cell_without_bound_regions_is_refused(genome: Genome) -> None:
    with pytest.raises(DataError, match="liver: no region is bound; found 4 regions") as caught:
        DreamCell(genome, ("b",), CellPeaks("liver", [], [], []), others=4)
    assert caught.value.exit_status == 3


def test_memory_does_not_grow_with_the_number_of_regions(genome: Genome) -> None:
    class Long:
        """A chromosome of 40 Mb without a letter stored."""

        names, lengths = ("a",), {"a": 40_000_000}

        def fetch(self, name: str, start: int, end: int) -> np.ndarray:
            return np.zeros(end - start, dtype=np.uint8)

    def held(others: int) -> tuple[int, int]:
        peaks = CellPeaks("x", [row("a", s, s + 300) for s in range(1000, 10**6, 5000)], [], [row("a", 900, 90_000)])
        cell = DreamCell(Long(), ("a",), peaks, others=others)  # type: ignore[arg-type]
        batches = RegionBatches(Long(), [cell], 400, 64)  # type: ignore[arg-type]
        tracemalloc.start()
        try:
            for _, _ in zip(range(3), batches.batches(0), strict=False):
                pass
            return len(batches), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = held(5_000), held(700_000)
    assert many[0] > 50 * few[0]
    # the same groups of batches are read: nothing else is made
    assert many[1] < 1.2 * few[1]


def test_ctcf_of_hepg2_on_chr22_is_labelled_as_the_challenge_has_it() -> None:
    folder = "human_hg19/dream_peaks/"
    with open_genome(data_file("human_hg19/hg19_chr22_1-22000000.2bit")) as genome:
        rows = {
            kind: read_peaks(
                data_file(f"{folder}TF_{kind}.chr20_chr22_part.narrowPeak_plus_cell.gz"), genome.lengths,
                where={4: "CTCF", 11: "HepG2"}, allow_unknown=True,
            )
            for kind in ("conservative", "relaxed")
        }  # fmt: skip
        (name,) = genome.names
        peaks = CellPeaks("HepG2", rows["conservative"], rows["relaxed"], rows["relaxed"])
        labels = dream_labels(peaks, name, genome.lengths[name], "left out")
        bound = np.flatnonzero(labels == 1)
        assert 100 < len(bound) < 2000
        for bin_ in [*bound[::40], *np.flatnonzero(labels == -1)[::60], *np.flatnonzero(labels == 0)[::40_000]]:
            assert labels[bin_] == slow_label(peaks, name, int(bin_) * 50, "left out")
        cell = DreamCell(genome, (name,), peaks, others=1000)
        (inputs,), found = next(RegionBatches(genome, [cell], 1000, 64).batches(0))
    assert inputs.shape == (64, 4, 1000)
    assert 0 < found.mean() < 1
