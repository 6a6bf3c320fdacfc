"""Concat, Expand and Tile.

Algebra. Channels of tensors with the same positions stand one behind the other on the tile as in the window. Where
branches of different kinds meet (a flattened convolution, a pooled signal, a vector), no single tile tensor can hold
them: they are kept apart as `Joined`, for a dense layer to give each its rows of the weights.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from trackgen.graph.dense.layout import Atom, Joined, Value, channel
from trackgen.graph.dense.lowering import Lowering, Tensor
from trackgen.graph.nodes import Node

__all__ = ["RULES"]


def concat(lowering: Lowering, node: Node) -> Tensor:
    operands = [lowering.operand(node, index) for index in range(len(node.inputs))]
    tensors = [entry for entry in operands if isinstance(entry, Value | Joined)]
    axis = int(node.attributes["axis"]) % tensors[0].rank
    parts: list[Value] = []
    for entry in operands:
        if isinstance(entry, np.ndarray):
            entry = _constant_value(lowering, entry)
        if isinstance(entry, Joined):
            if entry.axis != axis:
                raise node.refuse("it joins branches along another axis than before")
            parts.extend(entry.parts)
        elif entry is not None:
            parts.append(entry)
    roles = {atom.role for part in parts for atom in part.dims[axis]}
    if "batch" in roles:
        raise node.refuse("it joins windows of a batch")
    if "position" in roles or any(part.pending for part in parts):
        return _kept_apart(node, parts, axis)
    return _side_by_side(lowering, node, parts, axis)


def _constant_value(lowering: Lowering, constant: np.ndarray) -> Value:
    """A constant as a value that is the same for all windows; it must be one window's."""
    dims = tuple(channel(size) for size in constant.shape)
    stored = tuple(atom for axis in dims for atom in axis)
    name = lowering.build.constant(constant.astype(np.float32).reshape(1, -1, 1, 1))
    return Value(name, ((lowering.batch,), *dims[1:]), stored[len(dims[0]) :], spread=True)


def _kept_apart(node: Node, parts: list[Value], axis: int) -> Joined:
    for part in parts:
        outside = [atom for number, dim in enumerate(part.dims) if number != axis for atom in dim]
        if any(atom.role != "batch" for atom in outside):
            raise node.refuse("it joins positions of branches that also have channels of their own")
    return Joined(tuple(parts), axis)


def _side_by_side(lowering: Lowering, node: Node, parts: list[Value], axis: int) -> Value:
    """Channels of all parts in one tensor."""
    parts = lowering.in_step(node, parts)
    like = next((part for part in parts if not part.spread), parts[0])
    parts = [part if like.spread else lowering.spread_over(part, like) for part in parts]
    ordered = []
    for part in parts:
        inner = part.channel_atoms(axis)
        others = [atom for number, dim in enumerate(part.dims) if number != axis for atom in dim]
        outside = [atom for atom in others if atom.role == "channel"]
        ordered.append(lowering.arrange(part, (*inner, *outside)))
    first = ordered[parts.index(like)]
    rests = {part.channels // part.shape[axis] for part in ordered}
    if len(rests) > 1:
        raise node.refuse("it joins tensors of different shapes")
    atoms = channel(sum(part.shape[axis] for part in ordered))
    name = lowering.build.emit("Concat", [part.name for part in ordered], axis=1)
    outer = tuple(atom for atom in first.stored if atom not in first.dims[axis])
    dims = tuple(atoms if number == axis else dim for number, dim in enumerate(first.dims))
    return replace(first, name=name, dims=dims, stored=(*atoms, *outer))


def expand(lowering: Lowering, node: Node) -> Tensor:
    """Repetition along axes of size 1: what broadcasting does."""
    value = lowering.value(node, 0)
    shape = lowering.graph.shapes.get(node.outputs[0])
    if shape is None:
        raise node.refuse("its shape depends on the data")
    if math.prod(shape) == math.prod(value.shape) and len(shape) == value.rank:
        return value
    if len(shape) != value.rank:
        raise node.refuse("it adds axes")
    for axis, size in enumerate(shape):
        if value.shape[axis] == size:
            continue
        value = _expanded_axis(lowering, value, axis, size)
    return value


def _expanded_axis(lowering: Lowering, value: Value, axis: int, size: int) -> Value:
    """One axis of size 1 repeated: as positions where a vector is spread over as many as other tensors have."""
    placed = [other.positions for other in lowering.values.values() if isinstance(other, Value)]
    lengths = {positions.length for positions in placed if positions is not None}
    if value.spread and size in lengths and axis == value.rank - 1:
        atoms = (Atom(size, "position"),)
        return replace(value, dims=tuple(atoms if number == axis else dim for number, dim in enumerate(value.dims)))
    return lowering.replicate(value, axis, size)


def tile(lowering: Lowering, node: Node) -> Tensor:
    """Repetition of whole axes: as Expand has it where an axis is of size 1, of channels one block after the other."""
    value, repeats = lowering.value(node, 0), lowering.constant(node, 1)
    if repeats is None or len(repeats) != value.rank:
        raise node.refuse("its repeats depend on the data")
    for axis, times in enumerate(int(times) for times in repeats):
        if times == 1:
            continue
        if value.shape[axis] == 1:
            value = _expanded_axis(lowering, value, axis, times)
        elif times < 1 or any(atom.role != "channel" for atom in value.dims[axis]):
            raise node.refuse("it repeats positions or windows")
        else:
            value = _channels_repeated(lowering, value, axis, times)
    return value


def _channels_repeated(lowering: Lowering, value: Value, axis: int, times: int) -> Value:
    value = lowering.arrange_as_written(value, axis)
    inner = value.shape[axis]
    indices = np.tile(np.arange(value.channels).reshape(-1, inner), (1, times)).ravel()
    atoms = channel(inner * times)
    dims = tuple(atoms if number == axis else dim for number, dim in enumerate(value.dims))
    stored = (*(atom for atom in value.stored if atom not in value.dims[axis]), *atoms)
    return replace(value, name=lowering.build.pick_channels(value.name, indices), dims=dims, stored=stored)


RULES = {"Concat": concat, "Expand": expand, "Tile": tile}
