"""Operators that only move elements, and sums: what reaches the result goes back to where it came from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trackgen.graph.deeplift.spelling import reduction_axes
from trackgen.graph.deeplift.tape import Rule, Tape
from trackgen.graph.nodes import Array, Node

__all__ = ["RULES"]

Parts = Iterator[tuple[str, str]]
Indices = NDArray[np.int64]
FROM_END = 1 << 30
"""Bounds of a slice from here on mean the end."""


def passed_on(tape: Tape, node: Node, part: str) -> Parts:
    """Identity, and casts between floats."""
    if tape.is_float(node.inputs[0]):
        yield node.inputs[0], part


def reshaped(tape: Tape, node: Node, part: str) -> Parts:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    shape = tape.shape(node.inputs[0])
    if sum(size is None for size in shape) > 1:
        raise tape.refuse(node, "it mixes windows of a batch")
    yield node.inputs[0], tape.reshape(part, shape)


def transposed(tape: Tape, node: Node, part: str) -> Parts:
    order = node.integers("perm", range(tape.rank(node.inputs[0]))[::-1])
    yield node.inputs[0], tape.build.emit("Transpose", [part], perm=[int(axis) for axis in np.argsort(order)])


def concat(tape: Tape, node: Node, part: str) -> Parts:
    axis = int(node.attributes["axis"]) % tape.rank(node.outputs[0])
    low = 0
    for name in node.inputs:
        size = tape.shape(name)[axis]
        if size is None:
            raise tape.refuse(node, "it joins windows of a batch")
        if tape.wants(name):
            bounds = [tape.number(value) for value in (low, low + size, axis)]
            yield name, tape.build.emit("Slice", [part, *bounds])
        low += size


def slice_(tape: Tape, node: Node, part: str) -> Parts:
    name = node.inputs[0]
    bounds = [tape.constant(entry) if entry else None for entry in node.inputs[1:]]
    if any(entry is None for entry, given in zip(bounds, node.inputs[1:], strict=True) if given):
        raise tape.refuse(node, "its bounds depend on the data")
    starts, ends, axes, steps = [*bounds, None, None][:4]
    assert starts is not None
    assert ends is not None
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), np.int64) if steps is None else steps
    for number, axis in enumerate(int(axis) % tape.rank(name) for axis in axes):
        size, made = tape.shape(name)[axis], tape.shape(node.outputs[0])[axis]
        start, end, step = int(starts[number]), int(ends[number]), int(steps[number])
        if size is not None:
            end_or_none = None if step < 0 and end < -size else end
            indices = np.arange(size, dtype=np.int64)[start:end_or_none:step]
            part = _put_back(tape, part, tape.rank(name), axis, indices, size)
        elif start < 0 or step < 0:
            raise tape.refuse(node, "it turns an axis round whose length is not known")
        else:
            part = tape.spread(part, tape.rank(name), axis, step)
            part = tape.fit(part, name, axis, start, made)
    yield name, part


def _put_back(tape: Tape, part: str, rank: int, axis: int, indices: Indices, size: int) -> str:
    """The transposed operation of taking `indices` along an axis: what reaches an element twice is added."""
    contiguous = len(indices) > 0 and bool((np.diff(indices) == 1).all())
    if contiguous:
        pads = [0] * (2 * rank)
        pads[axis], pads[rank + axis] = int(indices[0]), size - 1 - int(indices[-1])
        return tape.build.emit("Pad", [part, tape.number(*pads)]) if any(pads) else part
    pads = [0] * (2 * rank)
    pads[rank + axis] = 1
    padded = tape.build.emit("Pad", [part, tape.number(*pads)])
    order = np.argsort(indices, kind="stable")
    counts = np.bincount(indices, minlength=size)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    picked = []
    for turn in range(max(1, int(counts.max(initial=0)))):
        sources = np.full(size, len(indices), np.int64)
        there = counts > turn
        sources[there] = order[first[there] + turn]
        picked.append(tape.build.emit("Gather", [padded, tape.build.constant(sources)], axis=axis))
    return tape.sum(picked)


def gather(tape: Tape, node: Node, part: str) -> Parts:
    name, indices = node.inputs[0], tape.constant(node.inputs[1])
    axis = int(node.attributes.get("axis", 0)) % tape.rank(name)
    size = tape.shape(name)[axis]
    if indices is None or size is None or indices.ndim > 1:
        raise tape.refuse(node, "what it takes depends on the data")
    if indices.ndim == 0:
        part = tape.build.emit("Unsqueeze", [part, tape.number(axis)])
    yield name, _put_back(tape, part, tape.rank(name), axis, indices.reshape(-1).astype(np.int64) % size, size)


def pad(tape: Tape, node: Node, part: str) -> Parts:
    """Constants around a tensor are left out; borders that repeat its elements add to them."""
    name, pads = node.inputs[0], tape.constant(node.inputs[1])
    if pads is None:
        raise tape.refuse(node, "its padding depends on the data")
    rank = tape.rank(name)
    given = node.inputs[3] if len(node.inputs) > 3 and node.inputs[3] else None
    listed = tape.constant(given) if given else None
    axes = range(rank) if listed is None else [int(axis) % rank for axis in listed]
    mode = node.attributes.get("mode", "constant")
    for number, axis in enumerate(axes):
        before, behind = int(pads[number]), int(pads[number + len(pads) // 2])
        size = tape.shape(name)[axis]
        if not before and not behind:
            continue
        if mode != "constant":
            if size is None:
                raise tape.refuse(node, "it repeats elements of an axis whose length is not known")
            indices = np.pad(np.arange(size), (before, behind), mode=mode)
            part = _put_back(tape, part, rank, axis, indices.astype(np.int64), size)
            continue
        if before < 0 or behind < 0:
            made = tape.shape(node.outputs[0])[axis]
            part = tape.fit(part, name, axis, -before, made)
            continue
        bounds = [tape.number(value) for value in (before, -behind if behind else FROM_END, axis)]
        part = tape.build.emit("Slice", [part, *bounds])
    yield name, part


def running_sum(tape: Tape, node: Node, part: str) -> Parts:
    """Sums from the other end."""
    attributes = {key: int(node.attributes.get(key, 0)) for key in ("exclusive", "reverse")}
    attributes["reverse"] = 1 - attributes["reverse"]
    yield node.inputs[0], tape.build.emit("CumSum", [part, tape.value(node.inputs[1])], **attributes)


def expand(tape: Tape, node: Node, part: str) -> Parts:
    yield node.inputs[0], tape.to_shape_of(part, tape.shape(node.outputs[0]), node.inputs[0])


def tile(tape: Tape, node: Node, part: str) -> Parts:
    name, repeats = node.inputs[0], tape.constant(node.inputs[1])
    if repeats is None:
        raise tape.refuse(node, "its repeats depend on the data")
    shape = tape.shape(name)
    for axis, times in enumerate(int(times) for times in repeats):
        if times == 1:
            continue
        size = shape[axis]
        if size is None:
            raise tape.refuse(node, "it repeats windows of a batch")
        made: list[int | None] = [*shape[:axis], times, size, *tape.shape(node.outputs[0])[axis + 1 :]]
        part = tape.reduce_sum(tape.reshape(part, tuple(made)), [axis], keep=False)
    yield name, part


def add(tape: Tape, node: Node, part: str) -> Parts:
    made = tape.shape(node.outputs[0])
    for number, name in enumerate(node.inputs):
        if tape.wants(name):
            own = tape.build.emit("Neg", [part]) if node.op == "Sub" and number else part
            yield name, tape.to_shape_of(own, made, name)


def negative(tape: Tape, node: Node, part: str) -> Parts:
    yield node.inputs[0], tape.build.emit("Neg", [part])


def reduced(tape: Tape, node: Node, part: str) -> Parts:
    """Sums and means over axes."""
    name = node.inputs[0]
    shape = tape.shape(name)
    axes = reduction_axes(node, len(shape), tape.constant)
    if any(shape[axis] is None for axis in axes):
        raise tape.refuse(node, "it mixes windows of a batch")
    if not node.attributes.get("keepdims", 1) and axes:
        part = tape.build.emit("Unsqueeze", [part, tape.number(*axes)])
    sizes = [size if axis in axes and size is not None else 1 for axis, size in enumerate(shape)]
    share = 1.0 / np.prod(sizes) if node.op == "ReduceMean" else 1.0
    shares: Array = np.full(sizes, share, np.float32)
    yield name, tape.build.emit("Mul", [part, tape.build.constant(shares)])


RULES: dict[str, Rule] = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshaped),
    **dict.fromkeys(("ReduceSum", "ReduceMean"), reduced),
    **dict.fromkeys(("Add", "Sub"), add),
    "Cast": passed_on,
    "Concat": concat,
    "CumSum": running_sum,
    "Expand": expand,
    "Gather": gather,
    "Identity": passed_on,
    "Neg": negative,
    "Pad": pad,
    "Slice": slice_,
    "Tile": tile,
    "Transpose": transposed,
}
