"""BED files of intervals with scores, stranded (six columns or more) or not (three or more), plain or gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import IO

from trackgen.errors import DataError
from trackgen.genome.aliases import reconcile

__all__ = ["BedRow", "read_peaks", "read_stranded_bed"]


@dataclass(frozen=True)
class BedRow:
    """One line of a BED file.

    Attributes:
        name: the genome's name of the sequence.
        start, end: bp, 0-based half-open.
        score: column 5, 0 where there is none.
        minus: whether the strand is minus.
        thick: thickStart of a stranded file of nine columns or more, or None.
        summit: of a narrowPeak line that gives it, a position on the sequence, bp, or None.
        label: column 4, ``.`` where there is none.
        signal: column 7 of a narrowPeak line, or None.
    """

    name: str
    start: int
    end: int
    score: float
    minus: bool
    thick: int | None
    summit: int | None = None
    label: str = "."
    signal: float | None = None

    @property
    def centre(self) -> int:
        """The summit, or else the base behind the middle."""
        return (self.start + self.end) // 2 if self.summit is None else self.summit


def read_stranded_bed(path: Path, lengths: Mapping[str, int]) -> list[BedRow]:
    """Rows of a BED file of at least six columns (plain or gzip), with the genome's own sequence names.

    Raises:
        DataError: with the line number: fewer than six columns, a start, end or score that is not a number,
            end <= start, beyond the sequence, a strand that is not + or -, an unknown sequence.
    """
    return _on_genome(list(_parse(path, stranded=True)), path, lengths, "clusters")


def read_peaks(
    path: Path, lengths: Mapping[str, int], *, where: Mapping[int, str] | None = None, allow_unknown: bool = False
) -> list[BedRow]:
    """Rows of a BED or narrowPeak file of three columns or more; strands do not matter and read as plus.

    Args:
        path: the file, plain or gzip.
        lengths: bases of each sequence of the genome.
        where: column, from 1, -> the value it must have: 4 for the factor, in files of several.
        allow_unknown: leave out peaks on sequences that the genome does not have, as long as it has any.

    Raises:
        DataError: as `read_stranded_bed`, but for the number of columns and the strand; no line has the wanted values.
    """
    parsed = list(_parse(path, stranded=False, where=where or {}))
    if where and not parsed:
        found = " and ".join(f"{value!r} in column {column}" for column, value in where.items())
        raise DataError("no line is of what was asked for", path=path, found=f"none with {found}")
    return _on_genome(parsed, path, lengths, "peaks", allow_unknown=allow_unknown)


def _on_genome(
    parsed: list[tuple[int, BedRow]], path: Path, lengths: Mapping[str, int], what: str, allow_unknown: bool = False
) -> list[BedRow]:
    if not parsed:
        return []
    names = dict.fromkeys(row.name for _, row in parsed)
    to_genome = reconcile(names, lengths, path=path, what=what, allow_unknown=allow_unknown)
    rows = []
    for number, row in parsed:
        if row.name not in to_genome:
            continue
        name = to_genome[row.name]
        if row.end > lengths[name]:
            raise DataError(
                "the interval ends beyond its sequence", path=path, place=f"line {number}",
                found=f"{row.name}:{row.start}-{row.end}", wanted=f"an end of at most {lengths[name]}",
                remedy="check that this file and the genome are of the same assembly",
            )  # fmt: skip
        rows.append(replace(row, name=name))
    return rows


def _parse(
    path: Path, *, stranded: bool, where: Mapping[int, str] = MappingProxyType({})
) -> Iterator[tuple[int, BedRow]]:
    """(line number from 1, row) of every data line."""
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip() and not line.startswith(("#", "track", "browser")) and _fits(line, where):
                    yield number, _parse_line(line.rstrip("\r\n"), path, number, stranded)
    except FileNotFoundError:
        raise DataError("the file does not exist", path=path) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", path=path) from error


def _fits(line: str, where: Mapping[int, str]) -> bool:
    fields = line.rstrip("\r\n").split("\t") if where else []
    return all(column <= len(fields) and fields[column - 1] == value for column, value in where.items())


def _open_text(path: Path) -> IO[str]:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt") if zipped else open(path)


def _parse_line(line: str, path: Path, number: int, stranded: bool) -> BedRow:
    fields = line.split("\t")
    columns = ("sequence", "start", "end", "name", "score", "strand")[: 6 if stranded else 3]
    if len(fields) < len(columns):
        raise DataError(
            "a line has too few columns", path=path, place=f"line {number}", found=len(fields),
            wanted=f"at least {len(columns)}, separated by tabs: {', '.join(columns)}",
        )  # fmt: skip
    fields += ["."] * (6 - len(fields))
    try:
        start, end, score = int(fields[1]), int(fields[2]), float(fields[4]) if fields[4] != "." else 0.0
        thick = int(fields[6]) if stranded and len(fields) >= 9 else None
    except ValueError:
        raise DataError("start, end or score is not a number", path=path, place=f"line {number}", found=line) from None
    if not 0 <= start < end:
        raise DataError("wanted 0 <= start < end", path=path, place=f"line {number}", found=f"{start}, {end}")
    if stranded and fields[5] not in ("+", "-"):
        raise DataError("the strand is not given", path=path, place=f"line {number}", found=fields[5], wanted="+ or -")
    if thick is not None and not start <= thick < end:
        thick = None
    summit, signal = (None, None) if stranded else _narrow_peak(fields, start, end)
    return BedRow(fields[0], start, end, score, fields[5] == "-", thick, summit, fields[3], signal)


def _narrow_peak(fields: list[str], start: int, end: int) -> tuple[int | None, float | None]:
    """Where a narrowPeak line (ten columns or more) has its summit, and its signal; a line of BED12 has neither."""
    try:
        signal, p_value, _ = (float(field) for field in fields[6:9])
        offset = int(fields[9])
    except (ValueError, IndexError):
        return None, None
    if len(fields) == 12 and start <= signal <= p_value <= end:
        return None, None
    return (start + offset if 0 <= offset < end - start else None), signal
