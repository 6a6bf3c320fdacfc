"""Graphs of windows in float64, node by node, and the hashes that tell which elements are equal by structure.

For `contribution_oracle.py`. onnx's reference evaluator runs what acts on single elements or moves them; what pools and
convolves is written here, on integer tables of which element lies under which tap, since the way back needs them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

try:
    from scipy.special import erf
except ImportError:
    erf = np.vectorize(math.erf, otypes=[np.float64])

Values = dict[str, np.ndarray]

FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)


class Refused(Exception):
    """A node for which there is no rule; the message names it."""

    def __init__(self, node: onnx.NodeProto, reason: str) -> None:
        super().__init__(f"{node.op_type} node {node.name or node.output[0]!r}: {reason}")
        self.node, self.op = node.name or node.output[0], node.op_type


def options(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes, texts decoded."""
    found = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def unbroadcast(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The sum of `values` over the axes along which `shape` was broadcast to it."""
    values = values.sum(axis=tuple(range(values.ndim - len(shape))))
    axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and values.shape[axis] != 1)
    return np.asarray(values.sum(axis=axes, keepdims=True))


def slope(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """The derivative of what acts on single elements; at a kink the one from the left.

    Differences on both sides over a step and over half of it: where both sides agree, the central one extrapolated;
    else a kink lies on the side whose two differences disagree, and the other one is taken.
    """
    step = 3e-5 * (1 + np.abs(at))
    middle = function(at)
    step_out = np.broadcast_to(step, middle.shape)
    with np.errstate(all="ignore"):
        left, near_left = ((middle - function(at - part * step)) / (part * step_out) for part in (1, 0.5))
        right, near_right = ((function(at + part * step) - middle) / (part * step_out) for part in (1, 0.5))
        central = (4 * (near_left + near_right) - (left + right)) / 6
        smooth = np.abs(left - right) < 1e-3 * (1 + np.abs(left))
        errors = [np.nan_to_num(np.abs(a - b), nan=np.inf) for a, b in ((left, near_left), (right, near_right))]
        one_sided = np.where(errors[1] < errors[0] - 1e-9, 2 * near_right - right, 2 * near_left - left)
    return np.where(smooth, central, one_sided)


# One node ---------------------------------------------------------------------------------------------------------


@functools.lru_cache(4096)
def _evaluator(serialized: bytes, opset: int) -> ReferenceEvaluator:
    node = onnx.NodeProto.FromString(serialized)
    names = dict.fromkeys(name for name in node.input if name)
    inputs, outputs = ([onnx.ValueInfoProto(name=name) for name in side if name] for side in (names, node.output))
    graph = helper.make_graph([node], "node", inputs, outputs)
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10))


def _gelu(node: onnx.NodeProto, x: np.ndarray) -> np.ndarray:
    if options(node).get("approximate", "none") == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def _batch_normalization(node: onnx.NodeProto, x: np.ndarray, *parameters: np.ndarray) -> np.ndarray:
    scale, shift, mean, variance = (entry.reshape(-1, *[1] * (x.ndim - 2)) for entry in parameters)
    return (x - mean) / np.sqrt(variance + options(node).get("epsilon", 1e-5)) * scale + shift


def _padded(
    node: onnx.NodeProto, x: np.ndarray, pads: np.ndarray, value: Any = None, axes: np.ndarray | None = None
) -> np.ndarray:
    """Pad, with cuts where the amounts are negative; the evaluator's own has no such thing."""
    named = [axis % x.ndim for axis in (range(x.ndim) if axes is None else axes.tolist())]
    amounts = [(0, 0)] * x.ndim
    for place, axis in enumerate(named):
        amounts[axis] = (int(pads[place]), int(pads[place + len(named)]))
    x = x[tuple(slice(max(0, -a), size + min(0, b)) for (a, b), size in zip(amounts, x.shape, strict=True))]
    mode = options(node).get("mode", "constant")
    more = {"constant_values": 0.0 if value is None else value.item()} if mode == "constant" else {}
    return np.pad(x, [(max(0, a), max(0, b)) for a, b in amounts], mode=mode, **more)


_OWN: dict[str, Callable[..., np.ndarray]] = {
    "Dropout": lambda node, x, *_: x,
    "Identity": lambda node, x: x,
    # The evaluator's own is in float32.
    "Erf": lambda node, x: erf(x),
    "Gelu": _gelu,
    "HardSwish": lambda node, x: x * np.clip(x / 6 + 0.5, 0, 1),
    # The evaluator's own takes the statistics of the batch below opset 14.
    "BatchNormalization": _batch_normalization,
    "Pad": _padded,
    "Conv": lambda node, *operands: convolution(node, *operands),
    "ConvTranspose": lambda node, *operands: deconvolution(node, *operands),
    "AveragePool": lambda node, x: mean_pool(node, x),
    "GlobalAveragePool": lambda node, x: x.mean(axis=tuple(range(2, x.ndim)), keepdims=True),
}


def evaluate(node: onnx.NodeProto, opset: int, values: Mapping[str, np.ndarray]) -> Values:
    """The node's outputs; floats of every width are float64."""
    operands = {name: values[name] for name in node.input if name}
    if node.op_type in _OWN:
        return {node.output[0]: _OWN[node.op_type](node, *[values[name] if name else None for name in node.input])}
    if node.op_type == "Cast" and options(node)["to"] in FLOATS:
        return {node.output[0]: operands[node.input[0]].astype(np.float64)}
    with np.errstate(all="ignore"):
        made = _evaluator(node.SerializeToString(), opset).run(None, operands)
    made = [entry.astype(np.float64) if entry.dtype in (np.float32, np.float16) else entry for entry in made]
    return dict(zip([name for name in node.output if name], made, strict=True))


def reduced_axes(node: onnx.NodeProto, values: Values) -> tuple[int, ...]:
    """The axes of a reduction or of a global pool, from the first on, none negative."""
    rank = values[node.input[0]].ndim
    if node.op_type.startswith("Global"):
        return tuple(range(2, rank))
    given = options(node).get("axes")
    if given is None and len(node.input) > 1 and node.input[1]:
        given = values[node.input[1]].tolist()
    if not given:
        return () if options(node).get("noop_with_empty_axes") else tuple(range(rank))
    return tuple(sorted(axis % rank for axis in given))


def as_matrices(a: np.ndarray, b: np.ndarray, product: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Operands and product of a MatMul, each with its rows and columns."""
    if b.ndim == 1:
        b, product = b[:, None], product[..., None]
    if a.ndim == 1:
        a, product = a[None], product[..., None, :]
    return a, b, product


# Taps -------------------------------------------------------------------------------------------------------------

PAD, BEYOND = -1, -2
"""An element of the padding; one that only a rounded-up number of pools reaches."""


def taps(node: onnx.NodeProto, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """(outputs, taps) the flat position under each tap of each output, and the output's sizes."""
    found, rank, asked = options(node), len(sizes), []
    for axis, (size, width) in enumerate(zip(sizes, kernel, strict=True)):
        stride, dilation = (found.get(name, [1] * rank)[axis] for name in ("strides", "dilations"))
        reach = (width - 1) * dilation + 1
        pads = found.get("pads", [0] * 2 * rank)
        before, after = pads[axis], pads[axis + rank]
        if found.get("auto_pad", "NOTSET").startswith("SAME"):
            both = max(0, (-(-size // stride) - 1) * stride + reach - size)
            before = both // 2 if found["auto_pad"] == "SAME_UPPER" else both - both // 2
            after = both - before
        spare = size + before + after - reach
        count = spare // stride + 1
        if found.get("ceil_mode"):
            # a pool that would begin in the padding after the last element is left out
            count = -(-spare // stride) + 1
            count -= (count - 1) * stride >= size + before
        place = np.arange(count)[:, None] * stride + np.arange(width) * dilation - before
        asked.append(np.where((place >= 0) & (place < size), place, np.where(place < size + after, PAD, BEYOND)))
    table = asked[0]
    for place, size in zip(asked[1:], sizes[1:], strict=True):
        one, two = table[:, None, :, None], place[None, :, None, :]
        joined = np.where((one < 0) | (two < 0), np.minimum(np.minimum(one, two), PAD), one * size + two)
        table = joined.reshape(len(table) * len(place), -1)
    return table, [len(place) for place in asked]


def gathered(values: np.ndarray, table: np.ndarray, pad: Any) -> np.ndarray:
    """(N, C, *table.shape) of values (N, C, ...), `pad` where the table is negative."""
    flat = values.reshape(*values.shape[:2], -1)
    flat = np.concatenate([flat, np.full((*flat.shape[:2], 1), pad, flat.dtype)], axis=2)
    return flat[:, :, np.where(table < 0, -1, table)]


def scattered(parts: np.ndarray, table: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The sum at each element of (N, C, ...) of `parts` (N, C, outputs, taps): `gathered`, transposed."""
    size = int(np.prod(shape[2:]))
    total = np.zeros((*parts.shape[:2], size + 1), parts.dtype)
    for tap in range(table.shape[1]):
        # no element is twice under the same tap
        total[:, :, np.where(table[:, tap] < 0, size, table[:, tap])] += parts[..., tap]
    return total[:, :, :size].reshape(shape)


def _by_group(node: onnx.NodeProto, weight: np.ndarray) -> np.ndarray:
    """(groups, outputs, inputs * taps) of a weight (outputs or inputs, the others of its group, ...)."""
    groups = options(node).get("group", 1)
    return weight.reshape(groups, len(weight) // groups, -1)


def convolution(
    node: onnx.NodeProto, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, pad: Any = 0
) -> np.ndarray:
    table, sizes = taps(node, x.shape[2:], weight.shape[2:])
    matrix = _by_group(node, weight)
    columns = gathered(x, table.T, pad).reshape(len(x), len(matrix), -1, len(table))
    made = (matrix @ columns).reshape(len(x), len(weight), *sizes)
    return made if bias is None else made + bias.reshape(-1, *[1] * len(sizes))


def convolution_back(
    node: onnx.NodeProto, shape: tuple[int, ...], weight: np.ndarray, received: np.ndarray
) -> np.ndarray:
    """What the input of `shape` receives: the convolution transposed."""
    table, _ = taps(node, shape[2:], weight.shape[2:])
    matrix = _by_group(node, weight)
    given = received.reshape(len(received), len(matrix), -1, len(table))
    parts = (matrix.transpose(0, 2, 1) @ given).reshape(*shape[:2], -1, len(table))
    return scattered(parts.swapaxes(2, 3), table, shape)


def _deconvolution_taps(node: onnx.NodeProto, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[np.ndarray, list]:
    """(inputs, taps) where in the output each tap of each input goes, and the output's sizes."""
    found, rank, tables = options(node), len(sizes), []
    if "output_shape" in found or found.get("auto_pad", "NOTSET").startswith("SAME"):
        raise Refused(node, "output_shape and auto_pad are not implemented")
    made = []
    for axis, (size, width) in enumerate(zip(sizes, kernel, strict=True)):
        stride, dilation, more = (
            found.get(name, [standard] * rank)[axis]
            for name, standard in (("strides", 1), ("dilations", 1), ("output_padding", 0))
        )
        pads = found.get("pads", [0] * 2 * rank)
        made.append(stride * (size - 1) + more + (width - 1) * dilation + 1 - pads[axis] - pads[axis + rank])
        place = np.arange(size)[:, None] * stride + np.arange(width) * dilation - pads[axis]
        tables.append(np.where((place >= 0) & (place < made[-1]), place, PAD))
    table = tables[0]
    for place, size in zip(tables[1:], made[1:], strict=True):
        one, two = table[:, None, :, None], place[None, :, None, :]
        joined = np.where((one < 0) | (two < 0), PAD, one * size + two)
        table = joined.reshape(len(table) * len(place), -1)
    return table, made


def deconvolution(
    node: onnx.NodeProto, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None
) -> np.ndarray:
    table, sizes = _deconvolution_taps(node, x.shape[2:], weight.shape[2:])
    matrix = _by_group(node, weight)
    given = x.reshape(len(x), len(matrix), -1, len(table))
    channels = weight.shape[1] * len(matrix)
    parts = (matrix.transpose(0, 2, 1) @ given).reshape(len(x), channels, -1, len(table))
    made = scattered(parts.swapaxes(2, 3), table, (len(x), channels, *sizes))
    return made if bias is None else made + bias.reshape(-1, *[1] * len(sizes))


def deconvolution_back(
    node: onnx.NodeProto, shape: tuple[int, ...], weight: np.ndarray, received: np.ndarray
) -> np.ndarray:
    table, _ = _deconvolution_taps(node, shape[2:], weight.shape[2:])
    matrix = _by_group(node, weight)
    columns = gathered(received, table.T, 0).reshape(len(received), len(matrix), -1, len(table))
    return (matrix @ columns).reshape(shape)


def _pool_taps(node: onnx.NodeProto, shape: tuple[int, ...]) -> tuple[np.ndarray, list[int], np.ndarray]:
    table, sizes = taps(node, shape[2:], options(node)["kernel_shape"])
    counted = table > BEYOND if options(node).get("count_include_pad") else table >= 0
    return table, sizes, counted.sum(axis=1)


def mean_pool(node: onnx.NodeProto, x: np.ndarray) -> np.ndarray:
    table, sizes, counts = _pool_taps(node, x.shape)
    return (gathered(x, table, 0).sum(axis=-1) / counts).reshape(*x.shape[:2], *sizes)


def pool_sum(node: onnx.NodeProto, x: np.ndarray, pad: Any) -> np.ndarray:
    """The sum of each pool's elements, `pad` for those that are none."""
    table, sizes, _ = _pool_taps(node, x.shape)
    return gathered(x, table, pad).sum(axis=-1, dtype=x.dtype).reshape(*x.shape[:2], *sizes)


def mean_pool_back(node: onnx.NodeProto, shape: tuple[int, ...], received: np.ndarray) -> np.ndarray:
    table, _, counts = _pool_taps(node, shape)
    given = received.reshape(*shape[:2], -1) / counts
    return scattered(np.broadcast_to(given[..., None], (*given.shape, table.shape[1])), table, shape)
