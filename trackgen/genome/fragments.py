"""Sequenced fragments, whatever file they come from: which are used, thinning by seed, one stream of arrays.

`open_fragments` reads BAM (`trackgen.genome.bam`) and text (`trackgen.genome.fragment_files`: BED, BEDPE, 10x
fragments) alike. Nothing is held but what one chunk needs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome.sequence import near_files
from trackgen.genome.signals import BIGBED_MAGIC, BIGWIG_MAGIC

__all__ = [
    "FragmentCounts",
    "FragmentOptions",
    "FragmentSource",
    "Fragments",
    "check_on_sequence",
    "extended",
    "is_reads",
    "joined",
    "kept",
    "load_fragments",
    "open_fragments",
]  # fmt: skip

PAIRS = ("auto", "paired", "reads")
GOLDEN = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
LAST_SHIFT = 31
"""The constants of SplitMix64: Steele, Lea & Flood 2014, doi:10.1145/2714064.2660195."""


class Fragments(NamedTuple):
    """Fragments of one sequence, row by row, 0-based half-open; starts ascend.

    Attributes:
        name: the genome's name of the sequence.
        start: int64[n].
        end: int64[n].
        strand: None where rows are whole fragments; else rows are single reads and this is int8[n], 1 or -1, so that
            the one real end of a row is its start (1) or its end (-1).
    """

    name: str
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8] | None = None

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Fragments:
        """Some of the rows."""
        return Fragments(
            self.name, self.start[rows], self.end[rows], None if self.strand is None else self.strand[rows]
        )


@dataclass(frozen=True)
class FragmentOptions:
    """Which fragments are used.

    Attributes:
        pairs: ``paired``: whole fragments, each proper pair once; ``reads``: single reads; ``auto``: what the file
            holds. A file of fragments is paired, unless ``reads`` says that its lines are reads with a strand.
        mapping_quality: smallest one of a BAM record; of a pair, that of its leftmost read.
        duplicates: use BAM records that are marked as duplicates, too.
        longest: leave out longer fragments, bp; None for no limit. Not for single reads.
        extend: length that single reads are given from their first base on, cut to the sequence, bp; None: as aligned.
        fraction: share of fragments that is used, drawn by `kept`, above 0 and at most 1.
        seed: of that draw.
        complement: use those that the draw leaves out instead.

    Raises:
        UsageError: a value that cannot be.
    """

    pairs: str = "auto"
    mapping_quality: int = 10
    duplicates: bool = False
    longest: int | None = 2000
    extend: int | None = None
    fraction: float = 1.0
    seed: int = 1
    complement: bool = False

    def __post_init__(self) -> None:
        if self.pairs not in PAIRS:
            raise UsageError("unknown kind of pairs", found=self.pairs, wanted=" or ".join(PAIRS))
        if not 0 < self.fraction <= 1:
            raise UsageError("not a fraction of the fragments", found=self.fraction, wanted="above 0 and at most 1")
        if self.complement and self.fraction == 1:
            raise UsageError(
                "nothing is left beside all fragments",
                found="complement of fraction 1",
                wanted="a fraction below 1",
            )
        if (self.longest is not None and self.longest < 1) or (self.extend is not None and self.extend < 1):
            raise UsageError("a length must be positive", found=f"longest {self.longest}, extend {self.extend}")


@dataclass
class FragmentCounts:
    """What became of a file's records.

    Attributes:
        read: records, or lines, that were read.
        used: fragments that were used, or single reads.
        left_out: why, in words -> how many records.
        single: whether single reads are used, not whole fragments.
    """

    read: int = 0
    used: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    single: bool = False

    def leave_out(self, reason: str, number: int) -> None:
        """Count `number` more; none is not told."""
        if number:
            self.left_out[reason] = self.left_out.get(reason, 0) + int(number)

    def __str__(self) -> str:
        parts = "".join(f"; {number:,} left out: {reason}" for reason, number in self.left_out.items())
        return f"{self.used:,} {'single reads' if self.single else 'fragments'} of {self.read:,} records{parts}"


class FragmentSource:
    """Fragments of one file, to be read any number of times.

    Attributes:
        path: the file.
        options: which are used.
        counts: of the newest `chunks`, whole once that has ended.
        shifted: whether starts and ends are moved by +4 and -5 already, as 10x' are.
        records: how many records the file holds, about; None where that is not known without reading it.
        told: how sequence names are read, where that is not as they are written.
    """

    def __init__(
        self, path: Path, options: FragmentOptions, read: Callable[[FragmentCounts], Iterator[Fragments]], *,
        shifted: bool = False, records: int | None = None, told: str | None = None,
    ) -> None:  # fmt: skip
        self.path, self.options = path, options
        self.shifted, self.records, self.told = shifted, records, told
        self.counts = FragmentCounts()
        self._read = read

    def chunks(self) -> Iterator[Fragments]:
        """The fragments in ascending order of starts; a sequence may come in several chunks, one after the other.

        Raises:
            DataError: see `open_fragments`; no fragment is left.
        """
        counts = self.counts = FragmentCounts()
        options, name, first = self.options, "", 0
        for chunk in self._read(counts):
            if chunk.name != name:
                name, first = chunk.name, 0
            if options.fraction < 1:
                drawn = kept(len(chunk.start), options.fraction, options.seed, name, first) != options.complement
                first += len(drawn)
                counts.leave_out("by thinning", len(drawn) - int(drawn.sum()))
                chunk = chunk.take(drawn)
            counts.used += len(chunk.start)
            if len(chunk.start):
                yield chunk
        if not counts.used:
            raise DataError("no fragment is left to count", path=self.path, found=str(counts))


def open_fragments(path: Path, lengths: Mapping[str, int], options: FragmentOptions) -> FragmentSource:
    """Fragments of a BAM file sorted by coordinate, or of BED, BEDPE or 10x fragments, plain or gzip.

    Args:
        path: the file.
        lengths: sequences of the genome; the file's names may be aliases of theirs.
        options: which fragments are used.

    Raises:
        DataError: the file is missing, of another kind, truncated or damaged; sequences of another genome; unsorted;
            single reads where pairs are asked; nothing mapped; a fragment beyond its sequence.
    """
    kind = _kind(path)
    if kind == "BAM":
        from trackgen.genome.bam import bam_fragments

        return bam_fragments(path, lengths, options)
    from trackgen.genome.fragment_files import text_fragments

    return text_fragments(path, lengths, options)


def load_fragments(path: Path, lengths: Mapping[str, int], options: FragmentOptions) -> dict[str, Fragments]:
    """All fragments in memory, for every sequence of the genome, empty ones too.

    Raises:
        DataError: see `open_fragments`.
    """
    parts: dict[str, list[Fragments]] = {name: [] for name in lengths}
    for chunk in open_fragments(path, lengths, options).chunks():
        parts[chunk.name].append(chunk)
    return {name: joined(name, chunks) for name, chunks in parts.items()}


def joined(name: str, chunks: list[Fragments]) -> Fragments:
    """The chunks of one sequence as one."""
    if not chunks:
        return Fragments(name, np.zeros(0, np.int64), np.zeros(0, np.int64))
    strands = [chunk.strand for chunk in chunks if chunk.strand is not None]
    return Fragments(
        name,
        np.concatenate([chunk.start for chunk in chunks]),
        np.concatenate([chunk.end for chunk in chunks]),
        np.concatenate(strands) if strands else None,
    )


def extended(reads: Fragments, length: int, extend: int | None) -> Fragments:
    """Single reads, `extend` bases long from their first base on, cut to the sequence of `length` bases."""
    if extend is None or reads.strand is None:
        return reads
    forward = reads.strand > 0
    end = np.where(forward, np.minimum(reads.start + extend, length), reads.end)
    return reads._replace(start=np.where(forward, reads.start, np.maximum(reads.end - extend, 0)), end=end)


def kept(count: int, fraction: float, seed: int, name: str, first: int = 0) -> NDArray[np.bool_]:
    """Which of `count` fragments of a sequence are drawn: bool[count], a function of seed, name and index alone.

    One draw per fragment, by SplitMix64 of its index, whatever the chunks. With one seed a smaller fraction's
    fragments are among a larger one's.

    Args:
        count: fragments.
        fraction: probability of each.
        seed: of the draw.
        name: the genome's name of the sequence.
        first: index of the first one among those of the sequence that pass all other filters, in the order of starts
            (those that start at one base: in the file's order).
    """
    if fraction >= 1:
        return np.ones(count, bool)
    key = int.from_bytes(hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).digest(), "little")
    # Unsigned arithmetic wraps, as the method wants it.
    value = np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(GOLDEN) + np.uint64(key)
    for shift, factor in MIX:
        value = (value ^ (value >> np.uint64(shift))) * np.uint64(factor)
    value ^= value >> np.uint64(LAST_SHIFT)
    return value < np.uint64(int(fraction * 2.0**64))


def is_reads(path: Path) -> bool:
    """Whether the file is not a BigWig track, so that `open_fragments` is what reads it.

    Raises:
        DataError: the file is missing or unreadable.
    """
    return _head(path)[:4] not in BIGWIG_MAGIC


def check_on_sequence(path: Path, chunk: Fragments, length: int, places: NDArray[np.int64], place: str) -> None:
    """Refuse fragments that are empty or reach beyond their sequence.

    Args:
        path: the file, for the message.
        chunk: the fragments.
        length: bases of the sequence.
        places: int64[n], number of each one's line or record.
        place: what is counted: ``line``.
    """
    wrong = np.flatnonzero((chunk.start < 0) | (chunk.end <= chunk.start) | (chunk.end > length))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            "the fragment does not lie on its sequence", path=path, place=f"{place} {places[row]:,}",
            found=f"{chunk.start[row]}-{chunk.end[row]}", wanted=f"0 <= start < end <= {length}, on {chunk.name}",
            remedy="check that this file and the genome are of the same assembly",
        )  # fmt: skip


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except FileNotFoundError:
        raise DataError("the file does not exist", path=path, remedy=near_files(Path(path))) from None
    except OSError as error:
        raise DataError(f"the file can't be read ({error.strerror})", path=path) from error


def _kind(path: Path) -> str:
    """``BAM`` or ``text``; other kinds are refused, with what turns them into one of these."""
    from trackgen.genome.bam import is_bam

    head = _head(path)
    if is_bam(head):
        return "BAM"
    name = os.path.basename(path)
    for magics, what in (((b"CRAM",), "a CRAM"), ((b"@HD\t", b"@SQ\t", b"@PG\t", b"@RG\t"), "a SAM")):
        if head[:4] in magics:
            stem = name.rsplit(".", 1)[0]
            raise DataError(
                f"this is {what} file", path=path, wanted="a BAM file sorted by coordinate",
                remedy=f"turn it into one: samtools sort -o {stem}.bam {name}",
            )  # fmt: skip
    if head[:4] in (*BIGWIG_MAGIC, *BIGBED_MAGIC):
        raise DataError("this is a track, which holds no fragments", path=path, wanted="BAM, BED, BEDPE or fragments")
    return "text"
