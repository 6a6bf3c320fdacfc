"""Lines of a gene annotation: opened, unpacked, told apart by content (GTF, GFF3 or BED), cut into columns."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple

from trackgen.errors import DataError
from trackgen.genome.sequence import GZIP_MAGIC, near_files, quote

__all__ = ["MOST_DIGITS", "LineError", "Row", "bed_lines", "feature_rows", "numbered_lines", "sniff"]

NOT_DATA = re.compile(r"\s*$|#|track\b|browser\b")
GFF_SEQUENCES = ("##FASTA", ">")
"""What the genes of a GFF3 file end at: the sequences that may follow them."""
LINES_LOOKED_AT = 100_000
QUOTED = 60
MOST_DIGITS = 18
"""Of a number: more than any position has, and within 64 bits."""
KINDS = "GTF, GFF3 or BED, plain or gzip"


class Row(NamedTuple):
    """A line of GTF or GFF3: positions 0-based half-open."""

    number: int
    sequence: str
    feature: str
    start: int
    end: int
    strand: str
    attributes: str


class LineError(Exception):
    """A malformed line, before its file is known; `numbered_lines` and its callers make it a `DataError`.

    `number` counts from 1; 0 stands for the whole file.
    """

    def __init__(self, number: int, what: str, found: str, wanted: str) -> None:
        super().__init__(number, what, found, wanted)
        self.number, self.what, self.found, self.wanted = number, what, found, wanted


@contextmanager
def numbered_lines(path: str | os.PathLike[str]) -> Iterator[Iterator[tuple[int, str]]]:
    """(number from 1, text) of every line, unpacked where the file is gzip or bgzip.

    Raises:
        DataError: the file is missing, unreadable, damaged or no text; and for any `LineError` of the caller.
    """
    path = Path(path)
    number = 0

    def numbered(file: IO[str]) -> Iterator[tuple[int, str]]:
        nonlocal number
        for number, line in enumerate(file, 1):
            yield number, line.rstrip("\r\n")

    try:
        with open(path, "rb") as start:
            packed = start.read(2) == GZIP_MAGIC
        # The byte-order mark that some spreadsheets write is no part of the first name.
        coding = "utf-8-sig"
        opened = gzip.open(path, "rt", encoding=coding) if packed else open(path, encoding=coding)  # noqa: SIM115
        with opened as file:
            yield numbered(file)
    except LineError as error:
        place = f"line {error.number:,}" if error.number else None
        raise DataError(error.what, path=path, place=place, found=error.found, wanted=error.wanted) from None
    except FileNotFoundError:
        raise DataError("the annotation does not exist", path=path, wanted=KINDS, remedy=near_files(path)) from None
    except IsADirectoryError:
        raise DataError("this is a folder, not an annotation", path=path, wanted=KINDS) from None
    except UnicodeDecodeError:
        place = f"after line {number:,}" if number else None
        raise DataError("this is not a text file", path=path, place=place, wanted=KINDS) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"the gzip file is damaged ({error})", path=path, remedy="get the file again") from error
    except OSError as error:
        raise DataError(f"the annotation can't be read ({error.strerror})", path=path) from error


def sniff(lines: Iterator[tuple[int, str]]) -> tuple[str, Iterator[tuple[int, str]]]:
    """``"gtf"``, ``"gff3"`` or ``"bed"``, by the first line of data, and all the lines.

    Raises:
        LineError: the first line of data is of none of them, or there is none.
    """
    seen: list[tuple[int, str]] = []
    for number, line in lines:
        seen.append((number, line))
        if not NOT_DATA.match(line):
            return _kind(number, line), chain(seen, lines)
        if len(seen) == LINES_LOOKED_AT:
            break
    found = f"{len(seen):,} lines without data" if seen else "an empty file"
    raise LineError(0, "the annotation has no line of data", found, KINDS)


def _kind(number: int, line: str) -> str:
    fields = line.split("\t")
    # First: the name and the score of a BED file may be numbers too.
    if len(fields) >= 3 and _are_numbers(fields[1:3]):
        return "bed"
    if len(fields) >= 8 and _are_numbers(fields[3:5]):
        attributes = fields[8] if len(fields) > 8 else ""
        return "gff3" if re.match(r"\s*[^\s;\"=]+=", attributes) else "gtf"
    spaces = "; its columns are separated by spaces" if "\t" not in line and len(line.split()) >= 3 else ""
    raise LineError(number, f"this is no annotation of genes{spaces}", quote(line.encode()), f"{KINDS}, with tabs")


def _are_numbers(texts: Sequence[str]) -> bool:
    """Whether all are digits of ASCII: isdigit alone takes superscripts too, which int does not; nor thousands."""
    return all(text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS for text in texts)


def feature_rows(lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    """The rows of GTF or GFF3, all nine columns of each.

    Raises:
        LineError: too few columns, positions that are no numbers or out of order.
    """
    for number, line in lines:
        if not line or line[0] in "#>":
            if line.startswith(GFF_SEQUENCES):
                return
            continue
        fields = line.split("\t")
        if len(fields) != 9:
            if NOT_DATA.match(line):
                continue
            raise LineError(
                number, "the line has not nine columns", f"{len(fields)}: {line[:QUOTED]!r}", "nine, by tabs"
            )
        sequence, _, feature, first, last, _, strand, _, attributes = fields
        if not (_are_numbers((first, last)) and 1 <= int(first) <= int(last)):
            raise LineError(
                number, "the positions are no stretch of a sequence", f"{first} to {last}"[:QUOTED], "1 <= start <= end"
            )
        yield Row(number, sequence, feature, int(first) - 1, int(last), strand, attributes)


def bed_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """(number, columns) of every interval of a BED file, whose start and end are known to be in order.

    Raises:
        LineError: too few columns, a start or end that is no number, or out of order.
    """
    for number, line in lines:
        if NOT_DATA.match(line):
            continue
        fields = line.split("\t")
        if len(fields) < 3 or not (_are_numbers(fields[1:3])):
            raise LineError(number, "this is no interval", repr(line[:QUOTED]), "sequence, start and end, by tabs")
        if int(fields[1]) >= int(fields[2]):
            raise LineError(
                number, "the interval is empty or ends before it starts", f"{fields[1]} to {fields[2]}", "start < end"
            )
        yield number, fields
