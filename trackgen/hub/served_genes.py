"""Genes over a hub that was built without: the files of an annotation, and what they change in the browsers' files.

``trackgen serve --genes`` shows them; the hub's folder stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trackgen.hub.built import read_built
from trackgen.hub.genes import compile_for_best, gene_files, jbrowse_genes_track, jbrowse_text_search
from trackgen.hub.igv import igv_genes_track
from trackgen.hub.model import GeneTrack

__all__ = ["ServedGenes", "genes_over"]


@dataclass(frozen=True)
class ServedGenes:
    """What an annotation adds to a hub.

    Attributes:
        files: the new files' contents by name.
        edits: what changes in a file of the hub, by its name; an edit fails where the file is of another shape.
        note: what a person should know of how the annotation was read.
    """

    files: Mapping[str, bytes]
    edits: Mapping[str, Callable[[bytes], bytes]]
    note: str


def genes_over(hub: Path, annotation: Path) -> ServedGenes:
    """Read `annotation` for the genome of the hub in the folder `hub`, of several the one that has most of its genes.

    Args:
        annotation: GTF, GFF3 or BED, plain or gzip.

    Raises:
        DataError: the annotation is missing or malformed, or is of none of the hub's genomes, or the hub is not one
            that trackgen built.
        UsageError: pybigtools, which writes bigBed, is not installed.
    """
    genomes = read_built(hub, "genes can be shown over").lengths
    genome, compiled = compile_for_best(annotation, genomes)
    track = compiled.track
    session = "igv.json" if genome == next(iter(genomes)) else f"igv.{genome}.json"
    edits = {
        session: partial(_with_igv_track, track=track),
        "config.json": partial(_with_jbrowse_track, track=track, genome=genome),
    }
    return ServedGenes(gene_files(compiled, genomes[genome], genome), edits, compiled.note)


def _with_igv_track(text: bytes, track: GeneTrack) -> bytes:
    config = _config(text)
    config["tracks"] = _first(igv_genes_track(track), config["tracks"], key="id")
    return _text(config)


def _with_jbrowse_track(text: bytes, track: GeneTrack, genome: str) -> bytes:
    config = _config(text)
    config["tracks"] = _first(jbrowse_genes_track(track, genome), config["tracks"], key="trackId")
    searches = config.get("aggregateTextSearchAdapters", [])
    key = "textSearchAdapterId"
    config["aggregateTextSearchAdapters"] = _first(jbrowse_text_search(track, genome), searches, key=key)
    for view in config.get("defaultSession", {}).get("views", []):
        shown = view.get("init", {})
        if shown.get("assembly") == genome:
            # `init` only: the page that is served reads nothing else.
            shown["tracks"] = [track.name, *(name for name in shown.get("tracks", []) if name != track.name)]
    return _text(config)


def _config(text: bytes) -> dict[str, Any]:
    config = json.loads(text)
    if not isinstance(config, dict) or not isinstance(config.get("tracks"), list):
        raise ValueError("this is no browser's configuration: it has no list of tracks")
    return config


def _first(entry: Mapping[str, Any], others: Sequence[Mapping[str, Any]], *, key: str) -> list[Mapping[str, Any]]:
    """`entry`, then the others, without one of the same name."""
    return [entry, *(other for other in others if other.get(key) != entry[key])]


def _text(config: Mapping[str, Any]) -> bytes:
    return (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
