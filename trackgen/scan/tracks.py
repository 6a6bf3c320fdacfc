"""Which BigWigs a scan writes: predictions, and contributions to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from trackgen.card import Card
from trackgen.genome.tiling import Grid

__all__ = [
    "BASES",
    "EVERY_BASE",
    "TrackPlan",
    "ValuesKey",
    "base_of",
    "contribution_tracks",
    "explained_inputs",
    "strands_of",
    "track_file",
]

EVERY_BASE = Grid(window=1, bin=1, stride=1)
"""Where contributions stand: an item is a base."""
BASES = "ACGT"
HYPOTHETICAL = "hypothetical "
"""Before a base it names what that base would contribute, among the names of inputs, none of which has a blank."""


class ValuesKey(NamedTuple):
    """Which array of a tile's values a track is a column of.

    Attributes:
        output: index of the output; None for contributions.
        strand: ``plus``, ``minus``, or None.
        input: the signal whose contributions it holds; None for the sequence, and for predictions; of a hypothetical
            base, what `base_of` knows.
    """

    output: int | None
    strand: str | None
    input: str | None = None


def explained_inputs(card: Card, *, hypothetical: bool = False) -> tuple[str | None, ...]:
    """What has contribution tracks: None for the sequence, each signal by its name, then each hypothetical base."""
    kinds = [entry.kind for entry in card.inputs]
    sequence: tuple[str | None, ...] = (None,) if "sequence" in kinds else ()
    bases = [HYPOTHETICAL + base for base in BASES] if hypothetical else []
    return (*sequence, *(entry.name for entry in card.inputs if entry.kind == "signal"), *bases)


def base_of(name: str | None) -> str | None:
    """The base whose hypothetical contributions go by this name among `explained_inputs`; None for other names."""
    return name.removeprefix(HYPOTHETICAL) if name is not None and name.startswith(HYPOTHETICAL) else None


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
    """... of this signal; None for the sequence..."""
    base: str | None = None
    """... or of this base of the forward strand, wherever another stands."""

    @property
    def key(self) -> ValuesKey:
        """The array of a tile's values that holds it..."""
        explained = self.input if self.base is None else HYPOTHETICAL + self.base
        return ValuesKey(self.output if self.slot is None else None, self.strand, explained)

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


def contribution_tracks(
    card: Card, classes: Sequence[tuple[int, int]], rounding: int | str | None, *, hypothetical: bool = False
) -> list[TrackPlan]:
    """The tracks of the contributions to some classes.

    Args:
        classes: (output, class) of each slot.
        hypothetical: also those of each base wherever another stands.
    """
    tracks = []
    inputs = explained_inputs(card, hypothetical=hypothetical)
    for slot, (output, class_index) in enumerate(classes):
        name = card.outputs[output].classes[class_index].name
        for strand in strands_of(card):
            for entry in inputs:
                base = base_of(entry)
                kind = (entry, "contrib") if base is None else (base, "hypothetical")
                file = track_file(card, name, strand, *kind)
                plain = TrackPlan(file, output, class_index, strand, EVERY_BASE, rounding, None, slot=slot)
                tracks.append(replace(plain, input=entry) if base is None else replace(plain, base=base))
    return tracks
