"""Encoded sections on disk until the track is put together.

Sections and first-zoom summaries go to files as they come, and only what the index needs (16 bytes a section) stays in
memory. Chromosomes may arrive in any order, but stand in a BigWig in the order of their ids. ``Source`` is what
assembly reads from; whatever keeps encoded sections of a track can stand behind it.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.blocks import NO_EXTENTS
from trackgen.bigwig.sections import EncodedSections
from trackgen.bigwig.zooms import SUMMARY

__all__ = ["SUMMARIES_AT_ONCE", "Source", "Spool", "copy_bytes", "read_exactly", "write_all"]

# Summaries handed out at once: enough that work on arrays outweighs the calls, 640 KB.
SUMMARIES_AT_ONCE = 16_384
_COPY_SIZE = 1 << 20
# What copy_file_range says where kernel or file system cannot do it.
_COPY_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF}


class Source(Protocol):
    """The encoded sections of a whole track."""

    largest: int
    """Bytes of the largest section before compression."""

    def extents(self) -> NDArray[Any]:
        """EXTENT[s] of all sections, ascending by (chromosome id, start)."""

    def copy_sections(self, file: BinaryIO) -> None:
        """Append the compressed sections to an unbuffered file, in the order of ``extents``."""

    def summaries(self) -> Iterator[NDArray[Any]]:
        """First-level summaries in the same order, SUMMARY[n] at a time."""


class _Part(NamedTuple):
    offset: int
    size: int
    summaries_offset: int
    summaries: int


class Spool:
    """Encoded sections as they come, in a file of the caller's; a Source.

    Attributes:
        in_order: they came in the order that they have in a BigWig file.
    """

    def __init__(self, file: BinaryIO, folder: Path) -> None:
        """Sections are appended to ``file``, which is unbuffered and can be read, too; their summaries go to a
        temporary file in ``folder`` that has no name and vanishes with the process."""
        self.largest = 0
        self.in_order = True
        self._file = file
        self._summaries: BinaryIO = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self._offset, self._summaries_size, self._last = file.tell(), 0, 0
        self._parts: dict[int, list[_Part]] = {}
        self._extents: dict[int, list[NDArray[Any]]] = {}

    def append(self, chromosome: int, sections: EncodedSections) -> None:
        """Add sections of a chromosome, after those that it already has."""
        blocks, summaries = sections
        if not blocks.data:
            return
        data = b"".join(blocks.data)
        write_all(self._file, data)
        write_all(self._summaries, summaries.tobytes())
        part = _Part(self._offset, len(data), self._summaries_size, len(summaries))
        self._offset, self._summaries_size = self._offset + len(data), self._summaries_size + summaries.nbytes
        self._parts.setdefault(chromosome, []).append(part)
        self._extents.setdefault(chromosome, []).append(blocks.extents)
        self.largest = max(self.largest, blocks.largest)
        self.in_order &= chromosome >= self._last
        self._last = chromosome

    def close(self) -> None:
        """Give the space back."""
        self._summaries.close()

    def extents(self) -> NDArray[Any]:
        """EXTENT[s] of all sections, ascending by (chromosome id, start)."""
        ordered = [extents for chromosome in sorted(self._extents) for extents in self._extents[chromosome]]
        return np.concatenate(ordered) if ordered else NO_EXTENTS

    def copy_sections(self, file: BinaryIO) -> None:
        """Append the compressed sections to an unbuffered file, in the order of ``extents``."""
        for part in self._ordered_parts():
            copy_bytes(self._file, part.offset, part.size, file)

    def summaries(self) -> Iterator[NDArray[Any]]:
        """First-level summaries in the same order, SUMMARY[n] at a time."""
        gathered: list[bytes] = []
        count = 0
        for part in self._ordered_parts():
            gathered.append(read_exactly(self._summaries, part.summaries_offset, part.summaries * SUMMARY.itemsize))
            count += part.summaries
            if count >= SUMMARIES_AT_ONCE:
                yield np.frombuffer(b"".join(gathered), SUMMARY)
                gathered, count = [], 0
        if gathered:
            yield np.frombuffer(b"".join(gathered), SUMMARY)

    def _ordered_parts(self) -> Iterator[_Part]:
        for chromosome in sorted(self._parts):
            yield from self._parts[chromosome]


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of ``data`` to an unbuffered file, which may take it in several goes."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def read_exactly(file: BinaryIO, offset: int, size: int) -> bytes:
    """Read ``size`` bytes at ``offset``."""
    data = os.pread(file.fileno(), size, offset)
    while len(data) < size:
        more = os.pread(file.fileno(), size - len(data), offset + len(data))
        if not more:
            raise OSError(f"a temporary file ended at byte {offset + len(data)}")
        data += more
    return data


def copy_bytes(source: BinaryIO, offset: int, size: int, target: BinaryIO) -> None:
    """Append part of one file to another, unbuffered one; inside the kernel where it can do that."""
    while size and hasattr(os, "copy_file_range"):
        try:
            copied = os.copy_file_range(source.fileno(), target.fileno(), size, offset)
        except OSError as error:
            if error.errno not in _COPY_UNSUPPORTED:
                raise
            break
        if not copied:
            break
        offset, size = offset + copied, size - copied
    while size:
        data = read_exactly(source, offset, min(size, _COPY_SIZE))
        write_all(target, data)
        offset, size = offset + len(data), size - len(data)
