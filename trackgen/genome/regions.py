"""Intervals of a genome: from BED files and from text, and their algebra. 0-based half-open, except in text."""

from __future__ import annotations

import gzip
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome.aliases import reconcile
from trackgen.genome.sequence import GZIP_MAGIC, near_files

__all__ = [
    "BedFile", "Interval", "intersect", "merge", "parse_region", "parse_regions", "read_bed",
    "spans_by_name", "subtract", "total",
]  # fmt: skip

Spans = NDArray[np.int64]
"""(n, 2) intervals of one sequence, 0-based half-open."""

NOT_DATA = re.compile(rb"\s*($|#|track(\s|$)|browser(\s|$))")
REGION = re.compile(r"(?P<name>.+):(?P<start>[\d,]+)-(?P<end>[\d,]+)")
STANDARD_INPUT = "-"


class Interval(NamedTuple):
    """A stretch of one sequence, 0-based half-open, named as the genome names it."""

    name: str
    start: int
    end: int
    label: str = ""
    """Column 4 of a BED file."""


class BedFile(NamedTuple):
    """What a BED file holds."""

    intervals: list[Interval]
    """In the order of the file, with the genome's own names."""
    mapping: Mapping[str, str]
    """The file's own names -> the genome's; `trackgen.genome.describe` puts it into words."""
    left_out: int = 0
    """Intervals on sequences that the genome does not have."""


class _Line(NamedTuple):
    number: int
    """Counted from 1, as editors do."""
    interval: Interval


def read_bed(path: str | os.PathLike[str], lengths: Mapping[str, int], *, allow_unknown: bool = False) -> BedFile:
    """Read BED of three columns or more, plain or gzip.

    Args:
        path: the file; ``-`` is the standard input.
        lengths: bases of each sequence of the genome.
        allow_unknown: leave out intervals on sequences that the genome does not have, as long as it has any.

    Raises:
        DataError: the file is missing or is not BED, or, with the number of the line: too few columns, spaces for
            tabs, a start or end that is not a whole number, end <= start, an unknown sequence, an end beyond it.
    """
    shown = "standard input" if os.fspath(path) == STANDARD_INPUT else os.fspath(path)
    lines = [_parse_line(number, line, shown) for number, line in _data_lines(path, shown)]
    first_lines: dict[str, str] = {}
    for line in lines:
        first_lines.setdefault(line.interval.name, f"line {line.number}")
    mapping = reconcile(
        dict.fromkeys(first_lines),
        lengths,
        path=shown,
        what="BED file",
        places=first_lines,
        allow_unknown=allow_unknown,
    )
    intervals = []
    for number, interval in lines:
        if interval.name not in mapping:
            continue
        name = mapping[interval.name]
        if interval.end > lengths[name]:
            raise DataError(
                "the interval ends beyond its sequence",
                path=shown,
                place=f"line {number}",
                found=f"end {interval.end:,}",
                wanted=f"at most {lengths[name]:,}, the length of {name}",
                remedy="check that the file and the genome are of one assembly",
            )
        intervals.append(interval._replace(name=name))
    return BedFile(intervals, mapping, len(lines) - len(intervals))


def _data_lines(path: str | os.PathLike[str], shown: str) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of every line that holds an interval."""
    for number, line in enumerate(_content(path, shown).splitlines(), 1):
        if NOT_DATA.match(line):
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise DataError(
                "this is not a text file", path=shown, place=f"line {number}", wanted="a BED file, plain or gzip"
            )
        yield number, text


def _content(path: str | os.PathLike[str], shown: str) -> bytes:
    """The whole file, unpacked; BED files are small beside a genome."""
    try:
        content = sys.stdin.buffer.read() if os.fspath(path) == STANDARD_INPUT else Path(path).read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except FileNotFoundError:
        raise DataError("the BED file does not exist", path=shown, remedy=near_files(Path(path))) from None
    except IsADirectoryError:
        raise DataError("this is a folder, not a BED file", path=shown) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"the gzip file is damaged ({error})", path=shown, remedy="get the file again") from error
    except OSError as error:
        raise DataError(f"the BED file can't be read ({error.strerror})", path=shown) from error


def _parse_line(number: int, line: str, shown: str) -> _Line:
    fields = line.split("\t")
    if len(fields) < 3:
        spaces = len(line.split()) >= 3
        raise DataError(
            "the columns are separated by spaces" if spaces else "the line has too few columns",
            path=shown,
            place=f"line {number}",
            found=repr(line[:60]),
            wanted="sequence, start and end, separated by tabs",
            remedy="replace the spaces: tr -s ' ' '\\t' < old.bed > new.bed" if spaces else None,
        )
    start = _whole_number(fields[1], "start", number, shown)
    end = _whole_number(fields[2], "end", number, shown)
    if end <= start:
        raise DataError(
            "the interval ends before it starts" if end < start else "the interval is empty",
            path=shown,
            place=f"line {number}",
            found=f"start {start:,}, end {end:,}",
            wanted="an end above the start: BED counts from 0 and leaves the end out",
        )
    return _Line(number, Interval(fields[0], start, end, fields[3] if len(fields) > 3 else ""))


def _whole_number(text: str, column: str, number: int, shown: str) -> int:
    # int() would also take "1_000", " 5" and digits of other scripts.
    if not (text.isascii() and text.isdigit()):
        raise DataError(
            f"the {column} is not a whole number",
            path=shown,
            place=f"line {number}",
            found=repr(text),
            wanted="digits only, 0 or more",
        )
    return int(text)


def parse_region(text: str, lengths: Mapping[str, int]) -> Interval:
    """The interval that ``chr:a-b`` (1-based closed, thousands commas allowed) or ``chr`` means.

    Args:
        text: the region; the sequence may go by an alias, such as ``I`` for ``chrI``.
        lengths: bases of each sequence of the genome.

    Raises:
        UsageError: the form is wrong, the sequence unknown, the positions out of order or beyond it.
    """
    match = None if text in lengths else REGION.fullmatch(text)
    name = match["name"] if match else text
    if match is None and ":" in text and text not in lengths:
        raise UsageError(
            "the region has not the right form",
            found=text,
            wanted="chr:a-b with whole numbers, 1-based, both ends included, as in chrI:1,001-2,000; or chr alone",
        )
    try:
        name = reconcile({name: None}, lengths, path=None, what="region")[name]
    except DataError as error:
        raise UsageError(
            error.what, place=f"region {text}", found=error.found, wanted=error.wanted, remedy=error.remedy
        ) from error
    length = lengths[name]
    if match is None:
        return Interval(name, 0, length)
    start, end = (int(match[side].replace(",", "") or 0) for side in ("start", "end"))
    if not 1 <= start <= end:
        raise UsageError(
            "the region's positions are out of order" if start > end else "positions count from 1",
            place=f"region {text}",
            found=f"{start:,} to {end:,}",
            wanted="1 <= first base <= last base",
        )
    if end > length:
        raise UsageError(
            "the region ends beyond its sequence",
            place=f"region {text}",
            found=f"base {end:,}",
            wanted=f"at most base {length:,}, the last one of {name}",
        )
    return Interval(name, start - 1, end)


def parse_regions(text: str | os.PathLike[str], lengths: Mapping[str, int]) -> BedFile:
    """Regions from a BED file (also ``-``), or from text: ``chr:a-b`` or ``chr``, several separated by white space.

    Returns:
        The intervals, and how the names written map to the genome's.

    Raises:
        DataError: it is, or reads like, a BED file that is missing or malformed.
        UsageError: it is text with a malformed or unknown region.
    """
    shown = os.fspath(text)
    if shown not in lengths and (shown == STANDARD_INPUT or _reads_like_a_file(shown)):
        return read_bed(shown, lengths)
    parts = shown.split()
    intervals = [parse_region(part, lengths) for part in parts]
    names = [part if part in lengths else part.rpartition(":")[0] or part for part in parts]
    return BedFile(intervals, {name: interval.name for name, interval in zip(names, intervals, strict=True)})


def _reads_like_a_file(text: str) -> bool:
    return os.sep in text or text.lower().endswith((".bed", ".bed.gz", ".narrowpeak", ".txt")) or Path(text).is_file()


def merge(spans: Spans) -> Spans:
    """Sorted, disjoint intervals that cover the same bases; touching ones become one, empty ones vanish.

    Args:
        spans: (n, 2), in any order, overlapping or not.
    """
    spans = np.asarray(spans, np.int64).reshape(-1, 2)
    spans = spans[spans[:, 0] < spans[:, 1]]
    if not len(spans):
        return spans
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    # An interval opens a new run where it starts behind everything before it.
    opens = np.flatnonzero(np.concatenate([[True], spans[1:, 0] > reach[:-1]]))
    closes = np.concatenate([opens[1:], [len(spans)]]) - 1
    return np.stack([spans[opens, 0], reach[closes]], 1)


def intersect(first: Spans, second: Spans) -> Spans:
    """The bases in both of two (n, 2) arrays of sorted, disjoint intervals; in the form that `merge` gives."""
    edges = _edges(first, second)
    return _chosen(edges, _covered(first, edges) & _covered(second, edges))


def subtract(first: Spans, second: Spans) -> Spans:
    """The bases of `first` that are not in `second`; both (n, 2), sorted, disjoint; in the form that `merge` gives."""
    edges = _edges(first, second)
    return _chosen(edges, _covered(first, edges) & ~_covered(second, edges))


def total(spans: Spans) -> int:
    """Bases in (n, 2) disjoint intervals."""
    return int((spans[:, 1] - spans[:, 0]).sum())


def _edges(first: Spans, second: Spans) -> NDArray[np.int64]:
    return np.unique(np.concatenate([first.reshape(-1), second.reshape(-1)]).astype(np.int64))


def _covered(spans: Spans, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each stretch between two neighbouring edges: do `spans` cover it?"""
    begun = np.searchsorted(spans[:, 0], edges[:-1], side="right")
    ended = np.searchsorted(spans[:, 1], edges[:-1], side="right")
    covered: NDArray[np.bool_] = begun > ended
    return covered


def _chosen(edges: NDArray[np.int64], chosen: NDArray[np.bool_]) -> Spans:
    return merge(np.stack([edges[:-1][chosen], edges[1:][chosen]], 1))


def spans_by_name(intervals: Iterable[Interval], lengths: Mapping[str, int]) -> dict[str, NDArray[np.int64]]:
    """Sorted disjoint int64[n, 2] of every sequence of the genome, empty where it has none."""
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in lengths}
    for interval in intervals:
        found[interval.name].append((interval.start, interval.end))
    return {name: merge(np.array(pairs, dtype=np.int64).reshape(-1, 2)) for name, pairs in found.items()}
