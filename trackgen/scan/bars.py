"""By how much two ways of computing the same windows may differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.card import OutputSpec

__all__ = ["PROBABILITY_BAR", "largest_allowed_difference"]

PROBABILITY_BAR = 1e-5
"""Largest difference in probability."""
SIGNAL_BAR = 1e-4
"""Largest difference of other outputs, as a share of the sample's largest absolute value."""
SIGNAL_FLOOR = 1e-6
"""What sums of numbers about 1 in float32 differ by, though all that a sample holds may be close to 0."""


def largest_allowed_difference(output: OutputSpec, values: NDArray[np.float32]) -> float:
    """By how much two ways of computing `values` (a sample, (N, K[, M])) of an output may differ."""
    if output.role == "probability":
        return PROBABILITY_BAR
    return max(SIGNAL_BAR * float(np.abs(values).max()), SIGNAL_FLOOR)
