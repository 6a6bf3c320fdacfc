"""Sections that a border between shards cuts: their items wait as they are until both sides are there.

::

    sections      |--------|--------|--------|--------|
    shard 1       ==============
    shard 2                     =======================
    encoded by    |---1----|        |---2----|---2----|
    loose                  |-1--|-2-|
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from trackgen.bigwig.grid import ITEMS_PER_SECTION, Grid
from trackgen.bigwig.pieces import NO_PIECES, CutItems

__all__ = ["EVERYTHING", "LooseItems", "Owned", "join_loose", "split_at_seams"]


class Owned(NamedTuple):
    """The items of a chromosome that one shard computes; sections wholly inside are its own to encode.

    Attributes:
        low, high: item numbers, half-open.
    """

    low: float
    high: float

    def holds_section(self, first: int) -> bool:
        """Whether all items of the section that begins at item ``first`` are owned."""
        return self.low <= first and first + ITEMS_PER_SECTION <= self.high


EVERYTHING = Owned(float("-inf"), float("inf"))


class LooseItems(NamedTuple):
    """Items of one section, of which another shard may hold more.

    Attributes:
        first: number of the first item, a multiple of 8192.
        items: the items, NaN where there is none.
    """

    first: int
    items: CutItems


def split_at_seams(grid: Grid, first: int, items: CutItems, owned: Owned) -> Iterator[tuple[int, CutItems, bool]]:
    """Part items into runs of sections that are owned, and single sections that are not.

    Args:
        grid: where items stand.
        first: number of the first item, a multiple of 8192.
        items: whole items and pieces, ascending.
        owned: the items that the shard computes.

    Yields:
        (first item, items, whether they are loose), ascending.
    """
    count = len(items.values)
    places = range(0, count, ITEMS_PER_SECTION)
    loose = [not owned.holds_section(first + place) for place in places]
    if not any(loose):
        yield first, items, False
        return
    begin = 0
    for section, place in enumerate(places):
        last = section + 1 == len(loose)
        if last or loose[section] or loose[section + 1]:
            end = min(place + ITEMS_PER_SECTION, count)
            yield first + begin, _cut(grid, first, items, begin, end), loose[section]
            begin = end


def _cut(grid: Grid, first: int, items: CutItems, begin: int, end: int) -> CutItems:
    low, high = np.searchsorted(items.pieces["start"], [grid.start(first + begin), grid.start(first + end)])
    return CutItems(items.values[begin:end], items.pieces[low:high])


def join_loose(parts: Sequence[LooseItems]) -> LooseItems:
    """The items of one section from all shards that hold some of it, in order; no item is in two of them."""
    if len(parts) == 1:
        return parts[0]
    values = np.full(max(len(part.items.values) for part in parts), np.nan, np.float32)
    for part in parts:
        present = ~np.isnan(part.items.values)
        values[: len(present)][present] = part.items.values[present]
    pieces = [part.items.pieces for part in parts if len(part.items.pieces)]
    return LooseItems(parts[0].first, CutItems(values, np.concatenate(pieces) if pieces else NO_PIECES))
