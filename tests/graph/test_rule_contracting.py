"""Dense layers, as ONNX text: whatever axis they contract, dense equals windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec

FLAT = "[flat] f = Flatten(sequence)"
TURN = "[turn] t = Transpose<perm = [0, 2, 1]>(sequence)"
W = {"w": (80, 2)}
VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))
DNASE = InputSpec("dnase", "signal", resolution=5)
WITH_VECTOR = (SEQUENCE, VECTOR)
CASES = {
    "flattened C*n": Text(f"{FLAT} [gemm] out = Gemm(f, w)", W),
    "flattened n*C": Text(f"{TURN} [flat] f = Flatten(t) [gemm] out = Gemm(f, w)", W),
    "with a bias": Text(f"{FLAT} [gemm] out = Gemm(f, w, b)", W | {"b": (2,)}),
    "with a bias of two axes": Text(f"{FLAT} [gemm] out = Gemm(f, w, b)", W | {"b": (1, 2)}),
    "with one number for all": Text(f"{FLAT} [gemm] out = Gemm(f, w, b)", W | {"b": (1,)}),
    "with a number of no axes": Text(f"{FLAT} [gemm] out = Gemm(f, w, b)", W | {"b": np.array(0.7, np.float32)}),
    "transB": Text(f"{FLAT} [gemm] out = Gemm<transB = 1>(f, w, b)", {"w": (2, 80), "b": (2,)}),
    "alpha": Text(f"{FLAT} [gemm] out = Gemm<alpha = 0.5>(f, w, b)", W | {"b": (2,)}),
    "beta": Text(f"{FLAT} [gemm] out = Gemm<beta = -2.0>(f, w, b)", W | {"b": (2,)}),
    "alpha, beta, transB": Text(
        f"{TURN} [flat] f = Flatten(t) [gemm] out = Gemm<alpha = 3.0, beta = 0.25, transB = 1, transA = 0>(f, w, b)",
        {"w": (2, 80), "b": (1, 2)},
    ),
    "MatMul": Text(f"{FLAT} [dense] out = MatMul(f, w)", W),
    "MatMul and Add": Text(f"{FLAT} [dense] d = MatMul(f, w) [add] out = Add(b, d)", W | {"b": (2,)}),
    "MatMul of three axes": Text(
        "[fold] f = Reshape(sequence, shape) [dense] d = MatMul(f, w) [drop] out = Squeeze(d, one)",
        W | {"shape": ints(-1, 1, 80), "one": ints(1)},
    ),
    "MatMul by weights of three axes": Text(
        "[fold] f = Reshape(sequence, shape) [dense] d = MatMul(f, w) [drop] out = Squeeze(d, one)",
        {"shape": ints(-1, 1, 80), "one": ints(1), "w": (1, 80, 2)},
    ),
    "MatMul by a vector": Text(
        f"{FLAT} [dense] d = MatMul(f, v) [lift] out = Unsqueeze(d, one)", {"v": (80,), "one": ints(1)}, out="1"
    ),
    "behind a pool": Text(
        f"{CONV} [p] m = MaxPool<kernel_shape = [4], strides = [4]>(c) {DENSE}", K | {"w": (12, 2)}
    ),
    "one behind another": Text(
        f"{FLAT} [a] a = Gemm(f, w, b) [r] r = Relu(a) [b] d = Gemm(r, v) [s] s = Sigmoid(d) [e] out = MatMul(s, u)",
        {"w": (80, 5), "b": (5,), "v": (5, 4), "u": (4, 2)},
    ),
    # at each position
    "channels at each position, channels last": Text(
        f"{TURN} [mix] x = MatMul(t, k) [add] a = Add(x, b) [r] m = Relu(a) {DENSE}",
        {"k": (4, 3), "b": (3,), "w": (60, 2)},
    ),
    "channels at each position, from the left": Text(
        f"[mix] x = MatMul(k, sequence) [r] m = Relu(x) {DENSE}", {"k": (3, 4), "w": (60, 2)}
    ),
    # The Neg keeps ONNX Runtime from folding the Transpose into a product with a vector, which it computes wrongly.
    "one channel out of all, by a vector": Text(
        f"{TURN} [n] n = Neg(t) [mix] m = MatMul(n, v) {DENSE}", {"v": (4,), "w": (20, 2)}
    ),
    "one channel out of all, by a vector from the left": Text(
        f"[mix] m = MatMul(v, sequence) {DENSE}", {"v": (4,), "w": (20, 2)}
    ),
    "TimeDistributed: (N*L, C) and back": Text(
        f"""{TURN} [fold] f2 = Reshape(t, rows) [dense] d = Gemm(f2, k, b) [r] r = Relu(d)
        [unfold] m = Reshape(r, back) {DENSE}""",
        {"rows": ints(-1, 4), "back": ints(-1, 20, 3), "k": (4, 3), "b": (3,), "w": (60, 2)},
    ),
    "TimeDistributed by a computed shape": Text(
        f"""{TURN} [fold] f2 = Reshape(t, rows) [dense] d = MatMul(f2, k) [s] s = Shape<start = 0, end = 2>(t)
        [j] j = Concat<axis = 0>(s, three) [unfold] m = Reshape(d, j) {DENSE}""",
        {"rows": ints(-1, 4), "three": ints(3), "k": (4, 3), "w": (60, 2)},
    ),
    "TimeDistributed flattening: each channel by itself": Text(
        "[flat] f = Flatten<axis = 2>(sequence) [dense] d = Gemm(f, k, b) [fold] g = Reshape(d, back)"
        "[gemm] out = Gemm(g, w)",
        {"k": (20, 3), "b": (3,), "back": ints(-1, 12), "w": (12, 2)},
    ),
    # several channel axes
    "splines from the right, each channel by itself": Text(
        f"{CONV} [spline] s = MatMul(c, basis) [r] m = Relu(s) {DENSE}", K | {"basis": (18, 5), "w": (15, 2)}
    ),
    "splines from the left, each channel by itself": Text(
        f"""{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [spline] s = MatMul(basis, t) [r] m = Relu(s) {DENSE}""",
        K | {"basis": (5, 18), "w": (15, 2)},
    ),
    "splines behind a pool": Text(
        f"""{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [spline] s = MatMul(p, basis)
        [back] t = Transpose<perm = [0, 2, 1]>(s) [r] m = Tanh(t) {DENSE}""",
        K | {"basis": (4, 5), "w": (15, 2)},
    ),
    "splines by a vector": Text(f"{CONV} [spline] m = MatMul(c, v) {DENSE}", K | {"v": (18,), "w": (3, 2)}),
    "a sum over positions by a vector from the left": Text(
        f"{TURN} [spline] m = MatMul(v, t) {DENSE}", {"v": (20,), "w": (4, 2)}
    ),
    "the inner of two channel axes": Text(
        f"{FLAT} [a] a = Gemm(f, w, b) [r] r = Reshape(a, shape) [in] m = MatMul(r, u) [g] g = Flatten(m)"
        "[gemm] out = Gemm(g, v)",
        {"w": (80, 6), "b": (6,), "shape": ints(-1, 3, 2), "u": (2, 4), "v": (12, 2)},
    ),
    "the outer of two channel axes": Text(
        f"{FLAT} [a] a = Gemm(f, w, b) [r] r = Reshape(a, shape) [out] m = MatMul(u, r) [g] g = Flatten(m)"
        "[gemm] out = Gemm(g, v)",
        {"w": (80, 6), "b": (6,), "shape": ints(-1, 3, 2), "u": (4, 3), "v": (8, 2)},
    ),
    "two channel axes turned, then flattened": Text(
        f"{FLAT} [a] a = Gemm(f, w) [r] r = Reshape(a, shape) [t] t = Transpose<perm = [0, 2, 1]>(r) [g] g = Flatten(t)"
        "[gemm] out = Gemm(g, v)",
        {"w": (80, 6), "shape": ints(-1, 3, 2), "v": (6, 2)},
    ),
    "positions between two channel axes": Text(
        f"[rows] i = Reshape(sequence, rows) [turn] m = Transpose<perm = [0, 1, 3, 2]>(i) {DENSE}",
        {"rows": ints(-1, 2, 2, 20), "w": (80, 2)},
    ),
    # maps that differ by position, taken up
    "positions weighted, channels not": Text(
        f"{CONV} [weight] m = Mul(c, e) {DENSE}", K | {"e": (18,), "w": (54, 2)}
    ),
    "an embedding of positions": Text(
        f"{CONV} [place] m = Add(c, e) [flat] f = Flatten(m) [gemm] out = Gemm(f, w, b)",
        K | {"e": (1, 3, 18), "w": (54, 2), "b": (2,)},
    ),
    # joined branches
    "flattened branches of different resolution": Text(
        f"""{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [fa] fa = Flatten(c) [fb] fb = Flatten(p)
        [join] j = Concat<axis = 1>(fb, fa) [gemm] out = Gemm(j, w, b)""",
        K | {"w": (66, 2), "b": (2,)},
    ),
    "a vector behind": Text(
        f"{FLAT} [join] j = Concat<axis = 1>(f, v) [gemm] out = Gemm(j, w, b)", {"w": (83, 2), "b": (2,)},
        inputs=WITH_VECTOR,
    ),
    "a vector in front": Text(
        f"{FLAT} [join] j = Concat<axis = -1>(v, f) [dense] d = MatMul(j, w) [add] out = Add(d, b)",
        {"w": (83, 2), "b": (2,)}, inputs=WITH_VECTOR,
    ),
    "two vectors in front": Text(
        f"{FLAT} [u] u = Gemm(v, h) [join] j = Concat<axis = 1>(v, u, f) [gemm] out = Gemm<transB = 1>(j, w, b)",
        {"h": (3, 5), "w": (2, 88), "b": (2,)}, inputs=WITH_VECTOR,
    ),
    "a signal of resolution 5": Text(
        f"{FLAT} [g] g = Flatten(dnase) [join] j = Concat<axis = 1>(g, f) [gemm] out = Gemm(j, w, b)",
        {"w": (84, 2), "b": (2,)}, inputs=(SEQUENCE, DNASE), strides=(1, 3, 4, 5, 20),
    ),
    "a collapsed branch that has windows too many": Text(
        f"""{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [top] t = GlobalMaxPool(p) [fa] fa = Flatten(t)
        {FLAT} [join] j = Concat<axis = 1>(f, fa) [gemm] out = Gemm(j, w, b)""",
        K | {"w": (83, 2), "b": (2,)},
    ),
    "joined by three axes": Text(
        """[a] a = Reshape(sequence, shape) [u] u = Unsqueeze(v, one) [join] j = Concat<axis = 2>(a, u)
        [dense] d = MatMul(j, w) [drop] out = Squeeze(d, one)""",
        {"shape": ints(-1, 1, 80), "one": ints(1), "w": (83, 2)}, inputs=WITH_VECTOR,
    ),
    "a vector alone": Text(
        f"{FLAT} [a] a = Gemm(f, w) [u] u = Gemm(v, h, b) [times] out = Mul(a, u)",
        W | {"h": (3, 2), "b": (2,)}, inputs=WITH_VECTOR,
    ),
    "a vector spread over positions, flattened": Text(
        f"""[lift] l = Unsqueeze(v, two) [s] s = Shape(sequence) [n] n = Gather(s, two)
        [target] t = Concat<axis = 0>(ones, n) [spread] e = Expand(l, t) [fe] fe = Flatten(e) [u] u = Gemm(fe, h)
        {FLAT} [a] a = Gemm(f, w) [add] out = Add(a, u)""",
        W | {"two": ints(2), "ones": ints(1, 1), "h": (60, 2)}, inputs=WITH_VECTOR,
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


@pytest.mark.parametrize("stride", [1, 3, 4, 8, 12, 20])
@pytest.mark.parametrize(("spacing", "length"), [(1, 20), (4, 5)])
def test_a_layer_on_flattened_features_is_a_convolution_as_long_as_the_positions(
    stride: int, spacing: int, length: int
) -> None:
    """Kernel n, dilation S/g, stride s/g: from there on points are windows."""
    body = f"[p] m = MaxPool<kernel_shape = [{spacing}], strides = [{spacing}]>(sequence) {DENSE}"
    tile = Text(body, {"w": (4 * length, 2)}).tile(stride)
    step = math.gcd(stride, spacing)
    assert tile.kernels("Conv") == [(length, spacing // step, stride // step)]
    assert not {"Gemm", "MatMul", "Flatten", "Transpose"}.intersection(tile.ops)


@pytest.mark.parametrize("name", ["flattened C*n", "flattened n*C"])
def test_the_weights_are_put_in_the_order_of_the_tile(name: str) -> None:
    """(O, C, 1, n), whatever the order of the features was."""
    text = CASES[name]
    weights = {entry.name: entry for entry in text.model.graph.initializer}
    given = np.frombuffer(weights["w"].raw_data, np.float32).reshape(80, 2).T
    wanted = given.reshape(2, 4, 20) if name == "flattened C*n" else given.reshape(2, 20, 4).transpose(0, 2, 1)
    tile = text.tile(1)
    assert (tile.constants[tile.only("Conv").inputs[1]] == wanted[:, :, None]).all()


@table(
    {name: CASES[name] for name in ("channels at each position, channels last", "TimeDistributed: (N*L, C) and back")}
)
def test_a_layer_at_each_position_is_a_convolution_of_kernel_1(name: str) -> None:
    tile = CASES[name].tile(3)
    assert tile.kernels("Conv") == [(1, 1, 1), (20, 1, 3)]
    assert [op for op in tile.ops if op not in ("Add", "Relu")] == ["Conv", "Conv"]


@pytest.mark.parametrize(
    ("name", "groups", "kernel"),
    [
        ("splines from the right, each channel by itself", 3, (18, 1, 4)),
        ("splines from the left, each channel by itself", 3, (18, 1, 4)),
        ("the inner of two channel axes", 3, (1, 1, 1)),
        ("the outer of two channel axes", 2, (1, 1, 1)),
    ],
)
def test_channels_on_other_axes_keep_apart_as_groups(name: str, groups: int, kernel: tuple[int, int, int]) -> None:
    tile = CASES[name].tile(4)
    assert tile.kernels("Conv")[1] == kernel
    assert [node.attributes["group"] for node in tile.all("Conv")] == [1, groups, 1]


def test_each_joined_branch_takes_its_rows_and_the_results_are_added() -> None:
    tile = CASES["flattened branches of different resolution"].tile(4)
    assert not tile.all("Concat")
    assert tile.kernels("Conv") == [(3, 1, 1), (4, 1, 1), (18, 1, 4)]
    _, pooled, whole = tile.all("Conv")
    # the offset once
    assert (len(pooled.inputs), len(whole.inputs)) == (3, 2)
    assert set(tile.only("Add").inputs) == {pooled.outputs[0], tile.nodes[tile.nodes.index(whole)].outputs[0]}


def test_a_map_that_differs_by_position_goes_into_the_weights() -> None:
    tile = CASES["positions weighted, channels not"].tile(1)
    assert tile.ops == ["Conv", "Conv"]
    tile = CASES["an embedding of positions"].tile(1)
    assert tile.ops == ["Conv", "Conv"]
    assert len(tile.all("Conv")[1].inputs) == 3


REFUSED = {
    "two activations": (
        Text(f"{TURN} [scores] m = MatMul(sequence, t) {DENSE}", {"w": (16, 2)}), "scores", "two activations",
    ),
    "weights of each channel's own": (
        Text(f"[lift] i = Unsqueeze(sequence, two) [own] m = MatMul(i, k) {DENSE}",
             {"two": ints(2), "k": (4, 20, 3), "w": (12, 2)}),
        "own", "differ along an axis",
    ),
    "data as weights": (
        Text(f"{FLAT} [a] a = Gemm(f, w) [t] t = Transpose(a) [b] out2 = MatMul(a, t) [g] s = ReduceSum(out2, one)"
             "[m] out = Mul(a, s)", W | {"one": ints(1)}),
        "b", "two activations",
    ),
    "positions weighted by channel, channels contracted": (
        Text(f"{CONV} [place] a = Mul(c, e) [turn] t = Transpose<perm = [0, 2, 1]>(a) [mix] m = MatMul(t, u) {DENSE}",
             K | {"e": (3, 18), "u": (3, 4), "w": (72, 2)}),
        "mix", "along several axes",
    ),
    "positions weighted by channel, positions contracted": (
        Text(f"{CONV} [place] a = Add(c, e) [spline] m = MatMul(a, basis) {DENSE}",
             K | {"e": (3, 18), "basis": (18, 5), "w": (15, 2)}),
        "spline", "along several axes",
    ),
    "joined branches along another axis": (
        Text(f"""[a] a = Reshape(sequence, shape) [u] u = Unsqueeze(v, two) [join] j = Concat<axis = 1>(a, u)
             [mix] m = MatMul(j, k) {DENSE}""",
             {"shape": ints(-1, 80, 1), "two": ints(2), "k": (1, 3), "w": (249, 2)}, inputs=WITH_VECTOR),
        "mix", "along another axis",
    ),
    "padding that reaches it": (
        Text(f"""[conv] p = Conv<pads = [1, 1]>(sequence, k) [turn] t = Transpose<perm = [0, 2, 1]>(p)
             [norm] m = LayerNormalization(t, s, b) {DENSE}""", K | {"s": (3,), "b": (3,), "w": (60, 2)}),
        "conv", "padding",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_is_no_product_with_constants_is_refused(name: str) -> None:
    text, node, reason = REFUSED[name]
    text.refused(node, reason)
