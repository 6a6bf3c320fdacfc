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


def largest_allowed_difference(output: OutputSpec, values: NDArray[np.float32], seen: float = 0.0) -> float:
    """By how much two ways of computing `values` (a sample, (N, K[, M])) of an output may differ.

    Args:
        seen: the largest absolute value of the sample's other windows: a tile may hold a single one, close to 0.
    """
    if output.role == "probability":
        return PROBABILITY_BAR
    return SIGNAL_BAR * (max(seen, float(np.abs(values).max())) or 1.0)
