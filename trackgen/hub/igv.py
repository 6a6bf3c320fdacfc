"""Hub -> igv.json: what igv.js needs to draw every track as its role wants.

The file is an argument of ``igv.createBrowser`` and a session at once. Its addresses are relative to the page that
loads it; `base` makes them absolute, for pages elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from trackgen.hub.model import AnyTrack, CallTrack, GeneTrack, HubGenome, HubTrack, MotifTrack
from trackgen.hub.templates import escaped

__all__ = ["igv_genes_track", "render_igv"]

# Assemblies that igv.js gets by name, with genes and ideogram, from https://igv.org/genomes/genomes3.json.
HOSTED = ("hg38", "hg19", "hg18", "hs1", "mm39", "mm10", "mm9", "rn7", "rn6", "danRer11", "dm6", "ce11", "sacCer3")
UCSC_DOWNLOADS = "https://hgdownload.soe.ucsc.edu/goldenPath"
GUIDE_COLOR = "rgb(120,120,120)"
OVERLAY_ALPHA = 0.6


def render_igv(genome: HubGenome, base: str = "") -> str:
    """The text of igv.json for the tracks on `genome`; every address of the hub's own files starts with `base`."""
    several_models = len(genome.models) > 1
    genes = [] if genome.genes is None else [igv_genes_track(genome.genes, base)]
    config: dict[str, Any] = {
        **_genome(genome, base),
        "locus": genome.locus.text,
        "tracks": [
            *genes,
            *(_picture(tracks, base, several_models) for tracks in genome.pictures),
        ],
    }
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def _genome(genome: HubGenome, base: str) -> dict[str, Any]:
    if not genome.two_bit and genome.id in HOSTED:
        return {"genome": genome.id}
    reference = {"id": genome.id, "name": genome.title}
    if genome.two_bit:
        reference |= {"twoBitURL": base + genome.two_bit, "chromSizesURL": base + genome.chromosome_sizes}
    else:
        downloads = f"{UCSC_DOWNLOADS}/{genome.id}/bigZips/{genome.id}"
        reference |= {"twoBitURL": f"{downloads}.2bit", "chromSizesURL": f"{downloads}.chrom.sizes"}
    return {"reference": reference, "loadDefaultGenomes": False}


def _picture(tracks: Sequence[AnyTrack], base: str, several_models: bool) -> dict[str, Any]:
    if len(tracks) == 1:
        return _entry(tracks[0], base, several_models)
    parts = [track for track in tracks if isinstance(track, HubTrack)]
    predicted = next(track for track in parts if not track.beside)
    overlay = predicted.overlay
    assert overlay is not None
    name = f"{predicted.model}: {overlay.long_label}" if several_models else overlay.long_label
    stacked = {"stackedLetters": [track.base for track in parts]} if overlay.stacked else {}
    return {
        **_named(predicted, base, several_models),
        "id": overlay.name,
        "name": escaped(name),
        "type": "merged",
        # igv.js by itself lays the four bases over each other; trackgen-stacked.js takes this for stacked letters.
        **stacked,
        "alpha": OVERLAY_ALPHA,
        "min": predicted.limits.low,
        "max": predicted.limits.high,
        "autoscale": False,
        "height": 110,
        # The later stand before the earlier.
        "tracks": [_track(track, base, several_models) for track in parts],
    }


def _entry(track: AnyTrack, base: str, several_models: bool) -> dict[str, Any]:
    if isinstance(track, HubTrack):
        return _track(track, base, several_models)
    if isinstance(track, CallTrack):
        return _calls(track, base, several_models)
    return _motifs(track, base, several_models)


def _track(track: HubTrack, base: str, several_models: bool) -> dict[str, Any]:
    result: dict[str, Any] = {
        **_named(track, base, several_models),
        "type": "wig",
        # Without the format igv.js guesses from the suffix, which fails behind redirects.
        "format": "bigwig",
        "url": base + track.file,
        "color": "rgb({},{},{})".format(*track.color),
        "min": track.limits.low,
        "max": track.limits.high,
        "autoscale": False,
    }
    if track.role == "contribution":
        result |= {"windowFunction": "mean", "height": 100 if track.sequence_letters else 60}
        if track.sequence_letters:
            result["graphType"] = "dynseq"
    elif track.role == "probability":
        result |= {"windowFunction": "max", "height": 64}
        if track.threshold is not None:
            result["guideLines"] = [{"y": track.threshold, "color": GUIDE_COLOR, "dotted": True}]
    else:
        result |= {"windowFunction": "mean", "height": 64}
    if track.drawn_downwards:
        result["flipAxis"] = True
    return result


def _calls(track: CallTrack, base: str, several_models: bool) -> dict[str, Any]:
    return {
        **_named(track, base, several_models),
        "type": "annotation",
        "format": "bigbed",
        "url": base + track.file,
        "color": "rgb({},{},{})".format(*track.color),
        # One row: calls of one strand do not overlap, and what they are called says nothing.
        "displayMode": "COLLAPSED",
        "height": 40,
    }


def _motifs(track: MotifTrack, base: str, several_models: bool) -> dict[str, Any]:
    return {
        **_named(track, base, several_models),
        "type": "annotation",
        "format": "bigbed",
        "url": base + track.file,
        # No colour: it would hide those of the hits.
        "displayMode": "EXPANDED",
        "height": 60,
    }


def igv_genes_track(genes: GeneTrack, base: str = "") -> dict[str, Any]:
    """The track's entry in igv.json; addresses start with `base`."""
    return {
        "id": genes.name,
        "name": "Genes",
        "type": "annotation",
        "format": "bed",
        "url": base + genes.bed,
        # Read whole, so that every gene is found by its name.
        "indexed": False,
        "searchable": True,
        "displayMode": "EXPANDED",
        "height": 70,
    }


def _named(track: AnyTrack, base: str, several_models: bool) -> dict[str, Any]:
    return {
        "id": track.name,
        # igv.js puts names into the page as HTML.
        "name": escaped(f"{track.model}: {track.display_name}" if several_models else track.display_name),
        "description": f'<a href="{base}{track.page}" target="_blank">{escaped(track.long_label)}</a>',
    }
