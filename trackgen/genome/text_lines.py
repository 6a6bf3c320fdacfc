"""Lines of a text file as bytes, unpacked where it is gzip or bgzip; one that was cut off is refused."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from trackgen.errors import DISK_ERRORS, DataError, ResourceError
from trackgen.genome.bgzf import is_bgzf
from trackgen.genome.bgzf_pieces import bgzf_pieces
from trackgen.genome.sequence import GZIP_MAGIC, near_files

__all__ = ["text_lines"]

HEAD = 4096


def text_lines(path: Path, what: str) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line with its end) of every line; only line feeds end lines.

    Args:
        what: what the file is, for messages: ``BED, GTF or VCF file``.

    Raises:
        DataError: the file is missing, no file, or a damaged or truncated gzip file.
    """
    head = _head(path, what)
    number = 0
    try:
        if is_bgzf(head):
            for number, line in enumerate(_lines_of_pieces(bgzf_pieces(path)), 1):
                yield number, line
        else:
            with gzip.open(path, "rb") if head.startswith(GZIP_MAGIC) else open(path, "rb") as file:
                for number, line in enumerate(file, 1):
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        place = f"after line {number:,}" if number else None
        what = f"the gzip file is damaged or truncated ({error})"
        raise DataError(what, path=path, place=place, remedy="get or make the file again") from error


def _lines_of_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        lines = (rest + piece).splitlines(keepends=True) if b"\r" not in piece else _cut(rest + piece)
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        yield from lines
    if rest:
        yield rest


def _cut(text: bytes) -> list[bytes]:
    """Cut behind line feeds alone: splitlines would cut at carriage returns too."""
    lines = text.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _head(path: Path, what: str) -> bytes:
    stream = os.fspath(path) == "-" and not path.exists()
    if stream or (path.exists() and not path.is_file()):
        kind = "a folder" if path.is_dir() else "a pipe, which can't be read twice"
        remedy = None if path.is_dir() else "write it to a file first: COMMAND > FILE"
        raise DataError(f"this is {kind}", path=path, wanted=f"a {what}", remedy=remedy)
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except FileNotFoundError:
        raise DataError("the file does not exist", path=path, wanted=f"a {what}", remedy=near_files(path)) from None
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise ResourceError(f"the {what} can't be read", path=path, found=os.strerror(error.errno or 0)) from error
        raise DataError(f"the {what} can't be read ({error.strerror})", path=path) from error
