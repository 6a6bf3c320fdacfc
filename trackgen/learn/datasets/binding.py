"""Examples of transcription-factor binding: bins of a genome, bound or not, as the ENCODE-DREAM challenge has them.

Bins of 200 bp start at every multiple of 50 bp, the grid of a scan. A peak narrower than `PEAK_WIDTH`, such as the
one-base midpoints of ChIP-exo, first becomes `PEAK_WIDTH` bases wide around its centre. A bin is **bound** where a
single strong peak covers half of it or more, **ambiguous** where peaks cover less of it than that or where a weak peak
covers any of it, else **unbound**. Ambiguous bins neither train nor count in any figure, unless they are asked to count
as unbound, as in ten Dijke 2017. With peaks of 200 bp a bin is
therefore bound where the peak's midpoint lies in it or just behind it, and ambiguous where the midpoint lies less than
100 bp outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Genome, Interval
from trackgen.genome.bins import (
    AMBIGUOUS,
    BIN,
    BOUND,
    PEAK_WIDTH,
    STRIDE,
    UNBOUND,
    Peak,
    label_bins,
    unusable_bins,
    widen,
)
from trackgen.learn.datasets.dream import Ambiguous
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import Sites, concatenate_sites

__all__ = [
    "AMBIGUOUS", "BIN", "BOUND", "PARTS", "PEAK_WIDTH", "STRIDE", "UNBOUND", "UNBOUND_PER_BOUND", "BindingData", "Peak",
    "label_bins", "widen",
]  # fmt: skip

TRAINING_STRIDE = 10
"""Bins to train on start at multiples of this, bp: a net sees each peak at five times as many places in its bin."""
PARTS = ("train", "validation", "test")
UNBOUND_PER_BOUND = 5
"""Unbound bins drawn for each bound one in an epoch."""


class BindingData:
    """The labelled bins of one genome, split by chromosome; one byte a bin is held.

    Args:
        genome: where bases come from.
        peaks: of the factor, by sequence; sequences without any may be missing.
        split: chromosomes of each part.
        excluded: bins that overlap these are not used.
        peak_width: see `label_bins`.
        ambiguous: what becomes of bins that are neither bound nor unbound.
    """

    def __init__(
        self,
        genome: Genome,
        peaks: Mapping[str, Sequence[Peak]],
        split: Split,
        *,
        excluded: Sequence[Interval] = (),
        peak_width: int = PEAK_WIDTH,
        ambiguous: Ambiguous = "left out",
    ) -> None:
        self.genome = genome
        self.split = split
        self.peaks = peaks
        self.excluded = excluded
        gaps = spans_by_name(excluded, genome.lengths)
        self._labels: dict[str, NDArray[np.int8]] = {}
        self._stride: dict[str, int] = {}
        for part in PARTS:
            stride = TRAINING_STRIDE if part == "train" else STRIDE
            for name in getattr(split, part):
                labels = label_bins(peaks.get(name, ()), genome.lengths[name], peak_width=peak_width, stride=stride)
                if ambiguous == "unbound":
                    labels[labels == AMBIGUOUS] = UNBOUND
                labels[unusable_bins(genome, name, gaps[name], len(labels), stride=stride)] = AMBIGUOUS
                self._labels[name], self._stride[name] = labels, stride

    def all_bins(self, part: str) -> tuple[Sites, NDArray[np.float32]]:
        """Every bin of a part but the ambiguous ones, in genome order, on the plus strand, and float32[n] labels."""
        sites, labels = [], []
        for name in getattr(self.split, part):
            own = self._labels[name]
            bins = np.flatnonzero(own != AMBIGUOUS)
            chromosome = np.full(len(bins), self.split.names.index(name), dtype=np.int32)
            sites.append(
                Sites(self.split.names, chromosome, bins * self._stride[name], np.zeros(len(bins), dtype=np.bool_))
            )
            labels.append(own[bins].astype(np.float32))
        return concatenate_sites(sites), np.concatenate(labels)

    def draw(self, part: str, seed: Sequence[int]) -> tuple[Sites, NDArray[np.float32]]:
        """Bound and unbound bins of a part, one to five, shuffled, each on a strand drawn for it.

        For validation and test these are all bound bins; of the finer grid of training, one in five is drawn.

        Args:
            part: ``train``, ``validation`` or ``test``.
            seed: the same gives the same.

        Returns:
            The bins and float32[n] labels.

        Raises:
            DataError: the part has no bound or no unbound bin.
        """
        random = np.random.default_rng(list(seed))
        sites, labels = self.all_bins(part)
        bound, unbound = np.flatnonzero(labels == BOUND), np.flatnonzero(labels == UNBOUND)
        for name, rows in (("bound", bound), ("unbound", unbound)):
            if not len(rows):
                raise DataError(
                    f"there is no {name} bin in the {part} part", found=f"{len(labels):,} bins",
                    remedy="choose other chromosomes, or check the peaks",
                )  # fmt: skip
        if part == "train":
            bound = random.choice(bound, -(-len(bound) * TRAINING_STRIDE // STRIDE), replace=False)
        drawn = random.choice(unbound, min(len(unbound), UNBOUND_PER_BOUND * len(bound)), replace=False)
        rows = random.permutation(np.concatenate([bound, drawn]))
        minus = random.integers(0, 2, len(rows)).astype(np.bool_)
        return Sites(sites.names, sites.chromosome[rows], sites.position[rows], minus), labels[rows]

    def centres(self, part: str) -> Sites:
        """The middle base of every strong peak of a part, on the plus strand."""
        chromosome, position = [], []
        for name in getattr(self.split, part):
            for peak in self.peaks.get(name, ()):
                if peak.strong:
                    chromosome.append(self.split.names.index(name))
                    position.append((peak.start + peak.end) // 2)
        return Sites(
            self.split.names, np.array(chromosome, dtype=np.int32), np.array(position, dtype=np.int64),
            np.zeros(len(position), dtype=np.bool_),
        )  # fmt: skip

    def counts(self, part: str) -> Mapping[str, int]:
        """Number of bound, unbound and ambiguous (or unusable) bins of a part; with A as U the last are unusable."""
        every = np.concatenate([self._labels[name] for name in getattr(self.split, part)])
        named = {"bound": BOUND, "unbound": UNBOUND, "ambiguous": AMBIGUOUS}
        return {name: int((every == label).sum()) for name, label in named.items()}
