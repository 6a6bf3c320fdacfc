"""What a live server, or a page with models in it, says of a model: an entry of the protocol's description."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from trackgen.card import Card, ClassSpec, OutputSpec
from trackgen.card.colors import PALETTE
from trackgen.scan.tracks import strands_of

__all__ = ["STRANDS", "describe_model"]

WHOLE_AXIS, THRESHOLDS_IN_AXIS = 0.5, 4.0
"""As in hubs: a call stands at a quarter of the axis, unless that were most of it."""
STRANDS = {"plus": "+", "minus": "-", None: "."}


def describe_model(card: Card, mode: str, *, explained: Collection[str], note: str = "") -> dict[str, Any]:
    """The model as the description has it, JSON-ready.

    Args:
        mode: ``dense`` or ``window``.
        explained: the classes that contributions can be told of.
        note: for people; may be empty.
    """
    shown = [(output, entry) for output in card.outputs for entry in output.classes if entry.track]
    tracks = [(output, entry, strand) for output, entry in shown for strand in strands_of(card)]
    return {
        "name": card.name,
        "title": card.title,
        "mode": mode,
        "window": card.window,
        "bin": card.bin,
        "stride": card.stride,
        "strands": card.strands,
        "note": note,
        "classes": [_class(output, entry, place) for place, (output, entry) in enumerate(shown)],
        "tracks": [
            {**_track(entry, strand), "resolution": output.resolution or card.stride}
            for output, entry, strand in tracks
        ],
        "contributions": [_track(entry, strand, "contrib") for _, entry, strand in tracks if entry.name in explained],
    }


def _class(output: OutputSpec, entry: ClassSpec, place: int) -> dict[str, Any]:
    axis = None
    if output.role == "probability":
        axis = THRESHOLDS_IN_AXIS * (entry.threshold or 1)
        axis = 1.0 if axis >= WHOLE_AXIS else float(f"{axis:.1g}")
    return {
        "name": entry.name,
        "label": entry.title,
        "color": entry.color or ",".join(map(str, PALETTE[place % len(PALETTE)])),
        "role": output.role,
        "unit": output.unit,
        "threshold": entry.threshold,
        "max": axis,
    }


def _track(entry: ClassSpec, strand: str | None, kind: str = "") -> dict[str, Any]:
    """Its name, as that of the file that a scan writes."""
    name = ".".join(part for part in (entry.name, strand, kind) if part)
    return {"name": name, "class": entry.name, "strand": STRANDS[strand]}
