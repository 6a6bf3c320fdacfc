"""The index of a FASTA in samtools' form (``.fai``, and ``.gzi`` for bgzip): made, read, and held against the FASTA.

Every index is checked against the FASTA itself before use, whatever the times of the files: the records must fill the
file from its first byte to its last, each behind a header line with its name. That costs one small read a sequence,
and finds an index of an older or other FASTA as well as names that stand twice (which samtools drops in silence).
Times alone prove nothing (copying and checking out files change them), so an index that is older than its FASTA but
matches it is used; one that does not match is an error, never silently replaced: it may be the FASTA that is wrong.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from trackgen.errors import DataError
from trackgen.genome.bgzf import BgzfText
from trackgen.genome.sequence import GZIP_MAGIC

__all__ = ["FastaIndex", "Record", "build_index", "check_records", "may_write", "read_index"]

USUAL_HEADER = 1 << 10
LONGEST_HEADER = 1 << 20
"""Bytes read for a header line, and for one that is longer."""
WHITE = b" \t\r\n"


class Record(NamedTuple):
    """One line of a ``.fai`` index."""

    name: str
    length: int
    offset: int
    """Byte of the first base."""
    line_bases: int
    line_bytes: int

    @property
    def end(self) -> int:
        """Byte behind the last base."""
        last = self.length - 1
        return self.offset + last // self.line_bases * self.line_bytes + last % self.line_bases + 1


class FastaIndex(NamedTuple):
    """Where the index of a FASTA is, or would be."""

    fai: Path
    gzi: Path | None

    @classmethod
    def beside(cls, path: Path, compressed: bool) -> FastaIndex:
        return cls.inside(path.parent, path, compressed)

    @classmethod
    def inside(cls, folder: Path, path: Path, compressed: bool) -> FastaIndex:
        return cls(folder / f"{path.name}.fai", folder / f"{path.name}.gzi" if compressed else None)

    @property
    def is_there(self) -> bool:
        return self.fai.exists() and (self.gzi is None or self.gzi.exists())

    @property
    def gzi_text(self) -> str | None:
        return None if self.gzi is None else os.fspath(self.gzi)

    def move_to(self, other: FastaIndex) -> None:
        # The .fai last: with it the index counts as there.
        if self.gzi is not None and other.gzi is not None:
            os.replace(self.gzi, other.gzi)
        os.replace(self.fai, other.fai)


def may_write(folder: Path) -> bool:
    """Whether the folder is meant to be written to: root could write to any, also where nobody should."""
    try:
        return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)
    except OSError:
        return False


def build_index(path: Path, index: FastaIndex) -> FastaIndex:
    """Write `index` for the FASTA at `path`, and return it.

    Raises:
        DataError: the FASTA has lines of differing lengths, or another fault.
    """
    from pysam import faidx, set_verbosity
    from pysam.utils import SamtoolsError

    options = ["--fai-idx", os.fspath(index.fai)]
    if index.gzi is not None:
        options += ["--gzi-idx", os.fspath(index.gzi)]
    # htslib would write its own messages to stderr; ours follow from the failure.
    verbosity = set_verbosity(0)
    try:
        faidx(*options, os.fspath(path))
    except SamtoolsError as error:
        raise _why_no_index(path) or DataError(
            f"the FASTA can't be indexed ({str(error).splitlines()[-1]})", path=path
        ) from error
    finally:
        set_verbosity(verbosity)
    return index


def _why_no_index(path: Path) -> DataError | None:
    """The fault that keeps a FASTA from being indexed: uneven lines in a sequence, or nothing below the last header."""
    name, width, ended, length = "", 0, False, 0
    for number, line in enumerate(_lines(path), 1):
        length = 0 if line.startswith(b">") else len(line.strip())
        if line.startswith(b">"):
            name, width, ended = _name_of(line), 0, False
        elif length and (ended or length > width > 0):
            return DataError(
                "the lines of a sequence differ in length",
                path=path,
                place=f"line {number}, sequence {name}",
                found=f"{length} bases" + (" below a shorter or empty line" if ended else ""),
                wanted=f"{width or length} in every line but the last, and no empty line",
                remedy="wrap the file again, for example with: seqkit seq -w 60",
            )
        else:
            ended = ended or length < max(width, 1)
            width = width or length
    if width:
        return None
    return DataError(
        "the FASTA ends in a header without a base below it",
        path=path,
        place=f"sequence {name}",
        remedy="get the file again if it was cut off, else remove the header",
    )


def _name_of(header: bytes) -> str:
    """The name in a header line: all up to the first white space."""
    return (header[1:].split(maxsplit=1) or [b""])[0].decode(errors="replace")


def _lines(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as plain:
        compressed = plain.read(2) == GZIP_MAGIC
    with gzip.open(path) if compressed else open(path, "rb") as file:
        yield from file


def read_index(index: FastaIndex, made: bool) -> list[Record]:
    """The records of a ``.fai`` in the order of the FASTA, less those without a base (older samtools list them)."""
    try:
        records = [_record(line) for line in index.fai.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise DataError(
            "the index can't be read",
            path=index.fai,
            found=str(error),
            wanted="lines of a name and four numbers, separated by tabs",
            remedy=None if made else f"delete {index.fai.name}: it is made anew by itself",
        ) from error
    return sorted((record for record in records if record.length), key=lambda record: record.offset)


def _record(line: str) -> Record:
    name, *numbers = line.split("\t")
    if len(numbers) != 4:
        raise ValueError(line)
    record = Record(name, *map(int, numbers))
    if min(record[1:]) < 0 or (record.length and not 0 < record.line_bases <= record.line_bytes):
        raise ValueError(line)
    return record


class _Text(Protocol):
    """The text of a FASTA, by offset."""

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer at the end."""


class _PlainText:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)


def check_records(path: Path, index: FastaIndex, records: list[Record], made: bool) -> None:
    """Refuse an index whose records do not fill the FASTA, and a FASTA with a name that stands twice."""
    with open(path, "rb") as file:
        try:
            text: _Text = _PlainText(file) if index.gzi is None else BgzfText(file, index.gzi)
            _walk(path, text, records)
        except ValueError as error:
            older = index.fai.stat().st_mtime < path.stat().st_mtime
            remedy = f"delete {index.fai.name}" + (f" and {index.gzi.name}" if index.gzi else "")
            raise DataError(
                f"the index is older than its FASTA and does not match it ({error})"
                if older
                else f"the index does not match its FASTA ({error})",
                path=path if made else index.fai,
                wanted="an index made from this very file",
                remedy="get the FASTA again" if made else f"{remedy}: it is made anew by itself",
            ) from error


def _walk(path: Path, text: _Text, records: list[Record]) -> None:
    """Step from record to record through the text. ValueError says what does not fit."""
    seen: set[str] = set()
    position = 0
    for record in records:
        header = _next_header(path, text, position, seen)
        if header is None:
            raise ValueError(f"the file ends before the sequence {record.name}")
        name, start = header
        _refuse_second(path, name, seen)
        if name != record.name or start != record.offset:
            raise ValueError(f"where {record.name} should begin, the file has {name} at byte {start:,}")
        seen.add(name)
        if record.length > record.line_bases and text.read(record.offset + record.line_bases, 1) not in WHITE:
            raise ValueError(f"the lines of {name} are not {record.line_bases} bases long")
        if len(text.read(record.end - 1, 1)) != 1:
            raise ValueError(f"the file ends inside the sequence {name}")
        position = record.end
    last = _next_header(path, text, position, seen)
    if last is not None:
        _refuse_second(path, last[0], seen)
        raise ValueError(f"the sequence {last[0]} is not in it")


def _next_header(path: Path, text: _Text, position: int, seen: set[str]) -> tuple[str, int] | None:
    """(name, byte of the first base) of the next sequence that has bases, from behind a base on; None at the end.

    Headers without bases are stepped over: samtools leaves such sequences out.
    """
    behind_a_base = position > 0
    while True:
        part = text.read(position, USUAL_HEADER)
        if len(part) == USUAL_HEADER and len(part.lstrip(WHITE).split(b"\n", 1)) == 1:
            part = text.read(position, LONGEST_HEADER)
        header = part.lstrip(WHITE)
        if not header.strip():
            return None
        if not header.startswith(b">") or (behind_a_base and header == part):
            raise ValueError(f"no sequence ends at byte {position:,}")
        line = header.splitlines(keepends=True)[0]
        position += len(part) - len(header) + len(line)
        name = _name_of(line)
        below = header[len(line) :].lstrip(WHITE) or text.read(position, USUAL_HEADER).lstrip(WHITE)
        if below and not below.startswith(b">"):
            return name, position
        _refuse_second(path, name, seen)
        seen.add(name)
        behind_a_base = False


def _refuse_second(path: Path, name: str, seen: set[str]) -> None:
    if not name:
        raise DataError(
            "a sequence has no name",
            path=path,
            found="'>' without a name",
            wanted="a name behind every '>'",
            remedy="name the sequence",
        )
    if name in seen:
        raise DataError(
            "two sequences have one name",
            path=path,
            found=name,
            wanted="a name of its own for every sequence",
            remedy="rename or remove one of them",
        )
