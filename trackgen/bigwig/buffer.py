"""Gathering items until sections are full, so that sections do not depend on how items were handed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.grid import ITEMS_PER_SECTION, Grid
from trackgen.bigwig.pieces import NO_PIECES, CutItems

__all__ = ["ITEMS_AT_ONCE", "ItemBuffer"]

# Sections encoded in one go: enough that work on arrays outweighs the calls, few enough that many tracks fit in memory
# (256 KB of values each).
ITEMS_AT_ONCE = 8 * ITEMS_PER_SECTION


class ItemBuffer:
    """Items of one chromosome that wait for the rest of their section.

    Whatever leaves the buffer starts on a section border, and every section leaves it exactly once.
    """

    def __init__(self, grid: Grid, wait_for: int = ITEMS_AT_ONCE) -> None:
        """``wait_for``: items from which full sections leave; fewer take less memory, more are faster to encode."""
        self._grid = grid
        self._wait_for = max(wait_for, ITEMS_PER_SECTION)
        self._first = 0
        self._count = 0
        self._chunks: list[NDArray[np.float32]] = []
        self._pieces: list[NDArray[Any]] = []

    def add(self, first: int, items: CutItems) -> Iterator[tuple[int, CutItems]]:
        """Take in items ``first``.., which stand behind those it has; yield (first item, items) of full sections.

        The buffer keeps the arrays. What is yielded must be used before the next call.
        """
        end = self._first + self._count
        if first > end and first >= end + -end % ITEMS_PER_SECTION:
            yield from self.flush()
        if not self._count:
            end = self._first = first - first % ITEMS_PER_SECTION
        if first > end:
            self._append(np.full(first - end, np.nan, np.float32))
        self._append(items.values)
        if len(items.pieces):
            self._pieces.append(items.pieces)
        if self._count >= self._wait_for:
            yield from self._take(self._count - self._count % ITEMS_PER_SECTION)

    def flush(self) -> Iterator[tuple[int, CutItems]]:
        """Yield what is left, also the last, unfinished section."""
        yield from self._take(self._count)

    def _append(self, values: NDArray[np.float32]) -> None:
        self._chunks.append(values)
        self._count += len(values)

    def _take(self, count: int) -> Iterator[tuple[int, CutItems]]:
        if not count:
            return
        values = self._chunks[0] if len(self._chunks) == 1 else np.concatenate(self._chunks)
        pieces = np.concatenate(self._pieces) if self._pieces else NO_PIECES
        first = self._first
        border = np.searchsorted(pieces["start"], self._grid.start(first + count))
        taken, left = pieces[:border], pieces[border:]
        # A copy, so that the few items left do not keep a large array alive.
        self._chunks = [values[count:].copy()] if self._count > count else []
        self._pieces = [left] if len(left) else []
        self._first, self._count = first + count, self._count - count
        for begin in range(0, count, ITEMS_AT_ONCE):
            end = min(begin + ITEMS_AT_ONCE, count)
            borders = [self._grid.start(first + begin), self._grid.start(first + end)]
            low, high = np.searchsorted(taken["start"], borders)
            yield first + begin, CutItems(values[begin:end], taken[low:high])
