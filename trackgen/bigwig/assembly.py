"""Putting a BigWig file together from encoded sections.

Layout of the file, in this order::

    header                    64 bytes
    zoom headers              24 bytes each
    total summary             40 bytes
    chromosome tree
    number of sections        8 bytes, then the sections
    R-tree over sections
    for each zoom level:      number of records (4 bytes), blocks of records, R-tree over the blocks
    the magic number again

Source: Kent et al. 2010 (doi 10.1093/bioinformatics/btq351), supplement; bbiFile.h of the kent source.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.blocks import NO_EXTENTS, Blocks
from trackgen.bigwig.grid import LONGEST, Grid
from trackgen.bigwig.spool import SUMMARIES_AT_ONCE, Source, read_exactly, write_all
from trackgen.bigwig.statistics import Totals
from trackgen.bigwig.trees import chromosome_tree, range_tree
from trackgen.bigwig.workers import ordered_map
from trackgen.bigwig.zooms import NO_SUMMARIES, SUMMARY, BlockEncoder, Reducer, WholeBlocks, merge_groups
from trackgen.errors import TrackgenError

__all__ = ["Chromosomes", "Layout", "assemble", "complete"]

MAGIC = 0x888FFC26
VERSION = 4
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_ZOOM_HEADER = struct.Struct("<IIQQ")
_SUMMARY = struct.Struct("<Qdddd")
_SECTION_COUNT = struct.Struct("<Q")
_RECORD_COUNT = struct.Struct("<I")
_MAGIC = struct.Struct("<I")


class Chromosomes(NamedTuple):
    """Chromosomes by id.

    Attributes:
        names: sorted bytewise.
        lengths: int64[c], bases.
    """

    names: tuple[bytes, ...]
    lengths: NDArray[np.int64]

    @staticmethod
    def of(lengths: Mapping[str, int], path: Path) -> Chromosomes:
        """The chromosomes of a file to be written at ``path``.

        Raises:
            TrackgenError: there are none, or one is longer than the format can hold.
        """
        if not lengths:
            raise TrackgenError("a track needs at least one chromosome", path=path)
        for name, length in lengths.items():
            if not 0 <= length <= LONGEST:
                wanted = f"at most {LONGEST} bases, which is all that a BigWig file can address"
                raise TrackgenError("a chromosome is too long", path=path, place=name, found=length, wanted=wanted)
        pairs = sorted((name.encode(), length) for name, length in lengths.items())
        return Chromosomes(tuple(name for name, _ in pairs), np.array([length for _, length in pairs], np.int64))


class _Zoom(NamedTuple):
    reduction: int
    data_offset: int
    index_offset: int
    largest: int


class _Offsets(NamedTuple):
    chromosome_tree: int
    sections: int
    section_index: int


class Layout(NamedTuple):
    """What stands before the sections, whose place follows from the genome and the grid.

    Attributes:
        reductions: bases per record of each zoom level.
        tree_offset: where the chromosome tree stands.
        tree: the chromosome tree.
    """

    reductions: list[int]
    tree_offset: int
    tree: bytes

    @staticmethod
    def of(chromosomes: Chromosomes, grid: Grid, *, empty: bool) -> Layout:
        """The layout of a file; one without sections has one zoom level only."""
        reductions = grid.reductions(int(chromosomes.lengths.max()))[: 1 if empty else None]
        tree_offset = _HEADER.size + len(reductions) * _ZOOM_HEADER.size + _SUMMARY.size
        return Layout(
            reductions, tree_offset, chromosome_tree(chromosomes.names, chromosomes.lengths.tolist(), tree_offset)
        )

    @property
    def count_offset(self) -> int:
        """Where the number of sections stands; behind it the sections begin."""
        return self.tree_offset + len(self.tree)

    def begin(self, file: BinaryIO) -> None:
        """Write what stands before the sections; the headers and their number are filled in at the end."""
        write_all(file, bytes(self.tree_offset) + self.tree + bytes(_SECTION_COUNT.size))


def assemble(
    file: BinaryIO, chromosomes: Chromosomes, grid: Grid, source: Source, folder: Path, threads: int = 1
) -> Totals:
    """Write a whole BigWig file.

    Args:
        file: empty, unbuffered, open for writing.
        chromosomes: all chromosomes of the genome.
        grid: where items stand.
        source: the sections and their summaries.
        folder: for temporary files, one zoom level each (a quarter of the level below).
        threads: cores that compress zoom levels.

    Returns:
        The summary that stands in the file.
    """
    layout = Layout.of(chromosomes, grid, empty=not len(source.extents()))
    layout.begin(file)
    source.copy_sections(file)
    return complete(file, layout, chromosomes, grid, source, folder, threads)


def complete(
    file: BinaryIO,
    layout: Layout,
    chromosomes: Chromosomes,
    grid: Grid,
    source: Source,
    folder: Path,
    threads: int = 1,
) -> Totals:
    """Write what stands behind the sections, and fill in the headers; arguments as for `assemble`.

    Args:
        file: holds the sections of ``source`` in its order, and nothing behind them.
    """
    extents = source.extents()
    offsets = _Offsets(layout.tree_offset, layout.count_offset, file.tell())
    write_all(file, range_tree(extents, offsets.sections + _SECTION_COUNT.size, offsets.section_index))
    levels = [(reduction, BlockEncoder(chromosomes.lengths, reduction, grid.offset)) for reduction in layout.reductions]
    zooms, totals = _write_zooms(file, levels, source, folder, threads)
    write_all(file, _MAGIC.pack(MAGIC))
    file.seek(layout.count_offset)
    write_all(file, _SECTION_COUNT.pack(len(extents)))
    file.seek(0)
    write_all(file, _header(offsets, zooms, totals, max(source.largest, *(zoom.largest for zoom in zooms))))
    return totals


def _header(offsets: _Offsets, zooms: list[_Zoom], totals: Totals, largest: int) -> bytes:
    summary_offset = _HEADER.size + len(zooms) * _ZOOM_HEADER.size
    # Field counts and the autoSql offset are zero: they describe bigBed. So is the offset of an extended header.
    # The size of the largest block is never zero, also without blocks: that would say that they are not compressed.
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        len(zooms),
        offsets.chromosome_tree,
        offsets.sections,
        offsets.section_index,
        0,
        0,
        0,
        summary_offset,
        largest or SUMMARY.itemsize,
        0,
    )
    levels = [_ZOOM_HEADER.pack(min(zoom.reduction, LONGEST), 0, zoom.data_offset, zoom.index_offset) for zoom in zooms]
    summary = _SUMMARY.pack(totals.covered, totals.minimum, totals.maximum, totals.sum, totals.sum_squares)
    return b"".join((header, *levels, summary))


def _write_zooms(
    file: BinaryIO, levels: list[tuple[int, BlockEncoder]], source: Source, folder: Path, threads: int
) -> tuple[list[_Zoom], Totals]:
    """Append all zoom levels; each is read once, from a temporary file, while the next is written to another."""
    zooms = []
    summaries: Iterable[NDArray[Any]] = source.summaries()
    with ExitStack() as files:
        for reduction, encoder in levels:
            following: BinaryIO = files.enter_context(tempfile.TemporaryFile(dir=folder, buffering=0))
            zooms.append(_write_zoom(file, encoder, reduction, summaries, following, threads))
            summaries = _stored(following)
        # These are of one level more than is written: a few records per chromosome.
        return zooms, Totals.of(np.concatenate([NO_SUMMARIES, *summaries]))


class _LevelPart(NamedTuple):
    """Records of one level: those that fill blocks now, and those that fill groups of the next level."""

    blocks: WholeBlocks
    groups: NDArray[Any]


def _write_zoom(
    file: BinaryIO,
    encoder: BlockEncoder,
    reduction: int,
    summaries: Iterable[NDArray[Any]],
    following: BinaryIO,
    threads: int,
) -> _Zoom:
    """Append one zoom level; the summaries of the next go to `following`."""
    data_offset = file.tell()
    write_all(file, _RECORD_COUNT.pack(0))
    extents = [NO_EXTENTS]
    count = largest = 0

    def encode(part: _LevelPart) -> tuple[int, Blocks, NDArray[Any]]:
        return len(part.blocks.summaries), encoder.encode(part.blocks), merge_groups(part.groups)

    for records, blocks, merged in ordered_map(threads, encode, _level_parts(summaries, encoder)):
        write_all(file, b"".join(blocks.data))
        write_all(following, merged.tobytes())
        extents.append(blocks.extents)
        count, largest = count + records, max(largest, blocks.largest)
    index_offset = file.tell()
    write_all(file, range_tree(np.concatenate(extents), data_offset + _RECORD_COUNT.size, index_offset))
    file.seek(data_offset)
    write_all(file, _RECORD_COUNT.pack(count))
    file.seek(0, os.SEEK_END)
    return _Zoom(reduction, data_offset, index_offset, largest)


def _level_parts(summaries: Iterable[NDArray[Any]], encoder: BlockEncoder) -> Iterator[_LevelPart]:
    reducer = Reducer()
    for part, last in _with_last(summaries):
        yield _LevelPart(encoder.feed(part, last), reducer.feed(part, last))


def _with_last(parts: Iterable[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], bool]]:
    """The parts, and behind them an empty one that is marked as the last."""
    for part in parts:
        yield part, False
    yield NO_SUMMARIES, True


def _stored(file: BinaryIO) -> Iterator[NDArray[Any]]:
    size, step = file.tell(), SUMMARIES_AT_ONCE * SUMMARY.itemsize
    for offset in range(0, size, step):
        yield np.frombuffer(read_exactly(file, offset, min(step, size - offset)), SUMMARY)
