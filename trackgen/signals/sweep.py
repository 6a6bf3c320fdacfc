"""Fragments that come in order become values of bins, along each sequence, with what one piece needs in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome.fragments import Fragments
from trackgen.signals.bins import bin_sizes

__all__ = ["LEFT_SHIFT", "RIGHT_SHIFT", "Sweep", "Values", "cut_sites", "swept"]

BASES_PER_PIECE = 1 << 18
EVENTS_HELD = 1 << 16
"""Fragments that wait for a whole piece: more, on a repeat, are settled in smaller ones, so that memory stays."""
LEFT_SHIFT = 4
RIGHT_SHIFT = 5
"""bp. Tn5 doubles nine bases where it cuts; a read's first base is the outermost of them, and these shifts lead to the
middle one from both sides: Buenrostro et al. 2013, doi:10.1038/nmeth.2688."""
Positions = NDArray[np.int64]


class Values(NamedTuple):
    """Values of successive bins of a sequence: float64[n], the first one of bin `first`."""

    name: str
    first: int
    values: NDArray[np.float64]


def cut_sites(chunk: Fragments, *, shifted: bool = False) -> Positions:
    """The bases of Tn5's cuts: start + 4 and end - 5 of whole fragments, one of them of a single read; int64, unsorted.

    A cut that two fragments share, one on each side of it, lies at one base. Sites may lie outside of the sequence.

    Args:
        chunk: fragments or reads.
        shifted: starts and ends are moved already, as 10x' are.
    """
    left, right = (0, 0) if shifted else (LEFT_SHIFT, RIGHT_SHIFT)
    if chunk.strand is None:
        return np.concatenate([chunk.start + left, chunk.end - right])
    return np.where(chunk.strand > 0, chunk.start + left, chunk.end - right)


def swept(
    chunks: Iterable[Fragments], lengths: Mapping[str, int], resolution: int, *, measure: str = "coverage",
    statistic: str = "mean", shifted: bool = False,
) -> Iterator[Values]:  # fmt: skip
    """Values of all bins of all sequences, each sequence's in ascending order; sequences without fragments come last.

    Args:
        chunks: as `trackgen.genome.fragments.FragmentSource.chunks` gives them.
        lengths: bases of each sequence.
        resolution: bases of a bin; a sequence's last bin may have fewer.
        measure: ``coverage`` or ``cuts``.
        statistic: ``mean`` or ``max`` over the bases of a bin.
        shifted: see `cut_sites`.
    """

    def begin(name: str) -> Sweep:
        return Sweep(name, lengths[name], resolution, measure=measure, statistic=statistic, shifted=shifted)

    left = dict.fromkeys(lengths)
    sweep: Sweep | None = None
    for chunk in chunks:
        if sweep is None or sweep.name != chunk.name:
            if sweep is not None:
                yield from sweep.rest()
            sweep = begin(chunk.name)
            del left[chunk.name]
        yield from sweep.add(chunk)
    if sweep is not None:
        yield from sweep.rest()
    for name in left:
        yield from begin(name).rest()


class Sweep:
    """One sequence, from its first base to its last."""

    def __init__(self, name: str, length: int, resolution: int, *, measure: str, statistic: str, shifted: bool) -> None:
        self.name = name
        self._length, self._resolution, self._shifted = length, resolution, shifted
        self._cuts = measure == "cuts"
        self._reduce: Callable[[Positions, Positions, int, int], NDArray[np.float64]]
        self._reduce = self._means if statistic == "mean" else self._maxima
        self._bins = -(-length // resolution)
        self._bins_per_piece = max(1, BASES_PER_PIECE // resolution)
        self._next = 0
        # Up and down: where the count rises and falls, sorted, from the next bin on. Depth: the count before it.
        self._up = self._down = np.zeros(0, np.int64)
        self._depth = 0

    def add(self, chunk: Fragments) -> Iterator[Values]:
        """The next fragments, whose starts do not lie before those of the last chunk; pieces that no other reaches."""
        if self._cuts:
            self._up = self._down = np.sort(np.concatenate([self._up, cut_sites(chunk, shifted=self._shifted)]))
        else:
            self._up = np.concatenate([self._up, chunk.start])
            self._down = np.sort(np.concatenate([self._down, chunk.end]))
        settled = int(chunk.start[-1]) - (RIGHT_SHIFT if self._cuts else 0) if len(chunk.start) else 0
        whole = len(self._up) < EVENTS_HELD
        yield from self._pieces(min(self._bins, settled // self._resolution), whole=whole)

    def rest(self) -> Iterator[Values]:
        """All bins that are left."""
        yield from self._pieces(self._bins, whole=False)

    def _pieces(self, until: int, *, whole: bool) -> Iterator[Values]:
        """Bins before `until`; with `whole`, whole pieces only."""
        used_up = used_down = 0
        while self._next < until:
            first, last = self._next, self._next + self._bins_per_piece
            if whole and last > until:
                break
            last = min(last, until)
            end = min(last * self._resolution, self._length)
            # Cuts before the first base are none of any bin's.
            begin_up = int(np.searchsorted(self._up[used_up:], first * self._resolution)) + used_up
            end_up = int(np.searchsorted(self._up[begin_up:], end)) + begin_up
            end_down = int(np.searchsorted(self._down[used_down:], end)) + used_down
            up, down = self._up[begin_up:end_up], self._down[used_down:end_down]
            yield Values(self.name, first, self._reduce(up, down, first, last))
            self._next, used_up, used_down = last, end_up, end_down
        self._up = self._up[used_up:]
        self._down = self._up if self._cuts else self._down[used_down:]

    def _means(self, up: Positions, down: Positions, first: int, last: int) -> NDArray[np.float64]:
        resolution = self._resolution
        sizes = bin_sizes(min(last * resolution, self._length) - first * resolution, resolution)
        if self._cuts:
            return np.bincount(up // resolution - first, minlength=last - first) / sizes
        change = np.zeros(last - first, np.int64)
        inside = np.zeros(last - first, np.float64)
        for edges, sign in ((up, 1), (down, -1)):
            place, offset = np.divmod(edges, resolution)
            change += sign * np.bincount(place - first, minlength=last - first)
            inside += sign * np.bincount(place - first, weights=resolution - offset, minlength=last - first)
        depth = self._depth + np.cumsum(change)
        before = depth - change
        self._depth = int(depth[-1])
        # A bin's own edges were counted up to its full size; what its last bin lacks, both edges lack or the depth has.
        sums = before * resolution + inside - depth * (resolution - sizes)
        means: NDArray[np.float64] = sums / sizes
        return means

    def _maxima(self, up: Positions, down: Positions, first: int, last: int) -> NDArray[np.float64]:
        base, resolution = first * self._resolution, self._resolution
        size = min(last * resolution, self._length) - base
        values = np.bincount(up - base, minlength=size)
        if not self._cuts:
            values = self._depth + np.cumsum(values - np.bincount(down - base, minlength=size))
            self._depth = int(values[-1])
        return np.maximum.reduceat(values, np.arange(0, size, resolution)).astype(np.float64)
