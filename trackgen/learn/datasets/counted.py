"""All bases of a part of the genome at which transcripts were counted, inside clusters or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.datasets.counts import CountSource
from trackgen.learn.datasets.tss import TssData
from trackgen.learn.datasets.windows import BASES_PER_FETCH, Sites, concatenate_sites

__all__ = ["CountedBases"]


class CountedBases:
    """Counted bases of one part of a split, with a known letter and outside exclusions.

    Args:
        sites: the bases, each once.
        counts: float64[n], positive.
    """

    def __init__(self, sites: Sites, counts: NDArray[np.float64]) -> None:
        order = np.argsort(sites.keys)
        self.sites = sites.take(order)
        self.counts = counts[order]
        self._keys = self.sites.keys
        weights = np.log1p(self.counts)
        self._shares = weights / max(weights.sum(), 1e-300)

    @classmethod
    def find(cls, data: TssData, part: str) -> CountedBases:
        """Those of ``train``, ``validation`` or ``test``; none where the data has no counts."""
        found = [] if data.counts is None else [
            _of_strand(data, data.counts, name, minus) for name in getattr(data.split, part) for minus in (False, True)
        ]  # fmt: skip
        if not found:
            return cls(data.kept.sites.take(np.zeros(0, dtype=np.int64)), np.zeros(0))
        sites, counts = concatenate_sites([s for s, _ in found]), np.concatenate([c for _, c in found])
        usable = data.usable(sites)
        return cls(sites.take(usable), counts[usable])

    def draw(self, number: int, random: np.random.Generator) -> Sites:
        """`number` of them, in proportion to log(1 + count); none where there are none."""
        if not len(self.sites):
            return self.sites
        return self.sites.take(random.choice(len(self.sites), number, p=self._shares))

    def at(self, sites: Sites) -> NDArray[np.float64]:
        """float64[n]: the count of each of `sites`, 0 where there is none."""
        if not len(self.sites):
            return np.zeros(len(sites))
        keys = sites.keys
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[place] == keys, self.counts[place], 0.0)


def _of_strand(data: TssData, counts: CountSource, name: str, minus: bool) -> tuple[Sites, NDArray[np.float64]]:
    """Counted bases of one strand of a sequence, read piece by piece."""
    length = data.genome.lengths[name]
    positions, values = [], []
    for start in range(0, length, BASES_PER_FETCH):
        piece = counts.values(name, start, min(start + BASES_PER_FETCH, length), minus)
        rows = np.flatnonzero(piece)
        positions.append(rows + start)
        values.append(piece[rows])
    position = np.concatenate(positions)
    chromosome = np.full(len(position), data.split.names.index(name), dtype=np.int32)
    return Sites(data.split.names, chromosome, position, np.full(len(position), minus)), np.concatenate(values)
