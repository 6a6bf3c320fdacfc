"""Every few neighbours joined, at the cost of a few passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["sliding"]

Float64 = NDArray[np.float64]


def sliding(values: Float64, count: int, join: np.ufunc = np.add) -> Float64:
    """Every `count` neighbours joined: (..., N) -> (..., N - count + 1), `count` at least 1.

    Each sum adds its own values alone, by doubling: differences of running totals would lose the small ones.
    """
    runs, size, begin = values, 1, 0
    kept = values.shape[-1] - count + 1
    result: Float64 | None = None
    while True:
        if count & size:
            part = runs[..., begin : begin + kept]
            result = part if result is None else join(result, part)
            begin += size
        if 2 * size > count:
            break
        runs = join(runs[..., :-size], runs[..., size:])
        size *= 2
    assert result is not None
    return result
