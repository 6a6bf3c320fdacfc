"""The bins of ENCODE-DREAM for several cell types, and the regions of them that ten Dijke 2017 trained on.

Bins of 200 bp start at every multiple of 50 bp and are labelled by the challenge's rule: bound (C) where a conservative
peak covers 100 bp or more, ambiguous (A) where conservative or relaxed peaks cover any other part of it, else unbound
(U). As in the thesis, A may count as U. Of each cell type, regions are the bins that overlap the peaks of its signal
(DNase, ATAC), and a number of others. All that is held is where labels and regions begin and end: memory grows with the
number of peaks, not with that of bins or regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Genome, Interval
from trackgen.genome.bins import AMBIGUOUS, BIN, BOUND, STRIDE, UNBOUND, Peak, label_bins, unusable_bins
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.datasets.permutation import permuted
from trackgen.learn.datasets.windows import Sites

__all__ = ["OTHERS", "Ambiguous", "CellPeaks", "DreamCell", "dream_labels"]

Ambiguous = Literal["unbound", "left out"]
"""What becomes of the bins labelled A."""
OTHERS = 100_000
"""Bins of a cell type that do not overlap its signal's peaks, of the thesis."""
_OTHERS_SEED = 7


@dataclass(frozen=True)
class CellPeaks:
    """What is known of a factor in one cell type.

    Attributes:
        cell: its name.
        conservative, relaxed: peaks of the factor.
        accessible: peaks of the cell's signal; bins that overlap them are all used. Without a signal: the factor's
            own peaks.
    """

    cell: str
    conservative: Sequence[BedRow]
    relaxed: Sequence[BedRow]
    accessible: Sequence[BedRow | Interval]


def dream_labels(peaks: CellPeaks, name: str, length: int, ambiguous: Ambiguous) -> NDArray[np.int8]:
    """Label of every bin of the sequence `name` of `length` bp: int8[(length - 200) // 50 + 1].

    With ambiguous ``unbound`` those labelled A are `UNBOUND`, else `AMBIGUOUS`.
    """
    found = [Peak(row.start, row.end, True) for row in peaks.conservative if row.name == name]
    found += [Peak(row.start, row.end, False) for row in peaks.relaxed if row.name == name]
    labels = label_bins(found, length, peak_width=1)
    if ambiguous == "unbound":
        labels[labels == AMBIGUOUS] = UNBOUND
    return labels


class _Stretches:
    """Numbers in sorted disjoint stretches int64[m, 2], and the i-th of them."""

    def __init__(self, spans: NDArray[np.int64]) -> None:
        self._starts = spans[:, 0]
        self._ends = np.cumsum(spans[:, 1] - spans[:, 0])
        self._before = self._ends - (spans[:, 1] - spans[:, 0])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        stretch = np.searchsorted(self._ends, index, side="right")
        return np.asarray(self._starts[stretch] + index - self._before[stretch])


class DreamCell:
    """The regions of one cell type on some sequences of a genome, numbered from 0.

    Args:
        genome: where bases come from.
        names: the sequences.
        peaks: of the cell type.
        others: regions drawn from the bins that do not overlap accessible peaks; fewer where there are not so many.
        ambiguous: see `dream_labels`; those left out are no regions.
        excluded: bins that overlap these are no regions, as bins with unknown bases are not.
        seed: of the others, which are the same every epoch.

    Attributes:
        cell: name of the cell type.
        others: how many were drawn.

    Raises:
        DataError: no region is bound, or none is unbound.
    """

    def __init__(
        self, genome: Genome, names: Sequence[str], peaks: CellPeaks, *, others: int = OTHERS,
        ambiguous: Ambiguous = "unbound", excluded: Sequence[Interval] = (), seed: int = 1,
    ) -> None:  # fmt: skip
        self.cell = peaks.cell
        self._names = genome.names
        self._seed = (seed, _OTHERS_SEED)
        gaps = spans_by_name(excluded, genome.lengths)
        self._chromosome = np.array([genome.names.index(name) for name in names], dtype=np.int32)
        numbers = [max(0, (genome.lengths[name] - BIN) // STRIDE + 1) for name in names]
        self._first = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)
        runs: dict[str, list[NDArray[np.int64]]] = {"bound": [], "accessible": [], "others": []}
        for name, first in zip(names, self._first, strict=False):
            for kind, mask in _masks(genome, name, peaks, gaps[name], ambiguous).items():
                runs[kind].append(_spans(mask) + first)
        self._bound, accessible, rest = (np.concatenate(spans) for spans in runs.values())
        self._accessible, self._rest = _Stretches(accessible), _Stretches(rest)
        self.others = min(others, len(self._rest))
        self._require_classes(accessible)

    def _require_classes(self, accessible: NDArray[np.int64]) -> None:
        """Bound bins are few, and those among the others are a matter of luck: they are counted where they are sure."""
        sure = _overlap(self._bound, accessible)
        if not sure or sure == len(self):
            raise DataError(
                f"no region is {'unbound' if sure else 'bound'}", path=self.cell, found=f"{len(self):,} regions",
                remedy="give other peaks of the factor or of the signal, or other sequences",
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._accessible) + self.others

    def sites(self, index: NDArray[np.int64]) -> tuple[Sites, NDArray[np.int8]]:
        """First bases of the bins of some regions, on the plus strand, and their labels, int8[n]."""
        inside = index < len(self._accessible)
        bins = np.empty(len(index), dtype=np.int64)
        bins[inside] = self._accessible[index[inside]]
        other = permuted(index[~inside] - len(self._accessible), max(len(self._rest), 1), self._seed)
        bins[~inside] = self._rest[other]
        which = np.searchsorted(self._first, bins, side="right") - 1
        position = (bins - self._first[which]) * STRIDE
        sites = Sites(self._names, self._chromosome[which], position, np.zeros(len(bins), dtype=np.bool_))
        return sites, self._labels(bins)

    def _labels(self, bins: NDArray[np.int64]) -> NDArray[np.int8]:
        run = np.searchsorted(self._bound[:, 0], bins, side="right") - 1
        if not len(self._bound):
            return np.full(len(bins), UNBOUND, dtype=np.int8)
        bound = (run >= 0) & (bins < self._bound[np.maximum(run, 0), 1])
        return np.where(bound, BOUND, UNBOUND).astype(np.int8)


def _masks(
    genome: Genome, name: str, peaks: CellPeaks, gaps: NDArray[np.int64], ambiguous: Ambiguous
) -> Mapping[str, NDArray[np.bool_]]:
    """Of the bins of one sequence: those that are bound, the usable ones that are accessible, the other usable ones."""
    length = genome.lengths[name]
    labels = dream_labels(peaks, name, length, ambiguous)
    usable = (labels != AMBIGUOUS) & ~unusable_bins(genome, name, gaps, len(labels))
    here = [Peak(row.start, row.end) for row in peaks.accessible if row.name == name]
    accessible = label_bins(here, length, peak_width=1) != UNBOUND
    return {"bound": labels == BOUND, "accessible": usable & accessible, "others": usable & ~accessible}


def _spans(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Sorted disjoint int64[m, 2] of the stretches that are true."""
    borders = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(borders == 1), np.flatnonzero(borders == -1)], axis=1)


def _overlap(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """How many numbers lie in stretches of both."""
    if not len(first) or not len(second):
        return 0
    starts, lengths = second[:, 0], second[:, 1] - second[:, 0]
    before = np.concatenate([[0], np.cumsum(lengths)])

    def below(value: NDArray[np.int64]) -> NDArray[np.int64]:
        """Numbers of `second` that are smaller."""
        run = np.searchsorted(starts, value, side="right") - 1
        partial = np.minimum(value - starts[np.maximum(run, 0)], lengths[np.maximum(run, 0)])
        return np.where(run < 0, 0, before[np.maximum(run, 0)] + partial)

    return int((below(first[:, 1]) - below(first[:, 0])).sum())
