"""DeepLIFT of windows, one layer after the other in numpy float64: what contribution graphs must give.

Shares nothing with the compilers. The numbers are those of the design: Rescale for what acts on single elements, the
transposed operation for what is linear, and for maxima the first arg-max or the cross-maximum. Which of the two is
told by a second run in which every number is replaced by a random 64-bit integer and every operation by a hash:
elements of the reference are equal by structure where their hashes are.

The forward arithmetic of the operations stands in `window_arithmetic.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from tests.graph import window_arithmetic as arithmetic
from tests.graph import window_graph
from tests.graph.window_arithmetic import Refused, Values, unbroadcast
from tests.graph.window_graph import Twin, WindowGraph, reference_hashes
from trackgen.card import Card

__all__ = ["WRONG_RULES", "Explained", "Refused", "constant_reference", "explain_window", "hypothetical_scores"]

WRONG_RULES = ("relu", "smooth", "group", "max", "structure", "classes")
"""Rules that can be replaced, to show that a test sees it: by the gradient at the input (``relu``: one operation with a
kink; ``smooth``: one without; ``group``: several nodes as one; ``max``: all to the first arg-max), by the cross-maximum
everywhere (``structure``), or by the logit without the mean over the classes taken off (``classes``)."""

CLOSE = 1e-6
"""Below this difference of input and reference the quotient has too few digits left, even in float64."""

Parts = list[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Explained:
    """What `explain_window` found.

    Attributes:
        multipliers: graph input -> float64 of the input's shape.
        contributions: graph input -> multiplier x (input - reference).
        delta: (N,) the explained scalar less that of the reference.
        target: (N,) the explained scalar.
    """

    multipliers: Values
    contributions: Values
    delta: np.ndarray
    target: np.ndarray


def explain_window(
    model: onnx.ModelProto,
    card: Card,
    output: str,
    class_index: int,
    feed: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    *,
    constant_reference: bool,
    profile_target: str | int | None = None,
    gradient: bool = False,
    wrong_rule: str | None = None,
) -> Explained:
    """The contributions of every element of the graph's inputs to one class of one output.

    Args:
        feed, reference: graph input -> (N, ...), of the same shapes.
        constant_reference: the reference is the same at every position of each input by construction.
        profile_target: ``sum``, ``centre`` or a position, of an output (N, K, M).
        gradient: the gradient at `feed` in place of every rule.
        wrong_rule: one of `WRONG_RULES`.

    Raises:
        Refused: a node that has no rule.
    """
    assert wrong_rule is None or wrong_rule in WRONG_RULES, wrong_rule
    spec = next(entry for entry in card.outputs if entry.name == output)
    graph = WindowGraph.of_model(model, output, spec.activation)
    here, there = (
        graph.run({name: np.asarray(values, np.float64) for name, values in case.items()}) for case in (feed, reference)
    )
    if not constant_reference or gradient or wrong_rule == "structure":
        equal: Values = {}
    else:
        shapes = {name: (1, *values.shape[1:]) for name, values in feed.items()}
        equal = Twin(graph, reference_hashes(card, shapes)).equal
    values, base = here[graph.output], there[graph.output]
    seed = _seed(values.shape, class_index, profile_target)
    if spec.activation == "softmax" and wrong_rule != "classes":
        seed = seed - seed.sum(axis=1, keepdims=True) / values.shape[1]
    found = _Backward(graph, here, there, equal, gradient, wrong_rule).run(seed)
    multipliers = {name: found.get(name, np.zeros(np.shape(case))) for name, case in feed.items()}
    contributions = {name: multipliers[name] * (here[name] - there[name]) for name in feed}
    target, start = ((seed * entry).reshape(len(entry), -1).sum(axis=1) for entry in (values, base))
    return Explained(multipliers, contributions, target - start, target)


def _seed(shape: tuple[int, ...], class_index: int, profile_target: str | int | None) -> np.ndarray:
    """The explained scalar's coefficients, before the mean over the classes is taken off."""
    seed = np.zeros(shape)
    if len(shape) == 2:
        assert profile_target is None, "no profile"
        seed[:, class_index] = 1
        return seed
    assert profile_target is not None, "a profile needs profile_target"
    position = shape[2] // 2 if profile_target == "centre" else profile_target
    seed[:, class_index, slice(None) if position == "sum" else position] = 1
    return seed


def constant_reference(card: Card, feed: Mapping[str, np.ndarray]) -> Values:
    """The card's reference for the graph's inputs of the shapes in `feed`, the same at all positions."""
    result = {}
    for name, members in card.tensors:
        rows: list[float] = []
        for spec in members:
            if spec.kind == "sequence":
                rows += [card.reference.values["ACGT".index(base)] for base in spec.bases]
            elif spec.kind == "signal":
                rows += [spec.reference] * max(1, len(spec.channels))
            else:
                rows += [*np.resize(spec.default or (0.0,), spec.length)]
        last = members[0].kind == "vector" or members[0].layout == "NLC"
        result[name] = np.broadcast_to(np.array(rows) if last else np.array(rows)[:, None], feed[name].shape).copy()
    return result


def hypothetical_scores(multipliers: np.ndarray, reference: np.ndarray, layout: str, bases: str) -> np.ndarray:
    """(N, 4, L) what each base in the order A, C, G, T would contribute in place of the one that is there."""
    if layout == "NLC":
        multipliers, reference = multipliers.transpose(0, 2, 1), reference.transpose(0, 2, 1)
    scores = multipliers - (reference * multipliers).sum(axis=1, keepdims=True)
    return scores[:, [bases.index(base) for base in "ACGT"]]


class _Backward:
    """From the output to the inputs; each rule gives what a node's inputs receive of what its output received."""

    def __init__(
        self, graph: WindowGraph, here: Values, there: Values, equal: Values, gradient: bool, wrong: str | None
    ) -> None:
        self.graph, self.here, self.there, self.equal = graph, here, there, equal
        self.gradient, self.wrong = gradient, wrong

    def run(self, seed: np.ndarray) -> Values:
        """Tensor -> multipliers."""
        received: Values = {self.graph.output: seed}
        for node in reversed(self.graph.nodes):
            if any(name in received for name in node.output) and any(self.graph.is_live(name) for name in node.output):
                given = [received.get(name, np.zeros_like(self.here[name])) for name in node.output if name]
                for name, part in self._parts(node, given):
                    received[name] = received[name] + part if name in received else part
        return received

    def _parts(self, node: onnx.NodeProto, given: Sequence[np.ndarray]) -> Parts:
        graph, op = self.graph, node.op_type
        if op in window_graph.MOVING and not (op == "Where" and graph.is_live(node.input[0])):
            return self._moved(node, given)
        if len(given) > 1:
            raise Refused(node, "several outputs are read")
        (received,) = given
        if graph.takes_maximum(node, self.here):
            return self._maximum(node, received)
        if op in window_graph.POINTWISE:
            return self._pointwise(node, received)
        rules = _LINEAR | _GRADIENTS if self.gradient else _LINEAR
        if op not in rules:
            raise Refused(node, "no rule for it")
        return rules[op](node, self.graph, self.here, received)

    def _moved(self, node: onnx.NodeProto, given: Sequence[np.ndarray]) -> Parts:
        origins, sources = self.graph.origins(node, self.here)
        total = np.zeros(1 + sum(self.here[name].size for name in sources))
        for origin, received in zip(origins, given, strict=True):
            total += np.bincount(origin.ravel(), received.ravel(), len(total))
        parts, start = [], 1
        for name in sources:
            values = self.here[name]
            if self.graph.is_live(name):
                parts.append((name, total[start : start + values.size].reshape(values.shape)))
            start += values.size
        return parts

    # Single elements ----------------------------------------------------------------------------------------------

    def _pointwise(self, node: onnx.NodeProto, received: np.ndarray) -> Parts:
        factors = window_graph.linear_factors(node, self.graph, self.here)
        if factors is not None:
            return [(name, unbroadcast(received * factor, self.here[name].shape)) for name, factor in factors]
        if self.gradient:
            names = {name for name in self.graph.live_inputs(node) if self.here[name].dtype == np.float64}
            return [(name, self._slope_part(node, [node], name, received)) for name in sorted(names)]
        root, group = self.graph.common_root(node, self.here)
        if root is None:
            raise Refused(node, "joins several activations that are not functions of one tensor, element by element")
        if len(group) > 1 or len(set(self.graph.live_inputs(node))) > 1:
            rule = "group"
        else:
            rule = "relu" if node.op_type in window_graph.KINKED else "smooth"
        if rule == self.wrong:
            return [(root, self._slope_part(node, group, root, received))]
        return [(root, unbroadcast(received * self._rescale(node, group, root), self.here[root].shape))]

    def _slope_part(
        self, node: onnx.NodeProto, group: Sequence[onnx.NodeProto], root: str, received: np.ndarray
    ) -> np.ndarray:
        slope = arithmetic.slope(self._function(node, group, root, self.here), self.here[root])
        return unbroadcast(received * slope, self.here[root].shape)

    def _function(
        self, node: onnx.NodeProto, group: Sequence[onnx.NodeProto], root: str, values: Values
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The first output of `node` as a function of `root` alone."""

        def run(at: np.ndarray) -> np.ndarray:
            inside = {**values, root: at}
            for member in group:
                inside |= self.graph.outputs(member, inside)
            return inside[node.output[0]]

        return run

    def _rescale(self, node: onnx.NodeProto, group: Sequence[onnx.NodeProto], root: str) -> np.ndarray:
        """(y - y0) / (x - x0); where there is no difference to speak of the slope, unless a kink lies between."""
        y, y0 = self.here[node.output[0]], self.there[node.output[0]]
        x, x0 = self.here[root], self.there[root]
        difference = np.broadcast_to(x - x0, y.shape)
        close = np.abs(difference) < CLOSE
        quotient = (y - y0) / np.where(difference == 0, 1, difference)
        if not close.any():
            return quotient
        slope = arithmetic.slope(self._function(node, group, root, self.here), x)
        if not (close & (difference != 0)).any():
            return np.where(close, slope, quotient)
        other = arithmetic.slope(self._function(node, group, root, self.there), x0)
        kink = (np.abs(slope - other) > 1e-3 * (1 + np.abs(slope))) & (difference != 0)
        return np.where(close & ~kink, (slope + other) / 2, quotient)

    # Maxima -------------------------------------------------------------------------------------------------------

    def _maximum(self, node: onnx.NodeProto, received: np.ndarray) -> Parts:
        elements, spread = self.graph.elements(node, self.here)
        base, _ = self.graph.elements(node, self.there)
        sign = -1.0 if node.op_type in ("Min", "ReduceMin") else 1.0
        with np.errstate(invalid="ignore"):
            factors = self._routed(sign * elements, sign * base, self.equal.get(node.output[0]))
        return spread(factors * received.reshape(elements.shape[:-1])[..., None])

    def _routed(self, elements: np.ndarray, base: np.ndarray, equal: np.ndarray | None) -> np.ndarray:
        """(..., elements) multipliers from the pooled elements to their maximum; -inf stands for no element."""
        places = np.arange(elements.shape[-1])
        top = elements.argmax(axis=-1)[..., None]
        first = (places == top).astype(np.float64)
        if self.gradient or self.wrong == "max":
            return first
        bottom = base.argmax(axis=-1)[..., None]
        out, out0 = elements.max(axis=-1)[..., None], base.max(axis=-1)[..., None]
        cross = np.zeros(elements.shape)
        for chosen, rise in ((top, np.maximum(out, out0) - out0), (bottom, out - np.maximum(out, out0))):
            change = np.take_along_axis(elements, chosen, -1) - np.take_along_axis(base, chosen, -1)
            factor = np.where(rise == 0, 0, rise / np.where(rise == 0, 1, change))
            cross += np.where(places == chosen, factor, 0)
        if equal is None:
            return cross
        return np.where(equal[..., None], first, cross)


# Linear operations ------------------------------------------------------------------------------------------------

Rule = Callable[[onnx.NodeProto, WindowGraph, Values, np.ndarray], Parts]


def _only(node: onnx.NodeProto, graph: WindowGraph, place: int) -> str:
    """The input at `place`, of a node whose other inputs, but for an added bias, are constants."""
    others = [name for index, name in enumerate(node.input) if name and index not in (place, 2)]
    if any(graph.is_live(name) for name in others):
        raise Refused(node, "a product of two activations")
    return node.input[place]


def _convolution(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    name = _only(node, graph, 0)
    if any(graph.is_live(entry) for entry in node.input[2:]):
        raise Refused(node, "a bias that is computed from the input")
    transposed = arithmetic.convolution_back if node.op_type == "Conv" else arithmetic.deconvolution_back
    return [(name, transposed(node, values[name].shape, values[node.input[1]], received))]


def _product(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    """MatMul, Gemm; with both operands live, the product rule (refused before by all but the gradient)."""
    options = arithmetic.options(node)
    left, right = node.input[:2]
    turned = [
        values[name].T if options.get(key) else values[name] for name, key in ((left, "transA"), (right, "transB"))
    ]
    parts: Parts = []
    if node.op_type == "Gemm" and len(node.input) > 2 and graph.is_live(node.input[2]):
        bias = node.input[2]
        parts.append((bias, unbroadcast(received * options.get("beta", 1.0), values[bias].shape)))
    scaled = received * options.get("alpha", 1.0)
    a, b, g = arithmetic.as_matrices(*turned, scaled)
    if graph.is_live(left):
        made = unbroadcast(g @ np.swapaxes(b, -1, -2), a.shape).reshape(turned[0].shape)
        parts.append((left, made.T if options.get("transA") else made))
    if graph.is_live(right):
        made = unbroadcast(np.swapaxes(a, -1, -2) @ g, b.shape).reshape(turned[1].shape)
        parts.append((right, made.T if options.get("transB") else made))
    return parts


def _constant_product(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    if all(graph.is_live(name) for name in node.input[:2]):
        raise Refused(node, "a product of two activations")
    return _product(node, graph, values, received)


def _mean_pool(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    return [(node.input[0], arithmetic.mean_pool_back(node, values[node.input[0]].shape, received))]


def _sum(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    shape = values[node.input[0]].shape
    axes = arithmetic.reduced_axes(node, values)
    kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
    count = 1 if node.op_type == "ReduceSum" else int(np.prod([shape[axis] for axis in axes]))
    return [(node.input[0], np.broadcast_to(received.reshape(kept) / count, shape))]


def _running_sum(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    turned = onnx.NodeProto.FromString(node.SerializeToString())
    del turned.attribute[:]
    options = arithmetic.options(node)
    options["reverse"] = 1 - options.get("reverse", 0)
    turned.attribute.extend(onnx.helper.make_attribute(key, value) for key, value in options.items())
    name = node.input[0]
    return [(name, graph.outputs(turned, {**values, name: received})[node.output[0]])]


def _batch_normalization(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    if any(graph.is_live(name) for name in node.input[1:]):
        raise Refused(node, "parameters that are computed from the input")
    _, scale, _, _, variance = (values[name] for name in node.input)
    factor = scale / np.sqrt(variance + arithmetic.options(node).get("epsilon", 1e-5))
    return [(node.input[0], received * factor.reshape(-1, *[1] * (received.ndim - 2)))]


_LINEAR: dict[str, Rule] = {
    "Conv": _convolution, "ConvTranspose": _convolution, "Gemm": _constant_product, "MatMul": _constant_product,
    "AveragePool": _mean_pool, "GlobalAveragePool": _sum, "ReduceMean": _sum, "ReduceSum": _sum,
    "CumSum": _running_sum, "BatchNormalization": _batch_normalization,
}  # fmt: skip


# Gradients of what DeepLIFT has no rule for ------------------------------------------------------------------------


def _softmax_gradient(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    axis, made = arithmetic.options(node).get("axis", -1), values[node.output[0]]
    return [(node.input[0], made * (received - (received * made).sum(axis=axis, keepdims=True)))]


def _normalization_gradient(node: onnx.NodeProto, graph: WindowGraph, values: Values, received: np.ndarray) -> Parts:
    """Of (x - mean) / sqrt(variance + epsilon) x scale, mean and variance over `axes`."""
    x, scale, epsilon = values[node.input[0]], values[node.input[1]], arithmetic.options(node).get("epsilon", 1e-5)
    first = arithmetic.options(node).get("axis", -1) % x.ndim
    if node.op_type == "InstanceNormalization":
        first, scale = 2, scale.reshape(-1, *[1] * (x.ndim - 2))
    axes = tuple(range(first, x.ndim))
    centred = x - x.mean(axis=axes, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=axes, keepdims=True) + epsilon)
    normal, scaled = centred / deviation, received * scale
    mean = scaled.mean(axis=axes, keepdims=True) + normal * (scaled * normal).mean(axis=axes, keepdims=True)
    return [(node.input[0], (scaled - mean) / deviation)]


_GRADIENTS: dict[str, Rule] = {
    "Softmax": _softmax_gradient, "LayerNormalization": _normalization_gradient,
    "InstanceNormalization": _normalization_gradient, "MatMul": _product, "Gemm": _product,
}  # fmt: skip
