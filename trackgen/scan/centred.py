"""``--regions --centred``: the contributions of one window for each region, about its middle.

Where windows overlap, each base belongs to the window whose middle is nearer, to the left one where both are as near.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Interval, merge
from trackgen.genome.tiling import Grid

__all__ = ["Centres", "OwnWindows", "centres_digest", "centres_of", "middle_of", "own_windows", "spans_of_windows"]

Int64 = NDArray[np.int64]
Centres = Mapping[str, Int64]
"""Per sequence, in genome order: the middle bases of its regions, ascending, each once."""


class OwnWindows(NamedTuple):
    """Windows about centres, and the bases that each has for itself."""

    starts: Int64
    low: Int64
    high: Int64


def middle_of(start: int, end: int) -> int:
    """The base in the middle of [start, end), the right one of two."""
    return (start + end) // 2


def centres_of(rows: Iterable[Interval], names: Iterable[str]) -> dict[str, Int64]:
    """The middles of regions, on the sequences `names`."""
    found: dict[str, set[int]] = {}
    for row in rows:
        found.setdefault(row.name, set()).add(middle_of(row.start, row.end))
    return {name: np.array(sorted(found[name]), np.int64) for name in names if name in found}


def own_windows(centres: Int64, grid: Grid, origin: int) -> OwnWindows:
    """The windows whose bins lie about `centres` (ascending), and the bases that each has for itself.

    Args:
        origin: first base of window 0, as the windows are read.
    """
    starts = centres - grid.bin // 2 + origin
    low, high = starts.copy(), starts + grid.window
    between = (centres[:-1] + centres[1:]) // 2 + 1
    low[1:] = np.maximum(low[1:], between)
    high[:-1] = np.minimum(high[:-1], between)
    return OwnWindows(starts, low, high)


def spans_of_windows(
    centres: Centres, grids: Sequence[tuple[Grid, int]], lengths: Mapping[str, int]
) -> dict[str, NDArray[np.int64]]:
    """The stretches that any of the windows cover.

    Args:
        grids: per reading of each model its grid, and the first base of its window 0.
    """
    found = {}
    for name, middles in centres.items():
        starts = [middles - grid.bin // 2 + origin for grid, origin in grids]
        spans = [np.stack([first, first + grid.window], axis=1) for first, (grid, _) in zip(starts, grids, strict=True)]
        clipped = np.clip(np.concatenate(spans), 0, lengths[name])
        found[name] = merge(clipped[clipped[:, 1] > clipped[:, 0]])
    return found


def centres_digest(centres: Centres) -> str:
    """One hash over all centres."""
    rows = [[name, middles.tolist()] for name, middles in sorted(centres.items())]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
