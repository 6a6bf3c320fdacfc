"""Values of a track as a figure needs them: one for each base, or for each column of pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Interval, SignalReader

__all__ = ["Columns", "read_columns"]

READ_WHOLE = 4_000_000
"""bp; longer stretches are read from the summaries that a BigWig file carries."""

Floats = NDArray[np.float64]


class Columns(NamedTuple):
    """Stretches of equal length, side by side: (n + 1,) `edges` in bp, 0-based; (n,) values, NaN where there is none.

    `value` is the track's own statistic; `low` and `high` are the extremes of each stretch.
    """

    edges: Floats
    value: Floats
    low: Floats
    high: Floats


def read_columns(reader: SignalReader, locus: Interval, count: int, statistic: str) -> Columns:
    """At most `count` columns of `locus`; single bases where it has no more.

    Args:
        statistic: ``max``, ``min`` or ``mean``, over the bases of a column that have a value.
    """
    name, start, end = locus.name, locus.start, locus.end
    if name not in reader.lengths:
        # A track without a single value on a sequence may not list it.
        empty = np.full(min(count, end - start), np.nan)
        return Columns(np.linspace(start, end, len(empty) + 1), empty, empty, empty)
    if end - start <= count:
        values = reader.values(name, start, end).astype(np.float64)
        return Columns(np.arange(start, end + 1, dtype=np.float64), values, values, values)
    if end - start > READ_WHOLE:
        low, high = (reader.summary(name, start, end, count, kind) for kind in ("min", "max"))
        value = {"min": low, "max": high}.get(statistic)
        if value is None:
            value = reader.summary(name, start, end, count, "mean")
        return Columns(np.linspace(start, end, count + 1), value, low, high)
    edges = start + np.arange(count + 1, dtype=np.int64) * (end - start) // count
    return _reduced(reader.values(name, start, end).astype(np.float64), edges, statistic)


def _reduced(values: Floats, edges: NDArray[np.int64], statistic: str) -> Columns:
    first = edges[:-1] - edges[0]
    known = np.isfinite(values)
    low = np.fmin.reduceat(np.where(known, values, np.nan), first)
    high = np.fmax.reduceat(np.where(known, values, np.nan), first)
    value = {"min": low, "max": high}.get(statistic)
    if value is None:
        counts = np.add.reduceat(known.astype(np.int64), first)
        sums = np.add.reduceat(np.where(known, values, 0.0), first)
        value = np.divide(sums, counts, out=np.full(len(first), np.nan), where=counts > 0)
    return Columns(edges.astype(np.float64), value, low, high)
