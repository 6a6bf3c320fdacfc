"""First pass: a window graph whose shapes are all known and whose only arithmetic is on data.

Exporters write shape arithmetic (Shape, Gather, Div, Concat into a Reshape) with the same operators as real work. Here
the batch axis gets a number that occurs nowhere else, every shape is inferred node by node, and whatever depends on
shapes and constants alone is computed by onnx's reference evaluator. In the graph that comes out the batch is open
again: a target shape that holds the number holds -1 instead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper
from onnx.reference import ReferenceEvaluator

from trackgen.card import Card, InputSpec
from trackgen.errors import ModelError
from trackgen.graph.checked import opset_of, refuse_untrusted
from trackgen.graph.nodes import Array, Node, constant_tensors, read_node

__all__ = ["BATCH_NAME", "WindowGraph", "candidate_batches", "channels_of", "fold"]

BATCH_NAME = "N"
SMALLEST_BATCH = 1000
"""The number that stands for the batch is a larger prime: a product that holds it holds the batch."""
CONTROL_FLOW = ("If", "Loop", "Scan")
LARGEST_FOLDED = 1 << 24
"""Elements of the largest constant that folding may make."""
LARGEST_SHAPE = 64
"""Elements of the largest constant that shape inference gets to see: shapes and bounds, not weights."""
NOT_REPEATABLE = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
SHAPE_TARGETS = ("Reshape", "Expand")
"""Operators whose second input is a shape, which may hold the batch."""


@dataclass(frozen=True)
class WindowGraph:
    """A folded window model.

    Attributes:
        nodes: in an order in which each one's inputs come first; none depends on constants alone.
        constants: name -> array, those that nodes read.
        shapes: name -> shape of every tensor that depends on data; the batch stands as `batch`.
        batch: the number that stands for the batch axis in `shapes` and in constants.
        inputs, outputs: names, in order.
        opset: of ONNX's own operators.
        notes: what was done, in sentences.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    batch: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opset: int
    notes: tuple[str, ...]

    def to_model(self, source: onnx.ModelProto) -> onnx.ModelProto:
        """The graph as ONNX with an open batch, inputs and outputs as in `source`."""
        constants = dict(self.constants)
        nodes = []
        for node in self.nodes:
            if node.op in SHAPE_TARGETS and not node.domain and node.outputs[0] in self.shapes:
                target = f"{node.outputs[0]}.shape"
                constants[target] = self._open_shape(node)
                node = replace(node, inputs=(node.inputs[0], target, *node.inputs[2:]))
            nodes.append(node.to_proto())
        read = {name for node in nodes for name in node.input}
        initializers = [numpy_helper.from_array(value, name) for name, value in constants.items() if name in read]
        kept = [entry for entry in source.graph.input if entry.name in self.inputs]
        graph = helper.make_graph(nodes, "window", kept, self._stated_outputs(source), initializers)
        return helper.make_model(graph, opset_imports=source.opset_import, ir_version=source.ir_version)

    def _stated_outputs(self, source: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
        """The outputs as the file states them, with a shape where it states none."""
        outputs = []
        for entry in source.graph.output:
            shape = self.shapes.get(entry.name)
            if shape is not None and not entry.type.tensor_type.HasField("shape"):
                axes = [BATCH_NAME if size == self.batch else size for size in shape]
                entry = helper.make_tensor_value_info(entry.name, entry.type.tensor_type.elem_type, axes)
            outputs.append(entry)
        return outputs

    def _open_shape(self, node: Node) -> Array:
        """The shape that a node gives, with -1 (Reshape) or 1 (Expand) where it holds the batch."""
        stand_in = -1 if node.op == "Reshape" else 1
        shape = self.shapes[node.outputs[0]]
        return np.array([stand_in if size and size % self.batch == 0 else size for size in shape], np.int64)


class _Folder:
    """Walks a graph once, knowing the shape of everything before it."""

    def __init__(self, graph: onnx.GraphProto, imports: Any, batch: int) -> None:
        self.batch = batch
        self.imports = list(imports)
        self.versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in imports}
        self.constants = constant_tensors(graph)
        self.types: dict[str, onnx.TypeProto] = {}
        self.nodes: list[Node] = []
        self.folded = 0

    def visit(self, proto: onnx.NodeProto) -> None:
        node = read_node(proto)
        if node.op == "Constant" and not node.domain:
            self.constants[node.outputs[0]] = _constant_value(node)
            return
        if node.op == "If" and not node.domain and node.inputs[0] in self.constants:
            self._take_branch(node)
            return
        if self._shape_known(node) or self._constant(node):
            results = self._evaluate(proto, node)
            if results is not None:
                self.constants |= dict(zip(node.outputs, results, strict=True))
                self.folded += 1
                return
        self._infer(proto, node)
        self.nodes.append(node)

    def _take_branch(self, node: Node) -> None:
        """The branch that a known condition picks: exporters write Squeeze so, by a condition on shapes."""
        taken = bool(self.constants[node.inputs[0]].all())
        branch: onnx.GraphProto = node.attributes["then_branch" if taken else "else_branch"]
        self.constants |= constant_tensors(branch)
        for proto in branch.node:
            self.visit(proto)
        for inner, outer in zip(branch.output, node.outputs, strict=True):
            self.visit(helper.make_node("Identity", [inner.name], [outer]))
        self.folded += 1

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a tensor; None where it is not known."""
        if name in self.constants:
            return tuple(self.constants[name].shape)
        kind = self.types.get(name)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        axes = kind.tensor_type.shape.dim
        return tuple(axis.dim_value for axis in axes) if all(axis.HasField("dim_value") for axis in axes) else None

    def _shape_known(self, node: Node) -> bool:
        return node.op in ("Shape", "Size") and not node.domain and self.shape(node.inputs[0]) is not None

    def _constant(self, node: Node) -> bool:
        known = all(name in self.constants for name in node.inputs if name)
        graphs = any(isinstance(value, onnx.GraphProto) for value in node.attributes.values())
        return known and not graphs and not node.domain and node.op not in NOT_REPEATABLE

    def _evaluate(self, proto: onnx.NodeProto, node: Node) -> list[Array] | None:
        """The node's values by the reference evaluator; None where they would be too large or it can't."""
        if node.op in ("Shape", "Size"):
            shape = np.array(self.shape(node.inputs[0]), np.int64)
            if node.op == "Size":
                return [np.asarray(np.prod(shape))]
            start, end = node.attributes.get("start", 0), node.attributes.get("end", len(shape))
            return [shape[start:end]]
        if node.op in ("ConstantOfShape", "Expand", "Tile"):
            wanted = self.constants[node.inputs[-1 if node.op != "ConstantOfShape" else 0]]
            if float(np.prod(wanted.astype(np.float64))) > LARGEST_FOLDED:
                return None
        inputs = [name for name in node.inputs if name]
        values = {name: self.constants[name] for name in inputs}
        infos = [helper.make_value_info(name, _tensor_type(value)) for name, value in values.items()]
        outputs = [helper.make_value_info(name, onnx.TypeProto()) for name in node.outputs]
        graph = helper.make_graph([proto], "fold", infos, outputs)
        model = helper.make_model(graph, opset_imports=self.imports)
        try:
            results = ReferenceEvaluator(model).run(None, values)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, KeyError, IndexError):
            return None
        return [np.asarray(result) for result in results] if isinstance(results, list | tuple) else None

    def _infer(self, proto: onnx.NodeProto, node: Node) -> None:
        """Learn the shapes of the node's outputs, as far as ONNX knows how."""
        try:
            schema = onnx.defs.get_schema(node.op, self.versions.get(node.domain, 1), node.domain)
        except onnx.defs.SchemaError:
            return
        types = {name: kind for name in node.inputs if name and (kind := self._type(name)) is not None}
        if len(types) < len({name for name in node.inputs if name}):
            return
        small = {
            name: numpy_helper.from_array(self.constants[name])
            for name in types
            if name in self.constants and self.constants[name].size <= LARGEST_SHAPE
        }
        try:
            found: dict[str, onnx.TypeProto] = onnx.shape_inference.infer_node_outputs(
                schema, proto, types, small, opset_imports=self.imports
            )
            if not all(kind.tensor_type.HasField("shape") for kind in found.values()):
                found = self._infer_by_body(proto, types, small) or found
            self.types |= found
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
            if any(kind.tensor_type.elem_type == onnx.TensorProto.UNDEFINED for kind in types.values()):
                return  # behind an operator whose result ONNX can't infer
            raise ModelError(
                "the graph lies about its shapes",
                place=f"node {node.name} ({node.title})",
                found=" ".join(str(error).split())[:300],
                remedy="export the model again",
            ) from error

    def _infer_by_body(
        self, proto: onnx.NodeProto, types: Mapping[str, onnx.TypeProto], small: Mapping[str, onnx.TensorProto]
    ) -> dict[str, onnx.TypeProto]:
        """Shapes of an operator that ONNX defines by others (LessOrEqual), which one node alone does not tell."""
        inputs = [helper.make_value_info(name, kind) for name, kind in types.items() if name not in small]
        outputs = [helper.make_value_info(name, onnx.TypeProto()) for name in proto.output if name]
        graph = helper.make_graph([proto], "infer", inputs, outputs, list(small.values()))
        for name, tensor in zip(small, graph.initializer, strict=True):
            tensor.name = name
        model = helper.make_model(graph, opset_imports=self.imports)
        return {entry.name: entry.type for entry in onnx.shape_inference.infer_shapes(model).graph.output}

    def _type(self, name: str) -> onnx.TypeProto | None:
        return _tensor_type(self.constants[name]) if name in self.constants else self.types.get(name)


def fold(model: onnx.ModelProto, card: Card) -> WindowGraph:
    """Check a window model and fold everything that does not depend on data. `model` stays as it is.

    Raises:
        ModelError: the model is broken, lies about its shapes, or holds control flow that depends on the data.
        NotDense: an opset before 13.
    """
    refuse_untrusted(model)
    graph = inliner.inline_local_functions(model).graph if model.functions else model.graph
    batch = next(candidate_batches(graph, card.window))
    folder = _Folder(graph, model.opset_import, batch)
    inputs = [entry for entry in graph.input if entry.name not in folder.constants]
    for entry, shape in zip(inputs, _input_shapes(card, batch), strict=True):
        folder.types[entry.name] = helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, shape)
    for proto in graph.node:
        folder.visit(proto)
    outputs = tuple(entry.name for entry in graph.output)
    nodes = _needed(folder.nodes, outputs)
    _refuse_control_flow(nodes)
    read = {name for node in nodes for name in node.inputs} | set(outputs)
    shapes = {name: found for name in folder.types if (found := folder.shape(name)) is not None}
    _refuse_lies(graph, shapes, batch)
    note = f"fold: {len(graph.node)} nodes, {folder.folded} of them shape arithmetic or constants, became {len(nodes)}"
    return WindowGraph(
        nodes=tuple(nodes),
        constants={name: _without_batch(value, batch) for name, value in folder.constants.items() if name in read},
        shapes=shapes,
        batch=batch,
        inputs=tuple(entry.name for entry in inputs),
        outputs=outputs,
        opset=opset_of(model),
        notes=(note,),
    )


def _constant_value(node: Node) -> Array:
    (key, value), *_ = node.attributes.items()
    if key in ("value_int", "value_ints"):
        return np.array(value, np.int64)
    return np.array(value, np.float32) if key in ("value_float", "value_floats") else np.asarray(value)


def _tensor_type(value: Array) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def candidate_batches(graph: onnx.GraphProto, window: int) -> Iterator[int]:
    """Primes that divide no axis of a weight, and that no number of positions reaches, smallest first."""
    sizes = {size for entry in graph.initializer for size in entry.dims if size}
    for number in itertools.count(max(SMALLEST_BATCH, 2 * window) + 1):
        prime = all(number % factor for factor in range(2, math.isqrt(number) + 1))
        if prime and not any(size % number == 0 for size in sizes):
            yield number


def _refuse_control_flow(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if node.op in CONTROL_FLOW and not node.domain:
            raise ModelError(
                "the model holds control flow: what it computes depends on the data",
                place=f"node {node.name} ({node.op})",
                wanted="a graph without If, Loop and Scan",
                remedy="export it without branches, or run it with `--mode window`",
            )


def _input_shapes(card: Card, batch: int) -> list[tuple[int, ...]]:
    """The shapes of the graph's inputs, as the card has them."""
    shapes: list[tuple[int, ...]] = []
    for _, members in card.tensors:
        channels = sum(channels_of(spec) for spec in members)
        length = card.window // members[0].resolution
        if members[0].kind == "vector":
            shapes.append((batch, channels))
        elif any(spec.layout == "NLC" for spec in members):
            shapes.append((batch, length, channels))
        else:
            shapes.append((batch, channels, length))
    return shapes


def channels_of(spec: InputSpec) -> int:
    """How many channels an input of the card has; the elements of a vector count as channels."""
    if spec.kind == "vector":
        return spec.length
    return 4 if spec.kind == "sequence" else max(1, len(spec.channels))


def _needed(nodes: list[Node], outputs: tuple[str, ...]) -> list[Node]:
    """The nodes that any output depends on."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _without_batch(value: Array, batch: int) -> Array:
    """A constant that is the same for every window, with one of them: exporters write zeros of the batch's size."""
    if value.ndim and value.shape[0] == batch and value.dtype.kind == "f" and (value[:1] == value).all():
        return np.ascontiguousarray(value[:1])
    return value


def _refuse_lies(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]], batch: int) -> None:
    """Compare the shapes that the file states with those that the nodes give."""
    for entry in (*graph.output, *graph.value_info):
        found = shapes.get(entry.name)
        if found is None or not entry.type.tensor_type.HasField("shape"):
            continue
        axes = entry.type.tensor_type.shape.dim
        stated = [axis.dim_value if axis.HasField("dim_value") else None for axis in axes]
        same = len(stated) == len(found) and all(
            want is None or want == have or (have % batch == 0 and want > 0)
            for want, have in zip(stated, found, strict=True)
        )
        if not same:
            shown = [BATCH_NAME if size == batch else size for size in found]
            raise ModelError(
                "the graph lies about its shapes",
                place=f"tensor {entry.name}",
                found=f"{[BATCH_NAME if size is None else size for size in stated]} in the file",
                wanted=f"{shown}, which its nodes give",
                remedy="export the model again",
            )
