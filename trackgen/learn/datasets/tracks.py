"""Windows of sequence together with windows of a signal track, read batch by batch, never a whole genome at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.card import InputSpec
from trackgen.genome import Genome, SignalReader, reconcile
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows, window_flanks
from trackgen.scan.inputs import Source, signal_points

__all__ = ["SignalBatches", "Track"]

LARGEST_GAP = 2048
"""Windows no farther apart than this are read in one go, bp: a BigWig section holds 8192 values or fewer."""
BATCHES_PER_GROUP = 32
"""Batches whose windows are read together, in genome order."""

Draw = Callable[[int], tuple[Sites, NDArray[np.float32]]]
Batch = tuple[tuple[NDArray[np.float32], ...], NDArray[np.float32]]


class Track:
    """A signal along a genome, as a net sees it, the very numbers that a scan gives it.

    Args:
        spec: missing values and transform; its resolution is 1, without channels.
        reader: an open BigWig.
        lengths: sequences of the genome; those that the track lacks have no values.
    """

    def __init__(self, spec: InputSpec, reader: SignalReader, lengths: Mapping[str, int]) -> None:
        self.spec = spec
        self._reader = reader
        found = reconcile(reader.lengths, lengths, path=Path(reader.path), what="signal", allow_unknown=True)
        self._own = {genome: own for own, genome in found.items()}

    def windows(self, sites: Sites, window: int, bin_: int) -> NDArray[np.float32]:
        """float32[n, L]: the window around each bin, in the reading direction of its strand."""
        pad, tail = window_flanks(window, bin_)
        starts = sites.position - np.where(sites.minus, tail, pad)
        values = np.empty((len(sites), window), dtype=np.float32)
        for chromosome, rows in _runs(sites.chromosome, starts, window):
            first, last = int(starts[rows[0]]), int(starts[rows[-1]]) + window
            stretch = self._stretch(sites.names[chromosome], first, last)
            values[rows] = np.lib.stride_tricks.sliding_window_view(stretch, window)[starts[rows] - first]
        values[sites.minus] = values[sites.minus, ::-1]
        return values

    def _stretch(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        own = self._own.get(name)
        missing = own is None
        raw = np.full(last - first, np.nan, np.float32) if missing else self._reader.values(str(own), first, last)
        source = Source(Path(self._reader.path), own or name, first)
        points: NDArray[np.float32] = signal_points(self.spec, [raw], 0, 1, last - first, [source])[0]
        return points


def _runs(
    chromosome: NDArray[np.int32], starts: NDArray[np.int64], window: int
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Rows, sorted by start, of windows on one chromosome with small gaps between them."""
    order = np.lexsort((starts, chromosome))
    far = np.diff(starts[order]) > window + LARGEST_GAP
    breaks = np.flatnonzero(far | (np.diff(chromosome[order]) != 0)) + 1
    for rows in np.split(order, breaks):
        if len(rows):
            yield int(chromosome[rows[0]]), rows


@dataclass(frozen=True)
class SignalBatches:
    """Batches ((float32[n, 4, L] one-hot, float32[n, 1, L] signal), float32[n, 1] labels).

    Attributes:
        genome: of the bases.
        track: of the signal; None for batches of the sequence alone.
        draw: bins and labels of an epoch, in the order they come.
        window, bin_: L and b, bp.
        batch_size: windows in a batch.
    """

    genome: Genome
    track: Track | None
    draw: Draw
    window: int
    bin_: int
    batch_size: int = 256

    def batches(self, epoch: int) -> Iterator[Batch]:
        sites, labels = self.draw(epoch)
        group = self.batch_size * BATCHES_PER_GROUP
        for start in range(0, len(sites), group):
            part = sites.take(np.arange(start, min(start + group, len(sites))))
            codes = read_windows(self.genome, part, self.window, self.bin_)
            signal = None if self.track is None else self.track.windows(part, self.window, self.bin_)
            for first in range(0, len(part), self.batch_size):
                rows = slice(first, first + self.batch_size)
                targets = labels[start:][rows, None]
                inputs: tuple[NDArray[np.float32], ...] = (one_hot(codes[rows]),)
                yield inputs if signal is None else (*inputs, signal[rows, None, :]), targets
