"""Reads and writes 2bit, UCSC's compact genome format (https://genome.ucsc.edu/FAQ/FAQformat.html#format7).

::

    signature version count reserved                      4 x uint32
    count x ( name size, name, offset of its record )     uint8, bytes, uint32 (uint64 in version 1)
    count x record:
        length
        blocks of N:          count, starts, sizes
        blocks of lower case: count, starts, sizes        ignored here: case is no part of a code
        reserved
        bases, four a byte, the first one in the highest bits: T 0, C 1, A 2, G 3

All integers are in one byte order, which the signature shows.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.codes import UNKNOWN
from trackgen.genome.sequence import TWOBIT_MAGIC, Genome, inside, pieces, unknown_sequence
from trackgen.progress import NullProgress, Progress

__all__ = ["TwoBitGenome", "write_twobit"]

SIGNATURE = 0x1A412743
HEADER_BYTES = 16
LONGEST_NAME = 255
LARGEST_UINT32 = 0xFFFFFFFF
CODE_OF_VALUE = (3, 1, 0, 2)
"""Codes of the values T 0, C 1, A 2, G 3."""
VALUE_OF_CODE = np.array([2, 1, 3, 0, 0], np.uint8)
"""The way back; an unknown base is stored as T under a block of N, as UCSC's own programs do."""
WRITTEN_AT_ONCE = 1 << 22
"""Bases packed in one step; a multiple of 4, so that no byte spans two steps."""

Blocks = NDArray[np.int64]
"""(n, 2) sorted disjoint intervals of one sequence, 0-based half-open."""


def _four_codes_of_each_byte() -> NDArray[np.uint32]:
    """For each byte its four codes, packed into one integer so that a lookup moves four bases at once."""
    values = (np.arange(256)[:, None] >> np.array([6, 4, 2, 0])) & 3
    codes = np.ascontiguousarray(np.array(CODE_OF_VALUE, np.uint8)[values])
    return codes.view(np.uint32).reshape(256)


_FOUR_CODES = _four_codes_of_each_byte()


class _Record(NamedTuple):
    """Where one sequence lies in the file."""

    length: int
    first_byte: int
    unknown: Blocks


class TwoBitGenome:
    """A 2bit file, either byte order, version 0 or 1. An interval touches its own bytes only.

    Raises:
        DataError: the file is truncated or its header leads out of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = open(path, "rb")  # noqa: SIM115 - `close` closes it
        try:
            with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                self._records = _Header(content, path).records()
        except BaseException:
            self._file.close()
            raise
        self.names = tuple(self._records)
        self.lengths = {name: record.length for name, record in self._records.items()}

    def fetch(self, name: str, start: int, end: int) -> NDArray[np.uint8]:
        """Codes of [start, end): see `trackgen.genome.Genome.fetch`."""
        if name not in self._records:
            raise unknown_sequence(self.path, name, self.lengths)
        record = self._records[name]
        codes = np.full(max(0, end - start), UNKNOWN, np.uint8)
        first, last = inside(record.length, start, end)
        if first < last:
            # Not through a memory map: its pages would count as memory of this process, up to the whole file.
            size = (last + 3) // 4 - first // 4
            packed = os.pread(self._file.fileno(), size, record.first_byte + first // 4)
            letters = _FOUR_CODES.take(np.frombuffer(packed, np.uint8)).view(np.uint8)
            codes[first - start : last - start] = letters[first % 4 : first % 4 + last - first]
            _paint_unknown(codes, start, record.unknown, first, last)
        return codes

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> TwoBitGenome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _paint_unknown(codes: NDArray[np.uint8], start: int, blocks: Blocks, first: int, last: int) -> None:
    """Set to unknown what `blocks` cover of [first, last), where codes[0] is the base at `start`."""
    begin = int(np.searchsorted(blocks[:, 1], first, side="right"))
    stop = int(np.searchsorted(blocks[:, 0], last, side="left"))
    for block_start, block_end in blocks[begin:stop].tolist():
        codes[max(first, block_start) - start : min(last, block_end) - start] = UNKNOWN


class _Header:
    """Reads the header, the index and the records' heads, checking every step against the file's size."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data = data
        self._path = path
        self._order = "<" if data[:4] == TWOBIT_MAGIC[0] else ">"

    def records(self) -> dict[str, _Record]:
        """All sequences in the order of the index."""
        _, version, count, _ = self._integers(0, 4, "header").tolist()
        if version not in (0, 1):
            raise DataError(
                "this version of 2bit is unknown", path=self._path, place="header", found=version, wanted="0 or 1"
            )
        if not count:
            raise DataError("the file holds no sequence", path=self._path, place="header", found=0, wanted="at least 1")
        records: dict[str, _Record] = {}
        position = HEADER_BYTES
        for number in range(1, count + 1):
            name, offset, position = self._index_entry(position, f"index entry {number} of {count}", version)
            if name in records:
                raise DataError(
                    "two sequences have one name", path=self._path, place=f"index entry {number} of {count}", found=name
                )
            records[name] = self._record(name, offset)
        return records

    def _index_entry(self, position: int, place: str, version: int) -> tuple[str, int, int]:
        """(name, offset of the record, position of the next entry)."""
        size = self._slice(position, 1, place)[0]
        raw = self._slice(position + 1, size, place)
        name = raw.decode(errors="replace")
        if not name.isprintable() or "\ufffd" in name or not name:
            raise DataError(
                "the 2bit file is damaged: a name is not text",
                path=self._path,
                place=place,
                found=repr(raw)[1:],
                remedy="get the file again",
            )
        width = 4 if version == 0 else 8
        offset = int(self._integers(position + 1 + size, 1, place, width)[0])
        return name, offset, position + 1 + size + width

    def _record(self, name: str, offset: int) -> _Record:
        place = f"sequence {name}"
        length, count = self._integers(offset, 2, place).tolist()
        starts = self._integers(offset + 8, count, place).astype(np.int64)
        sizes = self._integers(offset + 8 + 4 * count, count, place).astype(np.int64)
        unknown = self._checked_blocks(np.stack([starts, starts + sizes], 1), length, place)
        position = offset + 8 + 8 * count
        masked = int(self._integers(position, 1, place)[0])
        # Behind the count: starts and sizes of the lower-case blocks, and the reserved integer.
        first_byte = position + 4 + 8 * masked + 4
        self._require(first_byte, (length + 3) // 4, place)
        return _Record(length, first_byte, unknown)

    def _checked_blocks(self, blocks: Blocks, length: int, place: str) -> Blocks:
        if len(blocks) and int(blocks[:, 1].max()) > length:
            raise DataError(
                "a block of N ends beyond its sequence",
                path=self._path,
                place=place,
                found=f"base {int(blocks[:, 1].max()):,}",
                wanted=f"at most {length:,}",
                remedy="get the file again",
            )
        if bool((blocks[1:, 0] >= blocks[:-1, 1]).all()):
            return blocks
        # Searching needs order and no overlap; files that lack it are rare, so the detour costs nobody.
        from trackgen.genome.regions import merge

        return merge(blocks)

    def _integers(self, offset: int, count: int, place: str, width: int = 4) -> NDArray[np.unsignedinteger]:
        raw = self._slice(offset, count * width, place)
        integers: NDArray[np.unsignedinteger] = np.frombuffer(raw, f"{self._order}u{width}")
        return integers

    def _slice(self, offset: int, size: int, place: str) -> bytes:
        self._require(offset, size, place)
        return self._data[offset : offset + size]

    def _require(self, offset: int, size: int, place: str) -> None:
        if offset + size > len(self._data):
            raise DataError(
                "the 2bit file is truncated or damaged",
                path=self._path,
                place=place,
                found=f"{len(self._data):,} bytes",
                wanted=f"at least {offset + size:,}",
                remedy="get the file again",
            )


def write_twobit(
    genome: Genome,
    path: str | os.PathLike[str],
    progress: Progress | None = None,
    names: Mapping[str, str] | None = None,
) -> None:
    """Write `genome` as 2bit, all upper case, in the order of its names; `names` gives some of them new ones.

    The genome is read twice, in pieces: once for the blocks of N, which stand before the bases, and once for the
    bases. Sequences longer than memory are therefore no problem. The file appears under its name when it is whole.

    Raises:
        DataError: a sequence or a name is longer than the format can hold.
    """
    path = Path(path)
    progress = progress or NullProgress()
    renamed = names or {}
    for name, length in genome.lengths.items():
        if length > LARGEST_UINT32 or len(renamed.get(name, name).encode()) > LONGEST_NAME:
            raise DataError(
                "2bit can't hold this sequence",
                path=genome.path,
                place=f"sequence {name}",
                found=f"{length:,} bp, a name of {len(name.encode())} bytes",
                wanted=f"at most {LARGEST_UINT32:,} bp and {LONGEST_NAME} bytes",
            )
    unfinished = path.with_name(path.name + ".tmp")
    try:
        with open(unfinished, "wb") as file:
            _write(genome, file, progress, renamed)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _write(genome: Genome, file: BinaryIO, progress: Progress, renamed: Mapping[str, str]) -> None:
    blocks = _all_unknown(genome, progress)
    heads = [_record_head(genome.lengths[name], blocks[name]) for name in genome.names]
    sizes = [len(head) + (genome.lengths[name] + 3) // 4 for name, head in zip(genome.names, heads, strict=True)]
    file.write(_file_head([renamed.get(name, name) for name in genome.names], sizes))
    progress.start("writing 2bit", sum(genome.lengths.values()), "bases")
    try:
        for name, head in zip(genome.names, heads, strict=True):
            file.write(head)
            for _, start, end in pieces({name: genome.lengths[name]}, WRITTEN_AT_ONCE):
                file.write(_pack(genome.fetch(name, start, end)))
                progress.advance(end - start)
    finally:
        progress.finish()


def _all_unknown(genome: Genome, progress: Progress) -> dict[str, Blocks]:
    """For each sequence its maximal runs of unknown bases."""
    from trackgen.genome.regions import merge

    found: dict[str, list[Blocks]] = {name: [] for name in genome.names}
    progress.start("looking for unknown bases", sum(genome.lengths.values()), "bases")
    try:
        for name, start, end in pieces(genome.lengths, WRITTEN_AT_ONCE):
            unknown = genome.fetch(name, start, end) == UNKNOWN
            edges = np.flatnonzero(np.diff(unknown, prepend=False, append=False))
            if len(edges):
                found[name].append(edges.reshape(-1, 2).astype(np.int64) + start)
            progress.advance(end - start)
    finally:
        progress.finish()
    return {name: merge(np.concatenate(parts or [np.empty((0, 2), np.int64)])) for name, parts in found.items()}


def _record_head(length: int, blocks: Blocks) -> bytes:
    """What stands before a record's bases: no lower case, reserved 0."""
    starts, sizes = blocks[:, 0], blocks[:, 1] - blocks[:, 0]
    return np.concatenate([[length, len(blocks)], starts, sizes, [0, 0]]).astype("<u4").tobytes()


def _file_head(names: Sequence[str], sizes: Sequence[int]) -> bytes:
    """Header and index; version 1, with 64-bit offsets, only where the file passes 4 GB."""
    raw = [name.encode() for name in names]
    width = 4
    size = HEADER_BYTES + sum(1 + len(name) + width for name in raw)
    if size + sum(sizes[:-1]) > LARGEST_UINT32:
        width = 8
        size += 4 * len(raw)
    head = np.array([SIGNATURE, 0 if width == 4 else 1, len(raw), 0], "<u4").tobytes()
    offset = size
    for name, record in zip(raw, sizes, strict=True):
        head += bytes([len(name)]) + name + offset.to_bytes(width, "little")
        offset += record
    return head


def _pack(codes: NDArray[np.uint8]) -> bytes:
    """Four bases a byte; the last byte is filled with zeros."""
    values = np.zeros((len(codes) + 3) // 4 * 4, np.uint8)
    values[: len(codes)] = VALUE_OF_CODE[codes]
    four = values.reshape(-1, 4)
    return (four[:, 0] << 6 | four[:, 1] << 4 | four[:, 2] << 2 | four[:, 3]).tobytes()
