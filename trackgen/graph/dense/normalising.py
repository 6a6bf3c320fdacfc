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
from trackgen.graph.nodes import Array, Node

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
    shift = bias - mean * scale
    if isinstance(value, Value) and not value.pending:
        by_channel = [lowering.channel_constant(value, _on_axis_1(value, entry)) for entry in (scale, shift)]
        if all(entry is not None for entry in by_channel):
            return _normalised(lowering, value, *(entry for entry in by_channel if entry is not None))
    shape = (-1,) + (1,) * (value.rank - 2)
    for op, constant in (("Mul", scale), ("Add", shift)):
        operands: list[Operand | None] = [value, constant.astype(np.float32).reshape(shape)]
        value = combine(lowering, node, op, operands, {})
    return value


def _on_axis_1(value: Value, constant: Array) -> Array:
    return constant.reshape((-1,) + (1,) * (value.rank - 2))


def _normalised(lowering: Lowering, value: Value, scale: Array, shift: Array) -> Value:
    """One node, which ONNX Runtime fuses or keeps in its fast layout: a third of the time of a Mul and an Add."""
    full = [np.broadcast_to(entry.reshape(-1), (value.channels,)).astype(np.float32) for entry in (scale, shift)]
    zeros, ones = np.zeros(value.channels, np.float32), np.ones(value.channels, np.float32)
    names = [lowering.build.constant(entry) for entry in (*full, zeros, ones)]
    return replace(value, name=lowering.build.emit("BatchNormalization", [value.name, *names], epsilon=0.0))


def layer_normalization(lowering: Lowering, node: Node) -> Value:
    value, gain, bias = lowering.value(node, 0), lowering.constant(node, 1), lowering.constant(node, 2)
    if any(node.outputs[1:]):
        raise node.refuse("its statistics are used")
    lowering.refuse_apart(node, value)
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
    if groups == 1 and node.op == "Softmax":
        return replace(value, name=build.softmax(value.name, value.channels, lowering.graph.opset))
    if groups == 1:
        return replace(value, name=build.emit(node.op, [value.name], axis=1))
    lowering.refuse_apart(node, value)
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
