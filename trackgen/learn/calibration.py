"""From logits of a net that saw one TSS in ten to probabilities at the genome's own prevalence.

A classifier trained where class c has the share t_c learns log p(x | c) + log t_c. On a genome where its share is g_c
the right logit is larger by log(g_c / t_c) (Saerens 2002, doi:10.1162/089976602753284446). What that shift cannot know,
because the background that was drawn for training is not the genome's, is learned from every base of the validation
sequences: one scale for all logits and one offset a class, by maximum likelihood. Both are fixed numbers, and the
exported graph holds them in front of its softmax.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.metrics import softmax

__all__ = ["Calibration", "fit_calibration", "prior_shift", "reliability"]

EDGES = (0.0, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Borders of the bins of the reliability table: most of a genome is far below one in a thousand."""

LARGEST_SCALE = 10.0
"""A net that has hardly learnt has logits that hardly differ; where few examples seem to tell them apart, a larger
factor would multiply the rounding errors of float32 into differences of probability."""


@dataclass(frozen=True)
class Calibration:
    """Calibrated logits are ``scale * logits + shift``.

    Attributes:
        scale: one positive number (an inverse temperature).
        shift: K numbers, the first 0.
    """

    scale: float
    shift: tuple[float, ...]

    def apply(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities float64[n, K] of logits float[n, K]."""
        return softmax(np.asarray(logits, dtype=np.float64) * self.scale + np.array(self.shift))


def prior_shift(training: NDArray[np.integer], genome: NDArray[np.integer]) -> Calibration:
    """The shift by log(genome prior / training prior), relative to the first class.

    Args:
        training: examples of each class that the net was trained on, K counts, all positive.
        genome: bases of each class on the genome (both strands), K counts, all positive.
    """
    shift = np.log(genome / genome.sum()) - np.log(training / training.sum())
    return Calibration(1.0, tuple(float(value) for value in shift - shift[0]))


def fit_calibration(logits: NDArray[np.floating], labels: NDArray[np.int64], start: Calibration) -> Calibration:
    """Scale and shift of the highest likelihood on every base of the validation sequences.

    At the optimum the sum of each class's probability equals its number of bases, exactly, but where the scale
    is stopped at `LARGEST_SCALE`. All K classes must occur.

    Args:
        logits: float[n, K].
        labels: int64[n].
        start: where to begin, usually `prior_shift`.
    """
    from scipy.optimize import minimize

    number, classes = logits.shape
    counts = np.bincount(labels, minlength=classes).astype(np.float64)
    own = logits.astype(np.float64)
    true_logit_sum = float(own[np.arange(number), labels].sum())

    def cost(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Mean negative log-likelihood, and its gradient, by (log scale, shift of classes 1..K-1)."""
        scale, shift = float(np.exp(parameters[0])), np.concatenate([[0.0], parameters[1:]])
        scores = own * scale + shift
        highest = scores.max(axis=1, keepdims=True)
        exponentials = np.exp(scores - highest)
        total = exponentials.sum(axis=1, keepdims=True)
        log_likelihood = scale * true_logit_sum + float(counts @ shift) - float((highest + np.log(total)).sum())
        expected = exponentials / total
        by_scale = scale * (true_logit_sum - float((expected * own).sum()))
        by_shift = counts - expected.sum(axis=0)
        # per true TSS, not per base: the likelihood of a base is tiny, and the optimiser's tolerances are absolute
        per = counts[1:].sum()
        return -log_likelihood / per, -np.concatenate([[by_scale], by_shift[1:]]) / per

    bounds = [(-np.inf, np.log(LARGEST_SCALE)), *[(-np.inf, np.inf)] * (classes - 1)]
    first = np.concatenate([[np.log(start.scale)], np.array(start.shift[1:]) - start.shift[0]])
    options = {"maxiter": 200, "ftol": 1e-13, "gtol": 1e-7}
    found = minimize(cost, first, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Calibration(float(np.exp(found.x[0])), (0.0, *(float(value) for value in found.x[1:])))


def reliability(
    probability: NDArray[np.floating], truth: NDArray[np.bool_], weight: NDArray[np.floating] | None = None
) -> list[dict[str, Any]]:
    """Reliability table of one class: for each bin of predicted probability, what was predicted and what was true.

    Args:
        probability: float[n].
        truth: bool[n].
        weight: float[n], of each base in the means; all the same without.

    Returns:
        Rows ``{"from", "to", "bases", "predicted", "observed"}`` (means; bins without bases are left out).
    """
    which = np.clip(np.searchsorted(EDGES, probability, side="right") - 1, 0, len(EDGES) - 2)
    bases = np.bincount(which, minlength=len(EDGES) - 1)
    own = np.ones(len(which)) if weight is None else weight
    total = np.bincount(which, weights=own, minlength=len(EDGES) - 1)
    predicted = np.bincount(which, weights=own * probability, minlength=len(EDGES) - 1)
    observed = np.bincount(which, weights=own * truth, minlength=len(EDGES) - 1)
    return [
        {
            "from": EDGES[i], "to": EDGES[i + 1], "bases": int(bases[i]),
            "predicted": float(predicted[i] / total[i]), "observed": float(observed[i] / total[i]),
        }
        for i in np.flatnonzero(bases)
    ]  # fmt: skip
