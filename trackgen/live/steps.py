"""Values of bases joined to values of several bases each, as a browser asks for them when it shows many."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.scan.tracks import TrackPlan

__all__ = ["Rule", "reduced", "rule_of", "stretches"]

Float32 = NDArray[np.float32]
Rule = Literal["largest", "mean", "largest size"]


def rule_of(track: TrackPlan, card: Card) -> Rule:
    """How values of a track are joined: narrow peaks of probability and single letters survive."""
    if track.slot is not None:
        return "largest size"
    return "largest" if card.outputs[track.output].role == "probability" else "mean"


def reduced(values: Float32, step: int, rule: Rule) -> Float32:
    """One value for each `step` bases, the last one of fewer; NaN where all of them are.

    Args:
        values: (n,).

    Returns:
        float32 (ceil(n / step),).
    """
    if step == 1 or not len(values):
        return values
    rows = np.pad(values, (0, -len(values) % step), constant_values=np.nan).reshape(-1, step)
    if rule == "largest":
        return np.asarray(np.fmax.reduce(rows, axis=1), np.float32)
    if rule == "mean":
        count = np.count_nonzero(~np.isnan(rows), axis=1)
        total = np.nansum(rows, axis=1, dtype=np.float64)
        return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)
    size = np.where(np.isnan(rows), -1, np.abs(rows))
    return np.asarray(np.take_along_axis(rows, size.argmax(axis=1)[:, None], axis=1)[:, 0], np.float32)


def stretches(values: Float32, start: int, end: int, step: int) -> Iterator[tuple[int, int, float]]:
    """Runs of equal values as (start, end, value), gaps left out; value k stands for `step` bases."""
    if not len(values):
        return
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    borders = [0, *changes.tolist(), len(values)]
    for low, high in itertools.pairwise(borders):
        if not np.isnan(values[low]):
            yield start + low * step, min(end, start + high * step), float(f"{values[low]:.9g}")
