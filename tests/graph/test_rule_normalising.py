"""Normalisations and softmax, as ONNX text: dense equals windows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec

FLAT = "[flat] f = Flatten(sequence)"
TURN = "[turn] t = Transpose<perm = [0, 2, 1]>(c)"
NORM = "BatchNormalization<epsilon = 0.001>"
VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))


def batch(size: int) -> dict[str, np.ndarray]:
    """Gain, bias, mean and variance of `size` channels."""
    random = np.random.default_rng(size)
    values = {name: random.normal(0.3, 0.5, size).astype(np.float32) for name in ("g", "o", "a")}
    return values | {"u": random.uniform(0.2, 2, size).astype(np.float32)}


def by_channel(channels: int, positions: int) -> dict[str, np.ndarray]:
    """The same at all positions of C*n features."""
    return {name: np.repeat(value, positions) for name, value in batch(channels).items()}


CASES = {
    "channels of a map": Text(f"{CONV} [n] m = {NORM}(c, g, o, a, u) {DENSE}", K | batch(3) | {"w": (54, 2)}),
    "the raw sequence": Text(f"[n] m = {NORM}(sequence, g, o, a, u) {DENSE}", batch(4) | {"w": (80, 2)}),
    "behind a Relu and a pool": Text(
        f"""{CONV} [r] r = Relu(c) [p] p = MaxPool<kernel_shape = [4], strides = [4]>(r) [n] m = {NORM}(p, g, o, a, u)
        {DENSE}""",
        K | batch(3) | {"w": (12, 2)},
    ),
    "without an epsilon": Text(
        f"{CONV} [n] m = BatchNormalization(c, g, o, a, u) {DENSE}", K | batch(3) | {"w": (54, 2)}
    ),
    "opset 13": Text(
        f"{CONV} [n] m = {NORM}(c, g, o, a, u) {DENSE}", K | batch(3) | {"w": (54, 2)}, opset=13
    ),
    "opset 14, not training": Text(
        f"{CONV} [n] m = BatchNormalization<training_mode = 0>(c, g, o, a, u) {DENSE}", K | batch(3) | {"w": (54, 2)},
        opset=14,
    ),
    "an image": Text(
        f"[lift] i = Unsqueeze(sequence, one) [conv] c = Conv(i, k) [n] m = {NORM}(c, g, o, a, u) {DENSE}",
        {"one": ints(1), "k": (3, 1, 4, 5)} | batch(3) | {"w": (48, 2)},
    ),
    "classes": Text(
        f"{FLAT} [a] x = Gemm(f, w) [n] n = {NORM}(x, g, o, a, u) [r] r = Relu(n) [b] out = Gemm(r, z)",
        {"w": (80, 5)} | batch(5) | {"z": (5, 2)},
    ),
    "flattened features, then a dense layer": Text(
        f"{FLAT} [n] n = {NORM}(f, g, o, a, u) [gemm] out = Gemm(n, w, b)", batch(80) | {"w": (80, 2), "b": (2,)}
    ),
    "flattened n*C features": Text(
        f"{CONV} {TURN} [flat] f = Flatten(t) [n] n = {NORM}(f, g, o, a, u) [gemm] out = Gemm(n, w)",
        K | batch(54) | {"w": (54, 2)},
    ),
    "flattened features, alike at all positions": Text(
        f"{CONV} [flat] f = Flatten(c) [n] n = {NORM}(f, g, o, a, u) [r] r = Relu(n) [gemm] out = Gemm(r, w)",
        K | by_channel(3, 18) | {"w": (54, 2)},
    ),
    "twice on flattened features": Text(
        f"{FLAT} [n] n = {NORM}(f, g, o, a, u) [n2] p = {NORM}(n, g, o, a, u) [gemm] out = Gemm(p, w)",
        batch(80) | {"w": (80, 2)},
    ),
    "positions as channels": Text(
        f"{CONV} {TURN} [n] m = {NORM}(t, g, o, a, u) {DENSE}", K | batch(18) | {"w": (54, 2)}
    ),
    "joined branches": Text(
        f"{FLAT} [join] j = Concat<axis = 1>(v, f) [n] n = {NORM}(j, g, o, a, u) [gemm] out = Gemm(n, w)",
        batch(83) | {"w": (83, 2)}, inputs=(SEQUENCE, VECTOR),
    ),
    "a vector": Text(
        f"{FLAT} [a] x = Gemm(f, w) [n] n = {NORM}(v, g, o, a, u) [b] y = Gemm(n, z) [add] out = Add(x, y)",
        {"w": (80, 2)} | batch(3) | {"z": (3, 2)}, inputs=(SEQUENCE, VECTOR),
    ),
    "behind a constant that differs by position": Text(
        f"{CONV} [place] p = Add(c, e) [n] m = {NORM}(p, g, o, a, u) {DENSE}",
        K | batch(3) | {"e": (3, 18), "w": (54, 2)},
    ),
    # LayerNormalization
    "a layer at each position": Text(
        f"{CONV} {TURN} [n] m = LayerNormalization(t, g, o) {DENSE}", K | batch(3) | {"w": (54, 2)}
    ),
    "a layer without a bias": Text(
        f"{CONV} {TURN} [n] m = LayerNormalization<axis = 2, epsilon = 0.01>(t, g) {DENSE}",
        K | batch(3) | {"w": (54, 2)}, opset=17,
    ),
    "a layer, then back": Text(
        f"""{CONV} {TURN} [n] n = LayerNormalization<epsilon = 0.01>(t, g, o)
        [back] b = Transpose<perm = [0, 2, 1]>(n) [next] m = Conv(b, l) {DENSE}""",
        K | batch(3) | {"l": (2, 3, 3), "w": (32, 2)},
    ),
    "a layer of classes": Text(
        f"{FLAT} [a] x = Gemm(f, w) [n] n = LayerNormalization<axis = 1>(x, g, o) [b] out = Gemm(n, z)",
        {"w": (80, 5)} | batch(5) | {"z": (5, 2)},
    ),
    "a layer of the inner of two channel axes": Text(
        f"""{FLAT} [a] x = Gemm(f, w) [r] r = Reshape(x, s) [n] m = LayerNormalization(r, g, o)
        [f2] y = Flatten(m) [b] out = Gemm(y, z)""",
        {"w": (80, 6), "s": ints(-1, 2, 3), "z": (6, 2)} | batch(3),
    ),
    "a layer of both channel axes": Text(
        f"""{FLAT} [a] x = Gemm(f, w) [r] r = Reshape(x, s) [n] m = LayerNormalization<axis = 1>(r, g, o)
        [f2] y = Flatten(m) [b] out = Gemm(y, z)""",
        {"w": (80, 6), "s": ints(-1, 2, 3), "z": (6, 2), "g": (2, 3), "o": (2, 3)},
    ),
    "a layer of the outer axis, turned": Text(
        f"""{FLAT} [a] x = Gemm(f, w) [r] r = Reshape(x, s) [turn] t = Transpose<perm = [0, 2, 1]>(r)
        [n] m = LayerNormalization(t, g, o) [f2] y = Flatten(m) [b] out = Gemm(y, z)""",
        {"w": (80, 6), "s": ints(-1, 3, 2), "z": (6, 2)} | batch(3),
    ),
    # Softmax
    "softmax of classes": Text(f"{FLAT} [a] x = Gemm(f, w) [n] out = Softmax(x)", {"w": (80, 2)}),
    "softmax of classes, axis 1": Text(f"{FLAT} [a] x = Gemm(f, w) [n] out = Softmax<axis = 1>(x)", {"w": (80, 2)}),
    "logarithm of the softmax": Text(f"{FLAT} [a] x = Gemm(f, w) [n] out = LogSoftmax(x)", {"w": (80, 2)}),
    "softmax of channels at each position": Text(
        f"{CONV} [n] m = Softmax<axis = 1>(c) {DENSE}", K | {"w": (54, 2)}
    ),
    "softmax of channels last": Text(f"{CONV} {TURN} [n] m = Softmax<axis = -1>(t) {DENSE}", K | {"w": (54, 2)}),
    "softmax of each task": Text(
        f"{FLAT} [a] x = Gemm(f, w) [r] r = Reshape(x, s) [n] n = Softmax<axis = -1>(r) [f2] out = Flatten(n)",
        {"w": (80, 6), "s": ints(-1, 2, 3)}, out="6",
    ),
    "softmax over tasks": Text(
        f"{FLAT} [a] x = Gemm(f, w) [r] r = Reshape(x, s) [n] n = LogSoftmax<axis = 1>(r) [f2] out = Flatten(n)",
        {"w": (80, 6), "s": ints(-1, 2, 3)}, out="6",
    ),
    "softmax of one class": Text(
        f"{FLAT} [a] x = Gemm(f, w) [n] n = Softmax(x) [b] b = Gemm(f, z) [times] out = Mul(n, b)",
        {"w": (80, 1), "z": (80, 2)},
    ),
    "softmax of a vector": Text(
        f"{FLAT} [a] x = Gemm(f, w) [n] n = Softmax(v) [b] y = Gemm(n, z) [add] out = Add(x, y)",
        {"w": (80, 2), "z": (3, 2)}, inputs=(SEQUENCE, VECTOR),
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


def test_a_map_by_channel_is_one_node() -> None:
    """ONNX Runtime fuses it into the convolution before it."""
    for name in ("channels of a map", "opset 13", "flattened features, alike at all positions"):
        tile = CASES[name].tile(1)
        node = tile.only("BatchNormalization")
        gain, _, mean, variance = (tile.constants[name] for name in node.inputs[1:])
        assert gain.shape == (3,)
        assert (mean == 0).all()
        assert (variance == 1).all()
        assert node.attributes["epsilon"] == 0


@pytest.mark.parametrize(
    "name", ["flattened features, then a dense layer", "flattened n*C features", "twice on flattened features",
             "positions as channels"],
)  # fmt: skip
def test_a_map_of_features_goes_into_the_dense_layer(name: str) -> None:
    ops = CASES[name].tile(1).ops
    assert set(ops) == {"Conv"}


def test_several_tasks_are_softmaxed_each_by_itself() -> None:
    tile = CASES["softmax of each task"].tile(1)
    assert tile.only("Softmax").attributes["axis"] == 1
    shapes = [tile.constants[node.inputs[1]].tolist() for node in tile.all("Reshape")]
    assert shapes == [[2, 3, -1], [1, 6, 1, -1], [1, 6, -1]]


REFUSED = {
    "batch statistics": (
        Text(f"{CONV} [n] m, x, y = BatchNormalization<training_mode = 1>(c, g, o, a, u) {DENSE}",
             K | batch(3) | {"w": (54, 2)}),
        "training",
    ),
    "a layer of positions": (
        Text(f"{CONV} [n] m = LayerNormalization(c, g, o) {DENSE}", K | batch(18) | {"w": (54, 2)}),
        "runs over positions",
    ),
    "a layer of channels and positions": (
        Text(f"{CONV} [n] m = LayerNormalization<axis = 1>(c, g, o) {DENSE}",
             K | {"g": (3, 18), "o": (3, 18), "w": (54, 2)}),
        "runs over positions",
    ),
    "a layer whose statistics are used": (
        Text(f"{CONV} {TURN} [n] x, y = LayerNormalization(t, g, o) [add] m = Add(x, y) {DENSE}",
             K | batch(3) | {"w": (54, 2)}),
        "statistics are used",
    ),
    "a softmax of positions": (Text(f"{CONV} [n] m = Softmax(c) {DENSE}", K | {"w": (54, 2)}), "runs over positions"),
    "a softmax of flattened positions": (
        Text(f"{FLAT} [n] n = Softmax(f) [gemm] out = Gemm(n, w)", {"w": (80, 2)}), "runs over positions",
    ),
    "a softmax over windows": (
        Text(f"{FLAT} [a] x = Gemm(f, w) [n] out = Softmax<axis = 0>(x)", {"w": (80, 2)}), "windows of a batch",
    ),
    "a softmax behind a map that differs by position": (
        Text(f"{CONV} [place] p = Add(c, e) [n] m = Softmax<axis = 1>(p) {DENSE}", K | {"e": (18,), "w": (54, 2)}),
        "differ by position",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_mixes_the_whole_window_is_refused(name: str) -> None:
    text, reason = REFUSED[name]
    text.refused("n", reason)


def test_a_softmax_of_joined_branches_is_refused() -> None:
    text = Text(f"{FLAT} [join] j = Concat<axis = 1>(v, f) [n] n = Softmax(j) [gemm] out = Gemm(n, w)", {"w": (83, 2)},
                inputs=(SEQUENCE, VECTOR))  # fmt: skip
    text.refused("n", "joined branches")
