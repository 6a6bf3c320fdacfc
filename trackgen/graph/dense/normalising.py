"""Normalisations and softmax.

Algebra. BatchNormalization at inference is an affine map per channel; on flattened features its constants differ by
position, and the dense layer behind takes them up. LayerNormalization and Softmax over channels work on each position
by itself, so they are the same on the tile. Over positions they mix a whole window into each element: refused.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from trackgen.graph.dense.layout import Atom, Joined, Value
from trackgen.graph.dense.lowering import Lowering, Operand, Tensor
from trackgen.graph.dense.pointwise import combine
from trackgen.graph.nodes import Node

__all__ = ["RULES"]


def batch_normalization(lowering: Lowering, node: Node) -> Tensor:
    if node.attributes.get("training_mode"):
        raise node.refuse("batch statistics of training: export the model in evaluation mode")
    value = lowering.operand(node, 0)
    parameters = [lowering.constant(node, index) for index in range(1, 5)]
    if not isinstance(value, Value | Joined) or any(entry is None for entry in parameters):
        raise node.refuse("its input is a constant")
    gain, bias, mean, variance = (np.asarray(entry, np.float64) for entry in parameters)
    scale = gain / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    shape = (-1,) + (1,) * (value.rank - 2)
    for op, constant in (("Mul", scale), ("Add", bias - mean * scale)):
        operands: list[Operand | None] = [value, constant.astype(np.float32).reshape(shape)]
        value = combine(lowering, node, op, operands, {})
    return value


def layer_normalization(lowering: Lowering, node: Node) -> Value:
    value, gain, bias = lowering.value(node, 0), lowering.constant(node, 1), lowering.constant(node, 2)
    if any(node.outputs[1:]):
        raise node.refuse("its statistics are used")
    axis = int(node.attributes.get("axis", -1)) % value.rank
    inner = _channels_only(node, value, range(axis, value.rank))
    value = _innermost(lowering, value, inner)
    size = math.prod(atom.size for atom in inner)
    groups = value.channels // size
    build = lowering.build
    name = build.reshape(value.name, [groups, size, -1]) if groups > 1 else build.reshape(value.name, [1, size, -1])
    name = build.emit("Transpose", [name], perm=[0, 2, 1])
    parameters = [build.constant(np.asarray(entry).reshape(-1)) for entry in (gain, bias) if entry is not None]
    epsilon = node.attributes.get("epsilon", 1e-5)
    name = build.layer_normalization(name, parameters, epsilon)
    name = build.emit("Transpose", [name], perm=[0, 2, 1])
    return replace(value, name=build.reshape(name, [1, value.channels, 1, -1]))


def softmax(lowering: Lowering, node: Node) -> Value:
    value = lowering.value(node, 0)
    axis = int(node.attributes.get("axis", -1)) % value.rank
    inner = _channels_only(node, value, (axis,))
    value = _innermost(lowering, value, inner)
    groups = value.channels // math.prod(atom.size for atom in inner)
    build = lowering.build
    if groups == 1:
        return replace(value, name=build.emit(node.op, [value.name], axis=1))
    name = build.reshape(value.name, [groups, value.channels // groups, -1])
    name = build.emit(node.op, [name], axis=1)
    return replace(value, name=build.reshape(name, [1, value.channels, 1, -1]))


def _channels_only(node: Node, value: Value, axes: range | tuple[int, ...]) -> tuple[Atom, ...]:
    """The atoms on `axes`, in their order: all must be channels."""
    atoms = tuple(atom for axis in axes for atom in value.dims[axis])
    if any(atom.role == "position" for atom in atoms):
        raise node.refuse("it runs over positions, and so mixes the whole window into each of them")
    if any(atom.role == "batch" for atom in atoms):
        raise node.refuse("it mixes windows of a batch")
    return atoms


def _innermost(lowering: Lowering, value: Value, inner: tuple[Atom, ...]) -> Value:
    outer = [atom for atom in value.stored if atom not in inner]
    return lowering.arrange(value, [*outer, *inner])


RULES = {
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Softmax": softmax,
    "LogSoftmax": softmax,
}
