"""Counts of transcripts that start at each base: from BED6 files of single bases, or from pairs of BigWig files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome.aliases import reconcile
from trackgen.genome.signals import open_signal
from trackgen.learn.datasets.bed import read_stranded_bed

__all__ = ["BedCounts", "CountSource", "SignalCounts", "open_counts"]


class CountSource(Protocol):
    """Where single-base counts come from."""

    def values(self, name: str, start: int, end: int, minus: bool) -> NDArray[np.float64]:
        """float64[end - start]: summed counts of one strand of [start, end), 0 where there are none."""


class BedCounts:
    """Counts of BED6 files whose score is the count of an interval of one base (longer ones are spread evenly)."""

    def __init__(self, paths: Sequence[Path], lengths: Mapping[str, int]) -> None:
        collected: dict[tuple[str, bool], dict[int, float]] = {}
        for path in paths:
            for row in read_stranded_bed(path, lengths):
                strand = collected.setdefault((row.name, row.minus), {})
                for position in range(row.start, row.end):
                    strand[position] = strand.get(position, 0.0) + row.score / (row.end - row.start)
        self._strands = {key: _sorted_arrays(strand) for key, strand in collected.items()}

    def values(self, name: str, start: int, end: int, minus: bool) -> NDArray[np.float64]:
        values = np.zeros(end - start)
        if (name, minus) in self._strands:
            positions, counts = self._strands[name, minus]
            first, last = np.searchsorted(positions, (start, end))
            values[positions[first:last] - start] = counts[first:last]
        return values


def _sorted_arrays(strand: Mapping[int, float]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    positions = np.fromiter(strand.keys(), dtype=np.int64, count=len(strand))
    counts = np.fromiter(strand.values(), dtype=np.float64, count=len(strand))
    order = np.argsort(positions)
    return positions[order], counts[order]


class SignalCounts:
    """Counts of pairs of BigWig files, one pair (plus, minus) a replicate; minus counts may be written as negative."""

    def __init__(self, plus: Sequence[Path], minus: Sequence[Path], lengths: Mapping[str, int]) -> None:
        if len(plus) != len(minus):
            raise UsageError(
                "every BigWig of the plus strand needs one of the minus strand",
                found=f"{len(plus)} for plus, {len(minus)} for minus",
            )
        self._readers = {
            strand: [(reader := open_signal(path), _names(reader.lengths, lengths, path)) for path in paths]
            for strand, paths in ((False, plus), (True, minus))
        }

    def values(self, name: str, start: int, end: int, minus: bool) -> NDArray[np.float64]:
        total = np.zeros(end - start)
        for reader, own_names in self._readers[minus]:
            if name in own_names:
                total += np.abs(np.nan_to_num(reader.values(own_names[name], start, end)))
        return total


def _names(found: Mapping[str, int], lengths: Mapping[str, int], path: Path) -> dict[str, str]:
    """Genome name -> the file's own name."""
    return {genome: own for own, genome in reconcile(found, lengths, path=path, what="counts").items()}


def open_counts(
    bed: Sequence[Path], plus: Sequence[Path], minus: Sequence[Path], lengths: Mapping[str, int]
) -> CountSource | None:
    """The counts that the user gave, None where there are none.

    Raises:
        UsageError: BED and BigWig counts at once, or BigWigs of one strand without the other.
        DataError: a file is missing or malformed.
    """
    if bed and (plus or minus):
        raise UsageError("counts are given both as BED and as BigWig", remedy="give one of them")
    for path in (*plus, *minus):
        if not path.exists():
            raise DataError("the file does not exist", path=path)
    if bed:
        return BedCounts(bed, lengths)
    return SignalCounts(plus, minus, lengths) if plus or minus else None
