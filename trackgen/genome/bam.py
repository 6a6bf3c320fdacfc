"""Fragments from a BAM file sorted by coordinate: proper pairs, each once, or single reads.

A pair is counted at its leftmost read, as the aligner's template length has it. Supplementary and secondary alignments
never count, nor do reads that failed the sequencer's own check.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.aliases import describe, reconcile
from trackgen.genome.bam_index import mapped_reads
from trackgen.genome.bam_records import BamHeader, BamRecords, read_bam
from trackgen.genome.bgzf import FIXED_HEADER, block_size
from trackgen.genome.fragments import (
    FragmentCounts,
    FragmentOptions,
    Fragments,
    FragmentSource,
    check_on_sequence,
    extended,
    joined,
)

__all__ = ["bam_fragments", "is_bam"]

BAM_MAGIC = b"BAM\1"
PAIRED, PROPER, UNMAPPED, REVERSE, MATE_REVERSE, FIRST = 0x1, 0x2, 0x4, 0x10, 0x20, 0x40
SECONDARY, FAILED, DUPLICATE, SUPPLEMENTARY = 0x100, 0x200, 0x400, 0x800
"""Bits of a record's flag: SAM specification, section 1.4."""
NOWHERE = np.iinfo(np.int64).max
"""Orders reads without a place behind all others, as sorting does."""
Mask = NDArray[np.bool_]


def is_bam(head: bytes) -> bool:
    """Whether a file that begins with `head` is a BAM file."""
    size = block_size(head)
    if size is None:
        return False
    start = FIXED_HEADER + int.from_bytes(head[10:12], "little")
    try:
        return zlib.decompressobj(-15).decompress(head[start:size], len(BAM_MAGIC)) == BAM_MAGIC
    except zlib.error:
        return False


def bam_fragments(path: Path, lengths: Mapping[str, int], options: FragmentOptions) -> FragmentSource:
    """The fragments of a BAM file sorted by coordinate; memory is that of a few pieces.

    An index is made where there is none (`trackgen.genome.bam_index`).

    Raises:
        DataError: see `trackgen.genome.fragments.open_fragments`; here or, with the record, once it is read.
    """
    records = read_bam(path)
    header = next(records)
    records.close()
    assert isinstance(header, BamHeader)
    _check_sorted(path, header)
    own = dict(zip(header.names, header.lengths, strict=True))
    mapping = reconcile(own, lengths, path=path, what="BAM file", allow_unknown=True)
    mapped = mapped_reads(path)
    if mapped == 0:
        raise DataError(
            "no read is mapped", path=path, remedy="align the reads to the genome first, with bwa or bowtie2"
        )

    def read(counts: FragmentCounts) -> Iterator[Fragments]:
        reader = _Reader(path, [mapping.get(name, "") for name in header.names], lengths, options, counts)
        return reader.fragments()

    told = describe({name: target for name, target in mapping.items() if name in own})
    return FragmentSource(path, options, read, records=mapped, told=told)


def _check_sorted(path: Path, header: BamHeader) -> None:
    words = header.text.split("\n", 1)[0].split("\t")
    for word in words if words[0] == "@HD" else ():
        if word.startswith("SO:") and word != "SO:coordinate" and word != "SO:unknown":
            raise _unsorted(path, "header", word)


def _unsorted(path: Path, place: str, found: str) -> DataError:
    return DataError(
        "the BAM file is not sorted by coordinate", path=path, place=place, found=found, wanted="SO:coordinate",
        remedy=f"sort it: samtools sort -o {path.stem}.sorted.bam {path.name}",
    )  # fmt: skip


class _Reader:
    """One passage over the file."""

    def __init__(
        self, path: Path, names: list[str], lengths: Mapping[str, int], options: FragmentOptions,
        counts: FragmentCounts,
    ) -> None:  # fmt: skip
        self._path, self._names, self._lengths = path, names, lengths
        self._options, self._counts = options, counts
        # Of sequence -1, nowhere, too.
        self._known = np.array([bool(name) for name in names] + [False])
        self._paired: bool | None = {"auto": None, "paired": True, "reads": False}[options.pairs]
        self._last = (-1, -1)

    def fragments(self) -> Iterator[Fragments]:
        in_order: _InOrder | None = None
        for records in read_bam(self._path):
            if isinstance(records, BamHeader):
                continue
            self._counts.read += len(records.fields)
            self._check_order(records)
            self._decide(records)
            for chunk, reached in self._of_sequences(records):
                if self._paired or self._options.extend is None:
                    yield chunk
                    continue
                if in_order is not None and in_order.name != chunk.name:
                    yield in_order.rest()
                    in_order = None
                in_order = in_order or _InOrder(chunk.name)
                yield in_order.add(chunk, reached - self._options.extend)
        if in_order is not None:
            yield in_order.rest()

    def _check_order(self, records: BamRecords) -> None:
        sequence = records.fields["sequence"].astype(np.int64)
        sequence[sequence < 0] = NOWHERE >> 32
        # One number that orders as (sequence, position) does; positions are 32 bits, from -1.
        order = (sequence << 32) + records.fields["position"] + 1
        before = (self._last[0] << 32) + self._last[1] + 1 if self._last[0] >= 0 else -1
        back = np.flatnonzero(np.diff(order, prepend=before) < 0)
        if len(back):
            row = int(back[0])
            raise _unsorted(self._path, f"record {records.first + row:,}", "a record before the one it follows")
        self._last = int(sequence[-1]), int(records.fields["position"][-1])

    def _decide(self, records: BamRecords) -> None:
        """Whether reads are pairs, from the first records."""
        paired = (records.fields["flag"] & PAIRED) > 0
        if self._paired is None:
            self._paired = bool(paired.any())
        self._counts.single = not self._paired
        if self._paired and records.first == 1 and not paired.any():
            raise DataError(
                "the BAM file holds single reads, where fragments of pairs are asked", path=self._path,
                place=f"records 1-{len(paired):,}", wanted="records with the flag 1, paired",
                remedy="count single reads: --pairs reads, with --extend N for fragments of N bases",
            )  # fmt: skip

    def _of_sequences(self, records: BamRecords) -> Iterator[tuple[Fragments, int]]:
        """Chosen fragments by sequence, and where the newest record begins on it."""
        rows = self._chosen(records)
        sequence = records.fields["sequence"][rows]
        borders = [0, *(np.flatnonzero(np.diff(sequence)) + 1).tolist(), len(rows)]
        for first, last in itertools.pairwise(borders):
            if first == last:
                continue
            some = rows[first:last]
            name = self._names[int(sequence[first])]
            chunk = self._pairs(name, records, some) if self._paired else self._reads(name, records, some)
            reached = int(records.fields["position"][some[-1]])
            yield chunk, reached

    def _chosen(self, records: BamRecords) -> NDArray[np.int64]:
        """Rows that pass the filters; the others are counted by the first reason that holds."""
        fields, options = records.fields, self._options
        flag = fields["flag"]

        def flagged(bits: int) -> Callable[[], Mask]:
            return lambda: (flag & bits) > 0

        reasons: list[tuple[str, Callable[[], Mask]]] = [
            ("unmapped", flagged(UNMAPPED)),
            ("on sequences that the genome does not have", lambda: ~self._known[fields["sequence"]]),
            ("secondary or supplementary alignments", flagged(SECONDARY | SUPPLEMENTARY)),
            ("failed the sequencer's check", flagged(FAILED)),
            (f"mapping quality below {options.mapping_quality}", lambda: fields["quality"] < options.mapping_quality),
        ]
        if not options.duplicates:
            reasons.append(("duplicates", flagged(DUPLICATE)))
        if self._paired:
            reasons += [
                ("no proper pair", lambda: (flag & (PAIRED | PROPER)) != PAIRED | PROPER),
                ("mate on another sequence", lambda: fields["mate_sequence"] != fields["sequence"]),
                ("right read of its pair", lambda: ~_leftmost(records)),
                ("pair without a length", lambda: fields["template"] == 0),
            ]
            if options.longest is not None:
                longest = options.longest
                reasons.append((f"longer than {longest:,} bp", lambda: np.abs(fields["template"]) > longest))
        left = np.ones(len(fields), bool)
        for reason, out in reasons:
            dropped = left & out()
            self._counts.leave_out(reason, int(dropped.sum()))
            left &= ~dropped
        return np.flatnonzero(left)

    def _pairs(self, name: str, records: BamRecords, rows: NDArray[np.int64]) -> Fragments:
        start = records.fields["position"][rows].astype(np.int64)
        chunk = Fragments(name, start, start + np.abs(records.fields["template"][rows].astype(np.int64)))
        check_on_sequence(self._path, chunk, self._lengths[name], records.first + rows, "record")
        return chunk

    def _reads(self, name: str, records: BamRecords, rows: NDArray[np.int64]) -> Fragments:
        start = records.fields["position"][rows].astype(np.int64)
        strand = np.where(records.fields["flag"][rows] & REVERSE, -1, 1).astype(np.int8)
        chunk = Fragments(name, start, start + records.spans(rows), strand)
        check_on_sequence(self._path, chunk, self._lengths[name], records.first + rows, "record")
        return extended(chunk, self._lengths[name], self._options.extend)


def _leftmost(records: BamRecords) -> Mask:
    """Whether a record is the read of its pair that begins first; of two at one base, the forward one."""
    fields = records.fields
    flag, position, mate = fields["flag"], fields["position"], fields["mate_position"]
    mate_reverse = (flag & MATE_REVERSE) > 0
    reverse = (flag & REVERSE) > 0
    tie = np.where(reverse != mate_reverse, ~reverse, (flag & FIRST) > 0)
    first: Mask = (position < mate) | ((position == mate) & tie)
    return first


class _InOrder:
    """Extended reads of one sequence in ascending order of starts, though reverse ones begin before they are read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._held: Fragments | None = None

    def add(self, chunk: Fragments, settled: int) -> Fragments:
        """What is in order for good: no later read begins before `settled`."""
        held = chunk if self._held is None else joined(self.name, [self._held, chunk])
        held = held.take(np.argsort(held.start, kind="stable"))
        number = int(np.searchsorted(held.start, settled, side="left"))
        self._held = held.take(slice(number, None))
        return held.take(slice(0, number))

    def rest(self) -> Fragments:
        assert self._held is not None
        return self._held
