"""Heights of the letters of sequence logos; `trackgen.plot.letters` draws them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["information", "probabilities"]

Matrix = NDArray[np.floating]

PSEUDOCOUNT = 1.0
"""Spread over the four bases in proportion to the background, when counts become probabilities."""


def probabilities(counts: Matrix, background: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, W) counts -> probabilities of each position, with one pseudocount of the background."""
    raised = counts + PSEUDOCOUNT * background[:, None]
    return np.asarray(raised / raised.sum(axis=0), dtype=np.float64)


def information(matrix: Matrix, background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights of a logo of (4, W) probabilities, bits against the background: p x sum of p log2(p / background)."""
    ratio = np.divide(matrix, background[:, None], out=np.ones_like(matrix), where=matrix > 0)
    bits = (matrix * np.log2(ratio)).sum(axis=0)
    return np.asarray(matrix * np.maximum(bits, 0), dtype=np.float64)
