"""Known instances of motifs on a genome, and whether the contributions of a window show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import UsageError
from trackgen.genome import Genome
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.trust.calls import Call

__all__ = ["TOP", "Instance", "KnownMotif", "find_instances", "instances_in", "is_recalled"]

Codes = NDArray[np.uint8]

LETTERS = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC",
    "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
"""IUPAC letters and the bases that they stand for (Cornish-Bowden 1985, Nucleic Acids Res. 13:3021)."""
TOP = 0.05
"""Share of a window's places that may contribute more than a motif that is recalled; what a random place recalls."""


@dataclass(frozen=True)
class KnownMotif:
    """A word, and where it is known to be bound.

    Attributes:
        name: for tables.
        word: IUPAC letters.
        peaks: BED file of midpoints or intervals at which it is bound.
        distance: bp from the middle of a peak to the middle of an instance, at most.
        stranded: whether only words on the strand of the call count.
    """

    name: str
    word: str
    peaks: Path
    distance: int = 50
    stranded: bool = False

    def __post_init__(self) -> None:
        if not self.word or set(self.word) - LETTERS.keys():
            raise UsageError(
                f"the word of motif {self.name} is none", found=self.word, wanted="IUPAC letters such as TATAWAAR"
            )


class Instance(NamedTuple):
    """A word on the genome: its first base on the forward strand, and on which strands it stands there."""

    name: str
    start: int
    plus: bool
    minus: bool


def find_instances(motif: KnownMotif, genome: Genome, names: Iterable[str]) -> list[Instance]:
    """The instances of a motif on the sequences `names`, ascending; a word that reads the same on both strands once.

    Raises:
        DataError: the BED file is missing or malformed.
    """
    peaks = read_peaks(motif.peaks, genome.lengths)
    table = np.array([[*(base in LETTERS[letter] for base in "ACGT"), False] for letter in motif.word])
    found = []
    for name in names:
        middles = np.sort([(peak.start + peak.end) // 2 for peak in peaks if peak.name == name])
        codes = genome.fetch(name, 0, genome.lengths[name])
        there, back = _matches(table, codes), _matches(table[::-1, [3, 2, 1, 0, 4]], codes)
        for start in np.flatnonzero(there | back).tolist():
            first, last = (start + len(motif.word) // 2 + way * motif.distance for way in (-1, 1))
            if np.searchsorted(middles, first) < np.searchsorted(middles, last, side="right"):
                found.append(Instance(name, start, bool(there[start]), bool(back[start])))
    return found


def _matches(table: NDArray[np.bool_], codes: Codes) -> NDArray[np.bool_]:
    """(n - w + 1,) whether the word (w, 5) stands at each place."""
    count = len(codes) - len(table) + 1
    found = np.ones(max(count, 0), np.bool_)
    for place, row in enumerate(table):
        found &= row[codes[place : place + len(found)]]
    return found


def instances_in(call: Call, window: int, motif: KnownMotif, instances: Iterable[Instance]) -> list[int]:
    """First bases, counted in the call's window, of the instances that lie wholly in it and count for its strand."""
    width = len(motif.word)
    return [
        one.start - call.start
        for one in instances
        if one.name == call.name
        and call.start <= one.start <= call.start + window - width
        and (not motif.stranded or call.strand is None or getattr(one, call.strand))
    ]


def is_recalled(contributions: NDArray[np.floating], place: int, width: int) -> bool:
    """Whether at most `TOP` of all places of `width` bases in a window contribute more than the one at `place`.

    Args:
        contributions: (L,) of the window's bases, NaN where none is known; places that hold one do not count.
    """
    means = np.lib.stride_tricks.sliding_window_view(np.asarray(contributions, np.float64), width).mean(axis=1)
    return bool((means[np.isfinite(means)] > means[place]).mean() <= TOP)
