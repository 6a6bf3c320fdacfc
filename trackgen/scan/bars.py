"""By how much two ways of computing the same windows may differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackgen.card import OutputSpec
from trackgen.graph import spread_of

__all__ = ["PROBABILITY_BAR", "allowed_differences"]

Float32 = NDArray[np.float32]

PROBABILITY_BAR = 1e-5
"""Largest difference in probability."""
SIGNAL_BAR = 1e-4
"""Largest difference of other outputs, as a share of the sample's largest absolute value."""


def allowed_differences(
    outputs: Sequence[OutputSpec], values: Sequence[Float32], seen: Sequence[float] = ()
) -> list[float]:
    """By how much two ways of computing `values` (samples, (N, K[, M])) of a card's outputs may differ.

    A standard deviation of an ensemble may differ by as much as the mean that it belongs to: where the members agree,
    it is nothing but their last digits.

    Args:
        seen: the largest absolute values of the sample's other windows: a tile may hold a single one, close to 0.
    """
    bars: dict[str, float] = {}
    for number, output in enumerate(outputs):
        mean = spread_of(output.name)
        if mean in bars:
            bars[output.name] = bars[mean]
        elif output.role == "probability":
            bars[output.name] = PROBABILITY_BAR
        else:
            largest = max(seen[number] if seen else 0.0, float(np.abs(values[number]).max()))
            bars[output.name] = SIGNAL_BAR * (largest or 1.0)
    return [bars[output.name] for output in outputs]
