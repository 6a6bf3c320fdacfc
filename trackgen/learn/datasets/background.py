"""Windows of a genome that a set does not call bound: what a classifier of sequences meets when it scans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Genome, Interval
from trackgen.learn.datasets.discovery import windows_around
from trackgen.learn.datasets.sequences import FEWEST_OF_A_CLASS, SequenceSet
from trackgen.learn.datasets.windows import Sites

__all__ = ["BACKGROUND", "background_windows", "bound_intervals"]

BACKGROUND = 20_000
"""Windows that stand for a genome: of one in a thousand that is called, there are twenty."""
_SEED = 11


def bound_intervals(sequences: SequenceSet, genome: Genome) -> list[Interval]:
    """Where the bound sequences of a set lie on a genome; none where the set does not say, or means another one."""
    found = []
    for row in np.flatnonzero(sequences.labels == 1) if sequences.places else ():
        name, _, stretch = sequences.places[row].rpartition(":")
        start, end = map(int, stretch.split("-"))
        if name in genome.lengths and end <= genome.lengths[name]:
            found.append(Interval(name, start - 1, end))
    return found


def background_windows(
    genome: Genome, names: Sequence[str], window: int, excluded: Sequence[Interval], seed: int,
    number: int = BACKGROUND,
) -> NDArray[np.uint8]:  # fmt: skip
    """Different windows at random places that do not touch excluded intervals, uint8[n, L], at most `number`.

    Args:
        genome: where they lie.
        names: the sequences that they are drawn from, in proportion to their lengths.
        window: L, bases.
        excluded: stretches that are left out, as windows with unknown bases are.
        seed: of the draw.
        number: n, but for places that are drawn twice or left out: three times as many are drawn.

    Raises:
        DataError: fewer than `FEWEST_OF_A_CLASS` are left.
    """
    places = np.array([max(genome.lengths[name] - window + 1, 0) for name in names], dtype=np.int64)
    ends = np.cumsum(places)
    random = np.random.default_rng([seed, _SEED])
    drawn = random.integers(0, max(int(places.sum()), 1), 3 * number) if places.any() else np.zeros(0, np.int64)
    drawn = np.sort(random.permutation(np.unique(drawn))[: 2 * number])
    which = np.searchsorted(ends, drawn, side="right")
    position = drawn - (ends - places)[which] + (window - 1) // 2
    chromosome = np.array([genome.names.index(name) for name in names], dtype=np.int32)[which]
    sites = Sites(genome.names, chromosome, position, np.zeros(len(drawn), dtype=np.bool_))
    codes = windows_around(genome, sites, window, excluded).codes
    if len(codes) < FEWEST_OF_A_CLASS:
        raise DataError(
            "the genome has too few windows that are not bound", found=f"{len(codes)} on {', '.join(names)}",
            wanted=f"{FEWEST_OF_A_CLASS} or more", remedy="name longer sequences, or exclude less",
        )  # fmt: skip
    return codes[np.sort(random.permutation(len(codes))[:number])]
