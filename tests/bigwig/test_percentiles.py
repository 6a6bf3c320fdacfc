"""Percentiles from the histogram against numpy's, to the width of a bin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trackgen.bigwig.percentiles import PERCENTILES, Histogram, count_bins
from trackgen.bigwig.pieces import NO_PIECES, PIECE, CutItems

values_to_count = arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e6, 1e6, width=32))


def add(histogram: Histogram, values: np.ndarray, stride: int) -> None:
    histogram.add_bins(*count_bins(CutItems(values, NO_PIECES), stride))


def assert_like_numpy(found: dict[str, float] | None, bases: np.ndarray) -> None:
    """Within a bin: 1/128 of the value; below 1e-38 all is zero."""
    assert found is not None
    assert tuple(found) == PERCENTILES
    for name, value in found.items():
        wanted = float(np.percentile(bases, float(name), method="inverted_cdf"))
        assert abs(value - wanted) <= abs(wanted) / 128 + 1e-38, name
    in_order = list(found.values())
    assert in_order == sorted(in_order)


@given(values_to_count, st.integers(1, 50))
def test_like_numpy(values: np.ndarray, stride: int) -> None:
    histogram = Histogram()
    add(histogram, values + np.float32(0), stride)
    bases = np.repeat(values, stride)
    assert_like_numpy(histogram.percentiles(float(values.min()), float(values.max())), bases)


@pytest.mark.parametrize("count", [100, 100_000])
def test_like_numpy_on_many_values(count: int) -> None:
    values = np.random.default_rng(0).normal(0, 1, count).astype(np.float32)
    histogram = Histogram()
    add(histogram, values, 1)
    assert_like_numpy(histogram.percentiles(float(values.min()), float(values.max())), values)


@given(values_to_count, st.data())
def test_bases_may_differ_by_value_and_histograms_add_up(values: np.ndarray, data: st.DataObject) -> None:
    values = values + np.float32(0)
    bases = np.array(data.draw(st.lists(st.integers(1, 9), min_size=len(values), max_size=len(values))))
    cut = data.draw(st.integers(0, len(values)))
    whole, parts = Histogram(), Histogram()
    np.add.at(whole.counts, values.view(np.uint32) >> np.uint32(16), bases)
    pieces = np.zeros(len(values), PIECE)
    pieces["end"], pieces["value"] = bases, values
    for part in (pieces[:cut], pieces[cut:]):
        parts.add_bins(*count_bins(CutItems(np.full(3, np.nan, np.float32), part), 7))
    np.testing.assert_array_equal(parts.counts, whole.counts)
    assert_like_numpy(whole.percentiles(float(values.min()), float(values.max())), np.repeat(values, bases))


@pytest.mark.parametrize("count", [10, 10_000])
def test_every_value_counts_for_its_bases(count: int) -> None:
    values = np.random.default_rng(0).normal(0, 1, count).astype(np.float32)
    one, other = Histogram(), Histogram()
    add(one, values, 3)
    add(other, np.repeat(values, 3), 1)
    np.testing.assert_array_equal(one.counts, other.counts)


def test_an_empty_histogram_has_none() -> None:
    assert Histogram().percentiles(0.0, 0.0) is None


def test_zero_is_zero() -> None:
    histogram = Histogram()
    add(histogram, np.array([-1, 0, 0, 0, 1], np.float32), 1)
    found = histogram.percentiles(-1.0, 1.0)
    assert found is not None
    assert found["50"] == 0.0
