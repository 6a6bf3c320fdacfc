"""BED files of stranded intervals with scores: six columns or more, plain or gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trackgen.errors import DataError
from trackgen.genome.aliases import reconcile

__all__ = ["BedRow", "read_stranded_bed"]


@dataclass(frozen=True)
class BedRow:
    """One line of a stranded BED file; `name` is the genome's name of the sequence, `thick` its thickStart or None."""

    name: str
    start: int
    end: int
    score: float
    minus: bool
    thick: int | None


def read_stranded_bed(path: Path, lengths: Mapping[str, int]) -> list[BedRow]:
    """Rows of a BED file of at least six columns (plain or gzip), with the genome's own sequence names.

    Raises:
        DataError: with the line number: fewer than six columns, a start, end or score that is not a number,
            end <= start, beyond the sequence, a strand that is not + or -, an unknown sequence.
    """
    parsed = list(_parse(path))
    if not parsed:
        return []
    to_genome = reconcile(dict.fromkeys(row.name for _, row in parsed), lengths, path=path, what="clusters")
    rows = []
    for number, row in parsed:
        name = to_genome[row.name]
        if row.end > lengths[name]:
            raise DataError(
                "the interval ends beyond its sequence", path=path, place=f"line {number}",
                found=f"{row.name}:{row.start}-{row.end}", wanted=f"an end of at most {lengths[name]}",
                remedy="check that this file and the genome are of the same assembly",
            )  # fmt: skip
        rows.append(BedRow(name, row.start, row.end, row.score, row.minus, row.thick))
    return rows


def _parse(path: Path) -> Iterator[tuple[int, BedRow]]:
    """(line number from 1, row) of every data line."""
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip() and not line.startswith(("#", "track", "browser")):
                    yield number, _parse_line(line.rstrip("\r\n"), path, number)
    except FileNotFoundError:
        raise DataError("the file does not exist", path=path) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", path=path) from error


def _open_text(path: Path) -> IO[str]:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt") if zipped else open(path)


def _parse_line(line: str, path: Path, number: int) -> BedRow:
    fields = line.split("\t")
    if len(fields) < 6:
        raise DataError(
            "a line has too few columns", path=path, place=f"line {number}", found=len(fields),
            wanted="at least 6, separated by tabs: sequence, start, end, name, score, strand",
        )  # fmt: skip
    try:
        start, end, score = int(fields[1]), int(fields[2]), float(fields[4]) if fields[4] != "." else 0.0
        thick = int(fields[6]) if len(fields) >= 9 else None
    except ValueError:
        raise DataError("start, end or score is not a number", path=path, place=f"line {number}", found=line) from None
    if not 0 <= start < end:
        raise DataError("wanted 0 <= start < end", path=path, place=f"line {number}", found=f"{start}, {end}")
    if fields[5] not in ("+", "-"):
        raise DataError("the strand is not given", path=path, place=f"line {number}", found=fields[5], wanted="+ or -")
    if thick is not None and not start <= thick < end:
        thick = None
    return BedRow(fields[0], start, end, score, fields[5] == "-", thick)
