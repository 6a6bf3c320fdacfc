"""Every family of rules on a few numbers, worked out by hand.

A row is a model of one signal x (N, channels, n) up to m, values of x, its reference, what the output multiplies the
elements of m with, and the multiplier that each element of x must get. The reference is one number for all positions,
or a list: another signal. Multiples of ten tell apart from which element of m a multiplier came.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.graph.contribution_oracle import explain_window
from tests.graph.dense_oracle import on_runtime
from tests.graph.rules import MOST, ints, table
from tests.graph.texts import card_for, text_model
from trackgen.card import Card, InputSpec
from trackgen.graph import NotDense, compile_dense_contributions, compile_window_contributions

TENS = [10.0**power for power in range(6)]
Numbers = list[float] | list[list[float]]


class Row(NamedTuple):
    body: str
    values: Numbers
    reference: float | list[float]
    wanted: Numbers
    weights: Mapping[str, Any] = MappingProxyType({})
    opset: int = 20


def floats(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


KERNEL = {"k": floats([[1, 2, 3]])}
X = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]

LINEAR = {
    "a strided convolution": Row("m = Conv<strides = [2]>(x, k)", X[:5], 0.5, [1, 2, 13, 20, 30], KERNEL),
    "what floor drops is not reached": Row("m = Conv<strides = [2]>(x, k)", X, 0.5, [1, 2, 13, 20, 30, 0], KERNEL),
    "a dilated, padded convolution": Row(
        "m = Conv<dilations = [2], pads = [1, 0]>(x, k)", X[:4], 0.5, [10, 102, 20, 200], {"k": floats([[1, 2]])}
    ),
    "a stride beyond the kernel": Row(
        "m = Conv<strides = [3]>(x, k)", X[:5], 0.5, [2, 0, 0, 20, 0], {"k": floats([[2]])}
    ),
    "SAME_UPPER": Row('m = Conv<auto_pad = "SAME_UPPER">(x, k)', X[:2], 0.5, [1, 12], {"k": floats([[1, 2]])}),
    "SAME_LOWER": Row('m = Conv<auto_pad = "SAME_LOWER">(x, k)', X[:2], 0.5, [12, 20], {"k": floats([[1, 2]])}),
    "groups": Row(
        "m = Conv<group = 2>(x, k)", [[1, 2], [3, 4]], 0.5, [[2, 20], [300, 3000]], {"k": floats([[2]], [[3]])}),
    "a transposed convolution": Row(
        "m = ConvTranspose<strides = [2]>(x, k)", X[:2], 0.5, [21, 2100], {"k": floats([[1, 2]])}
    ),
    "Gemm with alpha, beta and a live C": Row(
        "f = Flatten(x) m = Gemm<alpha = 0.5, beta = 2.0>(f, v, f)", X[:2], 0.5, [12.5, 41.5],
        {"v": floats([1, 2], [3, 4])}
    ),
    "Gemm, transposed": Row(
        "f = Flatten(x) m = Gemm<transB = 1>(f, v, c)", X[:2], 0.5, [31, 42],
        {"v": floats([1, 2], [3, 4]), "c": floats(7, 8)}
    ),
    "MatMul by a constant": Row("m = MatMul(x, v)", X[:3], 0.5, [21, 43, 65], {"v": floats([1, 2], [3, 4], [5, 6])}),
    "MatMul of a constant": Row("m = MatMul(v, x)", [[1], [2]], 0.5, [[31], [42]], {"v": floats([1, 2], [3, 4])}),
    "MatMul by a vector": Row("m = MatMul(x, v)", X[:3], 0.5, [5, 6, 7], {"v": floats(5, 6, 7)}),
    "a mean pool": Row("m = AveragePool<kernel_shape = [2], strides = [2]>(x)", X[:4], 0.5, [0.5, 0.5, 5, 5]),
    "a padded mean pool": Row(
        "m = AveragePool<kernel_shape = [3], strides = [2], pads = [1, 1]>(x)", X[:4], 0.5,
        [0.5, 0.5 + 10 / 3, 10 / 3, 10 / 3]
    ),
    "a mean pool that counts its pads": Row(
        "m = AveragePool<kernel_shape = [3], strides = [2], pads = [1, 1], count_include_pad = 1>(x)",
        X[:4], 0.5, [1 / 3, 1 / 3 + 10 / 3, 10 / 3, 10 / 3],
    ),
    "a partial mean pool": Row(
        "m = AveragePool<kernel_shape = [3], strides = [3], ceil_mode = 1>(x)", X[:4], 0.5, [1 / 3, 1 / 3, 1 / 3, 10]
    ),
    "BatchNormalization": Row(
        "m = BatchNormalization<epsilon = 1.0>(x, s, b, b, v)", [[1], [2]], 0.5, [[1.5], [20]],
        {"s": floats(3, 4), "b": floats(5, 6), "v": floats(3, 3)},
    ),
    "global means and sums": Row(
        "a = GlobalAveragePool(x) b = ReduceSum(x, two) c = ReduceMean<keepdims = 0>(x, two) d = Unsqueeze(c, two) "
        "m = Concat<axis = 2>(a, b, d)", X[:2], 0.5, [0.5 + 10 + 50] * 2, {"two": ints(2)},
    ),
    "Sum, Mean, Sub, Neg, Div, Mul": Row(
        "a = Sub(c, x) b = Neg(x) d = Div(x, c) e = Mul(x, c) f = Mean(a, b) m = Sum(f, d, e)",
        X[:1], 0.5, [-1 + 0.25 + 4], {"c": floats(4)},
    ),
    "a choice by a constant": Row(
        "a = Neg(x) m = Where(c, x, a)", X[:3], 0.5, [1, -10, 100], {"c": np.array([True, False, True])}
    ),
}  # fmt: skip

MOVING = {
    "a slice with steps": Row("m = Slice(x, a, e, d, s)", X[:5], 0.5, [0, 1, 0, 10, 0],
                              {"a": ints(1), "e": ints(MOST), "d": ints(2), "s": ints(2)}),
    "a flip": Row("m = Slice(x, a, e, d, a)", X[:3], 0.5, [100, 10, 1],
        {"a": ints(-1), "e": ints(-MOST), "d": ints(2)}),
    "every second from the end": Row("m = Slice(x, a, e, d, s)", X[:4], 0.5, [0, 10, 0, 1],
                                     {"a": ints(-1), "e": ints(-MOST), "d": ints(-1), "s": ints(-2)}),
    "a flip that leaves out the first": Row("m = Slice(x, a, e, d, a)", X[:3], 0.5, [0, 10, 1],
                                            {"a": ints(-1), "e": ints(0), "d": ints(2)}),
    "Gather": Row("m = Gather<axis = 2>(x, i)", X[:4], 0.5, [1, 0, 110, 1000], {"i": ints(0, 2, 2, -1)}),
    "Gather of one": Row("m = Gather<axis = 2>(x, i)", X[:3], 0.5, [0, 0, 1], {"i": np.array(-1)}),
    "Split, equal": Row("a, b = Split<axis = 2, num_outputs = 2>(x) m = Concat<axis = 2>(b, a)",
                        X[:4], 0.5, [100, 1000, 1, 10]),
    "Split, unequal, one unread": Row("a, b, c = Split<axis = 2>(x, p) m = Concat<axis = 2>(c, a)",
                                      X[:4], 0.5, [10, 0, 0, 1], {"p": ints(1, 2, 1)}),
    "Pad by zeros, and less than none": Row("m = Pad(x, p)", X[:3], 0.5, [0, 1, 10], {"p": ints(0, 0, -1, 0, 0, 1)}),
    "Pad of an axis that is named": Row("m = Pad(x, p, v, d)", X[:2], 0.5, [10, 100],
                                        {"p": ints(1, 0), "v": np.array(3, np.float32), "d": ints(-1)}),
    "Pad by reflection": Row('m = Pad<mode = "reflect">(x, p)', X[:3], 0.5, [100, 101010, 10001],
                             {"p": ints(0, 0, 2, 0, 0, 1)}),
    "Pad by the edge": Row('m = Pad<mode = "edge">(x, p)', X[:3], 0.5, [11, 100, 111000],
        {"p": ints(0, 0, 1, 0, 0, 2)}),
    "Tile": Row("m = Tile(x, t)", X[:2], 0.5, [101, 1010], {"t": ints(1, 1, 2)}),
    "Expand": Row("m = Expand(x, t)", X[:1], 0.5, [111], {"t": ints(1, 1, 3)}),
    "a row over the other": Row("a = ReduceSum(x, one) m = Add(a, x)", [[1], [2]], 0.5, [[12], [21]], {"one": ints(1)}),
    "CumSum": Row("m = CumSum(x, d)", X[:3], 0.5, [111, 110, 100], {"d": np.array(2)}),
    "CumSum before each": Row("m = CumSum<exclusive = 1>(x, d)", X[:3], 0.5, [110, 100, 0], {"d": np.array(2)}),
    "CumSum from the end": Row("m = CumSum<reverse = 1>(x, d)", X[:3], 0.5, [1, 11, 111], {"d": np.array(-1)}),
    "Transpose, Reshape, Squeeze": Row(
        "t = Transpose<perm = [0, 2, 1]>(x) r = Reshape(t, s) u = Unsqueeze(r, one) m = Squeeze(u, one)",
        [[1, 2], [3, 4]], 0.5, [[1, 100], [10, 1000]], {"s": ints(0, -1), "one": ints(1)},
    ),
}  # fmt: skip

THIRD = math.log(3)
"""Its sigmoid is 3 / 4."""
POINTWISE = {
    "Relu over a negative reference": Row("m = Relu(x)", [3, -3, 1, -1], -1, [0.75, 0, 50, 0]),
    "Relu over a positive reference": Row("m = Relu(x)", [3, -3, -1, 1], 1, [1, 2.5, 50, 1000]),
    "Relu over zero": Row("m = Relu(x)", [2, -2], 0, [1, 0]),
    "Relu across the corner, close": Row("m = Relu(x)", [3e-3, -1e-3], -1e-3, [0.75, 0]),
    "LeakyRelu": Row("m = LeakyRelu<alpha = 0.1>(x)", [3, -3], -1, [0.775, 1]),
    "Clip": Row("m = Clip(x, low, high)", [2, 0.75, -0.5], 0.5, [1 / 3, 10, 50],
                {"low": np.array(0, np.float32), "high": np.array(1, np.float32)}),
    "PRelu": Row("m = PRelu(x, s)", [[3], [-3]], -1, [[3.5 / 4], [2.5]], {"s": floats([0.5], [0.25])}),
    "a square": Row("m = Mul(x, x)", [3, 1, -1], 1, [4, 20, 0]),
    "a power": Row("m = Pow(x, e)", [3, 1], 1, [13, 30], {"e": np.array(3, np.float32)}),
    "Sigmoid": Row("m = Sigmoid(x)", [THIRD, 0], 0, [0.25 / THIRD, 2.5]),
    "Swish by channel": Row("s = Mul(x, a) g = Sigmoid(s) m = Mul(x, g)", [[1], [1]], 0, [[0.5], [7.5]],
                            {"a": floats([0], [THIRD])}),
    "Threshold": Row("l = LessOrEqual(x, t) m = Where(l, t, x)", [1.2, -3, 0.1], -0.8, [0.5, 0, 0],
                     {"t": np.array(0.2, np.float32)}),
    "HardSwish": Row("m = HardSwish(x)", [6, -6, 1.5, 0], 0, [1, 0, 75, 500]),
    "HardSwish in pieces": Row("a = Add(x, three) c = Clip(a, low, six) p = Mul(x, c) m = Div(p, six)",
                               [6, -6, 1.5, 0], 0, [1, 0, 75, 500],
                               {name: np.array(value, np.float32) for name, value in
                                {"three": 3, "low": 0, "six": 6}.items()}),
    "a Max with a constant": Row("m = Max(x, t)", [1.2, -3], -0.8, [0.5, 0], {"t": np.array(0.2, np.float32)}),
    "a quotient by itself": Row("a = Abs(x) b = Add(a, one) m = Div(x, b)", [3, -1], 1, [0.125, 5], {"one": floats(1)}),
    "factors of one and terms of zero": Row(
        "y = Mul(x, one) z = Add(y, none) a = Abs(z) b = Add(a, one) d = Div(z, one) e = Sub(d, none) m = Div(e, b)",
        [3, -1], 1, [0.125, 5], {"one": floats(1), "none": floats(0)},
    ),
}  # fmt: skip

POOLS = {
    "to the first of the largest": Row("m = GlobalMaxPool(x)", [1, 3, 3, 0], 0.5, [0, 1, 0, 0]),
    "also where all fell": Row("m = GlobalMaxPool(x)", [0, 0.2, 0.1], 0.5, [0, 1, 0]),
    "overlapping": Row("m = MaxPool<kernel_shape = [3]>(x)", [1, 5, 2, 4, 4, 0], 0.5, [0, 11, 0, 1100, 0, 0]),
    "a kernel beyond the stride": Row("m = MaxPool<kernel_shape = [3], strides = [2]>(x)",
                                      [1, 5, 2, 4, 4, 0, 7], 0.5, [0, 1, 0, 10, 0, 0, 100]),
    "a kernel of two strides": Row("m = MaxPool<kernel_shape = [4], strides = [2]>(x)",
                                   [0, 1, 9, 2, 3, 3, 8, 1], 0.5, [0, 0, 11, 0, 0, 0, 100, 0]),
    "ties under a kernel of two strides": Row("m = MaxPool<kernel_shape = [4], strides = [2]>(x)",
                                              [2, 2, 2, 2, 2, 2], 0.5, [1, 0, 10, 0, 0, 0]),
    "a kernel of five, a stride of three": Row("m = MaxPool<kernel_shape = [5], strides = [3]>(x)",
                                               [1, 1, 0, 7, 7, 7, 7, 9, 0], 0.5, [0, 0, 0, 1, 0, 0, 0, 10, 0]),
    "gaps between pools": Row("m = MaxPool<kernel_shape = [2], strides = [3]>(x)",
                              [4, 1, 9, 0, 7, 9, 2, 2], 0.5, [1, 0, 0, 0, 10, 0, 100, 0]),
    "a kernel of one": Row("m = MaxPool<kernel_shape = [1], strides = [2]>(x)", [4, 1, 9], 0.5, [1, 0, 10]),
    "dilated": Row("m = MaxPool<kernel_shape = [3], dilations = [2]>(x)", [1, 5, 2, 4, 4, 0], 0.5, [0, 10, 0, 0, 1, 0]),
    "dilated with a stride": Row("m = MaxPool<kernel_shape = [2], dilations = [3], strides = [2]>(x)",
                                 [1, 0, 5, 6, 2, 5, 0, 1], 0.5, [0, 0, 10, 1, 100, 0, 0, 0]),
    "dilated by the stride, three taps": Row("m = MaxPool<kernel_shape = [3], dilations = [2], strides = [2]>(x)",
                                             [3, 9, 3, 9, 1, 9, 3], 0.5, [1, 0, 10, 0, 0, 0, 0]),
    "its own pads are no elements": Row("m = MaxPool<kernel_shape = [3], strides = [2], pads = [1, 1]>(x)",
                                        [-3, -4, -2, -5], -9, [1, 0, 10, 0]),
    "a partial pool": Row("m = MaxPool<kernel_shape = [3], strides = [3], ceil_mode = 1>(x)",
                          [-3, -4, -2, -5], -9, [0, 0, 1, 10]),
    "in two dimensions": Row("u = Unsqueeze(x, one) m = MaxPool<kernel_shape = [2, 2]>(u)",
                             [[1, 2, 3], [5, 2, 3]], 0.5, [[0, 0, 10], [1, 0, 0]], {"one": ints(1)}),
    "ReduceMin": Row("m = ReduceMin(x, d)", [3, 1, 1], 2, [0, 1, 0], {"d": ints(2)}),
    "the larger of two": Row("a, b = Split<axis = 2, num_outputs = 2>(x) m = Max(a, b)",
        [1, 5, 3, 5], 0.5, [0, 10, 1, 0]),
    "the least of three": Row("a, b, c = Split<axis = 2, num_outputs = 3>(x) m = Min(a, b, c)",
                              [2, 5, 1, 5, 1, 7], 0.5, [0, 10, 1, 0, 0, 0]),
    # equal outputs, and different contributions
    "Relu before the pool": Row("r = Relu(x) m = GlobalMaxPool(r)", [-2, -1], 1, [1 / 3, 0]),
    "Relu behind the pool": Row("p = GlobalMaxPool(x) m = Relu(p)", [-2, -1], 1, [0, 0.5]),
}  # fmt: skip
PADDED = {"p": ints(0, 0, 1, 0, 0, 1)}
AROUND = "z = Pad(x, p) m = GlobalMaxPool(z)"
CHANNELS = {"one": ints(1)}
CROSSED = {
    # not one computation: the reference's values are equal by chance
    "over channels, a rise": Row("m = ReduceMax(x, one)", [[1], [2], [0]], 0.5, [[0], [1], [0]], CHANNELS),
    "over channels, a fall": Row("m = ReduceMax(x, one)", [[0], [0.2], [0.1]], 0.5, [[0.6], [0], [0]], CHANNELS),
    "near padding, a rise": Row(AROUND, [0.5, 3, 2], 1, [0, 1, 0], PADDED),
    "near padding, a rise from the padding": Row(AROUND, [2, 1, 0], -1, [2 / 3, 0, 0], PADDED),
    "near padding, a fall": Row(AROUND, [0.2, 0.5, 0.4], 1, [0.625, 0, 0], PADDED),
    "near padding, nothing": Row(AROUND, [-2, -3, -1], -1, [0, 0, 0], PADDED),
    "the pool beside does not feel it": Row("z = Pad(x, p) m = MaxPool<kernel_shape = [2], strides = [2]>(z)",
                                            [0.5, 0.2, 0.4], 1, [1, 0, 10], PADDED),
    "a live rise": Row("m = GlobalMaxPool(x)", [1, 3, 0, 0], [1, 0, 0.5, 0], [0, 2 / 3, 0, 0]),
    "a live fall": Row("m = GlobalMaxPool(x)", [0, 3, 1, 0], [0, 0, 4, 4], [0, 0, 1 / 3, 0]),
    "a live reference that is equal by chance": Row("m = GlobalMaxPool(x)", [0, 0.2, 0.1], [0.5] * 3, [0.6, 0, 0]),
    "a live minimum": Row("m = ReduceMin(x, d)", [-1, 1, 0], [0, -2, 3], [0, 1 / 3, 0], {"d": ints(2)}),
    "live pools with a stride": Row("m = MaxPool<kernel_shape = [3], strides = [2]>(x)",
                                    [1, 3, 0, 2, 2], [1, 0, 0.5, 4, 0], [0, 2 / 3, 0, 10, 0]),
    "the larger of two, live": Row("a, b = Split<axis = 2, num_outputs = 2>(x) m = Max(a, b)",
                                   [1, 0, 3, 3], [1, 4, 0, 5], [0, 0, 2 / 3, 10]),
}  # fmt: skip


def made(row: Row) -> tuple[Any, Card, np.ndarray]:
    """The model, its card and the values (1, channels, n)."""
    values = np.atleast_2d(np.array(row.values, np.float32))[None]
    channels, length = values.shape[1:]
    start = f"float[N, {channels}, {length}] x"
    plain = text_model(row.body + " out = Flatten(m)", row.weights, out="K", inputs=start, opset=row.opset)
    size = on_runtime(plain)({"x": values}, ["out"])[0].shape[1]
    weights = {**row.weights, "read": np.array(TENS[:size], np.float32)[:, None]}
    body = row.body + " flat = Flatten(m) out = MatMul(flat, read)"
    model = text_model(body, weights, out="1", inputs=start, opset=row.opset)
    constant = row.reference if isinstance(row.reference, (int, float)) else 0.0
    names = tuple(f"c{number}" for number in range(channels)) if channels > 1 else ()
    return (
        model,
        card_for(window=length, classes=1, inputs=(InputSpec("x", "signal", reference=constant, channels=names),)),
        values,
    )


def multipliers(row: Row, *, live: bool = False) -> np.ndarray:
    """(channels, n) by the window form."""
    model, card, values = made(row)
    live = live or not isinstance(row.reference, (int, float))
    graph = compile_window_contributions(model, card, "out", live=live)
    feed: dict[str, np.ndarray] = {"x": values, "classes": np.zeros(1, np.int64)}
    if live:
        feed["reference.x"] = np.broadcast_to(np.array(row.reference, np.float32), values.shape).copy()
    found: np.ndarray = on_runtime(graph.model)(feed, ["multipliers.x"])[0][0]
    return found


def assert_row(row: Row, *, live: bool = False) -> None:
    found, wanted = multipliers(row, live=live), np.atleast_2d(np.array(row.wanted))
    # float32 through a handful of operations
    assert np.abs(found - wanted).max() <= 3e-6 * max(1.0, np.abs(wanted).max()), (found, wanted)
    oracle(row, wanted, live=live)


def oracle(row: Row, wanted: np.ndarray, *, live: bool) -> None:
    """The numbers by hand are the oracle's, so neither of the two has slipped."""
    model, card, values = made(row)
    live = live or not isinstance(row.reference, (int, float))
    base = np.broadcast_to(np.array(row.reference, np.float32).astype(np.float64), values.shape)
    explained = explain_window(model, card, "out", 0, {"x": values}, {"x": base}, constant_reference=not live)
    assert np.abs(explained.multipliers["x"][0] - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("live", [False, True])
@table(LINEAR | MOVING | POINTWISE)
def test_multipliers_against_either_kind_of_reference(name: str, live: bool) -> None:
    assert_row((LINEAR | MOVING | POINTWISE)[name], live=live)


@table(POOLS)
def test_maxima_over_a_reference_that_is_equal(name: str) -> None:
    assert_row(POOLS[name])


@table(CROSSED)
def test_maxima_over_a_reference_that_differs(name: str) -> None:
    assert_row(CROSSED[name])


@table(LINEAR | MOVING | POINTWISE | POOLS)
def test_a_tile_of_one_window_gives_the_same(name: str) -> None:
    """Or is refused: then the window form stands alone."""
    row = (LINEAR | MOVING | POINTWISE | POOLS)[name]
    model, card, values = made(row)
    try:
        graph = compile_dense_contributions(model, card, 1, ["out"])
    except NotDense:
        return
    feed = {"signal.x": values, "classes": np.zeros(1, np.int64), "weights": np.ones((1, 1), np.float32)}
    found = on_runtime(graph.model)(feed, ["contributions.0.x"])[0]
    wanted = (np.atleast_2d(np.array(row.wanted)) * (values[0] - np.float32(row.reference))).sum(axis=0)
    # float32 through a handful of operations
    assert np.abs(found - wanted).max() <= 3e-6 * max(1.0, np.abs(wanted).max()), (found, wanted)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def gelu(x: float) -> float:
    return x * (1 + math.erf(x / math.sqrt(2))) / 2


SCALARS = {"root": floats(math.sqrt(2)), "one": floats(1), "half": floats(0.5)}
NEAR = {
    "Sigmoid": ("y = Sigmoid(x)", sigmoid),
    "Tanh": ("y = Tanh(x)", math.tanh),
    "Softplus": ("y = Softplus(x)", lambda x: math.log1p(math.exp(x))),
    "Gelu": ("y = Gelu(x)", gelu),
    "Gelu in pieces": ("d = Div(x, root) e = Erf(d) a = Add(e, one) p = Mul(x, a) y = Mul(p, half)", gelu),
    "SiLU": ("s = Sigmoid(x) y = Mul(s, x)", lambda x: x * sigmoid(x)),
    "a square": ("y = Mul(x, x)", lambda x: x * x),
    # with a corner at zero, and curved on one side of it
    "Elu": ("y = Elu(x)", lambda x: x if x > 0 else math.expm1(x)),
    "Selu": ("y = Selu<alpha = 1.5, gamma = 2.0>(x)", lambda x: 2 * x if x > 0 else 3 * math.expm1(x)),
}


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("reference", [-1.3, 0.4])
@table(NEAR)
def test_near_the_reference_a_curved_function_has_a_slope(name: str, reference: float, live: bool) -> None:
    body, function = NEAR[name]
    base = float(np.float32(reference))
    apart = [0.0, 1e-7, -1e-4, 1e-4, 3e-3, -9.9e-3, 1.01e-2, 0.1]
    values = [float(np.float32(base + distance)) for distance in apart]
    step = 1e-4
    chords = [(function(base + n * step) - function(base - n * step)) / (2 * n * step) for n in (1, 2)]
    # the slope to 1e-9; the quotient of numbers in float64 too, from 1e-4 on
    slope = (4 * chords[0] - chords[1]) / 3
    wanted = [(function(x) - function(base)) / (x - base) if abs(x - base) > 1e-5 else slope for x in values]
    row = Row(f"{body} m = ReduceSum(y, two)", values, base, [], {**SCALARS, "two": ints(2)})
    # a float32 quotient over 1e-2 knows 1e-5 of it; below, the slope half-way is off by less
    assert np.abs(multipliers(row, live=live)[0] - wanted).max() < 2e-5
