"""TSS clusters: read from BED, replicates merged, dominant TSS and counts found.

A cluster's dominant TSS is the base with the highest count inside it on its strand, the first in the direction of
transcription on ties. Without counts it is the BED file's own ``thickStart`` (FANTOM5's CAGE clusters carry their
representative position there).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.learn.datasets.bed import BedRow, read_stranded_bed
from trackgen.learn.datasets.counts import CountSource
from trackgen.learn.datasets.intervals import bedtools
from trackgen.learn.datasets.windows import Sites

__all__ = ["Clusters", "load_clusters"]


@dataclass(frozen=True)
class Clusters:
    """TSS clusters of a genome, sorted by sequence and start.

    Attributes:
        sites: the dominant TSS of each cluster.
        start, end: int64[n], the cluster, 0-based half-open.
        count: float64[n], counts (reads or TPM) inside the cluster on its strand, summed over replicates.
        first: int64[n + 1], where each cluster's bases begin in `bases` and `weights`, and the end of the last.
        bases: int64[m], the bases of each cluster that have a count, ascending.
        weights: float64[m], their counts.
    """

    sites: Sites
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    count: NDArray[np.float64]
    first: NDArray[np.int64]
    bases: NDArray[np.int64]
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def length(self) -> NDArray[np.int64]:
        """Bases of each cluster."""
        return self.end - self.start

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> Clusters:
        """The clusters of a mask or index array."""
        kept = np.arange(len(self))[index]
        members = [np.arange(self.first[i], self.first[i + 1]) for i in kept]
        rows = np.concatenate([np.empty(0, dtype=np.int64), *members])
        first = np.cumsum([0, *(len(entry) for entry in members)], dtype=np.int64)
        return Clusters(
            self.sites.take(kept), self.start[kept], self.end[kept], self.count[kept],
            first, self.bases[rows], self.weights[rows],
        )  # fmt: skip

    def drawn(self, random: np.random.Generator, power: float) -> Sites:
        """One base of each cluster, drawn in proportion to its count to `power`; the dominant TSS without counts."""
        share = self.weights**power
        until = np.concatenate([[0.0], np.cumsum(share)])
        low, high = until[self.first[:-1]], until[self.first[1:]]
        row = np.searchsorted(until, low + random.random(len(self)) * (high - low), side="right") - 1
        counted = high > low
        # rounding may step out of the cluster by one
        row = np.clip(row, self.first[:-1], np.maximum(self.first[1:] - 1, self.first[:-1]))
        position = self.sites.position.copy()
        position[counted] = self.bases[row[counted]]
        return Sites(self.sites.names, self.sites.chromosome, position, self.sites.minus)


def load_clusters(paths: Sequence[Path], counts: CountSource | None, lengths: Mapping[str, int]) -> Clusters:
    """Clusters of all replicates: overlapping ones on one strand become their union.

    Args:
        paths: BED6 or longer, one file a replicate.
        counts: single-base counts summed over replicates; None takes counts from the BED scores (summed over the
            merged clusters) and the dominant TSS from thickStart of the highest-scoring cluster.
        lengths: sequences of the genome.

    Raises:
        DataError: a file is missing or malformed, or neither counts nor thickStart say where the dominant TSS is.
    """
    rows = [row for path in paths for row in read_stranded_bed(path, lengths)]
    if not rows:
        raise DataError("there is no cluster", path=paths[0])
    members = _merge(rows)
    names = tuple(lengths)
    start = np.array([min(rows[i].start for i in group) for group in members], dtype=np.int64)
    end = np.array([max(rows[i].end for i in group) for group in members], dtype=np.int64)
    first = [rows[group[0]] for group in members]
    chromosome = np.array([names.index(row.name) for row in first], dtype=np.int32)
    minus = np.array([row.minus for row in first], dtype=np.bool_)
    if counts is None:
        dominant = np.array([_thick(rows, group, paths[0]) for group in members], dtype=np.int64)
        count = np.array([sum(rows[i].score for i in group) for group in members], dtype=np.float64)
        values = [np.zeros(0)] * len(members)
    else:
        stretches = zip(first, start, end, strict=True)
        values = [counts.values(row.name, int(a), int(b), row.minus) for row, a, b in stretches]
        dominant = start + np.array([_highest(v, row.minus) for v, row in zip(values, first, strict=True)])
        count = np.array([value.sum() for value in values], dtype=np.float64)
    counted = [np.flatnonzero(value) for value in values]
    order = np.lexsort((minus, start, chromosome))
    return Clusters(
        Sites(names, chromosome, dominant, minus), start, end, count,
        np.cumsum([0, *(len(entry) for entry in counted)], dtype=np.int64),
        np.concatenate([a + entry for a, entry in zip(start, counted, strict=True)]),
        np.concatenate([value[entry] for value, entry in zip(values, counted, strict=True)]),
    ).take(order)  # fmt: skip


def _highest(values: NDArray[np.float64], minus: bool) -> int:
    """Index of the highest count, the first in the direction of transcription on ties."""
    return len(values) - 1 - int(np.argmax(values[::-1])) if minus else int(np.argmax(values))


def _thick(rows: list[BedRow], group: list[int], path: Path) -> int:
    """Dominant TSS by thickStart of the group's highest-scoring row."""
    best = max((rows[i] for i in group), key=lambda row: row.score)
    if best.thick is None:
        raise DataError(
            "the clusters do not say where their dominant TSS is",
            path=path,
            place=f"{best.name}:{best.start + 1}-{best.end}",
            wanted="counts of single bases, or a BED file of 9 columns whose thickStart is the dominant TSS",
            remedy="give the counts with --counts (BED6) or with --counts-plus and --counts-minus (BigWig)",
        )
    return best.thick


def _merge(rows: list[BedRow]) -> list[list[int]]:
    """Indices of the rows of each union of overlapping clusters on one strand (touching ones stay apart)."""
    text = "\n".join(
        f"{row.name}\t{row.start}\t{row.end}\t{i}\t0\t{'-' if row.minus else '+'}" for i, row in enumerate(rows)
    )
    with bedtools() as pybedtools:
        # d=-1 asks for an overlap of at least one base: bedtools merges book-ended intervals otherwise
        merged = pybedtools.BedTool(text, from_string=True).sort().merge(s=True, d=-1, c="4", o="collapse")
        return [[int(i) for i in line[3].split(",")] for line in merged]
