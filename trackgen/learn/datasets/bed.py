"""BED files of intervals with scores, stranded (six columns or more) or not (three or more), plain or gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trackgen.errors import DataError
from trackgen.genome.aliases import reconcile

__all__ = ["BedRow", "read_peaks", "read_stranded_bed"]


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
    return _on_genome(list(_parse(path, stranded=True)), path, lengths, "clusters")


def read_peaks(path: Path, lengths: Mapping[str, int]) -> list[BedRow]:
    """Rows of a BED or narrowPeak file of three columns or more; strands do not matter and read as plus.

    Raises:
        DataError: as `read_stranded_bed`, but for the number of columns and the strand.
    """
    return _on_genome(list(_parse(path, stranded=False)), path, lengths, "peaks")


def _on_genome(
    parsed: list[tuple[int, BedRow]], path: Path, lengths: Mapping[str, int], what: str
) -> list[BedRow]:  # fmt: skip
    if not parsed:
        return []
    to_genome = reconcile(dict.fromkeys(row.name for _, row in parsed), lengths, path=path, what=what)
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


def _parse(path: Path, *, stranded: bool) -> Iterator[tuple[int, BedRow]]:
    """(line number from 1, row) of every data line."""
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip() and not line.startswith(("#", "track", "browser")):
                    yield number, _parse_line(line.rstrip("\r\n"), path, number, stranded)
    except FileNotFoundError:
        raise DataError("the file does not exist", path=path) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", path=path) from error


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
    return BedRow(fields[0], start, end, score, fields[5] == "-", thick)
