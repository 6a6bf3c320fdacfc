"""Sequenced fragments, and how many of them cover each base, as a BigWig track.

A fragments file has one line a fragment: sequence, start, end, 0-based half-open, separated by tabs; further columns
are ignored (10x writes barcode and count there). The lines of a sequence stand together, as in any sorted file.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig import BigWigWriter
from trackgen.errors import DataError
from trackgen.genome import Interval, subtract, total
from trackgen.genome.aliases import reconcile
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.progress import Progress

__all__ = ["CoverageOptions", "CoverageSummary", "Fragments", "read_fragments", "write_coverage"]

BASES_PER_PIECE = 1 << 20
"""Bases of coverage that are held at a time."""


class Fragments(NamedTuple):
    """Fragments of one sequence: int64[n] starts and ends, each sorted by itself, 0-based half-open."""

    name: str
    start: NDArray[np.int64]
    end: NDArray[np.int64]


class CoverageSummary(NamedTuple):
    """What a coverage track holds.

    Attributes:
        fragments: fragments counted, those on excluded bases too.
        mean: fragments over a base, the mean over all bases that are not excluded.
    """

    fragments: int
    mean: float


@dataclass(frozen=True)
class CoverageOptions:
    """How to count.

    Attributes:
        excluded: stretches without values.
        longest: fragments longer than this are left out, bp; None for no limit.
        scaled: divide by the mean over all bases that are not excluded, so that sequencing depth falls out.
    """

    excluded: Sequence[Interval] = ()
    longest: int | None = None
    scaled: bool = True


def read_fragments(path: Path, lengths: Mapping[str, int], *, longest: int | None = None) -> Iterator[Fragments]:
    """The fragments of each sequence, one sequence at a time, in the order of the file.

    Args:
        path: plain or gzip.
        lengths: sequences of the genome.
        longest: leave longer ones out, bp.

    Raises:
        DataError: missing, unreadable or, with the line: too few columns, no numbers, an empty interval, beyond the
            sequence, an unknown sequence, a sequence whose lines stand in two places, read pairs (10-column BEDPE).
    """
    seen: set[str] = set()
    for own, first, starts, ends in _groups(path):
        name = reconcile({own: None}, lengths, path=path, what="fragments", places={own: f"line {first}"})[own]
        if name in seen:
            raise DataError(
                "the fragments of a sequence stand in two places", path=path, place=f"line {first}", found=own,
                remedy="sort the file by sequence: sort -k1,1 -k2,2n",
            )  # fmt: skip
        seen.add(name)
        start, end = np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)
        wrong = np.flatnonzero((start < 0) | (end <= start) | (end > lengths[name]))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                "the fragment does not lie on its sequence", path=path,
                place=f"fragment {row + 1} of {own}", found=f"{start[row]}-{end[row]}",
                wanted=f"0 <= start < end <= {lengths[name]}",
                remedy="check that this file and the genome are of the same assembly",
            )  # fmt: skip
        if longest is not None:
            kept = end - start <= longest
            start, end = start[kept], end[kept]
        yield Fragments(name, np.sort(start), np.sort(end))


def _groups(path: Path) -> Iterator[tuple[str, int, list[int], list[int]]]:
    """(sequence, number of its first line, starts, ends) of each run of lines of one sequence."""
    current, first = "", 0
    starts: list[int] = []
    ends: list[int] = []
    for number, name, start, end in _lines(path):
        if name != current and starts:
            yield current, first, starts, ends
            starts, ends = [], []
        if not starts:
            current, first = name, number
        starts.append(start)
        ends.append(end)
    if starts:
        yield current, first, starts, ends


def _lines(path: Path) -> Iterator[tuple[int, str, int, int]]:
    """(line number from 1, sequence, start, end)."""
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip() or line.startswith(("#", "track", "browser")):
                    continue
                fields = line.rstrip("\r\n").split("\t")
                if len(fields) >= 6 and fields[3] == fields[0] and fields[4].isdigit() and fields[5].isdigit():
                    raise DataError(
                        "the file holds pairs of reads, not fragments", path=path, place=f"line {number}",
                        wanted="sequence, start and end of the whole fragment",
                        remedy="join the pairs: awk '$1==$4{print $1,($2<$5?$2:$5),($3>$6?$3:$6)}' OFS='\\t'",
                    )  # fmt: skip
                try:
                    start, end = int(fields[1]), int(fields[2])
                except (IndexError, ValueError):
                    raise DataError(
                        "the line is not a fragment", path=path, place=f"line {number}", found=line.strip()[:80],
                        wanted="sequence, start and end, separated by tabs",
                    ) from None  # fmt: skip
                yield number, fields[0], start, end
    except FileNotFoundError:
        raise DataError("the fragments file does not exist", path=path) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"the fragments file cannot be read ({error})", path=path) from error


def _open_text(path: Path) -> IO[str]:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt") if zipped else open(path)


def write_coverage(
    source: Path, lengths: Mapping[str, int], target: Path, options: CoverageOptions, progress: Progress
) -> CoverageSummary:
    """Write how many fragments cover each base, as a BigWig track.

    Bases without a fragment hold 0, excluded bases no value. The file is read twice, first for the mean. Memory is
    that of the fragments of one sequence.

    Args:
        source: the fragments.
        lengths: sequences of the genome.
        target: the BigWig file.
        options: what is counted.
        progress: told how far it is, in bases.

    Raises:
        DataError: see `read_fragments`; no fragment lies on a base that is not excluded.
        ResourceError: the disk is full.
    """
    gaps = spans_by_name(options.excluded, lengths)
    counted = {name: subtract(np.array([[0, length]]), gaps[name]) for name, length in lengths.items()}
    number, covered = 0, 0
    for fragments in read_fragments(source, lengths, longest=options.longest):
        number += len(fragments.start)
        covered += sum(_covered_bases(fragments, int(a), int(b)) for a, b in counted[fragments.name])
    if not covered:
        raise DataError("there is no fragment", path=source)
    mean = covered / sum(total(spans) for spans in counted.values())
    scale = 1 / mean if options.scaled else 1.0
    progress.start("writing coverage", sum(lengths.values()), "bases")
    with BigWigWriter(target, lengths, stride=1) as writer:
        empty = set(lengths)
        for fragments in read_fragments(source, lengths, longest=options.longest):
            empty.discard(fragments.name)
            _write_sequence(writer, fragments, lengths[fragments.name], gaps[fragments.name], scale, progress)
        nothing = np.zeros(0, dtype=np.int64)
        for name in sorted(empty):
            _write_sequence(writer, Fragments(name, nothing, nothing), lengths[name], gaps[name], scale, progress)
    progress.finish()
    return CoverageSummary(number, mean)


def _covered_bases(fragments: Fragments, first: int, last: int) -> int:
    """Sum of the coverage over [first, last): each fragment adds min(end, last) - max(start, first), if positive."""
    # clipping both ends into the stretch leaves nothing of the fragments outside of it
    return int((np.clip(fragments.end, first, last)).sum() - (np.clip(fragments.start, first, last)).sum())


def _write_sequence(
    writer: BigWigWriter, fragments: Fragments, length: int, gaps: NDArray[np.int64], scale: float,
    progress: Progress,
) -> None:  # fmt: skip
    for first in range(0, length, BASES_PER_PIECE):
        last = min(first + BASES_PER_PIECE, length)
        depth = coverage(fragments, first, last)
        writer.add(fragments.name, first, (depth * scale).astype(np.float32), gaps)
        progress.advance(last - first)


def coverage(fragments: Fragments, first: int, last: int) -> NDArray[np.int64]:
    """int64[last - first]: how many fragments cover each base of [first, last)."""
    change = np.zeros(last - first, dtype=np.int64)
    for positions, sign in ((fragments.start, 1), (fragments.end, -1)):
        before, until = np.searchsorted(positions, (first + 1, last))
        change[0] += sign * before
        np.add.at(change, positions[before:until] - first, sign)
    return np.cumsum(change)
