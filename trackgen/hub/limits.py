"""The range of values that browsers draw, from the genome-wide percentiles of a run.

A track's extremes are single bases; limits taken from them leave everything else a flat line. Limits taken from the
bulk cut every peak. So limits follow the upper percentiles and, for probabilities, the threshold of a call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trackgen.genome import open_signal
from trackgen.genome.sequence import sampled_pieces
from trackgen.hub.model import Limits
from trackgen.hub.runs import RunTrack

if TYPE_CHECKING:
    from trackgen.genome import SignalReader

__all__ = ["limits_of", "limits_of_files", "nice_ceiling"]

NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
# Above this a probability axis is drawn whole: 0 to 1 is what readers expect, and every browser handles it.
WHOLE_PROBABILITY_AXIS = 0.5
# A call stands at a quarter of the axis, and the highest 0.05 % of bases begin at half of it.
THRESHOLDS_IN_AXIS = 4.0
TOP_PERCENTILES_IN_AXIS = 2.0
# What single precision, and so a BigWig file, holds with all its digits; nearer to zero is zero.
SMALLEST, LARGEST = 2.0**-126, 2.0**127
PIECE, PIECES_LOOKED_AT = 1 << 18, 48
"""Bases, and how many stretches of so many are read of a file that no run tells of."""
EXTREMES = (0.05, 99)
"""Percentiles within a stretch; over each other, usual peaks must not be low for the sake of the few highest."""


def limits_of(role: str, tracks: Sequence[RunTrack], thresholds: Sequence[float]) -> Limits:
    """The limits shared by `tracks`, which have the same role and class, so that strands can be compared.

    Args:
        role: ``probability``, ``signal`` or ``contribution``.
        tracks: their extremes and percentiles are used; empty tracks count for nothing.
        thresholds: of the class, none or one per output that gives one, in probability.
    """
    filled = [track for track in tracks if track.maximum is not None and track.minimum is not None]
    if not filled:
        return Limits(0.0, 1.0)
    rules: dict[str, Callable[[Sequence[RunTrack], Sequence[float]], Limits]] = {
        "probability": _probability,
        "signal": _signal,
        "contribution": _contribution,
    }
    return rules[role](filled, thresholds)


def limits_of_files(paths: Sequence[Path]) -> Limits:
    """The limits shared by BigWig files of signals that are drawn over each other.

    Of each file the extreme percentiles of up to 48 stretches of 256 kb, spread over its sequences, and of these those
    that three quarters of the bases stay within: repeats and organelles, whose coverage is many times that of all else,
    take part in few stretches.
    """
    lows, highs = [0.0], [0.0]
    for path in paths:
        with open_signal(path) as reader:
            low, high = _usual_extremes(reader)
        lows.append(low)
        highs.append(high)
    return _around_zero(min(lows), max(highs))


def _usual_extremes(reader: SignalReader) -> tuple[float, float]:
    import numpy

    lows, highs = [], []
    for name, start, end in sampled_pieces(reader.lengths, PIECE, PIECES_LOOKED_AT):
        values = reader.values(name, start, end)
        values = values[numpy.isfinite(values)]
        if len(values):
            low, high = numpy.percentile(values, EXTREMES).tolist()
            lows.append((-low, len(values)))
            highs.append((high, len(values)))
    return -_upper_quartile(lows), _upper_quartile(highs)


def _upper_quartile(weighted: Sequence[tuple[float, int]]) -> float:
    """The smallest of some values that holds for three quarters of their weight; 0 of none."""
    rest = 0.75 * sum(weight for _, weight in weighted)
    for value, weight in sorted(weighted):
        rest -= weight
        if rest <= 0:
            return value
    return 0.0


def nice_ceiling(value: float) -> float:
    """The smallest round number (1, 1.5, 2, 3, 4, 5, 6 or 8 times a power of ten) that is at least `value` > 0."""
    exponent = math.floor(math.log10(value))
    # Decimal text rather than a product of floats: a power of ten may be 0 where its multiple is not.
    ceilings = (float(f"{step:g}e{exponent}") for step in NICE)
    return next(ceiling for ceiling in ceilings if ceiling >= value * (1 - 1e-6))


def _percentile(track: RunTrack, key: str, other: float | None) -> float:
    """The percentile where run.json has it, else the extreme that stands in for it."""
    return track.percentiles.get(key, other if other is not None else 0.0)


def _probability(tracks: Sequence[RunTrack], thresholds: Sequence[float]) -> Limits:
    highest = max(track.maximum or 0.0 for track in tracks)
    wanted = max(TOP_PERCENTILES_IN_AXIS * _percentile(track, "99.95", track.maximum) for track in tracks)
    wanted = max([wanted, *(THRESHOLDS_IN_AXIS * threshold for threshold in thresholds)])
    high = min(highest, wanted) if highest > 0 else wanted
    if high < SMALLEST or high >= WHOLE_PROBABILITY_AXIS:
        return Limits(0.0, 1.0)
    return Limits(0.0, min(nice_ceiling(high), 1.0))


def _signal(tracks: Sequence[RunTrack], thresholds: Sequence[float]) -> Limits:
    high = max(_percentile(track, "99.9", track.maximum) for track in tracks)
    low = min(_percentile(track, "0.05", track.minimum) for track in tracks)
    return _around_zero(min(low, 0.0), high)


def _contribution(tracks: Sequence[RunTrack], thresholds: Sequence[float]) -> Limits:
    high = max(_percentile(track, "99.95", track.maximum) for track in tracks)
    low = min(_percentile(track, "0.05", track.minimum) for track in tracks)
    return _around_zero(low, high)


def _around_zero(low: float, high: float) -> Limits:
    """Round limits that include zero; whole numbers where that is no loss (from 1 on)."""
    top = _outward(min(high, LARGEST)) if high >= SMALLEST else 0.0
    bottom = -_outward(min(-low, LARGEST)) if low <= -SMALLEST else 0.0
    return Limits(bottom, top) if top > bottom else Limits(0.0, 1.0)


def _outward(value: float) -> float:
    return float(math.ceil(nice_ceiling(value))) if value >= 1 else nice_ceiling(value)
