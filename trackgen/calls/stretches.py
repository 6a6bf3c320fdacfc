"""Calls out of the values of one sequence: stretches over a threshold with a summit, or places that are the highest.

Both come in pieces of any length and give the same whatever the pieces are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.scan.weights import called_windows

__all__ = ["CALL", "Calls", "StretchCaller", "no_calls", "place_calls", "runs_over"]

CALL = np.dtype(
    [("start", "<i8"), ("end", "<i8"), ("top", "<i8"), ("top_end", "<i8"), ("value", "<f4"), ("strand", "S1")]
)
"""A call: [start, end), the first plateau of its largest value [top, top_end), and that value. 0-based half-open."""

Calls = NDArray[np.void]


def no_calls(number: int = 0) -> Calls:
    """Calls to be filled in."""
    return np.zeros(number, CALL)


def runs_over(values: NDArray[np.float32], threshold: float, first: int) -> Calls:
    """Every run of neighbouring bases with a value of at least `threshold`.

    Args:
        values: float32[n], NaN where there is none.
        threshold: compared in single precision, as tracks are.
        first: the base that values[0] belongs to.
    """
    with np.errstate(invalid="ignore"):
        above = values >= np.float32(threshold)
    edges = np.flatnonzero(np.diff(above.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    calls = no_calls(len(starts))
    if not len(calls):
        return calls
    # What lies between two runs is lower than either.
    calls["value"] = np.fmax.reduceat(values, starts)
    bases, owner = np.flatnonzero(above), np.repeat(np.arange(len(starts)), ends - starts)
    highest = values[bases] == calls["value"][owner]
    bases, owner = bases[highest], owner[highest]
    begins = np.searchsorted(owner, np.arange(len(starts)))
    breaks = np.flatnonzero((np.diff(bases) > 1) | (np.diff(owner) > 0)) + 1
    lasts = np.append(breaks, len(bases))[np.searchsorted(breaks, begins, side="right")] - 1
    calls["start"], calls["end"] = starts + first, ends + first
    calls["top"], calls["top_end"] = bases[begins] + first, bases[lasts] + 1 + first
    return calls


class StretchCaller:
    """Runs over a threshold, joined where they are near, on one sequence.

    Args:
        threshold: least value.
        merge: runs with at most so many bases between them are one call.
        min_width: narrower calls are left out, after joining, bp.
    """

    def __init__(self, threshold: float, merge: int, min_width: int) -> None:
        self._threshold, self._merge, self._min_width = threshold, merge, min_width
        self._open = no_calls()

    def add(self, values: NDArray[np.float32], first: int) -> Calls:
        """Calls that the next values, from base `first` on, complete."""
        runs = runs_over(values, self._threshold, first)
        if not len(runs):
            # Nothing can be joined any more once values end far behind it.
            gone = len(self._open) and first + len(values) - int(self._open["end"][0]) > self._merge
            return self.finish() if gone else no_calls()
        if len(self._open) and self._open["end"][0] == runs["start"][0]:
            runs[0] = _continued(self._open[0], runs[0])
            self._open = no_calls()
        joined = _joined(np.concatenate([self._open, runs]), self._merge)
        done, self._open = joined[:-1], joined[-1:]
        return self._wide(done)

    def finish(self) -> Calls:
        """The call that is still open, if there is one: the sequence ends."""
        done, self._open = self._open, no_calls()
        return self._wide(done)

    def _wide(self, calls: Calls) -> Calls:
        kept: Calls = calls[calls["end"] - calls["start"] >= self._min_width]
        return kept


def _continued(before: np.void, after: np.void) -> np.void:
    """One run that was cut between two pieces."""
    whole: np.void = after.copy()
    whole["start"] = before["start"]
    if before["value"] >= after["value"]:
        going_on = before["value"] == after["value"] and before["top_end"] == after["top"]
        whole["top"], whole["value"] = before["top"], before["value"]
        whole["top_end"] = after["top_end"] if going_on else before["top_end"]
    return whole


def _joined(runs: Calls, merge: int) -> Calls:
    """Sorted disjoint runs, those with at most `merge` bases between them as one; the first of equal summits stays."""
    opens = np.flatnonzero(np.concatenate([[True], runs["start"][1:] - runs["end"][:-1] > merge]))
    calls = runs[opens]
    calls["end"] = runs["end"][np.append(opens[1:], len(runs)) - 1]
    values = np.maximum.reduceat(runs["value"], opens)
    owner = np.repeat(np.arange(len(opens)), np.diff(np.append(opens, len(runs))))
    highest = np.flatnonzero(runs["value"] == values[owner])
    best = highest[np.searchsorted(owner[highest], np.arange(len(opens)))]
    for column in ("top", "top_end", "value"):
        calls[column] = runs[column][best]
    return calls


def place_calls(
    values: NDArray[np.float32], first: int, threshold: float, distance: int, resolution: int
) -> Calls:  # fmt: skip
    """Places with a value of at least `threshold` that is the largest within `distance` bp, the first of equals.

    Args:
        values: float32[n] with `distance` further bases on either side of those that calls are wanted of; NaN where
            there is none.
        first: the base that values[distance] belongs to.
        resolution: bases that a call covers, from its place on.
    """
    with_lowest = np.where(np.isnan(values), np.float32(-np.inf), values)
    called = called_windows(with_lowest, threshold, distance)[distance : len(values) - distance]
    places = np.flatnonzero(called)
    calls = no_calls(len(places))
    calls["start"] = calls["top"] = places + first
    calls["end"] = calls["top_end"] = places + first + resolution
    calls["value"] = values[places + distance]
    return calls
