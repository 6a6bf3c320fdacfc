"""Reads the heads of BigWig, bigBed and 2bit files through ``read(offset, size)``, from disk or over the network.

Layouts: Kent et al. 2010 (doi:10.1093/bioinformatics/btq351), supplement; https://genome.ucsc.edu/FAQ/FAQformat.html.
A file's own numbers are never trusted with memory: each step is bounded.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trackgen.genome.sequence import TWOBIT_MAGIC
from trackgen.genome.signals import BIGBED_MAGIC, BIGWIG_MAGIC
from trackgen.hub.check.sources import FileFault, RangeReader

__all__ = ["Bbi", "read_bbi", "read_two_bit"]

HEADER = 64
ZOOM_HEADER = 24
SUMMARY = 40
CHROMOSOME_TREE_MAGIC = 0x78CA8C91
RANGE_TREE_MAGIC = 0x2468ACE0
CHROMOSOME_TREE_HEADER = 32
LONGEST_KEY = 4096
MOST_SEQUENCES = 2_000_000
MOST_ZOOMS = 64
DEEPEST_TREE = 12
NEWEST_VERSION = 4
OLDEST_VERSION = 3
TWO_BIT_HEADER = 16
LENGTHS_READ = 2_000
"""Sequences of a 2bit file whose lengths are read; each lies at another place of the file."""


@dataclass(frozen=True)
class Bbi:
    """What the head of a BigWig or bigBed file says."""

    kind: str
    version: int
    zooms: int
    fields: int
    """Defined fields of a bigBed; 0 in a BigWig."""
    lengths: dict[str, int]
    """Name -> bp."""
    covered: int | None
    """Bases with a value, and their least, largest and mean value; None in files that do not tell."""
    least: float
    largest: float
    mean: float


class _Reader:
    """Reads exactly, in one byte order."""

    def __init__(self, file: RangeReader, order: str) -> None:
        self._file, self.order = file, order

    def take(self, offset: int, size: int, what: str) -> bytes:
        data = self._file.read(offset, size) if size else b""
        if len(data) < size:
            end = f"{self._file.size:,} bytes" if self._file.size is not None else f"{offset + len(data):,} bytes"
            wanted = f"at least {offset + size:,}, for {what}"
            raise FileFault("DATA-DAMAGED", "the file is cut off", found=end, wanted=wanted, remedy="copy it again")
        return data

    def unpack(self, form: str, offset: int, what: str) -> tuple[Any, ...]:
        return struct.unpack(self.order + form, self.take(offset, struct.calcsize(self.order + form), what))


def read_bbi(file: RangeReader, kind: str) -> Bbi:
    """The head of a file that should be a ``bigWig`` or a ``bigBed``.

    Raises:
        FileFault: DATA-MAGIC, DATA-VERSION or DATA-DAMAGED.
    """
    magic = file.read(0, 4)
    wanted = BIGWIG_MAGIC if kind == "bigWig" else BIGBED_MAGIC
    if magic not in wanted:
        other = "bigBed" if magic in BIGBED_MAGIC else "bigWig" if magic in BIGWIG_MAGIC else ""
        found = other or (f"bytes {magic.hex(' ')}" if magic else "an empty file")
        raise FileFault("DATA-MAGIC", f"the file is no {kind}", found=found, wanted=f"bytes {wanted[0].hex(' ')}")
    reader = _Reader(file, "<" if magic == wanted[0] else ">")
    version, zooms, tree, _, index, _, fields, _, summary = reader.unpack("HH3QHHQQ", 4, "the header")
    if not OLDEST_VERSION <= version <= NEWEST_VERSION:
        raise FileFault("DATA-VERSION", "this version is unknown", found=str(version), wanted=str(NEWEST_VERSION))
    if zooms > MOST_ZOOMS:
        raise FileFault("DATA-DAMAGED", "the header makes no sense", found=f"{zooms:,} zoom levels")
    lengths = _chromosomes(reader, tree)
    # Files without any value may have no index: pyBigWig writes 0 for its place.
    empty = index == 0 and kind == "bigWig"
    if not empty:
        _check_trees(reader, index, zooms)
    covered, least, largest, mean = (0, math.nan, math.nan, math.nan) if empty else _summary(reader, summary)
    return Bbi(kind, version, zooms, fields if kind == "bigBed" else 0, lengths, covered, least, largest, mean)


def _summary(reader: _Reader, offset: int) -> tuple[int | None, float, float, float]:
    if not offset:
        return None, math.nan, math.nan, math.nan
    covered, least, largest, total, _ = reader.unpack("Q4d", offset, "the summary")
    return covered, least, largest, total / covered if covered else math.nan


def _check_trees(reader: _Reader, index: int, zooms: int) -> None:
    """The index over the data, and that of the last zoom level, which stands last in the file, must be there."""
    places = [index]
    if zooms:
        places.append(reader.unpack("Q", HEADER + ZOOM_HEADER * (zooms - 1) + 16, "the zoom levels")[0])
    for place in places:
        if reader.unpack("I", place, "an index")[0] != RANGE_TREE_MAGIC:
            raise FileFault("DATA-DAMAGED", "an index is not where the header says", found=f"byte {place:,}")


def _chromosomes(reader: _Reader, offset: int) -> dict[str, int]:
    """Name -> length, from the tree of chromosomes."""
    magic, _, key_size, value_size, count, _ = reader.unpack("4I2Q", offset, "the sequences' names")
    if magic != CHROMOSOME_TREE_MAGIC or value_size != 8 or not 0 < key_size <= LONGEST_KEY or count > MOST_SEQUENCES:
        raise FileFault("DATA-DAMAGED", "the tree of sequence names makes no sense", found=f"byte {offset:,}")
    lengths: dict[str, int] = {}
    level = [offset + CHROMOSOME_TREE_HEADER]
    for _ in range(DEEPEST_TREE):
        below: list[int] = []
        for place in level:
            leaf, _, items = reader.unpack("BBH", place, "the sequences' names")
            nodes = reader.take(place + 4, items * (key_size + 8), "the sequences' names")
            for start in range(0, len(nodes), key_size + 8):
                value = nodes[start + key_size : start + key_size + 8]
                if leaf:
                    name = nodes[start : start + key_size].rstrip(b"\0").decode("utf-8", "replace")
                    lengths[name] = struct.unpack(reader.order + "II", value)[1]
                else:
                    below.append(struct.unpack(reader.order + "Q", value)[0])
            if len(lengths) + len(below) > count:
                raise FileFault("DATA-DAMAGED", "the tree of sequence names makes no sense", found=f"byte {place:,}")
        if not below:
            return lengths
        level = below
    raise FileFault("DATA-DAMAGED", "the tree of sequence names has no end", found=f"byte {offset:,}")


def read_two_bit(file: RangeReader) -> dict[str, int | None]:
    """Name -> length, bp, of a 2bit file; None where there are too many to read them all.

    Raises:
        FileFault: DATA-MAGIC, DATA-VERSION or DATA-DAMAGED.
    """
    magic = file.read(0, 4)
    if magic not in TWOBIT_MAGIC:
        found = f"bytes {magic.hex(' ')}" if magic else "an empty file"
        raise FileFault("DATA-MAGIC", "the file is no 2bit", found=found, wanted=f"bytes {TWOBIT_MAGIC[0].hex(' ')}")
    reader = _Reader(file, "<" if magic == TWOBIT_MAGIC[0] else ">")
    version, count, _ = reader.unpack("3I", 4, "the header")
    if version not in (0, 1):
        raise FileFault("DATA-VERSION", "this version of 2bit is unknown", found=str(version), wanted="0 or 1")
    if count > MOST_SEQUENCES:
        raise FileFault("DATA-DAMAGED", "the header makes no sense", found=f"{count:,} sequences")
    places = _two_bit_index(reader.take, "I" if version == 0 else "Q", count, reader.order)
    lengths: dict[str, int | None] = {}
    for number, (name, place) in enumerate(places.items()):
        known = number < LENGTHS_READ
        lengths[name] = reader.unpack("I", place, f"the sequence {name}")[0] if known else None
    return lengths


def _two_bit_index(read: Callable[[int, int, str], bytes], form: str, count: int, order: str) -> dict[str, int]:
    places: dict[str, int] = {}
    position = TWO_BIT_HEADER
    width = struct.calcsize(order + form)
    for _ in range(count):
        size = read(position, 1, "the names")[0]
        entry = read(position + 1, size + width, "the names")
        places[entry[:size].decode("utf-8", "replace")] = struct.unpack(order + form, entry[size:])[0]
        position += 1 + size + width
    return places
