"""Rounding of values before they are written, so that tracks compress well and mean what they say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import UsageError

__all__ = ["TEN_BITS", "round_values"]

TEN_BITS = "10 bits"
# A float32 has 23 stored mantissa bits; ten stay.
_DROPPED = 13
_LARGEST = np.float32((2 - 2.0**-10) * 2.0**127)


def round_values(values: NDArray[np.float32], rounding: str | int | None) -> NDArray[np.float32]:
    """Round values for a track.

    Args:
        values: float32[...]; NaN and infinities pass unchanged.
        rounding: ``"10 bits"`` keeps ten mantissa bits, round to nearest, ties to even: the relative error is at most
            2**-11, below .05 %, at any size of value (decimals destroy small probabilities). A number keeps that many
            decimals. None keeps the values.

    Returns:
        float32[...], a new array; -0.0 becomes 0.0.

    Raises:
        UsageError: any other rounding.
    """
    if rounding is None:
        return values + np.float32(0)
    if rounding == TEN_BITS:
        return _keep_ten_bits(values)
    if isinstance(rounding, bool) or not isinstance(rounding, int) or rounding < 0:
        raise UsageError("unknown rounding of values", found=rounding, wanted=f"'{TEN_BITS}', decimals or none")
    # np.round multiplies by 10**decimals; beyond this float32 has nothing left to round.
    rounded: NDArray[np.float32] = np.round(values.astype(np.float64), min(rounding, 60)).astype(np.float32)
    return rounded + np.float32(0)


def _keep_ten_bits(values: NDArray[np.float32]) -> NDArray[np.float32]:
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    lowest_kept = (bits >> np.uint32(_DROPPED)) & np.uint32(1)
    # Adding just below half a unit (half, where the lowest kept bit is odd) rounds to nearest, ties to even; the carry
    # runs into the exponent, which is right, and sign and size are apart in IEEE 754, so negatives need no case.
    rounded = bits + (lowest_kept + np.uint32((1 << _DROPPED - 1) - 1))
    rounded &= np.uint32((0xFFFFFFFF << _DROPPED) & 0xFFFFFFFF)
    result = rounded.view(np.float32) + np.float32(0)
    special = ~np.isfinite(result)
    if special.any():
        # The largest finite values must not round to infinity, nor a NaN's payload to something else.
        finite = np.isfinite(values)
        result = np.where(finite, np.clip(result, -_LARGEST, _LARGEST), values)
    return result
