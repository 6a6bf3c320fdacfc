"""The graph of one output's logits, for `contribution_oracle.py`: what depends on the input, runs, hashes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests.graph import window_arithmetic as arithmetic
from tests.graph.window_arithmetic import Refused, Values, unbroadcast
from trackgen.card import Card

__all__ = ["WindowGraph", "linear_factors", "reference_hashes"]

MOVING = {
    "Compress", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Pad", "Reshape",
    "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
"""Every element of the output is an element of an input, or a constant. Where: by a constant condition."""
LINEAR = {"Add", "Sub", "Sum", "Mean", "Neg", "Identity", "Dropout", "Cast", "CastLike", "Mul", "Div"}
"""On single elements; Mul and Div where all else is constant."""
KINKED = {
    "Abs", "Celu", "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Max", "Min", "PRelu", "Relu", "Selu",
    "Shrink", "ThresholdedRelu", "Where",
}  # fmt: skip
SMOOTH = {
    "Atan", "Cos", "Erf", "Exp", "Gelu", "Log", "Mish", "Pow", "Reciprocal", "Sigmoid", "Sin", "Softplus", "Softsign",
    "Sqrt", "Swish", "Tanh",
}  # fmt: skip
LOGICAL = {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor", "Sign"}
POINTWISE = LINEAR | KINKED | SMOOTH | LOGICAL
POOLED_MAXIMA = {"MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"}
PASSING = {"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Cast", "Dropout"}
"""What may stand between a network's last activation and its output."""

Spread = Callable[[np.ndarray], list[tuple[str, np.ndarray]]]


def linear_factors(node: onnx.NodeProto, graph: WindowGraph, values: Values) -> list[tuple[str, Any]] | None:
    """What a linear operation on single elements multiplies each live operand by; None where it isn't linear."""
    op, names = node.op_type, [name for name in node.input if name]
    live = [name for name in names if graph.is_live(name)]
    if op not in LINEAR or any(values[name].dtype != np.float64 for name in (*live, node.output[0])):
        return None
    if op in ("Mul", "Div"):
        if len(live) != 1 or (op == "Div" and live[0] != names[0]):
            return None
        other = values[names[0] if live[0] == names[1] else names[1]]
        return [(live[0], other if op == "Mul" else 1 / other)]
    factors = {"Sub": [1, -1], "Neg": [-1], "Mean": [1 / len(names)] * len(names)}.get(op, [1] * len(names))
    return [(name, factor) for name, factor in zip(names, factors, strict=True) if graph.is_live(name)]


@dataclass(frozen=True)
class WindowGraph:
    """The nodes that one output's logits need, in order.

    Attributes:
        constants: name -> value, floats in float64.
        output: the logits, in the output's shape.
        live: the tensors that depend on what a window holds (a Shape depends on none of it).
    """

    nodes: tuple[onnx.NodeProto, ...]
    constants: Values
    opset: int
    output: str
    live: frozenset[str]

    @classmethod
    def of_model(cls, model: onnx.ModelProto, output: str, activation: str) -> WindowGraph:
        constants = {entry.name: _wide(numpy_helper.to_array(entry)) for entry in model.graph.initializer}
        nodes, logits = _without_activation(list(model.graph.node), output, activation)
        nodes = _needed(nodes, logits)
        live = {entry.name for entry in model.graph.input} - set(constants)
        for node in nodes:
            if any(entry.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for entry in node.attribute):
                raise Refused(node, "a graph inside the graph")
            if node.op_type not in ("Shape", "Size") and live.intersection(node.input):
                live.update(node.output)
        opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
        return cls(tuple(nodes), constants, opset, logits, frozenset(live))

    def is_live(self, name: str) -> bool:
        return name in self.live

    def live_inputs(self, node: onnx.NodeProto) -> list[str]:
        return [name for name in node.input if name in self.live]

    def run(self, feed: Values) -> Values:
        """Every tensor of the graph."""
        values = {**self.constants, **feed}
        for node in self.nodes:
            values |= self.outputs(node, values)
        return values

    def outputs(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> Values:
        """The outputs of one node."""
        if node.op_type in ("MaxPool", "GlobalMaxPool") and self.live_inputs(node):
            if len(node.output) > 1:
                raise Refused(node, "the indices of maxima are read")
            elements, _ = self.elements(node, values)
            return {node.output[0]: elements.max(axis=-1)}
        return arithmetic.evaluate(node, self.opset, values)

    def origins(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], list[str]]:
        """For a node that moves elements: which one stands where in each output, and the inputs that they come from.

        Elements are counted from 1 through all float inputs in their order; 0 is an element that is in none.
        """
        inside, sources, start = dict(values), [], 1
        for name in dict.fromkeys(node.input):
            if not name or values[name].dtype not in (np.float64, np.uint64):
                if name in self.live:
                    raise Refused(node, "elements that are moved by the input's values")
                continue
            size = values[name].size
            inside[name] = np.arange(start, start + size, dtype=np.float64).reshape(values[name].shape)
            sources.append(name)
            start += size
        moved = self.outputs(node, inside)
        return [moved[name].astype(np.int64) for name in node.output if name], sources

    def common_root(self, node: onnx.NodeProto, values: Values) -> tuple[str | None, list[onnx.NodeProto]]:
        """The last float tensor that all of the node is a function of, element by element, and the nodes from there."""
        maker = {name: (place, entry) for place, entry in enumerate(self.nodes) for name in entry.output}
        tensors, group = set(self.live_inputs(node)), {maker[node.output[0]][0]: node}
        while len(tensors) > 1 or values[next(iter(tensors))].dtype != np.float64:
            latest = max(tensors, key=lambda name: maker[name][0] if name in maker else -1)
            place, made = maker.get(latest, (-1, None))
            if made is None or not self._keeps_elements(made, values):
                return None, []
            tensors = (tensors - {latest}) | set(self.live_inputs(made))
            group[place] = made
        return tensors.pop(), [group[place] for place in sorted(group)]

    def _keeps_elements(self, node: onnx.NodeProto, values: Values) -> bool:
        shapes = {values[name].shape for name in (*self.live_inputs(node), node.output[0])}
        return node.op_type in POINTWISE and len(shapes) == 1

    # Maxima -------------------------------------------------------------------------------------------------------

    def takes_maximum(self, node: onnx.NodeProto, values: Values) -> bool:
        """A pool, or the larger of several tensors that are not functions of one tensor."""
        if node.op_type in POOLED_MAXIMA:
            return True
        several = node.op_type in ("Max", "Min") and len(set(self.live_inputs(node))) > 1
        return several and self.common_root(node, values)[0] is None

    def elements(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Spread]:
        """(*output, elements) what a maximum is taken of, -inf (0 of hashes) where there is none; and the way back."""
        x = values[node.input[0]]
        if node.op_type in ("Max", "Min"):
            return self._operands(node, values)
        if node.op_type == "MaxPool":
            table, sizes = arithmetic.taps(node, x.shape[2:], arithmetic.options(node)["kernel_shape"])
            nothing = -np.inf if x.dtype == np.float64 else 0
            made = arithmetic.gathered(x, table, nothing).reshape(*x.shape[:2], *sizes, -1)

            def spread(parts: np.ndarray) -> list[tuple[str, np.ndarray]]:
                parts = parts.reshape(*x.shape[:2], *table.shape)
                return [(node.input[0], arithmetic.scattered(parts, table, x.shape))]

            return made, spread
        axes = arithmetic.reduced_axes(node, values)
        kept = [axis for axis in range(x.ndim) if axis not in axes]
        turned = x.transpose(*kept, *axes)
        shape = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        if not arithmetic.options(node).get("keepdims", 1):
            shape = [x.shape[axis] for axis in kept]

        def back(parts: np.ndarray) -> list[tuple[str, np.ndarray]]:
            return [(node.input[0], parts.reshape(turned.shape).transpose(np.argsort([*kept, *axes])))]

        return turned.reshape(*shape, -1), back

    def _operands(self, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Spread]:
        made = np.stack(np.broadcast_arrays(*[values[name] for name in node.input]), axis=-1)

        def spread(parts: np.ndarray) -> list[tuple[str, np.ndarray]]:
            return [
                (name, unbroadcast(parts[..., place], values[name].shape))
                for place, name in enumerate(node.input)
                if name in self.live
            ]

        return made, spread


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype in (np.float32, np.float16) else array


def _without_activation(nodes: list[onnx.NodeProto], output: str, activation: str) -> tuple[list[onnx.NodeProto], str]:
    """The nodes with copies of those behind the last activation that read its input, and the logits' name."""
    if activation == "none":
        return nodes, output
    maker = {name: node for node in nodes for name in node.output}
    name, behind = output, []
    while maker[name].op_type != {"softmax": "Softmax", "sigmoid": "Sigmoid"}[activation]:
        if maker[name].op_type not in PASSING:
            raise Refused(maker[name], f"stands between the {activation} and the output")
        behind.append(maker[name])
        name = maker[name].input[0]
    logits, copies = maker[name].input[0], []
    for node in reversed(behind):
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        copy.input[0], logits = logits, f"{node.output[0]}/logits"
        del copy.output[:]
        copy.output.append(logits)
        copies.append(copy)
    return nodes + copies, logits


def _needed(nodes: Sequence[onnx.NodeProto], output: str) -> list[onnx.NodeProto]:
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(name for name in node.input if name)
            kept.append(node)
    return kept[::-1]


# Equal by structure -----------------------------------------------------------------------------------------------

Hashes = dict[str, np.ndarray]
_ODD = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    values = values.astype(np.uint64) + np.uint64(_ODD[0])
    values = (values ^ (values >> np.uint64(30))) * np.uint64(_ODD[1])
    values = (values ^ (values >> np.uint64(27))) * np.uint64(_ODD[2])
    return values ^ (values >> np.uint64(31))


def _random(key: str, shape: Iterable[int]) -> np.ndarray:
    generator = np.random.default_rng(zlib.crc32(key.encode()))
    return generator.integers(1, 2**64, tuple(shape), dtype=np.uint64, endpoint=False)


_PADDING = _random("padding", ())


def reference_hashes(card: Card, shapes: Mapping[str, tuple[int, ...]]) -> Hashes:
    """Graph input -> a hash for each channel, the same at all positions; for each element of a vector."""
    made = {}
    for name, members in card.tensors:
        shape = shapes[name]
        last = members[0].kind == "vector" or members[0].layout == "NLC"
        channels = _random(f"input {name}", [shape[-1] if last else shape[1]])
        made[name] = np.broadcast_to(channels if last else channels[:, None], shape).copy()
    return made


class Twin:
    """A graph run on hashes: equal hashes mean the same operations on the same constants and the same inputs.

    Numbers of a constant are told apart by their place in it, never by their value; so a constant along the positions
    makes them unequal. Sums are modulo 2**64, which is exact in any order.

    Attributes:
        equal: the output of each maximum -> whether all that it is taken of is equal, padding left out.
    """

    def __init__(self, graph: WindowGraph, feed: Hashes) -> None:
        self.graph, self.hashes, self.equal = graph, dict(feed), dict[str, np.ndarray]()
        sizes = {name: np.zeros(values.shape) for name, values in feed.items()}
        self.values = graph.run(sizes)
        with np.errstate(over="ignore"):
            for node in graph.nodes:
                if graph.is_live(node.output[0]):
                    self._step(node)

    def _of(self, name: str) -> np.ndarray:
        if name not in self.hashes:
            self.hashes[name] = self._constant(name)
        return self.hashes[name]

    def _constant(self, name: str) -> np.ndarray:
        """A random number for each of a constant's; where it was made by repeating others, theirs."""
        for node in self.graph.nodes:
            if name in node.output and node.op_type in MOVING:
                (origin,), sources = self.graph.origins(node, self.values)
                return np.concatenate([[_PADDING], *[self._of(entry).ravel() for entry in sources]])[origin]
        return _random(f"constant {name}", self.values[name].shape)

    def _step(self, node: onnx.NodeProto) -> None:
        graph = self.graph
        if node.op_type in MOVING and not (node.op_type == "Where" and graph.is_live(node.input[0])):
            origins, sources = graph.origins(node, self.values)
            flat = np.concatenate([[_PADDING], *[self._of(name).ravel() for name in sources]])
            outputs = [name for name in node.output if name]
            self.hashes |= {name: flat[origin] for name, origin in zip(outputs, origins, strict=True)}
            return
        key = np.uint64(zlib.crc32(repr((node.op_type, sorted(map(str, node.attribute)))).encode()))
        if graph.takes_maximum(node, self.values):
            self.hashes[node.output[0]] = self._maximum(node, key)
        else:
            self.hashes[node.output[0]] = _mixed(self._combined(node) + key)

    def _maximum(self, node: onnx.NodeProto, key: np.uint64) -> np.ndarray:
        """Of equal elements that one, whatever their number."""
        inside = {name: self._of(name) for name in node.input if name and self.values[name].dtype != np.int64}
        elements, _ = self.graph.elements(node, {**self.values, **inside})
        there = elements != 0
        most = elements.max(axis=-1)
        equal = np.where(there, elements, most[..., None]).min(axis=-1) == most
        self.equal[node.output[0]] = equal
        places = _random("places", elements.shape[-1:])
        return np.where(equal, most, _mixed((_mixed(elements) * places).sum(axis=-1, dtype=np.uint64) + key))

    def _combined(self, node: onnx.NodeProto) -> np.ndarray:
        op, names = node.op_type, [name for name in node.input if name]
        first = self._of(names[0])
        if op == "Conv":
            return arithmetic.convolution(node, *[self._of(name) for name in names], pad=_PADDING)
        if op == "ConvTranspose":
            return arithmetic.deconvolution(node, *[self._of(name) for name in names])
        if op in ("MatMul", "Gemm"):
            turned = [
                self._of(name).T if arithmetic.options(node).get(key) else self._of(name)
                for name, key in zip(names, ("transA", "transB"), strict=False)
            ]
            return turned[0] @ turned[1] + (_mixed(self._of(names[2])) if len(names) > 2 else np.uint64(0))
        if op == "AveragePool":
            return arithmetic.pool_sum(node, first, _PADDING)
        if op in ("ReduceMean", "ReduceSum", "GlobalAveragePool"):
            total = first.sum(axis=arithmetic.reduced_axes(node, self.values), keepdims=True, dtype=np.uint64)
            return total.reshape(self.values[node.output[0]].shape)
        if op == "CumSum":
            return first.cumsum(axis=int(self.values[names[1]]), dtype=np.uint64)
        if op == "BatchNormalization":
            shape = (-1, *[1] * (first.ndim - 2))
            return first * sum(_mixed(self._of(name).reshape(shape)) for name in names[1:])
        if op not in POINTWISE:
            raise Refused(node, "no rule for it")
        return sum(
            _mixed(self._of(name) + np.uint64(place)) * np.uint64(_ODD[place % 3]) for place, name in enumerate(names)
        )
