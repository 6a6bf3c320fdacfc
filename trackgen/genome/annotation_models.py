"""Rows of GTF and GFF3 -> genes, each with one transcript's exons."""

from __future__ import annotations

import functools
import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from trackgen.genome.annotation_lines import LineError, Row

__all__ = [
    "GENE_ID", "GENE_NAME", "NODES", "TRANSCRIPT_ID", "Gene", "Models", "Spans", "attribute_value", "gff3_models",
    "gtf_models", "merged",
]  # fmt: skip

Spans = tuple[tuple[int, int], ...]
"""Sorted disjoint intervals, 0-based half-open."""


@dataclass(frozen=True)
class Gene:
    """A gene and the exons of one of its transcripts, which it begins and ends with; 0-based half-open.

    `coding` reaches from the first to the last coding base, the stop codon included; `strand` is +, - or a dot;
    `line` is where the file says it.
    """

    name: str
    identifier: str
    sequence: str
    start: int
    end: int
    strand: str
    exons: Spans
    coding: tuple[int, int] | None
    line: int


class Models(NamedTuple):
    """The genes of a file, and the names of its sequences that are circular."""

    genes: list[Gene]
    circular: frozenset[str]


PARTS = {"exon": 0, "noncoding_exon": 0, "pseudogenic_exon": 0, "coding_exon": 0, "CDS": 1, "stop_codon": 1}
"""The features that transcripts are made of: 0 exons, 1 coding ones."""
NODES = re.compile(r"gene$|gene_segment$|transcript|rna$", re.IGNORECASE)
"""The features of GFF3 that exons belong to, at any height: gene, mRNA, ncRNA_gene, C_gene_segment, transcript."""
RANKS = (("Ensembl_canonical", 3), ("MANE_Select", 3), ("MANE Select", 3), ("appris_principal", 2), ("basic", 1))
"""The tags of GENCODE, Ensembl and NCBI by which an annotation prefers one transcript of a gene."""


class _Transcript:
    """What is gathered of one transcript, small, since there are hundreds of thousands."""

    __slots__ = ("coding", "exons", "line", "owner", "rank", "sequence", "strand")

    def __init__(self, row: Row, owner: str) -> None:
        self.sequence, self.strand, self.line, self.owner = row.sequence, row.strand, row.number, owner
        self.rank = _rank(row.attributes)
        self.exons, self.coding = array("Q"), array("Q")

    def add(self, row: Row) -> None:
        """An exon or a coding part of one."""
        part = self.coding if PARTS[row.feature] else self.exons
        part.append(row.start)
        part.append(row.end)

    @property
    def weight(self) -> tuple[int, int, int]:
        """By which one transcript of a gene is preferred: tag, coding bases, bases."""
        return self.rank, _bases(self.coding), _bases(self.exons)

    def gene(self, name: str, identifier: str) -> Gene:
        """As a gene of this name. Without exons, the coding parts are those."""
        exons = merged(_pairs(self.exons or self.coding))
        start, end = exons[0][0], exons[-1][1]
        coding = None
        if self.coding:
            coding = (max(start, min(self.coding)), min(end, max(self.coding)))
        return Gene(name, identifier, self.sequence, start, end, _strand(self.strand), exons, coding, self.line)


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """Sorted, disjoint; overlapping ones become one."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if result and start < result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)


def _pairs(flat: array[int]) -> Iterator[tuple[int, int]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _bases(flat: array[int]) -> int:
    return sum(flat[1::2]) - sum(flat[::2])


def _strand(text: str) -> str:
    return text if text in ("+", "-") else "."


def _rank(attributes: str) -> int:
    return max((rank for tag, rank in RANKS if tag in attributes), default=0)


def _single(row: Row, name: str, identifier: str) -> Gene:
    """A gene that the file says no exons of."""
    exons = ((row.start, row.end),)
    return Gene(name, identifier, row.sequence, row.start, row.end, _strand(row.strand), exons, None, row.number)


GENE_ID = re.compile(r'(?:^|[;\s])gene_id\s+"?([^";]*)')
TRANSCRIPT_ID = re.compile(r'(?:^|[;\s])transcript_id\s+"?([^";]*)')
GENE_NAME = re.compile(r'(?:^|[;\s])gene_name\s+"?([^";]*)')


def gtf_models(rows: Iterable[Row]) -> Models:
    """The genes of GTF, whatever the order of its lines, with or without lines of genes and transcripts.

    Raises:
        LineError: a gene or exon without gene_id.
    """
    transcripts: dict[tuple[str, str], _Transcript] = {}
    names: dict[tuple[str, str], str] = {}
    alone: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row.feature not in PARTS and row.feature != "gene":
            continue
        match = TRANSCRIPT_ID.search(row.attributes) if row.feature != "gene" else None
        key = (row.sequence, match[1]) if match and match[1] else None
        transcript = transcripts.get(key) if key else None
        if transcript is None:
            owner = _gtf_gene(row)
            names.setdefault((row.sequence, owner), _gtf_name(row, owner))
            if row.feature == "gene":
                alone.setdefault((row.sequence, owner), row)
                continue
            key = key or (row.sequence, owner)
            transcript = transcripts.setdefault(key, _Transcript(row, owner))
        transcript.add(row)
    best = _best(transcripts.values())
    genes = [kept.gene(names[key], key[1]) for key, kept in best.items()]
    genes += [_single(row, names[key], key[1]) for key, row in alone.items() if key not in best]
    return Models(genes, frozenset())


def _gtf_gene(row: Row) -> str:
    match = GENE_ID.search(row.attributes)
    if match is None or not match[1]:
        found = repr(row.attributes[:60])
        raise LineError(row.number, f"the {row.feature} says no gene that it belongs to", found, 'gene_id "NAME";')
    return match[1]


def _gtf_name(row: Row, owner: str) -> str:
    match = GENE_NAME.search(row.attributes)
    return match[1] if match and match[1] else owner


def _best(transcripts: Iterable[_Transcript]) -> dict[tuple[str, str], _Transcript]:
    """The preferred transcript of each gene; the first among equals."""
    best: dict[tuple[str, str], _Transcript] = {}
    weights: dict[tuple[str, str], tuple[int, int, int]] = {}
    for transcript in transcripts:
        key, weight = (transcript.sequence, transcript.owner), transcript.weight
        if key not in best or weight > weights[key]:
            best[key], weights[key] = transcript, weight
    return best


def gff3_models(rows: Iterable[Row]) -> Models:
    """The genes of GFF3, whatever the order of its lines.

    A transcript belongs to the gene at the top of its parents; exons, to all transcripts that they name as parents.
    """
    nodes: dict[str, tuple[Row, str]] = {}
    holders: dict[tuple[str, str], _Transcript] = {}
    circular = set()
    for row in rows:
        if row.feature in PARTS:
            for parent in attribute_value(row.attributes, "Parent").split(","):
                owner = unquote(parent) or f"{row.feature} in line {row.number}"
                holder = holders.get((row.sequence, owner)) or holders.setdefault(
                    (row.sequence, owner), _Transcript(row, owner)
                )
                holder.add(row)
        elif NODES.search(row.feature):
            identifier = unquote(attribute_value(row.attributes, "ID")) or f"{row.feature} in line {row.number}"
            nodes.setdefault(identifier, (row, unquote(attribute_value(row.attributes, "Parent").partition(",")[0])))
        elif "Is_circular=true" in row.attributes:
            circular.add(row.sequence)
    for holder in holders.values():
        if holder.owner in nodes:
            holder.rank = _rank(nodes[holder.owner][0].attributes)
        holder.owner = _top(holder.owner, nodes)
    best = _best(holders.values())
    genes = [kept.gene(*_gff3_names(key[1], nodes)) for key, kept in best.items()]
    owners = {owner for _, owner in best}
    genes += [
        _single(row, *_gff3_names(identifier, nodes))
        for identifier, (row, parent) in nodes.items()
        if identifier not in owners and parent not in nodes and row.feature.endswith("gene")
    ]
    return Models(genes, frozenset(circular))


def _top(identifier: str, nodes: dict[str, tuple[Row, str]]) -> str:
    """The gene that a transcript belongs to; loops of parents end where they began."""
    seen = {identifier}
    while identifier in nodes and nodes[identifier][1] in nodes and nodes[identifier][1] not in seen:
        identifier = nodes[identifier][1]
        seen.add(identifier)
    return identifier


def _gff3_names(identifier: str, nodes: dict[str, tuple[Row, str]]) -> tuple[str, str]:
    """(name, identifier) of a gene, without the ``gene:`` of Ensembl and the ``gene-`` of NCBI."""
    attributes = nodes[identifier][0].attributes if identifier in nodes else ""
    bare = re.sub(r"^(gene|transcript|rna)[:-](?=.)", "", identifier)
    known = unquote(attribute_value(attributes, "gene_id")) or bare
    for key in ("gene_name", "gene", "Name"):
        if value := unquote(attribute_value(attributes, key)):
            return value, known
    return known, known


def attribute_value(attributes: str, key: str) -> str:
    """The value of ``key=value;``, still in percent encoding; empty where there is none."""
    match = _pattern(key).search(attributes)
    return match[1].strip() if match else ""


@functools.cache
def _pattern(key: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|;)\s*{key}=([^;]*)")
