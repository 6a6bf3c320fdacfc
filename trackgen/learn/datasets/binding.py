"""Examples of transcription-factor binding: bins of a genome, bound or not, as the ENCODE-DREAM challenge has them.

Bins of 200 bp start at every multiple of 50 bp, the grid of a scan. A peak narrower than `PEAK_WIDTH`, such as the
one-base midpoints of ChIP-exo, first becomes `PEAK_WIDTH` bases wide around its centre. A bin is **bound** where a
single strong peak covers half of it or more, **ambiguous** where peaks cover less of it than that or where a weak peak
covers any of it, else **unbound**. Ambiguous bins neither train nor count in any figure. With peaks of 200 bp a bin is
therefore bound where the peak's midpoint lies in it or just behind it, and ambiguous where the midpoint lies less than
100 bp outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import UNKNOWN, Genome, Interval
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import Sites, concatenate_sites

__all__ = [
    "AMBIGUOUS", "BIN", "BOUND", "PARTS", "PEAK_WIDTH", "STRIDE", "UNBOUND", "UNBOUND_PER_BOUND", "BindingData", "Peak",
    "label_bins", "widen",
]  # fmt: skip

BIN = 200
STRIDE = 50
TRAINING_STRIDE = 10
"""Bins to train on start at multiples of this, bp: a net sees each peak at five times as many places in its bin."""
PEAK_WIDTH = 200
UNBOUND, BOUND, AMBIGUOUS = 0, 1, -1
PARTS = ("train", "validation", "test")
UNBOUND_PER_BOUND = 5
"""Unbound bins drawn for each bound one in an epoch."""
_BASES_PER_FETCH = 1 << 20


class Peak(NamedTuple):
    """A stretch that a factor binds, 0-based half-open; not `strong` where that is uncertain."""

    start: int
    end: int
    strong: bool = True


def widen(start: int, end: int, width: int) -> tuple[int, int]:
    """The interval of `width` bp around the middle of [start, end); itself where it is as wide already."""
    if end - start >= width:
        return start, end
    first = (start + end) // 2 - width // 2
    return first, first + width


def label_bins(
    peaks: Sequence[Peak], length: int, *, peak_width: int = PEAK_WIDTH, stride: int = STRIDE
) -> NDArray[np.int8]:
    """Label of every bin of a sequence that lies on it as a whole; bin i is [s i, s i + 200) for a stride s.

    Args:
        peaks: in any order.
        length: of the sequence, bp.
        peak_width: narrower peaks are widened to this around their centre, bp.
        stride: s, bp.

    Returns:
        int8[(length - 200) // s + 1], or of no element: `BOUND`, `UNBOUND` or `AMBIGUOUS`.
    """
    number = max(0, (length - BIN) // stride + 1)
    # the largest overlap of a bin with a weak peak, and with a strong one, bp
    covered = np.zeros((2, number), dtype=np.int64)
    for peak in peaks:
        start, end = widen(peak.start, peak.end, peak_width)
        bins = np.arange(*_bins_over(start, end, number, stride))
        overlap = np.minimum(bins * stride + BIN, end) - np.maximum(bins * stride, start)
        covered[int(peak.strong), bins] = np.maximum(covered[int(peak.strong), bins], overlap)
    labels = np.full(number, UNBOUND, dtype=np.int8)
    labels[covered.any(axis=0)] = AMBIGUOUS
    labels[2 * covered[1] >= BIN] = BOUND
    return labels


def _bins_over(start: int, end: int, number: int, stride: int) -> tuple[int, int]:
    """Numbers [first, last) of the bins, of `number`, that share a base with [start, end)."""
    first = max(0, (start - BIN) // stride + 1)
    return first, max(first, min(number, (end - 1) // stride + 1))


class BindingData:
    """The labelled bins of one genome, split by chromosome; one byte a bin is held.

    Args:
        genome: where bases come from.
        peaks: of the factor, by sequence; sequences without any may be missing.
        split: chromosomes of each part.
        excluded: bins that overlap these are not used.
        peak_width: see `label_bins`.
    """

    def __init__(
        self,
        genome: Genome,
        peaks: Mapping[str, Sequence[Peak]],
        split: Split,
        *,
        excluded: Sequence[Interval] = (),
        peak_width: int = PEAK_WIDTH,
    ) -> None:
        self.genome = genome
        self.split = split
        self.peaks = peaks
        gaps = spans_by_name(excluded, genome.lengths)
        self._labels: dict[str, NDArray[np.int8]] = {}
        self._stride: dict[str, int] = {}
        for part in PARTS:
            stride = TRAINING_STRIDE if part == "train" else STRIDE
            for name in getattr(split, part):
                labels = label_bins(peaks.get(name, ()), genome.lengths[name], peak_width=peak_width, stride=stride)
                labels[_unusable(genome, name, gaps[name], len(labels), stride)] = AMBIGUOUS
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
        """Number of bound, unbound and ambiguous (or unusable) bins of a part."""
        every = np.concatenate([self._labels[name] for name in getattr(self.split, part)])
        named = {"bound": BOUND, "unbound": UNBOUND, "ambiguous": AMBIGUOUS}
        return {name: int((every == label).sum()) for name, label in named.items()}


def _unusable(genome: Genome, name: str, gaps: NDArray[np.int64], number: int, stride: int) -> NDArray[np.bool_]:
    """Mask of the bins that overlap a gap or hold an unknown base."""
    bad = np.zeros(number, dtype=np.bool_)
    for start, end in gaps:
        bad[slice(*_bins_over(int(start), int(end), number, stride))] = True
    for first in range(0, genome.lengths[name], _BASES_PER_FETCH):
        codes = genome.fetch(name, first, min(first + _BASES_PER_FETCH, genome.lengths[name]))
        unknown = np.flatnonzero(codes == UNKNOWN) + first
        # base p lies in bin p // stride and in those before it that start less than 200 bases before p
        for back in range(-(-BIN // stride)):
            bins = unknown // stride - back
            inside = (bins >= 0) & (bins < number) & (unknown - bins * stride < BIN)
            bad[bins[inside]] = True
    return bad
