"""What is explained: classes, outputs, profiles, weights; and by which input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

from tests.graph.contributions import Case, Truth, assert_tile, assert_windows
from tests.graph.dense_oracle import Sample, make_sample, on_runtime, tile_feed, window_feed
from tests.graph.rules import ints
from tests.graph.texts import card_for, text_model
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec
from trackgen.graph import ContributionGraph, compile_dense_contributions, compile_window_contributions

BODY = "c = Conv(sequence, k, b) r = Relu(c) p = MaxPool<kernel_shape = [3], strides = [3]>(r) f = Flatten(p)"
WEIGHTS: dict[str, Any] = {"k": (3, 4, 3), "b": (3,), "w": (18, 3), "w2": (18, 2)}
STRIDE, COUNT, LENGTH = 3, 9, 80
STARTS = [number * STRIDE for number in range(COUNT)]
FLOAT32 = 3e-6
"""Of the largest value: the same numbers, added up in another order."""


def one_output(tail: str = "l = Gemm(f, w) out = Softmax(l)", activation: str = "softmax") -> tuple[Any, Card]:
    return text_model(f"{BODY} {tail}", WEIGHTS, out="3"), card_for(classes=3, activation=activation)


def two_outputs() -> tuple[onnx.ModelProto, Card]:
    """A softmax over three classes, and two sigmoids."""
    model = text_model(f"{BODY} l = Gemm(f, w) out = Softmax(l) q = Gemm(f, w2) two = Sigmoid(q)", WEIGHTS, out="3")
    model.graph.output.append(onnx.helper.make_tensor_value_info("two", onnx.TensorProto.FLOAT, ["N", 2]))
    card = card_for(classes=3, activation="softmax")
    more = OutputSpec("two", "sigmoid", (ClassSpec("d0"), ClassSpec("d1")))
    return model, replace(card, outputs=(*card.outputs, more))


def profile(activation: str = "softmax") -> tuple[onnx.ModelProto, Card]:
    """(N, 2, 5) at single bases."""
    end = "out = Softmax<axis = 1>(l)" if activation == "softmax" else "out = Identity(l)"
    body = f"c = Conv(sequence, k, b) r = Relu(c) l = Conv(r, k2) {end}"
    model = text_model(body, {"k": (3, 4, 3), "b": (3,), "k2": (2, 3, 14)}, out="2, 5")
    return model, card_for(positions=5, activation=activation)


def on_tile(
    graph: ContributionGraph, card: Card, classes: list[int], weights: np.ndarray, *, sample: Sample | None = None
) -> dict[str, np.ndarray]:
    """Every output of a dense graph of several slots; weights (Q, W)."""
    feed = tile_feed(card, sample or make_sample(card, LENGTH, 0), 0, weights.shape[1], graph.stride)
    feed |= {"classes": np.array(classes, np.int64), "weights": weights.astype(np.float32)}
    names = [entry.name for entry in graph.model.graph.output]
    return dict(zip(names, on_runtime(graph.model)(feed, names), strict=True))


def on_windows(graph: ContributionGraph, card: Card, classes: list[int] | int) -> dict[str, np.ndarray]:
    feed = window_feed(card, make_sample(card, LENGTH, 0), STARTS)
    feed["classes"] = np.broadcast_to(np.array(classes, np.int64), (COUNT,)).copy()
    names = [entry.name for entry in graph.model.graph.output]
    return dict(zip(names, on_runtime(graph.model)(feed, names), strict=True))


def weights_of(slots: int) -> np.ndarray:
    return np.random.default_rng(1).random((slots, COUNT)).astype(np.float32)


def assert_same(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= FLOAT32 * np.abs(wanted).max()


# Classes and outputs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_index", [0, 1, 2])
def test_which_class_is_explained_is_an_input(class_index: int) -> None:
    model, card = one_output()
    window, tile = (
        compile_window_contributions(model, card, "out"),
        compile_dense_contributions(model, card, 3, ["out"]),
    )
    truth = Truth.of(Case(model, card, "out", class_index), make_sample(card, LENGTH, 0), STARTS)
    assert_windows(truth, window, within=2e-4, sums=1e-4)
    assert_tile(truth, tile, weights_of(1)[0], within=2e-4)


def test_each_window_may_have_a_class_of_its_own() -> None:
    model, card = one_output()
    graph = compile_window_contributions(model, card, "out")
    mixed = on_windows(graph, card, [number % 3 for number in range(COUNT)])
    for number in range(COUNT):
        alone = on_windows(graph, card, number % 3)
        for name in ("contributions", "deltas", "multipliers.sequence"):
            assert_same(mixed[name][number], alone[name][number])


def test_several_slots_at_once_are_single_slots() -> None:
    model, card = two_outputs()
    slots, classes, weights = ["out", "two", "out", "two"], [2, 1, 0, 1], weights_of(4)
    together = compile_dense_contributions(model, card, STRIDE, slots)
    assert together.slots == tuple(slots)
    assert together.outputs == ("out", "two")
    found = on_tile(together, card, classes, weights)
    for number, slot in enumerate(slots):
        alone = compile_dense_contributions(model, card, STRIDE, [slot])
        single = on_tile(alone, card, [classes[number]], weights[number : number + 1])
        for name in ("contributions", "deltas", "weights"):
            assert_same(found[f"{name}.{number}"], single[f"{name}.0"])
        assert_same(found["out"], single["out"])
        assert_same(found["two"], single["two"])


@pytest.mark.parametrize("output", ["out", "two"])
def test_of_several_outputs_one_is_explained(output: str) -> None:
    model, card = two_outputs()
    truth = Truth.of(Case(model, card, output, 1), make_sample(card, LENGTH, 0), STARTS)
    assert_windows(truth, compile_window_contributions(model, card, output), within=2e-4, sums=1e-4)
    assert_tile(truth, compile_dense_contributions(model, card, 3, [output]), weights_of(1)[0], within=2e-4)


TAILS = {
    "an axis more": "l = Gemm(f, w) s = Softmax(l) u = Unsqueeze(s, one) out = Squeeze(u, one)",
    "reshaped": "l = Gemm(f, w) s = Softmax(l) out = Reshape(s, shape)",
    "passed on": "l = Gemm(f, w) s = Softmax<axis = -1>(l) d = Dropout(s) i = Cast<to = 1>(d) out = Identity(i)",
    "turned twice": "l = Gemm(f, w) s = Softmax(l) t = Transpose(s) out = Transpose(t)",
}


@pytest.mark.parametrize("name", list(TAILS))
def test_what_follows_the_activation_changes_nothing(name: str) -> None:
    model, card = one_output()
    shapes = {"one": ints(1), "shape": ints(-1, 3)}
    other = text_model(f"{BODY} {TAILS[name]}", WEIGHTS | shapes, out="3")
    plain, found = (on_windows(compile_window_contributions(entry, card, "out"), card, 1) for entry in (model, other))
    for value in ("out", "contributions", "deltas"):
        assert_same(found[value], plain[value])


def test_sigmoid_heads_that_are_joined_are_explained_by_their_own_logits() -> None:
    heads = "l = Gemm(f, wa) s = Sigmoid(l) q = Gemm(f, wb) t = Sigmoid(q) out = Concat<axis = 1>(t, s)"
    random = np.random.default_rng(5)
    first, second = random.normal(0, 1, (18, 1)).astype(np.float32), random.normal(0, 1, (18, 2)).astype(np.float32)
    joined = text_model(f"{BODY} {heads}", WEIGHTS | {"wa": first, "wb": second}, out="3")
    whole = np.concatenate([second, first], axis=1)
    plain = text_model(f"{BODY} l = Gemm(f, v) out = Sigmoid(l)", WEIGHTS | {"v": whole}, out="3")
    card = card_for(classes=3, activation="sigmoid")
    for class_index in range(3):
        found, wanted = (
            on_windows(compile_window_contributions(model, card, "out"), card, class_index) for model in (joined, plain)
        )
        for value in ("out", "contributions", "deltas"):
            assert_same(found[value], wanted[value])
        found, wanted = (
            on_tile(compile_dense_contributions(model, card, 3, ["out"]), card, [class_index], weights_of(1))
            for model in (joined, plain)
        )
        for value in ("out", "contributions.0", "deltas.0"):
            assert_same(found[value], wanted[value])


# Profiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["softmax", "none"])
@pytest.mark.parametrize("target", ["sum", "centre", 0, 4])
def test_a_profile_is_explained_by_its_sum_or_by_a_position(target: str | int, activation: str) -> None:
    model, card = profile(activation)
    truth = Truth.of(Case(model, card, "out", 1, target), make_sample(card, LENGTH, 0), STARTS)
    window = compile_window_contributions(model, card, "out", profile_target=target)
    tile = compile_dense_contributions(model, card, 3, ["out"], profile_target=target)
    assert_windows(truth, window, within=2e-4, sums=1e-4)
    assert_tile(truth, tile, weights_of(1)[0], within=2e-4)


def test_the_sum_of_a_profile_is_that_of_its_positions() -> None:
    model, card = profile()

    def of(target: str | int) -> np.ndarray:
        return on_windows(compile_window_contributions(model, card, "out", profile_target=target), card, 0)[
            "contributions"
        ]

    assert_same(sum(of(position) for position in range(5)), of("sum"))
    assert np.array_equal(of("centre"), of(2))


@pytest.mark.parametrize(("target", "positions"), [("sum", slice(None)), ("centre", [2]), (4, [4])])
def test_windows_of_a_profile_are_weighted_by_the_mean_of_what_is_explained(target: str | int, positions: Any) -> None:
    model, card = profile()
    graph = compile_dense_contributions(model, card, 3, ["out"], profile_target=target, weighted=True)
    weights = weights_of(1)
    (predicted,) = on_runtime(model)(window_feed(card, make_sample(card, LENGTH, 0), STARTS), ["out"])
    wanted = weights[0] * predicted[:, 1, positions].mean(axis=1)
    assert_same(on_tile(graph, card, [1], weights)["weights.0"], wanted)


# Weights ----------------------------------------------------------------------------------------------------------


def test_windows_of_weight_nothing_are_left_out_exactly() -> None:
    model, card = one_output()
    graph = compile_dense_contributions(model, card, STRIDE, ["out"])
    weights = weights_of(1)
    weights[0, [0, 1, 2, 5, 7, 8]] = 0
    sample, other = make_sample(card, LENGTH, 0), make_sample(card, LENGTH, 9)
    low, high = 3 * STRIDE, 6 * STRIDE + card.window
    changed = sample.codes.copy()
    changed[:low], changed[high:] = other.codes[:low], other.codes[high:]
    found = on_tile(graph, card, [1], weights, sample=sample)["contributions.0"]
    again = on_tile(graph, card, [1], weights, sample=replace(sample, codes=changed))["contributions.0"]
    assert np.array_equal(found, again)
    assert not found[:low].any()
    assert not found[high:].any()
    assert found[low:high].any()
    assert not on_tile(graph, card, [1], np.zeros((1, COUNT)), sample=sample)["contributions.0"].any()


def test_weighted_is_weights_times_what_is_predicted() -> None:
    model, card = two_outputs()
    slots, classes, weights = ["out", "two"], [2, 1], weights_of(2)
    graph = compile_dense_contributions(model, card, STRIDE, slots, weighted=True)
    assert graph.weighted
    found = on_tile(graph, card, classes, weights)
    predicted = np.stack([found[slot][0, index] for slot, index in zip(slots, classes, strict=True)])
    plain = on_tile(compile_dense_contributions(model, card, STRIDE, slots), card, classes, weights * predicted)
    for number in range(2):
        assert_same(found[f"weights.{number}"], weights[number] * predicted[number])
        assert_same(found[f"contributions.{number}"], plain[f"contributions.{number}"])
        assert_same(found[f"deltas.{number}"], plain[f"deltas.{number}"])


# Inputs -----------------------------------------------------------------------------------------------------------

MARKS = InputSpec("marks", "signal", resolution=5, channels=("a", "b"), reference=0.3)
LEVEL = InputSpec("level", "vector", length=3, default=(0.5, -1.0, 2.0))
SEQUENCE = InputSpec("sequence", "sequence")
HEAD = "h = Gemm(v, w) g = Relu(h) out = Gemm(g, w2)"
OTHERS: dict[str, tuple[str, tuple[InputSpec, ...], dict[str, Any]]] = {
    "signals and vectors": (
        "c = Conv(sequence, k) r = Relu(c) p = GlobalMaxPool(r) f = Flatten(p) d = Conv(marks, k1) e = Sigmoid(d) "
        f"j = Flatten(e) v = Concat<axis = 1>(f, j, level) {HEAD}",
        (SEQUENCE, MARKS, LEVEL), {"k": (3, 4, 3), "k1": (2, 2, 2), "w": (12, 5), "w2": (5, 2)},
    ),
    "no sequence": (
        f"d = Conv(marks, k1) e = Sigmoid(d) p = MaxPool<kernel_shape = [2]>(e) v = Flatten(p) {HEAD}",
        (MARKS,), {"k1": (2, 2, 2), "w": (4, 5), "w2": (5, 2)},
    ),
    "stacked in one tensor": (
        f"c = Conv(x, k) r = Relu(c) p = MaxPool<kernel_shape = [6], strides = [6]>(r) v = Flatten(p) {HEAD}",
        (
            InputSpec("sequence", "sequence", tensor="x", bases="TGCA"),
            InputSpec("one", "signal", tensor="x", reference=0.2),
            InputSpec("two", "signal", tensor="x", channels=("a", "b"), reference=0.7),
        ),
        {"k": (3, 7, 3), "w": (9, 5), "w2": (5, 2)},
    ),
    "two sequences, one channels last": (
        "t = Transpose<perm = [0, 2, 1]>(again) c = Concat<axis = 1>(sequence, t) d = Conv(c, k) r = Relu(d) "
        f"v = Flatten(r) {HEAD}",
        (SEQUENCE, InputSpec("again", "sequence", layout="NLC", bases="AGCT")),
        {"k": (2, 8, 3), "w": (36, 5), "w2": (5, 2)},
    ),
}  # fmt: skip
AXES = {
    "sequence": "N, 4, 20", "marks": "N, 2, 4", "level": "N, 3", "x": "N, 7, 20", "again": "N, 20, 4"
}  # fmt: skip


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("name", list(OTHERS))
def test_every_input_has_contributions_of_its_own(name: str, live: bool) -> None:
    body, inputs, weights = OTHERS[name]
    card = card_for(inputs=inputs)
    header = ", ".join(f"float[{AXES[tensor]}] {tensor}" for tensor, _ in card.tensors)
    model = text_model(body, weights, inputs=header)
    # as far apart as the signals' resolution
    starts = [5 * number for number in range(COUNT)]
    reference = make_sample(card, LENGTH, 1) if live else None
    truth = Truth.of(Case(model, card, "out", 1, None, reference), make_sample(card, LENGTH, 0), starts)
    window = compile_window_contributions(model, card, "out", live=live)
    tile = compile_dense_contributions(model, card, 5, ["out"], live=live)
    kinds = {spec.name: spec.kind for spec in inputs}
    assert window.explained == tuple(key for key, kind in kinds.items() if kind != "sequence")
    assert tile.explained == tuple(key for key, kind in kinds.items() if kind == "signal")
    assert_windows(truth, window, within=2e-4, sums=1e-4)
    assert_tile(truth, tile, weights_of(1)[0], within=2e-4)


def test_inputs_that_the_explained_output_does_not_read_contribute_nothing() -> None:
    body = "f = Flatten(sequence) out = Gemm(f, w) c = Conv(marks, k1) d = Flatten(c) e = Gemm(d, w2) two = Identity(e)"
    model = text_model(
        body, {"w": (80, 2), "k1": (2, 2, 2), "w2": (6, 2)}, inputs="float[N, 4, 20] sequence, float[N, 2, 4] marks"
    )
    model.graph.output.append(onnx.helper.make_tensor_value_info("two", onnx.TensorProto.FLOAT, ["N", 2]))
    card = card_for(inputs=(SEQUENCE, MARKS))
    card = replace(card, outputs=(*card.outputs, OutputSpec("two", "none", (ClassSpec("d0"), ClassSpec("d1")))))
    graph = compile_window_contributions(model, card, "out")
    found = on_windows(graph, card, 1)
    assert found["contributions.marks"].shape == (COUNT, 4)
    assert not found["contributions.marks"].any()
    assert found["contributions"].any()
    tile = on_tile(compile_dense_contributions(model, card, 5, ["two"]), card, [1], weights_of(1))
    assert not tile["contributions.0"].any()
    assert tile["contributions.0.marks"].any()
