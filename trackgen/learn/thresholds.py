"""The threshold that an exported model carries: of the highest F1 on validation, in digits that people read."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import numpy as np
from numpy.typing import NDArray

__all__ = ["best_threshold", "rounded_down"]

DIGITS = 3


def best_threshold(
    truth: NDArray[np.bool_], probability: NDArray[np.floating], weight: NDArray[np.floating] | None = None
) -> float:
    """The threshold of the highest F1, `rounded_down`.

    Args:
        truth: bool[n].
        probability: float[n].
        weight: float[n], what an example counts; all the same without.
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(truth, probability, sample_weight=weight)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return rounded_down(float(thresholds[int(np.argmax(f1[:-1]))]))


def rounded_down(probability: float) -> float:
    """Three significant digits of it, or of what it lacks of 1 where that is less; never above it.

    Rounded up, a threshold would lose the very examples that it was chosen for: all, where they are few. And 0.9996 is
    not 1, which no example reaches.
    """
    exact = Decimal(repr(float(probability)))
    if exact < Decimal("0.5"):
        return float(Context(prec=DIGITS, rounding=ROUND_FLOOR).plus(exact))
    return float(1 - Context(prec=DIGITS, rounding=ROUND_CEILING).plus(1 - exact))
