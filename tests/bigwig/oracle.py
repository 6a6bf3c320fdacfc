"""A slow reader of BigWig files, written from the format's description alone, and what a file should hold.

It shares no code with the package, reads every byte, and is strict where readers are lenient: padding, order, bounds.
Source: Kent et al. 2010 (doi 10.1093/bioinformatics/btq351), supplement.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

BIGWIG = 0x888FFC26
CHROMOSOME_TREE = 0x78CA8C91
RANGE_TREE = 0x2468ACE0
HEADER = (
    *("magic", "version", "zooms", "tree", "data", "index", "fields", "defined"),
    *("auto_sql", "summary", "buffer", "extension"),
)


class Section(NamedTuple):
    """A fixed-step section."""

    chromosome: int
    start: int
    end: int
    step: int
    span: int
    values: tuple[float, ...]


class Record(NamedTuple):
    """A zoom record."""

    chromosome: int
    start: int
    end: int
    covered: int
    minimum: float
    maximum: float
    sum: float
    sum_squares: float


class Leaf(NamedTuple):
    """A leaf item of an R-tree."""

    start: tuple[int, int]
    end: tuple[int, int]
    offset: int
    size: int


@dataclass
class File:
    """Everything in a file."""

    names: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    header: dict[str, int] = field(default_factory=dict)
    summary: tuple[int, float, float, float, float] = (0, 0.0, 0.0, 0.0, 0.0)
    sections: list[Section] = field(default_factory=list)
    zooms: dict[int, list[Record]] = field(default_factory=dict)
    tree_levels: dict[str, int] = field(default_factory=dict)

    def values(self, name: str) -> np.ndarray:
        """float32[length], NaN where there is no value."""
        identity = self.names.index(name)
        values = np.full(self.lengths[identity], np.nan, np.float32)
        for section in self.sections:
            if section.chromosome == identity:
                for item, value in enumerate(section.values):
                    start = section.start + item * section.step
                    assert np.isnan(values[start : start + section.span]).all(), "two values for a base"
                    values[start : start + section.span] = value
        return values


def read(path: Path) -> File:
    """Read and check a whole file."""
    data = Path(path).read_bytes()
    file = File(header=dict(zip(HEADER, struct.unpack_from("<IHHQQQHHQQIQ", data), strict=True)))
    header = file.header
    assert header["magic"] == BIGWIG == struct.unpack("<I", data[-4:])[0]
    assert header["version"] == 4
    assert header["fields"] == header["defined"] == header["auto_sql"] == header["extension"] == 0
    file.summary = struct.unpack_from("<Qdddd", data, header["summary"])
    _read_chromosomes(data, file)
    (count,) = struct.unpack_from("<Q", data, header["data"])
    leaves, end = _read_range_tree(data, header["index"], header["data"] + 8, file, "sections")
    assert count == len(leaves)
    largest = 0
    for leaf in leaves:
        block = zlib.decompress(data[leaf.offset : leaf.offset + leaf.size])
        largest = max(largest, len(block))
        file.sections.append(_read_section(block, leaf))
    for level in range(header["zooms"]):
        reduction, reserved, start, index = struct.unpack_from("<IIQQ", data, 64 + 24 * level)
        assert reserved == 0
        assert start == end, "a hole in the file"
        (count,) = struct.unpack_from("<I", data, start)
        leaves, end = _read_range_tree(data, index, start + 4, file, f"zoom {level}")
        records = []
        for leaf in leaves:
            block = zlib.decompress(data[leaf.offset : leaf.offset + leaf.size])
            largest = max(largest, len(block))
            records += _read_records(block, leaf)
        assert count == len(records)
        assert records == sorted(records)
        file.zooms[reduction] = records
    assert end + 4 == len(data)
    assert header["buffer"] == (largest or header["buffer"]), "the largest block decides the readers' buffer"
    assert header["buffer"] > 0
    return file


def _read_chromosomes(data: bytes, file: File) -> None:
    offset = file.header["tree"]
    magic, block, key_size, value_size, count, reserved = struct.unpack_from("<IIIIQQ", data, offset)
    assert (magic, value_size, reserved) == (CHROMOSOME_TREE, 8, 0)
    found: list[tuple[bytes, int, int]] = []

    def node(at: int, depth: int) -> bytes:
        leaf, reserved, items = struct.unpack_from("<BBH", data, at)
        assert reserved == 0
        assert items <= block
        file.tree_levels["chromosomes"] = max(file.tree_levels.get("chromosomes", 0), depth)
        size = key_size + 8
        first = data[at + 4 : at + 4 + key_size]
        for item in range(items):
            place = at + 4 + item * size
            key = data[place : place + key_size]
            if leaf:
                found.append((key, *struct.unpack_from("<II", data, place + key_size)))
            else:
                (child,) = struct.unpack_from("<Q", data, place + key_size)
                assert node(child, depth + 1) == key, "a key that is not the first of its child"
        assert not any(data[at + 4 + items * size : at + 4 + block * size]), "padding is not zero"
        return first

    node(offset + 32, 1)
    assert len(found) == count
    assert found == sorted(found), "keys are not in byte order"
    assert [identity for _, identity, _ in found] == list(range(count))
    file.names = [key.rstrip(b"\0").decode() for key, _, _ in found]
    file.lengths = [length for _, _, length in found]


def _read_range_tree(data: bytes, offset: int, begin: int, file: File, what: str) -> tuple[list[Leaf], int]:
    """Leaves in order, and the end of the tree in the file; blocks must fill [begin, offset) without holes."""
    magic, block, count, *bounds, end, per_slot, reserved = struct.unpack_from("<IIQIIIIQII", data, offset)
    assert (magic, per_slot, reserved) == (RANGE_TREE, 1, 0)
    assert end == offset
    leaves: list[Leaf] = []
    last = offset + 48

    def node(at: int, depth: int) -> tuple[tuple[int, int], tuple[int, int]]:
        nonlocal last
        leaf, reserved, items = struct.unpack_from("<BBH", data, at)
        assert reserved == 0
        assert items <= block
        file.tree_levels[what] = max(file.tree_levels.get(what, 0), depth)
        size = 32 if leaf else 24
        spans = []
        for item in range(items):
            place = at + 4 + item * size
            start_chromosome, start, end_chromosome, end, child = struct.unpack_from("<IIIIQ", data, place)
            span = ((start_chromosome, start), (end_chromosome, end))
            if leaf:
                leaves.append(Leaf(*span, child, *struct.unpack_from("<Q", data, place + 24)))
            else:
                assert node(child, depth + 1) == span, "a node that does not span its children"
            spans.append(span)
        assert not any(data[at + 4 + items * size : at + 4 + block * size]), "padding is not zero"
        last = max(last, at + 4 + block * size)
        return (spans[0][0], spans[-1][1]) if spans else ((0, 0), (0, 0))

    root = node(offset + 48, 1)
    assert (*root[0], *root[1]) == tuple(bounds)
    assert len(leaves) == count
    for leaf in leaves:
        assert leaf.offset == begin, "a hole between blocks"
        begin += leaf.size
    assert begin == offset
    for before, after in itertools.pairwise(leaves):
        assert before.end <= after.start, "blocks overlap"
    return leaves, last


def _read_section(block: bytes, leaf: Leaf) -> Section:
    chromosome, start, end, step, span, kind, reserved, count = struct.unpack_from("<IIIIIBBH", block)
    assert (kind, reserved) == (3, 0)
    assert len(block) == 24 + 4 * count
    assert count > 0
    assert step == span
    assert end == start + count * step
    assert ((chromosome, start), (chromosome, end)) == (leaf.start, leaf.end)
    return Section(chromosome, start, end, step, span, struct.unpack_from(f"<{count}f", block, 24))


def _read_records(block: bytes, leaf: Leaf) -> list[Record]:
    assert len(block) % 32 == 0
    records = [Record(*fields) for fields in struct.iter_unpack("<IIIIffff", block)]
    assert (records[0].chromosome, records[0].start) == leaf.start
    assert (records[-1].chromosome, records[-1].end) == leaf.end
    return records


def expected_records(values: np.ndarray, chromosome: int, reduction: int, offset: int) -> list[Record]:
    """The zoom records of one chromosome, from its value at every base (float32, NaN for none)."""
    records = []
    length = len(values)
    number = -offset // reduction
    while offset + number * reduction < length:
        start, end = max(0, offset + number * reduction), min(length, offset + (number + 1) * reduction)
        number += 1
        inside = values[start:end].astype(np.float64) if end > start else values[:0]
        inside = inside[~np.isnan(inside)]
        if len(inside):
            total, squares = inside.sum(), np.square(inside).sum()
            records.append(Record(chromosome, start, end, len(inside), inside.min(), inside.max(), total, squares))
    return records


def place_items(values: np.ndarray, stride: int, offset: int, first: int, items: np.ndarray, gaps: np.ndarray) -> None:
    """Write items to their bases, float32[length], in place: every base asks for its item."""
    bases = np.arange(len(values))
    item = (bases - offset) // stride - first
    has_item = (item >= 0) & (item < len(items))
    for start, end in gaps:
        has_item[start:end] = False
    values[has_item] = items[item[has_item]] + np.float32(0)
