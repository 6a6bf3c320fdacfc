"""Every tensor of a forward graph in float64, by onnx's reference evaluator.

What the evaluator does in Python loops (convolutions, pools) or wrongly is done here in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from trackgen.graph.nodes import Array, Node

__all__ = ["evaluate", "same_pads"]

Float64 = NDArray[np.float64]


def evaluate(
    nodes: Iterable[Node], constants: Mapping[str, Array], feeds: Mapping[str, Array], opset: int
) -> dict[str, Array]:
    """All tensors that `nodes` make of `feeds`, floats in float64; feeds included."""
    protos = [_widened(node).to_proto() for node in nodes]
    made = [name for proto in protos for name in proto.output if name]
    read = {name for proto in protos for name in proto.input}
    graph = helper.make_graph(
        protos,
        "evaluate",
        [helper.make_value_info(name, onnx.TypeProto()) for name in feeds],
        [helper.make_value_info(name, onnx.TypeProto()) for name in made],
        [numpy_helper.from_array(_wide(value), name) for name, value in constants.items() if name in read],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    evaluator = ReferenceEvaluator(model, new_ops=[Conv, MaxPool, AveragePool, BatchNormalization, Erf, Gelu, Pad])
    wide = {name: _wide(value) for name, value in feeds.items()}
    with np.errstate(all="ignore"):
        results = evaluator.run(made, wide)
    return {**wide, **dict(zip(made, (np.asarray(result) for result in results), strict=True))}


def _wide(value: Array) -> Array:
    return value.astype(np.float64) if value.dtype.kind == "f" else value


def _widened(node: Node) -> Node:
    """With casts to float64 instead of float32, and constants of attributes in it."""
    attributes: dict[str, Any] = {}
    for key, value in node.attributes.items():
        if node.op == "Cast" and key == "to" and value == onnx.TensorProto.FLOAT:
            value = onnx.TensorProto.DOUBLE
        attributes[key] = _wide(value) if isinstance(value, np.ndarray) else value
    return Node(node.op, node.inputs, node.outputs, attributes, node.domain, node.given_name)


def same_pads(automatic: str, sizes: Sequence[int], reaches: Sequence[int], strides: Sequence[int]) -> list[int]:
    """What ``auto_pad`` SAME_UPPER and SAME_LOWER stand for: elements in front of every axis, then behind."""
    front, behind = [], []
    for size, reach, stride in zip(sizes, reaches, strides, strict=True):
        missing = max(0, (-(-size // stride) - 1) * stride + reach - size)
        less = missing // 2
        front.append(less if automatic == "SAME_UPPER" else missing - less)
        behind.append(missing - front[-1])
    return front + behind


def _windows(
    values: Float64,
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    automatic: str | None,
    filling: float,
    ceil: bool = False,
) -> Float64:
    """(N, C, out..., kernel...) what a kernel sees; padding reads as `filling`."""
    rank = len(kernel)
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    reaches = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilations, strict=True)]
    sizes = values.shape[2:]
    pads = list(pads) if pads else [0] * (2 * rank)
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        pads = same_pads(automatic, sizes, reaches, strides)
    elif automatic == "VALID":
        pads = [0] * (2 * rank)
    widths = [(0, 0), (0, 0)]
    for axis in range(rank):
        behind = pads[axis + rank]
        free = sizes[axis] + pads[axis] + behind - reaches[axis]
        if ceil and free % strides[axis] and (free // strides[axis] + 1) * strides[axis] < sizes[axis] + pads[axis]:
            behind += strides[axis] - free % strides[axis]
        widths.append((pads[axis], behind))
    padded = np.pad(values, widths, constant_values=filling)
    seen = np.lib.stride_tricks.sliding_window_view(padded, reaches, axis=tuple(range(2, 2 + rank)))
    picks = [slice(None, None, stride) for stride in strides] + [slice(None, None, step) for step in dilations]
    return seen[(slice(None), slice(None), *picks)]


class Conv(OpRun):
    """Any number of axes, groups and dilations."""

    def _run(  # type: ignore[no-untyped-def]
        self, values, weight, bias=None, auto_pad=None, dilations=None, group=None, kernel_shape=None, pads=None,
        strides=None,
    ) -> tuple[Float64]:  # fmt: skip
        rank, groups = weight.ndim - 2, group or 1
        seen = _windows(values, weight.shape[2:], strides, dilations, pads, auto_pad, 0.0)
        inputs, outputs = weight.shape[1], weight.shape[0] // groups
        taps = list(range(2 + rank, 2 + 2 * rank))
        parts = [
            np.tensordot(
                seen[:, number * inputs : (number + 1) * inputs],
                weight[number * outputs : (number + 1) * outputs],
                ([1, *taps], list(range(1, 2 + rank))),
            )
            for number in range(groups)
        ]
        result = np.moveaxis(np.concatenate(parts, axis=-1), -1, 1)
        return (result if bias is None else result + bias.reshape(-1, *[1] * rank),)


class MaxPool(OpRun):
    """Values only."""

    def _run(  # type: ignore[no-untyped-def]
        self, values, auto_pad=None, ceil_mode=None, dilations=None, kernel_shape=None, pads=None, storage_order=None,
        strides=None,
    ) -> tuple[Float64]:  # fmt: skip
        seen = _windows(values, kernel_shape, strides, dilations, pads, auto_pad, -np.inf, bool(ceil_mode))
        return (seen.max(axis=tuple(range(2 + len(kernel_shape), seen.ndim))),)


class AveragePool(OpRun):
    """With and without the padding counted; what a partial pool lacks never counts."""

    def _run(  # type: ignore[no-untyped-def]
        self, values, auto_pad=None, ceil_mode=None, count_include_pad=None, dilations=None, kernel_shape=None,
        pads=None, strides=None,
    ) -> tuple[Float64]:  # fmt: skip
        axes = tuple(range(2 + len(kernel_shape), 2 + 2 * len(kernel_shape)))
        seen = _windows(values, kernel_shape, strides, dilations, pads, auto_pad, 0.0, bool(ceil_mode))
        total = seen.sum(axis=axes)
        return (total / pool_counts(values.shape, total.shape, {
            "auto_pad": auto_pad, "ceil_mode": ceil_mode, "count_include_pad": count_include_pad,
            "dilations": dilations, "kernel_shape": kernel_shape, "pads": pads, "strides": strides,
        }),)  # fmt: skip


def pool_counts(shape: Sequence[int], out: Sequence[int], attributes: Mapping[str, Any]) -> Float64:
    """How many elements each mean of an AveragePool is taken over: (1, 1, out...)."""
    kernel = list(attributes["kernel_shape"])
    rank = len(kernel)
    strides = attributes.get("strides") or [1] * rank
    dilations = attributes.get("dilations") or [1] * rank
    pads = attributes.get("pads") or [0] * (2 * rank)
    automatic, ceil = attributes.get("auto_pad") or "NOTSET", bool(attributes.get("ceil_mode"))
    ones = np.ones((1, 1, *shape[2:]))
    if attributes.get("count_include_pad"):
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            reaches = [(taps - 1) * step + 1 for taps, step in zip(kernel, dilations, strict=True)]
            pads = same_pads(automatic, shape[2:], reaches, strides)
        widths = [(0, 0), (0, 0), *((pads[axis], pads[axis + rank]) for axis in range(rank))]
        ones, pads, automatic = np.pad(ones, widths, constant_values=1.0), [0] * (2 * rank), "NOTSET"
    seen = _windows(ones, kernel, strides, dilations, pads, automatic, 0.0, ceil)
    counts: Float64 = seen.sum(axis=tuple(range(2 + rank, 2 + 2 * rank)))
    return counts[tuple(slice(0, size) for size in (1, 1, *out[2:]))]


class Pad(OpRun):
    """Also with negative numbers, which cut off."""

    def _run(self, values, pads, constant_value=None, axes=None, mode=None):  # type: ignore[no-untyped-def]
        axes = range(values.ndim) if axes is None else [int(axis) for axis in axes]
        widths, cuts = [(0, 0)] * values.ndim, [slice(None)] * values.ndim
        half = len(pads) // 2
        for axis, before, behind in zip(axes, pads[:half], pads[half:], strict=True):
            widths[axis] = (max(0, int(before)), max(0, int(behind)))
            cuts[axis] = slice(max(0, -int(before)), min(0, int(behind)) or None)
        filling = 0 if constant_value is None else np.asarray(constant_value).reshape(())
        kinds: dict[str, Any] = {"mode": mode or "constant"}
        if kinds["mode"] == "constant":
            kinds["constant_values"] = filling
        return (np.pad(values[tuple(cuts)], widths, **kinds),)


error_function = np.vectorize(math.erf, otypes=[np.float64])


class Erf(OpRun):
    """The evaluator's own is in float32."""

    def _run(self, values):  # type: ignore[no-untyped-def]
        return (error_function(values) if values.size else values,)


class Gelu(OpRun):
    """By an error function in float64."""

    def _run(self, values, approximate=None):  # type: ignore[no-untyped-def]
        if approximate == "tanh":
            inner = math.sqrt(2 / math.pi) * (values + 0.044715 * values**3)
            return (0.5 * values * (1 + np.tanh(inner)),)
        return (0.5 * values * (1 + error_function(values * math.sqrt(0.5))),)


class BatchNormalization(OpRun):
    """At inference, at every opset."""

    def _run(  # type: ignore[no-untyped-def]
        self, values, scale, shift, mean, variance, epsilon=None, momentum=None, training_mode=None
    ) -> tuple[Float64]:
        shape = (1, -1) + (1,) * (values.ndim - 2)
        scale, shift, mean, variance = (entry.reshape(shape) for entry in (scale, shift, mean, variance))
        return ((values - mean) / np.sqrt(variance + epsilon) * scale + shift,)
