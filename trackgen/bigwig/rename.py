"""Copies of BigWig and bigBed files whose sequences have other names, without reading their data.

All data name sequences by number; only the chromosome tree holds names. A copy gets a new tree behind its data, and
the header points there. Layout: see `trackgen.bigwig.assembly`.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from trackgen.bigwig.spool import read_exactly
from trackgen.bigwig.trees import chromosome_tree, read_chromosome_tree
from trackgen.errors import DataError

__all__ = ["copy_renamed"]

MAGICS = (0x888FFC26, 0x8789F2EB)
_START = struct.Struct("<IHHQ")
_MAGIC = struct.Struct("<I")


def copy_renamed(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Write `source` to the new file `target`, its sequences renamed; those not in `names` keep their names.

    Raises:
        DataError: `source` is neither a BigWig nor a bigBed file of the usual byte order, or is damaged.
    """
    with source.open("rb") as original:
        tree_offset, magic = _tree_offset(original, source)
        sequences = read_chromosome_tree(lambda offset, size: read_exactly(original, offset, size), tree_offset)
        renamed = sorted((names.get(name, name).encode(), number, length) for name, number, length in sequences)
        try:
            with target.open("xb") as copy:
                original.seek(0)
                shutil.copyfileobj(original, copy, 1 << 22)
                end = copy.tell()
                keys, numbers, lengths = zip(*renamed, strict=True)
                copy.write(chromosome_tree(keys, lengths, end, numbers))
                copy.write(_MAGIC.pack(magic))
                copy.seek(_START.size - 8)
                copy.write(struct.pack("<Q", end))
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _tree_offset(file: BinaryIO, path: Path) -> tuple[int, int]:
    if os.fstat(file.fileno()).st_size >= _START.size:
        magic, _, _, offset = _START.unpack(read_exactly(file, 0, _START.size))
        if magic in MAGICS:
            return int(offset), int(magic)
    raise DataError("this is neither a BigWig nor a bigBed file", path=path, remedy="scan again")
