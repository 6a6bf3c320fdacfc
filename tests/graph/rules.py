"""Small models as ONNX text, and looks at the tile graphs that they become: for the tests of single rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
import pytest

from tests.graph.dense_oracle import assert_dense_equals_windows
from tests.graph.texts import card_for, text_model
from trackgen.card import Card, InputSpec
from trackgen.graph import NotDense, compile_dense
from trackgen.graph.nodes import Node, constant_tensors, read_node

__all__ = ["CONV", "DENSE", "MOST", "SEQUENCE", "K", "Text", "Tile", "ints", "table"]

SEQUENCE = InputSpec("sequence", "sequence")
MOST = 2**63 - 1
DENSE = "[flat] f = Flatten(m) [gemm] out = Gemm(f, w)"
"""From `m` (N, ...) to the output, by weights `w`."""
CONV = "[conv] c = Conv(sequence, k)"
"""(N, 4, 20) -> `c` (N, 3, 18)."""
K = {"k": (3, 4, 3)}
PLAIN = "cuda"
"""The device for which convolutions stay as the algebra has them, not in the forms that a CPU runs fastest."""
ONE_HOT = ["Unsqueeze", "Equal", "Cast"]


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@dataclass(frozen=True)
class Text:
    """A model as ONNX text from `inputs` to ``out``, (N, K) or (N, K, M) by the numbers in `out`."""

    body: str
    weights: Mapping[str, tuple[int, ...] | np.ndarray] = field(default_factory=dict)
    out: str = "2"
    window: int = 20
    opset: int = 18
    inputs: tuple[InputSpec, ...] = (SEQUENCE,)
    resolution: int = 1
    strides: tuple[int, ...] = (1, 3, 4, 20)
    shifted: float = 1e-6
    """By how much, of the largest value, a window's may differ between tiles that begin elsewhere."""

    @property
    def card(self) -> Card:
        classes, *positions = (int(axis) for axis in self.out.split(","))
        return card_for(
            window=self.window,
            classes=classes,
            positions=positions[0] if positions else None,
            resolution=self.resolution,
            inputs=self.inputs,
        )

    @property
    def model(self) -> onnx.ModelProto:
        tensors = ", ".join(f"float[{', '.join(axes)}] {name}" for name, axes in self._tensors())
        return text_model(self.body, self.weights, window=self.window, out=self.out, opset=self.opset, inputs=tensors)

    def _tensors(self) -> list[tuple[str, list[str]]]:
        found = []
        for name, members in self.card.tensors:
            sizes = {"sequence": lambda spec: 4, "signal": lambda spec: max(1, len(spec.channels))}
            channels = sum(sizes.get(spec.kind, lambda spec: spec.length)(spec) for spec in members)
            axes = [channels, self.window // members[0].resolution]
            if members[0].kind == "vector":
                axes = axes[:1]
            elif members[0].layout == "NLC":
                axes = axes[::-1]
            found.append((name, ["N", *map(str, axes)]))
        return found

    def check(self, *strides: int) -> None:
        """Dense equals windows at the strides given, else at those of the model."""
        model, card = self.model, self.card
        onnx.checker.check_model(model, full_check=True)
        strides = strides or self.strides
        for stride in strides:
            assert_dense_equals_windows(model, card, stride, shifted=self.shifted)
        plain = compile_dense(model, card, strides[0], PLAIN)
        assert_dense_equals_windows(model, card, strides[0], compiled=plain)

    def tile(self, stride: int = 1) -> Tile:
        return Tile(compile_dense(self.model, self.card, stride, PLAIN).model)

    def refusal(self, stride: int = 1) -> NotDense:
        """The refusal, of a model that is right."""
        onnx.checker.check_model(self.model, full_check=True)
        with pytest.raises(NotDense) as caught:
            compile_dense(self.model, self.card, stride)
        return caught.value

    def refused(self, node: str, reason: str) -> None:
        """Refused at every stride, for `reason`, naming `node`."""
        for stride in self.strides:
            error = self.refusal(stride)
            assert (error.node, error.reason) == (node, error.reason)
            assert reason in error.reason


class Tile:
    """A tile graph to look at."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.nodes: list[Node] = [read_node(proto) for proto in model.graph.node]
        self.constants = constant_tensors(model.graph)

    @property
    def ops(self) -> list[str]:
        """The operators between the one-hot sequence and the output's shape."""
        ops = [node.op for node in self.nodes]
        assert ops[:3] == ONE_HOT, ops
        assert ops[-2:] == ["Reshape", "Identity"], ops
        return ops[3:-2]

    def all(self, op: str) -> list[Node]:
        return [node for node in self.nodes if node.op == op]

    def only(self, op: str) -> Node:
        (node,) = self.all(op)
        return node

    def along(self, node: Node, name: str) -> int:
        """An attribute of a kernel along the tile; across it must be 1."""
        across, along = node.integers(name, (1, 1))
        assert across == 1
        return along

    def kernels(self, op: str) -> list[tuple[int, int, int]]:
        """(kernel, dilation, stride) of each node of an operator."""
        names = ("kernel_shape", "dilations", "strides")
        return [tuple(self.along(node, name) for name in names) for node in self.all(op)]

    def bounds(self, node: Node) -> tuple[int, int, int]:
        """(start, end, step) of a Slice along the tile."""
        start, end, axis, step = (int(self.constants[name][0]) for name in node.inputs[1:])
        assert axis == 3
        return start, end, step


def table(cases: Mapping[str, object]) -> pytest.MarkDecorator:
    """One test a row, called by the row's name."""
    return pytest.mark.parametrize("name", list(cases))


def grid(stride: int, spacing: int) -> int:
    """bp between points of the tile, for elements `spacing` apart."""
    return math.gcd(stride, spacing)
