"""BAM files and fragments for tests: written by pysam, read again one record at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pysam
from hypothesis import strategies as st

from trackgen.genome.fragments import Fragments

LENGTHS = {"chrA": 700, "chrB": 90, "chrC": 5}
FORWARD, REVERSE = 99, 147
"""Flags of a proper pair's left and right read."""


@dataclass(frozen=True)
class Read:
    """A record. `name` is of its sequence; None where it is unmapped."""

    name: str | None
    position: int
    flag: int = FORWARD
    template: int = 0
    mate: int = -1
    mate_name: str | None = None
    quality: int = 40
    cigar: str = "10M"


def pair(name: str, start: int, end: int, *, read: int = 10, quality: int = 40, extra: int = 0) -> list[Read]:
    """Both reads of a proper pair whose fragment is [start, end)."""
    size = end - start
    cigar, last = f"{min(read, size)}M", end - min(read, size)
    left = Read(name, start, FORWARD | extra, size, last, name, quality, cigar)
    return [left, Read(name, last, REVERSE | extra, -size, start, name, quality, cigar)]


def write_bam(
    path: Path, reads: Iterable[Read], lengths: Mapping[str, int] = LENGTHS, *, order: str = "coordinate",
    sort: bool = True, index: bool = True,
) -> Path:  # fmt: skip
    """A BAM file of these records."""
    numbers = {name: number for number, name in enumerate(lengths)}
    text = f"@HD\tVN:1.6\tSO:{order}\n" + "".join(f"@SQ\tSN:{name}\tLN:{n}\n" for name, n in lengths.items())
    header = pysam.AlignmentHeader.from_text(text)
    reads = list(reads)
    if sort:
        reads.sort(key=lambda read: (numbers.get(read.name or "", len(numbers)), read.position))
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for number, read in enumerate(reads):
            record = pysam.AlignedSegment(header)
            record.query_name = f"read{number}"
            record.flag = read.flag
            record.reference_id = numbers[read.name] if read.name is not None else -1
            record.reference_start = read.position
            record.mapping_quality = read.quality
            record.cigarstring = read.cigar if read.name is not None else None
            record.next_reference_id = numbers[read.mate_name] if read.mate_name is not None else -1
            record.next_reference_start = read.mate
            record.template_length = read.template
            file.write(record)
    if index:
        pysam.index(str(path))
    return path


def bases_covered(chunks: Iterable[Fragments], lengths: Mapping[str, int] = LENGTHS) -> dict[str, np.ndarray]:
    """How many fragments cover each base, counted one fragment at a time."""
    counts = {name: np.zeros(length, np.int64) for name, length in lengths.items()}
    for chunk in chunks:
        for start, end in zip(chunk.start, chunk.end, strict=True):
            counts[chunk.name][start:end] += 1
    return counts


@st.composite
def fragment_rows(draw: st.DrawFn, lengths: Mapping[str, int] = LENGTHS, most: int = 40) -> list[tuple[str, int, int]]:
    """Fragments in the order of a sorted file, ends and single bases of sequences among them."""
    rows = []
    for name, length in lengths.items():
        for _ in range(draw(st.integers(0, most))):
            start = draw(st.integers(0, length - 1))
            rows.append((name, start, draw(st.integers(start + 1, length))))
    order = list(lengths)
    return sorted(rows, key=lambda row: (order.index(row[0]), row[1]))


def chunks_of(rows: Iterable[tuple[str, int, int]], sizes: int) -> list[Fragments]:
    """The rows as a source gives them, at most `sizes` at a time."""
    found: list[Fragments] = []
    for name in dict.fromkeys(row[0] for row in rows):
        own = np.array([row[1:] for row in rows if row[0] == name], np.int64)
        for first in range(0, len(own), sizes):
            found.append(Fragments(name, own[first : first + sizes, 0], own[first : first + sizes, 1]))
    return found
