"""Which BigWigs a scan writes: predictions, and contributions to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trackgen.card import Card
from trackgen.genome.tiling import Grid

__all__ = [
    "EVERY_BASE",
    "TrackPlan",
    "ValuesKey",
    "contribution_tracks",
    "explained_inputs",
    "strands_of",
    "track_file",
]

EVERY_BASE = Grid(window=1, bin=1, stride=1)
"""Where contributions stand: an item is a base."""


class ValuesKey(NamedTuple):
    """Which array of a tile's values a track is a column of.

    Attributes:
        output: index of the output; None for contributions.
        strand: ``plus``, ``minus``, or None.
        input: the signal whose contributions it holds; None for the sequence, and for predictions.
    """

    output: int | None
    strand: str | None
    input: str | None = None


def explained_inputs(card: Card) -> tuple[str | None, ...]:
    """What has contribution tracks: None for the sequence, then each signal by its name."""
    kinds = [entry.kind for entry in card.inputs]
    sequence: tuple[str | None, ...] = (None,) if "sequence" in kinds else ()
    return (*sequence, *(entry.name for entry in card.inputs if entry.kind == "signal"))


@dataclass(frozen=True)
class TrackPlan:
    """One BigWig: one class of one output on one strand. Indices count in the card's order."""

    file: str
    output: int
    class_index: int
    strand: str | None
    """``plus``, ``minus``, or None for the strands ``forward`` and ``average``."""
    grid: Grid
    rounding: int | str | None
    min_value: float | None = None
    """Smaller values are left out; None for none."""
    slot: int | None = None
    """None for a prediction; else which of the model's explained classes it holds the contributions to..."""
    input: str | None = None
    """... of this signal; None for the sequence."""

    @property
    def key(self) -> ValuesKey:
        """The array of a tile's values that holds it..."""
        return ValuesKey(self.output if self.slot is None else None, self.strand, self.input)

    @property
    def column(self) -> int:
        """... and the column there."""
        return self.class_index if self.slot is None else self.slot


def strands_of(card: Card) -> tuple[str | None, ...]:
    """The strands that have tracks of their own."""
    return ("plus", "minus") if card.strands == "both" else (None,)


def track_file(card: Card, name: str, strand: str | None, *more: str | None) -> str:
    """The file name of a track of class `name`."""
    return ".".join(part for part in (card.name, name, strand, *more, "bw") if part)


def contribution_tracks(card: Card, classes: Sequence[tuple[int, int]], rounding: int | str | None) -> list[TrackPlan]:
    """The tracks of the contributions to some classes.

    Args:
        classes: (output, class) of each slot.
    """
    tracks = []
    inputs = explained_inputs(card)
    for slot, (output, class_index) in enumerate(classes):
        name = card.outputs[output].classes[class_index].name
        for strand in strands_of(card):
            for entry in inputs:
                file = track_file(card, name, strand, entry, "contrib")
                tracks.append(
                    TrackPlan(file, output, class_index, strand, EVERY_BASE, rounding, None, slot=slot, input=entry)
                )
    return tracks
