"""Operators that others can say, said by those: a rule then stands once.

========================  ====================================================
GlobalMaxPool             ReduceMax over all axes behind the channels
GlobalAveragePool         ReduceMean over the same
ReduceMin, Min            the negative of the maximum of negatives
ReduceL1, ReduceL2, ...   ReduceSum of absolute values or squares
Sum, Mean                 additions
Split                     one Slice an output
Dropout                   Identity
========================  ====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trackgen.graph.nodes import Array, Node

__all__ = ["respell"]

AXES_AS_INPUT = 18
"""The opset from which on ReduceMax and ReduceMean take their axes as an input."""


@dataclass
class _Speller:
    constants: dict[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    opset: int
    count: int = 0

    def name(self, node: Node, what: str) -> str:
        self.count += 1
        return f"{node.outputs[0]}/{what}_{self.count}"

    def constant(self, node: Node, value: Array) -> str:
        name = self.name(node, "constant")
        self.constants[name] = value
        return name


def respell(
    nodes: Iterable[Node], constants: dict[str, Array], shapes: Mapping[str, tuple[int, ...]], opset: int
) -> list[Node]:
    """The same graph with fewer operators; constants that it needs are added to `constants`.

    Args:
        shapes: of the tensors of a window graph; a tile graph needs none.
    """
    speller = _Speller(constants, shapes, opset)
    result: list[Node] = []
    for node in nodes:
        spell = SPELLINGS.get(node.op) if not node.domain else None
        result.extend([node] if spell is None else spell(speller, node))
    return result


def _global_pool(speller: _Speller, node: Node) -> Iterator[Node]:
    op = "ReduceMax" if node.op == "GlobalMaxPool" else "ReduceMean"
    axes = list(range(2, len(speller.shapes[node.inputs[0]])))
    inputs = node.inputs
    attributes: dict[str, Any] = {"keepdims": 1}
    if speller.opset < AXES_AS_INPUT:
        attributes["axes"] = axes
    else:
        inputs = (*inputs, speller.constant(node, np.array(axes, np.int64)))
    yield Node(op, inputs, node.outputs, attributes, given_name=node.given_name)


def _least(speller: _Speller, node: Node) -> Iterator[Node]:
    """min x = -max(-x)"""
    data = node.inputs if node.op == "Min" else node.inputs[:1]
    negatives = []
    for name in data:
        constant = speller.constants.get(name)
        negatives.append(speller.name(node, "negative") if constant is None else speller.constant(node, -constant))
        if constant is None:
            yield Node("Neg", (name,), (negatives[-1],))
    largest = speller.name(node, "largest")
    op = "Max" if node.op == "Min" else "ReduceMax"
    inputs = (*negatives, *node.inputs[len(data) :])
    yield Node(op, inputs, (largest,), node.attributes, given_name=node.given_name)
    yield Node("Neg", (largest,), node.outputs)


def _norm(speller: _Speller, node: Node) -> Iterator[Node]:
    inner, total = speller.name(node, "inner"), speller.name(node, "total")
    data = node.inputs[0]
    yield Node("Abs", (data,), (inner,)) if node.op == "ReduceL1" else Node("Mul", (data, data), (inner,))
    root = node.op == "ReduceL2"
    axes = node.inputs[1:]
    attributes = dict(node.attributes)
    listed = attributes.pop("axes", None)
    if listed is not None:
        axes = (speller.constant(node, np.array(listed, np.int64)),)
    name = total if root else node.outputs[0]
    yield Node("ReduceSum", (inner, *axes), (name,), attributes, given_name=node.given_name)
    if root:
        yield Node("Sqrt", (total,), node.outputs)


def _sum(speller: _Speller, node: Node) -> Iterator[Node]:
    names = list(node.inputs)
    total = names[0]
    for number, name in enumerate(names[1:], 2):
        last = number == len(names) and node.op == "Sum"
        result = node.outputs[0] if last else speller.name(node, "sum")
        yield Node("Add", (total, name), (result,), given_name=node.given_name)
        total = result
    if node.op == "Mean":
        share = speller.constant(node, np.array(1.0 / len(names), np.float32))
        yield Node("Mul", (total, share), node.outputs)
    elif len(names) == 1:
        yield Node("Identity", (total,), node.outputs)


def _split(speller: _Speller, node: Node) -> Iterator[Node]:
    number = int(node.attributes.get("axis", 0))
    sizes = [speller.shapes[name][number] for name in node.outputs]
    axis = speller.constant(node, np.array([number], np.int64))
    borders = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    for name, low, high in zip(node.outputs, borders, borders[1:], strict=False):
        if name:
            bounds = [speller.constant(node, np.array([bound])) for bound in (low, high)]
            yield Node("Slice", (node.inputs[0], *bounds, axis), (name,), given_name=node.given_name)


def _passed_on(speller: _Speller, node: Node) -> Iterator[Node]:
    yield Node("Identity", node.inputs[:1], node.outputs[:1], given_name=node.given_name)


SPELLINGS: dict[str, Callable[[_Speller, Node], Iterable[Node]]] = {
    "GlobalMaxPool": _global_pool,
    "GlobalAveragePool": _global_pool,
    "ReduceMin": _least,
    "Min": _least,
    "ReduceL1": _norm,
    "ReduceL2": _norm,
    "ReduceSumSquare": _norm,
    "Sum": _sum,
    "Mean": _sum,
    "Split": _split,
    "Dropout": _passed_on,
}


def reduction_axes(node: Node, rank: int, constant: Callable[[str], Array | None]) -> tuple[int, ...]:
    """The axes of a reduction, counted from the front; all where none are given."""
    axes: Sequence[int] = node.integers("axes", ())
    if len(node.inputs) > 1 and node.inputs[1]:
        held = constant(node.inputs[1])
        axes = () if held is None else [int(axis) for axis in held.reshape(-1)]
    if not axes:
        return () if node.attributes.get("noop_with_empty_axes") else tuple(range(rank))
    return tuple(sorted(axis % rank for axis in axes))
