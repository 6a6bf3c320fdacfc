"""Writes the tile graph, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trackgen.graph.dense.convolving import (
    LANES,
    PIECE,
    POINTS_OF_PRODUCT,
    FastKernel,
    fast_kernel,
    shifted_copies,
)
from trackgen.graph.nodes import Array

__all__ = ["POINTS", "TileBuilder"]

POINTS = 3
"""The axis of positions in every tensor of the tile graph, (1, C, 1, T)."""
BY_POSITION = (
    "Add", "BatchNormalization", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "LeakyRelu", "Mul", "PRelu",
    "ReduceMax", "ReduceSum", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus", "Softsign", "Sub", "Tanh",
)  # fmt: skip
"""Operators that work on each position by itself, with channels on axis 1."""
FEW_CLASSES = 32
IR_VERSION = 10
END = np.iinfo(np.int64).max


class TileBuilder:
    """Collects nodes, constants, inputs and outputs under fresh names.

    Tensors are 4-D because ONNX Runtime lays out only images in the order that its fastest kernels want: a dilated
    MaxPool of 1-D tensors takes 20 times as long, convolutions 1.1 to 1.4 times.

    Args:
        tuned: write convolutions in the forms that a CPU runs fastest.
    """

    def __init__(self, *, tuned: bool = True) -> None:
        self.tuned = tuned
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0
        self._blocked: dict[str, tuple[str, int]] = {}
        """Tensors in blocks of outputs -> the number of points that they really have, and their dilation."""
        self._in_order: dict[str, str] = {}
        self.notes: list[str] = []
        """Convolutions that were written in another form."""
        self.source = ""
        """The node of the window graph that is being lowered."""
        self.sources: dict[str, str] = {}
        """Node of the tile graph -> node of the window graph that it stands for."""

    def emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output and return its name.

        What works on single positions takes tensors in blocks of outputs as they are; for all else they are put in
        order.
        """
        blocked = {self._blocked[entry] for entry in inputs if entry in self._blocked}
        if not blocked:
            return self._emit(op, inputs, **attributes)
        others = [entry for entry in inputs if entry not in self._blocked]
        single = op == "Conv" and attributes["kernel_shape"] == attributes.get("strides", [1, 1]) == [1, 1]
        pointwise = op in BY_POSITION or single
        if not (pointwise and len(blocked) == 1 and all(entry in self._constants for entry in others)):
            return self._emit(op, [self._ordered(entry) for entry in inputs], **attributes)
        ((left, dilation),) = blocked
        if single and attributes.get("group", 1) == 1 and len(self._constants[inputs[1]]) < LANES:
            name = self._mix_to_few(inputs, dilation)
        else:
            name = self._emit(op, inputs, **attributes)
        self._blocked[name] = (left, dilation)
        return name

    def _mix_to_few(self, inputs: Sequence[str], dilation: int) -> str:
        """A convolution of one tap on blocks as a product of matrices: with few outputs its lanes would be empty."""
        name, weight, *bias = inputs
        outputs, channels = self._constants[weight].shape[:2]
        matrix = self.constant(self._constants[weight].reshape(outputs, channels))
        mixed = self._emit("MatMul", [matrix, self._reshape(name, [PIECE, channels, -1])])
        if bias:
            mixed = self._emit("Add", [mixed, self.constant(self._constants[bias[0]].reshape(outputs, 1))])
        return self._reshape(mixed, [PIECE, outputs, dilation, -1])

    def _emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        self._count += 1
        name = f"{op.lower()}_{self._count}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        self.sources[name] = self.source
        return name

    def constant(self, value: Array) -> str:
        """The name of a constant; equal ones are kept once."""
        value = np.asarray(value, order="C")
        key = (value.dtype.str, value.shape, value.tobytes())
        if key not in self._known:
            self._known[key] = f"constant_{len(self._constants)}"
            self._constants[self._known[key]] = value
        return self._known[key]

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, list(shape)))
        return name

    def output(self, source: str, name: str, shape: Sequence[int | str]) -> None:
        """Name a tensor as an output of the graph."""
        source = self._ordered(source)
        self.nodes.append(helper.make_node("Identity", [source], [name], name=f"output_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def crop(self, name: str, skip: int, drop: int = 0, step: int = 1) -> str:
        """Points [skip, T - drop) of a tensor, each `step`-th."""
        if not skip and not drop and step == 1:
            return name
        bounds = ([skip], [-drop if drop else END], [POINTS], [step])
        return self.emit("Slice", [name, *(self.constant(np.array(value, np.int64)) for value in bounds)])

    def convolve(
        self,
        name: str,
        weight: Array,
        bias: Array | None,
        *,
        groups: int = 1,
        dilation: int = 1,
        stride: int = 1,
        pads: tuple[int, int] = (0, 0),
        apart: bool = False,
        exact: bool = False,
    ) -> str:
        """A convolution along T with `weight` (O, I / groups, kernel), in the form that runs fastest.

        Args:
            pads: points of zeros in front and behind.
            apart: leave it as it is: the tensor holds windows by themselves, along the batch axis.
            exact: only forms in which a result is a sum of its own points alone, so that a large value leaves no
                rounding error in its neighbours.
        """
        if self.tuned and groups == 1 and stride == 1 and not apart:
            fast = None if exact else fast_kernel(weight, bias)
            if fast is not None:
                return self._convolve_fast(self._with_zeros(name, pads), fast, weight.shape, dilation)
            copies = shifted_copies(weight) if dilation == 1 else 1
            if copies > 1:
                return self._convolve_copies(self._with_zeros(name, pads), weight, bias, copies)
        inputs = [name, self.constant(weight[:, :, None, :].astype(np.float32))]
        if bias is not None and np.any(bias):
            inputs.append(self.constant(np.asarray(bias, np.float32)))
        return self.emit(
            "Conv",
            inputs,
            kernel_shape=[1, weight.shape[2]],
            dilations=[1, dilation],
            strides=[1, stride],
            pads=[0, pads[0], 0, pads[1]],
            group=groups,
        )

    def contract_apart(self, name: str, weight: Array, groups: int) -> str:
        """Contract all points of windows by themselves, (W, C, 1, n), with (O, C / groups, n), to (1, O, 1, W)."""
        if groups > 1:
            return self._windows_last(self.convolve(name, weight, None, groups=groups, apart=True))
        matrix = self.constant(weight.reshape(len(weight), -1).T.astype(np.float32))
        mixed = self.emit("MatMul", [self.reshape(name, [-1, weight[0].size]), matrix])
        return self.emit("Unsqueeze", [self.emit("Transpose", [mixed]), self.constant(np.array([0, 2], np.int64))])

    def reduce_apart(self, kind: Literal["max", "sum"], name: str, opset: int) -> str:
        """The maximum or sum over the points of windows by themselves, (W, C, 1, n), as (1, C, 1, W)."""
        return self._windows_last(self.reduce("ReduceMax" if kind == "max" else "ReduceSum", name, POINTS, opset))

    def _windows_last(self, name: str) -> str:
        return self.emit("Transpose", [name], perm=[2, 1, 3, 0])

    def _convolve_fast(self, name: str, fast: FastKernel, shape: tuple[int, ...], dilation: int) -> str:
        """Blocks of inputs -> their values at seven points -> products, summed over pieces -> blocks of outputs."""
        outputs, inputs, taps = shape
        name = self._ordered(name)
        points = self._length(name)
        self.notes.append(f"{self.source}: {POINTS_OF_PRODUCT} multiplications instead of {PIECE * PIECE} (Toom-Cook)")
        left = self._add(points, -(taps - 1) * dilation)
        block = PIECE * dilation
        blocks = self.emit("Div", [self._add(left, block - 1), self._number(block)])
        wanted = self._add(self.emit("Mul", [blocks, self._number(block)]), (PIECE * fast.pieces - 1) * dilation)
        padded = self._pad(name, self.emit("Sub", [wanted, points]))
        if dilation > 1:
            rows = self.reshape(padded, [1, inputs, -1, dilation])
            padded = self.emit("Transpose", [rows], perm=[0, 1, 3, 2])
        kernel = self.constant(fast.transform)
        values = self.emit("Conv", [padded, kernel], kernel_shape=[1, POINTS_OF_PRODUCT], strides=[1, PIECE])
        weights = [self.constant(fast.weight), *([self.constant(fast.bias)] if fast.bias.any() else [])]
        products = self.emit("Conv", [values, *weights], kernel_shape=[1, fast.pieces], group=POINTS_OF_PRODUCT)
        flat = self.reshape(products, [POINTS_OF_PRODUCT, -1])
        result = self.emit("MatMul", [self.constant(fast.back), flat])
        result = self.reshape(result, [PIECE, outputs, dilation, -1])
        self._blocked[result] = (left, dilation)
        return result

    def _convolve_copies(self, name: str, weight: Array, bias: Array | None, copies: int) -> str:
        """A kernel with few outputs as shifted copies with a stride, whose results are put in order."""
        outputs, inputs, taps = weight.shape
        name = self._ordered(name)
        left = self._add(self._length(name), -(taps - 1))
        shifted = np.zeros((outputs, copies, inputs, taps + copies - 1), np.float32)
        for copy in range(copies):
            shifted[:, copy, :, copy : copy + taps] = weight
        weights = shifted.reshape(-1, inputs, 1, taps + copies - 1)
        parts = [self._pad(name, self._number(copies - 1)), self.constant(weights)]
        self.notes.append(f"{self.source}: {copies} shifted copies of its kernel fill a CPU's lanes")
        if bias is not None and np.any(bias):
            parts.append(self.constant(np.repeat(np.asarray(bias, np.float32), copies)))
        result = self.emit("Conv", parts, kernel_shape=[1, taps + copies - 1], strides=[1, copies])
        result = self.reshape(result, [1, outputs, copies, -1])
        result = self.emit("Transpose", [result], perm=[0, 1, 3, 2])
        return self._cut_to(self.reshape(result, [1, outputs, 1, -1]), left)

    def _ordered(self, name: str) -> str:
        """A tensor as (1, C, 1, T): one in blocks of outputs, (4, C, dilation, blocks), is put in order once."""
        if name not in self._blocked:
            return name
        if name not in self._in_order:
            left, dilation = self._blocked[name]
            # Two transpositions that move one axis each are much faster than one that moves two.
            channels = self._emit("Transpose", [name], perm=[1, 0, 2, 3])
            rows = self._reshape(channels, [0, PIECE * dilation, -1])
            ordered = self._emit("Transpose", [rows], perm=[0, 2, 1])
            flat = self._emit("Unsqueeze", [self._reshape(ordered, [0, -1]), self.constant(np.array([0, 2], np.int64))])
            self._in_order[name] = self._cut_to(flat, left)
        return self._in_order[name]

    def _cut_to(self, name: str, length: str) -> str:
        """The first `length` points, a number that the graph computes."""
        bounds = [self._number(0), length, self._number(POINTS), self._number(1)]
        return self._emit("Slice", [name, *bounds])

    def _with_zeros(self, name: str, pads: tuple[int, int]) -> str:
        """With so many points of zeros in front and behind."""
        if not any(pads):
            return name
        return self.emit("Pad", [name, self.constant(np.array([0, 0, 0, pads[0], 0, 0, 0, pads[1]], np.int64))])

    def _pad(self, name: str, points: str) -> str:
        """With so many zeros behind, a number that the graph computes."""
        zeros = self.constant(np.zeros(2 * POINTS + 1, np.int64))
        return self._emit("Pad", [name, self._emit("Concat", [zeros, points], axis=0)])

    def _length(self, name: str) -> str:
        """T, as a list of one number."""
        shape = self._emit("Shape", [name])
        return self._emit("Slice", [shape, self._number(POINTS), self._number(POINTS + 1)])

    def _number(self, value: int) -> str:
        return self.constant(np.array([value], np.int64))

    def _add(self, number: str, value: int) -> str:
        return self._emit("Add", [number, self._number(value)])

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        return self.emit("Reshape", [name, self.constant(np.array(shape, np.int64))])

    def _reshape(self, name: str, shape: Sequence[int]) -> str:
        return self._emit("Reshape", [name, self.constant(np.array(shape, np.int64))])

    def pick_channels(self, name: str, indices: Array) -> str:
        return self.emit("Gather", [name, self.constant(np.asarray(indices, np.int64))], axis=1)

    def softmax(self, name: str, classes: int, opset: int) -> str:
        """Over channels. Of few, in pieces: ONNX Runtime's own softmax first turns the tensor around."""
        if not self.tuned or classes > FEW_CLASSES:
            return self.emit("Softmax", [name], axis=1)
        largest = self.reduce("ReduceMax", name, 1, opset)
        powers = self.emit("Exp", [self.emit("Sub", [name, largest])])
        return self.emit("Div", [powers, self.reduce("ReduceSum", powers, 1, opset)])

    def reduce(self, op: str, name: str, axis: int, opset: int) -> str:
        """A reduction that keeps its axis; ReduceSum takes axes as an input from opset 13 on, the others from 18."""
        if opset >= 18 or op == "ReduceSum":
            return self.emit(op, [name, self.constant(np.array([axis], np.int64))], keepdims=1)
        return self.emit(op, [name], axes=[axis], keepdims=1)

    def layer_normalization(self, name: str, parameters: Sequence[str], epsilon: float) -> str:
        """Over the last axis, as the operator of opset 17 and later."""
        return self.emit("LayerNormalization", [name, *parameters], axis=-1, epsilon=epsilon)

    def model(self, opset: int) -> onnx.ModelProto:
        """The finished graph, less what no output needs."""
        wanted, kept = {entry.name for entry in self._outputs}, []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        initializers = [
            numpy_helper.from_array(value, name) for name, value in self._constants.items() if name in wanted
        ]
        inputs = [entry for entry in self._inputs if entry.name in wanted]
        graph = helper.make_graph(kept[::-1], "tile", inputs, self._outputs, initializers)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION, producer_name="trackgen"
        )
