"""Genes of an annotation, read as a stream: GTF, GFF3 or BED, plain or gzip, told apart by content.

Of each gene one transcript is kept, with its exons: the one that the annotation calls canonical, else the one with the
longest coding sequence, else the longest. Coordinates are 0-based half-open.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from trackgen.errors import DataError
from trackgen.genome.aliases import reconcile
from trackgen.genome.annotation_lines import LineError, bed_lines, feature_rows, numbered_lines, sniff
from trackgen.genome.annotation_models import Gene, Models, Spans, gff3_models, gtf_models, merged

__all__ = ["Annotation", "Gene", "read_annotation"]


@dataclass(frozen=True)
class Annotation:
    """Genes on a genome, in its order; `mapping` from the file's sequence names to the genome's.

    `left_out` genes stand on sequences that the genome lacks; `lacking` are the first few names of those.
    """

    genes: tuple[Gene, ...]
    mapping: Mapping[str, str]
    left_out: int
    lacking: tuple[str, ...]


NAMES_SHOWN = 3


def read_annotation(path: str | os.PathLike[str], lengths: Mapping[str, int]) -> Annotation:
    """The genes of a file on a genome, sorted by sequence, start and end.

    Memory grows with the genes and their exons, not with the lines of the file.

    Args:
        path: GTF, GFF3 or BED (3 to 12 columns), plain, gzip or bgzip.
        lengths: bases of each sequence; names may be written in another way (``I``, ``1``, ``MT``).

    Raises:
        DataError: the file is missing, of another kind, or has a malformed line (which is named); none of its
            sequences is in the genome; or a gene ends beyond its sequence.
    """
    circular: frozenset[str] = frozenset()
    with numbered_lines(path) as lines:
        kind, lines = sniff(lines)
        if kind == "bed":
            genes = [_bed_gene(number, fields) for number, fields in bed_lines(lines)]
        else:
            models: Models = (gtf_models if kind == "gtf" else gff3_models)(feature_rows(lines))
            genes, circular = models.genes, models.circular
    if not genes:
        raise DataError("the annotation has no gene", path=path, wanted="lines of genes, transcripts or exons")
    names = dict.fromkeys(gene.sequence for gene in genes)
    mapping = _mapping(names, lengths, path)
    order = {name: number for number, name in enumerate(lengths)}
    kept = [_placed(gene, mapping, lengths, path, circular) for gene in genes if gene.sequence in mapping]
    kept.sort(key=lambda gene: (order[gene.sequence], gene.start, gene.end, gene.name, gene.identifier))
    lacking = tuple(name for name in names if name not in mapping)[:NAMES_SHOWN]
    return Annotation(tuple(kept), mapping, len(genes) - len(kept), lacking)


def _mapping(names: Mapping[str, None], lengths: Mapping[str, int], path: str | os.PathLike[str]) -> Mapping[str, str]:
    try:
        return reconcile(names, lengths, path=path, what="annotation", allow_unknown=True)
    except DataError as error:
        if not isinstance(error.found, str) or (shown := _shown(error.found)) == error.found:
            raise
        # It looks like one of the genome's names, and is none of them.
        raise DataError(
            error.what, path=path, place=error.place, found=shown, wanted=error.wanted, remedy=error.remedy
        ) from None


def _shown(name: str) -> str:
    """A name as it is, or written out where it has letters that cannot be seen."""
    return name if name.isprintable() and name == name.strip() else ascii(name)


def _placed(
    gene: Gene,
    mapping: Mapping[str, str],
    lengths: Mapping[str, int],
    path: str | os.PathLike[str],
    circular: Iterable[str],
) -> Gene:
    """`gene` under the genome's name of its sequence, inside it."""
    name = mapping[gene.sequence]
    length = lengths[name]
    if gene.end <= length:
        return replace(gene, sequence=name)
    if gene.sequence not in circular or gene.start >= length:
        raise DataError(
            "a gene ends beyond its sequence",
            path=path,
            place=f"line {gene.line:,}",
            found=f"{_shown(gene.name)} to base {gene.end:,}",
            wanted=f"at most {length:,}, the length of {name}",
            remedy="check that the annotation and the genome are of one assembly",
        )
    # GFF3 lets a gene over the origin of a circular sequence end beyond it: what is before the origin is kept.
    exons = tuple((start, min(end, length)) for start, end in gene.exons if start < length)
    coding = gene.coding and (min(gene.coding[0], length), min(gene.coding[1], length))
    return replace(
        gene, sequence=name, end=exons[-1][1], exons=exons, coding=coding if coding and coding[0] < coding[1] else None
    )


def _bed_gene(number: int, fields: list[str]) -> Gene:
    start, end = int(fields[1]), int(fields[2])
    named = len(fields) > 3 and fields[3] not in ("", ".")
    name = fields[3] if named else f"{fields[0]}:{start + 1}-{end}"
    coding = None
    if (
        len(fields) > 7
        and fields[6].isdigit()
        and fields[7].isdigit()
        and start <= int(fields[6]) < int(fields[7]) <= end
    ):
        coding = (int(fields[6]), int(fields[7]))
    exons: Spans = ((start, end),)
    if len(fields) > 11:
        exons = _blocks(number, fields, start, end)
    strand = fields[5] if len(fields) > 5 and fields[5] in "+-" else "."
    return Gene(name, name, fields[0], start, end, strand or ".", exons, coding, number)


def _blocks(number: int, fields: list[str], start: int, end: int) -> Spans:
    """The exons of BED12: inside the interval, from its start to its end."""
    try:
        sizes = [int(text) for text in fields[10].strip(",").split(",")]
        offsets = [int(text) for text in fields[11].strip(",").split(",")]
        count = int(fields[9])
    except ValueError:
        sizes, offsets, count = [], [], -1
    if not len(sizes) == len(offsets) == count or min(sizes) < 1:
        shown = " ".join(field[:20] for field in fields[9:12])
        raise LineError(number, "the blocks do not fit together", shown, "blockCount sizes and starts, by commas")
    exons = merged((start + offset, start + offset + size) for offset, size in zip(offsets, sizes, strict=True))
    if exons[0][0] != start or exons[-1][1] != end:
        found = f"{exons[0][0]} to {exons[-1][1]}"
        raise LineError(number, "the blocks do not span the interval", found, f"{start} to {end}")
    return exons
