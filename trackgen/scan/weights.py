"""How much each window counts in a contribution track, and what all windows over a base count together.

The value of a base is the weighted mean of what the windows over it say: sum of w_i C_i(p) / sum of w_i.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackgen.genome.sliding import sliding

__all__ = ["add_elements", "add_windows", "called_windows", "joined_ranges", "weight_at_bases"]

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def weight_at_bases(weights: Float64, first: int, stride: int, window: int, low: int, high: int) -> Float64:
    """The sum of the weights of the windows over each base of [low, high).

    Args:
        weights: (Q, N) of neighbouring windows, window i beginning at `first` + i * `stride`.
        window: bases of one.

    Returns:
        (Q, high - low).
    """
    few = window // stride
    # Sums over windows i - count + 1 .. i stand at i, and at N + count - 2 the last; none over the others.
    bases = np.arange(low, high)
    last = (bases - first) // stride
    begin = (bases - first - window) // stride + 1
    found = np.zeros((len(weights), high - low), np.float64)
    for count in (few, few + 1):
        here = last - begin + 1 == count
        if not count or not here.any():
            continue
        padded = np.pad(weights, ((0, 0), (count, count)))
        sums = sliding(padded, count)  # sum j begins at window j - count
        found[:, here] = sums[:, np.clip(begin[here] + count, 0, sums.shape[1] - 1)]
    return found


def called_windows(probabilities: NDArray[np.float32], threshold: float, reach: int) -> NDArray[np.bool_]:
    """Which of N neighbouring windows are calls: at least `threshold`, and the largest of all `reach` on each side.

    Of equals the first counts.
    """
    values = np.asarray(probabilities, np.float32)
    called: NDArray[np.bool_] = values >= np.float32(threshold)
    if reach and called.any():
        lowest = np.full(reach, -np.inf)
        # Largest i is that of windows i - reach .. i - 1.
        largest = sliding(np.concatenate([lowest, values, lowest]), reach, np.maximum)
        called &= (values > largest[: len(values)]) & (values >= largest[reach + 1 :])
    return called


def add_windows(sums: Float64, starts: Int64, contributions: NDArray[np.float32], weights: Float64) -> None:
    """Add N windows' contributions to a row of bases, each at its place: ``sums[starts[n] + j] += w[n] * c[n, j]``.

    Args:
        sums: (T,) changed in place.
        starts: (N,) ascending.
        contributions: (N, L).
        weights: (N,).
    """
    weighted = contributions * weights[:, None]
    count, length = weighted.shape
    steps = np.diff(starts)
    if count > length and (steps == steps[0]).all():
        first, stride = int(starts[0]), int(steps[0])
        # Neighbouring windows in one addition for each position: no two of them share its bases.
        for position in range(length):
            begin = first + position
            sums[begin : begin + (count - 1) * stride + 1 : stride] += weighted[:, position]
        return
    for start, row in zip(starts.tolist(), weighted, strict=True):
        sums[start : start + length] += row


def add_elements(points: Float64, step: int, resolution: int, bases: int) -> Float64:
    """Sums at points of a signal's grid as sums at bases: every element counts whole for all bases that it covers.

    Args:
        points: (Q, P) sums of the elements that begin at point p, base p * `step`.
        step, resolution: bases between points, and of an element.

    Returns:
        (Q, bases).
    """
    count = resolution // step
    if count > 1:
        points = sliding(np.pad(points, ((0, 0), (count - 1, count - 1))), count)
    held = np.repeat(points, step, axis=1)[:, :bases]
    return np.pad(held, ((0, 0), (0, bases - held.shape[1])))


def joined_ranges(ranges: Sequence[range]) -> range:
    """The range from the first of all to the last."""
    kept = [entry for entry in ranges if entry]
    return range(min(entry.start for entry in kept), max(entry.stop for entry in kept)) if kept else range(0)
