"""Builds ONNX graphs node by node for tests: names, weights, and how one operation is written in each opset."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

__all__ = ["FLOAT", "INT64_MAX", "INT64_MIN", "Map", "Net", "Vector"]

FLOAT = onnx.TensorProto.FLOAT
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

Operand = str | np.ndarray | float | None


@dataclass(frozen=True)
class Map:
    """A value with a position axis: float32 (N, channels, positions), or (N, positions, channels) if `last`.

    ``step`` is the distance of neighbouring positions in bases; 0 where the one position is the whole window's.
    """

    name: str
    channels: int
    positions: int
    step: int
    last: bool = False

    @property
    def axis(self) -> int:
        """The position axis."""
        return 1 if self.last else 2


@dataclass(frozen=True)
class Vector:
    """A value without positions: float32 (N, size)."""

    name: str
    size: int


class Net:
    """A graph that grows; every choice comes from `random`, every weight from a generator that it seeds.

    Attributes:
        features: what the graph holds, in words, so that a test can tell what its models covered.
    """

    def __init__(self, random: random.Random, opset: int) -> None:
        self.random = random
        self.opset = opset
        self.numpy = np.random.default_rng(random.randrange(2**32))
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.features: set[str] = set()
        self._count = 0
        self._named = self.chance(0.5)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def fresh(self, stem: str = "v") -> str:
        self._count += 1
        return f"{stem}_{self._count}"

    def node(self, op: str, *operands: Operand, outputs: int = 1, **attributes: Any) -> list[str]:
        """Add one node; arrays and floats become constants. Returns the names of its outputs."""
        names = ["" if operand is None else self.operand(operand) for operand in operands]
        results = [self.fresh(op.lower()) for _ in range(outputs)]
        name = f"/{op}_{self._count}" if self._named else ""
        self.nodes.append(helper.make_node(op, names, results, name=name, **attributes))
        return results

    def add(self, op: str, *operands: Operand, **attributes: Any) -> str:
        """Add a node of one output; returns its name."""
        return self.node(op, *operands, **attributes)[0]

    def operand(self, value: Operand) -> str:
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        return self.constant(array.astype(np.float32) if array.dtype == np.float64 else array)

    def constant(self, array: np.ndarray) -> str:
        """A weight, or a Constant node."""
        if self.chance(0.2):
            self.features.add("Constant node")
            return self.add("Constant", value=numpy_helper.from_array(np.asarray(array)))
        return self.weight(array)

    def weight(self, array: np.ndarray) -> str:
        name = self.fresh("weight")
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def integers(self, *values: int) -> np.ndarray:
        return np.array(values, np.int64)

    def normal(self, shape: tuple[int, ...], scale: float) -> np.ndarray:
        return self.numpy.normal(0, scale, shape).astype(np.float32)

    # What is written otherwise in another opset ------------------------------------------------------------------

    def reduce(self, op: str, value: str, axes: tuple[int, ...], keepdims: bool) -> str:
        """ReduceMax, ReduceMean or ReduceSum: axes are an attribute before opset 18 (Sum: 13), then an input."""
        attributes: dict[str, Any] = {} if keepdims and self.chance(0.5) else {"keepdims": int(keepdims)}
        if op == "ReduceSum" or self.opset >= 18:
            return self.add(op, value, self.integers(*axes), **attributes)
        return self.add(op, value, axes=list(axes), **attributes)

    def unsqueeze(self, value: str, *axes: int) -> str:
        return self.add("Unsqueeze", value, self.integers(*axes))

    def squeeze(self, value: str, *axes: int) -> str:
        return self.add("Squeeze", value, self.integers(*axes))

    def transposed(self, value: Map) -> Map:
        return replace(value, name=self.add("Transpose", value.name, perm=[0, 2, 1]), last=not value.last)

    def first(self, value: Map) -> Map:
        """`value` with its channels on axis 1."""
        return self.transposed(value) if value.last else value

    def final(self, value: Map) -> Map:
        """`value` with its channels on axis 2."""
        return value if value.last else self.transposed(value)

    def model(self, inputs: list[tuple[str, list[int]]], outputs: list[tuple[str, list[int]]]) -> onnx.ModelProto:
        """The whole model; shapes are without the batch axis, which stays open."""

        def values(entries: list[tuple[str, list[int]]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(name, FLOAT, ["N", *shape]) for name, shape in entries]

        graph_inputs = values(inputs)
        if self.chance(0.1):
            self.features.add("weights among the inputs")
            graph_inputs += [
                helper.make_tensor_value_info(entry.name, entry.data_type, list(entry.dims)) for entry in self.weights
            ]
        graph = helper.make_graph(self.nodes, "net", graph_inputs, values(outputs), self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
