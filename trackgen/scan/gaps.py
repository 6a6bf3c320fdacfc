"""Which bases of a tile get a value, and what skipped.bed says of the others."""

from __future__ import annotations

from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import UNKNOWN

__all__ = ["REASONS", "Skip", "SkippedBases", "classify", "runs_of"]

Spans = NDArray[np.int64]

VALUE, NO_BASE, EXCLUDED, NOT_ASKED = 0, 1, 2, 3
REASONS = {NO_BASE: "N", EXCLUDED: "excluded"}


def classify(codes: NDArray[np.uint8], start: int, wanted: Spans, excluded: Spans) -> NDArray[np.uint8]:
    """For each base of a stretch that begins at `start`: VALUE, NO_BASE, EXCLUDED or NOT_ASKED.

    Args:
        codes: (T,) the stretch as codes.
        start: its first base on the chromosome.
        wanted: (n, 2) stretches asked for, on the chromosome.
        excluded: (n, 2) stretches that get no value.
    """
    state = np.full(len(codes), NOT_ASKED, np.uint8)
    _paint(state, start, wanted, VALUE)
    asked = state == VALUE
    _paint(state, start, excluded, EXCLUDED)
    state[codes == UNKNOWN] = NO_BASE
    state[~asked] = NOT_ASKED
    return state


def _paint(state: NDArray[np.uint8], start: int, spans: Spans, value: int) -> None:
    first = np.searchsorted(spans[:, 1], start, side="right")
    last = np.searchsorted(spans[:, 0], start + len(state), side="left")
    for begin, end in spans[first:last]:
        state[max(0, begin - start) : max(0, end - start)] = value


def runs_of(mask: NDArray[np.bool_], start: int) -> Spans:
    """The maximal runs of true bases, as (n, 2) intervals on the chromosome; element 0 stands at `start`."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return (edges.reshape(-1, 2) + start).astype(np.int64)


class Skip(NamedTuple):
    """One line of skipped.bed."""

    name: str
    start: int
    end: int
    reason: str


class SkippedBases:
    """Writes skipped.bed, joining runs that a tile border cuts."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._open: Skip | None = None

    def add(self, skip: Skip) -> None:
        """The next skipped run in order."""
        last = self._open
        if last is not None and last.name == skip.name and last.end == skip.start and last.reason == skip.reason:
            self._open = last._replace(end=skip.end)
        else:
            self._write_open()
            self._open = skip

    def close(self) -> None:
        self._write_open()
        self._file.close()

    def _write_open(self) -> None:
        if self._open is not None:
            self._file.write("\t".join(map(str, self._open)) + "\n")
        self._open = None
