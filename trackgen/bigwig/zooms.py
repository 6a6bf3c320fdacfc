"""Zoom records: summaries of the items in float64, merged four by four from level to level.

A summary weighs every value by the bases it covers. Sums stay float64 up to the top level and become float32 only in
the file. The order of every sum follows from the grid alone, so summaries do not depend on how values arrived.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.blocks import EXTENT, Blocks, compress_parts
from trackgen.bigwig.grid import ITEMS_PER_RECORD, RECORDS_PER_GROUP, Grid

__all__ = [
    "NO_SUMMARIES",
    "RECORDS_PER_BLOCK",
    "SUMMARY",
    "BlockEncoder",
    "Reducer",
    "WholeBlocks",
    "merge_groups",
    "summarise",
]

# record: the number of the record on the grid of its level; covered: bases with a value.
SUMMARY = np.dtype(
    [
        ("record", "<i8"),
        ("sum", "<f8"),
        ("sum_squares", "<f8"),
        ("chromosome", "<u4"),
        ("covered", "<u4"),
        ("minimum", "<f4"),
        ("maximum", "<f4"),
    ]
)
NO_SUMMARIES: NDArray[Any] = np.empty(0, SUMMARY)
# A record in the file (Kent et al. 2010, supplementary table 19).
ZOOM_RECORD = np.dtype(
    [
        ("chromosome", "<u4"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("covered", "<u4"),
        ("minimum", "<f4"),
        ("maximum", "<f4"),
        ("sum", "<f4"),
        ("sum_squares", "<f4"),
    ]
)
RECORDS_PER_BLOCK = 1024
# Sums of huge values can pass what the file can hold.
_LARGEST = float(np.finfo(np.float32).max)


def summarise(
    chromosome: int, grid: Grid, first: int, values: NDArray[np.float32], pieces: NDArray[Any]
) -> NDArray[Any]:
    """First-level summaries of whole items and pieces.

    Args:
        chromosome: its id.
        grid: where items stand.
        first: number of the first item, a multiple of 32.
        values: float32[n], n a multiple of 32, NaN where there is no whole item.
        pieces: PIECE[p], ascending, each inside one of these items.

    Returns:
        SUMMARY[r], ascending; records that cover nothing are left out.
    """
    summaries = np.zeros(len(values) // ITEMS_PER_RECORD, SUMMARY)
    summaries["chromosome"] = chromosome
    summaries["record"] = first // ITEMS_PER_RECORD + np.arange(len(summaries))
    if len(values):
        _summarise_items(summaries, values, grid.stride)
    if len(pieces):
        _add_pieces(summaries, pieces, grid, first)
    return summaries if summaries["covered"].all() else summaries[summaries["covered"] > 0]


def _summarise_items(summaries: NDArray[Any], values: NDArray[np.float32], stride: int) -> None:
    starts = np.arange(0, len(values), ITEMS_PER_RECORD)
    absent = np.isnan(values)
    if absent.any():
        present = ~absent
        summaries["covered"] = np.add.reduceat(present, starts, dtype=np.int64) * stride
        summaries["minimum"] = np.minimum.reduceat(np.where(present, values, np.float32(np.inf)), starts)
        summaries["maximum"] = np.maximum.reduceat(np.where(present, values, np.float32(-np.inf)), starts)
        doubles = np.where(present, values, np.float32(0)).astype(np.float64)
    else:
        summaries["covered"] = ITEMS_PER_RECORD * stride
        summaries["minimum"] = np.minimum.reduceat(values, starts)
        summaries["maximum"] = np.maximum.reduceat(values, starts)
        doubles = values.astype(np.float64)
    # reduceat sums every record by itself: its result does not depend on how many stand beside it.
    summaries["sum"] = np.add.reduceat(doubles, starts) * stride
    np.multiply(doubles, doubles, out=doubles)
    summaries["sum_squares"] = np.add.reduceat(doubles, starts) * stride


def _add_pieces(summaries: NDArray[Any], pieces: NDArray[Any], grid: Grid, first: int) -> None:
    place = (pieces["start"] - grid.start(first)) // (grid.stride * ITEMS_PER_RECORD)
    bases = pieces["end"] - pieces["start"]
    doubles = pieces["value"].astype(np.float64)
    # A record without whole items has the minimum inf and the maximum -inf until here.
    np.add.at(summaries["covered"], place, bases.astype(np.uint32))
    np.minimum.at(summaries["minimum"], place, pieces["value"])
    np.maximum.at(summaries["maximum"], place, pieces["value"])
    np.add.at(summaries["sum"], place, doubles * bases)
    np.add.at(summaries["sum_squares"], place, doubles * doubles * bases)


class Reducer:
    """Holds back the records of an unfinished group, so that a sum's order does not depend on where calls end."""

    def __init__(self) -> None:
        self._waiting = NO_SUMMARIES

    def feed(self, summaries: NDArray[Any], last: bool = False) -> NDArray[Any]:
        """The records of all groups that are complete, for `merge_groups`.

        Args:
            summaries: SUMMARY[n], ascending by (chromosome, record), after those of earlier calls.
            last: nothing follows, so the waiting group is complete, too.
        """
        summaries = np.concatenate([self._waiting, summaries])
        whole = len(summaries)
        if not last:
            ends = summaries[-RECORDS_PER_GROUP:]
            same = (ends["record"] // RECORDS_PER_GROUP == ends["record"][-1:] // RECORDS_PER_GROUP) & (
                ends["chromosome"] == ends["chromosome"][-1:]
            )
            whole -= int(np.count_nonzero(same))
        self._waiting = summaries[whole:].copy()
        return summaries[:whole]


def merge_groups(summaries: NDArray[Any]) -> NDArray[Any]:
    """The summaries of the next level, four records into one: a pure function of whole groups, for any thread."""
    if not len(summaries):
        return summaries
    group = summaries["record"] // RECORDS_PER_GROUP
    chromosome = summaries["chromosome"]
    changes = (np.diff(group) != 0) | (chromosome[1:] != chromosome[:-1])
    first = np.concatenate([[0], np.flatnonzero(changes) + 1])
    return _merge(summaries, group, first)


def _merge(summaries: NDArray[Any], group: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[Any]:
    merged = np.empty(len(first), SUMMARY)
    if len(first):
        merged["chromosome"] = summaries["chromosome"][first]
        merged["record"] = group[first]
        merged["covered"] = np.add.reduceat(summaries["covered"], first)
        merged["minimum"] = np.minimum.reduceat(summaries["minimum"], first)
        merged["maximum"] = np.maximum.reduceat(summaries["maximum"], first)
        merged["sum"] = np.add.reduceat(summaries["sum"], first)
        merged["sum_squares"] = np.add.reduceat(summaries["sum_squares"], first)
    return merged


class WholeBlocks(NamedTuple):
    """Summaries that fill whole blocks.

    Attributes:
        summaries: SUMMARY[n].
        borders: where blocks begin among them, and after them their number.
    """

    summaries: NDArray[Any]
    borders: NDArray[np.int64]


class BlockEncoder:
    """Packs summaries of one level into blocks of up to 1024 records of one chromosome."""

    def __init__(self, lengths: NDArray[np.int64], reduction: int, offset: int) -> None:
        """``lengths`` int64[c] by chromosome id, ``reduction`` bases per record, ``offset`` of the grid, bp."""
        self._lengths = lengths
        self._reduction = reduction
        self._offset = offset
        self._waiting = NO_SUMMARIES

    def feed(self, summaries: NDArray[Any], last: bool = False) -> WholeBlocks:
        """All records that fill a block, or end their chromosome; ``last`` as for ``Reducer.feed``."""
        summaries = np.concatenate([self._waiting, summaries])
        borders = _block_borders(summaries["chromosome"])
        if last or len(borders) == 1:
            self._waiting = NO_SUMMARIES
        else:
            # The last block may still grow.
            borders = borders[:-1]
            self._waiting = summaries[borders[-1] :].copy()
        return WholeBlocks(summaries[: borders[-1]], borders)

    def encode(self, whole: WholeBlocks) -> Blocks:
        """The blocks, compressed: a pure function, for any thread."""
        records, borders = self._records(whole.summaries), whole.borders
        data = compress_parts(records.view(np.uint8), borders * ZOOM_RECORD.itemsize)
        extents = np.empty(len(data), EXTENT)
        extents["chromosome"], extents["start"] = records["chromosome"][borders[:-1]], records["start"][borders[:-1]]
        extents["end"], extents["size"] = records["end"][borders[1:] - 1], [len(block) for block in data]
        largest = int(np.diff(borders).max(initial=0)) * ZOOM_RECORD.itemsize
        return Blocks(data, extents, largest)

    def _records(self, summaries: NDArray[Any]) -> NDArray[Any]:
        records = np.empty(len(summaries), ZOOM_RECORD)
        start = self._offset + summaries["record"] * self._reduction
        records["chromosome"] = summaries["chromosome"]
        records["start"] = np.maximum(start, 0)
        records["end"] = np.minimum(start + self._reduction, self._lengths[summaries["chromosome"]])
        for name in ("covered", "minimum", "maximum"):
            records[name] = summaries[name]
        for name in ("sum", "sum_squares"):
            records[name] = np.clip(summaries[name], -_LARGEST, _LARGEST)
        return records


def _block_borders(chromosome: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Where blocks begin among records of these chromosomes, and after them the number of records."""
    borders = np.concatenate([[0], np.flatnonzero(chromosome[1:] != chromosome[:-1]) + 1, [len(chromosome)]])
    pairs = zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
    return np.concatenate([*(np.arange(start, end, RECORDS_PER_BLOCK) for start, end in pairs), borders[-1:]])
