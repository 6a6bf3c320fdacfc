"""Labelled bins of a genome, in pieces: made from peaks, or read from a table that somebody else made.

A **table** starts with a line of names: sequence, start and end (``chr``, ``start``, ``stop``), then one column of
labels or several (cell types), as in the ENCODE-DREAM challenge. B, C and 1 are bound, U and 0 unbound, A ambiguous.
Whatever has no such first line is **peaks**, BED or narrowPeak.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, describe, read_bed, reconcile, total
from trackgen.genome.bins import AMBIGUOUS, BOUND, UNBOUND, Peak, label_bins, unusable_bins, widen
from trackgen.genome.sequence import GZIP_MAGIC
from trackgen.scan.stretches import NO_SPANS, Spans, add_note

__all__ = ["Batch", "LabelTable", "Labels", "PeakLabels", "is_table"]

BINS_AT_ONCE = 1 << 16
BASES_AT_ONCE = 1 << 22
"""Of a sequence, from which bins are made or scored at a time."""
FARTHEST = 1 << 16
"""bp between bins of a table beyond which they are scored apart."""
HEADS = {("chr", "start", "stop"), ("chr", "start", "end"), ("chrom", "start", "end"), ("chrom", "start", "stop")}
LETTERS = {"U": UNBOUND, "0": UNBOUND, "B": BOUND, "C": BOUND, "1": BOUND, "A": AMBIGUOUS}


class Batch(NamedTuple):
    """Some bins of one sequence: int64[n] ascending starts, bp, and int8[n] labels."""

    name: str
    starts: NDArray[np.int64]
    labels: NDArray[np.int8]


class Labels(Protocol):
    """Where labelled bins come from."""

    @property
    def width(self) -> int:
        """Bases of a bin."""

    @property
    def bases(self) -> int:
        """Bases that are gone through, for progress and for blocks."""

    def batches(self) -> Iterator[Batch]:
        """All bins, sequence by sequence, in pieces of at most `BINS_AT_ONCE`."""


@dataclass(frozen=True)
class PeakLabels:
    """Bins on a grid, labelled by peaks: those wholly inside `wanted` that touch nothing `excluded`.

    Attributes:
        peaks: by sequence.
        wanted, excluded: stretches by sequence.
        genome: where bases come from, so that bins with an unknown one can be left out; None to keep them.
    """

    peaks: Mapping[str, list[Peak]]
    lengths: Mapping[str, int]
    wanted: Mapping[str, Spans]
    excluded: Mapping[str, Spans]
    genome: Genome | None
    width: int
    stride: int
    peak_width: int

    @property
    def bases(self) -> int:
        return sum(total(spans) for spans in self.wanted.values())

    def batches(self) -> Iterator[Batch]:
        most = max(1, min(BINS_AT_ONCE, BASES_AT_ONCE // self.stride))
        for name, spans in self.wanted.items():
            number = max(0, (self.lengths[name] - self.width) // self.stride + 1)
            rows = self.peaks.get(name, [])
            peaks = np.array([widen(peak.start, peak.end, self.peak_width) for peak in rows], np.int64).reshape(-1, 2)
            strong = np.array([peak.strong for peak in rows], np.bool_)
            for first in range(0, number, most):
                piece = range(first, min(first + most, number))
                kept = _inside(spans, piece, self.stride, self.width)
                if not kept.any():
                    continue
                gaps = self.excluded.get(name, NO_SPANS)
                kept &= ~unusable_bins(
                    self.genome, name, gaps, len(piece), first=first, stride=self.stride, width=self.width
                )
                if kept.any():
                    labels = self._labels(peaks, strong, piece)
                    yield Batch(name, (np.flatnonzero(kept) + first) * self.stride, labels[kept])

    def _labels(self, peaks: Spans, strong: NDArray[np.bool_], piece: range) -> NDArray[np.int8]:
        """Of a piece of the bins of a sequence, by its widened peaks."""
        begin, length = piece.start * self.stride, (len(piece) - 1) * self.stride + self.width
        here = (peaks[:, 0] < begin + length) & (peaks[:, 1] > begin)
        rows = zip((peaks[here] - begin).tolist(), strong[here].tolist(), strict=True)
        own = [Peak(start, end, is_strong) for (start, end), is_strong in rows]
        return label_bins(own, length, peak_width=1, stride=self.stride, width=self.width)


def _inside(spans: Spans, bins: range, stride: int, width: int) -> NDArray[np.bool_]:
    """Which bins of a sequence lie wholly inside one of the sorted disjoint spans."""
    starts = np.arange(bins.start, bins.stop) * stride
    place = np.searchsorted(spans[:, 0], starts, side="right") - 1
    return np.asarray((place >= 0) & (starts + width <= spans[np.maximum(place, 0), 1]))


def read_peak_files(
    path: Path, ambiguous: Path | None, lengths: Mapping[str, int], notes: list[str]
) -> dict[str, list[Peak]]:
    """The peaks that make bins bound, and those that make them ambiguous, by sequence.

    Peaks on sequences that the genome lacks are left out, and told.

    Raises:
        DataError: a file is missing or malformed, a peak ends beyond its sequence, or there is no peak.
    """
    peaks: dict[str, list[Peak]] = {}
    for file, strong in ((path, True), (ambiguous, False)):
        if file is None:
            continue
        bed = read_bed(file, lengths, allow_unknown=True)
        add_note(notes, describe(bed.mapping))
        if bed.left_out:
            every = bed.left_out + len(bed.intervals)
            lost = f"{bed.left_out:,} of {every:,} peaks lie on sequences that the genome lacks, and are left out"
            add_note(notes, f"{file.name}: {lost}")
        for row in bed.intervals:
            peaks.setdefault(row.name, []).append(Peak(row.start, row.end, strong))
        if strong and not bed.intervals:
            raise DataError("there is no peak", path=file, wanted="BED or narrowPeak, or a table of labelled bins")
    return peaks


def is_table(path: Path) -> bool:
    """Whether a file starts with the names of a table's columns.

    Raises:
        DataError: it cannot be read.
    """
    with _open_text(path) as lines:
        try:
            first = lines.readline()
        except (OSError, EOFError, zlib.error, UnicodeDecodeError):
            # Whoever reads it as peaks says what is wrong with it.
            return False
    return _head(first) is not None


def _head(line: str) -> list[str] | None:
    names = line.rstrip("\r\n").lstrip("#").split("\t")
    return names if tuple(name.lower() for name in names[:3]) in HEADS else None


def _open_text(path: Path) -> IO[str]:
    try:
        with open(path, "rb") as file:
            zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        return gzip.open(path, "rt", encoding="utf-8") if zipped else open(path, encoding="utf-8")
    except OSError as error:
        raise DataError("the labels cannot be read", path=path, found=error.strerror) from None


class LabelTable:
    """The bins of a table, read line by line.

    Args:
        path: plain or gzip.
        lengths: of the genome's sequences, bp.
        wanted: stretches by sequence; bins that are not wholly inside one are left out.
        column: name of the column of labels; None where there is only one.
        notes: gets what a person should know.

    Raises:
        UsageError: the column is not there, or there are several and none is named.
        DataError: the first bin is malformed.
    """

    def __init__(
        self, path: Path, lengths: Mapping[str, int], wanted: Mapping[str, Spans], column: str | None, notes: list[str]
    ) -> None:
        self._path, self._lengths, self._wanted, self._notes = path, lengths, wanted, notes
        with _open_text(path) as lines:
            names = _head(lines.readline()) or []
            self._column = self._chosen(names, column)
            first = lines.readline()
        if not first:
            raise DataError("the table holds no bin", path=path)
        _, start, end, _ = self._parse(first, 2)
        self.width = end - start

    @property
    def bases(self) -> int:
        return sum(total(spans) for spans in self._wanted.values())

    def _chosen(self, names: list[str], column: str | None) -> int:
        if column is None and len(names) == 4:
            return 3
        if column is None or column not in names[3:]:
            raise UsageError(
                "the table has several columns of labels" if column is None else "the table has no such column",
                path=self._path, place="--column", found=column, wanted=", ".join(names[3:]) or "a column of labels",
            )  # fmt: skip
        return names.index(column, 3)

    def _parse(self, line: str, number: int) -> tuple[str, int, int, int]:
        fields = line.rstrip("\r\n").split("\t")
        try:
            name, start, end, label = fields[0], int(fields[1]), int(fields[2]), LETTERS[fields[self._column].upper()]
        except (IndexError, ValueError, KeyError):
            name, start, end, label = "", 0, 0, 0
        if not 0 <= start < end:
            raise DataError(
                "this is no labelled bin", path=self._path, place=f"line {number}", found=repr(line.rstrip()[:60]),
                wanted="sequence, start, end above it, and labels U, A, or B, C (also 0 and 1), between tabs",
            )  # fmt: skip
        return name, start, end, label

    def batches(self) -> Iterator[Batch]:
        names: dict[str, str | None] = {}
        seen: set[str] = set()
        rows: list[tuple[int, int]] = []
        current, last = "", -1
        with _open_text(self._path) as lines:
            try:
                next(lines)
                for number, line in enumerate(lines, 2):
                    name, start, end, label = self._parse(line, number)
                    if (
                        name != current or start - last > FARTHEST or len(rows) >= BINS_AT_ONCE
                        or (rows and start - rows[0][0] > BASES_AT_ONCE)
                    ):  # fmt: skip
                        yield from self._batch(names.get(current), rows)
                        rows = []
                    self._check(name, start, end, number, current, last, seen)
                    if name != current:
                        seen.add(name)
                        own = self._name(name, number)
                        if own is not None and own in names.values():
                            raise DataError(
                                "two names mean the same sequence", path=self._path, place=f"line {number}",
                                found=name, wanted=f"one name for {own}", remedy="use the genome's own names",
                            )  # fmt: skip
                        names[name] = own
                    current, last = name, start
                    if names[name] is not None:
                        self._check_end(names[name], end, number)
                        rows.append((start, label))
            except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
                raise DataError(f"the table cannot be read ({error})", path=self._path) from error
        yield from self._batch(names.get(current), rows)

    def _batch(self, name: str | None, rows: list[tuple[int, int]]) -> Iterator[Batch]:
        if name is None or not rows or name not in self._wanted:
            return
        table = np.array(rows, np.int64)
        spans = self._wanted[name]
        place = np.searchsorted(spans[:, 0], table[:, 0], side="right") - 1
        kept = (place >= 0) & (table[:, 0] + self.width <= spans[np.maximum(place, 0), 1])
        if kept.any():
            yield Batch(name, table[kept, 0], table[kept, 1].astype(np.int8))

    def _name(self, name: str, number: int) -> str | None:
        """The genome's name of a sequence; None where it lacks it, which is told."""
        try:
            found = reconcile({name: None}, self._lengths, path=self._path, what="table")
        except DataError:
            add_note(self._notes, f"{self._path.name}: bins on {name}, which the genome lacks, are left out")
            return None
        add_note(self._notes, describe(found))
        return found[name]

    def _check(self, name: str, start: int, end: int, number: int, current: str, last: int, seen: set[str]) -> None:
        if end - start != self.width:
            raise DataError(
                "the bins differ in width", path=self._path, place=f"line {number}", found=f"{end - start} bp",
                wanted=f"{self.width}, as in the first",
            )  # fmt: skip
        if (name == current and start <= last) or (name != current and name in seen):
            raise DataError(
                "the bins are not sorted", path=self._path, place=f"line {number}", found=f"{name}, {start:,}",
                wanted="each sequence once, ascending starts", remedy="sort -k1,1 -k2,2n, below the first line",
            )  # fmt: skip

    def _check_end(self, name: str | None, end: int, number: int) -> None:
        if name is not None and end > self._lengths[name]:
            raise DataError(
                "a bin ends beyond its sequence", path=self._path, place=f"line {number}", found=f"{end:,}",
                wanted=f"at most {self._lengths[name]:,}, the length of {name}",
                remedy="check that the table and the track are of one assembly",
            )  # fmt: skip
