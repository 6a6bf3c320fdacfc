"""Stretches of bins: where they may lie, what they hold, and that an epoch is a function of its number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.card import InputSpec
from trackgen.errors import DataError
from trackgen.genome import Interval
from trackgen.learn.datasets.stretches import BINS, CENTRE, FLANK, RESOLUTION, Pair, Places, StretchBatches, binned
from trackgen.scan.inputs import signal_points

BASES = 6000 * RESOLUTION


def allowed_slowly(length: int, masks: list[tuple[int, int]]) -> set[int]:
    """First bins of stretches, bin by bin: the centre is whole bins of the sequence, and no bin is masked."""
    masked = {b for start, end in masks for b in range(start // RESOLUTION, -(-end // RESOLUTION))}
    whole = length // RESOLUTION
    told = {first for first in range(-BINS, whole) if first + FLANK >= 0 and first + FLANK + CENTRE <= whole}
    return {first for first in told if not masked & set(range(first, first + BINS))}


@settings(max_examples=15, deadline=None)
@given(
    length=st.integers(CENTRE * RESOLUTION, BASES),
    masks=st.lists(st.tuples(st.integers(0, BASES - 1), st.integers(1, 3000)), max_size=3),
)
def test_places_are_those_that_a_slow_search_finds(length: int, masks: list[tuple[int, int]]) -> None:
    spans = [(start, min(start + size, length)) for start, size in masks if start < length]
    wanted = allowed_slowly(length, spans)
    excluded = [Interval("a", start, end) for start, end in spans]
    if not wanted:
        with pytest.raises(DataError):
            Places.of({"a": length}, ["a"], excluded)
        return
    places = Places.of({"a": length}, ["a"], excluded)
    assert {first for _, start, end in places.runs.tolist() for first in range(start, end)} == wanted


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_stretches_are_drawn_from_their_places_alone(seed: int) -> None:
    places = Places.of({"a": BASES, "b": 2 * BASES}, ["b", "a"], [Interval("b", 50_000, 50_001)])
    sequence, first = places.draw(200, [seed])
    runs = places.runs.tolist()
    for index, start in zip(sequence.tolist(), first.tolist(), strict=True):
        assert any(index == own and low <= start < high for own, low, high in runs)


def test_every_place_is_equally_probable() -> None:
    places = Places(("a", "b"), np.array([[0, -2, 1], [1, 5, 6]]))
    sequence, first = places.draw(40_000, [7])
    pairs, counts = np.unique(np.stack([sequence, first]), axis=1, return_counts=True)
    assert pairs.T.tolist() == [[0, -2], [0, -1], [0, 0], [1, 5]]
    # four standard deviations of a binomial count of 40,000 at 1/4
    assert np.abs(counts - 10_000).max() < 350


def random_pair(seed: int, bins: int = 6000) -> Pair:
    random = np.random.default_rng(seed)
    return Pair({"a": random.random(bins, np.float32)}, {"a": random.random(bins, np.float32)})


def test_a_stretch_holds_the_bins_of_its_place_and_0_beyond_the_sequence() -> None:
    pair = random_pair(1)
    for first in (-FLANK, -1, 0, 100, 6000 - CENTRE - FLANK):
        (batch,) = StretchBatches([pair], Places(("a",), np.array([[0, first, first + 1]])), 1).batches(0)
        ((noisy,), deep) = batch
        assert (noisy.shape, deep.shape) == ((1, 1, BINS), (1, 1, CENTRE))
        assert noisy.dtype == deep.dtype == np.float32
        for i in range(BINS):
            wanted = pair.noisy["a"][first + i] if 0 <= first + i < 6000 else 0
            assert noisy[0, 0, i] == wanted
        np.testing.assert_array_equal(deep[0, 0], pair.deep["a"][first + FLANK : first + FLANK + CENTRE])


def test_an_epoch_is_a_function_of_its_number() -> None:
    places = Places.of({"a": BASES}, ["a"])
    for options in ({}, {"shuffled": True}, {"shuffled": True, "anew": True}):
        source = StretchBatches([random_pair(1), random_pair(2)], places, 10, 4, 5, **options)
        again = StretchBatches([random_pair(1), random_pair(2)], places, 10, 4, 5, **options)
        one, two = list(source.batches(3)), list(again.batches(3))
        assert [len(targets) for _, targets in one] == [4, 4, 2]
        for (inputs, targets), (others, more) in zip(one, two, strict=True):
            np.testing.assert_array_equal(inputs[0], others[0])
            np.testing.assert_array_equal(targets, more)


def rows(source: StretchBatches, epoch: int) -> list[bytes]:
    return [row.tobytes() for _, targets in source.batches(epoch) for row in targets]


def test_epochs_have_the_same_examples_in_another_order_or_others_where_asked() -> None:
    places = Places.of({"a": BASES}, ["a"])
    fixed = StretchBatches([random_pair(1)], places, 10, 4, shuffled=True)
    assert rows(fixed, 0) != rows(fixed, 1)
    assert sorted(rows(fixed, 0)) == sorted(rows(fixed, 1))
    anew = StretchBatches([random_pair(1)], places, 10, 4, shuffled=True, anew=True)
    assert not set(rows(anew, 0)) & set(rows(anew, 1))


@given(length=st.integers(1, 200), seed=st.integers(0, 99))
def test_bins_are_what_a_scan_reads_from_the_track(length: int, seed: int) -> None:
    track = np.random.default_rng(seed).integers(0, 9, length).astype(np.float32)
    count = -(-length // RESOLUTION)
    means = np.array([track[i * RESOLUTION :][:RESOLUTION].mean() for i in range(count)], np.float32)
    padded = np.full(count * RESOLUTION, np.nan, np.float32)
    padded[:length] = track
    spec = InputSpec("atac", "signal", resolution=RESOLUTION)
    # float32 against a float64 mean
    np.testing.assert_allclose(
        binned(means, length), signal_points(spec, [padded], 0, RESOLUTION, count)[0], rtol=1e-6
    )  # fmt: skip


def test_sequences_without_a_place_are_told() -> None:
    with pytest.raises(DataError) as caught:
        Places.of({"a": 25_000}, ["a"])
    text = str(caught.value)
    for words in ("no stretch fits on the sequences", "a of 25,000 bp", "25,600 bp of one"):
        assert words in text
    assert caught.value.exit_status == 3
