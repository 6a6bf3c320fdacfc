"""Copies of BigWig and bigBed files whose sequences have other names, without reading their data.

All data name sequences by number; only the chromosome tree holds names. A copy gets a new tree, right before its data,
and every offset of what then stands further back is raised. Old readers of JBrowse (to 3.1) need the tree before the
data, where not every writer puts it. Layout: see `trackgen.bigwig.assembly`.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from trackgen.bigwig.spool import read_exactly
from trackgen.bigwig.trees import chromosome_tree, raise_offsets, read_chromosome_tree
from trackgen.errors import DataError

__all__ = ["copy_renamed"]

MAGICS = (0x888FFC26, 0x8789F2EB)
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_ZOOM_HEADER = struct.Struct("<IIQQ")
_EXTENSION = struct.Struct("<HH")


class _Header(NamedTuple):
    """The header of a file, in its order; offsets are from the start of the file, 0 for nothing."""

    magic: int
    version: int
    zooms: int
    tree: int
    data: int
    data_index: int
    fields: int
    defined_fields: int
    auto_sql: int
    summary: int
    buffer: int
    extension: int


def copy_renamed(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Write `source` to the new file `target`, its sequences renamed; those not in `names` keep their names.

    Raises:
        DataError: `source` is neither a BigWig nor a bigBed file of the usual byte order, has further indexes, or is
            damaged.
    """
    with source.open("rb") as original:
        header = _read_header(original, source)
        try:
            sequences = read_chromosome_tree(partial(_read_at, original), header.tree)
        except DataError as error:
            raise error.in_file(source) from None
        renamed = sorted((names.get(name, name).encode(), number, length) for name, number, length in sequences)
        keys, numbers, lengths = zip(*renamed, strict=True)
        place = min(header.data, header.tree)
        tree = chromosome_tree(keys, lengths, place, numbers)
        try:
            with target.open("xb+") as copy:
                copy.write(read_exactly(original, 0, place))
                copy.write(tree)
                original.seek(place)
                shutil.copyfileobj(original, copy, 1 << 22)
                copy.flush()
                _raise_all(copy, header, place, len(tree))
        except BaseException as error:
            target.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno is None:
                # Offsets lead beyond its end.
                raise DataError("the file is cut off", path=source, remedy="get it, or make it, again") from error
            raise


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    return os.pread(file.fileno(), size, offset)


def _read_header(file: BinaryIO, path: Path) -> _Header:
    data = os.pread(file.fileno(), _HEADER.size, 0)
    if len(data) < _HEADER.size or int.from_bytes(data[:4], "little") not in MAGICS:
        raise DataError("this is neither a BigWig nor a bigBed file", path=path, remedy="scan again")
    header = _Header(*_HEADER.unpack(data))
    if header.extension and _EXTENSION.unpack(read_exactly(file, header.extension, _EXTENSION.size))[1]:
        raise DataError("the bigBed file has an index of names, which cannot be copied", path=path)
    return header


def _raise_all(copy: BinaryIO, header: _Header, place: int, size: int) -> None:
    """Mend all offsets of a file in which `size` bytes of tree were put in at byte `place`."""

    def raised(offset: int) -> int:
        return offset + size if offset >= place else offset

    mended = header._replace(
        tree=place,
        data=raised(header.data),
        data_index=raised(header.data_index),
        auto_sql=raised(header.auto_sql),
        summary=raised(header.summary),
        extension=raised(header.extension),
    )
    indexes = [mended.data_index]
    zooms = []
    for number in range(header.zooms):
        raw = read_exactly(copy, _HEADER.size + number * _ZOOM_HEADER.size, _ZOOM_HEADER.size)
        reduction, reserved, data, index = _ZOOM_HEADER.unpack(raw)
        zooms.append(_ZOOM_HEADER.pack(reduction, reserved, raised(data), raised(index)))
        indexes.append(raised(index))
    os.pwrite(copy.fileno(), _HEADER.pack(*mended) + b"".join(zooms), 0)
    for index in indexes:
        raise_offsets(copy, index, place, size)
