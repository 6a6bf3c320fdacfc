"""Exact counts of bins by score and label, however many scores differ, in bounded memory.

A curve needs nothing of its bins but how many of each label have each score. So scores are counted, not kept: a track
that was rounded has a few thousand. Where millions differ, sorted tables go to a temporary file, and are joined again
piece by piece, from the highest score down.
"""

from __future__ import annotations

import bisect
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ResourceError
from trackgen.genome.bins import AMBIGUOUS, BOUND, UNBOUND

__all__ = ["LABELS", "Levels", "Tally", "score_keys", "scores_of"]

LABELS = (UNBOUND, BOUND, AMBIGUOUS)
"""The order of counts in a row."""
MOST_ROWS = 1 << 20
"""Distinct scores that are held in memory; beyond them tables go to the disk."""
ROW = np.dtype([("key", "<u4"), ("counts", "<u4", (len(LABELS),))])
_SIGN = np.uint32(1 << 31)

Rows = NDArray[np.void]


class Levels(NamedTuple):
    """Some distinct scores, from the highest: float32[n] (-inf for no value) and int64[n, 3] bins by `LABELS`."""

    scores: NDArray[np.float32]
    counts: NDArray[np.int64]


def score_keys(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Numbers in the order of the scores; NaN, for no value, becomes the lowest of all."""
    # Adding zero turns -0.0 into 0.0, which is equal.
    values = np.where(np.isnan(scores), np.float32(-np.inf), scores).astype(np.float32) + np.float32(0)
    bits = values.view(np.uint32)
    return np.asarray(np.where(bits & _SIGN, ~bits, bits | _SIGN), np.uint32)


def scores_of(keys: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The float32 scores that keys stand for."""
    bits = np.where(keys & _SIGN, keys ^ _SIGN, ~keys).astype(np.uint32)
    return bits.view(np.float32)


def _counted(keys: NDArray[np.uint32], labels: NDArray[np.int8]) -> Rows:
    """The rows of some bins, by ascending key."""
    distinct, place = np.unique(keys, return_inverse=True)
    # UNBOUND 0, BOUND 1, AMBIGUOUS -1 are columns 0, 1, 2.
    column = labels.astype(np.int64) % len(LABELS)
    counts = np.bincount(place * len(LABELS) + column, minlength=len(distinct) * len(LABELS))
    rows = np.empty(len(distinct), ROW)
    rows["key"], rows["counts"] = distinct, counts.reshape(-1, len(LABELS))
    return rows


def _joined(tables: list[Rows]) -> Rows:
    """One table by ascending key of several."""
    rows = np.concatenate(tables) if tables else np.empty(0, ROW)
    if len(tables) < 2 or not len(rows):
        return rows
    rows = rows[np.argsort(rows["key"], kind="stable")]
    starts = np.flatnonzero(np.concatenate([[True], rows["key"][1:] != rows["key"][:-1]]))
    result = np.empty(len(starts), ROW)
    result["key"] = rows["key"][starts]
    result["counts"] = np.add.reduceat(rows["counts"], starts, axis=0)
    return result


class Tally:
    """Counts bins by score; use it in a ``with`` statement, which removes its temporary file.

    Args:
        folder: where a temporary file may go; None for the system's place.
        most_rows: distinct scores held in memory.
    """

    def __init__(self, folder: Path | None = None, most_rows: int = MOST_ROWS) -> None:
        self._folder, self._most = folder, most_rows
        self._tables: list[Rows] = []
        self._waiting = 0
        self._spilled: list[tuple[int, int]] = []
        self._file: BinaryIO | None = None
        self.totals = np.zeros(len(LABELS), np.int64)

    def add(self, scores: NDArray[np.float32], labels: NDArray[np.int8]) -> None:
        """Count bins: float32[n] scores, NaN where there is none, and int8[n] labels.

        Raises:
            ResourceError: the disk is full or fails.
        """
        rows = _counted(score_keys(scores), labels)
        self.totals += rows["counts"].sum(axis=0, dtype=np.int64)
        self._tables.append(rows)
        self._waiting += len(rows)
        if self._waiting > self._most:
            self._tables = [_joined(self._tables)]
            self._waiting = len(self._tables[0])
            if 2 * self._waiting > self._most:
                self._spill()

    def _spill(self) -> None:
        (table,) = self._tables
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
            self._file.seek(0, 2)
            self._spilled.append((self._file.tell() // ROW.itemsize, len(table)))
            self._file.write(table.tobytes())
            self._file.flush()
        except OSError as error:
            raise ResourceError(
                "the scores do not fit on the disk of temporary files",
                found=error.strerror,
                remedy="free space, or choose another place with TMPDIR",
            ) from error
        self._tables, self._waiting = [], 0

    def levels(self) -> Iterator[Levels]:
        """All distinct scores from the highest, in pieces; may be asked for more than once."""
        self._tables = [_joined(self._tables)]
        self._waiting = len(self._tables[0])
        runs = [_Run(self._file, first, count) for first, count in self._spilled if self._file is not None]
        edges = _edges([*runs, self._tables[0]], self._most) if runs else []
        for low, high in _ranges(edges):
            held = self._tables[0]
            parts = [held[_place(held, low) : _place(held, high)], *(run.between(low, high) for run in runs)]
            rows = _joined(parts)[::-1]
            yield Levels(scores_of(rows["key"]), rows["counts"].astype(np.int64))

    def close(self) -> None:
        """Remove the temporary file. Closing twice is fine."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def __enter__(self) -> Tally:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Run:
    """A sorted table on the disk, read where it is asked for: mapped into memory it would fill it in time."""

    def __init__(self, file: BinaryIO, first: int, count: int) -> None:
        self._file, self._first, self._count = file, first, count

    def __len__(self) -> int:
        return self._count

    def _read(self, first: int, count: int) -> Rows:
        self._file.seek((self._first + first) * ROW.itemsize)
        return np.frombuffer(self._file.read(count * ROW.itemsize), ROW)

    def _key(self, place: int) -> int:
        return int(self._read(place, 1)["key"][0])

    def every(self, step: int) -> NDArray[np.uint32]:
        """The key of every `step`-th row."""
        return np.array([self._key(place) for place in range(0, self._count, step)], np.uint32)

    def between(self, low: int, high: int) -> Rows:
        """The rows whose keys are in [low, high)."""
        first, last = (bisect.bisect_left(range(self._count), key, key=self._key) for key in (low, high))
        return self._read(first, last - first)


def _edges(runs: Sequence[_Run | Rows], most: int) -> list[int]:
    """Ascending keys between which all runs together have at most `most` rows.

    Every run is sampled at every s-th row; a range of 2 R samples has at most 3 R s rows of R runs.
    """
    step = max(1, most // (4 * len(runs)))
    found = [run.every(step) if isinstance(run, _Run) else run["key"][::step] for run in runs]
    return [int(key) for key in np.unique(np.sort(np.concatenate(found))[:: 2 * len(runs)])]


def _ranges(edges: list[int]) -> Iterator[tuple[int, int]]:
    """Ranges [low, high) of keys that make all of them, from the highest."""
    bounds = [0, *edges, 1 << 32]
    for low, high in zip(reversed(bounds[:-1]), reversed(bounds[1:]), strict=True):
        if low < high:
            yield low, high


def _place(run: Rows, key: int) -> int:
    # The upper bound does not fit into the keys' type.
    return len(run) if key >= 1 << 32 else int(np.searchsorted(run["key"], np.uint32(key)))
