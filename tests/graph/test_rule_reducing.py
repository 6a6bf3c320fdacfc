"""Reductions and global pools, as ONNX text: dense equals windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec

VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))
FLAT = "[flat] f = Flatten(sequence)"
OPS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")


def reduced(op: str, axes: tuple[int, ...], size: int, *, keep: int = 1, opset: int = 18) -> Text:
    """A reduction of `c` (N, 3, 18) to `size` values a window."""
    if opset >= 18 or op == "ReduceSum":
        node = f"[red] m = {op}<keepdims = {keep}>(c, axes)"
    else:
        node = f"[red] m = {op}<axes = [{', '.join(map(str, axes))}], keepdims = {keep}>(c)"
    weights = {"axes": ints(*axes)} if "c, axes" in node else {}
    return Text(f"{CONV} {node} {DENSE}", K | weights | {"w": (size, 2)}, opset=opset, strides=(1, 3, 20))


CASES = {
    "GlobalMaxPool": Text(f"{CONV} [red] m = GlobalMaxPool(c) {DENSE}", K | {"w": (3, 2)}),
    "GlobalAveragePool": Text(f"{CONV} [red] m = GlobalAveragePool(c) {DENSE}", K | {"w": (3, 2)}),
    "global pools behind a pool": Text(
        f"""{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [x] x = GlobalMaxPool(p)
        [y] y = GlobalAveragePool(p) [join] m = Concat<axis = 1>(x, y) {DENSE}""",
        K | {"w": (6, 2)},
    ),
    "a global pool of an image": Text(
        f"{CONV} [lift] l = Unsqueeze(c, two) [red] m = GlobalAveragePool(l) {DENSE}", K | {"two": ints(2), "w": (3, 2)}
    ),
    "a global pool of an image's rows and positions": Text(
        f"[rows] l = Reshape(sequence, s) [conv] c = Conv(l, k) [red] m = GlobalMaxPool(c) {DENSE}",
        {"s": ints(-1, 2, 2, 20), "k": (3, 2, 1, 3), "w": (3, 2)},
    ),
    "a global pool of single values": Text(
        f"{CONV} [a] a = GlobalMaxPool(c) [red] m = GlobalAveragePool(a) {DENSE}", K | {"w": (3, 2)}
    ),
    **{f"{op} of positions": reduced(op, (2,), 3) for op in OPS},
    **{f"{op} of positions, the last axis, not kept": reduced(op, (-1,), 3, keep=0) for op in OPS},
    **{f"{op} of channels": reduced(op, (1,), 18) for op in OPS},
    **{f"{op} of channels, not kept": reduced(op, (-2,), 18, keep=0) for op in OPS},
    **{f"{op} of both": reduced(op, (1, 2), 1) for op in OPS},
    **{f"{op} of both, not kept, behind": Text(
        f"""{CONV} [r] r = {op}<keepdims = 0>(c, axes) [lift] l = Unsqueeze(r, one) [gemm] out = Gemm(l, w)""",
        K | {"axes": ints(-1, 1), "one": ints(1), "w": (1, 2)}, strides=(1, 3, 20),
    ) for op in OPS},
    **{f"{op} of positions, opset 13": reduced(op, (2,), 3, opset=13) for op in OPS},
    **{f"{op} of channels, opset 17": reduced(op, (1,), 18, opset=17) for op in OPS},
    **{f"{op} of {name}": reduced(op, axes, size) for op in ("ReduceL1", "ReduceL2", "ReduceSumSquare")
       for name, axes, size in (("positions", (2,), 3), ("channels", (1,), 18), ("both", (1, 2), 1))},
    **{f"{op} of positions with weights of their own": Text(
        f"{CONV} [times] t = Mul(c, p) [add] a = Add(t, q) [red] m = {op}(a, axes) {DENSE}",
        K | {"p": (3, 18), "q": (18,), "axes": ints(2), "w": (3, 2)},
    ) for op in ("ReduceSum", "ReduceMean")},
    "a sum of channels last with weights of their own": Text(
        f"""{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [times] s = Mul(t, p)
        [red] m = ReduceSum<keepdims = 0>(s, one) {DENSE}""", K | {"p": (18, 3), "one": ints(1), "w": (3, 2)},
    ),
    "positions in the middle": Text(
        f"{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [red] m = ReduceMax<keepdims = 0>(t, one) {DENSE}",
        K | {"one": ints(1), "w": (3, 2)},
    ),
    "flattened positions and channels at once": Text(
        f"{CONV} [flat] g = Flatten(c) [red] m = ReduceMean(g, one) [gemm] out = Gemm(m, w)",
        K | {"one": ints(1), "w": (1, 2)},
    ),
    "a mean of a mean over another axis": Text(
        f"{CONV} [a] a = ReduceMean(c, two) [b] m = ReduceSum(a, one) {DENSE}",
        K | {"one": ints(1), "two": ints(2), "w": (1, 2)},
    ),
    "an axis of size 1": Text(
        f"{CONV} [lift] l = Unsqueeze(c, one) [red] m = ReduceMax<keepdims = 0>(l, one) {DENSE}",
        K | {"one": ints(1), "w": (54, 2)},
    ),
    "no axes, which means none": Text(
        f"{CONV} [red] m = ReduceSum<noop_with_empty_axes = 1>(c) {DENSE}", K | {"w": (54, 2)}
    ),
    "the classes": Text(
        f"{FLAT} [a] a = Gemm(f, w) [e] e = Sigmoid(a) [red] s = ReduceSum(e, one) [over] out = Div(e, s)",
        {"w": (80, 2), "one": ints(1)},
    ),
    "the inner of two channel axes": Text(
        f"{FLAT} [a] a = Gemm(f, w) [r] r = Reshape(a, s) [red] out = ReduceMax<keepdims = 0>(r, axes)",
        {"w": (80, 6), "s": ints(-1, 2, 3), "axes": ints(2)},
    ),
    "the outer of two channel axes": Text(
        f"{FLAT} [a] a = Gemm(f, w) [r] r = Reshape(a, s) [red] out = ReduceMean<keepdims = 0>(r, axes)",
        {"w": (80, 6), "s": ints(-1, 3, 2), "axes": ints(1)},
    ),
    "both channel axes, positions left": Text(
        f"[rows] r = Reshape(sequence, s) [red] m = ReduceMin<keepdims = 0>(r, axes) {DENSE}",
        {"s": ints(-1, 2, 2, 20), "axes": ints(1, 2), "w": (20, 2)},
    ),
    "one channel axis and the positions": Text(
        f"[rows] r = Reshape(sequence, s) [conv] c = Conv(r, k) [red] m = ReduceMean<keepdims = 0>(c, axes) {DENSE}",
        {"s": ints(-1, 2, 2, 20), "k": (3, 2, 1, 3), "axes": ints(1, 3), "w": (2, 2)},
    ),
    "elements of a vector": Text(
        f"{FLAT} [a] a = Gemm(f, w) [red] s = ReduceMean(v, one) [add] out = Add(a, s)",
        {"w": (80, 2), "one": ints(1)}, inputs=(SEQUENCE, VECTOR),
    ),
    "adaptive pooling as two axes of an image": Text(
        f"""{CONV} [lift] l = Unsqueeze(c, two) [red] r = ReduceMean<keepdims = 1>(l, axes) [drop] f = Squeeze(r, axes)
        [gemm] out = Gemm(f, w)""",
        K | {"two": ints(2), "axes": ints(-1, -2), "w": (3, 2)},
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("length", [15, 16, 77, 90])
def test_reductions_of_long_windows(op: str, length: int) -> None:
    """One kernel below 16 elements, two steps above, with and without a rest."""
    body = f"[p] p = MaxPool<kernel_shape = [2], strides = [2]>(sequence) [red] m = {op}(p, two) {DENSE}"
    Text(body, {"two": ints(2), "w": (4, 2)}, window=2 * length).check(1, 2, 5)


@pytest.mark.parametrize("stride", [1, 2, 4, 6, 20])
def test_a_reduction_is_a_kernel_as_long_as_the_positions(stride: int) -> None:
    """Dilation S/g, stride s/g."""
    step = math.gcd(stride, 4)
    pooled = "[p] p = MaxPool<kernel_shape = [4], strides = [4]>(sequence)"
    for op, kind in (("ReduceMax", "MaxPool"), ("ReduceSum", "Conv")):
        tile = Text(f"{pooled} [red] m = {op}(p, two) {DENSE}", {"two": ints(2), "w": (4, 2)}).tile(stride)
        kernels = tile.kernels(kind)
        assert kernels[1 if kind == "MaxPool" else 0] == (5, 4 // step, stride // step)
        assert not tile.all(op)


def test_a_sum_is_depthwise_and_a_mean_its_share() -> None:
    for op, share in (("ReduceSum", 1.0), ("ReduceMean", 1 / 10)):
        body = f"[p] p = MaxPool<kernel_shape = [2], strides = [2]>(sequence) [red] m = {op}(p, two) {DENSE}"
        tile = Text(body, {"two": ints(2), "w": (4, 2)}).tile(1)
        conv = tile.all("Conv")[0]
        assert conv.attributes["group"] == 4
        np.testing.assert_allclose(tile.constants[conv.inputs[1]], share, rtol=1e-6)


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
def test_axes_are_an_attribute_or_an_input_as_the_opset_wants(opset: int) -> None:
    for op in ("ReduceMax", "ReduceMean", "ReduceSum"):
        node = reduced(op, (1,), 18, opset=opset).tile(1).only(op)
        assert ("axes" in node.attributes) == (opset < 18 and op != "ReduceSum")
        assert len(node.inputs) == (1 if "axes" in node.attributes else 2)


def test_a_minimum_is_a_maximum_of_the_negative() -> None:
    ops = CASES["ReduceMin of positions"].tile(1).ops
    assert ops == ["Conv", "Neg", "MaxPool", "MaxPool", "Neg", "Conv"]


REFUSED = {
    "windows of a batch": (
        Text(f"[red] m = ReduceMax(sequence, zero) {DENSE}", {"zero": ints(0), "w": (80, 2)}), "windows of a batch",
    ),
    "everything": (
        Text(f"[red] s = ReduceSum(sequence) {FLAT} [g] g = Gemm(f, w) [lift] l = Reshape(s, o) [add] out = Add(g, l)",
             {"o": ints(1, 1), "w": (80, 2)}),
        "windows of a batch",
    ),
    **{op: (Text(f"{CONV} [red] m = {op}(c, two) {DENSE}", K | {"two": ints(2), "w": (3, 2)}), "no dense form")
       for op in ("ReduceLogSumExp", "ReduceProd")},
    "a vector spread over positions": (
        Text(f"""[lift] l = Unsqueeze(v, two) [s] s = Shape(sequence) [n] n = Gather(s, two)
             [t] t = Concat<axis = 0>(o, n) [spread] e = Expand(l, t) [red] r = ReduceSum<keepdims = 0>(e, two) {FLAT}
             [a] a = Gemm(f, w)
             [b] b = Gemm(r, u) [add] out = Add(a, b)""",
             {"two": ints(2), "o": ints(1, 1), "w": (80, 2), "u": (3, 2)}, inputs=(SEQUENCE, VECTOR)),
        "spread over positions",
    ),
    "a map that differs by position": (
        Text(f"{CONV} [place] p = Add(c, n) [red] m = ReduceMax(p, two) {DENSE}",
             K | {"n": (18,), "two": ints(2), "w": (3, 2)}),
        "differ by position",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_has_no_dense_sum_is_refused(name: str) -> None:
    text, reason = REFUSED[name]
    text.refused("red", reason)


def test_padding_that_a_maximum_sees_is_named() -> None:
    body = f"[conv] c = Conv<pads = [1, 1]>(sequence, k) [red] m = ReduceMax<axes = [1, 2]>(c) {DENSE}"
    text = Text(body, K | {"w": (1, 2)}, opset=17)
    text.refused("conv", "padding")
