"""Intervals by resampling blocks of the genome: neighbouring bins are no independent examples, blocks nearly are.

Each replicate draws as many blocks as there are, with replacement, and its figures are of the bins of those blocks. So
counts by score are kept for every block. They are exact where a track has at most `MOST_LEVELS` distinct scores, as a
rounded one has; beyond that neighbouring scores are told apart no longer, the fewest bits that suffice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.evaluate.curve import Areas, areas

__all__ = ["BlockCounts", "Interval95", "Intervals", "percentiles", "replicate_weights"]

MOST_LEVELS = 1 << 14
MOST_CELLS = 1 << 24
"""Blocks times distinct scores: many blocks hold fewer scores apart."""
REPLICATES_AT_ONCE = 16
PERCENTS = (2.5, 97.5)

Interval95 = tuple[float, float]
"""2.5 % and 97.5 % of the replicates."""


class Intervals(NamedTuple):
    """Intervals of the figures of a curve; `recalls` in the order of `trackgen.evaluate.curve.FALSE_SHARES`."""

    auroc: Interval95
    auprc: Interval95
    recalls: tuple[Interval95, ...]


class BlockCounts:
    """Bound and other bins by block and score.

    Args:
        most_levels: distinct scores held apart.
    """

    def __init__(self, most_levels: int = MOST_LEVELS) -> None:
        self._most = most_levels
        self._levels = np.zeros(0, np.uint32)
        self._blocks: dict[int, int] = {}
        self._counts = np.zeros((0, 2, 0), np.int32)
        self.shift = 0
        """Low bits of keys that are not told apart."""

    @property
    def number(self) -> int:
        """Blocks with a bin."""
        return len(self._blocks)

    def add(self, blocks: NDArray[np.int64], keys: NDArray[np.uint32], bound: NDArray[np.bool_]) -> None:
        """Count bins: the block of each, the key of its score (`trackgen.evaluate.tally.score_keys`), its label."""
        if not len(keys):
            return
        rows = np.array([self._blocks.setdefault(int(block), len(self._blocks)) for block in np.unique(blocks)])
        self._grow(rows=len(self._blocks), levels=self._levels)
        levels = np.union1d(self._levels, keys >> np.uint32(self.shift)).astype(np.uint32)
        while len(levels) > max(1, min(self._most, MOST_CELLS // len(self._blocks))):
            self._coarsen()
            levels = np.union1d(self._levels, keys >> np.uint32(self.shift)).astype(np.uint32)
        self._grow(rows=len(self._blocks), levels=levels)
        row = rows[np.unique(blocks, return_inverse=True)[1]]
        column = np.searchsorted(self._levels, keys >> np.uint32(self.shift))
        np.add.at(self._counts, (row, bound.astype(np.intp), column), 1)

    def _grow(self, rows: int, levels: NDArray[np.uint32]) -> None:
        """Make room for more blocks and scores; what is counted moves to its new column."""
        if rows == len(self._counts) and len(levels) == len(self._levels):
            return
        counts = np.zeros((rows, 2, len(levels)), np.int32)
        counts[: len(self._counts), :, np.searchsorted(levels, self._levels)] = self._counts
        self._counts, self._levels = counts, levels

    def _coarsen(self) -> None:
        """Put neighbouring scores together: one bit fewer is told apart."""
        self.shift += 1
        halved = self._levels >> np.uint32(1)
        if len(halved):
            starts = np.flatnonzero(np.concatenate([[True], halved[1:] != halved[:-1]]))
            self._counts = np.add.reduceat(self._counts, starts, axis=2)
            halved = halved[starts]
        self._levels = halved

    def intervals(self, replicates: int, seed: int) -> Intervals:
        """Percentiles of the figures of so many replicates; NaN where no replicate has both labels."""
        # From the highest score.
        others, bound = (self._counts[:, label, ::-1].astype(np.float64) for label in (0, 1))
        parts: list[Areas] = [
            areas(weights @ bound, weights @ others) for weights in replicate_weights(self.number, replicates, seed)
        ]
        return Intervals(
            percentiles([part.auroc for part in parts]),
            percentiles([part.auprc for part in parts]),
            tuple(percentiles([part.recalls[index] for part in parts]) for index in range(len(parts[0].recalls))),
        )


def replicate_weights(blocks: int, replicates: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each replicate draws each block, (at most `REPLICATES_AT_ONCE`, blocks) at a time."""
    random, chances = np.random.default_rng(seed), np.full(blocks, 1 / blocks)
    for first in range(0, replicates, REPLICATES_AT_ONCE):
        some = min(REPLICATES_AT_ONCE, replicates - first)
        yield random.multinomial(blocks, chances, some).astype(np.float64)


def percentiles(values: list[NDArray[np.float64]]) -> Interval95:
    """2.5 and 97.5 % of the figures of all replicates; NaN ones do not count, and without any both are NaN."""
    every = np.concatenate(values)
    every = every[~np.isnan(every)]
    if not len(every):
        return float("nan"), float("nan")
    low, high = np.percentile(every, PERCENTS)
    return float(low), float(high)
