"""Operators that move no data on the tile: reshapes, transpositions, and those that do nothing at inference.

Algebra. A window tensor's axes are products of atoms (`layout`), so these change which axis an atom stands on and in
what order; the tile's tensor stays as it is. What they may not do is cut the positions in two (a 2-D reshape, as in a
Hilbert curve), or mix windows of a batch with anything that is later mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trackgen.graph.dense.layout import Joined, Value, regroup
from trackgen.graph.dense.lowering import Lowering, Tensor
from trackgen.graph.nodes import Node

__all__ = ["RULES", "reshaped"]


def reshaped(lowering: Lowering, node: Node, value: Tensor, shape: Sequence[int]) -> Tensor:
    """`value` with the axes of `shape`; the batch counts as its stand-in number."""
    if tuple(shape) == value.shape:
        return value
    if isinstance(value, Joined):
        return _reshaped_joined(node, value, shape)
    result = regroup(value, shape)
    if result is None:
        raise node.refuse("it cuts the positions of a window into two axes (a 2-D reshape)")
    return result


def _reshaped_joined(node: Node, value: Joined, shape: Sequence[int]) -> Joined:
    """Axes of size 1 may come and go."""
    total = value.shape[value.axis]
    if total not in shape[1:] or np.prod(shape) != np.prod(value.shape):
        raise node.refuse("it reshapes joined branches, some of which have positions")
    axis = list(shape).index(total, 1)
    parts = []
    for part in value.parts:
        target = [*shape]
        target[axis] = part.shape[value.axis]
        result = regroup(part, target)
        if result is None:
            raise node.refuse("it reshapes joined branches, some of which have positions")
        parts.append(result)
    return Joined(tuple(parts), axis)


def reshape(lowering: Lowering, node: Node) -> Tensor:
    """Reshape, Flatten, Squeeze, Unsqueeze: all that counts is the shape of the result."""
    value = lowering.operand(node, 0)
    shape = lowering.graph.shapes.get(node.outputs[0])
    if not isinstance(value, Value | Joined) or shape is None:
        raise node.refuse("its shape depends on the data")
    return reshaped(lowering, node, value, shape)


def transpose(lowering: Lowering, node: Node) -> Tensor:
    value = lowering.operand(node, 0)
    if isinstance(value, Joined):
        raise node.refuse("it transposes joined branches, some of which have positions")
    if not isinstance(value, Value):
        raise node.refuse("its input is a constant")
    order = node.integers("perm", range(value.rank)[::-1])
    dims = tuple(value.dims[axis] for axis in order)
    scale, shift = (None if entry is None else entry.transpose(order) for entry in (value.scale, value.shift))
    return replace(value, dims=dims, scale=scale, shift=shift)


def passed_on(lowering: Lowering, node: Node) -> Tensor:
    """Identity, and Dropout at inference."""
    value = lowering.operand(node, 0)
    if node.op == "Dropout":
        training = lowering.constant(node, 2)
        if training is not None and bool(np.any(training)):
            raise node.refuse("dropout in training mode: export the model in evaluation mode")
    if not isinstance(value, Value | Joined):
        raise node.refuse("its input is a constant")
    return value


RULES = {
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), reshape),
    "Transpose": transpose,
    "Identity": passed_on,
    "Dropout": passed_on,
}
