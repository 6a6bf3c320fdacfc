"""A gene annotation -> the files that browsers draw genes from and find them by.

``genes.bed`` (BED12; igv.js and IGV read it whole, and find every gene by its name), ``genes.bb`` (the same as bigBed,
for UCSC and JBrowse), and ``genes.ix``, ``genes.ixx``, ``genes.meta.json`` (JBrowse's text search). One line a gene,
with the exons and the coding stretch of its canonical transcript.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackgen.bigwig import write_big_bed
from trackgen.errors import DataError
from trackgen.genome import describe
from trackgen.genome.annotation import Annotation, Gene, read_annotation
from trackgen.hub.model import GeneTrack
from trackgen.hub.text import clean, counted, track_name
from trackgen.hub.trix import search_index

__all__ = [
    "CompiledGenes",
    "compile_for_best",
    "compile_genes",
    "gene_files",
    "jbrowse_genes_track",
    "jbrowse_text_search",
]

AUTO_SQL = """table bed12
"Genes, each with the exons of one transcript"
(
string chrom; "Sequence"
uint chromStart; "First base, 0-based"
uint chromEnd; "Last base + 1"
string name; "Gene"
uint score; "Always 1000"
char[1] strand; "Strand"
uint thickStart; "First coding base"
uint thickEnd; "Last coding base + 1"
uint reserved; "Colour, not set"
int blockCount; "Exons"
int[blockCount] blockSizes; "Length of each exon"
int[blockCount] chromStarts; "Start of each exon, from chromStart"
)
"""
LONGEST_NAME = 255
"""Of an item in a bigBed file."""
COLOR = "#333399"


@dataclass(frozen=True)
class CompiledGenes:
    """Genes on a genome as the hub knows them, and `note`: what a person should know of how they were read."""

    track: GeneTrack
    annotation: Annotation
    note: str


def compile_genes(
    path: str | os.PathLike[str], lengths: Mapping[str, int], *, name: str = "genes", stem: str = "genes"
) -> CompiledGenes:
    """Read an annotation for a hub.

    Args:
        path: GTF, GFF3 or BED, plain or gzip; see `trackgen.genome.annotation.read_annotation`.
        lengths: bases of each sequence of the hub's genome.
        name: the track's, unique in the hub.
        stem: what the names of its files begin with: ``genes``, or ``genes.mm39`` for a further genome.

    Raises:
        DataError: the file is missing or malformed, or is not of this genome.
    """
    annotation = read_annotation(path, lengths)
    track = GeneTrack(
        name=name,
        bed=f"{stem}.bed",
        big_bed=f"{stem}.bb",
        search_index=f"{stem}.ix",
        genes=len(annotation.genes),
        source=clean(Path(path).name),
    )
    return CompiledGenes(track, annotation, _note(track, annotation))


def compile_for_best(
    path: str | os.PathLike[str], genomes: Mapping[str, Mapping[str, int]]
) -> tuple[str, CompiledGenes]:
    """Read an annotation for the genome of a hub on which most of its genes stand, the earlier one of two equals.

    Args:
        genomes: the lengths, bp, of the sequences of each genome, by the genome's name, in the hub's order.

    Raises:
        DataError: the file is missing or malformed, or is of none of the genomes.
    """
    fits: list[tuple[str, CompiledGenes]] = []
    problem: DataError | None = None
    for number, (genome, lengths) in enumerate(genomes.items()):
        stem = f"genes.{genome}" if number else "genes"
        try:
            fits.append((genome, compile_genes(path, lengths, name=track_name(stem), stem=stem)))
        except DataError as error:
            problem = problem or error
    if not fits and problem is not None:
        raise problem
    return max(fits, key=lambda fit: fit[1].track.genes)


def _note(track: GeneTrack, annotation: Annotation) -> str:
    parts = [f"{track.source}: {counted(track.genes, 'gene')}"]
    if annotation.left_out:
        names = ", ".join(clean(name) for name in annotation.lacking)
        stand, are = ("stands", "is") if annotation.left_out == 1 else ("stand", "are")
        parts.append(
            f"{annotation.left_out:,} more {stand} on sequences that the genome lacks ({names}) and {are} left out"
        )
    renamed = describe(annotation.mapping)
    return "; ".join([*parts, renamed] if renamed else parts)


def gene_files(compiled: CompiledGenes, lengths: Mapping[str, int], assembly: str) -> dict[str, bytes]:
    """The contents of all files of a gene track, by name; the same annotation gives the same bytes.

    Args:
        assembly: the genome's name in JBrowse's config.json.

    Raises:
        UsageError: pybigtools, which writes bigBed, is not installed.
    """
    track, genes = compiled.track, compiled.annotation.genes
    rows = [(gene.sequence, gene.start, gene.end, _rest(gene)) for gene in genes]
    index, prefixes = search_index(((_locus(gene), _names(gene)) for gene in genes), track.name)
    meta = {
        "tracks": [
            {
                "trackId": track.name,
                "attributesIndexed": ["name", "id"],
                "excludedTypes": [],
                "adapterConf": _adapter(track, ""),
            }
        ],
        "assemblyNames": [assembly],
    }
    return {
        track.bed: "".join(f"{name}\t{start}\t{end}\t{rest}\n" for name, start, end, rest in rows).encode(),
        track.big_bed: _big_bed(rows, lengths),
        track.search_index: index,
        _prefix_file(track): prefixes,
        _meta_file(track): (json.dumps(meta, indent=2) + "\n").encode(),
    }


def _prefix_file(track: GeneTrack) -> str:
    return f"{track.search_index}x"


def _meta_file(track: GeneTrack) -> str:
    return f"{track.search_index.removesuffix('.ix')}.meta.json"


def _word(text: str) -> str:
    """A name as one column of BED: without white space, at which igv.js splits columns, too."""
    return "_".join(clean(text).split())[:LONGEST_NAME] or "gene"


def _names(gene: Gene) -> tuple[str, ...]:
    return tuple(dict.fromkeys((_word(gene.name), _word(gene.identifier))))


def _locus(gene: Gene) -> str:
    return f"{gene.sequence}:{gene.start + 1}..{gene.end}"


def _rest(gene: Gene) -> str:
    """The columns of BED12 after the third; a gene that codes for nothing has no thick part."""
    thick = gene.coding or (gene.start, gene.start)
    sizes = "".join(f"{end - start}," for start, end in gene.exons)
    starts = "".join(f"{start - gene.start}," for start, _ in gene.exons)
    columns = (_word(gene.name), 1000, gene.strand, *thick, 0, len(gene.exons), sizes, starts)
    return "\t".join(str(column) for column in columns)


def _big_bed(rows: list[tuple[str, int, int, str]], lengths: Mapping[str, int]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genes.bb"
        # The format wants sequences in the order of their names.
        write_big_bed(path, sorted(rows, key=lambda row: row[:3]), lengths, AUTO_SQL)
        return path.read_bytes()


def jbrowse_genes_track(track: GeneTrack, assembly: str, base: str = "") -> dict[str, Any]:
    """The track's entry in JBrowse's config.json; addresses start with `base`."""
    return {
        "type": "FeatureTrack",
        "trackId": track.name,
        "name": "Genes",
        "description": f"Genes of {track.source}",
        "assemblyNames": [assembly],
        "category": ["Annotations"],
        "adapter": _adapter(track, base),
        "displays": [
            {
                "type": "LinearBasicDisplay",
                "displayId": f"{track.name}-LinearBasicDisplay",
                "height": 90,
                "renderer": {"type": "SvgFeatureRenderer", "color1": COLOR, "height": 9},
            }
        ],
    }


def jbrowse_text_search(track: GeneTrack, assembly: str, base: str = "") -> dict[str, Any]:
    """The entry of ``aggregateTextSearchAdapters`` by which JBrowse finds genes by name and by identifier."""
    return {
        "type": "TrixTextSearchAdapter",
        "textSearchAdapterId": f"{assembly}-{track.name}-index",
        "ixFilePath": _location(base + track.search_index),
        "ixxFilePath": _location(base + _prefix_file(track)),
        "metaFilePath": _location(base + _meta_file(track)),
        "assemblyNames": [assembly],
    }


def _adapter(track: GeneTrack, base: str) -> dict[str, Any]:
    return {"type": "BigBedAdapter", "bigBedLocation": _location(base + track.big_bed)}


def _location(uri: str) -> dict[str, str]:
    return {"uri": uri, "locationType": "UriLocation"}
