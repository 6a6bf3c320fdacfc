"""Fragments from text: BED, BEDPE of pairs or of whole fragments, 10x' fragments.tsv; plain or gzip.

A line holds sequence, start and end, 0-based half-open, separated by tabs; 10x writes barcode and count behind. Lines
of pairs hold sequence, start and end of both reads. The lines of a sequence stand together, in any order.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.aliases import UnknownSequence, reconcile
from trackgen.genome.fragments import (
    FragmentCounts,
    FragmentOptions,
    Fragments,
    FragmentSource,
    check_on_sequence,
    extended,
    joined,
)
from trackgen.genome.sequence import GZIP_MAGIC

__all__ = ["text_fragments"]

BYTES_PER_PIECE = 1 << 22
ROWS_PER_CHUNK = 1 << 18
NOT_DATA = (b"#", b"track", b"browser")
# Of 10x: ACGTACGTACGTACGT-1, which programs that join libraries write something before. BED5 has a name there.
BARCODE = re.compile(rb"(^|[^A-Za-z])[ACGT]{8,}(-\d+)?$")
STRANDS = {b"+": 1, b"-": -1}
READS_REMEDY = "leave --pairs to auto, or give a BED file whose sixth column is the strand"


class _Run(NamedTuple):
    """Successive lines of one sequence."""

    name: str
    line: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    strand: NDArray[np.int8] | None


class _Layout(NamedTuple):
    """What the columns are."""

    pairs: bool
    """Both reads of a pair stand in a line."""
    tenx: bool
    strands: bool
    """Lines are reads, column 6 is their strand."""


def text_fragments(path: Path, lengths: Mapping[str, int], options: FragmentOptions) -> FragmentSource:
    """The fragments of a text file, read in pieces.

    Memory is that of the fragments of one sequence, 16 bytes each: some tools write its lines in other orders.

    Raises:
        DataError: see `trackgen.genome.fragments.open_fragments`; here or, with the line, once it is read.
    """
    layout = _layout(path, options)

    def read(counts: FragmentCounts) -> Iterator[Fragments]:
        counts.single = layout.strands
        return _checked(path, lengths, options, layout, counts)

    return FragmentSource(path, options, read, shifted=layout.tenx)


def _layout(path: Path, options: FragmentOptions) -> _Layout:
    """Told from the first line with data."""
    for number, piece in _pieces(path):
        for offset, line in enumerate(piece.split(b"\n")):
            if _is_data(line):
                fields = line.rstrip(b"\r").split(b"\t")
                reads = options.pairs == "reads"
                if reads and (len(fields) < 6 or fields[5] not in STRANDS):
                    raise DataError(
                        "the line is not a read with a strand", path=path, place=f"line {number + offset}",
                        found=_shown(line), wanted="+ or - in column 6", remedy=READS_REMEDY,
                    )  # fmt: skip
                pairs = not reads and len(fields) >= 6 and all(map(_is_number, fields[4:6]))
                tenx = len(fields) == 5 and fields[4].isdigit() and BARCODE.search(fields[3]) is not None
                return _Layout(pairs, tenx, reads)
    raise DataError("there is no fragment", path=path)


def _checked(
    path: Path, lengths: Mapping[str, int], options: FragmentOptions, layout: _Layout, counts: FragmentCounts
) -> Iterator[Fragments]:
    """Fragments under the genome's names, in order."""
    own, name = "", ""
    seen: set[str] = set()
    held: list[Fragments] = []
    foreign: UnknownSequence | None = None
    for run in _runs(path, layout, counts):
        if run.name != own:
            yield from _sorted(held)
            own, held = run.name, []
            try:
                name = _name(path, lengths, run, seen)
            except UnknownSequence as error:
                # Aligners know sequences that genomes of main chromosomes lack; a BAM's are left out, too.
                name, foreign = "", foreign or error
        if not name:
            counts.leave_out("on sequences that the genome does not have", len(run.start))
            continue
        chunk = Fragments(name, run.start, run.end, run.strand)
        check_on_sequence(path, chunk, lengths[name], run.line, "line")
        held.append(_chosen(chunk, lengths[name], options, counts))
    yield from _sorted(held)
    if foreign is not None and not seen:
        raise foreign


def _name(path: Path, lengths: Mapping[str, int], run: _Run, seen: set[str]) -> str:
    place = f"line {run.line[0]:,}"
    name = reconcile({run.name: None}, lengths, path=path, what="fragments", places={run.name: place})[run.name]
    if name in seen:
        raise DataError(
            "the fragments of a sequence stand in two places", path=path, place=place, found=run.name,
            remedy="sort the file by sequence: sort -k1,1 -k2,2n",
        )  # fmt: skip
    seen.add(name)
    return name


def _chosen(chunk: Fragments, length: int, options: FragmentOptions, counts: FragmentCounts) -> Fragments:
    """Without long fragments; reads extended."""
    if chunk.strand is None:
        if options.longest is None:
            return chunk
        short = chunk.end - chunk.start <= options.longest
        counts.leave_out(f"longer than {options.longest:,} bp", len(short) - int(short.sum()))
        return chunk.take(short)
    return extended(chunk, length, options.extend)


def _sorted(held: list[Fragments]) -> Iterator[Fragments]:
    """The fragments of a sequence in order, some at a time."""
    if not held:
        return
    whole = joined(held[0].name, held)
    if (np.diff(whole.start) < 0).any():
        whole = whole.take(np.argsort(whole.start, kind="stable"))
    for first in range(0, len(whole.start), ROWS_PER_CHUNK):
        yield whole.take(slice(first, first + ROWS_PER_CHUNK))


def _runs(path: Path, layout: _Layout, counts: FragmentCounts) -> Iterator[_Run]:
    for number, piece in _pieces(path):
        yield from _runs_of(path, piece, number, layout, counts)


def _runs_of(path: Path, piece: bytes, number: int, layout: _Layout, counts: FragmentCounts) -> Iterator[_Run]:
    """One line after the other: any layout, and what is wrong with a line."""
    current = b""
    rows: list[tuple[int, int, int, int]] = []
    for line_number, line in enumerate(piece.split(b"\n"), number):
        if not _is_data(line):
            continue
        counts.read += 1
        parsed = _parse(path, line_number, line, layout, counts)
        if parsed is None:
            continue
        name, row = parsed
        if name != current and rows:
            yield _run(current, rows, layout)
            rows = []
        current = name
        rows.append(row)
    if rows:
        yield _run(current, rows, layout)


def _run(name: bytes, rows: list[tuple[int, int, int, int]], layout: _Layout) -> _Run:
    line, start, end, strand = np.array(rows, np.int64).T
    return _Run(name.decode(errors="replace"), line, start, end, strand.astype(np.int8) if layout.strands else None)


def _parse(
    path: Path, number: int, line: bytes, layout: _Layout, counts: FragmentCounts
) -> tuple[bytes, tuple[int, int, int, int]] | None:
    """Sequence, and (line, start, end, strand); None where the pair is no fragment."""
    fields = line.rstrip(b"\r").split(b"\t")
    try:
        start, end, strand = int(fields[1]), int(fields[2]), 0
        if layout.strands:
            strand = STRANDS[fields[5]]
        elif layout.pairs:
            other = fields[3], int(fields[4]), int(fields[5])
            if other[0] != fields[0] or b"." in (fields[0], other[0]):
                counts.leave_out("reads on two sequences, or one of them nowhere", 1)
                return None
            start, end = min(start, other[1]), max(end, other[2])
    except (IndexError, ValueError, KeyError):
        raise DataError(
            "the line is not a fragment", path=path, place=f"line {number:,}", found=_shown(line),
            wanted=_wanted(layout),
        ) from None  # fmt: skip
    return fields[0], (number, start, end, strand)


def _wanted(layout: _Layout) -> str:
    if layout.pairs:
        return "sequence, start and end of both reads, as in the first line, separated by tabs"
    return "sequence, start and end, separated by tabs" + (", and + or - in column 6" if layout.strands else "")


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:80]


def _is_data(line: bytes) -> bool:
    return bool(line.strip()) and not line.startswith(NOT_DATA)


def _is_number(field: bytes) -> bool:
    return field.isdigit() or (field[:1] == b"-" and field[1:].isdigit())


def _pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """Pieces of whole lines, each with the number of its first line, from 1."""
    number, rest = 1, b""
    try:
        with _open(path) as file:
            while block := file.read(BYTES_PER_PIECE):
                cut = block.rfind(b"\n") + 1
                if not cut:
                    rest += block
                    continue
                piece, rest = rest + block[:cut], block[cut:]
                yield number, piece
                number += piece.count(b"\n")
        if rest:
            yield number, rest
    except (OSError, EOFError, zlib.error) as error:
        what = f"the fragments file can't be read ({error})"
        raise DataError(what, path=path, remedy="get the file again") from error


def _open(path: Path) -> IO[bytes]:
    with open(path, "rb") as file:
        zipped = file.read(2) == GZIP_MAGIC
    if zipped:
        unzipped: IO[bytes] = igzip.open(path, "rb")  # type: ignore[no-untyped-call]
        return unzipped
    return open(path, "rb")
