"""Calibration: the prior shift is exact where its assumption holds, and the fit puts sums right."""

from __future__ import annotations

import numpy as np
import pytest

from trackgen.learn.calibration import LARGEST_SCALE, Calibration, fit_calibration, prior_shift, reliability
from trackgen.learn.metrics import softmax

PRIOR_GENOME = np.array([0.9990, 0.0004, 0.0006])
PRIOR_TRAINING = np.array([0.9, 0.04, 0.06])
SYMBOLS = np.array([[0.7, 0.1, 0.1], [0.2, 0.6, 0.1], [0.1, 0.3, 0.8]])
"""p(symbol | class): three symbols (rows) seen in three classes (columns)."""


def posterior(prior: np.ndarray) -> np.ndarray:
    joint = SYMBOLS * prior
    return joint / joint.sum(axis=1, keepdims=True)


def test_the_prior_shift_turns_the_posterior_of_one_prior_into_that_of_another() -> None:
    logits = np.log(posterior(PRIOR_TRAINING))
    shift = prior_shift((PRIOR_TRAINING * 1000).astype(int), (PRIOR_GENOME * 100_000).round().astype(int))
    assert shift.scale == 1
    assert shift.shift[0] == 0
    np.testing.assert_allclose(shift.apply(logits), posterior(PRIOR_GENOME), rtol=1e-12)


def test_an_equal_prior_needs_no_shift() -> None:
    assert prior_shift(np.array([90, 4, 6]), np.array([9000, 400, 600])).shift == pytest.approx((0, 0, 0), abs=1e-15)


def test_the_fit_finds_scale_and_shift_that_made_the_labels_and_keeps_the_sums() -> None:
    random = np.random.default_rng(4)
    logits = random.standard_normal((200_000, 3)).astype(np.float32) * 1.5
    true = Calibration(1.4, (0.0, -3.0, -2.0))
    probabilities = true.apply(logits)
    labels = (random.random((len(logits), 1)) > np.cumsum(probabilities, axis=1)).sum(axis=1)
    found = fit_calibration(logits, labels, Calibration(1.0, (0.0, 0.0, 0.0)))
    # three standard errors at this many labels
    assert found.scale == pytest.approx(true.scale, abs=0.03)
    assert found.shift == pytest.approx(true.shift, abs=0.06)
    np.testing.assert_allclose(found.apply(logits).sum(axis=0), np.bincount(labels), rtol=1e-4)


def test_logits_that_hardly_differ_are_not_blown_up_however_well_they_separate() -> None:
    labels = np.repeat([0, 1], 20)
    logits = np.stack([np.zeros(40), 1e-4 * labels], axis=1)
    found = fit_calibration(logits, labels, Calibration(1.0, (0.0, 0.0)))
    assert found.scale == pytest.approx(LARGEST_SCALE)
    assert found.apply(logits)[:, 1].mean() == pytest.approx(0.5, abs=1e-3)


def test_softmax_holds_far_from_zero() -> None:
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]])), [[0.5, 0.5], [0.0, 1.0]])


def test_reliability_counts_every_base_once() -> None:
    probability = np.array([0.0, 5e-6, 0.02, 0.02, 0.95, 1.0])
    truth = np.array([False, False, False, True, True, True])
    rows = reliability(probability, truth)
    found = [(row["from"], row["bases"], row["observed"]) for row in rows]
    assert found == [(0.0, 2, 0.0), (0.01, 2, 0.5), (0.9, 2, 1.0)]
    assert rows[2]["predicted"] == pytest.approx(0.975)
