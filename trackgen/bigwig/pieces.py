"""Cutting items at chromosome ends and gaps: what is left of each item, as whole items and pieces.

An item that nothing cuts stays in the array of values. An item that a gap or the end of the chromosome cuts leaves the
array (NaN there) and what is left of it becomes pieces, each with its true span::

    item            |---------|---------|---------|---------|
    gap                      xxxxxx
    whole items                         |---------|---------|
    pieces          |--------|     |----|
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.grid import Grid

__all__ = ["NO_PIECES", "PIECE", "CutItems", "cut_items"]

PIECE = np.dtype([("start", "<i8"), ("end", "<i8"), ("value", "<f4")])
NO_PIECES: NDArray[Any] = np.empty(0, PIECE)


class CutItems(NamedTuple):
    """Items after cutting.

    Attributes:
        values: float32[n], NaN where there is no whole item.
        pieces: PIECE[p], what is left of the cut items, ascending, bp.
    """

    values: NDArray[np.float32]
    pieces: NDArray[Any]


def cut_items(grid: Grid, first: int, values: NDArray[np.float32], gaps: NDArray[np.int64], length: int) -> CutItems:
    """Cut the items ``first``.. at the ends of the chromosome and at gaps.

    Args:
        grid: where items stand.
        first: number of the first item.
        values: float32[n], NaN where there is no value.
        gaps: int64[m, 2], sorted and disjoint, bp, 0-based half-open; they may reach past the items.
        length: bases of the chromosome.

    Returns:
        The whole items and the pieces; the array of values is the caller's own where nothing is cut.
    """
    start, end = grid.start(first), grid.start(first + len(values))
    kept = _kept_intervals(max(start, 0), min(end, length), gaps)
    if len(kept) == 1 and kept[0, 0] == start and kept[0, 1] == end:
        return CutItems(values, NO_PIECES)
    # Relative to the start of the first item, so that item borders are multiples of the stride.
    left, right = kept[:, 0] - start, kept[:, 1] - start
    left_item, right_item = left // grid.stride, (right - 1) // grid.stride
    left_end, right_start = (left_item + 1) * grid.stride, right_item * grid.stride
    cut_left = (left > left_item * grid.stride) | (right < left_end)
    cut_right = (right_item > left_item) & (right < right_start + grid.stride)
    whole = _covered(left_item + cut_left, right_item + 1 - cut_right, len(values))
    pieces = np.concatenate(
        [
            _pieces(left[cut_left], np.minimum(right, left_end)[cut_left], values[left_item[cut_left]]),
            _pieces(right_start[cut_right], right[cut_right], values[right_item[cut_right]]),
        ]
    )
    pieces = pieces[~np.isnan(pieces["value"])]
    pieces.sort(order="start")
    pieces["start"] += start
    pieces["end"] += start
    return CutItems(np.where(whole, values, np.float32(np.nan)), pieces)


def _kept_intervals(start: int, end: int, gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """What sorted disjoint gaps leave of [start, end): int64[k, 2], none of them empty."""
    inside = gaps[(gaps[:, 1] > start) & (gaps[:, 0] < end)]
    kept = np.empty((len(inside) + 1, 2), np.int64)
    kept[0, 0], kept[1:, 0] = start, inside[:, 1]
    kept[:-1, 1], kept[-1, 1] = inside[:, 0], end
    return kept[kept[:, 1] > kept[:, 0]]


def _covered(starts: NDArray[np.int64], ends: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """bool[length], true inside any of the disjoint intervals; intervals with end <= start are empty."""
    filled = ends > starts
    change = np.zeros(length + 1, np.int64)
    np.add.at(change, starts[filled], 1)
    np.add.at(change, ends[filled], -1)
    return np.cumsum(change[:-1]) > 0


def _pieces(starts: NDArray[np.int64], ends: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[Any]:
    pieces = np.empty(len(starts), PIECE)
    pieces["start"], pieces["end"], pieces["value"] = starts, ends, values
    return pieces
