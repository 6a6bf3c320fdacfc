"""Bins of a genome, bound or not, as the ENCODE-DREAM challenge has them.

Bins of 200 bp start at every multiple of 50 bp. A peak narrower than `PEAK_WIDTH`, such as the one-base midpoints of
ChIP-exo, first becomes `PEAK_WIDTH` bases wide around its centre. A bin is **bound** where a single strong peak covers
half of it or more, **ambiguous** where peaks cover less of it than that or where a weak peak covers any of it, else
**unbound**. Strong peaks are the challenge's conservative ones, weak peaks its relaxed ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome.codes import UNKNOWN
from trackgen.genome.sequence import Genome

__all__ = [
    "AMBIGUOUS", "BIN", "BOUND", "PEAK_WIDTH", "STRIDE", "UNBOUND", "Peak", "label_bins",
    "unusable_bins", "widen",
]  # fmt: skip

BIN = 200
STRIDE = 50
PEAK_WIDTH = 200
UNBOUND, BOUND, AMBIGUOUS = 0, 1, -1
_BASES_PER_FETCH = 1 << 20


class Peak(NamedTuple):
    """A stretch that a factor binds, 0-based half-open; not `strong` where that is uncertain."""

    start: int
    end: int
    strong: bool = True


def widen(start: int, end: int, width: int) -> tuple[int, int]:
    """The interval of `width` bp around the middle of [start, end); itself where it is as wide already."""
    if end - start >= width:
        return start, end
    first = (start + end) // 2 - width // 2
    return first, first + width


def label_bins(
    peaks: Sequence[Peak], length: int, *, peak_width: int = PEAK_WIDTH, stride: int = STRIDE, width: int = BIN
) -> NDArray[np.int8]:
    """Label of every bin of a sequence that lies on it as a whole; bin i is [s i, s i + w) for stride s and width w.

    Args:
        peaks: in any order.
        length: of the sequence, bp.
        peak_width: narrower peaks are widened to this around their centre, bp.
        stride: s, bp.
        width: w, bp.

    Returns:
        int8[(length - w) // s + 1], or of no element: `BOUND`, `UNBOUND` or `AMBIGUOUS`.
    """
    number = max(0, (length - width) // stride + 1)
    # the largest overlap of a bin with a weak peak, and with a strong one, bp
    covered = np.zeros((2, number), dtype=np.int32)
    if peaks and number:
        spans = np.array([widen(peak.start, peak.end, peak_width) for peak in peaks], np.int64)
        strong = np.array([peak.strong for peak in peaks], np.int64)
        first, last = _bins_over(spans, number, stride, width)
        counts = last - first
        of_peak = np.repeat(np.arange(len(spans)), counts)
        bins = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[of_peak]
        start, end = spans[of_peak].T
        overlap = np.minimum(bins * stride + width, end) - np.maximum(bins * stride, start)
        np.maximum.at(covered, (strong[of_peak], bins), overlap.astype(np.int32))
    labels = np.full(number, UNBOUND, dtype=np.int8)
    labels[covered.any(axis=0)] = AMBIGUOUS
    labels[2 * covered[1] >= width] = BOUND
    return labels


def unusable_bins(
    genome: Genome | None, name: str, gaps: NDArray[np.int64], number: int, *, first: int = 0, stride: int = STRIDE,
    width: int = BIN,
) -> NDArray[np.bool_]:  # fmt: skip
    """Mask of `number` bins of a sequence, from bin `first` on: those that overlap a gap or hold an unknown base.

    Args:
        genome: where bases come from; None where they are not known, then only gaps count.
        gaps: int64[n, 2].
    """
    bad = np.zeros(number, dtype=np.bool_)
    begin = first * stride
    for low, high in zip(*_bins_over(gaps - begin, number, stride, width), strict=True):
        bad[low:high] = True
    if genome is None or not number:
        return bad
    end = begin + (number - 1) * stride + width
    for start in range(begin, end, _BASES_PER_FETCH):
        codes = genome.fetch(name, start, min(start + _BASES_PER_FETCH, end))
        unknown = np.flatnonzero(codes == UNKNOWN) + start - begin
        # base p lies in bin p // stride and in those before it that start less than a width before p
        for back in range(-(-width // stride)):
            bins = unknown // stride - back
            inside = (bins >= 0) & (bins < number) & (unknown - bins * stride < width)
            bad[bins[inside]] = True
    return bad


def _bins_over(
    spans: NDArray[np.int64], number: int, stride: int, width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """int64[n] first and last (exclusive) bin over each row of int64[n, 2]."""
    first = np.maximum(0, (spans[:, 0] - width) // stride + 1)
    last = np.minimum(number, (spans[:, 1] - 1) // stride + 1)
    return first, np.maximum(first, last)
