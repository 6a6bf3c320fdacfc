"""How much work a graph does: multiply-adds, comparisons and function evaluations, counted from shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import onnx

from trackgen.card import Card
from trackgen.graph.fold import WindowGraph
from trackgen.graph.nodes import Node, constant_tensors, read_node

__all__ = ["Operations", "count_operations"]

MANY_WINDOWS = 20_000
"""Bases of the stretch that the dense graph is counted on: long enough that its ends do not matter."""
FREE = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Cast", "Slice", "Gather")
MOVES = ("Concat", "Expand", "Shape", "Split", "Pad")
Shapes = Mapping[str, tuple[int, ...]]


class Stretch(Protocol):
    """What is needed to know of an input of the tile graph."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def resolution(self) -> int: ...
    @property
    def step(self) -> int: ...


@dataclass(frozen=True)
class Operations:
    """Operations per base of genome, on one strand.

    Attributes:
        windowed_by_node: node of the window model -> operations of every window by itself.
        dense_by_node: the same of the tile graph, under the node that each part stands for; inputs under "".
    """

    windowed_by_node: Mapping[str, float]
    dense_by_node: Mapping[str, float]

    @property
    def windowed(self) -> float:
        return sum(self.windowed_by_node.values())

    @property
    def dense(self) -> float:
        return sum(self.dense_by_node.values())

    @property
    def ratio(self) -> float:
        """How many times less work the dense graph does."""
        return self.windowed / self.dense if self.dense else math.inf


def count_operations(
    graph: WindowGraph,
    tile: onnx.ModelProto,
    sources: Mapping[str, str],
    card: Card,
    inputs: Sequence[Stretch],
    stride: int,
) -> Operations:
    """Count the operations of both graphs per base of genome.

    Args:
        sources: node of the tile graph -> node of the window graph that it stands for.
    """
    constants = {name: tuple(value.shape) for name, value in graph.constants.items()}
    shapes = {**constants, **graph.shapes}
    windowed = {node.name: _work(node, shapes) / graph.batch / stride for node in graph.nodes}
    windows = max(2, MANY_WINDOWS // stride + 1)
    few, many = (_tile_work(tile, card, inputs, stride, count) for count in (windows, 2 * windows))
    dense: dict[str, float] = {}
    for name, work in many.items():
        source = sources.get(name, "")
        dense[source] = dense.get(source, 0.0) + (work - few[name]) / (windows * stride)
    return Operations(windowed, dense)


def _tile_work(
    tile: onnx.ModelProto, card: Card, inputs: Sequence[Stretch], stride: int, windows: int
) -> dict[str, float]:
    """Work of each node of the tile graph on so many windows."""
    sizes = {entry.name: _points(entry, card, stride, windows) for entry in inputs}
    model = onnx.ModelProto()
    model.CopyFrom(tile)
    for entry in model.graph.input:
        axis = entry.type.tensor_type.shape.dim[-1]
        if axis.HasField("dim_param"):
            axis.dim_value = sizes[entry.name]
    for entry in model.graph.output:
        entry.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {name: tuple(value.shape) for name, value in constant_tensors(model.graph).items()}
    for entry in (*inferred.value_info, *inferred.output, *inferred.input):
        shapes[entry.name] = tuple(axis.dim_value for axis in entry.type.tensor_type.shape.dim)
    return {proto.name: _work(read_node(proto), shapes) for proto in model.graph.node}


def _points(entry: Stretch, card: Card, stride: int, windows: int) -> int:
    if entry.kind == "codes":
        return (windows - 1) * stride + card.window
    steps = (windows - 1) * stride // entry.step
    return steps + (card.window // entry.resolution - 1) * entry.resolution // entry.step + 1


def _work(node: Node, shapes: Shapes) -> float:
    """Operations of one node."""
    out = math.prod(shapes.get(node.outputs[0], (0,)))
    if node.op == "Conv":
        return out * math.prod(shapes.get(node.inputs[1], (0,))[1:])
    if node.op == "Gemm":
        weight = shapes.get(node.inputs[1], (0, 0))
        return out * weight[1 if node.attributes.get("transB") else 0]
    if node.op == "MatMul":
        return out * shapes.get(node.inputs[0], (0,))[-1]
    if node.op in ("MaxPool", "AveragePool"):
        return out * math.prod(node.integers("kernel_shape", (1,)))
    if node.op.startswith(("Global", "Reduce")):
        return math.prod(shapes.get(node.inputs[0], (0,)))
    return 0.0 if node.op in FREE or node.op in MOVES else float(out)
