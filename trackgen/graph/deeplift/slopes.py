"""Derivatives of operators on one element at a time, written as ONNX nodes: dual numbers, (value, slope)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from onnx import TensorProto

from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.nodes import Array, Node

__all__ = ["POINTWISE", "Number", "write_dual"]


class Number:
    """A tensor of the graph that is being written, with arithmetic.

    Args:
        is_one: a product with it need not be written. Nor may it: ONNX Runtime 1.31 loses a product of a constant with
            1 (its pass NoopElimination).
    """

    def __init__(self, build: TileBuilder, name: str, *, is_one: bool = False) -> None:
        self.build, self.name, self.is_one = build, name, is_one

    def of(self, op: str, *others: Number | float, **attributes: object) -> Number:
        """An operator on this tensor and others."""
        names = [self.name, *(self._name(other) for other in others)]
        return Number(self.build, self.build.emit(op, names, **attributes))

    def _name(self, other: Number | float) -> str:
        return other.name if isinstance(other, Number) else self.build.constant(np.array(other, np.float32))

    def __add__(self, other: Number | float) -> Number:
        return self.of("Add", other)

    def __sub__(self, other: Number | float) -> Number:
        return self.of("Sub", other)

    def __mul__(self, other: Number | float) -> Number:
        if isinstance(other, Number) and (self.is_one or other.is_one):
            return other if self.is_one else self
        return self.of("Mul", other)

    def __truediv__(self, other: Number | float) -> Number:
        return self.of("Div", other)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Number:
        return self.of("Neg")

    def __rsub__(self, other: float) -> Number:
        return -self + other

    def __rtruediv__(self, other: float) -> Number:
        return Number(self.build, self._name(other)).of("Div", self)

    def where(self, yes: Number | float, no: Number | float) -> Number:
        """One or the other, by this condition."""
        names = [self.name, self._name(yes), self._name(no)]
        return Number(self.build, self.build.emit("Where", names))

    def above(self, other: Number | float) -> Number:
        return self.of("Greater", other)

    def as_float(self) -> Number:
        return self.of("Cast", to=TensorProto.FLOAT)


Unary = Callable[[Number, Number, Node], Number]
"""(x, y = f(x), node) -> f'(x)"""


def _attribute(node: Node, name: str, default: float) -> float:
    return float(node.attributes.get(name, default))


def _elu(x: Number, y: Number, node: Node) -> Number:
    return x.above(0.0).where(1.0, y + _attribute(node, "alpha", 1.0))


def _selu(x: Number, y: Number, node: Node) -> Number:
    alpha, gamma = _attribute(node, "alpha", 1.67326319217681884765625), _attribute(node, "gamma", 1.05070102214813232)
    return x.above(0.0).where(gamma, y + alpha * gamma)


def _celu(x: Number, y: Number, node: Node) -> Number:
    return x.above(0.0).where(1.0, (x / _attribute(node, "alpha", 1.0)).of("Exp"))


def _gelu(x: Number, y: Number, node: Node) -> Number:
    if node.attributes.get("approximate", "none") == "tanh":
        factor = math.sqrt(2 / math.pi)
        inner = ((x * x * x) * 0.044715 + x) * factor
        tanh = inner.of("Tanh")
        slope = (x * x * (3 * 0.044715) + 1.0) * factor
        return (tanh + 1.0) * 0.5 + x * 0.5 * (1.0 - tanh * tanh) * slope
    share = ((x * math.sqrt(0.5)).of("Erf") + 1.0) * 0.5
    return share + x * (x * x * -0.5).of("Exp") * (1 / math.sqrt(2 * math.pi))


def _hard_sigmoid(x: Number, y: Number, node: Node) -> Number:
    alpha = _attribute(node, "alpha", 0.2)
    inside = y.above(0.0).of("And", (1.0 - y).above(0.0))
    return inside.where(alpha, 0.0)


def _hard_swish(x: Number, y: Number, node: Node) -> Number:
    middle = x / 3.0 + 0.5
    return x.above(3.0).where(1.0, x.above(-3.0).where(middle, 0.0))


def _mish(x: Number, y: Number, node: Node) -> Number:
    tanh = x.of("Softplus").of("Tanh")
    return tanh + x * x.of("Sigmoid") * (1.0 - tanh * tanh)


def _swish(x: Number, y: Number, node: Node) -> Number:
    alpha = _attribute(node, "alpha", 1.0)
    sigmoid = (x * alpha).of("Sigmoid")
    return sigmoid + y * alpha * (1.0 - sigmoid)


def _shrink(x: Number, y: Number, node: Node) -> Number:
    bound = _attribute(node, "lambd", 0.5)
    return x.of("Abs").above(bound).as_float()


def _square_root_of(x: Number) -> Number:
    return x.of("Sqrt")


UNARY: Mapping[str, Unary] = {
    "Abs": lambda x, y, node: x.of("Sign"),
    "Acos": lambda x, y, node: -1.0 * (1.0 / _square_root_of(1.0 - x * x)),
    "Acosh": lambda x, y, node: 1.0 / _square_root_of(x * x - 1.0),
    "Asin": lambda x, y, node: 1.0 / _square_root_of(1.0 - x * x),
    "Asinh": lambda x, y, node: 1.0 / _square_root_of(x * x + 1.0),
    "Atan": lambda x, y, node: 1.0 / (x * x + 1.0),
    "Atanh": lambda x, y, node: 1.0 / (1.0 - x * x),
    "Celu": _celu,
    "Cos": lambda x, y, node: -x.of("Sin"),
    "Cosh": lambda x, y, node: x.of("Sinh"),
    "Elu": _elu,
    "Erf": lambda x, y, node: (-(x * x)).of("Exp") * (2 / math.sqrt(math.pi)),
    "Exp": lambda x, y, node: y,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": lambda x, y, node: x.above(0.0).where(1.0, _attribute(node, "alpha", 0.01)),
    "Log": lambda x, y, node: 1.0 / x,
    "Mish": _mish,
    "Neg": lambda x, y, node: x * 0.0 - 1.0,
    "Reciprocal": lambda x, y, node: -(y * y),
    "Relu": lambda x, y, node: x.above(0.0).as_float(),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": lambda x, y, node: y * (1.0 - y),
    "Sin": lambda x, y, node: x.of("Cos"),
    "Sinh": lambda x, y, node: x.of("Cosh"),
    "Softplus": lambda x, y, node: x.of("Sigmoid"),
    "Softsign": lambda x, y, node: 1.0 / ((x.of("Abs") + 1.0) * (x.of("Abs") + 1.0)),
    "Sqrt": lambda x, y, node: 0.5 / y,
    "Swish": _swish,
    "Tan": lambda x, y, node: y * y + 1.0,
    "Tanh": lambda x, y, node: 1.0 - y * y,
    "ThresholdedRelu": lambda x, y, node: x.above(_attribute(node, "alpha", 1.0)).as_float(),
}
STEPS = (
    "And", "Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or",
    "Round", "Sign", "Xor",
)  # fmt: skip
"""Operators that are flat wherever they have a slope."""
SEVERAL = ("Add", "Cast", "Clip", "Div", "Identity", "Max", "Mul", "PRelu", "Pow", "Sub", "Where")
POINTWISE = frozenset((*UNARY, *STEPS, *SEVERAL))

Slope = Number | None
"""None for 0."""


def write_dual(
    build: TileBuilder, nodes: Sequence[Node], point: Mapping[str, tuple[str, bool]], value_of: Callable[[str], str]
) -> tuple[str, str | None]:
    """Write nodes with the slope of their last result.

    Args:
        nodes: on one element at a time, in order.
        point: tensor -> where it is taken, and whether the slope is by it.
        value_of: the name of any other tensor.

    Returns:
        The last result and its slope; None for a slope of 0.
    """
    values = {name: Number(build, place) for name, (place, _) in point.items()}
    one = Number(build, build.constant(np.array(1.0, np.float32)), is_one=True)
    slopes: dict[str, Slope] = {name: one if moves else None for name, (_, moves) in point.items()}
    for node in nodes:
        for name in node.inputs:
            if name and name not in values:
                values[name], slopes[name] = Number(build, value_of(name)), None
        given = [values[name] for name in node.inputs if name]
        names = [values[name].name if name else "" for name in node.inputs]
        result = Number(build, build.emit(node.op, names, **node.onnx_attributes()))
        values[node.outputs[0]] = result
        slopes[node.outputs[0]] = _slope(node, given, [slopes[name] for name in node.inputs if name], result)
    last = nodes[-1].outputs[0]
    slope = slopes[last]
    return values[last].name, None if slope is None else slope.name


def _slope(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    """The chain rule for one node."""
    if node.op in STEPS or all(slope is None for slope in slopes):
        return None
    if node.op in UNARY:
        assert slopes[0] is not None
        return UNARY[node.op](given[0], y, node) * slopes[0]
    return RULES[node.op](node, given, slopes, y)


def _times(slope: Slope, factor: Number) -> Slope:
    return None if slope is None else slope * factor


def _plus(left: Slope, right: Slope) -> Slope:
    if left is None or right is None:
        return left or right
    return left + right


def _where(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    condition = given[0]
    yes, no = (0.0 if slope is None else slope for slope in slopes[1:])
    return None if slopes[1] is None and slopes[2] is None else condition.where(yes, no)


def _clip(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    """Inside its bounds it passes on what it is given."""
    return _times(slopes[0], given[0].of("Equal", y).as_float())


def _max(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    total: Slope = None
    taken: Number | None = None
    for value, slope in zip(given, slopes, strict=True):
        mine = value.of("Equal", y)
        mine = mine if taken is None else mine.of("And", taken.of("Not"))
        taken = mine if taken is None else taken.of("Or", mine)
        total = _plus(total, _times(slope, mine.as_float()))
    return total


def _mul(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    return _plus(_times(slopes[0], given[1]), _times(slopes[1], given[0]))


def _div(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    by_divisor = None if slopes[1] is None else -(slopes[1] * y / given[1])
    return _plus(None if slopes[0] is None else slopes[0] / given[1], by_divisor)


def _pow(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    base, exponent = given
    by_base = None if slopes[0] is None else slopes[0] * (exponent * base.of("Pow", exponent - 1.0))
    return _plus(by_base, None if slopes[1] is None else slopes[1] * y * base.of("Log"))


def _prelu(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    above = given[0].above(0.0)
    by_slope = None if slopes[1] is None else slopes[1] * above.where(0.0, given[0])
    return _plus(None if slopes[0] is None else slopes[0] * above.where(1.0, given[1]), by_slope)


def _sub(node: Node, given: Sequence[Number], slopes: Sequence[Slope], y: Number) -> Slope:
    return _plus(slopes[0], None if slopes[1] is None else -slopes[1])


RULES: Mapping[str, Callable[[Node, Sequence[Number], Sequence[Slope], Number], Slope]] = {
    "Add": lambda node, given, slopes, y: _plus(slopes[0], slopes[1]),
    "Cast": lambda node, given, slopes, y: slopes[0],
    "Clip": _clip,
    "Div": _div,
    "Identity": lambda node, given, slopes, y: slopes[0],
    "Max": _max,
    "Mul": _mul,
    "PRelu": _prelu,
    "Pow": _pow,
    "Sub": _sub,
    "Where": _where,
}


def grid_of(constants: Sequence[Array]) -> Array:
    """Points from -30 to 30 on a new first axis, fewer where constants are large."""
    size = max([1, *(int(np.size(entry)) for entry in constants)])
    rank = max([0, *(np.ndim(entry) for entry in constants)])
    count = int(np.clip(4_000_000 // size, 601, 60_001))
    return np.linspace(-30.0, 30.0, count).reshape(-1, *[1] * rank)
