"""Thresholds of exported models: three digits, and never above what they were chosen for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trackgen.learn.thresholds import best_threshold, rounded_down


@given(st.floats(1e-12, 1, exclude_max=True))
def test_three_digits_are_kept_and_the_value_is_never_exceeded(probability: float) -> None:
    found = rounded_down(probability)
    assert 0 < found <= probability
    # one in the third digit, of the value or of what it lacks of 1; the second float is of the last bits of 1 - value
    assert probability - found <= 0.01 * min(probability, 1 - probability) + 2e-16
    assert rounded_down(found) == found


def test_a_threshold_near_one_is_not_rounded_to_what_nothing_reaches() -> None:
    truth = np.array([True, True, False, False])
    probability = np.array([0.99991, 0.99987, 0.2, 0.1])
    assert best_threshold(truth, probability) == 0.99987
    assert best_threshold(truth, probability / 4) == 0.249


def test_the_examples_that_a_threshold_was_chosen_for_reach_it_however_few() -> None:
    for probability in (0.00206449, 0.1192, 0.5, 0.96166, 0.9999387):
        truth = np.arange(201) == 0
        values = np.concatenate([[probability], np.linspace(0, probability * 0.9, 200)])
        assert (values >= best_threshold(truth, values)).sum() == 1


def test_what_weighs_nothing_does_not_move_a_threshold() -> None:
    truth = np.array([True, False, True, False])
    values = np.array([0.8, 0.7, 0.6, 0.1])
    assert best_threshold(truth, values, np.array([1.0, 0.0, 1.0, 1.0])) == 0.6
    assert best_threshold(truth, values, np.array([1.0, 50.0, 1.0, 1.0])) == 0.8
