"""Writes bgzip files, the same bytes for the same text; and the index of a sorted VCF among them.

The format: SAM specification, section 4.1, https://samtools.github.io/hts-specs/SAMv1.pdf.
"""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from trackgen.errors import DataError
from trackgen.genome.bgzf import END_BLOCK

__all__ = ["BgzfWriter", "index_vcf"]

BLOCK = 0xFF00
"""Bytes of text in a block, as bgzip has it: even what can't be compressed then fits into 64 KiB."""
HEAD = bytes.fromhex("1f8b08040000000000ff060042430200")
LEVEL = 6


class BgzfWriter:
    """Packs what is written into `file`; closing it writes the last blocks and leaves `file` open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting = bytearray()

    def write(self, text: bytes) -> None:
        """Add text; whole blocks are written."""
        self._waiting += text
        while len(self._waiting) >= BLOCK:
            self._write_block(bytes(self._waiting[:BLOCK]))
            del self._waiting[:BLOCK]

    def _write_block(self, text: bytes) -> None:
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
        packed = packer.compress(text) + packer.flush()
        size = len(HEAD) + 2 + len(packed) + 8
        self._file.write(HEAD + struct.pack("<H", size - 1) + packed)
        self._file.write(struct.pack("<II", zlib.crc32(text), len(text)))

    def close(self) -> None:
        """Write what waits, and the block that says that the file is whole."""
        if self._waiting:
            self._write_block(bytes(self._waiting))
            self._waiting.clear()
        self._file.write(END_BLOCK)

    def __enter__(self) -> BgzfWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


def index_vcf(path: Path, index: Path) -> None:
    """Write the tabix index of a bgzip VCF whose records are sorted.

    Raises:
        DataError: it can't be indexed: a position beyond 2**29, the limit of the format.
    """
    import pysam

    before = pysam.set_verbosity(0)
    try:
        # Packed already, whatever its name ends in: given so, the library does not pack it once more.
        pysam.tabix_index(os.fspath(path), preset="vcf", force=True, index=os.fspath(index))
    except OSError as error:
        raise DataError(f"the VCF can't be indexed ({error})", path=path) from error
    finally:
        pysam.set_verbosity(before)
