"""The oracle of contributions is right: by sums, by differences, by hand, and by the package tangermeme."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

from tests.graph.architectures import random_model
from tests.graph.blocks import Block
from tests.graph.contribution_oracle import Explained, Refused, constant_reference, explain_window, hypothetical_scores
from tests.graph.dense_oracle import make_sample, on_runtime, window_feed
from tests.graph.texts import card_for, text_model
from tests.graph.wild import WILD_BLOCKS
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec

WINDOW = 20
END = "f = Flatten(m) out = Gemm(f, w)"
CONV = "c = Conv(sequence, k, b)"
WEIGHTS: dict[str, Any] = {"k": (3, 4, 3), "b": (3,)}

RULES: dict[str, tuple[str, dict[str, Any], int]] = {
    "Conv with groups, stride, dilation": (
        f"m = Conv<group=2, strides=[2], dilations=[2], pads=[2, 1]>(sequence, k) {END}", {"k": (6, 2, 3)}, 60),
    "Conv, SAME_UPPER": (f'm = Conv<auto_pad="SAME_UPPER", strides=[3]>(sequence, k) {END}', {"k": (2, 4, 4)}, 14),
    "Conv, SAME_LOWER": (f'm = Conv<auto_pad="SAME_LOWER">(sequence, k) {END}', {"k": (2, 4, 4)}, 40),
    "2-D Conv": (
        f"u = Unsqueeze(sequence, one) m = Conv<pads=[1, 0, 1, 2], strides=[2, 1]>(u, k) {END}",
        {"one": np.array([1]), "k": (3, 1, 3, 2)}, 3 * 2 * 21),
    "ConvTranspose": (
        f"m = ConvTranspose<strides=[3], dilations=[2], pads=[1, 2], output_padding=[1]>(sequence, k) {END}",
        {"k": (4, 2, 3)}, 2 * 60),
    "ConvTranspose, groups": (f"m = ConvTranspose<group=2, strides=[2]>(sequence, k) {END}", {"k": (4, 3, 2)}, 240),
    "Gemm": (
        "f = Flatten(sequence) h = Gemm<transB=1, alpha=0.5, beta=2.0>(f, v, b2) out = Gemm(h, w)",
        {"v": (7, 80), "b2": (7,)}, 7),
    "Gemm, the bias live": ("f = ReduceSum<keepdims=0>(sequence, two) out = Gemm(f, w, f2) f2 = Gemm(f, w)", {}, 0),
    "MatMul on either side": (f"a = MatMul(left, sequence) m = MatMul(a, right) {END}",
                              {"left": (3, 4), "right": (20, 5)}, 15),
    "AveragePool": (f"m = AveragePool<kernel_shape=[4], strides=[3]>(sequence) {END}", {}, 4 * 6),
    "AveragePool, pads": (f"m = AveragePool<kernel_shape=[3], strides=[2], pads=[1, 1]>(sequence) {END}", {}, 40),
    "AveragePool, pads counted": (
        f"m = AveragePool<kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1>(sequence) {END}", {}, 40),
    "AveragePool, ceil": (f"m = AveragePool<kernel_shape=[3], strides=[3], ceil_mode=1>(sequence) {END}", {}, 28),
    "BatchNormalization": (
        f"m = BatchNormalization(sequence, s4, b4, m4, v4) {END}",
        {"s4": (4,), "b4": (4,), "m4": (4,), "v4": np.full(4, 0.4, np.float32)}, 80),
    "moving elements": (
        "t = Transpose<perm=[0, 2, 1]>(sequence) s = Slice(t, from, to, one, step) p = Pad(s, pads) "
        f"q, r = Split<axis=1>(p, parts) g = Gather<axis=1>(q, places) m = Concat<axis=1>(g, r, q) {END}",
        {"from": np.array([-1]), "to": np.array([2]), "one": np.array([1]), "step": np.array([-2]),
         "pads": np.array([0, 2, 0, 0, -1, 1]), "parts": np.array([5, 5]), "places": np.array([0, 3, 3, -1])}, 14 * 5),
    "Expand and Tile": (
        f"r = ReduceSum(sequence, two) e = Expand(r, shape) t = Tile(e, times) m = Add(t, r) {END}",
        {"two": np.array([2]), "shape": np.array([1, 1, 6]), "times": np.array([1, 1, 2])}, 48),
    "Sum, Mean, Sub, Div": (
        f"x = Mul(sequence, column) y = Sub(two_, sequence) z = Div(sequence, column) n = Mean(x, y, z) "
        f"m = Sum(n, x, one_) {END}",
        {"column": (4, 1), "two_": np.array(2.0, np.float32), "one_": (1,)}, 80),
    "CumSum": (f"m = CumSum<exclusive=1, reverse=1>(sequence, axis) {END}", {"axis": np.array(2)}, 80),
    "reductions": (
        "a = ReduceMean<keepdims=0>(sequence, two) b = ReduceSum(sequence, both) r = Reshape(b, row) "
        f"e = GlobalAveragePool(sequence) g = Flatten(e) m = Concat<axis=1>(a, r, g) {END}",
        {"two": np.array([-1]), "both": np.array([1, 2]), "row": np.array([0, 1])}, 9),
    "Relu": (f"{CONV} m = Relu(c) {END}", WEIGHTS, 54),
    "Sigmoid": (f"{CONV} m = Sigmoid(c) {END}", WEIGHTS, 54),
    "SiLU": (f"{CONV} s = Sigmoid(c) m = Mul(s, c) {END}", WEIGHTS, 54),
    "a square": (f"{CONV} m = Mul(c, c) {END}", WEIGHTS, 54),
    "Threshold": (
        f"{CONV} l = LessOrEqual(c, t) m = Where(l, t, c) {END}", {**WEIGHTS, "t": np.array(0.2, np.float32)}, 54),
    "a quotient of one tensor": (
        f"{CONV} a = Abs(c) d = Add(a, one) m = Div(c, d) {END}", {**WEIGHTS, "one": np.ones(1, np.float32)}, 54),
    "a step cast to float": (
        f"{CONV} l = Greater(c, t) f1 = Cast<to=1>(l) m = Mul(f1, c) {END}",
        {**WEIGHTS, "t": np.zeros((), np.float32)}, 54),
    "MaxPool": (f"{CONV} m = MaxPool<kernel_shape=[4], strides=[3]>(c) {END}", WEIGHTS, 15),
    "MaxPool, 2-D": (
        f"u = Unsqueeze(sequence, one) c = Conv(u, k) m = MaxPool<kernel_shape=[2, 3], pads=[1, 1, 0, 0]>(c) {END}",
        {"one": np.array([1]), "k": (3, 1, 2, 3)}, 3 * 3 * 17),
    "MaxPool, pads, dilation, ceil": (
        f"{CONV} m = MaxPool<kernel_shape=[3], dilations=[2], strides=[2], pads=[1, 1], ceil_mode=1>(c) {END}",
        WEIGHTS, 27),
    "MaxPool near padding": (
        f"c = Conv<pads=[2, 2]>(sequence, k, b) m = MaxPool<kernel_shape=[5], strides=[4]>(c) {END}", WEIGHTS, 15),
    "GlobalMaxPool": (f"{CONV} m = GlobalMaxPool(c) {END}", WEIGHTS, 3),
    "ReduceMax over channels": (f"{CONV} m = ReduceMax(c, one) {END}", {**WEIGHTS, "one": np.array([1])}, 18),
    "ReduceMin over both": (
        f"{CONV} m = ReduceMin<keepdims=0>(c, axes) {END}", {**WEIGHTS, "axes": np.array([-1, 1])}, 1),
    "Max of two": (f"{CONV} d = Conv(sequence, k2) m = Max(c, d) {END}", {**WEIGHTS, "k2": (3, 4, 3)}, 54),
    "Min of three": (
        f"{CONV} d = Conv(sequence, k2) g = GlobalAveragePool(d) m = Min(c, d, g, t) {END}",
        {**WEIGHTS, "k2": (3, 4, 3), "t": np.array(0.1, np.float32)}, 54),
}  # fmt: skip
"""Name -> body, weights, size of what the last layer reads."""


def rule_model(name: str) -> tuple[onnx.ModelProto, Card]:
    body, weights, size = RULES[name]
    weights = {"w": (max(size, 1), 2), **weights}
    if name == "Gemm, the bias live":
        body, weights = "f = ReduceSum<keepdims=0>(sequence, two) h = Gemm(f, v) g = Relu(h) out = Gemm(f, w, g)", {
            "two": np.array([2]), "v": (4, 2), "w": (4, 2)}  # fmt: skip
    return text_model(body, weights, opset=18), card_for(window=WINDOW)


def one_hot(count: int, window: int, seed: int) -> np.ndarray:
    codes = np.random.default_rng(seed).integers(0, 5, (count, window))
    return np.stack([codes == base for base in range(4)], axis=1).astype(np.float64)


def explain(model: onnx.ModelProto, card: Card, x: np.ndarray, reference: Any = None, **more: Any) -> Explained:
    """Class 0 of ``out``, against .25 everywhere or a live reference."""
    feed = {"sequence": x}
    base = constant_reference(card, feed) if reference is None else {"sequence": reference}
    more = {"constant_reference": reference is None, **more}
    return explain_window(model, card, card.outputs[0].name, more.pop("class_index", 0), feed, base, **more)


def error(explained: Explained) -> float:
    """The largest |sum of contributions - delta| of the windows."""
    parts = [entry.reshape(len(entry), -1).sum(axis=1) for entry in explained.contributions.values()]
    return float(np.abs(sum(parts) - explained.delta).max())


@pytest.mark.parametrize("name", list(RULES))
@pytest.mark.parametrize("live", [False, True])
def test_contributions_sum_to_the_difference_by_every_rule(name: str, live: bool) -> None:
    model, card = rule_model(name)
    x = one_hot(6, WINDOW, 0)
    explained = explain(model, card, x, one_hot(6, WINDOW, 1) if live else None)
    assert error(explained) < 1e-9
    # float32 sums of 240 products at most
    (wanted,) = on_runtime(model)({"sequence": x.astype(np.float32)}, ["out"])
    assert np.abs(explained.target - wanted[:, 0]).max() < 1e-5


def some_models(count: int, first: int, wild: tuple[Block, ...] = ()) -> list[Any]:
    return [random_model(random.Random(seed), wild) for seed in range(first, first + count)]


def feeds(made: Any, seed: int, count: int = 4) -> dict[str, np.ndarray]:
    sample = make_sample(made.card, made.card.window + 400, seed)
    return window_feed(made.card, sample, [97 * index for index in range(count)])


@pytest.mark.parametrize("wild", [(), tuple(WILD_BLOCKS)], ids=["plain", "wild"])
def test_contributions_sum_to_the_difference_on_random_models(wild: tuple[Block, ...]) -> None:
    done = 0
    for seed, made in enumerate(some_models(120, 1000, wild)):
        feed, spec = feeds(made, seed), made.card.outputs[0]
        other = {name: values[::-1] for name, values in feed.items()}
        for reference in (constant_reference(made.card, feed), other):
            try:
                explained = explain_window(
                    made.model, made.card, spec.name, 0, feed, reference, constant_reference=reference is not other,
                    profile_target="sum" if spec.resolution else None,
                )  # fmt: skip
            except Refused:
                continue
            done += 1
            assert error(explained) < 1e-9 * max(1.0, np.abs(explained.delta).max()), made
    assert done > 60


def test_the_gradient_is_that_of_small_differences_on_random_models() -> None:
    generator, done = np.random.default_rng(0), 0
    for seed, made in enumerate(some_models(60, 2000, tuple(WILD_BLOCKS))):
        spec = made.card.outputs[0]
        # noise, so that no two elements of a maximum are equal and none lies at a kink
        feed = {name: values + generator.normal(0, 0.3, values.shape) for name, values in feeds(made, seed).items()}
        way = {name: generator.normal(0, 1, values.shape) for name, values in feed.items()}
        step = 1e-6

        def run(part: float, feed: Any = feed, way: Any = way, made: Any = made, spec: Any = spec) -> Explained:
            moved = {name: feed[name] + part * way[name] for name in feed}
            return explain_window(
                made.model, made.card, spec.name, 0, moved, feed, constant_reference=False, gradient=True,
                profile_target="centre" if spec.resolution else None,
            )  # fmt: skip

        try:
            middle = run(0.0)
        except Refused:
            continue
        done += 1
        wanted = (run(step).target - run(-step).target) / (2 * step)
        found = sum((middle.multipliers[name] * way[name]).reshape(len(wanted), -1).sum(axis=1) for name in feed)
        # a step over a kink is off by as much as the step; rounding leaves 1e-9
        assert np.median(np.abs(found - wanted)) < 1e-6 * max(1.0, np.abs(wanted).max()), made
    assert done > 40


SHOWN = {
    "relu": "Relu", "smooth": "Sigmoid", "group": "SiLU", "max": "MaxPool near padding", "structure": "MaxPool",
}  # fmt: skip


@pytest.mark.parametrize("rule", list(SHOWN))
def test_a_replaced_rule_is_seen(rule: str) -> None:
    model, card = rule_model(SHOWN[rule])
    x = one_hot(6, WINDOW, 0)
    right, wrong = explain(model, card, x), explain(model, card, x, wrong_rule=rule)
    change = np.abs(right.contributions["sequence"] - wrong.contributions["sequence"]).max()
    assert change > 0.01
    # by structure or not, a maximum's parts sum to its difference
    assert (error(wrong) > 0.01) is (rule != "structure")


def test_rules_that_are_not_in_a_graph_can_be_replaced_without_change() -> None:
    model, card = rule_model("Relu")
    x = one_hot(3, WINDOW, 0)
    right = explain(model, card, x).contributions["sequence"]
    for rule in ("smooth", "group", "max", "structure", "classes"):
        assert np.array_equal(explain(model, card, x, wrong_rule=rule).contributions["sequence"], right)


# By hand ----------------------------------------------------------------------------------------------------------

IDENTITY = np.eye(4, dtype=np.float32)[:1, :, None]
"""A Conv that gives the A channel."""
ONE = np.ones((1, 1), np.float32)


def channel(values: list[float]) -> np.ndarray:
    """(1, 4, n) of the A channel."""
    x = np.zeros((1, 4, len(values)))
    x[0, 0] = values
    return x


def of_channel(body: str, values: list[float], base: list[float], constant: bool, **weights: Any) -> np.ndarray:
    """The A channel's multipliers of `body`, which reads c (N, 1, n) and makes m (N, 1, 1)."""
    body = f"c = Conv(sequence, k) {body} f = Flatten(m) out = Gemm(f, w)"
    model = text_model(body, {"k": IDENTITY, "w": ONE, **weights}, window=len(values), out="1")
    card = card_for(window=len(values), classes=1)
    feed, reference = {"sequence": channel(values)}, {"sequence": channel(base)}
    explained = explain_window(model, card, "out", 0, feed, reference, constant_reference=constant)
    return explained.multipliers["sequence"][0, 0]


def test_a_maximum_over_a_constant_reference_goes_to_the_first_largest() -> None:
    assert of_channel("m = GlobalMaxPool(c)", [1, 3, 3, 0], [0.5] * 4, True).tolist() == [0, 1, 0, 0]
    # also where nothing rises above the reference: the largest is what the reference's maximum fell to
    assert of_channel("m = GlobalMaxPool(c)", [0, 0.2, 0.1, 0], [0.5] * 4, True).tolist() == [0, 1, 0, 0]


def test_a_maximum_over_a_live_reference_is_shared_between_both_largest() -> None:
    # 1 -> 3: all of the rise to position 1, over 3 - 0
    assert of_channel("m = GlobalMaxPool(c)", [1, 3, 0, 0], [1, 0, 0.5, 0], False).tolist() == [0, 2 / 3, 0, 0]
    # 4 -> 3: all of the fall to position 2, over 1 - 4
    assert of_channel("m = GlobalMaxPool(c)", [0, 3, 1, 0], [0, 0, 4, 4], False).tolist() == [0, 0, 1 / 3, 0]
    # a live reference that happens to be constant stays live, so its first element falls
    found = of_channel("m = GlobalMaxPool(c)", [0, 0.2, 0.1, 0], [0.5] * 4, False)
    assert np.allclose(found, [0.6, 0, 0, 0], rtol=0, atol=1e-15)


def test_a_minimum_is_the_maximum_of_the_negative() -> None:
    axes = np.array([2])
    assert of_channel("m = ReduceMin(c, a)", [3, 1, 1], [2] * 3, True, a=axes).tolist() == [0, 1, 0]
    assert of_channel("m = ReduceMin(c, a)", [-1, 1, 0], [0, -2, 3], False, a=axes).tolist() == [0, 1 / 3, 0]


def test_a_quotient_is_taken_across_a_kink_at_any_distance() -> None:
    near = of_channel("m = Relu(c)", [3e-8], [-1e-8], True)
    assert np.allclose(near, [0.75], rtol=1e-6, atol=0)
    assert of_channel("m = Relu(c)", [3e-8], [1e-8], True) == pytest.approx(1, abs=1e-9)


def test_equal_values_take_the_slope() -> None:
    assert of_channel("m = Tanh(c)", [0.4], [0.4], True) == pytest.approx(1 - np.tanh(0.4) ** 2, abs=1e-11)
    # nearly equal ones too: the quotient would have three digits left
    assert of_channel("m = Tanh(c)", [0.4 + 1e-13], [0.4], True) == pytest.approx(1 - np.tanh(0.4) ** 2, abs=1e-9)
    group = "s = Sigmoid(c) m = Mul(c, s)"
    sigmoid = 1 / (1 + np.exp(-0.4))
    slope = sigmoid + 0.4 * sigmoid * (1 - sigmoid)
    assert of_channel(group, [0.4], [0.4], True) == pytest.approx(slope, abs=1e-11)


def test_a_group_is_one_operation() -> None:
    sigmoid = 1 / (1 + np.exp(-np.array([1.5, -0.5])))
    wanted = (1.5 * sigmoid[0] + 0.5 * sigmoid[1]) / 2
    assert of_channel("s = Sigmoid(c) m = Mul(c, s)", [1.5], [-0.5], True) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("body", "weights", "op"),
    [
        ("a = Sigmoid(c) d = Conv(sequence, k2) m = Mul(a, d)", {"k2": (3, 4, 3)}, "Mul"),
        ("m = Softmax<axis=1>(c)", {}, "Softmax"),
        ("m = LayerNormalization(c, s)", {"s": (18,)}, "LayerNormalization"),
        ("m = InstanceNormalization(c, b, b)", {}, "InstanceNormalization"),
        ("t = Transpose<perm=[0, 2, 1]>(c) m = MatMul(c, t)", {}, "MatMul"),
        ("g = GlobalAveragePool(c) m = Div(c, g)", {}, "Div"),
        ("x, i = MaxPool<kernel_shape=[1]>(c) j = Cast<to=1>(i) m = Add(x, j)", {}, "MaxPool"),
    ],
)
def test_what_has_no_rule_is_refused_by_name(body: str, weights: Mapping[str, Any], op: str) -> None:
    model = text_model(f"{CONV} {body} v = ReduceSum<keepdims=0>(m, last) out = Gemm(v, w)",
                       {**WEIGHTS, **weights, "w": (3, 2), "last": np.array([2])})  # fmt: skip
    with pytest.raises(Refused, match=f"^{op} node '"):
        explain(model, card_for(window=WINDOW), one_hot(2, WINDOW, 0))


# Outputs and inputs -------------------------------------------------------------------------------------------------

LOGITS = "f = Flatten(sequence) l = Gemm(f, w)"


def logits_of(x: np.ndarray, model: onnx.ModelProto) -> np.ndarray:
    weight = next(onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer if entry.name == "w")
    return x.reshape(len(x), -1) @ weight.astype(np.float64)


@pytest.mark.parametrize("tail", ["out = Softmax(l)", "s = Softmax<axis=-1>(l) d = Dropout(s) out = Identity(d)"])
def test_a_softmax_is_explained_by_its_logit_less_the_mean(tail: str) -> None:
    model = text_model(f"{LOGITS} {tail}", {"w": (80, 3)}, out="3")
    card = card_for(classes=3, activation="softmax")
    x = one_hot(3, WINDOW, 0)
    logits = logits_of(x, model)
    explained = explain(model, card, x, class_index=1)
    assert np.allclose(explained.target, logits[:, 1] - logits.mean(axis=1), rtol=0, atol=1e-12)
    bare = explain(model, card, x, class_index=1, wrong_rule="classes")
    assert np.allclose(bare.target, logits[:, 1], rtol=0, atol=1e-12)


def test_a_sigmoid_is_explained_by_its_logit_through_a_reshape() -> None:
    body = f"{LOGITS} s = Sigmoid(l) u = Unsqueeze(s, one) out = Squeeze(u, one)"
    model = text_model(body, {"w": (80, 2), "one": np.array([1])})
    x = one_hot(3, WINDOW, 0)
    explained = explain(model, card_for(activation="sigmoid"), x)
    assert np.allclose(explained.target, logits_of(x, model)[:, 0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("target", ["sum", "centre", 2])
def test_a_profile_is_explained_by_its_sum_or_one_position(target: str | int) -> None:
    model = text_model("l = Conv(sequence, k) out = Softmax<axis=1>(l)", {"k": (3, 4, 16)}, out="3, 5")
    card = card_for(classes=3, positions=5, activation="softmax")
    plain = text_model("out = Conv(sequence, k)", {"k": (3, 4, 16)}, out="3, 5")
    x = one_hot(3, WINDOW, 0)
    (logits,) = on_runtime(plain)({"sequence": x.astype(np.float32)}, ["out"])
    taken = logits[:, 2] - logits.mean(axis=1)
    wanted = taken.sum(axis=1) if target == "sum" else taken[:, 2]
    explained = explain(model, card, x, class_index=2, profile_target=target)
    assert np.allclose(explained.target, wanted, rtol=0, atol=1e-5)
    assert error(explained) < 1e-12


def test_references_are_those_of_the_card() -> None:
    inputs = (
        InputSpec("sequence", "sequence", tensor="x", bases="AGCT"),
        InputSpec("marks", "signal", tensor="x", channels=("a", "b"), reference=0.5),
        InputSpec("vector", "vector", length=4, default=(1.0, 2.0)),
    )
    card = Card("m", 3, inputs, (OutputSpec("out", "none", (ClassSpec("a"),)),))
    made = constant_reference(card, {"x": np.zeros((2, 6, 3)), "vector": np.zeros((2, 4))})
    assert np.array_equal(made["x"], np.broadcast_to(np.array([0.25] * 4 + [0.5] * 2)[:, None], (2, 6, 3)))
    assert made["vector"].tolist() == [[1, 2, 1, 2]] * 2


def test_hypothetical_scores_are_the_contributions_of_each_base_put_there() -> None:
    model, card = rule_model("Conv, SAME_LOWER")
    x = one_hot(1, WINDOW, 0)
    found = explain(model, card, x)
    base = np.full((1, 4, WINDOW), 0.25)
    scores = hypothetical_scores(found.multipliers["sequence"], base, "NCL", "ACGT")
    for place in range(4):
        other = np.zeros((1, 4, WINDOW))
        other[:, place] = 1
        # the net is linear, so that the multipliers of another sequence are the same
        wanted = explain(model, card, other).contributions["sequence"].sum(axis=1)
        assert np.allclose(scores[:, place], wanted, rtol=0, atol=1e-12)
    turned = [found.multipliers["sequence"][:, [0, 2, 1, 3]].transpose(0, 2, 1), base.transpose(0, 2, 1)]
    # the reference's four products are added in another order
    assert np.allclose(hypothetical_scores(*turned, "NLC", "AGCT"), scores, rtol=0, atol=1e-14)
