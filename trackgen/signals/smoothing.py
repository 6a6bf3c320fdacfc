"""Smoothing of tracks, the baseline of denoising: a box, or Gauss's curve, over bases that have a value.

The value of a base is the mean over its neighbours by the kernel's weights; bases without a value, and those beyond the
ends of a sequence, count nowhere, so weights add up to 1 everywhere and a constant stays as it is. A base without a
value keeps none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig import BigWigWriter
from trackgen.errors import UsageError
from trackgen.genome import open_signal, reconcile
from trackgen.genome.signals import finite_values
from trackgen.genome.sliding import sliding
from trackgen.progress import Progress

__all__ = ["SHAPES", "Kernel", "parse_kernel", "smooth_track", "smoothed"]

SHAPES = ("box", "gauss")
CUT = 4
"""Standard deviations at which Gauss's curve ends: 6e-5 of it lies beyond."""
WIDEST = 100_001
BASES_AT_ONCE = 1 << 20

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Kernel:
    """What neighbours weigh.

    Attributes:
        shape: ``box``: `size` bases, an odd number, weigh the same; ``gauss``: Gauss's curve.
        size: bases of the box; or the curve's standard deviation, bp.

    Raises:
        UsageError: another shape, or a size that cannot be.
    """

    shape: str
    size: float

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise UsageError("there is no such kernel", place="--kernel", found=self.shape, wanted=" or ".join(SHAPES))
        if self.shape == "box" and (self.size % 2 != 1 or self.size < 1):
            raise UsageError("a box has a middle base", place="--kernel", found=f"{self.size:g}", wanted="odd bases")
        if not (math.isfinite(self.size) and self.size > 0 and 2 * self.reach + 1 <= WIDEST):
            raise UsageError(
                "a kernel can't be so wide", place="--kernel", found=str(self),
                wanted=f"more than 0 bases, and at most {WIDEST:,} in all",
            )  # fmt: skip

    @property
    def reach(self) -> int:
        """Bases that count on either side."""
        return int(self.size) // 2 if self.shape == "box" else math.ceil(CUT * self.size)

    def weighted(self, values: Float64) -> Float64:
        """Sums of neighbours by weight: (N + 2 reach,) -> (N,); each adds its own values alone, in one order."""
        if self.shape == "box":
            return sliding(values, int(self.size))
        distance = np.arange(-self.reach, self.reach + 1) / self.size
        return np.convolve(values, np.exp(-0.5 * distance**2), "valid")

    def __str__(self) -> str:
        return f"{self.shape}:{self.size:g}"


def parse_kernel(text: str) -> Kernel:
    """``box:151`` or ``gauss:40`` as a kernel.

    Raises:
        UsageError: it is none.
    """
    shape, _, size = text.partition(":")
    try:
        return Kernel(shape.strip().lower(), float(size))
    except ValueError:
        raise UsageError(
            "this is no kernel", place="--kernel", found=text, wanted="box:BASES or gauss:BASES, such as box:151"
        ) from None


def smoothed(values: NDArray[np.float32], kernel: Kernel) -> NDArray[np.float32]:
    """Values smoothed: float32[N + 2 reach] with what lies on either side, NaN for no value -> float32[N]."""
    missing = np.isnan(values)
    reach = kernel.reach
    sums = kernel.weighted(np.where(missing, 0.0, values.astype(np.float64)))
    # The same sum for every base where all neighbours have a value.
    weights = kernel.weighted(np.where(missing, 0.0, 1.0)) if missing.any() else kernel.weighted(np.ones(2 * reach + 1))
    here = missing[reach : len(values) - reach]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(here, np.nan, sums / weights), np.float32)


def smooth_track(
    source: Path, target: Path, kernel: Kernel, progress: Progress, chroms: Sequence[str] = ()
) -> Mapping[str, int]:
    """Write a BigWig track smoothed as another; memory does not grow with it.

    Args:
        source: the track.
        target: the file to write.
        kernel: how to smooth.
        progress: is told how far it is.
        chroms: smooth these sequences alone, and leave the others without values; none: all.

    Returns:
        Bases of each sequence that was smoothed.

    Raises:
        DataError: the track is missing, damaged, lacks a sequence, or holds an infinite value.
        UsageError: `target` is `source`.
        ResourceError: the file cannot be written.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError("a track can't be smoothed into itself", path=target, place="-o", wanted="another file")
    with open_signal(source) as reader:
        lengths = dict(reader.lengths)
        chosen = reconcile(dict.fromkeys(chroms), lengths, path=source, what="--chroms").values() if chroms else lengths
        lengths = {name: length for name, length in lengths.items() if name in set(chosen)}
        progress.start(f"smooth {source.name}", sum(lengths.values()), "bases")
        with BigWigWriter(target, reader.lengths, stride=1) as writer:
            for name, length in lengths.items():
                for first in range(0, length, BASES_AT_ONCE):
                    last = min(first + BASES_AT_ONCE, length)
                    values = finite_values(reader, name, first - kernel.reach, last + kernel.reach)
                    writer.add(name, first, smoothed(values, kernel), np.zeros((0, 2), np.int64))
                    progress.advance(last - first)
        progress.finish()
    return lengths
