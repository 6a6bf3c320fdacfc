"""Hub -> washu.json: a data hub of the WashU Epigenome Browser.

Types and options are those of its documentation (twlab/eg3: docs/docs/datahub/track_properties.md), where ``dynseq``,
letters, is a type of its own. Relative addresses start at the folder of the data hub.
"""

from __future__ import annotations

import json
from typing import Any

from trackgen.hub.model import AnyTrack, CallTrack, HubGenome, HubTrack, MotifTrack

__all__ = ["render_washu"]


def render_washu(genome: HubGenome, base: str = "") -> str:
    """The text of washu.json for the tracks on `genome`; every address of the hub's own files starts with `base`."""
    tracks = [_track(track, base) if isinstance(track, HubTrack) else _boxes(track, base) for track in genome.files]
    if genome.genes is not None:
        options = {"color": "rgb(0,0,120)", "height": 60}
        tracks.insert(
            0,
            {
                "type": "bigbed",
                "name": "Genes",
                "url": base + genome.genes.big_bed,
                "showOnHubLoad": True,
                "options": options,
            },
        )
    return json.dumps(tracks, indent=2, ensure_ascii=False) + "\n"


def _track(track: HubTrack, base: str) -> dict[str, Any]:
    color = _color(track)
    options: dict[str, Any] = {
        "color": color,
        "color2": color,
        "height": 80 if track.sequence_letters else 50,
        # What spans several bases in one pixel: a narrow peak must survive.
        "aggregateMethod": "MAX" if track.role == "probability" else "MEAN",
        # Without the word the limits count for nothing.
        "yScale": "fixed",
        "yMin": track.limits.low,
        "yMax": track.limits.high,
    }
    return {
        "type": "dynseq" if track.sequence_letters else "bigwig",
        "name": _name(track),
        "url": base + track.file,
        # Four tracks of estimates a class would push predictions out of sight.
        "showOnHubLoad": not track.base,
        "options": options,
        "metadata": {"model": track.model, "class": track.class_name, "kind": track.role},
        "details": {"description": track.long_label},
    }


def _boxes(track: CallTrack | MotifTrack, base: str) -> dict[str, Any]:
    return {
        "type": "bigbed",
        "name": _name(track),
        "url": base + track.file,
        "showOnHubLoad": True,
        "options": {"color": _color(track), "height": 50},
        "metadata": {
            "model": track.model,
            "class": track.class_name,
            "kind": "calls" if isinstance(track, CallTrack) else "motif hits",
        },
        "details": {"description": track.long_label},
    }


def _name(track: AnyTrack) -> str:
    return f"{track.model}: {track.display_name}"


def _color(track: AnyTrack) -> str:
    return "rgb({},{},{})".format(*track.color)
