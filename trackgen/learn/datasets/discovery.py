"""Motif discovery from peaks: windows around them against their own shuffles, as Zeng 2016 and DeepBind have it.

A peak stands for the base at its summit (narrowPeak) or its middle (BED). Bound is the window of L bases around it, and
unbound a shuffle of each such window that keeps its dinucleotides (`trackgen.genome.shuffles`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import UNKNOWN, Genome, Interval, shuffle_windows
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.datasets.sequences import FEWEST_OF_A_CLASS, SequenceSet
from trackgen.learn.datasets.windows import Sites, read_windows
from trackgen.learn.metrics import auroc
from trackgen.learn.motif import find_motif

__all__ = [
    "SHUFFLE_SEED", "Marks", "Windows", "assembly_doubt", "centres", "discovery_set", "marked", "places_of",
    "require_marked", "windows_around",
]  # fmt: skip

SHUFFLE_SEED = 1
"""Of the negatives that are shuffles of a set's own positives: fixed, so that a set is the same for everybody."""
FLANK = 1000
"""How far from a peak the sequence lies that its motif is not expected in, bp."""
FEWEST_DEVIATIONS = 3.0
"""Standard deviations by which the motif of half of the peaks has to tell the other half from their flanks."""
MOST_LOOKED_AT = 4000
"""Peaks that this is looked at for."""


class Windows(NamedTuple):
    """Windows on a genome.

    Attributes:
        codes: uint8[n, L].
        sites: n, the base that each window is around.
        rows: int64[n], which of the sites that were given these are.
        notes: sentences on those that were left out.
    """

    codes: NDArray[np.uint8]
    sites: Sites
    rows: NDArray[np.int64]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Marks:
    """Which sequences of a genome are for testing and validation."""

    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()


def centres(rows: Sequence[BedRow], genome: Genome) -> Sites:
    """The centre of every peak, each base once, in genome order, on the plus strand."""
    number = {name: index for index, name in enumerate(genome.names)}
    pairs = np.array(sorted({(number[row.name], row.centre) for row in rows}), dtype=np.int64).reshape(-1, 2)
    return Sites(genome.names, pairs[:, 0].astype(np.int32), pairs[:, 1], np.zeros(len(pairs), dtype=np.bool_))


def windows_around(genome: Genome, sites: Sites, window: int, excluded: Sequence[Interval] = ()) -> Windows:
    """Windows of `window` bases around sites, less those that lie beyond an end, hold an unknown base or are excluded.

    The site is element `(window - 1) // 2` of its window (see `read_windows`).
    """
    lengths = np.array(list(genome.lengths.values()), dtype=np.int64)[sites.chromosome]
    pad = (window - 1) // 2
    first, last = sites.position - pad, sites.position - pad + window
    beyond = (first < 0) | (last > lengths)
    shut_out = _touches(genome, sites, first, last, excluded) & ~beyond
    rows = np.flatnonzero(~beyond & ~shut_out)
    codes = read_windows(genome, sites.take(rows), window)
    known = (codes != UNKNOWN).all(axis=1)
    counts = (
        (int(beyond.sum()), "reach beyond an end of their sequence"),
        (int(shut_out.sum()), "lie on excluded stretches"),
        (int((~known).sum()), "hold unknown bases"),
    )
    notes = tuple(f"{number:,} of {len(sites):,} windows {what} and are left out" for number, what in counts if number)
    return Windows(codes[known], sites.take(rows[known]), rows[known], notes)


def _touches(
    genome: Genome, sites: Sites, first: NDArray[np.int64], last: NDArray[np.int64], excluded: Sequence[Interval]
) -> NDArray[np.bool_]:
    """Mask of the windows [first, last) that share a base with an excluded interval."""
    touched = np.zeros(len(sites), dtype=np.bool_)
    for name, spans in spans_by_name(excluded, genome.lengths).items():
        here = np.flatnonzero(sites.chromosome == sites.names.index(name)) if len(spans) else np.zeros(0, np.int64)
        before = np.searchsorted(spans[:, 0], last[here], side="left") - 1
        touched[here] = (before >= 0) & (spans[np.maximum(before, 0), 1] > first[here]) if len(here) else False
    return touched


def places_of(sites: Sites, window: int) -> tuple[str, ...]:
    """``chr:start-end`` of the window around each site, 1-based closed."""
    starts = sites.position - (window - 1) // 2 + 1
    return tuple(
        f"{sites.names[chromosome]}:{start}-{start + window - 1}"
        for chromosome, start in zip(sites.chromosome.tolist(), starts.tolist(), strict=True)
    )


def marked(sites: Sites, marks: Marks) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Masks of the sites on test sequences and on those for validation (None where there are none).

    Raises:
        UsageError: a name that the genome lacks, or in both parts.
    """
    twice = set(marks.test) & set(marks.validation)
    if twice:
        raise UsageError("a sequence cannot be validation and test at once", found=", ".join(sorted(twice)))
    masks = []
    for part, names in (("test", marks.test), ("validation", marks.validation)):
        unknown = [name for name in names if name not in sites.names]
        if unknown:
            raise UsageError(f"the {part} sequence {unknown[0]} is not in the genome", wanted=", ".join(sites.names))
        masks.append(np.isin(sites.chromosome, [sites.names.index(name) for name in names]))
    return masks[0], masks[1] if marks.validation else None


def discovery_set(
    genome: Genome, peaks: Sequence[BedRow], window: int, *, name: str = "peaks", marks: Marks | None = None,
    excluded: Sequence[Interval] = (), seed: int = SHUFFLE_SEED,
) -> SequenceSet:  # fmt: skip
    """Windows around peaks, and a dinucleotide shuffle of each: first all bound ones, then their shuffles, in order.

    Args:
        genome: that the peaks lie on.
        peaks: in any order; those with the same centre count once.
        window: L, bases.
        name: of the set.
        marks: sequences for testing and validation; without, the set leaves both to be drawn.
        excluded: windows that touch these are left out.
        seed: of the shuffles.

    Raises:
        DataError: fewer than `FEWEST_OF_A_CLASS` windows, or test or validation sequences without any.
        UsageError: test or validation sequences that the genome lacks.
    """
    sites = centres(peaks, genome)
    test, validation = marked(sites, marks or Marks())
    found = windows_around(genome, sites, window, excluded)
    _require_enough(len(found.codes), len(sites), name)
    shuffles = shuffle_windows(found.codes, np.random.default_rng(seed).integers(0, 1 << 62, len(found.codes)))
    doubt = assembly_doubt(genome, found.sites, window)
    result = SequenceSet(
        name, np.concatenate([found.codes, shuffles]), np.repeat([1, 0], len(found.codes)).astype(np.int64),
        np.tile(test[found.rows], 2), places_of(found.sites, window) * 2,
        None if validation is None else np.tile(validation[found.rows], 2),
        found.notes + ((doubt,) if doubt else ()),
    )  # fmt: skip
    require_marked(result, marks or Marks())
    return result


def _require_enough(number: int, peaks: int, name: str) -> None:
    if number < FEWEST_OF_A_CLASS:
        raise DataError(
            "there are too few peaks to learn from", path=name, found=f"{number} windows of {peaks} peaks",
            wanted=f"{FEWEST_OF_A_CLASS} or more", remedy="give more peaks, or exclude less",
        )  # fmt: skip


def require_marked(found: SequenceSet, marks: Marks) -> None:
    """Refuse a set without sequences of both classes on the test or validation sequences that were asked for."""
    masks = (("test", marks.test, found.test), ("validation", marks.validation, found.validation))
    for part, names, mask in masks:
        if names and mask is not None and len(np.unique(found.labels[mask])) < 2:
            raise DataError(
                f"a class has no window on the {part} sequences", path=found.name, found=f"none on {', '.join(names)}",
                remedy="choose other sequences",
            )  # fmt: skip


def assembly_doubt(genome: Genome, sites: Sites, window: int) -> str | None:
    """A warning where the peaks' motif stands beside them as often as at them; None where all is well.

    The motif that tells half of the peaks from the sequence 1,000 bp beside them is looked for in the other half and
    beside it. Peaks of another assembly lie anywhere, and are like what lies beside them.
    """
    chosen = np.random.default_rng(SHUFFLE_SEED).permutation(len(sites))[:MOST_LOOKED_AT]
    own = sites.take(np.sort(chosen))
    lengths = np.array(list(genome.lengths.values()), dtype=np.int64)[own.chromosome]
    aside = np.where(own.position + FLANK + window < lengths, own.position + FLANK, own.position - FLANK)
    beside = Sites(own.names, own.chromosome, aside, own.minus)
    both = [read_windows(genome, which, window) for which in (own, beside)]
    fitted, judged = ([codes[half::2] for codes in both] for half in (0, 1))
    number = len(judged[0])
    if number < FEWEST_OF_A_CLASS // 2:
        return None
    scores = np.concatenate([find_motif(*fitted).best(codes)[0] for codes in judged])
    area = auroc(np.repeat([True, False], number), scores)
    # variance of the area under a curve that says nothing (Mann & Whitney 1947)
    deviation = float(np.sqrt((2 * number + 1) / (12 * number * number)))
    if area - 0.5 >= FEWEST_DEVIATIONS * deviation:
        return None
    return (
        f"warning: no motif tells these peaks from the sequence {FLANK:,} bp beside them (AUROC {area:.2f} on half of "
        "them): peaks and genome may be of different assemblies"
    )
