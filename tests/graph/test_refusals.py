"""What can't be dense is refused by node, op and reason; in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import onnx
import pytest

from tests.graph.dense_oracle import assert_dense_equals_windows, on_runtime
from tests.graph.texts import card_for, text_model
from trackgen.card import Card, InputSpec

INT64_MIN = -(2**63)


class Case(NamedTuple):
    """A model that only windows can run; the refusal names one of `nodes`, its op, and a reason that matches."""

    body: str
    nodes: str
    op: str
    reason: str
    weights: Mapping[str, tuple[int, ...] | np.ndarray]
    opset: int = 18
    out: str = "2"
    domains: str = ""


DENSE = "[flat] f = Flatten(m) [gemm] out = Gemm(f, w)"


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


CONV = {"k": (3, 4, 3)}
PAD = r"pad"
POSITIONS = r"position|along|across|neighbour|whole window|order"
CASES = {
    "a padded profile": Case(
        "[conv] out = Conv<pads = [1, 1]>(sequence, k)", "conv", "Conv", PAD, CONV, out="3, 20",
    ),
    "padding, then a norm of channels": Case(
        f"""[conv] c = Conv<pads = [1, 1]>(sequence, k) [turn] t = Transpose<perm = [0, 2, 1]>(c)
        [norm] m = LayerNormalization(t, s, b) {DENSE}""", "conv", "Conv", PAD,
        CONV | {"s": (3,), "b": (3,), "w": (60, 2)},
    ),
    "padding, then a maximum over channels and positions": Case(
        f"[conv] c = Conv<pads = [1, 1]>(sequence, k) [top] m = ReduceMax<axes = [1, 2]>(c) {DENSE}", "conv", "Conv",
        PAD, CONV | {"w": (1, 2)}, opset=17,
    ),
    "padding, then a minimum": Case(
        f"[conv] c = Conv<pads = [1, 1]>(sequence, k) [low] m = ReduceMin<axes = [2]>(c) {DENSE}", "conv", "Conv",
        PAD, CONV | {"w": (3, 2)}, opset=17,
    ),
    "a padded element picked by itself": Case(
        f"[conv] c = Conv<pads = [1, 1]>(sequence, k) [pick] m = Gather<axis = 2>(c, first) {DENSE}", "conv", "Conv",
        PAD, CONV | {"first": ints(0), "w": (3, 2)},
    ),
    "weights in another precision": Case(
        "[flat] f = Flatten(sequence) [wide] d = Cast<to = 11>(f) [mix] m = MatMul(d, w) [back] out = Cast<to = 1>(m)",
        "mix", "MatMul", "float64", {"w": np.ones((80, 2))},
    ),
    "ceil_mode with a partial mean": Case(
        f"[pool] m = AveragePool<kernel_shape = [8], strides = [8], ceil_mode = 1>(sequence) {DENSE}",
        "pool", "AveragePool", r"ceil|partial|pad|full", {"w": (12, 2)},
    ),
    "Pad by reflection": Case(
        f'[pad] p = Pad<mode = "reflect">(sequence, amounts) [conv] m = Conv(p, k) {DENSE}', "pad", "Pad", PAD,
        CONV | {"amounts": ints(0, 0, 1, 0, 0, 1), "w": (60, 2)},
    ),
    "Softmax over positions": Case(
        f"[conv] c = Conv(sequence, k) [soft] m = Softmax<axis = 2>(c) {DENSE}", "soft", "Softmax", POSITIONS,
        CONV | {"w": (54, 2)},
    ),
    "Softmax over positions, last axis": Case(
        f"[conv] c = Conv(sequence, k) [soft] m = Softmax(c) {DENSE}", "soft", "Softmax", POSITIONS,
        CONV | {"w": (54, 2)},
    ),
    "LogSoftmax over positions": Case(
        f"[conv] c = Conv(sequence, k) [soft] m = LogSoftmax<axis = -1>(c) {DENSE}", "soft", "LogSoftmax", POSITIONS,
        CONV | {"w": (54, 2)},
    ),
    "Softmax over a profile": Case(
        "[conv] c = Conv(sequence, k) [soft] out = Softmax<axis = 2>(c)", "soft", "Softmax", POSITIONS, CONV,
        out="3, 18",
    ),
    "InstanceNormalization": Case(
        f"[norm] m = InstanceNormalization(sequence, s, b) {DENSE}", "norm", "InstanceNormalization", POSITIONS,
        {"s": (4,), "b": (4,), "w": (80, 2)},
    ),
    "GroupNormalization": Case(
        f"[norm] m = GroupNormalization<num_groups = 2>(sequence, s, b) {DENSE}", "norm", "GroupNormalization",
        POSITIONS, {"s": (4,), "b": (4,), "w": (80, 2)}, opset=21,
    ),
    "LayerNormalization over positions": Case(
        f"[norm] m = LayerNormalization<axis = -1>(sequence, s, b) {DENSE}", "norm", "LayerNormalization", POSITIONS,
        {"s": (20,), "b": (20,), "w": (80, 2)},
    ),
    "LayerNormalization over channels and positions": Case(
        f"[norm] m = LayerNormalization<axis = 1>(sequence, s, b) {DENSE}", "norm", "LayerNormalization", POSITIONS,
        {"s": (4, 20), "b": (4, 20), "w": (80, 2)},
    ),
    "training BatchNormalization": Case(
        f"[norm] m, mean, var = BatchNormalization<training_mode = 1>(sequence, s, b, a, v) {DENSE}", "norm",
        "BatchNormalization", r"train|batch|window",
        {"s": (4,), "b": (4,), "a": (4,), "v": np.ones(4, np.float32), "w": (80, 2)},
    ),
    "normalisation over positions in pieces": Case(
        f"[mean] a = ReduceMean(sequence, axis) [minus] m = Sub(sequence, a) {DENSE}", "minus|mean", "Sub|ReduceMean",
        POSITIONS, {"axis": ints(2), "w": (80, 2)},
    ),
    "attention over positions": Case(
        f"""[queries] q = Transpose<perm = [0, 2, 1]>(sequence) [scores] s = MatMul(q, sequence)
        [soft] a = Softmax<axis = -1>(s) [mix] m = MatMul(a, q) {DENSE}""",
        "scores", "MatMul", POSITIONS + r"|two|both|activation|attention", {"w": (80, 2)},
    ),
    "attention without a softmax": Case(
        f"[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [scores] m = MatMul(sequence, t) {DENSE}",
        "scores", "MatMul", POSITIONS + r"|two|both|activation|attention", {"w": (16, 2)},
    ),
    "Hilbert reshape": Case(
        f"""[curve] h = Gather<axis = 2>(sequence, order) [fold] s = Reshape(h, square)
        [conv] m = Conv(s, k2d) {DENSE}""",
        "curve|fold", "Gather|Reshape", r"position|order|2-D|two|axes|shape",
        {"order": np.random.default_rng(0).permutation(20)[:16], "square": ints(0, 4, 4, 4), "k2d": (2, 4, 2, 2),
         "w": (18, 2)},
    ),
    "positions folded in two axes": Case(
        f"[fold] s = Reshape(sequence, square) [conv] m = Conv(s, k2d) {DENSE}", "fold", "Reshape",
        r"position|2-D|two|axes|shape", {"square": ints(-1, 4, 4, 5), "k2d": (2, 4, 2, 2), "w": (24, 2)},
    ),
    "positions folded into channels": Case(
        f"[fold] s = Reshape(sequence, shape) [conv] m = Conv(s, k8) {DENSE}", "fold", "Reshape",
        r"position|channel|axes|shape", {"shape": ints(-1, 8, 10), "k8": (2, 8, 3), "w": (16, 2)},
    ),
    "squeeze and excite": Case(
        f"""[conv] c = Conv(sequence, k) [squeeze] p = GlobalAveragePool(c)
        [dense] d = Conv(p, k1) [gate] g = Sigmoid(d) [excite] m = Mul(c, g) {DENSE}""",
        "excite", "Mul", POSITIONS + r"|collaps|window", CONV | {"k1": (3, 3, 1), "w": (54, 2)},
    ),
    "squeeze and excite through a dense layer": Case(
        f"""[conv] c = Conv(sequence, k) [squeeze] p = ReduceMax<keepdims = 0>(c, two) [dense] d = Gemm(p, k1)
        [lift] g = Unsqueeze(d, two) [excite] m = Add(c, g) {DENSE}""",
        "excite", "Add", POSITIONS + r"|collaps|window", CONV | {"two": ints(2), "k1": (3, 3), "w": (54, 2)},
    ),
    "flip": Case(
        f"[flip] m = Slice(sequence, start, end, axis, step) {DENSE}", "flip", "Slice", r"flip|revers|step|backward",
        {"start": ints(-1), "end": ints(INT64_MIN), "axis": ints(2), "step": ints(-1), "w": (80, 2)},
    ),
    "reverse complement": Case(
        f"[flip] m = Slice(sequence, start, end, axis, step) {DENSE}", "flip", "Slice", r"flip|revers|step|backward",
        {"start": ints(-1, -1), "end": ints(INT64_MIN, INT64_MIN), "axis": ints(1, 2), "step": ints(-1, -1),
         "w": (80, 2)},
    ),
    "flip by Gather": Case(
        f"[flip] m = Gather<axis = 2>(sequence, order) {DENSE}", "flip", "Gather", r"flip|revers|order|position",
        {"order": np.arange(20)[::-1].copy(), "w": (80, 2)},
    ),
    "Resize": Case(
        f'[scale] m = Resize<mode = "linear">(sequence, , factors) {DENSE}', "scale", "Resize", r"\w+ \w+",
        {"factors": floats(1, 1, 2), "w": (160, 2)},
    ),
    "ConvTranspose": Case(
        f"[up] m = ConvTranspose<strides = [2]>(sequence, kt) {DENSE}", "up", "ConvTranspose", r"\w+ \w+",
        {"kt": (4, 2, 2), "w": (80, 2)},
    ),
    "CumSum over positions": Case(
        f"[sum] m = CumSum(sequence, two) {DENSE}", "sum", "CumSum", r"\w+ \w+", {"two": np.array(2), "w": (80, 2)}
    ),
    "TopK over positions": Case(
        f"[conv] c = Conv(sequence, k) [top] m, i = TopK<axis = 2>(c, three) {DENSE}", "top", "TopK", r"\w+ \w+",
        CONV | {"three": ints(3), "w": (9, 2)},
    ),
    "Concat of positions": Case(
        f"[join] m = Concat<axis = 2>(sequence, sequence) {DENSE}", "join", "Concat", POSITIONS, {"w": (160, 2)}
    ),
    "one window against another": Case(
        f"[mean] a = ReduceMean(sequence, zero) [minus] m = Sub(sequence, a) {DENSE}", "mean|minus", "ReduceMean|Sub",
        r"batch|window", {"zero": ints(0), "w": (80, 2)},
    ),
    "random values": Case(
        f"[noise] n = RandomNormalLike(sequence) [add] m = Add(sequence, n) {DENSE}", "noise", "RandomNormalLike",
        r"\w+ \w+", {"w": (80, 2)},
    ),
    "positional embedding before Relu": Case(
        f"[conv] c = Conv(sequence, k) [place] e = Add(c, embedding) [relu] m = Relu(e) {DENSE}", "place|relu",
        "Add|Relu", POSITIONS, CONV | {"embedding": (1, 3, 18), "w": (54, 2)},
    ),
    "weights by position before a maximum": Case(
        f"[conv] c = Conv(sequence, k) [place] e = Mul(c, weights) [top] m = GlobalMaxPool(e) {DENSE}", "place|top",
        "Mul|GlobalMaxPool", POSITIONS, CONV | {"weights": (18,), "w": (3, 2)},
    ),
    "normalised features before Relu": Case(
        """[conv] c = Conv(sequence, k) [flat] f = Flatten(c) [norm] n = BatchNormalization(f, s, b, a, v)
        [relu] r = Relu(n) [gemm] out = Gemm(r, w)""",
        "norm|relu", "BatchNormalization|Relu", POSITIONS,
        CONV | {"s": (54,), "b": (54,), "a": (54,), "v": np.ones(54, np.float32), "w": (54, 2)},
    ),
    "PRelu by position": Case(
        f"[conv] c = Conv(sequence, k) [prelu] m = PRelu(c, slope) {DENSE}", "prelu", "PRelu", POSITIONS,
        CONV | {"slope": (3, 18), "w": (54, 2)},
    ),
    "a profile whose positions are the classes": Case(
        "[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [relu] out = Relu(t)", "turn|relu", "Transpose|Relu",
        POSITIONS, {}, out="20, 4",
    ),
}  # fmt: skip
RECURRENT = {
    "LSTM": {"x": (1, 20, 4), "r": (1, 20, 5)},
    "GRU": {"x": (1, 15, 4), "r": (1, 15, 5)},
    "RNN": {"x": (1, 5, 4), "r": (1, 5, 5)},
}


def refused(model: onnx.ModelProto, card: Card, stride: int = 1):  # type: ignore[no-untyped-def]
    from trackgen.graph import NotDense, compile_dense

    with pytest.raises(NotDense) as caught:
        compile_dense(model, card, stride)
    assert caught.value.exit_status == 4
    return caught.value


def assert_told(error, nodes: str, op: str, reason: str) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(nodes, error.node), (error.node, str(error))
    assert re.fullmatch(op, error.op), (error.op, str(error))
    assert re.search(reason, error.reason), error.reason
    assert len(error.reason.split()) >= 3, error.reason
    for word in (error.node, error.op, error.reason):
        assert word in str(error)
    assert not re.search(r"<class|object at|Traceback|None", str(error))


def case_card(case: Case) -> Card:
    axes = [int(axis) for axis in case.out.split(",")]
    return card_for(classes=axes[0], positions=axes[1] if len(axes) == 2 else None)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stride", [1, 10])
def test_what_only_windows_can_run_is_refused_by_name(name: str, stride: int) -> None:
    case = CASES[name]
    model = text_model(case.body, case.weights, opset=case.opset, out=case.out)
    assert_told(refused(model, case_card(case), stride), case.nodes, case.op, case.reason)


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_runs_window_by_window(name: str) -> None:
    """Else the refusal would be of a broken model."""
    case = CASES[name]
    model = text_model(case.body, case.weights, opset=case.opset, out=case.out)
    onnx.checker.check_model(model, full_check=True)
    values = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(0, 4, (3, 20))].transpose(0, 2, 1)
    (result,) = on_runtime(model)({"sequence": np.ascontiguousarray(values)}, ["out"])
    assert result.shape == (3, *(int(axis) for axis in case.out.split(",")))


@pytest.mark.parametrize("op", RECURRENT)
def test_recurrent_layers_are_refused(op: str) -> None:
    body = f"""[turn] t = Transpose<perm = [2, 0, 1]>(sequence) [cell] y, h = {op}<hidden_size = 5>(t, x, r)
    [drop] last = Squeeze(h, zero) [gemm] out = Gemm(last, w)"""
    model = text_model(body, {**RECURRENT[op], "zero": ints(0), "w": (5, 2)})
    onnx.checker.check_model(model, full_check=True)
    # The Transpose that puts positions first is no layout of the compiler's either.
    assert_told(refused(model, card_for()), "cell|turn", f"{op}|Transpose", r"recurren|order|position|batch")


@pytest.mark.parametrize("op", ["Foo", "Conv"])
def test_operations_of_other_domains_are_refused(op: str) -> None:
    body = f"[odd] m = org.example.{op}(sequence) {DENSE}"
    model = text_model(body, {"w": (80, 2)}, domains=', "org.example" : 1')
    error = refused(model, card_for())
    assert error.node == "odd"
    assert op in error.op
    assert "org.example" in str(error)


BY_POSITION = {
    "a vector with one value a position": """[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [dense] g = Gemm(v, u)
    [lift] l = Unsqueeze(g, two) [times] m = Mul(t, l)""",
    "a vector with one value a channel and position": """[fold] t = Reshape(sequence, shape) [dense] g = Gemm(v, u80)
    [lift] l = Unsqueeze(g, two) [times] n = Mul(t, l) [relu] m = Relu(n)""",
}


@pytest.mark.parametrize("name", BY_POSITION)
def test_a_vector_that_differs_between_positions_is_refused(name: str) -> None:
    weights = {"u": (3, 20), "u80": (3, 80), "two": ints(2), "shape": ints(0, 80, 1), "w": (80, 2)}
    inputs = "float[N, 4, 20] sequence, float[N, 3] v"
    vector = InputSpec("v", "vector", length=3, default=(0.0,))
    model = text_model(f"{BY_POSITION[name]} {DENSE}", weights, inputs=inputs)
    onnx.checker.check_model(model, full_check=True)
    card = card_for(inputs=(InputSpec("sequence", "sequence"), vector))
    assert_told(refused(model, card), "times|relu", "Mul|Relu", r"\w+ \w+")


def test_a_node_without_a_name_is_told_by_what_it_makes() -> None:
    body = "m = Softmax<axis = 2>(sequence) f = Flatten(m) out = Gemm(f, w)"
    error = refused(text_model(body, {"w": (80, 2)}), card_for())
    assert "m" in error.node
    assert error.op == "Softmax"


def test_the_refusal_offers_a_remedy() -> None:
    case = CASES["a padded profile"]
    error = refused(text_model(case.body, case.weights, out=case.out), card_for(positions=20, classes=3))
    assert error.remedy
    assert error.remedy[0].upper() + error.remedy[1:] in str(error)


TRIMMED = {
    "one": (
        "[conv] p = Conv<pads = [2, 2]>(sequence, k5) [crop] m = Slice(p, two, minus, axis)",
        {"k5": (2, 4, 5), "two": ints(2), "minus": ints(-2)},
        32,
    ),
    "more than needed": (
        "[conv] p = Conv<pads = [2, 2]>(sequence, k5) [relu] r = Relu(p) [crop] m = Slice(r, two, minus, axis)",
        {"k5": (2, 4, 5), "two": ints(3), "minus": ints(-4)},
        26,
    ),
    "two layers": (
        """[one] p = Conv<pads = [1, 1]>(sequence, k) [relu] r = Relu(p)
        [two_] q = Conv<pads = [2, 2], dilations = [2]>(r, k2)
        [add] s = Add(r, q) [crop] m = Slice(s, two, minus, axis)""",
        {"k": (2, 4, 3), "k2": (2, 2, 3), "two": ints(3), "minus": ints(-3)},
        28,
    ),
    "SAME_UPPER": (
        '[conv] p = Conv<auto_pad = "SAME_UPPER">(sequence, k5) [crop] m = Slice(p, two, minus, axis)',
        {"k5": (2, 4, 5), "two": ints(2), "minus": ints(18)},
        32,
    ),
    "left only": (
        "[conv] p = Conv<pads = [4, 0]>(sequence, k5) [crop] m = Slice(p, two, minus, axis)",
        {"k5": (2, 4, 5), "two": ints(4), "minus": ints(2**63 - 1)},
        32,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TRIMMED)
@pytest.mark.parametrize("stride", [1, 3, 20])
def test_padding_that_is_cut_away_again_is_no_obstacle(name: str, stride: int) -> None:
    body, weights, size = TRIMMED[name]
    model = text_model(f"{body} {DENSE}", {**weights, "axis": ints(2), "w": (size, 2)})
    assert_dense_equals_windows(model, card_for(), stride)


@pytest.mark.parametrize("stride", [1, 10])
def test_a_profile_that_each_window_makes_for_itself_is_one_of_windows(stride: int) -> None:
    """From a dense layer, so that windows disagree where they overlap: the tile keeps each one's own."""
    from trackgen.graph import compile_dense

    body = "[flat] f = Flatten(sequence) [gemm] g = Gemm(f, w) [shape] out = Reshape(g, s)"
    model = text_model(body, {"w": (80, 30), "s": ints(-1, 3, 10)}, out="3, 10")
    card = card_for(classes=3, positions=10)
    assert compile_dense(model, card, stride).forms == ("profiles",)
    assert_dense_equals_windows(model, card, stride)


def test_padding_that_is_cut_away_from_a_profile_is_no_obstacle() -> None:
    body = """[one] p = Conv<pads = [2, 2]>(sequence, k) [relu] r = Relu(p) [two] q = Conv<pads = [2, 2]>(r, k2)
    [crop] out = Slice(q, left, right, axis)"""
    weights = {"k": (3, 4, 5), "k2": (2, 3, 5), "left": ints(5), "right": ints(-5), "axis": ints(2)}
    assert_dense_equals_windows(text_model(body, weights, out="2, 10"), card_for(positions=10), 1)
