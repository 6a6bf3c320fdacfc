"""Padding inside windows: their inside is shared, their ends run by themselves, and the values are the same."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec
from trackgen.graph import NotDense, compile_dense

SAME = "[conv] c = Conv<pads = [1, 1]>(sequence, k)"
"""(N, 4, 20) -> `c` (N, 3, 20)."""
TOP = "[flat] f = Flatten(m) [gemm] out = Gemm(f, w)"
VECTOR = InputSpec("v", "vector", length=3, default=(0.5,))
COVERAGE = InputSpec("x", "signal", resolution=5)
CASES = {
    "a dense layer": Text(f"[conv] m = Conv<pads = [1, 1]>(sequence, k) {DENSE}", K | {"w": (60, 2)}),
    "a dense layer, opset 13": Text(
        f"[conv] m = Conv<pads = [1, 1]>(sequence, k) {DENSE}", K | {"w": (60, 2)}, opset=13
    ),
    "on the left alone": Text(f"[conv] m = Conv<pads = [2, 0]>(sequence, k) {DENSE}", K | {"w": (60, 2)}),
    "on the right alone": Text(f"[conv] m = Conv<pads = [0, 2]>(sequence, k) {DENSE}", K | {"w": (60, 2)}),
    "more than the kernel needs": Text(f"[conv] m = Conv<pads = [4, 3]>(sequence, k) {DENSE}", K | {"w": (75, 2)}),
    "SAME_UPPER": Text(
        f'[conv] m = Conv<auto_pad = "SAME_UPPER">(sequence, k) {DENSE}', {"k": (3, 4, 4), "w": (60, 2)}
    ),
    "SAME_LOWER": Text(
        f'[conv] m = Conv<auto_pad = "SAME_LOWER", strides = [2]>(sequence, k) {DENSE}', K | {"w": (30, 2)}
    ),
    "a second layer": Text(
        f"{CONV} [relu] r = Relu(c) [two] m = Conv<pads = [1, 1]>(r, k2) {DENSE}", K | {"k2": (2, 3, 3), "w": (36, 2)}
    ),
    "two layers": Text(
        f"{SAME} [relu] r = Relu(c) [two] m = Conv<pads = [2, 2], dilations = [2]>(r, k2) {DENSE}",
        K | {"k2": (2, 3, 3), "w": (40, 2)},
    ),
    "pools between": Text(
        f"""{SAME} [relu] r = Relu(c) [pool] p = MaxPool<kernel_shape = [3], strides = [3]>(r)
        [two] d = Conv<pads = [1, 1]>(p, k2) [curve] m = Tanh(d) {DENSE}""",
        K | {"k2": (2, 3, 3), "w": (12, 2)},
    ),
    "groups": Text(
        f"{SAME} [two] m = Conv<pads = [1, 1], group = 3>(c, k2) {DENSE}", K | {"k2": (6, 1, 3), "w": (120, 2)}
    ),
    "a padded MaxPool": Text(
        f"[pool] m = MaxPool<kernel_shape = [3], pads = [1, 1]>(sequence) {DENSE}", {"w": (80, 2)}
    ),
    "a long padded MaxPool": Text(
        f"{CONV} [pool] m = MaxPool<kernel_shape = [17], pads = [8, 8]>(c) {DENSE}", K | {"w": (54, 2)}
    ),
    "a padded AveragePool": Text(
        f"{CONV} [pool] m = AveragePool<kernel_shape = [3], strides = [2], pads = [1, 1]>(c) {DENSE}",
        K | {"w": (27, 2)},
    ),
    "a padded AveragePool that counts its padding": Text(
        f"""{CONV} [pool] m = AveragePool<kernel_shape = [3], strides = [2], pads = [1, 1], count_include_pad = 1>(c)
        {DENSE}""", K | {"w": (27, 2)},
    ),
    "means after padding": Text(
        f"{SAME} [pool] m = AveragePool<kernel_shape = [4], strides = [3]>(c) {DENSE}", K | {"w": (18, 2)}
    ),
    "a partial pool": Text(
        f"[pool] p = MaxPool<kernel_shape = [3], strides = [3], ceil_mode = 1>(sequence) [r] m = Relu(p) {DENSE}",
        {"w": (28, 2)},
    ),
    "zeros before": Text(
        f"[pad] p = Pad(sequence, pads) [conv] m = Conv(p, k) {DENSE}",
        K | {"pads": ints(0, 0, 2, 0, 0, 1), "w": (63, 2)},
    ),
    "a number around": Text(
        f"{CONV} [pad] p = Pad(c, pads, half) [two] m = Conv(p, k2) {DENSE}",
        K | {"pads": ints(0, 0, 1, 0, 0, 1), "half": np.array(0.5, np.float32), "k2": (2, 3, 3), "w": (36, 2)},
    ),
    "zeros around, then a maximum": Text(
        f"""{CONV} [curve] s = Softplus(c) [low] n = Neg(s) [pad] p = Pad(n, pads)
        [pool] m = MaxPool<kernel_shape = [4], strides = [2]>(p) {DENSE}""",
        K | {"pads": ints(0, 0, 2, 0, 0, 2), "w": (30, 2)},
    ),
    "zeros around, then a pool of one": Text(
        f"{CONV} [pad] p = Pad(c, pads) [pool] m = MaxPool<kernel_shape = [1]>(p) {DENSE}",
        K | {"pads": ints(0, 0, 1, 0, 0, 1), "w": (60, 2)},
    ),
    "cropped a little": Text(
        f"[conv] p = Conv<pads = [2, 2]>(sequence, k5) [crop] m = Slice(p, one, end, axis) {DENSE}",
        {"k5": (2, 4, 5), "one": ints(1), "end": ints(-1), "axis": ints(2), "w": (36, 2)},
    ),
    "a residual": Text(
        f"{SAME} [two] d = Conv<pads = [2, 2], dilations = [2]>(c, k2) [r] r = Relu(d) [add] m = Add(c, r) {DENSE}",
        K | {"k2": (3, 3, 3), "w": (60, 2)},
    ),
    "a residual around padding": Text(
        f"{CONV} [two] d = Conv<pads = [1, 1]>(c, k2) [add] m = Add(c, d) {DENSE}", K | {"k2": (3, 3, 3), "w": (54, 2)}
    ),
    "branches side by side": Text(
        f"""{SAME} [other] d = Conv<pads = [3, 3]>(sequence, k7) [join] j = Concat<axis = 1>(c, d)
        [mix] m = Conv(j, k1) {DENSE}""", K | {"k7": (2, 4, 7), "k1": (4, 5, 1), "w": (80, 2)},
    ),
    "a maximum": Text(f"{SAME} [top] m = GlobalMaxPool(c) {DENSE}", K | {"w": (3, 2)}),
    "a mean": Text(f"{SAME} [top] m = GlobalAveragePool(c) {DENSE}", K | {"w": (3, 2)}),
    "a sum": Text(f"{SAME} [top] m = ReduceSum(c, axis) {DENSE}", K | {"axis": ints(2), "w": (3, 2)}),
    "a pool over all": Text(f"{SAME} [top] m = MaxPool<kernel_shape = [20]>(c) {DENSE}", K | {"w": (3, 2)}),
    "a mean over all": Text(f"{SAME} [top] m = AveragePool<kernel_shape = [20]>(c) {DENSE}", K | {"w": (3, 2)}),
    "a branch pooled, a branch cropped": Text(
        f"""[near] p = Conv<pads = [1, 1]>(sequence, k) [crop] a = Slice(p, one, minus, axis)
        [far] b = GlobalMaxPool(p) [fa] fa = Flatten(a) [fb] fb = Flatten(b) [join] m = Concat<axis = 1>(fa, fb)
        {TOP}""", K | {"one": ints(1), "minus": ints(-1), "axis": ints(2), "w": (57, 2)},
    ),
    "branches flattened and joined": Text(
        f"""{SAME} [other] d = Conv<pads = [3, 3]>(sequence, k7) [fa] fa = Flatten(c) [fb] fb = Flatten(d)
        [join] m = Concat<axis = 1>(fa, fb) [gemm] out = Gemm(m, w)""", K | {"k7": (2, 4, 7), "w": (100, 2)},
    ),
    "channels last": Text(
        f"{SAME} [turn] t = Transpose<perm = [0, 2, 1]>(c) [mix] m = MatMul(t, u) [r] r = Relu(m) [flat] f = Flatten(r)"
        " [gemm] out = Gemm(f, w)", K | {"u": (3, 5), "w": (100, 2)},
    ),
    "a norm, a softmax over channels": Text(
        f"{SAME} [norm] b = BatchNormalization(c, g, h, a, one) [soft] m = Softmax<axis = 1>(b) {DENSE}",
        K | {"g": (3,), "h": (3,), "a": (3,), "one": np.ones(3, np.float32), "w": (60, 2)},
    ),
    "features scaled one by one": Text(
        f"{SAME} [flat] f = Flatten(c) [times] t = Mul(f, u) [gemm] out = Gemm(t, w)", K | {"u": (1, 60), "w": (60, 2)}
    ),
    "a vector on every position": Text(
        f"{SAME} [lift] l = Unsqueeze(v, two) [add] m = Add(c, l) {DENSE}", K | {"two": ints(2), "w": (60, 2)},
        inputs=(SEQUENCE, VECTOR),
    ),
    "a signal": Text(
        f"""{SAME} [fa] fa = Flatten(c) [cover] d = Conv<pads = [1, 1]>(x, kx) [fb] fb = Flatten(d)
        [join] m = Concat<axis = 1>(fa, fb) [gemm] out = Gemm(m, w)""", K | {"kx": (2, 1, 3), "w": (68, 2)},
        inputs=(SEQUENCE, COVERAGE), strides=(1, 5, 3, 20),
    ),
    "a wide kernel": Text(
        f"""[narrow] n = Conv<pads = [2, 2]>(sequence, k5) [wide] v = Conv<pads = [9, 10]>(n, kw) [r] r = Relu(v)
        [top] m = GlobalMaxPool(r) {DENSE}""",
        {"k5": (16, 4, 5), "kw": np.random.default_rng(0).normal(0, 0.05, (64, 16, 20)).astype(np.float32),
         "w": (64, 2)}, window=60, shifted=3e-6,
    ),
    "two outputs of the padding": Text(
        f"""{SAME} [a] a = GlobalMaxPool(c) [b] b = GlobalAveragePool(c) [join] m = Concat<axis = 1>(a, b) {DENSE}""",
        K | {"w": (6, 2)},
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


JOINED = """[conv] c = Conv<pads = [1, 1]>(sequence, k) [other] d = Conv<pads = [3, 3]>(sequence, k7)
[fa] fa = Flatten(c) [fb] fb = Flatten(d) [join] j = Concat<axis = 1>(fa, fb)"""
CHANGED = {
    "a curve": "m = Relu(j)",
    "a factor": "m = Mul(j, half)",
    "a factor for each": "m = Mul(j, each)",
    "a new axis": "[u] u = Unsqueeze(j, two) [r] r = Relu(u) [s] m = Squeeze(r, two)",
}


@table(CHANGED)
@pytest.mark.parametrize("stride", [1, 4])
def test_joined_branches_that_change_are_right_or_refused(name: str, stride: int) -> None:
    """Their ends are those of the branches before they were joined."""
    weights = {"half": np.array(0.5, np.float32), "each": (1, 100), "two": ints(2)}
    read = {key: value for key, value in weights.items() if f"{key})" in CHANGED[name]}
    text = Text(f"{JOINED} {CHANGED[name]} [gemm] out = Gemm(m, w)", K | {"k7": (2, 4, 7), "w": (100, 2)} | read)
    with contextlib.suppress(NotDense):
        text.check(stride)


def test_an_end_that_several_layers_sum_up_is_run_once() -> None:
    text = CASES["two outputs of the padding"]
    convolutions = [node for node in text.tile().all("Conv") if any(node.integers("pads", (0, 0, 0, 0)))]
    assert len(convolutions) == 2
    assert len(compile_dense(text.model, text.card, 1).edges) == 2


@table(CASES)
def test_the_ends_of_windows_are_told(name: str) -> None:
    text = CASES[name]
    compiled = compile_dense(text.model, text.card, 1)
    assert compiled.edges
    assert any("of each window run by themselves" in line for line in compiled.log)


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("a dense layer", {"front": 2, "back": 2}),
        ("on the left alone", {"front": 2}),
        ("on the right alone", {"back": 2}),
        ("a partial pool", {"back": 2}),
        # Elements 0 to 2 of the second layer see 0 to 4 of the first, which see bases 0 to 5.
        ("two layers", {"front": 6, "back": 6}),
    ],
)
def test_no_more_bases_are_run_by_themselves_than_padding_reaches(name: str, bases: dict[str, int]) -> None:
    text = CASES[name]
    edges = compile_dense(text.model, text.card, 1).edges
    assert {edge.side: edge.bases for edge in edges} == bases


def test_the_inside_is_convolved_once_for_all_windows() -> None:
    tile = CASES["a dense layer"].tile()
    padded = [node for node in tile.all("Conv") if any(node.integers("pads", (0, 0, 0, 0)))]
    assert [node.integers("pads", ()) for node in padded] == [(0, 1, 0, 0), (0, 0, 0, 1)]
    shared = [node for node in tile.all("Conv") if tile.constants[node.inputs[1]].shape == (3, 4, 1, 3)]
    assert len(shared) == 3


@settings(max_examples=40)
@given(
    kernels=st.lists(
        st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(0, 3), st.integers(1, 2)), min_size=1, max_size=3
    ),
    pools=st.lists(st.sampled_from([1, 1, 2, 3]), min_size=3, max_size=3),
    top=st.sampled_from(["Flatten", "GlobalMaxPool", "GlobalAveragePool"]),
    window=st.integers(24, 48),
    stride=st.integers(1, 9),
)
def test_random_padded_nets_equal_windows(
    kernels: list[tuple[int, int, int, int]], pools: list[int], top: str, window: int, stride: int
) -> None:
    weights: dict[str, tuple[int, ...]] = {}
    body, last, channels, length = "", "sequence", 4, window
    for number, ((taps, front, back, dilation), pool) in enumerate(zip(kernels, pools, strict=False)):
        weights[f"k{number}"] = (5, channels, taps)
        body += f" c{number} = Conv<pads = [{front}, {back}], dilations = [{dilation}]>({last}, k{number})"
        body += (
            f" p{number} = MaxPool<kernel_shape = [{pool}], strides = [{pool}]>(c{number}) r{number} = Tanh(p{number})"
        )
        last, channels = f"r{number}", 5
        length = (length + front + back - (taps - 1) * dilation) // pool
    if length < 1:
        return
    size = 5 * length if top == "Flatten" else 5
    weights["w"] = (size, 2)
    body += f" m = {top}({last}) f = Flatten(m) out = Gemm(f, w)"
    text = Text(body, weights, window=window, strides=(stride,))
    reach = sum((taps - 1) * dilation for taps, _, _, dilation in kernels) * math.prod(pools)
    if any(front or back for _, front, back, _ in kernels) and 2 * reach > window:
        return  # padding may reach every element, and leave no inside
    text.check()
