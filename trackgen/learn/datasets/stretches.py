"""Examples of the network of Fishman and Gurev: stretches of 4,096 bins of 25 bp, of which the centre 1,024 are told.

Input and target are values of the same bins at two depths: coverage by fragments as fold over its mean, or the signal
of peaks (`trackgen.learn.datasets.peak_calling`). Stretches are drawn uniformly from where they may lie: the bins that
are told lie within their sequence, no bin of a stretch is masked, and a part of the genome is whole sequences, so that
a stretch of one part never holds a bin of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Interval, merge, subtract
from trackgen.learn.datasets.intervals import spans_by_name

__all__ = ["BINS", "CENTRE", "FLANK", "RESOLUTION", "Pair", "Places", "StretchBatches", "binned"]

RESOLUTION = 25
"""Bases in a bin. This and the next two are the paper's."""
BINS = 4096
"""Bins that a net reads."""
CENTRE = 1024
"""Bins in the middle of them that it tells."""
FLANK = (BINS - CENTRE) // 2

Float32 = NDArray[np.float32]
Batch = tuple[tuple[Float32], Float32]


@dataclass(frozen=True)
class Pair:
    """Values of the bins of some sequences at two depths.

    Attributes:
        noisy: sequence -> float32[n], what a net reads.
        deep: sequence -> float32[n], what it is to tell; the same sequences and lengths.
    """

    noisy: Mapping[str, Float32]
    deep: Mapping[str, Float32]


def binned(values: Float32, length: int) -> Float32:
    """Means over bins as a scan reads them from a track: bases past the end of the sequence count as 0.

    Args:
        values: float32[ceil(length / 25)], the mean over the bases that each bin has.
        length: of the sequence, bp.
    """
    rest = length % RESOLUTION
    if not rest:
        return values
    result = values.copy()
    result[-1] *= np.float32(rest / RESOLUTION)
    return result


@dataclass(frozen=True)
class Places:
    """Where stretches may lie.

    Attributes:
        names: sequences.
        runs: int64[n, 3]: index of a sequence, and its first bins [from, to) of stretches that may lie there. A first
            bin may be negative, and a last one beyond the sequence: what is not there reads 0, as in a scan.
    """

    names: tuple[str, ...]
    runs: NDArray[np.int64]

    @classmethod
    def of(cls, lengths: Mapping[str, int], names: Sequence[str], excluded: Sequence[Interval] = ()) -> Places:
        """All places on the sequences `names`.

        Args:
            lengths: of the sequences of the genome, bp.
            names: sequences of a part.
            excluded: bins that touch these are masked.

        Raises:
            DataError: there is no place on any of them.
        """
        masks = spans_by_name(excluded, lengths)
        rows = []
        for index, name in enumerate(names):
            # the bins that are told are whole ones of the sequence
            first, last = -FLANK, lengths[name] // RESOLUTION - FLANK - CENTRE
            mask = masks[name]
            around = np.stack([mask[:, 0] // RESOLUTION - BINS + 1, -(-mask[:, 1] // RESOLUTION)], axis=1)
            free = subtract(np.array([[first, max(first, last + 1)]]), merge(around))
            rows += [(index, int(start), int(end)) for start, end in free if end > start]
        if not rows:
            raise DataError(
                "no stretch fits on the sequences",
                found=", ".join(f"{name} of {lengths[name]:,} bp" for name in names),
                wanted=f"{CENTRE * RESOLUTION:,} bp of one, no masked bases within {FLANK * RESOLUTION:,} bp of them",
            )  # fmt: skip
        return cls(tuple(names), np.array(rows, dtype=np.int64))

    def draw(self, number: int, seed: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(indices of sequences, first bins) of `number` stretches; every place is as probable as any other."""
        sizes: NDArray[np.int64] = np.cumsum(self.runs[:, 2] - self.runs[:, 1])
        picked = np.random.default_rng(list(seed)).integers(0, sizes[-1], number)
        run = np.searchsorted(sizes, picked, side="right")
        chosen = self.runs[run]
        return chosen[:, 0], np.asarray(chosen[:, 2] - (sizes[run] - picked), dtype=np.int64)


@dataclass(frozen=True)
class StretchBatches:
    """Batches ((float32[n, 1, 4096] noisy,), float32[n, 1, 1024] deep); the same epoch gives the same batches.

    Attributes:
        pairs: of one genome; several are the same deep data with several noisy ones. A stretch is read from one of
            them, drawn with its place.
        places: where stretches may lie.
        number: stretches in an epoch.
        batch_size: stretches in a batch.
        seed: of places, pairs and order; validation and test take another than training.
        shuffled: another order every epoch.
        anew: other places every epoch. The paper has the same examples all the time.
    """

    pairs: Sequence[Pair]
    places: Places
    number: int
    batch_size: int = 32
    seed: int = 0
    shuffled: bool = False
    anew: bool = False

    def batches(self, epoch: int) -> Iterator[Batch]:
        drawn = epoch if self.anew else 0
        sequence, first = self.places.draw(self.number, (self.seed, 0, drawn))
        pair = np.random.default_rng([self.seed, 1, drawn]).integers(0, len(self.pairs), self.number)
        order = np.arange(self.number)
        if self.shuffled:
            order = np.random.default_rng([self.seed, 2, epoch]).permutation(self.number)
        for start in range(0, self.number, self.batch_size):
            rows = order[start : start + self.batch_size]
            yield self._read(pair[rows], sequence[rows], first[rows])

    def _read(self, pair: NDArray[np.int64], sequence: NDArray[np.int64], first: NDArray[np.int64]) -> Batch:
        noisy = np.zeros((len(first), 1, BINS), dtype=np.float32)
        deep = np.empty((len(first), 1, CENTRE), dtype=np.float32)
        for row, (which, index, start) in enumerate(zip(pair.tolist(), sequence.tolist(), first.tolist(), strict=True)):
            one, name = self.pairs[which], self.places.names[index]
            values = one.noisy[name]
            low, high = max(0, start), min(len(values), start + BINS)
            noisy[row, 0, low - start : high - start] = values[low:high]
            deep[row, 0] = one.deep[name][start + FLANK : start + FLANK + CENTRE]
        return (noisy,), deep
