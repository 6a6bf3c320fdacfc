"""Fragments of one sequence in bins: exact, without an array of bases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bin_sizes", "coverage_bins", "cut_bins"]


def coverage_bins(
    start: NDArray[np.int64], end: NDArray[np.int64], length: int, resolution: int
) -> NDArray[np.float32]:
    """How many fragments cover a base, the mean over the bases of each bin.

    Exact: sums are whole numbers. The work is that of fragments and bins, whatever the number of bases.

    Args:
        start: int64[n], 0-based, in any order.
        end: int64[n], of the same fragments, in any order; at most `length`.
        length: bases of the sequence.
        resolution: bases of a bin; the last bin may have fewer.

    Returns:
        float32[ceil(length / resolution)].
    """
    bins = -(-length // resolution)
    sums = _covered_before(start, bins, resolution) - _covered_before(end, bins, resolution)
    return (sums / bin_sizes(length, resolution)).astype(np.float32)


def _covered_before(edges: NDArray[np.int64], bins: int, resolution: int) -> NDArray[np.float64]:
    """float64[bins]: bases of each bin at or behind each edge, summed over edges."""
    place, offset = np.divmod(edges, resolution)
    inside = place < bins
    place, offset = place[inside], offset[inside]
    number = np.bincount(place, minlength=bins)
    own = np.bincount(place, weights=resolution - offset, minlength=bins)
    # whole bins behind the edge's own
    return own + resolution * (np.cumsum(number) - number).astype(np.float64)


def bin_sizes(length: int, resolution: int) -> NDArray[np.int64]:
    """int64[bins]: bases of each bin."""
    sizes = np.full(-(-length // resolution), resolution, np.int64)
    if length % resolution:
        sizes[-1] = length % resolution
    return sizes


def cut_bins(positions: NDArray[np.int64], length: int, resolution: int) -> NDArray[np.float32]:
    """How many cuts lie at a base, the mean over the bases of each bin: float32[ceil(length / resolution)].

    Args:
        positions: int64[n], the bases of cuts (`trackgen.signals.cut_sites`); those beyond the sequence don't
            count.
        length: bases of the sequence.
        resolution: bases of a bin.
    """
    bins = -(-length // resolution)
    inside = positions[(positions >= 0) & (positions < length)]
    return (np.bincount(inside // resolution, minlength=bins) / bin_sizes(length, resolution)).astype(np.float32)
