"""Batches of regions, mixed over the genome and over cell types, read as they are needed.

The thesis of ten Dijke (2017) needed 128 GB to hold the whole genome with its signals, since it drew every batch from
anywhere. Here the order of an epoch is a permutation that is computed, not held; windows of a group of batches are read
together, in genome order, and go back to their batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Genome
from trackgen.genome.bins import BIN
from trackgen.learn.datasets.dream import DreamCell
from trackgen.learn.datasets.permutation import permuted
from trackgen.learn.datasets.tracks import BATCHES_PER_GROUP, Track
from trackgen.learn.datasets.windows import Sites, concatenate_sites, one_hot, read_windows

__all__ = ["RegionBatches"]

Batch = tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]
_STRAND = 3
"""Of the numbers that draw strands."""


@dataclass(frozen=True)
class RegionBatches:
    """Every region of every cell type once an epoch, in random order: ((float32[n, 4, L][, signal]), float32[n, 1]).

    Attributes:
        genome: where bases come from.
        cells: with their regions.
        window: L, bases around the bin.
        batch_size: regions in a batch.
        seed: of the order and of the strands; None for genome order and the plus strand, as for figures.
        tracks: the signal of each cell, by its name; without, batches are of sequence alone.
        limit: batches of an epoch, or None for all regions; epochs then go on where the one before ended.
    """

    genome: Genome
    cells: Sequence[DreamCell]
    window: int = 1000
    batch_size: int = 256
    seed: int | None = 0
    tracks: Mapping[str, Track] = field(default_factory=dict)
    limit: int | None = None

    def __len__(self) -> int:
        return sum(len(cell) for cell in self.cells)

    def batches(self, epoch: int) -> Iterator[Batch]:
        number, whole = len(self), self.batch_size * BATCHES_PER_GROUP
        first, last = 0, number
        if self.limit is not None:
            first = epoch * self.limit * self.batch_size
            last = first + self.limit * self.batch_size
        for start in range(first, last, whole):
            inputs, labels = self._read(np.arange(start, min(start + whole, last)), epoch)
            for row in range(0, len(labels), self.batch_size):
                rows = slice(row, row + self.batch_size)
                yield tuple(values[rows] for values in inputs), labels[rows]

    def _read(self, turns: NDArray[np.int64], epoch: int) -> Batch:
        """The regions whose turn it is: turn t is that of place t modulo their number in one pass of all."""
        regions, passes = turns % len(self), turns // len(self) if self.limit is not None else turns * 0 + epoch
        if self.seed is not None:
            for one in np.unique(passes):
                here = passes == one
                regions[here] = permuted(regions[here], len(self), (self.seed, int(one)))
        sites, labels, cell = self._sites(regions, passes)
        codes = read_windows(self.genome, sites, self.window, BIN)
        inputs = [one_hot(codes)]
        if self.tracks:
            signal = np.empty((len(sites), 1, self.window), dtype=np.float32)
            for index, entry in enumerate(self.cells):
                rows = np.flatnonzero(cell == index)
                signal[rows, 0] = self.tracks[entry.cell].windows(sites.take(rows), self.window, BIN)
            inputs.append(signal)
        return tuple(inputs), labels[:, None].astype(np.float32)

    def _sites(
        self, regions: NDArray[np.int64], passes: NDArray[np.int64]
    ) -> tuple[Sites, NDArray[np.int8], NDArray[np.int64]]:
        """Bins of regions with a strand each, their labels, and the index of their cell."""
        ends = np.cumsum([len(cell) for cell in self.cells])
        cell = np.searchsorted(ends, regions, side="right")
        order = np.argsort(cell, kind="stable")
        found = [
            entry.sites(regions[cell == index] - (ends[index] - len(entry)))
            for index, entry in enumerate(self.cells)
        ]  # fmt: skip
        back = np.argsort(order, kind="stable")
        sites = concatenate_sites([own for own, _ in found]).take(back)
        labels = np.concatenate([own for _, own in found])[back]
        if self.seed is not None:
            drawn = permuted(regions, len(self), (self.seed, int(passes[0]), _STRAND))
            sites = Sites(sites.names, sites.chromosome, sites.position, drawn % 2 == 1)
        return sites, labels, cell
