"""Hub -> config.json: what JBrowse 2 needs to draw every track as its role wants, letters by trackgen's plugin.

JBrowse's own reader of hub.txt drops colours, limits and heights; so the whole configuration is written. Addresses are
relative to the folder of config.json; `base` stands before each that is the hub's own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trackgen.hub.genes import jbrowse_genes_track, jbrowse_text_search
from trackgen.hub.igv import UCSC_DOWNLOADS
from trackgen.hub.model import AnyTrack, CallTrack, Hub, HubGenome, HubTrack, MotifTrack

__all__ = ["PLUGIN_FILE", "PLUGIN_NAME", "JBrowseParts", "jbrowse_parts", "render_jbrowse"]

Entry = dict[str, Any]

PLUGIN_NAME = "Trackgen"
PLUGIN_FILE = "trackgen-jbrowse.js"
SECTIONS = {
    "predictions": "Predictions",
    "contributions": "Contributions of each base",
    "hypothetical": "What other bases would contribute",
}
STACKED_ADAPTER = "TrackgenStackedAdapter"
SUMMARIES = {"probability": "max", "signal": "avg", "contribution": "whiskers"}
# JBrowse takes no notice of the field that bigBed files hold an item's colour in, "200,30,30".
HIT_COLOR = "jexl:get(feature,'reserved')?'rgb('+get(feature,'reserved')+')':'rgb(60,60,60)'"
# The width, in pixels, of the view that versions without `init` lay out by numbers.
VIEW_PIXELS = 1200


@dataclass(frozen=True)
class JBrowseParts:
    """The entries of a configuration that are one hub's."""

    plugin: Entry
    assemblies: tuple[Entry, ...]
    tracks: tuple[Entry, ...]
    searches: tuple[Entry, ...]


def render_jbrowse(hub: Hub, base: str = "") -> str:
    """The text of config.json; every address of the hub's own files starts with `base`."""
    parts = jbrowse_parts(hub, base)
    config: Entry = {
        "assemblies": list(parts.assemblies),
        "plugins": [parts.plugin],
        "tracks": list(parts.tracks),
        "aggregateTextSearchAdapters": list(parts.searches),
        "configuration": {"disableAnalytics": True},
        "defaultSession": {
            "name": hub.short_label,
            "views": [_view(genome, parts.tracks) for genome in hub.genomes],
        },
    }
    if not parts.searches:
        del config["aggregateTextSearchAdapters"]
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def jbrowse_parts(hub: Hub, base: str = "") -> JBrowseParts:
    """Plugin, assemblies, tracks and text searches of `hub`; what a configuration of others can take in, too."""
    tracks: list[Entry] = []
    for genome in hub.genomes:
        several = len(genome.models) > 1
        if genome.genes is not None:
            tracks.append(jbrowse_genes_track(genome.genes, genome.id, base))
        sections = {track.name: group.section for group in genome.groups for track in group.tracks}
        for track, *others in genome.pictures:
            if isinstance(track, HubTrack) and others:
                parts = [track, *(other for other in others if isinstance(other, HubTrack))]
                draw = _stack if track.base else _overlay
                tracks.append(draw(parts, sections[track.name], genome, base, several))
            elif isinstance(track, HubTrack):
                tracks.append(_values(track, sections[track.name], genome, base, several))
            elif isinstance(track, CallTrack):
                tracks.append(_calls(track, genome, base, several))
            else:
                tracks.append(_motifs(track, genome, base, several))
    return JBrowseParts(
        plugin={"name": PLUGIN_NAME, "umdLoc": _location(base + PLUGIN_FILE)},
        assemblies=tuple(_assembly(genome, base) for genome in hub.genomes),
        # By this mark the hub's tracks are known again in a configuration that holds others, too.
        tracks=tuple(track | {"metadata": track.get("metadata", {}) | {"hub": hub.name}} for track in tracks),
        searches=tuple(
            jbrowse_text_search(genome.genes, genome.id, base) for genome in hub.genomes if genome.genes is not None
        ),
    )


def _assembly(genome: HubGenome, base: str) -> Entry:
    if genome.two_bit:
        sequence, sizes = base + genome.two_bit, base + genome.chromosome_sizes
    else:
        downloads = f"{UCSC_DOWNLOADS}/{genome.id}/bigZips/{genome.id}"
        sequence, sizes = f"{downloads}.2bit", f"{downloads}.chrom.sizes"
    return {
        "name": genome.id,
        "displayName": genome.title,
        "sequence": {
            "type": "ReferenceSequenceTrack",
            "trackId": _sequence_track(genome),
            "adapter": {
                "type": "TwoBitAdapter",
                "twoBitLocation": _location(sequence),
                # Without it JBrowse reads the whole index of the sequence for the lengths.
                "chromSizesLocation": _location(sizes),
            },
        },
    }


def _sequence_track(genome: HubGenome) -> str:
    """The id of the track of the sequence; no track of values has a hyphen in its name."""
    return f"{genome.id}-trackgen-sequence"


def _values(track: HubTrack, section: str, genome: HubGenome, base: str, several_models: bool) -> Entry:
    values = {"type": "BigWigAdapter", "bigWigLocation": _location(base + track.file)}
    letters = track.sequence_letters
    return {
        **_named("QuantitativeTrack", track, genome, several_models),
        "category": [track.model, SECTIONS[section]],
        # The letters are those of the assembly's own sequence.
        "adapter": {"type": "TrackgenDynseqAdapter", "wiggleAdapter": values} if letters else values,
        "displays": [_letters(track) if letters else _bars(track)],
        "metadata": {
            "model": track.model,
            "shows": track.role,
            "unit": track.unit,
            "threshold": track.threshold,
        },
    }


def _overlay(parts: Sequence[HubTrack], section: str, genome: HubGenome, base: str, several_models: bool) -> Entry:
    predicted = next(track for track in parts if not track.beside)
    overlay = predicted.overlay
    assert overlay is not None
    return {
        **_named("MultiQuantitativeTrack", predicted, genome, several_models),
        "trackId": overlay.name,
        "name": f"{predicted.model}: {overlay.long_label}" if several_models else overlay.long_label,
        "category": [predicted.model, SECTIONS[section]],
        "adapter": {
            "type": "MultiWiggleAdapter",
            "subadapters": [
                {
                    "type": "BigWigAdapter",
                    "source": track.label,
                    "color": "rgb({},{},{})".format(*track.color),
                    "bigWigLocation": _location(base + track.file),
                }
                for track in parts
            ],
        },
        "displays": [
            {
                "type": "MultiLinearWiggleDisplay",
                "displayId": f"{overlay.name}-lines",
                **_scale(predicted),
                "height": 110,
                # Bars are opaque in JBrowse: the last would hide the others.
                "defaultRendering": "multiline",
                "summaryScoreMode": SUMMARIES[predicted.role],
            }
        ],
        "metadata": {"model": predicted.model, "shows": predicted.role, "unit": predicted.unit, "threshold": None},
    }


def _stack(parts: Sequence[HubTrack], section: str, genome: HubGenome, base: str, several_models: bool) -> Entry:
    """What each of the four bases would contribute, as letters on top of each other by trackgen's plugin."""
    first, overlay = parts[0], parts[0].overlay
    assert overlay is not None
    values = {track.base: {"type": "BigWigAdapter", "bigWigLocation": _location(base + track.file)} for track in parts}
    return {
        **_named("QuantitativeTrack", first, genome, several_models),
        "trackId": overlay.name,
        "name": f"{first.model}: {overlay.long_label}" if several_models else overlay.long_label,
        "description": overlay.long_label,
        "category": [first.model, SECTIONS[section]],
        "adapter": {"type": STACKED_ADAPTER, "wiggleAdapters": values},
        "displays": [
            {
                "type": "LinearStackedLettersDisplay",
                "displayId": f"{overlay.name}-letters",
                **_scale(first),
                "height": 110,
                "renderers": {"StackedLettersRenderer": {"type": "StackedLettersRenderer"}},
            }
        ],
        "metadata": {"model": first.model, "shows": "all-SNV estimate", "unit": first.unit, "threshold": None},
    }


def _bars(track: HubTrack) -> Entry:
    return {
        "type": "LinearWiggleDisplay",
        "displayId": f"{track.name}-bars",
        **_scale(track),
        "height": 64,
        "inverted": track.drawn_downwards,
        "defaultRendering": "xyplot",
        "renderers": {"XYPlotRenderer": _renderer("XYPlotRenderer", track)},
    }


def _letters(track: HubTrack) -> Entry:
    return {
        "type": "LinearDynseqDisplay",
        "displayId": f"{track.name}-letters",
        **_scale(track),
        "height": 100,
        "renderers": {"DynseqRenderer": _renderer("DynseqRenderer", track)},
    }


def _scale(track: HubTrack) -> Entry:
    return {"minScore": track.limits.low, "maxScore": track.limits.high}


def _renderer(name: str, track: HubTrack) -> Entry:
    color = "rgb({},{},{})".format(*track.color)
    # JBrowse 3.6 takes no notice of `color` alone.
    colors = {"color": color, "posColor": color, "negColor": color}
    return {"type": name, **colors, "summaryScoreMode": SUMMARIES[track.role]}


def _motifs(track: MotifTrack, genome: HubGenome, base: str, several_models: bool) -> Entry:
    return {
        **_boxes(track, genome, base, several_models, HIT_COLOR, 80),
        "category": [track.model, "Motifs"],
        "metadata": {"model": track.model, "shows": "motif hits"},
    }


def _calls(track: CallTrack, genome: HubGenome, base: str, several_models: bool) -> Entry:
    return {
        **_boxes(track, genome, base, several_models, "rgb({},{},{})".format(*track.color), 40),
        # Beside the tracks that they were made of.
        "category": [track.model, SECTIONS["predictions"]],
        "metadata": {"model": track.model, "shows": "calls", "threshold": track.threshold},
    }


def _boxes(
    track: CallTrack | MotifTrack, genome: HubGenome, base: str, several_models: bool, color: str, height: int
) -> Entry:
    return {
        **_named("FeatureTrack", track, genome, several_models),
        "adapter": {"type": "BigBedAdapter", "bigBedLocation": _location(base + track.file)},
        "displays": [
            {
                "type": "LinearBasicDisplay",
                "displayId": f"{track.name}-boxes",
                "height": height,
                "renderer": {"type": "SvgFeatureRenderer", "color1": color},
            }
        ],
    }


def _named(kind: str, track: AnyTrack, genome: HubGenome, several_models: bool) -> Entry:
    return {
        "type": kind,
        "trackId": track.name,
        "name": f"{track.model}: {track.display_name}" if several_models else track.display_name,
        "description": track.long_label,
        "assemblyNames": [genome.id],
    }


def _view(genome: HubGenome, tracks: tuple[Entry, ...]) -> Entry:
    """A view of the hub's locus, said twice: JBrowse before 3.2 knows no `init`, later ones need it.

    All tracks but estimates, which would push predictions out of sight: those wait in the list of tracks.
    """
    locus = genome.locus
    scale = (locus.end - locus.start) / VIEW_PIXELS
    shown = [track for track in tracks if genome.id in track["assemblyNames"] and not _waits(track)]
    return {
        "id": f"trackgen-{genome.id}",
        "type": "LinearGenomeView",
        "init": {
            "assembly": genome.id,
            "loc": locus.text,
            "tracks": [_sequence_track(genome), *(track["trackId"] for track in shown)],
        },
        "bpPerPx": scale,
        "offsetPx": round(locus.start / scale),
        "displayedRegions": [
            {
                "refName": locus.name,
                "start": 0,
                "end": genome.lengths[locus.name],
                "reversed": False,
                "assemblyName": genome.id,
            }
        ],
        "tracks": [
            _shown(
                "ReferenceSequenceTrack",
                _sequence_track(genome),
                "LinearReferenceSequenceDisplay",
                f"{_sequence_track(genome)}-LinearReferenceSequenceDisplay",
            ),
            *(
                _shown(track["type"], track["trackId"], display["type"], display["displayId"])
                for track in shown
                for display in track["displays"]
            ),
        ],
    }


def _waits(track: Entry) -> bool:
    return bool(track["adapter"]["type"] == STACKED_ADAPTER)


def _shown(kind: str, track: str, display_kind: str, display: str) -> Entry:
    return {"type": kind, "configuration": track, "displays": [{"type": display_kind, "configuration": display}]}


def _location(uri: str) -> Entry:
    return {"uri": uri, "locationType": "UriLocation"}
