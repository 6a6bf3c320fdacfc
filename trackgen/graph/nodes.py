"""ONNX nodes as plain values, so that rules need not know protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from trackgen.graph.refusals import NotDense

__all__ = ["Array", "Node", "constant_tensors", "read_node"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One node: operator, names, attributes as Python values (tensors as arrays)."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    given_name: str = ""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self.given_name or self.outputs[0]

    @property
    def title(self) -> str:
        """The operator with its domain, unless that is ONNX's own."""
        return f"{self.domain}.{self.op}" if self.domain else self.op

    def integers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """An attribute that is a list of whole numbers."""
        return tuple(int(value) for value in self.attributes.get(name, default))

    def onnx_attributes(self) -> dict[str, Any]:
        """The attributes as ONNX keeps them."""
        return {
            key: onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
            for key, value in self.attributes.items()
        }

    def to_proto(self) -> onnx.NodeProto:
        """The node as it stands in a graph."""
        return onnx.helper.make_node(
            self.op, self.inputs, self.outputs, self.given_name, domain=self.domain, **self.onnx_attributes()
        )

    def refuse(self, reason: str) -> NotDense:
        """The error that says why this node can't be dense."""
        return NotDense(self.name, self.title, reason)


def read_node(proto: onnx.NodeProto) -> Node:
    """A node of a graph; subgraphs are kept as they are."""
    attributes = {}
    for entry in proto.attribute:
        value = onnx.helper.get_attribute_value(entry)
        if isinstance(value, bytes):
            value = value.decode()
        elif isinstance(value, onnx.TensorProto):
            value = onnx.numpy_helper.to_array(value)
        attributes[entry.name] = value
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes, domain, proto.name)


def constant_tensors(graph: onnx.GraphProto) -> dict[str, Array]:
    """The graph's initializers as arrays."""
    return {entry.name: np.asarray(onnx.numpy_helper.to_array(entry)) for entry in graph.initializer}
