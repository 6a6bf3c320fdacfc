"""Live tracks in JBrowse: entries of a configuration whose values a server computes as the view moves.

The plugin's adapter (plugins/jbrowse/trackgen-jbrowse-live.js) asks the server; letters are drawn by trackgen's other
plugin, as those of files are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trackgen.hub.compose import CONTRIBUTION_COLOR, SIGNS
from trackgen.hub.jbrowse import PLUGIN_FILE, PLUGIN_NAME, SUMMARIES

__all__ = ["LiveEntries", "live_entries", "with_live_tracks"]

Entry = dict[str, Any]

LIVE_PLUGIN_NAME = "TrackgenLive"
LIVE_PLUGIN_FILE = "trackgen-jbrowse-live.js"
STRANDS = {"+": "plus", "-": "minus", ".": ""}


@dataclass(frozen=True)
class LiveEntries:
    """What goes into a configuration of JBrowse, which must have trackgen's plugin for letters, too."""

    plugin: Entry
    tracks: tuple[Entry, ...]


def live_entries(description: Mapping[str, Any], assembly: str, base: str) -> LiveEntries:
    """The plugin, and a track for each of a live server's.

    Args:
        description: the server's, as plugins/protocol describes it.
        assembly: the name of the genome in the configuration.
        base: the address of the server's ``api/v1/``, absolute or relative to the configuration.
    """
    tracks = []
    several = len(description["models"]) > 1
    for model in description["models"]:
        classes = {entry["name"]: entry for entry in model["classes"]}
        for kind in ("tracks", "contributions"):
            for track in model[kind]:
                part = _Part(model["name"], track, classes[track["class"]], several)
                adapter = _adapter(part, base, "predictions" if kind == "tracks" else "contributions")
                tracks.append(_bars(part, assembly, adapter) if kind == "tracks" else _letters(part, assembly, adapter))
    return LiveEntries({"name": LIVE_PLUGIN_NAME, "umdLoc": _location(LIVE_PLUGIN_FILE)}, tuple(tracks))


def with_live_tracks(config: bytes, description: Mapping[str, Any], assembly: str, base: str) -> bytes:
    """The text of a hub's config.json with live tracks, shown first; with them already, they are renewed.

    Raises:
        ValueError, KeyError, TypeError: the configuration is not one that trackgen wrote.
    """
    values = json.loads(config)
    entries = live_entries(description, assembly, base)
    plugins = {entry["name"]: entry for entry in values.get("plugins", [])}
    plugins.setdefault(PLUGIN_NAME, {"name": PLUGIN_NAME, "umdLoc": _location(PLUGIN_FILE)})
    values["plugins"] = list((plugins | {LIVE_PLUGIN_NAME: entries.plugin}).values())
    names = [track["trackId"] for track in entries.tracks]
    others = [track for track in values["tracks"] if track["trackId"] not in names]
    values["tracks"] = [*entries.tracks, *others]
    for view in values.get("defaultSession", {}).get("views", []):
        shown = view.get("init", {})
        if shown.get("assembly") == assembly:
            # `init` only: the page that is served reads nothing else. The first is the sequence.
            first, *rest = shown["tracks"]
            shown["tracks"] = [first, *names, *(name for name in rest if name not in names)]
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class _Part:
    """A track of the description, and its class."""

    model: str
    track: Mapping[str, Any]
    of_class: Mapping[str, Any]
    several_models: bool

    @property
    def name(self) -> str:
        """The track's identifier; no track of a file has a hyphen in its own."""
        return f"live-{self.model}-{self.track['name']}"

    @property
    def strand(self) -> str:
        return STRANDS[self.track["strand"]]


def _adapter(part: _Part, base: str, kind: str) -> Entry:
    return {
        "type": "TrackgenLiveAdapter",
        "url": _location(base),
        "model": part.model,
        "track": part.track["name"],
        "kind": kind,
    }


def _bars(part: _Part, assembly: str, adapter: Entry) -> Entry:
    role = part.of_class["role"]
    scale = {"minScore": 0} if role == "probability" else {}
    if part.of_class["max"] is not None:
        scale["maxScore"] = part.of_class["max"]
    color = f"rgb({part.of_class['color']})"
    display = {
        "type": "LinearWiggleDisplay",
        "displayId": f"{part.name}-bars",
        **scale,
        "height": 64,
        "inverted": part.strand == "minus",
        "defaultRendering": "xyplot",
        "renderers": {"XYPlotRenderer": _renderer("XYPlotRenderer", color, SUMMARIES[role])},
    }
    return _track(part, assembly, f"live {role}", part.of_class["unit"], adapter, display)


def _letters(part: _Part, assembly: str, adapter: Entry) -> Entry:
    color = "rgb({},{},{})".format(*CONTRIBUTION_COLOR)
    display = {
        "type": "LinearDynseqDisplay",
        "displayId": f"{part.name}-letters",
        "height": 100,
        "renderers": {"DynseqRenderer": _renderer("DynseqRenderer", color, SUMMARIES["contribution"])},
    }
    letters = {"type": "TrackgenDynseqAdapter", "wiggleAdapter": adapter}
    return _track(part, assembly, "live contributions", "", letters, display)


def _track(part: _Part, assembly: str, shows: str, unit: str, adapter: Entry, display: Entry) -> Entry:
    label = f"{part.of_class['label']}, live{' contributions' if 'contributions' in shows else ''}{SIGNS[part.strand]}"
    return {
        "type": "QuantitativeTrack",
        "trackId": part.name,
        "name": f"{part.model}: {label}" if part.several_models else label,
        "assemblyNames": [assembly],
        "category": [part.model, "Live"],
        "adapter": adapter,
        "displays": [display],
        "metadata": {
            "model": part.model,
            "shows": shows,
            "unit": unit,
            "threshold": part.of_class["threshold"],
        },
    }


def _renderer(name: str, color: str, summary: str) -> Entry:
    # JBrowse 3.6 takes no notice of `color` alone.
    return {"type": name, "color": color, "posColor": color, "negColor": color, "summaryScoreMode": summary}


def _location(uri: str) -> Entry:
    return {"uri": uri, "locationType": "UriLocation"}
