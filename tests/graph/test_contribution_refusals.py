"""What has no contributions is refused by node, op and remedy, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest

from tests.graph.rules import ints, table
from tests.graph.texts import card_for, text_model
from trackgen.card import Card
from trackgen.errors import ModelError, TrackgenError, UsageError
from trackgen.graph import (
    ContributionGraph,
    NotDense,
    NotExplained,
    compile_dense_contributions,
    compile_window_contributions,
)
from trackgen.graph.deeplift.compile import RULES
from trackgen.graph.deeplift.spelling import SPELLINGS
from trackgen.graph.dense.compile import RULES as DENSE_RULES

CONV = "[conv] c = Conv(sequence, k)"
TURN = "[turn] t = Transpose<perm = [0, 2, 1]>(c)"
K = {"k": (3, 4, 3)}
END = "[flat] f = Flatten(m) [gemm] out = Gemm(f, w)"
W54, W3 = {"w": (54, 2)}, {"w": (3, 2)}


class Case(NamedTuple):
    """A model without DeepLIFT contributions: `node` and `op` are named, for a reason that has `reason` in it."""

    body: str
    node: str
    op: str
    reason: str
    weights: Mapping[str, Any]
    gradient: bool = True
    """Whether the gradient has a rule."""
    opset: int = 18


LSTM = {"x": (1, 8, 3), "r": (1, 8, 2), "w": (36, 2)}
CASES = {
    "gating": Case(
        f"{CONV} [other] d = Conv(sequence, k2) [open] s = Sigmoid(d) [gate] m = Mul(c, s) {END}",
        "gate", "Mul", "a product of two activations (gating, attention)", K | W54 | {"k2": (3, 4, 3)},
    ),
    "a quotient of activations": Case(
        f"{CONV} [mean] g = GlobalAveragePool(c) [norm] m = Div(c, g) {END}",
        "norm", "Div", "a product of two activations", K | W54,
    ),
    "attention": Case(
        f"{CONV} {TURN} [scores] a = MatMul(t, c) [mix] m = MatMul(c, a) {END}",
        "mix", "MatMul", "a product of two activations (attention)", K | W54,
    ),
    "LayerNormalization": Case(
        f"{CONV} {TURN} [norm] m = LayerNormalization(t, s, b) {END}",
        "norm", "LayerNormalization", "it divides activations by each other", K | W54 | {"s": (3,), "b": (3,)},
    ),
    "Softmax inside": Case(
        f"{CONV} [share] m = Softmax<axis = 1>(c) {END}", "share", "Softmax", "it divides activations", K | W54,
    ),
    "LogSoftmax inside": Case(
        f"{CONV} [share] m = LogSoftmax<axis = 1>(c) {END}", "share", "LogSoftmax", "it divides activations", K | W54,
    ),
    "InstanceNormalization": Case(
        f"{CONV} [norm] m = InstanceNormalization(c, s, b) {END}",
        "norm", "InstanceNormalization", "there is no rule", K | W54 | {"s": (3,), "b": (3,)}, False,
    ),
    "a recurrent layer": Case(
        "[conv] c = Conv(sequence, k) [turn] t = Transpose<perm = [2, 0, 1]>(c) "
        "[lstm] y, h = LSTM<hidden_size = 2>(t, x, r) [back] b = Transpose<perm = [2, 0, 1, 3]>(y) "
        "[rows] f = Reshape(b, rows) [gemm] out = Gemm(f, w)",
        "lstm", "LSTM", "there is no rule", K | LSTM | {"rows": ints(0, -1)}, False,
    ),
    "Resize": Case(
        f"{CONV} [wide] m = Resize(c, , scales) {END}", "wide", "Resize", "there is no rule",
        K | {"scales": np.array([1, 1, 2], np.float32), "w": (108, 2)}, False,
    ),
    "a condition by the data on two branches": Case(
        f"{CONV} [other] d = Conv(sequence, k2) [test] l = Greater(c, d) [pick] m = Where(l, c, d) {END}",
        "pick", "Where", "a product of two activations", K | W54 | {"k2": (3, 4, 3)},
    ),
    "a product of all": Case(
        f"{CONV} [prod] m = ReduceProd<keepdims = 0>(c, last) {END}", "prod", "ReduceProd", "there is no rule",
        K | W3 | {"last": ints(2)}, False,
    ),
    "a soft maximum": Case(
        f"{CONV} [soft] m = ReduceLogSumExp<keepdims = 0>(c, last) {END}", "soft", "ReduceLogSumExp",
        "there is no rule", K | W3 | {"last": ints(2)}, False,
    ),
    "a remainder": Case(
        f"{CONV} [rest] m = Mod<fmod = 1>(c, two) {END}", "rest", "Mod", "there is no rule",
        K | W54 | {"two": np.array(2, np.float32)}, False,
    ),
    "a matrix turned": Case(
        f"{CONV} [mean] g = ReduceMean<keepdims = 0>(c, last) [twice] h = Gemm<transB = 1>(g, g) "
        "[back] m = MatMul(h, g) [gemm] out = Gemm(m, w)",
        "back", "MatMul", "a product of two activations", K | W3 | {"last": ints(2)}, False,
    ),
    "elements picked by the data": Case(
        f"{CONV} [top] i = ArgMax<axis = 2, keepdims = 1>(c) [pick] m = GatherElements<axis = 2>(c, i) {END}",
        "pick", "GatherElements", "there is no rule", K | W3, False,
    ),
}  # fmt: skip


def model_of(case: Case) -> onnx.ModelProto:
    model = text_model(case.body, case.weights, opset=case.opset)
    onnx.checker.check_model(model, full_check=True)
    return model


def assert_named(error: NotExplained, case: Case) -> None:
    assert (error.node, error.op) == (case.node, case.op), str(error)
    assert case.reason in error.reason
    assert f"node {case.node} ({case.op})" in str(error)
    assert error.exit_status == 4


@table(CASES)
def test_what_has_no_rule_is_refused_by_node_and_remedy(name: str) -> None:
    case = CASES[name]
    model = model_of(case)
    before = model.SerializeToString(deterministic=True)
    with pytest.raises(NotExplained) as caught:
        compile_window_contributions(model, card_for(), "out")
    assert_named(caught.value, case)
    assert "no DeepLIFT contributions" in str(caught.value)
    # a remedy is offered where it is one, as far as this node can tell
    offered = "`--attribution gradient`, or " in str(caught.value)
    assert offered if case.gradient else not (offered and "there is no rule" in str(caught.value))
    assert "`--attribution occlusion` with --regions" in str(caught.value)
    assert model.SerializeToString(deterministic=True) == before


@table(CASES)
def test_gradients_of_it_are_given_or_refused(name: str) -> None:
    case = CASES[name]
    if case.gradient:
        graph = compile_window_contributions(model_of(case), card_for(), "out", attribution="gradient")
        assert "contributions" in [entry.name for entry in graph.model.graph.output]
        return
    with pytest.raises(NotExplained) as caught:
        compile_window_contributions(model_of(case), card_for(), "out", attribution="gradient")
    assert "no gradient contributions" in str(caught.value)
    # nothing that was just refused is offered
    assert "`--attribution gradient`" not in str(caught.value)
    assert "Use `--attribution occlusion` with --regions" in str(caught.value)


@table(CASES)
def test_a_tile_of_it_is_refused_too(name: str) -> None:
    model = model_of(CASES[name])
    with pytest.raises((NotExplained, NotDense)) as caught:
        compile_dense_contributions(model, card_for(), 1, ["out"])
    # a node of the user's model, and not of the tile graph
    assert caught.value.node in {node.name or node.output[0] for node in model.graph.node}
    assert f"node {caught.value.node} ({caught.value.op})" in str(caught.value)


def test_a_node_without_a_name_is_called_by_what_it_makes() -> None:
    model = text_model(f"{CONV} m = Softmax<axis = 1>(c) {END}", K | W54)
    with pytest.raises(NotExplained, match=r"node m \(Softmax\)"):
        compile_window_contributions(model, card_for(), "out")


def test_what_the_explained_output_does_not_read_is_not_refused() -> None:
    body = f"{CONV} [share] m = Softmax<axis = 1>(c) [flat] f = Flatten(c) [gemm] out = Gemm(f, w)"
    graph = compile_window_contributions(text_model(body, K | W54), card_for(), "out")
    assert graph.explained == ()


# Forms ------------------------------------------------------------------------------------------------------------

ONLY_WINDOWS = {
    "a padded convolution": (f"[conv] c = Conv<pads = [1, 1]>(sequence, k) [relu] m = Relu(c) {END}", "conv",
                             {"w": (60, 2)}),
    "SAME_UPPER": (f'[conv] c = Conv<auto_pad = "SAME_UPPER">(sequence, k) [relu] m = Relu(c) {END}', "conv",
                   {"w": (60, 2)}),
    "constants by position": (f"{CONV} [add] d = Add(c, p) [relu] m = Relu(d) {END}", "add|relu", W54 | {"p": (3, 18)}),
    "a partial pool": (f"{CONV} [pool] m = MaxPool<kernel_shape = [4], strides = [4], ceil_mode = 1>(c) {END}", "pool",
                       {"w": (15, 2)}),
    "a padded pool": (f"{CONV} [pool] m = MaxPool<kernel_shape = [3], strides = [3], pads = [1, 1]>(c) {END}", "pool",
                      {"w": (18, 2)}),
    "a flip": (f"{CONV} [turn] d = Slice(c, a, e, x, a) [relu] r = Relu(d) [conv2] m = Conv(r, k2) {END}", "turn",
               {"a": ints(-1), "e": ints(-(2**63)), "x": ints(2), "k2": (1, 3, 3), "w": (16, 2)}),
    "a running sum": (f"{CONV} [sum] d = CumSum(c, x) [relu] m = Relu(d) {END}", "sum", W54 | {"x": np.array(2)}),
    "a transposed convolution": (f"{CONV} [up] m = ConvTranspose<strides = [2]>(c, k2) {END}", "up",
                                 {"k2": (3, 1, 2), "w": (36, 2)}),
}  # fmt: skip


@table(ONLY_WINDOWS)
def test_what_depends_on_where_a_window_begins_is_explained_by_windows_alone(name: str) -> None:
    body, nodes, weights = ONLY_WINDOWS[name]
    model = text_model(body, K | weights)
    with pytest.raises(NotDense) as caught:
        compile_dense_contributions(model, card_for(), 1, ["out"])
    assert caught.value.node in nodes.split("|"), str(caught.value)
    assert compile_window_contributions(model, card_for(), "out").form == "windows"


# Outputs ----------------------------------------------------------------------------------------------------------

PROFILE = "out = Conv(sequence, k)"


def profile() -> tuple[onnx.ModelProto, Card]:
    return text_model(PROFILE, {"k": (2, 4, 16)}, out="2, 5"), card_for(positions=5)


def explained(model: onnx.ModelProto, card: Card, dense: bool, **more: Any) -> ContributionGraph:
    if dense:
        return compile_dense_contributions(model, card, 1, ["out"], **more)
    return compile_window_contributions(model, card, "out", **more)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("target", [None, 5, -1, "middle", "1"])
def test_a_profile_needs_a_target_that_it_has(target: str | int | None, dense: bool) -> None:
    model, card = profile()
    with pytest.raises(UsageError) as caught:
        explained(model, card, dense, profile_target=target)
    assert caught.value.exit_status == 2
    assert str(caught.value) == (
        "--profile-target: output out of text is a profile: contributions need to know which position they explain; "
        f"found {'nothing' if target is None else target}; wanted sum, centre, or a position from 0 to 4."
    )


@pytest.mark.parametrize(
    ("activation", "tail", "found"),
    [
        ("softmax", "[end] out = Sigmoid(l)", "node end (Sigmoid)"),
        ("sigmoid", "[end] out = Identity(l)", "node gemm (Gemm)"),
        ("sigmoid", "[end] out = Mul(l, l)", "node end (Mul)"),
        ("softmax", "[a] s = Softmax(l) [end] out = Concat<axis = 0>(s, l)", "node gemm (Gemm)"),
    ],
)
def test_an_activation_that_is_not_there_is_a_fault_of_the_card(activation: str, tail: str, found: str) -> None:
    model = text_model(f"[flat] f = Flatten(sequence) [gemm] l = Gemm(f, w) {tail}", {"w": (80, 2)})
    op = {"softmax": "Softmax", "sigmoid": "Sigmoid"}[activation]
    for dense in (False, True):
        with pytest.raises(ModelError) as caught:
            explained(model, card_for(activation=activation), dense)
        text = str(caught.value)
        assert f"contributions explain what goes into the {activation} of output out, which is not there" in text
        assert f"found {found}; wanted a node {op}. Correct the card's activation" in text


def test_an_output_that_is_an_input_has_no_activation() -> None:
    model = text_model("x = Identity(sequence)", out="4, 20")
    model.graph.output[0].name = "sequence"
    card = card_for(classes=4, positions=20, activation="sigmoid")
    wrong = replace(card, outputs=(replace(card.outputs[0], name="sequence"),))
    with pytest.raises(ModelError, match="found an input of the graph; wanted a node Sigmoid"):
        compile_window_contributions(model, wrong, "sequence", profile_target="sum")


# The whole list ---------------------------------------------------------------------------------------------------

REFUSED = {"Mod", "ReduceLogSumExp", "ReduceProd"}
"""Operators of the dense compiler without a rule; each is a row of `CASES`."""


def test_every_operator_of_the_dense_compiler_has_a_rule_or_is_a_tested_refusal() -> None:
    assert set(DENSE_RULES) - set(RULES) - set(SPELLINGS) == REFUSED
    assert {case.op for case in CASES.values()} >= REFUSED
    # rules that refuse by their kind
    assert {case.op for case in CASES.values()} >= {"Softmax", "LogSoftmax", "LayerNormalization"}


def test_every_refusal_is_an_error_of_the_tree() -> None:
    for kind in (NotExplained, NotDense):
        assert issubclass(kind, ModelError)
        assert issubclass(kind, TrackgenError)
