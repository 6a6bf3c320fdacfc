"""Weights of windows at bases, calls, and adding up: held against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.genome.sliding import sliding
from trackgen.scan.weights import add_elements, add_windows, called_windows, weight_at_bases


@settings(max_examples=100, deadline=None)
@given(
    window=st.integers(1, 23),
    stride=st.integers(1, 30),
    count=st.integers(1, 40),
    first=st.integers(-30, 30),
    seed=st.integers(0, 999),
)
def test_the_weight_at_a_base_is_the_sum_of_the_windows_over_it(
    window: int, stride: int, count: int, first: int, seed: int
) -> None:
    weights = np.random.default_rng(seed).random((2, count))
    low, high = first - 7, first + count * stride + window
    found = weight_at_bases(weights, first, stride, window, low, high)
    for place, base in enumerate(range(low, high)):
        over = [i for i in range(count) if first + i * stride <= base < first + i * stride + window]
        # One summation order against another, in float64.
        np.testing.assert_allclose(found[:, place], weights[:, over].sum(axis=1), rtol=1e-13, atol=0)


def test_small_weights_beside_large_ones_are_not_lost() -> None:
    weights = np.array([[1.0] * 50 + [1e-12] * 50])
    found = weight_at_bases(weights, 0, 1, 10, 70, 80)
    np.testing.assert_allclose(found, 1e-11, rtol=1e-12)


def calls_by_definition(values: list[float], threshold: float, reach: int) -> list[bool]:
    found = []
    for i, value in enumerate(values):
        near = [j for j in range(len(values)) if abs(i - j) <= reach]
        best = max(near, key=lambda j: (values[j], -j))
        found.append(value >= threshold and best == i)
    return found


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=40),
    threshold=st.sampled_from([0.25, 0.5, 0.9]),
    reach=st.integers(0, 50),
)
def test_calls_are_the_first_largest_windows_within_reach(values: list[float], threshold: float, reach: int) -> None:
    found = called_windows(np.array(values, np.float32), threshold, reach)
    assert found.tolist() == calls_by_definition(values, threshold, reach)


@pytest.mark.parametrize(("count", "stride"), [(3, 2), (40, 2), (40, 1), (1, 5)])
@pytest.mark.parametrize("regular", [True, False])
def test_windows_are_added_at_their_places(count: int, stride: int, regular: bool) -> None:
    random = np.random.default_rng(count)
    starts = np.arange(count) * stride + 3
    if not regular:
        starts = np.sort(random.choice(np.arange(100), count, replace=False))
    rows, weights = random.normal(size=(count, 8)).astype(np.float32), random.random(count)
    found, wanted = np.zeros(120), np.zeros(120)
    add_windows(found, starts, rows, weights)
    for start, row, weight in zip(starts, rows, weights, strict=True):
        wanted[start : start + 8] += weight * row
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("step", "resolution"), [(1, 1), (1, 4), (2, 4), (4, 4), (5, 25)])
def test_elements_count_whole_for_all_their_bases(step: int, resolution: int) -> None:
    points = np.random.default_rng(step).normal(size=(1, 9))
    bases = 8 * step + resolution
    found = add_elements(points, step, resolution, bases)
    wanted = np.zeros((1, bases))
    for point in range(9):
        wanted[0, point * step : point * step + resolution] += points[0, point]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_sliding_joins_every_run_of_neighbours() -> None:
    values = np.arange(10.0)
    for count in range(1, 11):
        assert sliding(values, count).tolist() == [values[i : i + count].sum() for i in range(11 - count)]
        assert sliding(values, count, np.maximum).tolist() == [values[i : i + count].max() for i in range(11 - count)]
