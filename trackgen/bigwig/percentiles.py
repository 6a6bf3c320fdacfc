"""Percentiles of a track's values per base, from a histogram that can be merged.

The histogram counts bases by the upper 16 bits of the float32 pattern: sign, exponent and seven mantissa bits. So its
bins are 1/128 of the value wide (0.8 %) at any size of value, and histograms of shards add up to that of the track.
"""

from __future__ import annotations

import math
import mmap

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.pieces import CutItems

__all__ = ["PERCENTILES", "Histogram", "count_bins"]

PERCENTILES = ("0.05", "1", "50", "99", "99.9", "99.95")
_BINS = 1 << 16
_SIGN = 0x8000


class Histogram:
    """Bases per bin of value."""

    def __init__(self) -> None:
        # Zero pages take no memory until touched, and values of one track touch few. Mapped by ourselves: once a block
        # of this size was freed, the C library takes others from its heap and writes zeros to all of their pages.
        pages = mmap.mmap(-1, _BINS * 8, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.counts: NDArray[np.int64] = np.frombuffer(pages, np.int64)

    def add_bins(self, bins: NDArray[np.int64], bases: NDArray[np.int64]) -> None:
        """Add what `count_bins` counted."""
        self.counts[bins] += bases

    def percentiles(self, minimum: float, maximum: float) -> dict[str, float] | None:
        """Percentiles of the counted values, or None where nothing was counted.

        Args:
            minimum: the exact smallest value.
            maximum: the exact largest value; percentiles are clipped to both.

        Returns:
            By name, such as "99.9": the smallest value that at least that share of the bases does not exceed
            (numpy's ``inverted_cdf``), to the width of its bin, within which it is interpolated.
        """
        order = np.concatenate([np.arange(_BINS - 1, _SIGN - 1, -1), np.arange(_SIGN)])
        counts = self.counts[order]
        reached = np.cumsum(counts)
        total = int(reached[-1])
        if not total:
            return None
        return {
            name: min(max(_value_at(order, counts, reached, float(name) / 100 * total), minimum), maximum)
            for name in PERCENTILES
        }


def _value_at(order: NDArray[np.int64], counts: NDArray[np.int64], reached: NDArray[np.int64], rank: float) -> float:
    place = int(np.searchsorted(reached, max(math.ceil(rank), 1)))
    pattern = int(order[place])
    if pattern in (0, _SIGN):
        return 0.0  # the bin of zero also holds the numbers below 1e-38; zero is what people expect to see
    inner, outer = np.array([pattern << 16, (pattern << 16) | 0xFFFF], np.uint32).view(np.float32).astype(np.float64)
    low, high = (outer, inner) if pattern & _SIGN else (inner, outer)
    below = int(reached[place]) - int(counts[place])
    return float(low + (high - low) * min(max((rank - below) / int(counts[place]), 0.0), 1.0))


def count_bins(items: CutItems, stride: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The bins that values fall into, ascending, and the bases in each: a pure function, for any thread."""
    absent = np.isnan(items.values)
    values = items.values[~absent] if absent.any() else items.values
    counts = np.bincount(values.view(np.uint32) >> np.uint32(16))
    bins = np.flatnonzero(counts)
    bases = counts[bins] * stride
    if not len(items.pieces):
        return bins, bases
    more = np.ascontiguousarray(items.pieces["value"]).view(np.uint32) >> np.uint32(16)
    all_bins, places = np.unique(np.concatenate([bins, more.astype(np.int64)]), return_inverse=True)
    all_bases = np.zeros(len(all_bins), np.int64)
    np.add.at(all_bases, places, np.concatenate([bases, items.pieces["end"] - items.pieces["start"]]))
    return all_bins, all_bases
