"""The records of a BAM file as arrays: many at a time, the fields that fragments need and no others.

Layout: SAM specification, section 4.2, https://samtools.github.io/hts-specs/SAMv1.pdf. What reads one record at a time
(pysam) is many times slower; tests hold the two against each other.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.bgzf_pieces import bgzf_pieces

__all__ = ["BamHeader", "BamRecords", "read_bam"]

FIXED = np.dtype(
    [
        ("size", "<i4"), ("sequence", "<i4"), ("position", "<i4"), ("name_bytes", "u1"), ("quality", "u1"),
        ("bin", "<u2"), ("operations", "<u2"), ("flag", "<u2"), ("bases", "<i4"), ("mate_sequence", "<i4"),
        ("mate_position", "<i4"), ("template", "<i4"),
    ]
)  # fmt: skip
"""What every record begins with; name, CIGAR, bases, qualities and tags follow."""
SIZE_BYTES = 4
OPERATION_BYTES = 4
CONSUMES_REFERENCE = np.array([True, False, True, True, False, False, False, True, True] + [False] * 7)
"""Of CIGAR's MIDNSHP=X."""


class BamHeader(NamedTuple):
    """What precedes the records.

    Attributes:
        text: the SAM header.
        names: of sequences, in the file's order.
        lengths: of sequences, bp.
    """

    text: str
    names: list[str]
    lengths: list[int]


class BamRecords(NamedTuple):
    """Some successive records.

    Attributes:
        first: number of the first one in the file, from 1.
        fields: a structured array of `FIXED`.
        content: unpacked bytes.
        offsets: where each record begins in them.
    """

    first: int
    fields: NDArray[Any]
    content: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def spans(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[len(rows)]: bases of the sequence from the first to the last aligned one, gaps and introns included."""
        fields = self.fields[rows]
        counts = fields["operations"].astype(np.int64)
        starts = self.offsets[rows] + FIXED.itemsize + fields["name_bytes"]
        operations = _view(self.content, np.dtype("<u4"))
        spans = np.zeros(len(rows), np.int64)
        # Most reads align in one operation; the others cost ten times as much.
        single = counts == 1
        spans[single] = _bases(operations[starts[single]])
        several = np.flatnonzero(counts > 1)
        counts = counts[several]
        row = np.repeat(np.arange(len(several)), counts)
        number_in_row = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        bases = _bases(operations[starts[several][row] + OPERATION_BYTES * number_in_row])
        spans[several] = np.bincount(row, weights=bases, minlength=len(several))
        return spans


def _bases(operations: NDArray[Any]) -> NDArray[np.int64]:
    """Bases of the sequence that each operation of a CIGAR takes."""
    return np.where(CONSUMES_REFERENCE[operations & 15], operations >> 4, 0).astype(np.int64)


def read_bam(path: Path) -> Generator[BamHeader | BamRecords]:
    """The header, then the records.

    Raises:
        DataError: the file is truncated or damaged.
    """
    pieces = bgzf_pieces(path)
    try:
        header, rest = _header(path, pieces)
        yield header
        first = 1
        while True:
            offsets, end = _offsets(path, rest, first)
            if offsets:
                content, places = np.frombuffer(rest, np.uint8), np.array(offsets, np.int64)
                yield BamRecords(first, _view(content, FIXED)[places], content, places)
                first += len(offsets)
            piece = next(pieces, None)
            if piece is None:
                break
            rest = rest[end:] + piece
        if end < len(rest):
            raise _cut(path, f"record {first:,}")
    finally:
        pieces.close()


def _view(content: NDArray[np.uint8], kind: np.dtype[Any]) -> NDArray[Any]:
    """What begins at each byte, read as `kind`: rows overlap, nothing is copied."""
    return np.ndarray((max(0, len(content) - kind.itemsize + 1),), kind, content, strides=(1,))


def _offsets(path: Path, content: bytes, first: int) -> tuple[list[int], int]:
    """Where whole records begin, and where the last one ends."""
    offsets: list[int] = []
    at, last = 0, len(content) - FIXED.itemsize
    unpack = struct.Struct("<i").unpack_from
    smallest = FIXED.itemsize - SIZE_BYTES
    end = len(content)
    append = offsets.append
    # The one loop over records: each says where the next one begins.
    while at <= last:
        size = unpack(content, at)[0]
        following = at + SIZE_BYTES + size
        if size < smallest:
            raise DataError(
                "the BAM file is damaged", path=path, place=f"record {first + len(offsets):,}",
                found=f"{size} bytes", wanted=f"at least {smallest}", remedy="get or make the file again",
            )  # fmt: skip
        if following > end:
            break
        append(at)
        at = following
    return offsets, at


def _header(path: Path, pieces: Iterator[bytes]) -> tuple[BamHeader, bytes]:
    """The header, and what was read behind it."""
    content = b""
    for piece in pieces:
        content += piece
        header = _parsed_header(content)
        if header is not None:
            return header
    raise _cut(path, "header")


def _parsed_header(content: bytes) -> tuple[BamHeader, bytes] | None:
    """None where more must be read."""
    try:
        (text_bytes,) = struct.unpack_from("<i", content, 4)
        at = 8 + text_bytes
        (count,) = struct.unpack_from("<i", content, at)
        text, at = content[8:at].rstrip(b"\0").decode(errors="replace"), at + 4
        names, lengths = [], []
        for _ in range(count):
            (name_bytes,) = struct.unpack_from("<i", content, at)
            (length,) = struct.unpack_from("<i", content, at + 4 + name_bytes)
            names.append(content[at + 4 : at + 3 + name_bytes].decode(errors="replace"))
            lengths.append(length)
            at += 8 + name_bytes
    except struct.error:
        return None
    return BamHeader(text, names, lengths), content[at:]


def _cut(path: Path, place: str) -> DataError:
    return DataError(
        "the BAM file ends inside of a record", path=path, place=place, remedy="get or make the file again"
    )
