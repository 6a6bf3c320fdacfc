"""The nets that are one change away, and the draw of children from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from trackgen.errors import UsageError
from trackgen.learn.architectures.layered import ConcatInput, Conv1d, Conv2d, Flatten, NetSpec, Relu
from trackgen.learn.nash.morphisms import KINDS, WEIGHTED, Change, change_spec, size_of

__all__ = ["draw_children", "possible"]

GROWTH = (1.5, 2.0)
"""A wider layer has so many times its filters or units."""
WIDTHS = (3, 5)
"""Of new convolutions."""
TRIES = 20
"""Draws for a child that is unlike its siblings, before two may be alike."""


def possible(spec: NetSpec, largest: int, kinds: Sequence[str] = KINDS) -> list[Change]:
    """All changes of a net that leave it at most `largest` weights, in a fixed order."""
    changes = [change for at in range(len(spec.layers)) for change in _at(spec, at) if change.kind in kinds]
    return [change for change in changes if change_spec(spec, change).parameters <= largest]


def _at(spec: NetSpec, at: int) -> list[Change]:
    layer, shape = spec.layers[at], spec.shapes()[at]
    changes = []
    if isinstance(layer, WEIGHTED) and at < len(spec.layers) - 1:
        changes += [Change("wider", at, math.ceil(size_of(layer) * factor)) for factor in GROWTH]
    if isinstance(layer, Relu):
        changes += [Change("deeper", at, width) for width in (WIDTHS if len(shape) > 1 else (1,))]
    # not where the input is there already: unchanged, or joined once
    if isinstance(layer, Conv1d | Conv2d | Flatten) and _hidden(spec, at) and not _joined(spec, at):
        changes.append(Change("input", at))
    return changes


def _hidden(spec: NetSpec, at: int) -> bool:
    return any(isinstance(layer, WEIGHTED) for layer in spec.layers[:at])


def _joined(spec: NetSpec, at: int) -> bool:
    """Whether the input is joined to what the layer is given, as it is."""
    before = [layer for layer in spec.layers[:at] if isinstance(layer, (*WEIGHTED, ConcatInput))]
    return isinstance(before[-1], ConcatInput)


def draw_children(
    spec: NetSpec, number: int, changes: int, largest: int, random: np.random.Generator, kinds: Sequence[str] = KINDS
) -> list[tuple[Change, ...]]:
    """`number` children, each so many changes of `spec` in turn, unlike each other where that can be.

    A kind is drawn among those possible, then one of its changes. Fewer changes, or none, where no more is possible.

    Raises:
        UsageError: unknown kind of change.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise UsageError("unknown kind of change", found=kind, wanted=", ".join(KINDS))
    children: list[tuple[Change, ...]] = []
    for _ in range(number):
        drawn = _draw(spec, changes, largest, random, kinds)
        for _ in range(TRIES):
            if drawn not in children:
                break
            drawn = _draw(spec, changes, largest, random, kinds)
        children.append(drawn)
    return children


def _draw(
    spec: NetSpec, changes: int, largest: int, random: np.random.Generator, kinds: Sequence[str]
) -> tuple[Change, ...]:
    drawn: list[Change] = []
    for _ in range(changes):
        open_to = possible(spec, largest, kinds)
        if not open_to:
            break
        there = sorted({change.kind for change in open_to})
        kind = there[random.integers(len(there))]
        among = [change for change in open_to if change.kind == kind]
        drawn.append(among[random.integers(len(among))])
        spec = change_spec(spec, drawn[-1])
    return tuple(drawn)
