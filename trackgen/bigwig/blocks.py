"""Compressed blocks and what they cover: what sections and zoom records become in the file."""

from __future__ import annotations

import itertools
import struct
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

__all__ = ["EXTENT", "NO_EXTENTS", "Blocks", "checksum", "compress", "compress_parts"]

# start, end: bp; size: bytes after compression. A block covers one chromosome.
EXTENT = np.dtype([("chromosome", "<u4"), ("start", "<u4"), ("end", "<u4"), ("size", "<u4")])
NO_EXTENTS: NDArray[Any] = np.empty(0, EXTENT)
# Above level 1 isal takes longer and saves nothing on float32; below it, files are half as large again.
_LEVEL = 1
# Larger buffers compress no better, and are given back to the system after each block: threads then wait for each other
# in the kernel (1.4 instead of 1.9 times the speed on two cores).
_MEMORY_LEVEL = 5
# Deflate without header and checksum, with a window of 32 KB.
_RAW = -15
# The header of zlib format (RFC 1950: deflate, 32 KB, fastest), then that of a stored block (RFC 1951, 3.2.4).
_STORED = struct.Struct("<HBHH")
_ZLIB_FORMAT = 0x0178
# How much of a block stands before what is compressed.
_HEAD = 24


class Blocks(NamedTuple):
    """Consecutive blocks, as they stand in the file.

    Attributes:
        data: the compressed blocks, to be written one after the other.
        extents: EXTENT[b], what each covers and its compressed size.
        largest: bytes of the largest block before compression; readers reserve that much.
    """

    data: list[bytes]
    extents: NDArray[Any]
    largest: int


def compress(head: bytes | memoryview, rest: memoryview) -> bytes:
    """One block, compressed: zlib format, of ``head`` followed by ``rest``.

    At levels 1 and 2, isal enters a hash of its own address where a stream starts (igzip_icf_body_h1_gr_bt.asm,
    label write_first_byte, still in ISA-L 2.32), so that now and then equal data give different bytes in another
    thread or process. It does not where a stream continues from a dictionary. So the head is stored as it is, and the
    rest is compressed with the head as its dictionary, which readers have before them anyway.

    Args:
        head: the first bytes, at least 8 and at most 32,767 of them.
        rest: the other bytes, at most 32,768 of them.
    """
    stored = _STORED.pack(_ZLIB_FORMAT, 0, len(head), len(head) ^ 0xFFFF)
    stream = isal_zlib.compressobj(_LEVEL, wbits=_RAW, memLevel=_MEMORY_LEVEL, zdict=head)
    checksum = isal_zlib.adler32(rest, isal_zlib.adler32(head))
    return b"".join((stored, head, stream.compress(rest), stream.flush(), checksum.to_bytes(4, "big")))


def compress_parts(data: NDArray[np.uint8], borders: NDArray[np.int64]) -> list[bytes]:
    """Compress data[borders[i]:borders[i + 1]] for each i; ``data`` is contiguous."""
    view = data.data
    pairs = itertools.pairwise(borders.tolist())
    return [compress(view[begin : begin + _HEAD], view[begin + _HEAD : end]) for begin, end in pairs]


def checksum(data: bytes, before: int = 0) -> int:
    """The CRC-32 of ``data`` behind what has the CRC-32 ``before``."""
    crc: int = isal_zlib.crc32(data, before)
    return crc
