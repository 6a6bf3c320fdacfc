"""Single models at the corners of the accepted scope, as ONNX text: each runs dense and equals windows."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.graph.dense_oracle import assert_dense_equals_windows
from tests.graph.texts import card_for, text_model
from trackgen.card import InputSpec

DENSE = "[flat] f = Flatten(m) [gemm] out = Gemm(f, w)"
SEQUENCE = InputSpec("sequence", "sequence")
MOST = 2**63 - 1


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


K = {"k": (3, 4, 3)}
CORNERS = {
    "the sequence itself": ("[flat] f = Flatten(sequence) [gemm] out = Gemm(f, w)", {"w": (80, 2)}),
    "one base of the window": (
        "[one] m = Gather<axis = 2>(sequence, five) [gemm] out = Gemm(m, w)", {"five": np.array(5), "w": (4, 2)},
    ),
    "the last base of the window": (
        "[one] m = Gather<axis = -1>(sequence, last) [gemm] out = Gemm(m, w)", {"last": np.array(-1), "w": (4, 2)},
    ),
    "a crop and nothing else": (
        f"[crop] m = Slice(sequence, a, b, two) {DENSE}", {"a": ints(7), "b": ints(-6), "two": ints(2), "w": (28, 2)},
    ),
    "Flatten of a negative axis": ("[flat] f = Flatten<axis = -2>(sequence) [gemm] out = Gemm(f, w)", {"w": (80, 2)}),
    "Slice beyond the ends": (
        f"[crop] m = Slice(sequence, a, b, two) {DENSE}", {"a": ints(-50), "b": ints(70), "two": ints(2), "w": (80, 2)},
    ),
    "Slice of channels and positions at once": (
        f"[crop] m = Slice(sequence, a, b, axes) {DENSE}",
        {"a": ints(1, 3), "b": ints(3, -3), "axes": ints(1, -1), "w": (28, 2)},
    ),
    "Slice with steps of one": (
        f"[crop] m = Slice(sequence, a, b, axes, steps) {DENSE}",
        {"a": ints(0, 0, 2), "b": ints(MOST, MOST, MOST), "axes": ints(0, 1, 2), "steps": ints(1, 1, 1), "w": (72, 2)},
    ),
    "channels put in another order": (
        f"[swap] m = Gather<axis = 1>(sequence, order) {DENSE}", {"order": ints(3, 0, 2), "w": (60, 2)},
    ),
    "one channel": (
        "[one] c = Gather<axis = 1>(sequence, two) [lift] m = Unsqueeze(c, one) [conv] d = Conv(m, k1)"
        "[flat] f = Flatten(d) [gemm] out = Gemm(f, w)",
        {"two": np.array(2), "one": ints(1), "k1": (3, 1, 4), "w": (51, 2)},
    ),
    "a convolution of stride 7 and kernel 1": (
        f"[conv] m = Conv<strides = [7]>(sequence, k1) {DENSE}", {"k1": (3, 4, 1), "w": (9, 2)},
    ),
    "strides 2, 3 and 2": (
        f"""[a] a = Conv<strides = [2]>(sequence, k) [b] b = MaxPool<kernel_shape = [2], strides = [3]>(a)
        [c] m = AveragePool<kernel_shape = [2], strides = [2]>(b) {DENSE}""",
        K | {"w": (3, 2)},
    ),
    "pooling that leaves most of the window out": (
        f"[pool] m = MaxPool<kernel_shape = [3], strides = [11]>(sequence) {DENSE}", {"w": (8, 2)},
    ),
    "pooling that drops the last bases": (
        f"[pool] m = MaxPool<kernel_shape = [7], strides = [7]>(sequence) {DENSE}", {"w": (8, 2)},
    ),
    "a convolution over the whole window": (
        "[conv] c = Conv(sequence, k20, b) [relu] r = Relu(c) [next] d = Conv(r, k1) [drop] out = Squeeze(d, two)",
        {"k20": (3, 4, 20), "b": (3,), "k1": (2, 3, 1), "two": ints(2)},
    ),
    "two collapses of different stride": (
        """[a] a = MaxPool<kernel_shape = [3], strides = [3]>(sequence) [ga] ga = GlobalMaxPool(a)
        [b] b = Conv<strides = [2]>(sequence, k) [gb] gb = GlobalAveragePool(b) [join] j = Concat<axis = 1>(ga, gb)
        [flat] f = Flatten(j) [gemm] out = Gemm(f, w)""",
        K | {"w": (7, 2)},
    ),
    "the sum of two collapses": (
        """[a] a = Conv(sequence, k) [ga] ga = ReduceMax(a, two) [gb] gb = ReduceMean(a, two) [sum] s = Add(ga, gb)
        [flat] f = Flatten(s) [gemm] out = Gemm(f, w)""",
        K | {"two": ints(2), "w": (3, 2)},
    ),
    "three values added, joined and compared": (
        f"""[a] a = Conv(sequence, k) [b] b = Conv(sequence, k2) [c] c = Tanh(a) [sum] s = Sum(a, b, c)
        [mean] n = Mean(a, b) [max] x = Max(a, b, c) [min] i = Min(a, b)
        [join] m = Concat<axis = 1>(s, n, x, i) {DENSE}""",
        K | {"k2": (3, 4, 3), "w": (216, 2)},
    ),
    "a choice between two maps": (
        """[a] a = Conv(sequence, k) [b] b = Conv(sequence, k2) [zero] z = Constant<value = float {0.3}>()
        [over] o = Greater(a, z) [pick] m = Where(o, a, z) [more] n = Max(m, b) [flat] f = Flatten(n)
        [gemm] out = Gemm(f, w)""",
        K | {"k2": (3, 4, 3), "w": (54, 2)},
    ),
    "a map times itself": (f"[a] a = Conv(sequence, k) [square] m = Mul(a, a) {DENSE}", K | {"w": (54, 2)}),
    "a Conv of shared weights": (
        """[a] a = Conv(sequence, k) [b] b = Conv(sequence, k) [n] n = BatchNormalization(a, s, t, u, v) [r] r = Relu(n)
        [plus] m = Add(r, b) [flat] f = Flatten(m) [gemm] out = Gemm(f, w)""",
        K | {"s": (3,), "t": (3,), "u": (3,), "v": np.array([0.5, 1, 2], np.float32), "w": (54, 2)},
    ),
    "Gemm of shared weights": (
        """[a] a = Gather<axis = 2>(sequence, five) [b] b = Gather<axis = 2>(sequence, seven) [ga] ga = Gemm(a, w)
        [n] n = BatchNormalization(ga, s, t, u, v) [gb] gb = Gemm(b, w) [plus] out = Sub(n, gb)""",
        {"five": np.array(5), "seven": np.array(7), "s": (2,), "t": (2,), "u": (2,), "w": (4, 2),
         "v": np.array([0.5, 2], np.float32)},
    ),
    "one flattened map, two dense layers": (
        """[a] a = Conv(sequence, k) [flat] f = Flatten(a) [g] g = Gemm(f, w) [h] h = MatMul(f, w2)
        [soft] s = Sigmoid(g) [times] out = Mul(s, h)""",
        K | {"w": (54, 2), "w2": (54, 2)},
    ),
    "mean over channels as a gate on positions": (
        f"""[a] a = Conv(sequence, k) [mean] n = ReduceMean(a, one) [gate] g = Sigmoid(n)
        [times] m = Mul(a, g) {DENSE}""",
        K | {"one": ints(1), "w": (54, 2)},
    ),
    "layer normalisation over channels, by reductions of axis 1": (
        f"""[a] a = Conv(sequence, k) [mean] n = ReduceMean(a, one) [minus] d = Sub(a, n) [square] q = Mul(d, d)
        [variance] v = ReduceMean(q, one) [plus] p = Add(v, tiny) [root] r = Sqrt(p) [over] m = Div(d, r) {DENSE}""",
        K | {"one": ints(1), "tiny": np.array([0.01], np.float32), "w": (54, 2)},
    ),
    "flattened to three axes": (
        "[fold] f = Reshape(sequence, shape) [dense] d = MatMul(f, w) [drop] out = Squeeze(d, one)",
        {"shape": ints(-1, 1, 80), "w": (80, 2), "one": ints(1)},
    ),
    "a spline with a batch of one": (
        "[spline] s = MatMul(sequence, b) [flat] f = Flatten(s) [gemm] out = Gemm(f, w)",
        {"b": (1, 20, 3), "w": (12, 2)},
    ),
    "a weight from the left": (
        "[mix] m = MatMul(mixer, sequence) [relu] r = Relu(m) [top] g = GlobalMaxPool(r) [flat] f = Flatten(g)"
        "[gemm] out = Gemm(f, w)",
        {"mixer": (5, 4), "w": (5, 2)},
    ),
    "Gemm with a bias for the batch": (
        "[flat] f = Flatten(sequence) [gemm] out = Gemm<beta = 2.0>(f, w, b)", {"w": (80, 2), "b": (1, 1)},
    ),
    "adaptive pooling to four": (
        f"[pool] m = AveragePool<kernel_shape = [5], strides = [5]>(sequence) {DENSE}", {"w": (16, 2)},
    ),
    "log of a softmax over classes": (
        "[flat] f = Flatten(sequence) [gemm] g = Gemm(f, w) [log] out = LogSoftmax<axis = -1>(g)", {"w": (80, 2)},
    ),
    "a temperature after the softmax": (
        "[flat] f = Flatten(sequence) [gemm] g = Gemm(f, w) [soft] s = Softmax(g) [scale] out = Mul(s, t)",
        {"w": (80, 2), "t": (2,)},
    ),
    "a sum over the classes": (
        """[flat] f = Flatten(sequence) [gemm] g = Gemm(f, w) [e] e = Exp(g) [sum] s = ReduceSum(e, one)
        [over] out = Div(e, s)""",
        {"w": np.random.default_rng(0).normal(0, 0.1, (80, 2)).astype(np.float32), "one": ints(1)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("stride", [1, 3, 4, 20, 27])
@pytest.mark.parametrize("name", CORNERS)
def test_the_corners_of_the_scope_run_dense(name: str, stride: int) -> None:
    body, weights = CORNERS[name]
    model = text_model(body, weights)
    onnx.checker.check_model(model, full_check=True)
    assert_dense_equals_windows(model, card_for(), stride)


PROFILES = {
    "a convolution": ("[conv] out = Conv(sequence, k)", {"k": (2, 4, 5)}, 16, 1),
    "the sequence itself": ("[same] out = Identity(sequence)", {}, 20, 1),
    "a crop": (
        "[conv] c = Conv(sequence, k) [crop] out = Slice(c, a, b, two)",
        {"k": (2, 4, 5), "a": ints(3), "b": ints(-5), "two": ints(2)}, 8, 1,
    ),
    "pooled by four": ("[pool] out = AveragePool<kernel_shape = [4], strides = [4]>(sequence)", {}, 5, 4),
    "one position": ("[conv] out = Conv(sequence, k)", {"k": (2, 4, 20)}, 1, 20),
    "channels last and back": (
        """[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [dense] d = MatMul(t, w) [add] e = Add(d, b)
        [soft] s = Softmax<axis = -1>(e) [back] out = Transpose<perm = [0, 2, 1]>(s)""",
        {"w": (4, 3), "b": (3,)}, 20, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("name", PROFILES)
def test_profiles_run_dense(name: str, times: int) -> None:
    """Strides are multiples of the resolution, at most the bin."""
    body, weights, positions, resolution = PROFILES[name]
    classes = {"the sequence itself": 4, "pooled by four": 4, "channels last and back": 3}.get(name, 2)
    card = card_for(classes=classes, positions=positions, resolution=resolution)
    model = text_model(body, weights, out=f"{classes}, {positions}")
    assert_dense_equals_windows(model, card, min(times * resolution, card.bin))
    assert_dense_equals_windows(model, card, card.bin)


@pytest.mark.parametrize("name", ["codes", "signal.dnase", "vector.v", "out_1", ""])
def test_names_of_the_model_do_not_collide_with_those_of_the_tile(name: str) -> None:
    """Values, weights and nodes may be called as the tile graph calls its own."""
    body = f'[flat] f = Flatten(sequence) [gemm] "{name or "g"}" = Gemm(f, w) [relu] out = Relu("{name or "g"}")'
    model = text_model(body, {"w": (80, 2)})
    model.graph.node[1].name = name
    assert_dense_equals_windows(model, card_for(), 3)


def test_an_input_may_be_called_codes() -> None:
    model = text_model("f = Flatten(codes) out = Gemm(f, w)", {"w": (80, 2)}, inputs="float[N, 4, 20] codes")
    assert_dense_equals_windows(model, card_for(inputs=(InputSpec("codes", "sequence"),)), 3)


def test_a_signal_may_be_called_codes() -> None:
    model = text_model(
        "f = Flatten(sequence) g = Flatten(codes) h = Concat<axis = 1>(f, g) out = Gemm(h, w)", {"w": (100, 2)},
        inputs="float[N, 4, 20] sequence, float[N, 1, 20] codes",
    )  # fmt: skip
    assert_dense_equals_windows(model, card_for(inputs=(SEQUENCE, InputSpec("codes", "signal"))), 3)


@pytest.mark.parametrize("stride", [1, 5])
def test_an_output_of_the_vector_alone_is_the_same_in_every_window(stride: int) -> None:
    model = text_model(
        "a = Gemm(v, u) f = Flatten(sequence) b = Gemm(f, w) z = Mul(b, zero) out = Add(a, z)",
        {"u": (3, 2), "w": (80, 2), "zero": np.zeros(1, np.float32)},
        inputs="float[N, 4, 20] sequence, float[N, 3] v",
    )
    vector = InputSpec("v", "vector", length=3, default=(0.0,))
    assert_dense_equals_windows(model, card_for(inputs=(SEQUENCE, vector)), stride)


def test_a_vector_expanded_to_all_positions() -> None:
    body = """[lift] l = Unsqueeze(v, two) [shape] s = Shape(sequence) [n] n = Gather(s, two)
    [target] t = Concat<axis = 0>(ones, n) [expand] e = Expand(l, t) [join] m = Concat<axis = 1>(sequence, e)
    [conv] c = Conv(m, k) [relu] r = Relu(c) [flat] f = Flatten(r) [gemm] out = Gemm(f, w)"""
    weights = {"two": ints(2), "ones": ints(1, 1), "k": (3, 7, 4), "w": (51, 2)}
    model = text_model(body, weights, inputs="float[N, 4, 20] sequence, float[N, 3] v")
    vector = InputSpec("v", "vector", length=3, default=(0.0,))
    assert_dense_equals_windows(model, card_for(inputs=(SEQUENCE, vector)), 3)


def test_nodes_that_no_output_needs_are_no_obstacle() -> None:
    body = """[dead] d, h = LSTM<hidden_size = 5>(t, x, r) [turn2] t2 = Transpose<perm = [0, 2, 1]>(sequence)
    [flat] f = Flatten(sequence) [gemm] out = Gemm(f, w)"""
    body = "[turn] t = Transpose<perm = [2, 0, 1]>(sequence) " + body
    model = text_model(body, {"x": (1, 20, 4), "r": (1, 20, 5), "w": (80, 2)})
    assert_dense_equals_windows(model, card_for(), 1)


def test_shapes_of_names_and_no_shapes_at_all_are_inferred() -> None:
    """Exporters name the length of a profile, or leave it out."""
    model = text_model("[conv] c = Conv(sequence, k) [relu] out = Relu(c)", {"k": (2, 4, 5)}, out="2, M")
    assert_dense_equals_windows(model, card_for(positions=16), 1)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("out", TensorProto.FLOAT, None))
    assert_dense_equals_windows(model, card_for(positions=16), 1)


def test_an_output_given_twice() -> None:
    from trackgen.card import Card, ClassSpec, OutputSpec

    body = "[flat] f = Flatten(sequence) [gemm] out = Gemm(f, w) [same] again = Identity(out)"
    model = text_model(body, {"w": (80, 2)})
    model.graph.output.append(helper.make_tensor_value_info("again", TensorProto.FLOAT, ["N", 2]))
    outputs = (
        OutputSpec("out", "none", (ClassSpec("a"), ClassSpec("b"))),
        OutputSpec("again", "none", (ClassSpec("c"), ClassSpec("d"))),
    )
    assert_dense_equals_windows(model, Card("twice", 20, (SEQUENCE,), outputs), 1)


def test_outputs_in_the_order_of_the_card() -> None:
    from trackgen.card import Card, ClassSpec, OutputSpec

    body = "[flat] f = Flatten(sequence) [gemm] out = Gemm(f, w) [soft] other = Softmax(out)"
    model = text_model(body, {"w": (80, 2)})
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, ["N", 2]))
    outputs = (
        OutputSpec("other", "softmax", (ClassSpec("a"), ClassSpec("b"))),
        OutputSpec("out", "none", (ClassSpec("c"), ClassSpec("d"))),
    )
    assert_dense_equals_windows(model, Card("order", 20, (SEQUENCE,), outputs), 1)
