"""A whole bgzip file from front to back, in pieces, unpacked on threads; see `trackgen.genome.bgzf` for the format."""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from isal import isal_zlib

from trackgen.errors import DataError
from trackgen.genome.bgzf import END_BLOCK, FIXED_HEADER, TRAILER, block_size

__all__ = ["bgzf_pieces"]

BYTES_READ = 1 << 20
"""Of the file at a time: what a thread unpacks in one go, three to four times as many bytes."""
LONGEST_HEAD = 64
"""Bytes of a block that say its size, with room for other extra fields."""
THREADS = 2
"""That unpack: one is as fast as what follows, the second keeps it from waiting."""


class _Blocks(NamedTuple):
    """Whole blocks, one behind the other."""

    data: bytes
    offset: int
    """Of the first one in the file."""
    starts: list[int]
    """In `data`; the last one is the end."""


def bgzf_pieces(path: Path) -> Generator[bytes]:
    """The unpacked content, in order; the checksum of each block is checked.

    Memory is that of a few pieces.

    Raises:
        DataError: the file is truncated or damaged.
    """
    _check_end(path)
    waiting: deque[Future[bytes]] = deque()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="unpack")
    try:
        for blocks in _blocks(path):
            waiting.append(pool.submit(_unpacked, path, blocks))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _check_end(path: Path) -> None:
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(END_BLOCK)))
        if file.read() != END_BLOCK:
            raise _truncated(path, f"{size:,} bytes without the closing block")


def _truncated(path: Path, found: str) -> DataError:
    return DataError("the file is truncated", path=path, found=found, remedy="get or make the file again")


def _blocks(path: Path) -> Iterator[_Blocks]:
    with open(path, "rb") as file:
        offset, rest = 0, b""
        while read := file.read(BYTES_READ):
            data = rest + read
            starts = _starts(path, data, offset)
            if len(starts) > 1:
                yield _Blocks(data, offset, starts)
            rest, offset = data[starts[-1] :], offset + starts[-1]
        if rest:
            raise _truncated(path, f"{offset + len(rest):,} bytes, the last block incomplete")


def _starts(path: Path, data: bytes, offset: int) -> list[int]:
    """Where the blocks in `data` begin, and where the last whole one ends."""
    starts = [0]
    while starts[-1] < len(data):
        begin = starts[-1]
        head = data[begin : begin + LONGEST_HEAD]
        size = block_size(head)
        if size is None and len(head) == LONGEST_HEAD:
            raise DataError(
                "the file is damaged: no bgzip block begins here", path=path, place=f"byte {offset + begin:,}",
                remedy="get or make the file again",
            )  # fmt: skip
        if size is None or begin + size > len(data):
            break
        starts.append(begin + size)
    return starts


def _unpacked(path: Path, blocks: _Blocks) -> bytes:
    data = memoryview(blocks.data)
    parts = []
    for begin, end in zip(blocks.starts, blocks.starts[1:], strict=False):
        head = begin + FIXED_HEADER + int.from_bytes(data[begin + 10 : begin + FIXED_HEADER], "little")
        checksum, size = struct.unpack_from("<II", data, end - TRAILER)
        try:
            part: bytes = isal_zlib.decompress(data[head : end - TRAILER], -15, size or 1)
        except isal_zlib.error as error:  # type: ignore[misc]
            raise _damaged(path, blocks.offset + begin, str(error)) from error
        if len(part) != size or isal_zlib.crc32(part) != checksum:
            raise _damaged(path, blocks.offset + begin, "the checksum differs")
        parts.append(part)
    return b"".join(parts)


def _damaged(path: Path, offset: int, why: str) -> DataError:
    return DataError(
        f"the file is damaged ({why})", path=path, place=f"block at byte {offset:,}",
        remedy="get or make the file again",
    )  # fmt: skip
