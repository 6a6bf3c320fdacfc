"""A forward graph as the rules see it: nodes, constants, which tensors depend on the input, and which axis is open.

Two graphs of one shape of thing: a tile graph (1, C, 1, T), whose axis of positions is open, and a window graph
(N, ...), whose batch is. Rules know neither: they see static sizes, and None for the one axis that is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx

from trackgen.graph.deeplift.spelling import respell
from trackgen.graph.nodes import Array, Node, constant_tensors, read_node

__all__ = ["Forward", "Shape"]

Shape = tuple[int | None, ...]
"""Sizes of a tensor's axes; None for one that is open."""


@dataclass(frozen=True)
class Forward:
    """A forward graph.

    Attributes:
        encoding: nodes that make the sources of the graph's inputs.
        nodes: all others, each behind what it reads.
        constants: name -> array.
        sources: the tensors that contributions are given to.
        positions: source -> its axis of positions; absent where it has none.
        data: the tensors that depend on a source, sources included.
        opset: of ONNX's own operators.
    """

    encoding: tuple[Node, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    sources: tuple[str, ...]
    positions: Mapping[str, int]
    data: frozenset[str]
    opset: int

    @staticmethod
    def of(
        model: onnx.ModelProto,
        sources: Sequence[str],
        positions: Mapping[str, int],
        shapes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> Forward:
        """Read a graph whose shape arithmetic is folded; operators are spelled in fewer ways.

        Args:
            shapes: of a window graph's tensors.
        """
        constants = constant_tensors(model.graph)
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        nodes = respell([read_node(proto) for proto in model.graph.node], constants, shapes or {}, opset)
        data = set(sources)
        encoding, rest = [], []
        for node in nodes:
            if data.intersection(node.inputs) and not data.intersection(node.outputs):
                data.update(name for name in node.outputs if name)
                rest.append(node)
            else:
                encoding.append(node)
        return Forward(tuple(encoding), tuple(rest), constants, tuple(sources), positions, frozenset(data), opset)

    def data_inputs(self, node: Node) -> list[str]:
        """The inputs of a node that depend on a source, each once."""
        return list(dict.fromkeys(name for name in node.inputs if name in self.data))
