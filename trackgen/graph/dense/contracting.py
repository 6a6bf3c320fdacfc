"""Dense layers: contractions of one axis with constant weights.

Algebra. y[o] = sum over f of x[f] w[f, o] + b[o], with f running over an axis that may be made of channels c and
positions j. On the tile that is a convolution over the channels with the kernel w[(c, j), o], as long as there are
positions, dilation S/g and stride s/g: from here on points are windows. Without positions on the axis the kernel is
1. Channels that stand on other axes keep apart: one group each. A map a*x + b whose constants differ by position goes
into the weights: w' = a w, and sum of b w into the offset. Of joined branches each takes its rows of the weights, and
the results are added.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from trackgen.graph.dense.edges import parts_of
from trackgen.graph.dense.layout import Joined, Reading, Value, channel
from trackgen.graph.dense.lowering import Lowering, Tensor
from trackgen.graph.nodes import Array, Node

__all__ = ["RULES", "contract"]


def gemm(lowering: Lowering, node: Node) -> Tensor:
    """alpha * A B + beta * C with constant B and C; either may be transposed."""
    value, weight, offset = lowering.operand(node, 0), lowering.constant(node, 1), lowering.constant(node, 2)
    if not isinstance(value, Value | Joined) or weight is None or node.attributes.get("transA"):
        raise node.refuse("only a product of data with constant weights can be dense")
    lowering.refuse_precision(node, weight)
    weight = weight.astype(np.float64)
    weight = (weight.T if node.attributes.get("transB") else weight) * node.attributes.get("alpha", 1.0)
    if offset is not None:
        offset = offset.astype(np.float64) * node.attributes.get("beta", 1.0)
        if offset.ndim == 2 and offset.shape[0] != 1:
            raise node.refuse("its constant differs by window")
        offset = np.broadcast_to(offset.reshape(-1), weight.shape[1:])
    return contract(lowering, node, value, 1, weight, offset)


def matmul(lowering: Lowering, node: Node) -> Tensor:
    """A product with a constant matrix, on either side."""
    left, right = lowering.operand(node, 0), lowering.operand(node, 1)
    if isinstance(left, Value | Joined) and isinstance(right, np.ndarray):
        weight, value, axis = right, left, left.rank - 1
    elif isinstance(right, Value | Joined) and isinstance(left, np.ndarray):
        weight, value, axis = left.swapaxes(-1, -2) if left.ndim > 1 else left, right, max(0, right.rank - 2)
    else:
        raise node.refuse("a product of two activations (attention)")
    lowering.refuse_precision(node, weight)
    if any(size != 1 for size in weight.shape[:-2]):
        raise node.refuse("its weights differ along an axis of their own")
    vector = weight.ndim == 1
    weight = weight.reshape(-1, 1) if vector else weight.reshape(weight.shape[-2:])
    result = contract(lowering, node, value, axis, weight.astype(np.float64), None)
    if vector:
        dims = tuple(dim for number, dim in enumerate(result.dims) if number != axis)
        result = replace(result, dims=dims)
    return result


def contract(lowering: Lowering, node: Node, value: Tensor, axis: int, weight: Array, offset: Array | None) -> Value:
    """Contract `axis` with weights (F, O) and add an offset (O,); the axis then holds O channels."""
    if isinstance(value, Value):
        return _contract(lowering, node, value, axis, weight, offset)
    if axis != value.axis:
        raise node.refuse("it works on joined branches along another axis")
    borders = np.cumsum(value.sizes)[:-1]
    total: Value | None = None
    for part, rows in zip(value.parts, np.split(weight, borders), strict=True):
        result = _contract(lowering, node, part, axis, rows, offset if total is None else None)
        if total is not None:
            total, result = lowering.in_step(node, [total, result])
            name = lowering.build.emit("Add", [total.name, result.name])
            result = replace(total if result.spread else result, name=name)
        total = result
    assert total is not None
    return total


def _contract(lowering: Lowering, node: Node, value: Value, axis: int, weight: Array, offset: Array | None) -> Value:
    if any(atom.role == "batch" for atom in value.dims[axis]):
        raise node.refuse("it mixes windows of a batch")
    if value.pending:
        weight, offset = _take_up(node, value, axis, weight, offset)
    inside = value.dims[axis]
    channels = tuple(atom for atom in value.stored if atom in inside)
    others = tuple(atom for atom in value.stored if atom not in inside)
    value = lowering.arrange(value, others + channels)
    position = next((atom for atom in inside if atom.role == "position"), None)
    outputs, copies = weight.shape[1], math.prod(atom.size for atom in others)
    order = [inside.index(atom) for atom in (*channels, *([position] if position else []))]
    kernel = weight.T.reshape(outputs, *(atom.size for atom in inside)).transpose(0, *(1 + number for number in order))
    kernel = kernel.reshape(outputs, math.prod(atom.size for atom in channels), position.size if position else 1)
    kernel = np.tile(kernel, (copies, 1, 1))
    bias = None if offset is None else np.tile(offset, copies)
    made = channel(outputs)
    dims = tuple(made if number == axis else dim for number, dim in enumerate(value.dims))
    result = replace(value, dims=dims, stored=(*others, *made), scale=None, shift=None)
    if position is None or value.spread:
        kernel = kernel.sum(2, keepdims=True)  # a vector that was spread over positions is the same at all of them
        name = lowering.build.convolve(value.name, kernel, bias, groups=copies)
        return replace(result, name=name)
    inside_part, *edges = parts_of(lowering, node, value)
    reading = _reading(lowering, inside_part.value)
    name = lowering.build.convolve(
        value.name,
        kernel[:, :, inside_part.elements],
        bias,
        groups=copies,
        dilation=reading.dilation,
        stride=reading.stride,
    )
    result = lowering.collapsed(replace(result, name=name), reading.surplus)
    for edge in edges:
        share = lowering.build.contract_apart(edge.value.name, kernel[:, :, edge.elements], copies)
        result = lowering.trimmed(result)
        result = replace(result, name=lowering.build.emit("Add", [result.name, share]))
    return result


def _reading(lowering: Lowering, value: Value) -> Reading:
    here = value.positions
    assert here is not None
    reading = here.read(lowering.stride, here.length, 1, 1, 0, 1)
    assert reading is not None
    return reading


def _take_up(node: Node, value: Value, axis: int, weight: Array, offset: Array | None) -> tuple[Array, Array | None]:
    """Weights and offset with the value's pending map in them; it may differ along the contracted axis only."""
    for entry in (value.scale, value.shift):
        if entry is not None and any(size > 1 for number, size in enumerate(entry.shape) if number != axis):
            raise node.refuse("constants that differ by position reach it along several axes")
    if value.shift is not None:
        added = value.shift.astype(np.float64).reshape(-1) @ weight
        offset = added if offset is None else offset + added
    if value.scale is not None:
        weight = weight * np.broadcast_to(value.scale.astype(np.float64).reshape(-1, 1), (len(weight), 1))
    return weight, offset


RULES = {"Gemm": gemm, "MatMul": matmul}
