"""What to evaluate, and against what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from trackgen.errors import UsageError
from trackgen.evaluate.scores import Statistic
from trackgen.genome.bins import BIN, STRIDE

__all__ = ["EvaluateOptions", "check_options"]

SIGNAL_BIN = 25
"""Bases of a bin where signals are compared: the fourth seed's."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What to evaluate, and against what; see ``trackgen evaluate --help`` for the meaning of each.

    One of `labels` and `signal` is given, or both: then bins are those of signals, and labels stand on the same.
    """

    tracks: tuple[Path, ...]
    labels: Path | None = None
    ambiguous: Path | None = None
    column: str | None = None
    genome: Path | None = None
    regions: tuple[str, ...] = ()
    chroms: tuple[str, ...] = ()
    exclude: tuple[Path, ...] = ()
    width: int | None = None
    stride: int | None = None
    peak_width: int | None = None
    statistic: Statistic | None = None
    ambiguous_as: str = "unbound"
    thresholds: tuple[float, ...] = ()
    bootstrap: int = 1000
    block: int | None = None
    seed: int = 1
    temporary_folder: Path | None = None
    signal: Path | None = None
    zeros: bool = False

    @property
    def bin_width(self) -> int:
        """Bases of a bin."""
        return self.width if self.width is not None else SIGNAL_BIN if self.signal else BIN

    @property
    def bin_stride(self) -> int:
        """Bases from bin to bin: bins of signals lie side by side."""
        return self.stride if self.stride is not None else self.bin_width if self.signal else STRIDE

    @property
    def bin_statistic(self) -> Statistic:
        """What of the values in a bin counts."""
        return self.statistic or ("mean" if self.signal else "max")


def check_options(options: EvaluateOptions) -> None:
    """Refuse what cannot be honoured.

    Raises:
        UsageError: it can't be.
    """
    if not options.tracks:
        raise UsageError("no track is given", wanted="BigWig files")
    if options.labels is None and options.signal is None:
        raise UsageError(
            "there is nothing to hold the tracks against", wanted="--labels, for peaks; --signal, for a true track"
        )
    if options.labels is None:
        for place, given in (("--ambiguous", options.ambiguous), ("--column", options.column)):
            if given:
                raise UsageError("this belongs to labels", place=place, remedy="add --labels, or leave it out")
    for name, value in (("--bins", options.width), ("--stride", options.stride), ("--peak-width", options.peak_width)):
        if value is not None and value < 1:
            raise UsageError("this must be 1 or more", place=name, found=value)
    if options.block is not None and options.block < 1:
        raise UsageError("a block has bases", place="--block", found=options.block, wanted="1 or more")
    if options.seed < 0:
        raise UsageError("this must be 0 or more", place="--seed", found=options.seed)
    for threshold in options.thresholds:
        if not math.isfinite(threshold):
            raise UsageError("this is no value of a track", place="--threshold", found=threshold, wanted="a number")
