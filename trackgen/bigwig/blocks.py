"""Compressed blocks and what they cover: what sections and zoom records become in the file."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

__all__ = ["EXTENT", "NO_EXTENTS", "Blocks", "compress", "compress_parts"]

# start, end: bp; size: bytes after compression. A block covers one chromosome.
EXTENT = np.dtype([("chromosome", "<u4"), ("start", "<u4"), ("end", "<u4"), ("size", "<u4")])
NO_EXTENTS: NDArray[Any] = np.empty(0, EXTENT)
# Above level 1 isal takes longer and saves nothing on float32; below it, files are half as large again.
_LEVEL = 1


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


def compress(data: bytes | memoryview) -> bytes:
    """One block, compressed (zlib format)."""
    block: bytes = isal_zlib.compress(data, _LEVEL)
    return block


def compress_parts(data: NDArray[np.uint8], borders: NDArray[np.int64]) -> list[bytes]:
    """Compress data[borders[i]:borders[i + 1]] for each i; ``data`` is contiguous."""
    view = data.data
    begins = borders.tolist()
    return [compress(view[begin:end]) for begin, end in itertools.pairwise(begins)]
