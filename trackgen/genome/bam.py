"""Fragments from BAM files."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

from trackgen.errors import DataError
from trackgen.genome.bgzf import block_size
from trackgen.genome.fragments import FragmentOptions, FragmentSource

__all__ = ["bam_fragments", "is_bam"]

BAM_MAGIC = b"BAM\1"


def is_bam(head: bytes) -> bool:
    """Whether a file that begins with `head` is a BAM file."""
    size = block_size(head)
    if size is None:
        return False
    try:
        start = 12 + int.from_bytes(head[10:12], "little")
        return zlib.decompressobj(-15).decompress(head[start:size], 4) == BAM_MAGIC
    except zlib.error:
        return False


def bam_fragments(path: Path, lengths: Mapping[str, int], options: FragmentOptions) -> FragmentSource:
    """The fragments of a BAM file sorted by coordinate."""
    raise DataError("BAM files come next", path=path)
