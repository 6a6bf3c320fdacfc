"""Operators on one element at a time, as ONNX text: dense equals windows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec
from trackgen.graph.dense import pointwise

KW = K | {"w": (54, 2)}
TWO_CONVS = "[a] a = Conv(sequence, k) [b] b = Conv(sequence, l)"
KL = KW | {"l": (3, 4, 3)}
FLAT = "[flat] f = Flatten(sequence)"
JOINED = f"{FLAT} [join] j = Concat<axis = 1>(v, f)"
VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))
WITH_VECTOR = (SEQUENCE, VECTOR)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


NUMBERS = {"b": (3,), "half": number(0.5), "two": number(2)}
ANY = (
    "Abs", "Asinh", "Atan", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Elu<alpha = 0.3>", "Erf", "Exp", "Floor", "Gelu",
    'Gelu<approximate = "tanh">', "HardSigmoid", "HardSigmoid<alpha = 0.4, beta = 0.3>", "HardSwish", "LeakyRelu",
    "LeakyRelu<alpha = 0.3>", "Mish", "Neg", "Relu", "Round", "Selu", "Selu<alpha = 1.5, gamma = 0.5>",
    "Shrink<bias = 0.1, lambd = 0.4>", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Tanh",
    "ThresholdedRelu<alpha = 0.4>",
)  # fmt: skip
POSITIVE = ("Log", "Reciprocal", "Sqrt")
INSIDE = ("Acos", "Asin", "Atanh", "Tan")
UNARY = {
    **{op: f"[op] m = {op}(x)" for op in ANY},
    **{op: f"[abs] p = Abs(x) [plus] q = Add(p, half) [op] m = {op}(q)" for op in POSITIVE},
    **{op: f"[tanh] p = Tanh(x) [times] q = Mul(p, half) [op] m = {op}(q)" for op in INSIDE},
    **{op: f"[op] p = {op}(x) [cast] q = Cast<to = 1>(p) [add] m = Add(q, x)" for op in ("IsInf", "IsNaN")},
    "Acosh": "[abs] p = Abs(x) [plus] q = Add(p, two) [op] m = Acosh(q)",
    "Not": "[over] p = Greater(x, half) [op] q = Not(p) [cast] m = Cast<to = 1>(q)",
    "Cast": "[double] p = Cast<to = 11>(x) [op] m = Cast<to = 1>(p)",
    "Cast<whole>": "[whole] p = Cast<to = 7>(x) [op] m = Cast<to = 1>(p)",
}  # fmt: skip


@table(UNARY)
def test_operators_of_one_operand(name: str) -> None:
    body = f"[conv] x = Conv(sequence, k, b) {UNARY[name]} {DENSE}"
    text = Text(body, KW | NUMBERS, opset=20, strides=(1, 3, 20))
    text.check()
    (node,) = [node for node in text.tile(1).nodes[4:-3] if node.op == name.partition("<")[0]][-1:]
    given = next(node for node in text.model.graph.node if node.name == "op")
    assert len(node.attributes) == len(given.attribute)


def test_every_operator_of_one_operand_is_tested() -> None:
    # ONNX Runtime has no Swish yet
    assert set(pointwise.UNARY) - {name.partition("<")[0] for name in UNARY} == {"Swish"}


TWO = {
    op: f"[op] m = {op}(a, b)" for op in ("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean")
} | {
    "Div": "[e] e = Exp(b) [op] m = Div(a, e)",
    "Pow": "[e] e = Exp(a) [s] s = Sigmoid(b) [op] m = Pow(e, s)",
    "Mod": "[e] e = Exp(b) [op] m = Mod<fmod = 1>(a, e)",
    "PRelu": "[s] s = Sigmoid(b) [op] m = PRelu(a, s)",
    **{op: f"[op] p = {op}(a, b) [cast] m = Cast<to = 1>(p)"
       for op in ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")},
    **{op: f"[p] p = Greater(a, half) [q] q = Less(b, half) [op] r = {op}(p, q) [cast] m = Cast<to = 1>(r)"
       for op in ("And", "Or", "Xor")},
    "Where": "[p] p = Greater(a, half) [op] m = Where(p, a, b)",
    "Clip": "[top] q = Constant<value = float {0.4}>() [op] p = Clip(a, , q) [add] m = Add(p, b)",
}  # fmt: skip


@table(TWO)
def test_operators_of_several_operands(name: str) -> None:
    Text(f"{TWO_CONVS} {TWO[name]} {DENSE}", KL | {"half": number(0.5)}, strides=(1, 3, 20)).check()


def test_every_operator_of_several_operands_is_tested() -> None:
    assert set(pointwise.SEVERAL) | set(pointwise.FOLDED) == set(TWO)


def by(op: str, constant: object, *, left: bool = False) -> Text:
    operands = "n, c" if left else "c, n"
    return Text(f"{CONV} [op] e = {op}({operands}) [r] m = Tanh(e) {DENSE}", KW | {"n": constant})  # type: ignore[dict-item]


SOME = floats(0.5, 2, 1.5).reshape(3, 1)
CONSTANTS = {
    **{f"{op} by a number": by(op, number(1.5)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu")},
    **{f"{op} by one of each channel": by(op, SOME) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu")},
    **{f"{op} of a number": by(op, number(1.5), left=True) for op in ("Sub", "Pow")},
    **{f"{op} of one of each channel": by(op, SOME, left=True) for op in ("Sub", "Add", "Pow")},
    "Mul by (1, 3, 1)": by("Mul", SOME[None]),
    "Mul by what is the same at all positions": by("Mul", np.repeat(SOME, 18, 1)),
    "Add of what is the same at all positions, written out": by("Add", np.full((1, 3, 18), 0.3, np.float32)),
    "Div of a number": Text(
        f"{CONV} [e] e = Exp(c) [over] m = Div(n, e) {DENSE}", KW | {"n": number(1.5)}
    ),
    "Pow": Text(f"{CONV} [e] e = Exp(c) [op] m = Pow(e, n) {DENSE}", KW | {"n": SOME}),
    "Where by channel": Text(
        f"{CONV} [o] o = Greater(c, n) [op] m = Where(o, n, c) {DENSE}", KW | {"n": SOME}
    ),
    "Clip below": Text(f"{CONV} [op] m = Clip(c, low) {DENSE}", KW | {"low": number(-0.2)}),
    "Clip above": Text(f"{CONV} [op] m = Clip(c, , high) {DENSE}", KW | {"high": number(0.2)}),
    "Clip on both sides": Text(
        f"{CONV} [op] m = Clip(c, low, high) {DENSE}", KW | {"low": number(-0.2), "high": number(0.2)}
    ),
    "Clip on no side": Text(f"{CONV} [op] m = Clip(c) {DENSE}", KW),
    "Mod of whole numbers": Text(
        f"{CONV} [i] i = Cast<to = 7>(c) [op] j = Mod(i, n) [back] m = Cast<to = 1>(j) {DENSE}",
        KW | {"n": np.array(3)},
    ),
    "channels last": Text(
        f"""{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [op] e = Mul(t, n) [plus] g = Add(n, e) [r] m = Relu(g)
        {DENSE}""",
        KW | {"n": floats(0.5, 2, 1.5)},
    ),
    "flattened, one of each channel": Text(
        f"{CONV} [flat] g = Flatten(c) [op] e = Mul(g, n) [r] f = Relu(e) [gemm] out = Gemm(f, w)",
        KW | {"n": np.repeat(SOME[:, 0], 18)},
    ),
    "Max of several and a constant": Text(
        f"{TWO_CONVS} [op] m = Max(a, n, b, a) {DENSE}", KL | {"n": number(0.1)}
    ),
    "Min, a constant first": Text(f"{TWO_CONVS} [op] m = Min(n, a, b) {DENSE}", KL | {"n": SOME}),
    "Max of one": Text(f"{CONV} [op] m = Max(c) {DENSE}", KW),
    "Mean of three, one a constant": Text(f"{TWO_CONVS} [op] m = Mean(a, n, b) {DENSE}", KL | {"n": SOME}),
    "Sum of three": Text(f"{TWO_CONVS} [op] m = Sum(a, b, a) {DENSE}", KL),
    # one channel, one window, one vector against many
    "one channel as a gate of all": Text(
        f"{CONV} [g] g = Conv(sequence, l) [s] s = Sigmoid(g) [op] m = Mul(s, c) {DENSE}", KW | {"l": (1, 4, 3)}
    ),
    "all channels as a gate of one": Text(
        f"{CONV} [g] g = Conv(sequence, l) [op] m = Sub(g, c) {DENSE}", KW | {"l": (1, 4, 3)}
    ),
    "one channel against a constant of three": Text(
        f"[g] g = Conv(sequence, l) [op] m = Add(g, n) {DENSE}", {"l": (1, 4, 3), "n": SOME, "w": (54, 2)}
    ),
    "a vector as a gate of channels": Text(
        f"{CONV} [lift] l = Unsqueeze(v, two) [op] m = Mul(c, l) {DENSE}", KW | {"two": ints(2)}, inputs=WITH_VECTOR
    ),
    "a gate of the vector and of the classes": Text(
        f"{FLAT} [g] g = Gemm(f, w) [op] e = Mul(g, v) [gemm] out = Gemm(e, u)", {"w": (80, 3), "u": (3, 2)},
        inputs=WITH_VECTOR,
    ),
    "every pair of two sets of classes": Text(
        f"""{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(f, u) [la] la = Unsqueeze(a, two) [lb] lb = Unsqueeze(b, one)
        [op] m = Mul(la, lb) [flat2] g = Flatten(m) [gemm] out = Gemm(g, z)""",
        {"w": (80, 3), "u": (80, 2), "one": ints(1), "two": ints(2), "z": (6, 2)},
    ),
    "classes in another order of axes": Text(
        f"""{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(f, u) [ra] ra = Reshape(a, sa) [rb] rb = Reshape(b, sb)
        [turn] t = Transpose<perm = [0, 2, 1]>(ra) [op] m = Sub(t, rb) [flat2] g = Flatten(m)
        [gemm] out = Gemm(g, z)""",
        {"w": (80, 6), "u": (80, 6), "sa": ints(-1, 3, 2), "sb": ints(-1, 2, 3), "z": (6, 2)},
    ),
    "classes cut in two ways that have a common one": Text(
        f"""{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(f, u) [ra] ra = Reshape(a, sa) [rb] rb = Reshape(b, sb)
        [ta] ta = Transpose<perm = [0, 2, 1]>(ra) [fa] fa = Flatten(ta) [tb] tb = Transpose<perm = [0, 2, 1]>(rb)
        [fb] fb = Flatten(tb) [op] g = Add(fa, fb) [gemm] out = Gemm(g, z)""",
        {"w": (80, 12), "u": (80, 12), "sa": ints(-1, 6, 2), "sb": ints(-1, 3, 4), "z": (12, 2)},
    ),
    "a windows' value against one that has windows too many": Text(
        f"""{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [x] x = GlobalMaxPool(p)
        [y] y = GlobalMaxPool(c) [op] m = Sub(x, y) {DENSE}""",
        K | {"w": (3, 2)},
    ),
    "a residual around padding": Text(
        f"""{CONV} [d] d = Conv<pads = [1, 1]>(c, l) [op] e = Add(c, d)
        [crop] m = Slice(e, one, minus, axis) {DENSE}""",
        K | {"l": (3, 3, 3), "one": ints(1), "minus": ints(-1), "axis": ints(2), "w": (48, 2)},
    ),
    "positions cropped to equal lengths": Text(
        f"""[a] a = Conv(sequence, l) [b] b = Conv<dilations = [2]>(a, j) [crop] e = Slice(a, two, minus, two)
        [op] m = Add(b, e) {DENSE}""",
        {"l": (3, 4, 3), "j": (3, 3, 3), "two": ints(2), "minus": ints(-2), "w": (42, 2)},
    ),
    # maps that differ by position, up to a dense layer
    **{
        f"{op} by one of each position": Text(
            f"{CONV} [op] m = {op}({operands}) {DENSE}", KW | {"n": np.linspace(0.5, 2, 18, dtype=np.float32)}
        )
        for op, operands in (("Add", "c, n"), ("Sub", "c, n"), ("Sub", "n, c"), ("Mul", "n, c"), ("Div", "c, n"))
    },
    "Sub of one of each position": Text(
        f"{CONV} [op] m = Sub(n, c) {DENSE}", KW | {"n": np.linspace(0.5, 2, 18, dtype=np.float32)}
    ),
    "several maps one behind another": Text(
        f"""{CONV} [a] d = Add(c, n) [b] e = Mul(d, h) [c] g = Sub(p, e) [d] i = Div(g, n) [e] m = Mul(q, i) {DENSE}""",
        KW | {"n": np.linspace(0.5, 2, 54, dtype=np.float32).reshape(3, 18), "h": number(3), "p": SOME,
              "q": np.linspace(1, 2, 18, dtype=np.float32)},
    ),
    # joined branches
    "a Relu of joined branches": Text(
        f"{JOINED} [op] r = Relu(j) [gemm] out = Gemm(r, w)", {"w": (83, 2)}, inputs=WITH_VECTOR
    ),
    "joined branches times a number": Text(
        f"{JOINED} [op] r = Mul(j, n) [gemm] out = Gemm(r, w)", {"w": (83, 2), "n": number(3)}, inputs=WITH_VECTOR
    ),
    "joined branches, one factor each": Text(
        f"{JOINED} [op] r = Mul(j, n) [plus] q = Add(r, o) [gemm] out = Gemm(q, w)",
        {"w": (83, 2), "n": (83,), "o": (1, 83)}, inputs=WITH_VECTOR,
    ),
    "joined branches added": Text(
        f"{JOINED} [op] r = Tanh(j) [plus] q = Add(r, j) [gemm] out = Gemm(q, w)", {"w": (83, 2)}, inputs=WITH_VECTOR
    ),
    "joined branches clipped": Text(
        f"{JOINED} [op] r = Clip(j, , n) [gemm] out = Gemm(r, w)", {"w": (83, 2), "n": number(0.3)}, inputs=WITH_VECTOR
    ),
}  # fmt: skip


@table(CONSTANTS)
def test_constants_and_operands_that_broadcast(name: str) -> None:
    CONSTANTS[name].check()


def test_constants_are_laid_out_by_channel() -> None:
    for name in ("Mul by one of each channel", "Mul by what is the same at all positions", "channels last",
                 "flattened, one of each channel"):  # fmt: skip
        tile = CONSTANTS[name].tile(1)
        assert tile.constants[tile.only("Mul").inputs[1]].shape == (1, 3, 1, 1), name
    tile = CONSTANTS["Mul by a number"].tile(1)
    assert tile.constants[tile.only("Mul").inputs[1]].shape == ()


@pytest.mark.parametrize("name", ["Add by one of each position", "several maps one behind another"])
def test_a_map_that_differs_by_position_is_no_node(name: str) -> None:
    assert CONSTANTS[name].tile(1).ops == ["Conv", "Conv"]


def test_operands_of_one_order_are_not_gathered() -> None:
    assert not CONSTANTS["every pair of two sets of classes"].tile(20).all("Transpose")
    assert CONSTANTS["one channel as a gate of all"].tile(1).ops == ["Conv", "Conv", "Sigmoid", "Mul", "Conv"]


SLOPES = np.linspace(0.5, 2, 18, dtype=np.float32)
REFUSED = {
    "a curve behind a map that differs by position": (
        Text(f"{CONV} [place] d = Add(c, n) [r] m = Relu(d) {DENSE}", KW | {"n": SLOPES}), "r", "differ by position",
    ),
    "two maps that differ by position": (
        Text(f"{CONV} [place] d = Add(c, n) [op] m = Mul(d, c) {DENSE}", KW | {"n": SLOPES}), "op",
        "differ by position",
    ),
    "over a number of each position": (
        Text(f"{CONV} [e] e = Exp(c) [op] m = Div(n, e) {DENSE}", KW | {"n": SLOPES}), "op", "differ by position",
    ),
    "compared with one of each position": (
        Text(f"{CONV} [op] e = Greater(c, n) [cast] m = Cast<to = 1>(e) {DENSE}", KW | {"n": SLOPES}), "op",
        "differ by position",
    ),
    "the window's maximum taken off each position": (
        Text(f"{CONV} [top] t = GlobalMaxPool(c) [op] m = Sub(c, t) {DENSE}", KW), "op", "whole window meets",
    ),
    "positions of different places": (
        Text(f"""{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [2]>(c) [e] e = Slice(c, a, b, two)
             [op] m = Add(p, e) {DENSE}""",
             K | {"a": ints(5), "b": ints(13), "two": ints(2), "w": (24, 2)}),
        "op", "different places",
    ),
    "joined in different ways": (
        Text(f"""{JOINED} [k] k = Concat<axis = 1>(f, v) [op] r = Add(j, k) [gemm] out = Gemm(r, w)""",
             {"w": (83, 2)}, inputs=WITH_VECTOR),
        "op", "joined in different ways",
    ),
    "joined branches and one tensor": (
        Text(f"""{JOINED} [g] g = Gemm(f, u) [op] r = Add(j, g) [gemm] out = Gemm(r, w)""",
             {"w": (83, 2), "u": (80, 83)}, inputs=WITH_VECTOR),
        "op", "with one tensor",
    ),
    "classes in orders that do not fit": (
        Text(f"""{FLAT} [a] a = Gemm(f, w) [ra] ra = Reshape(a, sa) [rb] rb = Reshape(a, sb)
             [ta] ta = Transpose<perm = [0, 2, 1]>(ra) [fa] fa = Flatten(ta) [tb] tb = Transpose<perm = [0, 2, 1]>(rb)
             [fb] fb = Flatten(tb) [op] g = Add(fa, fb) [gemm] out = Gemm(g, z)""",
             {"w": (80, 12), "sa": ints(-1, 3, 4), "sb": ints(-1, 4, 3), "z": (12, 2)}),
        "op", "different orders",
    ),
    "padding that meets": (
        Text(f"{CONV} [d] d = Conv<pads = [1, 1]>(c, l) [op] out = Add(c, d)", K | {"l": (3, 3, 3)}, out="3, 18"),
        "d", "padding",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_depends_on_where_a_window_begins_is_refused(name: str) -> None:
    text, node, reason = REFUSED[name]
    text.refused(node, reason)
