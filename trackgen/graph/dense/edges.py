"""Padded windows: their inside is shared, their edges are run window by window.

Algebra. Padding within a window ("same" convolutions) reaches as many elements at its ends as kernels carry it; all
others depend on the genome alone and lie on the tile as ever. What sums up a window (a dense layer on flattened
positions, a maximum, a mean) falls into three parts::

    elements        0 .. first | first .. stop | stop .. length
    computed from   the window's  the tile        the window's
                    first bases                   last bases

The outer parts come from the same layers run on just those bases that their elements see, cut out of the tile for each
window, (W, C, 1, elements), with the padding at the outer end and none at the inner. They cost as much as windows of
twice their length, so that this pays where few layers pad, and windows lie close.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trackgen.graph.dense.layout import Atom, Positions, Value
from trackgen.graph.dense.lowering import Edge, Lowering, Tensor
from trackgen.graph.nodes import Node
from trackgen.graph.refusals import NotDense

__all__ = ["Part", "parts_of"]

Side = Literal["front", "back"]


@dataclass(frozen=True)
class Part:
    """Some of a window's elements.

    Attributes:
        value: their tensor: on the tile, or where ``value.positions.apart``, window by window.
        elements: which of the window they are.
    """

    value: Value
    elements: slice


def parts_of(lowering: Lowering, node: Node, value: Value) -> list[Part]:
    """The elements of a value that `node` is about to sum up: those on the tile, then those at the windows' ends.

    Raises:
        NotDense: padding reaches the node, and its edges can't be run by themselves.
    """
    here = value.positions
    if here is None:
        raise node.refuse("it sums up an axis that holds no positions")
    if here.whole and not here.apart:
        return [Part(value, slice(0, here.length))]
    if here.apart or not value.source:
        raise lowering.blame(node)
    count = here.stop - here.first
    inside = replace(here, length=count, first=0, stop=count)
    parts = [Part(replace(value, positions=inside), slice(here.first, here.stop))]
    if here.first:
        border = here.begin + (here.first - 1) * here.spacing + here.reach
        parts.append(_edge_of(lowering, node, value, "front", (border, border + here.spacing)))
    if here.stop < here.length:
        border = here.begin + here.stop * here.spacing
        parts.append(_edge_of(lowering, node, value, "back", (border, border - here.spacing)))
    return parts


def _edge_of(lowering: Lowering, node: Node, value: Value, side: Side, borders: tuple[int, int]) -> Part:
    """An end of the windows from just its bases; with those of one more element where it is nothing but padding."""
    (just, more), source = borders, lowering.build.source
    try:
        return _edge(lowering, node, value, side, just)
    except NotDense:
        return _edge(lowering, node, value, side, more)
    finally:
        lowering.build.source = source


def _edge(lowering: Lowering, node: Node, value: Value, side: Side, border: int) -> Part:
    """The elements at one end of the windows, from the bases before (after) `border` of each."""
    here = value.positions
    assert here is not None
    elements = slice(0, here.first) if side == "front" else slice(here.stop, here.length)
    key = (value.source, side, border)
    if key not in lowering.replayed:
        lowering.replayed[key] = _replay(lowering, node, value.source, side, border)
    inner = lowering.replayed[key]
    part = Part(_trimmed(inner, node, value, elements), elements)
    widest = max(_floats(entry) for entry in inner.values.values() if isinstance(entry, Value))
    bases = max(_bases(inner.values[name]) for name in inner.values.keys() & lowering.inputs.keys())
    lowering.edges[value.source, side] = Edge((lowering.padding or node).name, side, bases, widest)
    return part


def _replay(lowering: Lowering, node: Node, source: str, side: Side, border: int) -> Lowering:
    """All layers up to the tensor `source`, on one end of the windows."""
    inner = copy.copy(lowering)
    inner.values = {}
    needed = _ancestors(lowering, source)
    for name in sorted(needed & lowering.inputs.keys()):
        given = lowering.inputs[name]
        inner.values[name] = given if given.spread else _cut_out(lowering, node, given, side, border)
    for step in lowering.graph.nodes:
        if needed.intersection(step.outputs):
            lowering.build.source = step.name
            found = lowering.rules[step.op](inner, step)
            results = found if isinstance(found, Sequence) else [found]
            inner.values.update(zip([name for name in step.outputs if name], results, strict=False))
    return inner


def _bases(tensor: Tensor) -> int:
    """That an input takes of each window."""
    here = tensor.positions if isinstance(tensor, Value) else None
    return (here.stop - here.first) * here.spacing if here else 0


def _floats(value: Value) -> int:
    here = value.positions
    return value.channels * (here.stop - here.first if here else 1)


def _ancestors(lowering: Lowering, source: str) -> set[str]:
    """All tensors that `source` is computed from, itself included."""
    needed = {source}
    for node in reversed(lowering.graph.nodes):
        if needed.intersection(node.outputs):
            needed.update(name for name in node.inputs if name)
    return needed


def _cut_out(lowering: Lowering, node: Node, given: Value, side: Side, border: int) -> Value:
    """An end of each window of an input, (W, C, 1, elements): unit kernels lay its elements side by side."""
    here, build = given.positions, lowering.build
    if here is None:
        raise lowering.blame(node)
    begin, stop = (0, -(-border // here.spacing)) if side == "front" else (border // here.spacing, here.length)
    # One element at least: where padding is wider than the kernel, outer elements see nothing else.
    begin, stop = min(max(0, begin), here.length - 1), max(1, min(here.length, stop))
    count = stop - begin
    reading = here.read(lowering.stride, count, 1, 1, -begin, 1)
    if reading is None:
        raise lowering.blame(node)
    units = np.tile(np.eye(count, dtype=np.float32)[:, None, :], (given.channels, 1, 1))
    name = build.convolve(
        build.crop(given.name, reading.skip),
        units,
        None,
        groups=given.channels,
        dilation=reading.dilation,
        stride=reading.stride,
        apart=True,
    )
    name = build.reshape(build.crop(name, 0, reading.surplus), [given.channels, count, -1])
    name = build.emit("Transpose", [name], perm=[2, 0, 1])
    name = build.emit("Unsqueeze", [name, build.constant(np.array([2], np.int64))])
    positions = Positions(here.length, here.spacing, here.reach, begin, stop, apart=True)
    return replace(given, name=name, positions=positions)


def _trimmed(inner: Lowering, node: Node, value: Value, elements: slice) -> Value:
    """What came out, cut to `elements`, its channels in the order of `value`."""
    found = inner.values[value.source]
    here = found.positions if isinstance(found, Value) else None
    if not isinstance(found, Value) or here is None or not here.apart:
        raise inner.blame(node)
    if here.first > elements.start or here.stop < elements.stop:
        raise inner.blame(node)
    found = inner.cut_to(found, replace(here, first=elements.start, stop=elements.stop))
    partner: dict[int, Atom] = {}
    for axis, own in zip(value.dims, found.dims, strict=True):
        if [atom.size for atom in axis] != [atom.size for atom in own]:
            raise inner.blame(node)
        partner.update({id(theirs): ours for theirs, ours in zip(axis, own, strict=True)})
    assert math.prod(atom.size for atom in value.stored) == found.channels
    return inner.arrange(found, [partner[id(atom)] for atom in value.stored])
