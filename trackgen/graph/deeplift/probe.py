"""What a forward graph does to the reference: shapes, constant values, and which pooled elements are alike.

The graph is evaluated twice, on a few windows and on one more: the axis whose size changes is the open one. Along it
the reference's values must be equal, or no constant can stand for them.

Whether the reference is equal over pooled elements is a matter of structure, since a rule that jumps must not hang on
the last digit of a sum. So it is asked of a twin of the graph, whose weights are random and whose functions are random
lines: there, two elements are equal if and only if they come about in the same way.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.graph.deeplift.evaluate import MaxPool, evaluate
from trackgen.graph.deeplift.forward import Forward, Shape
from trackgen.graph.deeplift.slopes import POINTWISE
from trackgen.graph.deeplift.spelling import reduction_axes
from trackgen.graph.nodes import Array, Node

__all__ = ["MAXIMA", "Probe", "probe"]

Float64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
ALIKE = 1e-9
"""Relative difference up to which float64 sums over the same weights are the same number."""
MAXIMA = ("MaxPool", "ReduceMax", "Max")
WEIGHTED = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "BatchNormalization": 1}
"""Operators whose inputs from this one on are weights."""
MOVES = (
    "Concat", "CumSum", "Expand", "Flatten", "Gather", "Pad", "Reshape", "Shape", "Size", "Slice", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """What is known of every tensor that depends on a source.

    Attributes:
        shapes: sizes of axes, None for the open one.
        values: the reference's values in float64, the open axis of size 1.
        varying: the first tensor along whose open axis the reference's values differ; None where there is none.
        alike: output of a maximum -> whether the reference is equal over what each element is the maximum of, the open
            axis of size 1.
    """

    shapes: Mapping[str, Shape]
    values: Mapping[str, Array]
    varying: str | None
    alike: Mapping[str, Bools]


def probe(forward: Forward, few: Mapping[str, Array], more: Mapping[str, Array]) -> Probe:
    """Evaluate a graph on its reference.

    Args:
        few, more: source -> the reference over a few windows, and over one more; also graph inputs that other nodes
            read.
    """
    nodes = [*forward.nodes]
    first = evaluate(nodes, forward.constants, few, forward.opset)
    second = evaluate(nodes, forward.constants, more, forward.opset)
    shapes, values, varying = {}, {}, None
    for name in first:
        sizes = zip(first[name].shape, second[name].shape, strict=True)
        shapes[name] = tuple(low if low == high else None for low, high in sizes)
        values[name], same = _one(first[name], shapes[name])
        if not same and varying is None and name in forward.data and not _is_shape(name, forward):
            varying = name
    twin = _twin(forward, few, first)
    alike = {
        node.outputs[0]: _one(_pooled_alike(node, twin, forward.constants), shapes[node.outputs[0]])[0].astype(np.bool_)
        for node in nodes
        if node.op in MAXIMA
    }
    return Probe(shapes, values, varying, alike)


def _is_shape(name: str, forward: Forward) -> bool:
    """Shape arithmetic that could not be folded differs between runs as it should."""
    return any(name in node.outputs and node.op in ("Shape", "Size") for node in forward.nodes)


def _one(value: Array, shape: Shape) -> tuple[Array, bool]:
    """A tensor with one element on its open axis, and whether the others are equal to it."""
    axis = next((number for number, size in enumerate(shape) if size is None), None)
    if axis is None or not value.size:
        return value, True
    first = value.take([0], axis=axis)
    if value.dtype.kind != "f":
        return first, bool((value == first).all())
    return first, bool(_close(value, np.broadcast_to(first, value.shape)).all())


def _close(left: Array, right: Array) -> Bools:
    scale = max(float(np.abs(left).max(initial=0.0)), 1e-300)
    with np.errstate(invalid="ignore"):  # one infinity less another
        result: Bools = (np.abs(left - right) <= ALIKE * scale) | (np.isnan(left) & np.isnan(right))
    return result


def _random(node: Node, number: int, shape: tuple[int, ...] = ()) -> Float64:
    """Positive numbers that depend on what the node does and not on where it stands."""
    kept = sorted((key, str(value)) for key, value in node.attributes.items())
    seed = zlib.crc32(repr((node.op, kept, number, shape)).encode())
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape)


def _twin(forward: Forward, feeds: Mapping[str, Array], known: Mapping[str, Array]) -> dict[str, Array]:
    """All tensors of the twin graph.

    Args:
        known: the same tensors of the graph itself.
    """
    twin: dict[str, Array] = {}
    for number, (name, value) in enumerate(feeds.items()):
        twin[name] = _by_channel(value, number, forward.positions.get(name))
    for node in forward.nodes:
        data = {name: twin.get(name, forward.constants.get(name)) for name in node.inputs if name}
        made = None
        if node.op not in MOVES or not _picks_by_data(node, twin, known):
            made = _twin_node(forward, node, {k: v for k, v in data.items() if v is not None})
        # What has no rule may have any shape; if anything is to go through it, it is refused on the way back.
        outputs = enumerate(node.outputs)
        twin |= {name: _random(node, -2 - number, known[name].shape) for number, name in outputs if name}
        if made is not None and made.shape == known[node.outputs[0]].shape:
            twin[node.outputs[0]] = made
    return twin


def _picks_by_data(node: Node, twin: Mapping[str, Array], known: Mapping[str, Array]) -> bool:
    """Whether it reads whole numbers that depend on the data, for which the twin has none."""
    return any(known[name].dtype.kind in "iu" and twin[name].dtype.kind == "f" for name in node.inputs if name in twin)


def _by_channel(value: Array, number: int, positions: int | None) -> Array:
    """A random number for each channel, the same at every position."""
    if value.dtype.kind != "f":
        return value
    shape = [1 if axis in (0, positions) else size for axis, size in enumerate(value.shape)]
    numbers = np.random.default_rng([7, number]).uniform(0.5, 1.5, shape)
    return np.broadcast_to(numbers, value.shape)


def _twin_node(forward: Forward, node: Node, data: Mapping[str, Array]) -> Array:
    constants = forward.constants
    if node.op == "MaxPool":
        node = Node("AveragePool", node.inputs, node.outputs, _pool_attributes(node))
    elif node.op == "AveragePool":
        # A mean near padding comes about in another way, also where it leaves the padding out.
        node = Node("AveragePool", node.inputs, node.outputs, {**node.attributes, "count_include_pad": 1})
    elif node.op == "ReduceMax":
        node = Node("ReduceMean", node.inputs, node.outputs, dict(node.attributes))
    if node.op.startswith("Reduce"):
        values = data[node.inputs[0]]
        axes = reduction_axes(node, values.ndim, constants.get)
        return np.asarray(values.mean(axis=axes, keepdims=bool(node.attributes.get("keepdims", 1))))
    first_weight = 0 if node.op == "MatMul" else WEIGHTED.get(node.op)
    if first_weight is not None:
        replaced = {
            name: _random(node, number, constants[name].shape)
            for number, name in enumerate(node.inputs)
            if number >= first_weight and name in constants
        }
        return evaluate([node], {**constants, **replaced}, _unknown(data, constants), forward.opset)[node.outputs[0]]
    if node.op in MOVES or node.op == "AveragePool":
        return evaluate([node], constants, _unknown(data, constants), forward.opset)[node.outputs[0]]
    total = np.asarray(_random(node, -1))
    for number, name in enumerate(node.inputs):
        # An operator without a rule is refused on the way back: its parameters need not fit here.
        if name in forward.data or (name and node.op in POINTWISE):
            constant = forward.constants.get(name)
            # Constants are told apart by their place, as weights are.
            value = data[name].astype(np.float64) if constant is None else _random(node, number, constant.shape)
            total = total + _random(node, number) * value
    return total


def _unknown(data: Mapping[str, Array], constants: Mapping[str, Array]) -> dict[str, Array]:
    return {name: value for name, value in data.items() if name not in constants}


def _pool_attributes(node: Node) -> dict[str, object]:
    return {key: value for key, value in node.attributes.items() if key != "storage_order"}


def _pooled_alike(node: Node, twin: Mapping[str, Array], constants: Mapping[str, Array]) -> Bools:
    """Whether what each element is the maximum of is all alike."""
    if node.op == "Max":
        values = [np.asarray(twin.get(name, constants.get(name)), np.float64) for name in node.inputs]
        values = list(np.broadcast_arrays(*values))
        high, low = np.max(values, axis=0), np.min(values, axis=0)
    elif node.op == "ReduceMax":
        given = twin[node.inputs[0]]
        axes, keep = reduction_axes(node, given.ndim, constants.get), bool(node.attributes.get("keepdims", 1))
        high, low = given.max(axis=axes, keepdims=keep), given.min(axis=axes, keepdims=keep)
    else:
        high, low = (sign * _largest(node, sign * twin[node.inputs[0]]) for sign in (1.0, -1.0))
    return _close(high, low)


def _largest(node: Node, values: Array) -> Array:
    names = ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")
    run: Callable[..., tuple[Array]] = MaxPool._run
    return run(None, values, **{name: node.attributes.get(name) for name in names})[0]
