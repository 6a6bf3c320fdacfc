"""Where transcripts start: of every transcript of GTF or GFF3, and of genes without any.

A start on the minus strand is the last base of its transcript. Positions are 0-based.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from trackgen.genome.annotation_lines import Row
from trackgen.genome.annotation_models import GENE_ID, GENE_NAME, NODES, TRANSCRIPT_ID, attribute_value

__all__ = ["Start", "transcript_starts"]

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
OF_GENES = re.compile(r"gene$|gene_segment$", re.IGNORECASE)


class Start(NamedTuple):
    """A transcript, or a gene without one: its `name`, its `gene`; `strand` is +, - or what the file says instead."""

    line: int
    sequence: str
    start: int
    end: int
    strand: str
    name: str
    gene: str

    @property
    def position(self) -> int:
        """The base where it starts, 0-based."""
        return self.end - 1 if self.strand == "-" else self.start


def transcript_starts(kind: str, rows: Iterable[Row]) -> list[Start]:
    """The starts of all transcripts in the order of the file, and of genes that have none.

    Memory grows with the transcripts. Where GTF has no lines of transcripts, their exons say where they start.

    Args:
        kind: ``gtf`` or ``gff3``.
    """
    transcripts, genes, owners = (_gtf if kind == "gtf" else _gff3)(rows)
    found = [*transcripts.values(), *(gene for key, gene in genes.items() if key not in owners)]
    return sorted(found)


Keyed = dict[tuple[str, str], Start]


def _gtf(rows: Iterable[Row]) -> tuple[Keyed, Keyed, set[tuple[str, str]]]:
    """Transcripts and genes by sequence and identifier, and the genes that have a transcript."""
    transcripts: Keyed = {}
    genes: Keyed = {}
    owners: set[tuple[str, str]] = set()
    for row in rows:
        gene = GENE_ID.search(row.attributes)
        named = GENE_NAME.search(row.attributes)
        owner = gene[1] if gene else ""
        shown = named[1] if named and named[1] else owner
        transcript = TRANSCRIPT_ID.search(row.attributes) if row.feature != "gene" else None
        if transcript and transcript[1]:
            _widen(transcripts, row, transcript[1], shown)
            owners.add((row.sequence, owner))
        elif row.feature == "gene" and owner:
            genes.setdefault((row.sequence, owner), _start(row, owner, shown))
    return transcripts, genes, owners


def _gff3(rows: Iterable[Row]) -> tuple[Keyed, Keyed, set[tuple[str, str]]]:
    """As `_gtf`: transcripts are what exons belong to, but genes."""
    transcripts: Keyed = {}
    genes: Keyed = {}
    owners: set[tuple[str, str]] = set()
    for row in rows:
        if not NODES.search(row.feature):
            continue
        identifier = _unescaped(row, "ID") or f"{row.feature} in line {row.number}"
        parent = _unescaped(row, "Parent")
        # What belongs to a gene is no gene of its own: segments of immunoglobulins stand where transcripts do.
        if OF_GENES.search(row.feature) and (row.sequence, parent) not in genes:
            genes.setdefault((row.sequence, identifier), _start(row, identifier, identifier))
            continue
        _widen(transcripts, row, identifier, parent or identifier)
        owners.add((row.sequence, parent))
    return transcripts, genes, owners


def _unescaped(row: Row, key: str) -> str:
    """The first value of an attribute; no letter of it ends a column or a line of the table."""
    return CONTROL.sub(" ", unquote(attribute_value(row.attributes, key).partition(",")[0]))


def _widen(transcripts: Keyed, row: Row, name: str, gene: str) -> None:
    """Let a transcript reach over a row of it."""
    key = (row.sequence, name)
    known = transcripts.get(key)
    if known is None:
        transcripts[key] = _start(row, name, gene)
    elif row.start < known.start or row.end > known.end:
        transcripts[key] = known._replace(start=min(known.start, row.start), end=max(known.end, row.end))


def _start(row: Row, name: str, gene: str) -> Start:
    return Start(row.number, row.sequence, row.start, row.end, row.strand, name, gene)
