"""Examples of transcription start sites: sharp, broad, and background, single bases on a strand.

After ten Dijke 2017 (the thesis' section on FANTOM5 CAGE): the class of a window is the class of its one central base.
A cluster of 11 bp or less is sharp, a longer one broad, and its position is its dominant TSS. Background outnumbers
TSSs 9 to 1; half of it lies 3 to 100 bp from a dominant TSS on its strand (it shares the promoter and differs in the
register), half farther than that from any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Genome
from trackgen.genome.regions import Interval
from trackgen.learn.datasets.clusters import Clusters
from trackgen.learn.datasets.counts import CountSource
from trackgen.learn.datasets.intervals import bedtools
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import Sites, concatenate_sites, read_windows

__all__ = ["BROAD", "CLASSES", "SHARP", "TssData", "TssExamples", "class_labels", "nearest_distance"]

CLASSES = ("background", "sharp", "broad")
SHARP, BROAD = 1, 2
LONGEST_SHARP = 11
"""Longest cluster that is sharp, bp."""
NEAR = (3, 100)
"""Distances of the near half of the background from the nearest dominant TSS on its strand, bp."""
BACKGROUND_PER_TSS = 9
UNKNOWN = 4
PARTS = ("train", "validation", "test")

_Propose = Callable[[int], Sites]
_Accept = Callable[[Sites], NDArray[np.bool_]]


def class_labels(clusters: Clusters) -> NDArray[np.int64]:
    """Index into `CLASSES` of each cluster."""
    return np.where(clusters.length <= LONGEST_SHARP, SHARP, BROAD).astype(np.int64)


@dataclass(frozen=True)
class TssExamples:
    """Labelled bases.

    Attributes:
        sites: the bases, n of them.
        labels: int64[n], index into `CLASSES`.
        near: bool[n], True for background of the near half.
    """

    sites: Sites
    labels: NDArray[np.int64]
    near: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


class TssData:
    """The clusters of one genome, split by chromosome, and background drawn around them.

    Args:
        genome: where bases come from (a drawn background base always has a known letter).
        clusters: all clusters.
        split: chromosomes of each part.
        excluded: intervals of which nothing is used.
        min_count: clusters with a smaller count are too uncertain for either side: no TSS, and background keeps
            its distance from them as from the others.
        counts: single-base counts, where there are any.
    """

    def __init__(
        self,
        genome: Genome,
        clusters: Clusters,
        split: Split,
        *,
        excluded: Sequence[Interval] = (),
        min_count: float = 0,
        counts: CountSource | None = None,
    ) -> None:
        self.genome = genome
        self.split = split
        self.counts = counts
        self.excluded = _by_name(excluded)
        self.kept = _outside(clusters, excluded)
        self.kept = self.kept.take(self.kept.count >= min_count)
        self._every = _by_strand(clusters.sites)
        self._kept = _by_strand(self.kept.sites)

    def part(self, part: str) -> Clusters:
        """Kept clusters of ``train``, ``validation`` or ``test``."""
        return self.kept.take(self.split.rows(part, self.kept.sites.chromosome))

    def examples(self, part: str, seed: Sequence[int], *, power: float | None = None) -> TssExamples:
        """All TSSs of a part and nine times as many background bases; the same for the same seed.

        Args:
            part: ``train``, ``validation`` or ``test``.
            seed: of what is drawn.
            power: put each TSS not at its cluster's dominant base but at one drawn in proportion to its count to
                this power: nearly as many transcripts start there, and a net sees more different start sites.

        Raises:
            DataError: the part has no TSS of one class.
        """
        clusters = self.part(part)
        labels = class_labels(clusters)
        for index in (SHARP, BROAD):
            if not (labels == index).any():
                raise DataError(
                    f"there is no {CLASSES[index]} TSS in the {part} part", found=f"{len(clusters)} clusters",
                    remedy="choose other chromosomes, or a lower --min-count",
                )  # fmt: skip
        near, far = self.background(part, BACKGROUND_PER_TSS * len(clusters), seed)
        tss = clusters.sites if power is None else clusters.drawn(np.random.default_rng([*seed, len(PARTS)]), power)
        sites = concatenate_sites([tss, near, far])
        is_near = np.zeros(len(sites), dtype=np.bool_)
        is_near[len(clusters) : len(clusters) + len(near)] = True
        return TssExamples(sites, np.concatenate([labels, np.zeros(len(near) + len(far), dtype=np.int64)]), is_near)

    def background(self, part: str, number: int, seed: Sequence[int]) -> tuple[Sites, Sites]:
        """`number` background bases of a part, half of them near (the first result), half far (the second)."""
        random = np.random.default_rng([*seed, PARTS.index(part)])
        tss = self.part(part).sites
        near = self._draw(lambda n: _beside(tss, n, random), self._is_near, number // 2)
        far = self._draw(lambda n: self._anywhere(part, n, random), self._is_far, number - number // 2)
        return near, far

    def usable_bases(self, name: str) -> NDArray[np.bool_]:
        """Mask of the bases of the sequence `name` that have a known letter and lie outside exclusions."""
        length = self.genome.lengths[name]
        usable = self.genome.fetch(name, 0, length) != UNKNOWN
        for start, end in self.excluded.get(name, ()):
            usable[start:end] = False
        return np.asarray(usable, dtype=np.bool_)

    def _anywhere(self, part: str, number: int, random: np.random.Generator) -> Sites:
        """Bases drawn uniformly from both strands of a part's sequences."""
        names: tuple[str, ...] = getattr(self.split, part)
        lengths = np.array([self.genome.lengths[name] for name in names], dtype=np.int64)
        ends = np.cumsum(lengths)
        offset = random.integers(0, ends[-1], number)
        which = np.searchsorted(ends, offset, side="right")
        chromosome = np.array([self.split.names.index(name) for name in names], dtype=np.int32)[which]
        position = offset - (ends - lengths)[which]
        return Sites(self.split.names, chromosome, position, random.integers(0, 2, number).astype(np.bool_))

    def _is_near(self, sites: Sites) -> NDArray[np.bool_]:
        kept, every = nearest_distance(sites, self._kept), nearest_distance(sites, self._every)
        return np.asarray((kept >= NEAR[0]) & (kept <= NEAR[1]) & (every >= NEAR[0]))

    def _is_far(self, sites: Sites) -> NDArray[np.bool_]:
        return np.asarray(nearest_distance(sites, self._every) > NEAR[1])

    def _draw(self, propose: _Propose, accept: _Accept, number: int) -> Sites:
        """`number` distinct bases with a known letter, outside exclusions, that `accept` takes."""
        found: list[Sites] = []
        total = 0
        for _ in range(100):
            sites = propose(2 * number + 100)
            sites = sites.take(accept(sites) & self.usable(sites))
            found.append(sites)
            unique = _distinct(concatenate_sites(found))
            total = len(unique)
            if total >= number:
                return unique.take(np.arange(number))
        raise DataError(
            "too few background bases can be drawn", found=total, wanted=number,
            remedy="exclude less, or use more or longer chromosomes",
        )  # fmt: skip

    def usable(self, sites: Sites) -> NDArray[np.bool_]:
        """Mask of sites on a sequence, with a known letter, outside exclusions."""
        lengths = np.array([self.genome.lengths[name] for name in sites.names], dtype=np.int64)[sites.chromosome]
        usable = (sites.position >= 0) & (sites.position < lengths)
        for name, intervals in self.excluded.items():
            here = sites.chromosome == sites.names.index(name)
            after = np.searchsorted(intervals[:, 0], sites.position, side="right") - 1
            inside = (after >= 0) & (sites.position < intervals[np.maximum(after, 0), 1])
            usable &= ~(here & inside)
        rows = np.flatnonzero(usable)
        usable[rows] = read_windows(self.genome, sites.take(rows), 1)[:, 0] != UNKNOWN
        return np.asarray(usable, dtype=np.bool_)


def _beside(tss: Sites, number: int, random: np.random.Generator) -> Sites:
    """Bases at a uniform distance within `NEAR` of a TSS, on its strand."""
    chosen = tss.take(random.integers(0, len(tss), number))
    distance = random.integers(NEAR[0], NEAR[1] + 1, number) * random.choice((-1, 1), number)
    return Sites(chosen.names, chosen.chromosome, chosen.position + distance, chosen.minus)


def _distinct(sites: Sites) -> Sites:
    """Each site once, in the order of first appearance."""
    return sites.take(np.sort(np.unique(sites.keys, return_index=True)[1]))


_Strands = Mapping[tuple[int, bool], NDArray[np.int64]]


def _by_strand(sites: Sites) -> _Strands:
    """Sorted positions by (index of the sequence, minus)."""
    keys = {(int(c), bool(m)) for c, m in zip(sites.chromosome, sites.minus, strict=True)}
    return {(c, m): np.sort(sites.position[(sites.chromosome == c) & (sites.minus == m)]) for c, m in sorted(keys)}


def nearest_distance(sites: Sites, positions: _Strands) -> NDArray[np.int64]:
    """Distance of each site from the nearest of `positions` on its strand, bp; huge where there is none."""
    distance = np.full(len(sites), np.iinfo(np.int64).max // 4)
    for (chromosome, minus), sorted_positions in positions.items():
        rows = np.flatnonzero((sites.chromosome == chromosome) & (sites.minus == minus))
        right = np.searchsorted(sorted_positions, sites.position[rows])
        last = len(sorted_positions) - 1
        for neighbour in (np.clip(right - 1, 0, last), np.clip(right, 0, last)):
            distance[rows] = np.minimum(distance[rows], np.abs(sorted_positions[neighbour] - sites.position[rows]))
    return distance


def _by_name(intervals: Sequence[Interval]) -> dict[str, NDArray[np.int64]]:
    """Sorted disjoint int64[n, 2] by sequence name."""
    if not intervals:
        return {}
    found: dict[str, list[tuple[int, int]]] = {}
    with bedtools() as pybedtools:
        for line in pybedtools.BedTool(_bed_text(intervals), from_string=True).sort().merge():
            found.setdefault(line.chrom, []).append((line.start, line.end))
    return {name: np.array(pairs, dtype=np.int64) for name, pairs in found.items()}


def _bed_text(intervals: Sequence[Interval]) -> str:
    return "\n".join(f"{interval.name}\t{interval.start}\t{interval.end}" for interval in intervals)


def _outside(clusters: Clusters, excluded: Sequence[Interval]) -> Clusters:
    """The clusters that overlap nothing excluded."""
    if not excluded:
        return clusters
    names = clusters.sites.names
    text = "\n".join(
        f"{names[chromosome]}\t{start}\t{end}\t{i}"
        for i, (chromosome, start, end) in enumerate(
            zip(clusters.sites.chromosome, clusters.start, clusters.end, strict=True)
        )
    )
    with bedtools() as pybedtools:
        kept = pybedtools.BedTool(text, from_string=True).intersect(
            pybedtools.BedTool(_bed_text(excluded), from_string=True), v=True
        )
        rows = np.array(sorted(int(line.name) for line in kept), dtype=np.int64)
    return clusters.take(rows)
