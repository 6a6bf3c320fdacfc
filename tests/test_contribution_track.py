"""The oracle of contribution tracks is right, by cases small enough to do by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import Window, contribution_track, one_hot, read_window, reverse_complement

SEQUENCE = "ACGTNACGGTAACGTTTACA"
GEOMETRY = Window(length=4, bin=2, stride=2)


def by_start(sequence: str, length: int, weights: np.ndarray):  # type: ignore[no-untyped-def]
    """Contributions and probabilities of a linear model, of windows cut from `sequence`."""

    def letters(start: int, reverse: bool) -> str:
        window = read_window(sequence, start, length)
        return reverse_complement(window) if reverse else window

    def explain(starts: list[int], reverse: bool) -> np.ndarray:
        return np.array([((one_hot(letters(start, reverse)) - 0.25) * weights).sum(axis=0) for start in starts])

    def probabilities(starts: list[int], reverse: bool) -> np.ndarray:
        scores = [(one_hot(letters(start, reverse)) * weights).sum() for start in starts]
        return np.asarray(1 / (1 + np.exp(-np.array(scores))))

    return explain, probabilities


EXPLAIN, PROBABILITIES = by_start(SEQUENCE, 4, np.random.default_rng(0).normal(size=(4, 4)))


def test_uniform_is_the_mean_over_the_windows_that_include_a_base() -> None:
    track = contribution_track(SEQUENCE, GEOMETRY, EXPLAIN, "plus")
    # windows begin at 2 i - 1; base 6 is element 3 of the one at 3 and element 1 of the one at 5
    (first, second) = EXPLAIN([3, 5], False)
    assert track[6] == pytest.approx((first[3] + second[1]) / 2, abs=1e-15)
    # base 0 is element 1 of the window at -1 alone
    assert track[0] == pytest.approx(EXPLAIN([-1], False)[0][1], abs=1e-15)
    # the last window begins at 17: the last base is element 2 of it, and in no other
    assert track[19] == pytest.approx(EXPLAIN([17], False)[0][2], abs=1e-15)
    assert np.flatnonzero(np.isnan(track)).tolist() == [4]


def test_probabilities_weigh_the_windows() -> None:
    track = contribution_track(SEQUENCE, GEOMETRY, EXPLAIN, "plus", "probability", probabilities=PROBABILITIES)
    (first, second), (one, two) = EXPLAIN([3, 5], False), PROBABILITIES([3, 5], False)
    assert track[6] == pytest.approx((one * first[3] + two * second[1]) / (one + two), abs=1e-15)


@pytest.mark.parametrize(("bin_", "stride", "length"), [(2, 2, 20), (1, 1, 20), (3, 1, 20), (1, 3, 19)])
def test_minus_is_plus_on_the_reverse_complement_turned_back(bin_: int, stride: int, length: int) -> None:
    # of a length at which the grids of both strands coincide
    assert (length - bin_) % stride == 0
    sequence, weights = SEQUENCE[:length], np.arange(16.0).reshape(4, 4)
    explain, _ = by_start(sequence, 4, weights)
    turned, _ = by_start(reverse_complement(sequence), 4, weights)
    minus = contribution_track(sequence, Window(4, bin_, stride), explain, "minus")
    plus = contribution_track(reverse_complement(sequence), Window(4, bin_, stride), turned, "plus")[::-1]
    # the first window and the last stand elsewhere on the other strand
    assert np.allclose(minus[4:-4], plus[4:-4], rtol=0, atol=1e-12, equal_nan=True)


def test_minus_windows_begin_at_the_other_end_of_an_odd_pad() -> None:
    # L 4, bin 1: pad 1, tail 2. Window i covers [i - 2, i + 2) on minus; base 0 is in those of i = 0, 1 and 2.
    track = contribution_track(SEQUENCE, Window(4, 1, 1), EXPLAIN, "minus")
    rows = EXPLAIN([-2, -1, 0], True)
    assert track[0] == pytest.approx((rows[0][1] + rows[1][2] + rows[2][3]) / 3, abs=1e-15)


def test_average_is_the_mean_of_both_strands_of_the_same_windows() -> None:
    geometry = Window(4, 1, 1)
    track = contribution_track(SEQUENCE, geometry, EXPLAIN, "average", "probability", probabilities=PROBABILITIES)
    starts = [7, 8, 9, 10]
    weights = (PROBABILITIES(starts, False) + PROBABILITIES(starts, True)) / 2
    there, back = EXPLAIN(starts, False), EXPLAIN(starts, True)
    both = [(there[place][3 - place] + back[place][place]) / 2 for place in range(4)]
    assert track[10] == pytest.approx(np.dot(weights, both) / weights.sum(), abs=1e-15)


def calls(values: list[float], distance: int, threshold: float, stride: int = 1) -> list[int]:
    """Which windows of one base count."""
    sequence = "A" * (len(values) * stride)

    def explain(starts: list[int], reverse: bool) -> np.ndarray:
        return np.ones((len(starts), 1))

    def probabilities(starts: list[int], reverse: bool) -> np.ndarray:
        return np.array(values)

    track = contribution_track(
        sequence, Window(1, 1, stride), explain, "plus", "calls",
        probabilities=probabilities, distance=distance, threshold=threshold,
    )  # fmt: skip
    return np.flatnonzero(~np.isnan(track)[::stride]).tolist()


def test_calls_are_the_first_of_the_largest_within_the_distance() -> None:
    assert calls([0.5, 0.9, 0.9, 0.2, 0.6, 0.1], 1, 0.3) == [1, 4]
    # the second .9 is no call, and still hides the .8
    assert calls([0.9, 0.9, 0.8, 0.1, 0.8], 1, 0.3) == [0, 4]
    assert calls([0.9, 0.9, 0.8, 0.1, 0.8], 0, 0.85) == [0, 1]
    # distances are in bp: neighbours lie 5 apart
    assert calls([0.4, 0.5, 0.6], 4, 0.3, 5) == [0, 1, 2]
    assert calls([0.4, 0.5, 0.6], 5, 0.3, 5) == [2]
    # the threshold itself is enough
    assert calls([0.3, 0.2], 0, 0.3) == [0]


def test_bases_without_a_call_are_gaps() -> None:
    assert calls([0.1, 0.2], 1, 0.3) == []


def test_wide_bins_shift_the_windows_and_profiles_do_not() -> None:
    asked = []

    def explain(starts: list[int], reverse: bool) -> np.ndarray:
        asked.append(starts)
        return np.zeros((len(starts), 10))

    contribution_track("A" * 8, Window(10, 6, 2), explain, "plus")
    contribution_track("A" * 8, Window(10, 6, 2, 1), explain, "plus")
    # off 2, pad 2: i from -1 to 2; a profile's off is 0: i from 0 to 3
    assert asked == [[-4, -2, 0, 2], [-2, 0, 2, 4]]


def test_an_element_of_a_signal_stands_undivided_at_all_its_bases() -> None:
    def explain(starts: list[int], reverse: bool) -> np.ndarray:
        return np.array([[1.0, 2.0]] * len(starts))

    geometry = Window(6, 6, 6)
    assert contribution_track("ACGTNACGTACG", geometry, explain, "plus", element=3).tolist()[5:] == [
        2,
        1,
        1,
        1,
        2,
        2,
        2,
    ]
    assert contribution_track("A" * 7, geometry, explain, "minus", element=3).tolist() == [2, 2, 2, 1, 1, 1, 2]
