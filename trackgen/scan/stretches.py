"""Which stretches of the genome a scan is asked for, and which it leaves out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import Interval, describe, merge, parse_regions, read_bed, reconcile

__all__ = [
    "NO_SPANS",
    "Asked",
    "Sequences",
    "Spans",
    "add_note",
    "excluded_stretches",
    "region_rows",
    "wanted_stretches",
]

Spans = NDArray[np.int64]
"""(n, 2) sorted disjoint intervals of one sequence, 0-based half-open."""
NO_SPANS = np.zeros((0, 2), np.int64)

NOT_MAIN = re.compile(r"(?!NC_\d).*_.*|(GL|KI|JH|NT_|NW_)\d.*|(chr)?(Un|EBV).*", re.IGNORECASE)
"""Names of unplaced, alternative and decoy sequences, in the styles of UCSC, Ensembl and RefSeq."""
MITOCHONDRION = re.compile(r"(chr)?(M|MT|Mito|MtDNA)|NC_(001224|012920|001328)(\.\d+)?", re.IGNORECASE)


class Asked(Protocol):
    """Options that say where."""

    @property
    def regions(self) -> Sequence[str]:
        """BED files and texts such as ``chr:a-b``."""

    @property
    def chroms(self) -> Sequence[str]:
        """Names of sequences; ``main`` for all but unplaced ones and mitochondria."""

    @property
    def exclude(self) -> Sequence[Path]:
        """BED files."""


class Sequences(Protocol):
    """A genome, as far as lengths go."""

    @property
    def path(self) -> Path:
        """The file that names them."""

    @property
    def names(self) -> Sequence[str]:
        """In file order."""

    @property
    def lengths(self) -> Mapping[str, int]:
        """bp."""


def wanted_stretches(options: Asked, genome: Sequences, notes: list[str]) -> dict[str, Spans]:
    """The stretches asked for by --regions and --chroms together, in genome order."""
    whole = {name: np.array([[0, length]], np.int64) for name, length in genome.lengths.items() if length}
    names = _chosen_names(options.chroms, genome, notes)
    if options.regions:
        rows = region_rows(options, genome, notes)
        whole = {name: spans for name, spans in _spans(rows, genome.lengths).items() if len(spans)}
    wanted = {name: spans for name, spans in whole.items() if name in names}
    if not wanted:
        raise UsageError(
            "no base is left to scan",
            place="--regions and --chroms",
            found="no overlap",
            wanted="regions on the chosen sequences",
        )
    return wanted


def region_rows(options: Asked, genome: Sequences, notes: list[str]) -> list[Interval]:
    """The regions asked for, in the order in which they were given."""
    return [row for text in options.regions for row in _read_regions(text, genome, notes)]


def excluded_stretches(options: Asked, genome: Sequences, notes: list[str]) -> dict[str, Spans]:
    """The stretches that --exclude names, in genome order."""
    return _spans([row for path in options.exclude for row in _read_bed(path, genome, notes)], genome.lengths)


def _chosen_names(asked: Sequence[str], genome: Sequences, notes: list[str]) -> set[str]:
    if not asked:
        return set(genome.names)
    chosen = set()
    if "main" in asked:
        chosen = {name for name in genome.names if not NOT_MAIN.fullmatch(name) and not MITOCHONDRION.fullmatch(name)}
    asked = [name for name in asked if name != "main"]
    try:
        mapping = reconcile(dict.fromkeys(asked), genome.lengths, path=genome.path, what="--chroms")
    except DataError as error:
        raise UsageError(
            "there is no such sequence", place="--chroms", found=error.found, wanted=error.wanted, remedy=error.remedy
        ) from error
    add_note(notes, describe(mapping))
    return chosen | set(mapping.values())


def _read_regions(text: str, genome: Sequences, notes: list[str]) -> list[Interval]:
    """The intervals of one --regions value: a BED file, or ``chr:a-b``."""
    found = parse_regions(text, genome.lengths)
    add_note(notes, describe(found.mapping))
    return found.intervals


def _read_bed(path: Path, genome: Sequences, notes: list[str]) -> list[Interval]:
    bed = read_bed(path, genome.lengths)
    add_note(notes, describe(bed.mapping))
    return bed.intervals


def add_note(notes: list[str], text: str | None) -> None:
    if text and text not in notes:
        notes.append(text)


def _spans(rows: Sequence[Interval], lengths: Mapping[str, int]) -> dict[str, Spans]:
    """Intervals as merged spans per sequence, in genome order."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault(row.name, []).append((row.start, row.end))
    return {name: merge(np.array(found[name], np.int64)) for name in lengths if name in found}
