"""What a denoiser learns from: deep data, thinned anew in every epoch and at every depth.

A tile is a stretch of bins on one sequence. Each of its fragments is drawn with the probability of the tile's depth;
those that are drawn make the input, and all others, never the same, the truth. Both are coverage divided by what the
mean would be at their depth (`trackgen.signals.usual_depth` of all the deep data), so that both have the unit of
scale ``mean``, fold over the mean, and the height of a single fragment tells the net the depth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Genome, Interval
from trackgen.genome.fragments import Fragments, kept
from trackgen.learn.architectures.denoise import RESOLUTION
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import one_hot
from trackgen.signals import coverage_bins

__all__ = ["LEAST_FRAGMENTS", "DeepData", "DrawnTiles", "EveryTile", "Tile", "refuse_peakless", "refuse_thin"]

FIRST_SEED = 1_000_000
"""Thinning in training has seeds from here on; those below are left to whoever judges the model."""
LEAST_FRAGMENTS = 10_000
"""Fewer fragments in the training part are no deep data."""

Float32 = NDArray[np.float32]
Batch = tuple[tuple[Float32, ...], Float32]


@dataclass(frozen=True)
class Tile:
    """Bins [first, first + bins) of a sequence, whose fragments are drawn at `fraction` with `seed`.

    A tile may reach beyond its sequence; the bins there do not count.
    """

    name: str
    first: int
    fraction: float
    seed: int


@dataclass(frozen=True)
class DeepData:
    """Deep data, where its peaks are, and which bins count.

    Attributes:
        genome: of the sequences.
        fragments: of each sequence, starts ascending.
        depth: `usual_depth` of all of them, fragments over a base.
        peaks: of the deep data.
        split: sequences of each part.
        excluded: bins that touch these don't count, and read nothing.
        with_sequence: whether batches hold the DNA sequence, too.
    """

    genome: Genome
    fragments: Mapping[str, Fragments]
    depth: float
    peaks: Sequence[BedRow]
    split: Split
    excluded: Sequence[Interval] = ()
    with_sequence: bool = False

    def bins(self, name: str) -> int:
        """Bins of a sequence; the last one may reach beyond its end."""
        return -(-self.genome.lengths[name] // RESOLUTION)

    @cached_property
    def labels(self) -> dict[str, NDArray[np.bool_]]:
        """Sequence -> bool[bins]: at least half of the bin lies in a peak."""
        found = {name: np.zeros(self.bins(name), dtype=np.bool_) for name in self.genome.lengths}
        half = RESOLUTION // 2
        for peak in self.peaks:
            found[peak.name][(peak.start + half) // RESOLUTION : (peak.end + half) // RESOLUTION] = True
        return found

    @cached_property
    def counted(self) -> dict[str, NDArray[np.bool_]]:
        """Sequence -> bool[bins]: no base of the bin is excluded."""
        found = {name: np.ones(self.bins(name), dtype=np.bool_) for name in self.genome.lengths}
        for name, spans in spans_by_name(self.excluded, self.genome.lengths).items():
            for start, end in spans:
                found[name][start // RESOLUTION : -(-end // RESOLUTION)] = False
        return found

    @cached_property
    def longest(self) -> int:
        """Bases of the longest fragment."""
        return max((int((own.end - own.start).max()) for own in self.fragments.values() if len(own.start)), default=0)

    def number(self, part: str) -> int:
        """Fragments on the sequences of a part of the split that begin on bins that count."""
        total = 0
        for name in getattr(self.split, part):
            start = self.fragments[name].start
            total += int(self.counted[name][start // RESOLUTION].sum())
        return total

    def peak_bins(self, part: str) -> int:
        """Bins in peaks that count, in a part of the split."""
        return sum(int((self.labels[name] & self.counted[name]).sum()) for name in getattr(self.split, part))

    def coverage(self, tile: Tile, first: int, bins: int) -> tuple[Float32, Float32]:
        """Input and truth, fold over the mean, float32[bins] each, of bins from `first` on; 0 where there are none."""
        own, name = self.fragments[tile.name], tile.name
        start, end = first * RESOLUTION, (first + bins) * RESOLUTION
        low, high = np.searchsorted(own.start, (start - self.longest, end))
        drawn = kept(int(high - low), tile.fraction, tile.seed, name, int(low))
        begins, ends = (np.clip(side[low:high] - start, 0, end - start) for side in (own.start, own.end))
        found = [
            coverage_bins(begins[rows], ends[rows], end - start, RESOLUTION) / np.float32(self.depth * share)
            for rows, share in ((drawn, tile.fraction), (~drawn, 1 - tile.fraction))
        ]
        there = self._inside(self.counted[name], first, bins)
        return found[0] * there, found[1] * there

    def codes(self, name: str, first: int, bins: int) -> NDArray[np.uint8]:
        """uint8[10 * bins] codes of the bases of bins from `first` on; unknown beyond the ends."""
        return self.genome.fetch(name, first * RESOLUTION, (first + bins) * RESOLUTION)

    def targets(self, tile: Tile, truth: Float32, bins: int) -> Float32:
        """float32[3, bins]: the truth, 1 in peaks, 1 where a bin counts (see `DenoiseLoss`)."""
        label, counts = (
            self._inside(table[tile.name], tile.first, bins) for table in (self.labels, self.counted)
        )  # fmt: skip
        return np.stack([truth, label.astype(np.float32), counts.astype(np.float32)])

    @staticmethod
    def _inside(values: NDArray[np.bool_], first: int, bins: int) -> NDArray[np.bool_]:
        """bool[bins] of the bins from `first` on, False beyond the sequence."""
        found = np.zeros(bins, dtype=np.bool_)
        low, high = max(0, first), min(len(values), first + bins)
        if high > low:
            found[low - first : high - first] = values[low:high]
        return found

    def batch(self, tiles: Sequence[Tile], bins: int, flank: int, turned: Sequence[bool]) -> Batch:
        """Inputs, `flank` bins wider on either side, and targets of `tiles`; those that are `turned` read backwards.

        Returns:
            ((float32[n, 1, bins + 2 flank] signal[, float32[n, 4, 10 (bins + 2 flank)] sequence]),
            float32[n, 3, bins] targets).
        """
        signals, codes, targets = [], [], []
        for tile, turn in zip(tiles, turned, strict=True):
            step = -1 if turn else 1
            noisy, truth = self.coverage(tile, tile.first - flank, bins + 2 * flank)
            signals.append(noisy[None, ::step])
            targets.append(self.targets(tile, truth[flank : flank + bins], bins)[:, ::step])
            if self.with_sequence:
                own = self.codes(tile.name, tile.first - flank, bins + 2 * flank)
                # A, C, G, T are 0 to 3, so that 3 - code is the other strand's base; 4 is none
                codes.append(np.where(own[::-1] < 4, 3 - own[::-1], 4).astype(np.uint8) if turn else own)
        inputs = (np.stack(signals),) + ((one_hot(np.stack(codes)),) if self.with_sequence else ())
        return inputs, np.stack(targets)


@dataclass(frozen=True)
class DrawnTiles:
    """Batches of training tiles: each epoch moves their grid, draws their depths and thins the data anew.

    Attributes:
        data: of the tiles.
        flank: bins that the net takes off at either side.
        depths: smallest and largest fraction; a tile's is drawn between them, evenly on a logarithmic scale.
        most: tiles in an epoch, if there are so many.
        seed: of everything that is drawn.
        bins: of a tile.
        batch_size: tiles in a batch.
    """

    data: DeepData
    flank: int
    depths: tuple[float, float]
    most: int
    seed: int
    bins: int = 1024
    batch_size: int = 8

    def batches(self, epoch: int) -> Iterator[Batch]:
        random = np.random.default_rng([self.seed, epoch])
        places = self._places(random)
        low, high = (math.log(value) for value in self.depths)
        fractions = np.exp(random.uniform(low, high, len(places)))
        turned = random.random(len(places)) < 0.5
        # seeds of epochs never meet, whatever the seed of the run
        seed = FIRST_SEED * (self.seed + 1) + epoch
        tiles = [Tile(name, first, float(f), seed) for (name, first), f in zip(places, fractions, strict=True)]
        for start in range(0, len(tiles), self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield self.data.batch(tiles[rows], self.bins, self.flank, turned[rows].tolist())

    def _places(self, random: np.random.Generator) -> list[tuple[str, int]]:
        """Tiles, in any order, that hold a bin that counts."""
        found = []
        for name in self.data.split.train:
            counted = self.data.counted[name]
            for first in range(-int(random.integers(self.bins)), len(counted), self.bins):
                if counted[max(first, 0) : first + self.bins].any():
                    found.append((name, first))
        return [found[i] for i in random.permutation(len(found))[: self.most]]


@dataclass(frozen=True)
class EveryTile:
    """Batches of all tiles of some sequences, one after the other, the same in every epoch.

    Attributes:
        data: of the tiles.
        flank: bins that the net takes off at either side.
        names: the sequences.
        fractions: depth that every tile is seen at, one after the other.
        seed: of the thinning.
        most: tiles a depth; more are left out evenly. None for all.
        turned: all read backwards.
        bins, batch_size: as in `DrawnTiles`.
    """

    data: DeepData
    flank: int
    names: Sequence[str]
    fractions: Sequence[float]
    seed: int
    most: int | None = None
    turned: bool = False
    bins: int = 1024
    batch_size: int = 8

    @property
    def tiles(self) -> list[Tile]:
        """In the order of batches: by depth, sequence and place."""
        places = [
            (name, first) for name in self.names for first in range(0, self.data.bins(name), self.bins)
            if self.data.counted[name][first : first + self.bins].any()
        ]  # fmt: skip
        if self.most is not None and len(places) > self.most:
            places = [places[i * len(places) // self.most] for i in range(self.most)]
        return [Tile(name, first, fraction, self.seed) for fraction in self.fractions for name, first in places]

    def batches(self, epoch: int) -> Iterator[Batch]:
        tiles = self.tiles
        for start in range(0, len(tiles), self.batch_size):
            some = tiles[start : start + self.batch_size]
            yield self.data.batch(some, self.bins, self.flank, [self.turned] * len(some))


def refuse_thin(data: DeepData, part: str, least: int) -> None:
    """Refuse a part without data to learn from or to judge by.

    Raises:
        DataError: everything is excluded, or there are fewer than `least` fragments.
    """
    names = getattr(data.split, part)
    if not any(data.counted[name].any() for name in names):
        raise DataError(f"all of the {part} part is excluded", found=", ".join(names), remedy="exclude less")
    number = data.number(part)
    if number < least:
        raise DataError(
            f"there are too few fragments in the {part} part", found=f"{number:,} on {', '.join(names)}",
            wanted=f"at least {least:,}",
            remedy="take deeper data, exclude less, or choose other sequences for validation and test",
        )  # fmt: skip


def refuse_peakless(data: DeepData, part: str) -> None:
    """Refuse a part without peaks.

    Raises:
        DataError: so.
    """
    if not data.peak_bins(part):
        raise DataError(
            f"there is no peak in the {part} part", found=f"none on {', '.join(getattr(data.split, part))}",
            remedy="see that the peaks are those of the deep data, or choose other sequences",
        )  # fmt: skip
