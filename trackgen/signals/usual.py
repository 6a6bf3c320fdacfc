"""The usual depth of sequencing: the mean coverage of a genome's usual part, which scale ``mean`` divides by.

The plain mean of a genome is no measure of depth: a third of the fragments may lie on a repeat that the assembly holds
once (yeast's rDNA) or on the mitochondrion, and a file may hold one chromosome only. So the usual part is made of
pieces of 10,000 bases,

- without mitochondria and without excluded bases;
- without stretches of 1,000,000 bases that hold no fragment at all (a long stretch, so that sparse data keeps its empty
  pieces, without which its mean would be too high);
- without pieces that hold more than ten times the fragments of the mean piece, that mean taken without the fullest
  hundredth of pieces, and more than 20, so that chance in sparse data leaves no piece out.

Of one library, the value is proportional to the number of fragments, but for chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Interval, merge
from trackgen.genome.fragments import Fragments
from trackgen.genome.names import MITOCHONDRION_LABEL, label

__all__ = ["UsualDepth", "usual_depth"]

PIECE = 10_000
PIECES_OF_A_STRETCH = 100
FULLEST = 0.01
TIMES_THE_MEAN = 10
FEW = 20
FRAGMENT = 150
"""bp: what coverage without fragments is taken to consist of."""
NOTHING = np.zeros(0)


def usual_depth(
    fragments: Mapping[str, Fragments], lengths: Mapping[str, int], excluded: Iterable[Interval] = ()
) -> float:
    """Mean coverage over the usual part of a genome (see the module), fragments over a base.

    Args:
        fragments: of each sequence; absent sequences have none. Cuts are fragments of one base.
        lengths: bases of each sequence of the genome.
        excluded: stretches that don't count.

    Raises:
        DataError: no fragment lies on the usual part.
    """
    usual = UsualDepth(lengths, excluded)
    for chunk in fragments.values():
        usual.add(chunk)
    return usual.depth()


class UsualDepth:
    """`usual_depth` of fragments that come in chunks; memory is that of the genome's pieces."""

    def __init__(self, lengths: Mapping[str, int], excluded: Iterable[Interval] = ()) -> None:
        spans: dict[str, list[tuple[int, int]]] = {}
        for interval in excluded:
            spans.setdefault(interval.name, []).append((interval.start, interval.end))
        self._sequences = {
            name: _Pieces(length, merge(np.array(spans.get(name, []), np.int64).reshape(-1, 2)))
            for name, length in lengths.items()
            if label(name) != MITOCHONDRION_LABEL
        }

    def add(self, chunk: Fragments) -> None:
        """Count a chunk, in any order of sequences and fragments."""
        if chunk.name in self._sequences:
            self._sequences[chunk.name].add(chunk.start, chunk.end)

    def add_values(self, name: str, first: int, values: NDArray[np.float64]) -> None:
        """Count the coverage of bases `first`.. of a sequence, where fragments themselves are not known."""
        if name in self._sequences:
            self._sequences[name].add_values(first, values)

    def any(self) -> bool:
        """Whether a fragment lies on the usual part."""
        return any(sequence.filled()[1].any() for sequence in self._sequences.values())

    def depth(self) -> float:
        """The mean so far.

        Raises:
            DataError: no fragment lies on the usual part.
        """
        parts = [sequence.filled() for sequence in self._sequences.values()]
        number, covered, bases = (np.concatenate([part[column] for part in parts] or [NOTHING]) for column in range(3))
        if not covered.any():
            raise DataError("no fragment lies on the usual part of the genome", wanted="fragments on its chromosomes")
        ordered = np.sort(number)
        typical = ordered[: max(1, int(np.ceil(len(ordered) * (1 - FULLEST))))].mean()
        usual = number <= max(TIMES_THE_MEAN * typical, FEW)
        if not covered[usual].any():
            # a genome of few pieces, all of them full
            usual[:] = True
        return float(covered[usual].sum() / bases[usual].sum())


class _Pieces:
    """Fragments, covered bases and counted bases of the pieces of one sequence."""

    def __init__(self, length: int, spans: NDArray[np.int64]) -> None:
        inside = np.clip(spans, 0, length).reshape(-1)
        # cells: pieces, cut where an exclusion begins or ends
        self._edges = np.unique(np.concatenate([np.arange(0, length, PIECE), inside, [length]]))
        cells = self._edges[:-1]
        self._widths = np.diff(self._edges)
        # an odd number of borders at or before a cell: inside an exclusion
        self._counted = np.searchsorted(inside, cells, side="right") % 2 == 0
        self._piece = cells // PIECE
        self._size = -(-length // PIECE)
        self._number = np.zeros(len(cells), np.int64)
        self._covered = np.zeros(len(cells), np.float64)

    def add(self, start: NDArray[np.int64], end: NDArray[np.int64]) -> None:
        for edges, sign in ((start, 1), (end, -1)):
            cell = np.searchsorted(self._edges, edges, side="right") - 1
            inside = cell < len(self._widths)
            cell, places = cell[inside], edges[inside]
            number = np.bincount(cell, minlength=len(self._widths))
            own = np.bincount(cell, weights=self._edges[cell + 1] - places, minlength=len(self._widths))
            self._covered += sign * (own + (np.cumsum(number) - number) * self._widths.astype(np.float64))
            if sign == 1:
                self._number += number

    def add_values(self, first: int, values: NDArray[np.float64]) -> None:
        cell = np.searchsorted(self._edges, np.arange(first, first + len(values)), side="right") - 1
        covered = np.bincount(cell, weights=values, minlength=len(self._widths))
        self._covered += covered
        self._number += np.round(covered / FRAGMENT).astype(np.int64)

    def filled(self) -> list[NDArray[np.float64]]:
        """Fragments, covered bases, counted bases of the pieces whose stretch holds any fragment."""
        rows = self._counted
        number, covered, bases = (
            np.bincount(self._piece[rows], weights=values[rows], minlength=self._size).astype(np.float64)
            for values in (self._number, self._covered, self._widths)
        )
        stretch = np.arange(self._size) // PIECES_OF_A_STRETCH
        held = (np.bincount(stretch, weights=covered)[stretch] > 0) & (bases > 0)
        return [number[held], covered[held], bases[held]]
