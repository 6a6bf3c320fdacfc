"""Motif occupancy: instances of a motif that are bound against instances that are not, with all that is simple matched.

As Zeng 2016 (doi:10.1093/bioinformatics/btw255): the instances of a factor's motif in the whole genome, by FIMO (Grant
2011, doi:10.1093/bioinformatics/btr064; here memelite's); a window around each, bound where it overlaps any peak; then
as many unbound windows as bound ones, of the same size, and matched in GC content and in the motif's p-value (Whitaker
2015, doi:10.1038/nmeth.3065): both are cut into bins, and in each cell as many of either class are kept, at random. The
third task is the same, but that the motif may lie anywhere in a bound window, and lies in the middle of an unbound one.

Where instances overlap the strongest counts. FIMO's background is uniform, its pseudocount 1e-4, and an instance has
the p-value of its better strand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import UNKNOWN, Genome, Interval
from trackgen.genome.sequence import PIECE, pieces
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.discovery import Marks, marked, places_of, require_marked, windows_around
from trackgen.learn.datasets.intervals import bedtools
from trackgen.learn.datasets.motif_files import Matrix
from trackgen.learn.datasets.sequences import FEWEST_OF_A_CLASS, SequenceSet
from trackgen.learn.datasets.windows import Sites, one_hot

__all__ = [
    "GC_STEP", "STRENGTH_STEP", "THRESHOLD", "Instances", "Manner", "matched", "motif_instances", "occupancy_set",
]  # fmt: skip

THRESHOLD = 1e-4
"""Largest p-value of an instance: FIMO's default."""
LEAST_P = 1e-12
"""memelite gives 0 to what is rarer than its table tells; such instances are of one strength."""
GC_STEP = 0.05
"""Width of a bin of GC content."""
STRENGTH_STEP = 0.25
"""Width of a bin of -log10 p."""
_SEED, _SHIFT = range(2)
"""Streams of random numbers."""


class Instances(NamedTuple):
    """Instances of a motif, in genome order, none overlapping another.

    Attributes:
        sites: the first base of each, on the plus strand.
        strength: float64[n], -log10 of the p-value.
    """

    sites: Sites
    strength: NDArray[np.float64]


@dataclass(frozen=True)
class Manner:
    """How the set is made.

    Attributes:
        window: L, bases.
        threshold: largest p-value of an instance.
        centred: whether the motif is in the middle of bound windows, too; False for the third task.
        seed: of what is kept, and of where the motif lies.
    """

    window: int = 101
    threshold: float = THRESHOLD
    centred: bool = True
    seed: int = 1


def motif_instances(genome: Genome, matrix: Matrix, threshold: float = THRESHOLD) -> Instances:
    """All places of the genome whose match with the motif has a p-value below `threshold`; memory is bounded.

    Args:
        genome: read 1 Mb at a time.
        matrix: float64[4, w], probabilities of A, C, G, T.
        threshold: of the p-value.
    """
    width = matrix.shape[1]
    found: list[tuple[int, NDArray[np.int64], NDArray[np.float64]]] = []
    for name, start, end in pieces(genome.lengths, PIECE):
        # an instance belongs to the piece that its first base lies in
        codes = genome.fetch(name, start, min(end + width - 1, genome.lengths[name]))
        if len(codes) >= width:
            places, p_values = _scan(codes, matrix, threshold)
            found.append((genome.names.index(name), places + start, -np.log10(np.maximum(p_values, LEAST_P))))
    chromosome = np.concatenate([np.full(len(p), c, np.int32) for c, p, _ in found] or [np.zeros(0, np.int32)])
    position = np.concatenate([p for _, p, _ in found] or [np.zeros(0, np.int64)])
    strength = np.concatenate([s for _, _, s in found] or [np.zeros(0)])
    kept = _strongest(chromosome, position, strength, width)
    sites = Sites(genome.names, chromosome[kept], position[kept], np.zeros(len(kept), dtype=np.bool_))
    return Instances(sites, strength[kept])


def _scan(codes: NDArray[np.uint8], matrix: Matrix, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First bases and p-values, of the better strand, of the instances in a stretch; none with an unknown base."""
    from memelite.fimo import fimo

    hits = fimo({"motif": matrix}, one_hot(codes[None]).astype(np.int8), threshold=threshold)[0]
    start, p_value = hits["start"].to_numpy(np.int64), hits["p-value"].to_numpy(np.float64)
    order = np.lexsort((p_value, start))
    start, p_value = start[order], p_value[order]
    first = np.diff(start, prepend=-1) != 0
    start, p_value = start[first], p_value[first]
    width = matrix.shape[1]
    unknown = np.concatenate([[0], np.cumsum(codes == UNKNOWN)])
    known = unknown[start + width] == unknown[start]
    return start[known], p_value[known]


def _strongest(
    chromosome: NDArray[np.int32], position: NDArray[np.int64], strength: NDArray[np.float64], width: int
) -> NDArray[np.int64]:
    """Rows, ascending, of instances kept from the strongest on, first on ties, none overlapping one that is kept."""
    taken: dict[int, set[int]] = {}
    kept = []
    for row in np.lexsort((position, chromosome, -strength)).tolist():
        here, at = taken.setdefault(int(chromosome[row]), set()), int(position[row])
        if not any(near in here for near in range(at - width + 1, at + width)):
            here.add(at)
            kept.append(row)
    return np.array(sorted(kept), dtype=np.int64)


def overlapping(sites: Sites, window: int, peaks: Iterable[BedRow]) -> NDArray[np.bool_]:
    """Which of the windows around sites (see `windows_around`) share a base with any peak."""
    bound = np.zeros(len(sites), dtype=np.bool_)
    starts = sites.position - (window - 1) // 2
    lines = (
        f"{sites.names[chromosome]}\t{max(start, 0)}\t{start + window}\t{row}"
        for row, (chromosome, start) in enumerate(zip(sites.chromosome.tolist(), starts.tolist(), strict=True))
    )
    peak_text = "\n".join(f"{peak.name}\t{peak.start}\t{peak.end}" for peak in peaks)
    if not len(sites) or not peak_text:
        return bound
    with bedtools() as pybedtools:
        here = pybedtools.BedTool("\n".join(lines), from_string=True)
        for line in here.intersect(pybedtools.BedTool(peak_text, from_string=True), u=True):
            bound[int(line.name)] = True
    return bound


def matched(labels: NDArray[np.int64], features: Sequence[NDArray[np.int64]], seed: int) -> NDArray[np.int64]:
    """Rows, ascending, of which each combination of features has as many of class 1 as of class 0.

    In each combination all of the rarer class are kept, and as many of the other, at random.

    Args:
        labels: int64[n], 0 or 1.
        features: each int64[n], numbers of bins.
        seed: of what is kept.
    """
    order = np.random.default_rng([seed, _SEED]).permutation(len(labels))
    cells = np.unique(np.stack(features, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    number = np.zeros((2, int(cells.max(initial=-1)) + 1), dtype=np.int64)
    np.add.at(number, (labels, cells), 1)
    wanted = number.min(axis=0)
    kept = []
    for label in (0, 1):
        rows = order[labels[order] == label]
        rows = rows[np.argsort(cells[rows], kind="stable")]
        own = cells[rows]
        rank = np.arange(len(rows)) - np.searchsorted(own, own)
        kept.append(rows[rank < wanted[own]])
    return np.sort(np.concatenate(kept))


def occupancy_set(
    genome: Genome, peaks: Sequence[BedRow], matrix: Matrix, manner: Manner, *, name: str = "peaks",
    marks: Marks | None = None, excluded: Sequence[Interval] = (),
) -> SequenceSet:  # fmt: skip
    """Bound and unbound windows around instances of a motif, matched.

    Args:
        genome: where instances are looked for: all of it.
        peaks: of the factor.
        matrix: float64[4, w], its motif.
        manner: see there.
        name: of the set.
        marks: sequences for testing and validation.
        excluded: windows that touch these are left out.

    Raises:
        DataError: fewer than `FEWEST_OF_A_CLASS` pairs are left, or none on the test or validation sequences.
        UsageError: test or validation sequences that the genome lacks; a motif wider than the window.
    """
    marks = marks or Marks()
    if matrix.shape[1] > manner.window:
        raise UsageError(
            "the motif is wider than the window", found=f"a motif of {matrix.shape[1]} bases, a window of "
            f"{manner.window}", remedy="give a longer --window",
        )  # fmt: skip
    instances = motif_instances(genome, matrix, manner.threshold)
    width = matrix.shape[1]
    middle = _moved(instances.sites, np.full(len(instances.sites), width // 2))
    labels = overlapping(middle, manner.window, peaks).astype(np.int64)
    sites = middle if manner.centred else _scattered(middle, labels, width, manner)
    found = windows_around(genome, sites, manner.window, excluded)
    own, strength = labels[found.rows], instances.strength[found.rows]
    gc = ((found.codes == 1) | (found.codes == 2)).mean(axis=1)
    rows = matched(own, [_bins(gc, GC_STEP), _bins(strength, STRENGTH_STEP)], manner.seed)
    _require_pairs(len(rows) // 2, own, name)
    test, validation = marked(found.sites.take(rows), marks)
    result = SequenceSet(
        name, found.codes[rows], own[rows], test, places_of(found.sites.take(rows), manner.window), validation,
        (*found.notes, _note(own, rows, {"GC content": gc, "motif strength": strength})),
    )  # fmt: skip
    require_marked(result, marks)
    return result


def _moved(sites: Sites, by: NDArray[np.int64]) -> Sites:
    return Sites(sites.names, sites.chromosome, sites.position + by, sites.minus)


def _scattered(middle: Sites, labels: NDArray[np.int64], width: int, manner: Manner) -> Sites:
    """The middles of windows in which the bound instances lie anywhere as a whole."""
    before = (manner.window - 1) // 2 - width // 2
    after = manner.window - 1 - (manner.window - 1) // 2 - (width - 1 - width // 2)
    # the window moves right by as much as the motif moves left in it
    by = np.random.default_rng([manner.seed, _SHIFT]).integers(-after, before + 1, len(labels))
    return _moved(middle, np.where(labels == 1, by, 0))


def _bins(values: NDArray[np.float64], step: float) -> NDArray[np.int64]:
    return np.floor(values / step + 1e-9).astype(np.int64)


def _require_pairs(pairs: int, labels: NDArray[np.int64], name: str) -> None:
    if pairs < FEWEST_OF_A_CLASS:
        raise DataError(
            "there are too few motif instances to learn from", path=name,
            found=f"{pairs} matched pairs of {int(labels.sum()):,} bound and {int((labels == 0).sum()):,} unbound ones",
            wanted=f"{FEWEST_OF_A_CLASS} or more", remedy="raise the p-value of an instance, or give more peaks",
        )  # fmt: skip


def _note(labels: NDArray[np.int64], rows: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]]) -> str:
    """What was kept, and how far the distributions still differ (Kolmogorov & Smirnov's statistic)."""
    from scipy.stats import ks_2samp

    bound, unbound = (rows[labels[rows] == label] for label in (1, 0))
    apart = ", ".join(
        f"{ks_2samp(every[bound], every[unbound]).statistic:.3f} in {what}" for what, every in values.items()
    )
    return (
        f"{int(labels.sum()):,} motif instances are bound, {int((labels == 0).sum()):,} are not; {len(bound):,} of "
        f"each are kept, matched: their distributions differ by at most {apart}"
    )
