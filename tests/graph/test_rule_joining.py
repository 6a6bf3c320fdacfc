"""Concat and Expand, as ONNX text: dense equals windows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec

VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))
DNASE = InputSpec("dnase", "signal", resolution=25)
WITH_VECTOR = (SEQUENCE, VECTOR)
FLAT = "[flat] f = Flatten(sequence)"
OVER_POSITIONS = """[lift] l = Unsqueeze(v, two) [s] s = Shape(sequence) [n] n = Gather(s, two)
[t] t = Concat<axis = 0>(ones, n) [spread] e = Expand(l, t)"""
SPREAD = {"two": ints(2), "ones": ints(1, 1)}
CASES = {
    "a vector repeated over positions": Text(
        f"[lift] l = Unsqueeze(v, two) [repeat] e = Tile(l, times) [join] m = Concat<axis = 1>(sequence, e) {DENSE}",
        {"two": ints(2), "times": ints(1, 1, 20), "w": (140, 2)}, inputs=WITH_VECTOR,
    ),
    "channels repeated": Text(
        f"{CONV} [repeat] m = Tile(c, times) {DENSE}", K | {"times": ints(1, 2, 1), "w": (108, 2)}
    ),
    "features repeated": Text(
        f"{CONV} [top] t = GlobalMaxPool(c) [flat] f = Flatten(t) [repeat] r = Tile(f, times) [gemm] out = Gemm(r, w)",
        K | {"times": ints(1, 3), "w": (9, 2)},
    ),
    "channels of two maps": Text(
        f"{CONV} [b] b = Conv(sequence, l) [join] m = Concat<axis = 1>(c, b) {DENSE}",
        K | {"l": (2, 4, 3), "w": (90, 2)},
    ),
    "channels of three, one twice": Text(
        f"{CONV} [b] b = Conv(sequence, l) [join] m = Concat<axis = -2>(b, c, b) {DENSE}",
        K | {"l": (1, 4, 3), "w": (90, 2)},
    ),
    "channels last": Text(
        f"""{CONV} [t] t = Transpose<perm = [0, 2, 1]>(c) [e] e = Exp(t) [join] m = Concat<axis = 2>(t, e) {DENSE}""",
        K | {"w": (108, 2)},
    ),
    "a dense block: each layer on all before it": Text(
        f"""[a] a = Conv(sequence, k) [ca] ca = Slice(sequence, two, minus, two) [ja] ja = Concat<axis = 1>(ca, a)
        [r] r = Relu(ja) [b] b = Conv(r, l) [cb] cb = Slice(ja, two, minus, two) [jb] m = Concat<axis = 1>(cb, b)
        {DENSE}""",
        {"k": (3, 4, 5), "l": (2, 7, 5), "two": ints(2), "minus": ints(-2), "w": (108, 2)},
    ),
    "classes of two heads": Text(
        f"{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(f, u) [join] out = Concat<axis = 1>(b, a)",
        {"w": (80, 1), "u": (80, 2)}, out="3",
    ),
    "classes, one head with windows too many": Text(
        f"""{FLAT} [a] a = Gemm(f, w) {CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c)
        [g] g = GlobalMaxPool(p) [b] b = Squeeze(g, two) [join] out = Concat<axis = 1>(b, a)""",
        K | {"w": (80, 1), "two": ints(2)}, out="4",
    ),
    "the outer of two channel axes": Text(
        f"""{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(f, u) [ra] ra = Reshape(a, sa) [rb] rb = Reshape(b, sb)
        [join] m = Concat<axis = 1>(ra, rb) [fm] g = Flatten(m) [gemm] out = Gemm(g, z)""",
        {"w": (80, 6), "u": (80, 2), "sa": ints(-1, 3, 2), "sb": ints(-1, 1, 2), "z": (8, 2)},
    ),
    "the inner of two channel axes": Text(
        f"""{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(f, u) [ra] ra = Reshape(a, sa) [rb] rb = Reshape(b, sb)
        [join] m = Concat<axis = 2>(ra, rb) [fm] g = Flatten(m) [gemm] out = Gemm(g, z)""",
        {"w": (80, 6), "u": (80, 3), "sa": ints(-1, 3, 2), "sb": ints(-1, 3, 1), "z": (9, 2)},
    ),
    "stacked along a new axis, as a sum over it": Text(
        f"""{CONV} [e] e = Sigmoid(c) [lc] lc = Unsqueeze(c, one) [le] le = Unsqueeze(e, one)
        [join] j = Concat<axis = 1>(lc, le) [sum] m = ReduceSum<keepdims = 0>(j, one) {DENSE}""",
        K | {"one": ints(1), "w": (54, 2)},
    ),
    "a constant of every window": Text(
        f"""{CONV} [s] s = Shape<start = 0, end = 1>(c) [t] t = Concat<axis = 0>(s, rest)
        [fill] z = ConstantOfShape<value = float[1] {{0.25}}>(t) [top] g = GlobalMaxPool(c) [drop] d = Squeeze(g, two)
        [join] j = Concat<axis = 1>(z, d) [gemm] out = Gemm(j, w)""",
        K | {"rest": ints(2), "two": ints(2), "w": (5, 2)},
    ),
    # vectors
    "a vector over all positions": Text(
        f"{OVER_POSITIONS} [join] j = Concat<axis = 1>(sequence, e) [conv] m = Conv(j, k) {DENSE}",
        SPREAD | {"k": (3, 7, 4), "w": (51, 2)}, inputs=WITH_VECTOR,
    ),
    "a vector over all positions, first, then a curve": Text(
        f"""{OVER_POSITIONS} [x] x = Exp(e) [join] j = Concat<axis = 1>(x, sequence) [r] r = Sigmoid(j)
        [conv] m = Conv(r, k) {DENSE}""",
        SPREAD | {"k": (3, 7, 4), "w": (51, 2)}, inputs=WITH_VECTOR,
    ),
    "a vector expanded to the shape of a map": Text(
        f"""[lift] l = Unsqueeze(v, two) [s] s = Shape(sequence) [n] n = Gather(s, zero) [x] x = Gather(s, two)
        [t] t = Concat<axis = 0>(n, three, x) [spread] e = Expand(l, t) [join] j = Concat<axis = 1>(sequence, e)
        [conv] m = Conv(j, k) {DENSE}""",
        {"two": ints(2), "zero": ints(0), "three": ints(3), "k": (3, 7, 4), "w": (51, 2)}, inputs=WITH_VECTOR,
    ),
    "two vectors": Text(
        f"""[u] u = Gemm(v, h) [join] j = Concat<axis = 1>(v, u) [r] r = Relu(j) [b] b = Gemm(r, z)
        {FLAT} [a] a = Gemm(f, w) [add] out = Add(a, b)""",
        {"h": (3, 2), "z": (5, 2), "w": (80, 2)}, inputs=WITH_VECTOR,
    ),
    "a vector and a maximum": Text(
        f"""{CONV} [top] g = GlobalMaxPool(c) [drop] d = Squeeze(g, two) [join] j = Concat<axis = 1>(v, d)
        [gemm] out = Gemm(j, w)""",
        K | {"two": ints(2), "w": (6, 2)}, inputs=WITH_VECTOR,
    ),
    # branches kept apart
    "a pooled sequence and a signal of resolution 25": Text(
        f"""{CONV} [p] p = MaxPool<kernel_shape = [12], strides = [12]>(c) [fp] fp = Flatten(p) [fs] fs = Flatten(dnase)
        [join] j = Concat<axis = 1>(fp, fs) [r] r = Tanh(j) [gemm] out = Gemm(r, w)""",
        K | {"w": (28, 2)}, window=100, inputs=(SEQUENCE, DNASE), strides=(1, 3, 5, 12, 25, 50, 100),
    ),
    "joined, then joined again": Text(
        f"""{FLAT} [j1] a = Concat<axis = 1>(v, f) {CONV} [fc] g = Flatten(c) [j2] j = Concat<axis = 1>(a, g, v)
        [gemm] out = Gemm(j, w)""",
        K | {"w": (140, 2)}, inputs=WITH_VECTOR,
    ),
    "a map that differs by position, joined": Text(
        f"""{FLAT} [n] n = BatchNormalization(f, s, b, m, u) [join] j = Concat<axis = 1>(n, v)
        [gemm] out = Gemm(j, w)""",
        {"s": (80,), "b": (80,), "m": (80,), "u": np.linspace(0.5, 2, 80, dtype=np.float32), "w": (83, 2)},
        inputs=WITH_VECTOR,
    ),
    # Expand
    "expanded to what it is": Text(
        f"{CONV} [s] s = Shape(c) [x] m = Expand(c, s) {DENSE}", K | {"w": (54, 2)}
    ),
    "one channel expanded to three": Text(
        f"[g] g = Conv(sequence, l) [x] e = Expand(g, s) [c] c = Conv(sequence, k) [times] m = Mul(e, c) {DENSE}",
        K | {"l": (1, 4, 3), "s": ints(1, 3, 1), "w": (54, 2)},
    ),
    "classes repeated along a new axis": Text(
        f"""{FLAT} [a] a = Gemm(f, w) [l] l = Unsqueeze(a, two) [x] e = Expand(l, s) [fe] g = Flatten(e)
        [gemm] out = Gemm(g, z)""",
        {"w": (80, 3), "two": ints(2), "s": ints(1, 1, 4), "z": (12, 2)},
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


def test_channels_stand_one_behind_the_other() -> None:
    assert CASES["channels of two maps"].tile(1).ops == ["Conv", "Conv", "Concat", "Conv"]
    tile = CASES["channels last"].tile(1)
    assert tile.only("Concat").attributes["axis"] == 1


@pytest.mark.parametrize("stride", [1, 5, 12, 25, 60, 100])
def test_branches_of_different_resolution_are_never_joined(stride: int) -> None:
    """Each has its own kernel, dilation and stride; a signal of 25 bp lies on the grid of gcd(s, 25)."""
    tile = CASES["a pooled sequence and a signal of resolution 25"].tile(stride)
    assert not tile.all("Concat")
    pooled, signal = (np.gcd(stride, spacing) for spacing in (12, 25))
    assert tile.kernels("Conv")[1:] == [
        (8, 12 // pooled, stride // pooled),
        (4, 25 // signal, stride // signal),
    ]


def test_a_vector_is_computed_once_and_spread_over_the_points() -> None:
    tile = CASES["a vector over all positions, first, then a curve"].tile(1)
    exp, spread = tile.only("Exp"), tile.only("Expand")
    assert spread.inputs[0] == exp.outputs[0]
    # the shape is that of the tile, known only when it runs
    assert spread.inputs[1] not in tile.constants


REFUSED = {
    "positions": (Text(f"[join] m = Concat<axis = 2>(sequence, sequence) {DENSE}", {"w": (160, 2)}), "join",
                  "channels of their own"),
    "windows": (Text(f"[join] j = Concat<axis = 0>(sequence, sequence) {DENSE.replace('(m)', '(j)')}", {"w": (80, 2)}),
                "join", "windows of a batch"),
    "joined branches along another axis": (
        Text("""[a] a = Reshape(sequence, s) [u] u = Unsqueeze(v, one) [j1] j = Concat<axis = 2>(a, u)
             [j2] k = Concat<axis = 1>(j, j) [fk] f = Flatten(k) [gemm] out = Gemm(f, w)""",
             {"s": ints(-1, 1, 80), "one": ints(1), "w": (166, 2)}, inputs=WITH_VECTOR),
        "j2", "another axis than before",
    ),
    "an axis added by Expand": (
        Text(f"{CONV} [x] e = Expand(c, s) [sum] m = ReduceSum<keepdims = 0>(e, zero) {DENSE}",
             K | {"s": ints(2, 1, 1, 1), "zero": ints(0), "w": (54, 2)}),
        "x", "adds axes",
    ),
    "maps of different length": (
        Text(f"""{CONV} [a] a = Slice(c, one, ten, two) [b] b = Slice(c, zero, nine, two)
             [join] j = Concat<axis = 1>(a, b)
             [p] p = MaxPool<kernel_shape = [2], strides = [2]>(c) [join2] m = Concat<axis = 1>(p, j) {DENSE}""",
             K | {"zero": ints(0), "one": ints(1), "nine": ints(9), "ten": ints(10), "two": ints(2), "w": (81, 2)}),
        "join2", "different places",
    ),
    "the window's maximum beside each position": (
        Text(f"""{CONV} [p] p = MaxPool<kernel_shape = [18]>(c) [x] x = Expand(p, s) [join] m = Concat<axis = 1>(c, x)
             {DENSE}""", K | {"s": ints(1, 1, 18), "w": (108, 2)}),
        "join", "whole window meets",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_can_not_be_joined_is_refused(name: str) -> None:
    text, node, reason = REFUSED[name]
    text.refused(node, reason)
