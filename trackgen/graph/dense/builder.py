"""Writes the tile graph, node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from trackgen.graph.nodes import Array

__all__ = ["POINTS", "TileBuilder"]

POINTS = 3
"""The axis of positions in every tensor of the tile graph, (1, C, 1, T)."""
IR_VERSION = 10
END = np.iinfo(np.int64).max


class TileBuilder:
    """Collects nodes, constants, inputs and outputs under fresh names.

    Tensors are 4-D because ONNX Runtime lays out only images in the order that its fastest kernels want: a dilated
    MaxPool of 1-D tensors takes 20 times as long, convolutions 1.1 to 1.4 times.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0
        self.source = ""
        """The node of the window graph that is being lowered."""
        self.sources: dict[str, str] = {}
        """Node of the tile graph -> node of the window graph that it stands for."""

    def emit(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output and return its name."""
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
        self.nodes.append(helper.make_node("Identity", [source], [name], name=f"output_{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def crop(self, name: str, skip: int, drop: int = 0, step: int = 1) -> str:
        """Points [skip, T - drop) of a tensor, each `step`-th."""
        if not skip and not drop and step == 1:
            return name
        bounds = ([skip], [-drop if drop else END], [POINTS], [step])
        return self.emit("Slice", [name, *(self.constant(np.array(value, np.int64)) for value in bounds)])

    def convolve(
        self, name: str, weight: Array, bias: Array | None, *, groups: int = 1, dilation: int = 1, stride: int = 1
    ) -> str:
        """A convolution along T with `weight` (O, I / groups, kernel)."""
        inputs = [name, self.constant(weight[:, :, None, :].astype(np.float32))]
        if bias is not None and np.any(bias):
            inputs.append(self.constant(np.asarray(bias, np.float32)))
        return self.emit(
            "Conv",
            inputs,
            kernel_shape=[1, weight.shape[2]],
            dilations=[1, dilation],
            strides=[1, stride],
            group=groups,
        )

    def reshape(self, name: str, shape: Sequence[int]) -> str:
        return self.emit("Reshape", [name, self.constant(np.array(shape, np.int64))])

    def pick_channels(self, name: str, indices: Array) -> str:
        return self.emit("Gather", [name, self.constant(np.asarray(indices, np.int64))], axis=1)

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
