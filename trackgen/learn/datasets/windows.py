"""Single bases on a strand, and the windows of sequence around them.

A window of L bases with a bin of b bases has ``pad = (L - b) // 2`` bases before the bin and ``tail = L - pad - b``
after it. On the plus strand the window of position p is [p - pad, p - pad + L); on the minus strand it is the reverse
complement of [p - tail, p - tail + L). With b = 1 the base p is therefore element `pad` of either window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Genome, reverse_complement

__all__ = ["Sites", "concatenate_sites", "one_hot", "read_windows", "window_flanks"]

BASES_PER_FETCH = 1 << 20
"""Longest stretch of genome that is held while windows are cut from it, bp."""
LARGEST_GAP = 1 << 15
"""Windows that begin farther apart than this are read one by one, bp: about a block of bgzip."""

_ROWS = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])


@dataclass(frozen=True)
class Sites:
    """Single bases on a strand.

    Attributes:
        names: sequence names of the genome, file order.
        chromosome: int32[n], index into `names`.
        position: int64[n], 0-based.
        minus: bool[n], True on the minus strand.
    """

    names: tuple[str, ...]
    chromosome: NDArray[np.int32]
    position: NDArray[np.int64]
    minus: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.position)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Sites:
        """The sites of an index or mask array."""
        return Sites(self.names, self.chromosome[index], self.position[index], self.minus[index])

    @property
    def keys(self) -> NDArray[np.int64]:
        """One number for each base and strand."""
        return np.asarray((self.position * len(self.names) + self.chromosome) * 2 + self.minus, dtype=np.int64)

    def on(self, name: str, minus: bool) -> NDArray[np.int64]:
        """Sorted positions on one strand of the sequence `name`."""
        here = (self.chromosome == self.names.index(name)) & (self.minus == minus)
        return np.sort(self.position[here])


def concatenate_sites(parts: list[Sites]) -> Sites:
    """All sites of `parts` (at least one, of one genome), in order."""
    return Sites(
        parts[0].names,
        np.concatenate([part.chromosome for part in parts]),
        np.concatenate([part.position for part in parts]),
        np.concatenate([part.minus for part in parts]),
    )


def window_flanks(window: int, bin_: int = 1) -> tuple[int, int]:
    """Bases before and after the bin: (pad, tail)."""
    pad = (window - bin_) // 2
    return pad, window - pad - bin_


def read_windows(genome: Genome, sites: Sites, window: int, bin_: int = 1) -> NDArray[np.uint8]:
    """Codes of the window around each site, in the reading direction of its strand.

    Args:
        genome: where the bases come from; bases beyond its ends read code 4.
        sites: first base of each bin.
        window: L, bases.
        bin_: b, bases.

    Returns:
        uint8[n, L] codes.
    """
    pad, tail = window_flanks(window, bin_)
    starts = sites.position - np.where(sites.minus, tail, pad)
    codes = np.empty((len(sites), window), dtype=np.uint8)
    for chromosome, rows in _pieces(sites.chromosome, starts):
        first = int(starts[rows[0]])
        length = int(starts[rows[-1]]) + window - first
        stretch = genome.fetch(sites.names[chromosome], first, first + length)
        codes[rows] = np.lib.stride_tricks.sliding_window_view(stretch, window)[starts[rows] - first]
    if sites.minus.any():
        codes[sites.minus] = reverse_complement(codes[sites.minus].ravel()).reshape(-1, window)[::-1]
    return codes


def _pieces(chromosome: NDArray[np.int32], starts: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Groups of rows, sorted by start, on one chromosome within `BASES_PER_FETCH` bases, without large gaps."""
    order = np.lexsort((starts, chromosome))
    key = (chromosome[order].astype(np.int64), starts[order] // BASES_PER_FETCH)
    far = np.diff(starts[order]) > LARGEST_GAP
    breaks = np.flatnonzero((np.diff(key[0]) != 0) | (np.diff(key[1]) != 0) | far) + 1
    for rows in np.split(order, breaks):
        if len(rows):
            yield int(chromosome[rows[0]]), rows


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One-hot of uint8[n, L] codes: float32[n, 4, L], channels A, C, G, T, zeros for code 4."""
    return np.ascontiguousarray(_ROWS[codes].transpose(0, 2, 1))
