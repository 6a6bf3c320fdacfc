"""A signal from reads, fragments or another track, written as BigWig."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from trackgen.errors import DataError
from trackgen.genome.fragments import FragmentCounts
from trackgen.progress import Progress
from trackgen.signals.recipe import Recipe

__all__ = ["SignalSummary", "make_signal"]


class SignalSummary(NamedTuple):
    """What a signal was made of.

    Attributes:
        fragments: fragments, or single reads, that were used.
        depth: mean coverage by fragments (or mean cuts) over the usual genome, before scaling.
        factor: what counts were multiplied by.
        counts: what became of the file's records; None for a BigWig track.
        mean: mean of the written values over all bases that have one.
    """

    fragments: int
    depth: float
    factor: float
    counts: FragmentCounts | None
    mean: float


def make_signal(
    path: Path, lengths: Mapping[str, int], target: Path, recipe: Recipe, progress: Progress, *,
    resolution: int = 1, statistic: str = "mean",
) -> SignalSummary:  # fmt: skip
    """Write a signal as BigWig. Memory does not grow with the number of reads.

    Args:
        path: BAM, BED, BEDPE, 10x fragments or BigWig.
        lengths: sequences of the genome.
        target: the BigWig file.
        recipe: how it is made.
        progress: told how far it is.
        resolution: bases of a bin.
        statistic: ``mean`` or ``max`` over the bases of a bin.

    Raises:
        DataError: see `trackgen.genome.fragments.open_fragments`.
    """
    raise DataError("signals come next", path=path)
