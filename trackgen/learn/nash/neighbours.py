"""The nets that are one change away, and the draw of children from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trackgen.errors import UsageError
from trackgen.learn.architectures.layered import ConcatInput, Conv1d, Conv2d, Flatten, NetSpec, Relu
from trackgen.learn.nash.morphisms import KINDS, WEIGHTED, Change, change_spec, size_of

__all__ = ["Bounds", "draw_children", "possible"]

GROWTH = (1.5, 2.0)
"""A wider layer has so many times its filters or units."""
WIDTHS = (3, 5)
"""Of new convolutions."""
TRIES = 20
"""Draws for a child that is unlike its siblings, before two may be alike."""


@dataclass(frozen=True)
class Bounds:
    """How far a search may go.

    Attributes:
        weights: at most so many; None for no bound.
        multiplications: at most so many for a window; None for no bound.
        kinds: of changes that may be.

    Raises:
        UsageError: unknown kind of change.
    """

    weights: int | None = None
    multiplications: int | None = None
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        for kind in self.kinds:
            if kind not in KINDS:
                raise UsageError("unknown kind of change", found=kind, wanted=", ".join(KINDS))

    def hold(self, spec: NetSpec) -> bool:
        """Whether a net is within them."""
        pairs = ((self.weights, spec.parameters), (self.multiplications, spec.multiplications))
        return all(bound is None or value <= bound for bound, value in pairs)


def possible(spec: NetSpec, bounds: Bounds) -> list[Change]:
    """All changes of a net that are within bounds, in a fixed order."""
    changes = [change for at in range(len(spec.layers)) for change in _at(spec, at) if change.kind in bounds.kinds]
    return [change for change in changes if bounds.hold(change_spec(spec, change))]


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
    spec: NetSpec, number: int, changes: int, bounds: Bounds, random: np.random.Generator
) -> list[tuple[Change, ...]]:
    """`number` children, each so many changes of `spec` in turn, unlike each other where that can be.

    A kind is drawn among those possible, then one of its changes. Fewer changes, or none, where no more is possible.
    """
    children: list[tuple[Change, ...]] = []
    for _ in range(number):
        drawn = _draw(spec, changes, bounds, random)
        for _ in range(TRIES):
            if drawn not in children:
                break
            drawn = _draw(spec, changes, bounds, random)
        children.append(drawn)
    return children


def _draw(spec: NetSpec, changes: int, bounds: Bounds, random: np.random.Generator) -> tuple[Change, ...]:
    drawn: list[Change] = []
    for _ in range(changes):
        open_to = possible(spec, bounds)
        if not open_to:
            break
        there = sorted({change.kind for change in open_to})
        kind = there[random.integers(len(there))]
        among = [change for change in open_to if change.kind == kind]
        drawn.append(among[random.integers(len(among))])
        spec = change_spec(spec, drawn[-1])
    return tuple(drawn)
