"""Random access to bgzip files through their index, for checks; bulk reading is pysam's.

A bgzip file is a row of gzip blocks of up to 64 KiB, each of which states its own size (SAM specification, section
4.1, https://samtools.github.io/hts-specs/SAMv1.pdf). Its ``.gzi`` index lists where blocks begin: a count, then that
many pairs (offset in the file, offset in the text), all uint64, little endian; the first block, (0, 0), is left out.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from pathlib import Path
from typing import BinaryIO

__all__ = ["END_BLOCK", "BgzfText", "is_bgzf"]

FIXED_HEADER = 12
LARGEST_BLOCK = 1 << 16
TRAILER = 8
END_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that closes a whole file."""


def block_size(head: bytes) -> int | None:
    """The size in bytes of the block that begins with `head`; None where it is no bgzip block."""
    if len(head) < FIXED_HEADER or head[:3] != b"\x1f\x8b\x08" or not head[3] & 4:
        return None
    extra = head[FIXED_HEADER : FIXED_HEADER + int.from_bytes(head[10:12], "little")]
    while len(extra) >= 4:
        size = int.from_bytes(extra[2:4], "little")
        if extra[:2] == b"BC" and size == 2 and len(extra) >= 6:
            return int.from_bytes(extra[4:6], "little") + 1
        extra = extra[4 + size :]
    return None


def is_bgzf(head: bytes) -> bool:
    """Whether a file that begins with `head` was compressed by bgzip."""
    return block_size(head) is not None


class BgzfText:
    """The text inside a bgzip file, by offset.

    Raises:
        ValueError: the index does not fit the file, or a block is damaged.
    """

    def __init__(self, file: BinaryIO, index: Path) -> None:
        self._file = file
        raw = index.read_bytes()
        if len(raw) < 8 or len(raw) != 8 + 16 * struct.unpack_from("<Q", raw)[0]:
            raise ValueError(f"{index.name} is not a whole index")
        numbers = struct.unpack(f"<{(len(raw) - 8) // 8}Q", raw[8:])
        self._in_file = [0, *numbers[0::2]]
        self._in_text = [0, *numbers[1::2]]
        self._end = file.seek(0, os.SEEK_END)
        self._block_at = -1
        self._block = b""
        self._next = 0

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` on; fewer at the end of the text."""
        number = bisect_right(self._in_text, offset) - 1
        at, skip = self._in_file[number], offset - self._in_text[number]
        text = b""
        while size > len(text) and at < self._end:
            block = self._load(at)
            text += block[skip : skip + size - len(text)]
            skip = max(0, skip - len(block))
            at = self._next
        return text

    def _load(self, at: int) -> bytes:
        """The text of the block at `at`, and where the next one begins."""
        if at != self._block_at:
            self._file.seek(at)
            head = self._file.read(LARGEST_BLOCK)
            size = block_size(head)
            if size is None or size > len(head):
                raise ValueError(f"there is no bgzip block at byte {at:,}")
            start = FIXED_HEADER + int.from_bytes(head[10:12], "little")
            try:
                self._block = zlib.decompress(head[start : size - TRAILER], wbits=-15)
            except zlib.error as error:
                raise ValueError(f"the bgzip block at byte {at:,} is damaged ({error})") from None
            self._block_at, self._next = at, at + size
        return self._block
