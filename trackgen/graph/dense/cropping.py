"""Parts of an axis: crops of positions, picks of channels, padding.

Algebra. Elements [a, b) of a window's positions are tile points a*S/g on; every t-th of them is a grid of spacing S*t,
as for a kernel of one element. A single element ends the positions: every s/g-th point is a window's. Padding moves
where a window's elements are counted from, and what it adds does not exist; where a later crop takes it off again, as
published BPNet programs do, nothing is lost.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trackgen.errors import ModelError
from trackgen.graph.dense.layout import Atom, Value, channel
from trackgen.graph.dense.lowering import Lowering
from trackgen.graph.nodes import Array, Node

__all__ = ["RULES"]


def slice_(lowering: Lowering, node: Node) -> Value:
    value = lowering.value(node, 0)
    starts, ends = _integers(lowering, node, 1), _integers(lowering, node, 2)
    axes = _integers(lowering, node, 3) or list(range(len(starts)))
    steps = _integers(lowering, node, 4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis %= value.rank
        indices = range(value.shape[axis])[slice(start, end, step)]
        value = _pick(lowering, node, value, axis, indices)
    return value


def gather(lowering: Lowering, node: Node) -> Value:
    value, indices = lowering.value(node, 0), lowering.constant(node, 1)
    axis = int(node.attributes.get("axis", 0)) % value.rank
    if indices is None or indices.ndim > 1:
        raise node.refuse("it picks elements into axes of their own (a 2-D reshape)")
    size = value.shape[axis]
    if (indices < -size).any() or (indices >= size).any():
        raise ModelError(
            "the graph lies about its shapes",
            place=f"node {node.name} (Gather)",
            found=f"index {int(indices.reshape(-1)[np.abs(indices).argmax()])}",
            wanted=f"one of an axis of {size} elements",
            remedy="export the model again",
        )
    picked = _pick(lowering, node, value, axis, [int(index) % size for index in indices.reshape(-1)])
    if indices.ndim:
        return picked
    return replace(picked, dims=tuple(dim for number, dim in enumerate(picked.dims) if number != axis))


def split(lowering: Lowering, node: Node) -> list[Value]:
    value = lowering.value(node, 0)
    axis = int(node.attributes.get("axis", 0)) % value.rank
    sizes = _integers(lowering, node, 1)
    if not sizes:
        whole, count = value.shape[axis], len(node.outputs)
        each = -(-whole // count)
        sizes = [min(each, whole - number * each) for number in range(count)]
    borders = np.cumsum([0, *sizes])
    return [
        _pick(lowering, node, value, axis, range(int(begin), int(end))) for begin, end in itertools.pairwise(borders)
    ]


def pad(lowering: Lowering, node: Node) -> Value:
    value = lowering.value(node, 0)
    pads = _integers(lowering, node, 1)
    axes = _integers(lowering, node, 3) or list(range(value.rank))
    for number, axis in enumerate(axes):
        before, after = pads[number], pads[number + len(axes)]
        if before or after:
            value = _padded(lowering, node, value, axis % value.rank, before, after)
    return value


def _padded(lowering: Lowering, node: Node, value: Value, axis: int, before: int, after: int) -> Value:
    here = value.positions
    if here is None or value.axis_of("position") != axis or len(value.dims[axis]) != 1:
        raise node.refuse("it pads an axis that is not the positions'")
    lowering.padding = lowering.padding or (node if before > 0 or after > 0 else None)
    length = here.length + before + after
    if here.apart:
        return _padded_apart(lowering, node, value, before, after)
    first, stop = max(0, here.first + before), min(length, here.stop + before)
    if stop <= first:
        raise lowering.blame(node)
    ratio = here.spacing // here.step(lowering.stride)
    skip, drop = first - before - here.first, here.stop - (stop - before)
    positions = replace(here, length=length, first=first, stop=stop, begin=here.begin - before * here.spacing)
    cropped = lowering.cut(value, skip * ratio, drop * ratio)
    return replace(cropped, dims=_with_length(value, length), positions=positions)


def _padded_apart(lowering: Lowering, node: Node, value: Value, before: int, after: int) -> Value:
    """Windows by themselves are really padded, at that end of theirs that exists."""
    here, filling = value.positions, lowering.constant(node, 2)
    if here is None or before < 0 or after < 0 or node.attributes.get("mode", "constant") != "constant":
        raise lowering.blame(node)
    front, back = (before if here.first == 0 else 0), (after if here.stop == here.length else 0)
    length = here.length + before + after
    first, stop = here.first + before - front, here.stop + before + back
    positions = replace(here, length=length, first=first, stop=stop, begin=here.begin - before * here.spacing)
    pads = lowering.build.constant(np.array([0, 0, 0, front, 0, 0, 0, back], np.int64))
    inputs = [value.name, pads]
    if filling is not None and filling.size:
        inputs.append(lowering.build.constant(filling.astype(np.float32).reshape(())))
    return replace(
        value,
        name=lowering.build.emit("Pad", inputs, mode="constant"),
        dims=_with_length(value, length),
        positions=positions,
    )


def _pick(lowering: Lowering, node: Node, value: Value, axis: int, indices: Sequence[int]) -> Value:
    """Elements `indices` of an axis."""
    if list(indices) == list(range(value.shape[axis])):
        return value
    if not len(indices):
        raise node.refuse("it leaves nothing")
    roles = {atom.role for atom in value.dims[axis]}
    if roles == {"channel"}:
        return _pick_channels(lowering, value, axis, np.asarray(indices))
    if roles == {"position"}:
        return _pick_positions(lowering, node, value, indices)
    if "batch" in roles:
        raise node.refuse("it picks windows of a batch")
    if not roles:
        return lowering.replicate(value, axis, len(indices))
    raise node.refuse("it picks elements of an axis made of channels and positions")


def _pick_channels(lowering: Lowering, value: Value, axis: int, indices: Array) -> Value:
    value = lowering.arrange_as_written(value, axis)
    inner = value.shape[axis]
    outer = value.channels // inner
    picked = (np.arange(outer)[:, None] * inner + indices).ravel()
    atoms = channel(len(indices))
    dims = tuple(atoms if number == axis else dim for number, dim in enumerate(value.dims))
    stored = tuple(atom for atom in value.stored if atom not in value.dims[axis]) + atoms
    return replace(value, name=lowering.build.pick_channels(value.name, picked), dims=dims, stored=stored)


def _pick_positions(lowering: Lowering, node: Node, value: Value, indices: Sequence[int]) -> Value:
    here = value.positions
    if here is None:  # a spread value is the same at all of them
        return replace(value, dims=_with_length(value, len(indices)))
    steps = {int(step) for step in np.diff(indices)} or {1}
    if len(steps) > 1 or min(steps) < 1:
        flipped = steps == {-1}
        raise node.refuse("it flips the positions of a window" if flipped else "it reorders the positions of a window")
    # Elements a, a + t, ... are what a kernel of one element reads after a crop: a negative padding of a.
    (step,), length = steps, len(indices)
    reading = here.read(lowering.stride, 1, step, 1, -indices[0], length)
    if reading is None:
        raise lowering.blame(node)
    surplus = reading.surplus
    stride = reading.stride
    if reading.result is None:
        name = lowering.build.crop(value.name, reading.skip, 0, stride)
        return lowering.collapsed(replace(value, name=name), surplus)
    if stride == 1:  # a plain crop: take off the end too, so that nothing superfluous is computed
        name = lowering.build.crop(value.name, reading.skip, reading.drop + surplus)
        positions = replace(reading.result, surplus=0)
    else:
        name, positions = lowering.build.crop(value.name, reading.skip, reading.drop, stride), reading.result
    return replace(value, name=name, dims=_with_length(value, length), positions=positions)


def _with_length(value: Value, length: int) -> tuple[tuple[Atom, ...], ...]:
    """The dims with a position atom of another length."""
    position = value.atom("position")
    atoms = () if length == 1 else (Atom(length, "position"),)
    return tuple(tuple(new for old in axis for new in (atoms if old is position else (old,))) for axis in value.dims)


def _integers(lowering: Lowering, node: Node, index: int) -> list[int]:
    """A constant input that is a list of whole numbers; empty where it is left out."""
    found = lowering.constant(node, index)
    return [] if found is None else [int(number) for number in found.reshape(-1)]


RULES = {"Slice": slice_, "Gather": gather, "Split": split, "Pad": pad}
