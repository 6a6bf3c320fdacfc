"""The ways in which a model reads each window: forward, as its reverse complement, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, OutputSpec
from trackgen.genome.tiling import Grid

__all__ = ["Reading", "classes_as_read", "combine_strands", "forward_order", "readings_of"]

Float32 = NDArray[np.float32]


class Reading(NamedTuple):
    """One way of reading windows.

    Attributes:
        strand: of the track that it goes into; several readings of one strand are averaged.
        reverse: whether windows are read as their reverse complement.
        origin: first base of window 0.
    """

    strand: str | None
    reverse: bool
    origin: int


def readings_of(card: Card, grid: Grid) -> tuple[Reading, ...]:
    """The readings of a model, in the order in which they are run."""
    plus, minus = grid.plus_start(0), grid.minus_start(0)
    if card.strands == "both":
        return Reading("plus", False, plus), Reading("minus", True, minus)
    if card.strands == "average":
        return Reading(None, False, plus), Reading(None, True, plus)
    return (Reading(None, False, plus),)


def forward_order(output: OutputSpec, values: Float32) -> Float32:
    """Results of reverse-complemented windows with classes and positions as on the forward strand."""
    values = values[:, [output.partner(index) for index in range(len(output.classes))]]
    return values if output.resolution is None else values[:, :, ::-1]


def classes_as_read(card: Card, slots: Sequence[tuple[int, int]], *, reverse: bool) -> NDArray[np.int64]:
    """The class of the graph that each (output, class) is where windows are read so."""
    return np.array([card.outputs[output].partner(index) if reverse else index for output, index in slots], np.int64)


def combine_strands(readings: Sequence[Reading], values: Sequence[list[Float32]]) -> Mapping[str | None, list[Float32]]:
    """What each strand's track gets from the readings: itself, or the mean of two."""
    if len({reading.strand for reading in readings}) == len(readings):
        return {reading.strand: one for reading, one in zip(readings, values, strict=True)}
    # Halved first: the sum of two finite numbers may be none.
    pairs = zip(*values, strict=True)
    return {readings[0].strand: [there / np.float32(2) + back / np.float32(2) for there, back in pairs]}
