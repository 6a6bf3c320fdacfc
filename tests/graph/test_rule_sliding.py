"""Convolutions and pools, as ONNX text: dense equals windows, by the kernels that the algebra asks for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, MOST, K, Text, ints, table
from trackgen.errors import ModelError
from trackgen.graph import NotDense, compile_dense
from trackgen.graph.dense.sliding import TWO_STEPS, two_steps

DROPPED = "[last] out = Squeeze(c, two)"
ROWS = {"rows": ints(-1, 2, 2, 20)}
CASES = {
    # convolutions
    "a convolution": Text(f"[conv] m = Conv(sequence, k) {DENSE}", K | {"w": (54, 2)}),
    "with a bias": Text(f"[conv] m = Conv(sequence, k, b) {DENSE}", K | {"b": (3,), "w": (54, 2)}),
    "of kernel 1": Text(f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 4, 1), "w": (60, 2)}),
    "of stride 2": Text(f"[conv] m = Conv<strides = [2]>(sequence, k) {DENSE}", K | {"w": (27, 2)}),
    "of stride 4, dropping the last bases": Text(
        f"[conv] m = Conv<strides = [4]>(sequence, k) {DENSE}", {"k": (3, 4, 3), "w": (15, 2)}
    ),
    "of dilation 3": Text(f"[conv] m = Conv<dilations = [3]>(sequence, k) {DENSE}", K | {"w": (42, 2)}),
    "of stride 3 and dilation 4": Text(
        f"[conv] m = Conv<dilations = [4], strides = [3]>(sequence, k) {DENSE}", K | {"w": (12, 2)}
    ),
    "in two groups": Text(
        f"[conv] m = Conv<group = 2>(sequence, k, b) {DENSE}", {"k": (6, 2, 3), "b": (6,), "w": (108, 2)}
    ),
    "depthwise": Text(f"[conv] m = Conv<group = 4>(sequence, k) {DENSE}", {"k": (8, 1, 3), "w": (144, 2)}),
    "with all attributes given": Text(
        f"""[conv] m = Conv<kernel_shape = [3], pads = [0, 0], dilations = [1], strides = [1], group = 1>(sequence, k)
        {DENSE}""",
        K | {"w": (54, 2)},
    ),
    "auto_pad VALID": Text(f'[conv] m = Conv<auto_pad = "VALID">(sequence, k) {DENSE}', K | {"w": (54, 2)}),
    "auto_pad NOTSET": Text(f'[conv] m = Conv<auto_pad = "NOTSET">(sequence, k) {DENSE}', K | {"w": (54, 2)}),
    "auto_pad SAME that needs no padding": Text(
        f'[conv] m = Conv<auto_pad = "SAME_LOWER", strides = [4]>(sequence, k) {DENSE}', {"k": (3, 4, 4), "w": (15, 2)}
    ),
    "three of them, strides 2, 1 and 3": Text(
        f"""[a] a = Conv<strides = [2]>(sequence, k) [b] b = Conv<dilations = [2]>(a, l)
        [c] m = Conv<strides = [3]>(b, l) {DENSE}""",
        K | {"l": (3, 3, 2), "w": (6, 2)},
        strides=(1, 2, 3, 6, 20, 23),
    ),
    "over the whole window": Text(f"[conv] c = Conv(sequence, k) {DROPPED}", {"k": (2, 4, 20), "two": ints(2)}),
    "over all but some bases of the window": Text(
        f"[conv] c = Conv<strides = [9]>(sequence, k) {DROPPED}", {"k": (2, 4, 15), "two": ints(2)}
    ),
    "of one value a window": Text(
        f"[a] a = Conv(sequence, k) [b] b = Relu(a) [conv] c = Conv(b, l) {DROPPED}",
        {"k": (6, 4, 20), "l": (2, 6, 1), "two": ints(2)},
    ),
    "of one value a window, in groups": Text(
        f"[a] a = Conv(sequence, k) [conv] c = Conv<group = 2>(a, l, b) {DROPPED}",
        {"k": (6, 4, 20), "l": (2, 3, 1), "b": (2,), "two": ints(2)},
    ),
    # padding that no output sees
    "padded, then cropped": Text(
        f"[conv] p = Conv<pads = [1, 1]>(sequence, k) [crop] m = Slice(p, one, minus, two) {DENSE}",
        K | {"one": ints(1), "minus": ints(-1), "two": ints(2), "w": (54, 2)},
    ),
    "padded by SAME_LOWER, then cropped": Text(
        f"""[conv] p = Conv<auto_pad = "SAME_LOWER">(sequence, k) [crop] m = Slice(p, start, end, two) {DENSE}""",
        {"k": (3, 4, 4), "start": ints(2), "end": ints(-1), "two": ints(2), "w": (51, 2)},
    ),
    "padded with a stride, then cropped": Text(
        f"""[conv] p = Conv<pads = [3, 2], strides = [2]>(sequence, k) [b] q = Conv<pads = [0, 1]>(p, l)
        [crop] m = Slice(q, start, end, two) {DENSE}""",
        K | {"l": (2, 3, 2), "start": ints(2), "end": ints(-2), "two": ints(2), "w": (16, 2)},
    ),
    "padded and pooled by SAME_UPPER, then cropped": Text(
        f"""[conv] p = MaxPool<kernel_shape = [3], strides = [2], auto_pad = "SAME_UPPER">(sequence)
        [crop] m = Slice(p, start, end, two) {DENSE}""",
        {"start": ints(0), "end": ints(-1), "two": ints(2), "w": (36, 2)},
    ),
    "a partial pool that is cropped": Text(
        f"""[pool] p = AveragePool<kernel_shape = [3], strides = [3], ceil_mode = 1>(sequence)
        [crop] m = Slice(p, start, end, two) {DENSE}""",
        {"start": ints(0), "end": ints(-1), "two": ints(2), "w": (24, 2)},
    ),
    # images of positions
    "a kernel over all four rows": Text(
        f"[lift] i = Unsqueeze(sequence, one) [conv] m = Conv(i, k, b) {DENSE}",
        {"one": ints(1), "k": (3, 1, 4, 5), "b": (3,), "w": (48, 2)},
    ),
    "a kernel over all rows of several channels": Text(
        f"[rows] i = Reshape(sequence, rows) [conv] m = Conv<strides = [1, 3]>(i, k) {DENSE}",
        ROWS | {"k": (3, 2, 2, 5), "w": (18, 2)},
    ),
    "a kernel over all rows, in groups": Text(
        f"[rows] i = Reshape(sequence, rows) [conv] m = Conv<group = 2>(i, k) {DENSE}",
        ROWS | {"k": (4, 1, 2, 5), "w": (64, 2)},
    ),
    "an image of one row": Text(
        f"[lift] i = Unsqueeze(sequence, two) [conv] m = Conv<dilations = [1, 2]>(i, k) {DENSE}",
        {"two": ints(2), "k": (3, 4, 1, 5), "w": (36, 2)},
    ),
    "an image of one column": Text(
        f"[lift] i = Unsqueeze(sequence, three) [conv] m = Conv<strides = [2, 1]>(i, k) {DENSE}",
        {"three": ints(3), "k": (3, 4, 5, 1), "w": (24, 2)},
    ),
    "every row by itself": Text(
        f"[rows] i = Reshape(sequence, rows) [conv] m = Conv(i, k, b) {DENSE}",
        ROWS | {"k": (3, 2, 1, 5), "b": (3,), "w": (96, 2)},
    ),
    "every row by itself, in groups": Text(
        f"[rows] i = Reshape(sequence, rows) [conv] m = Conv<group = 2>(i, k, b) {DENSE}",
        ROWS | {"k": (4, 1, 1, 5), "b": (4,), "w": (128, 2)},
    ),
    "every row by itself, then all": Text(
        f"""[rows] i = Reshape(sequence, rows) [a] a = Conv(i, k, b) [r] r = Relu(a) [b] m = Conv(r, l) {DENSE}""",
        ROWS | {"k": (3, 2, 1, 5), "b": (3,), "l": (4, 3, 2, 3), "w": (56, 2)},
    ),
    "every column by itself": Text(
        f"""[rows] i = Reshape(sequence, rows) [turn] t = Transpose<perm = [0, 1, 3, 2]>(i) [conv] m = Conv(t, k, b)
        {DENSE}""",
        ROWS | {"k": (3, 2, 5, 1), "b": (3,), "w": (96, 2)},
    ),
    "a pooled image": Text(
        f"[rows] i = Reshape(sequence, rows) [pool] m = MaxPool<kernel_shape = [1, 3], strides = [1, 2]>(i) {DENSE}",
        ROWS | {"w": (36, 2)},
    ),
    "a pooled image of columns": Text(
        f"""[lift] i = Unsqueeze(sequence, three) [pool] m = AveragePool<kernel_shape = [3, 1], strides = [2, 1]>(i)
        {DENSE}""",
        {"three": ints(3), "w": (36, 2)},
    ),
    # pools
    "a pool that divides": Text(
        f"[p] m = MaxPool<kernel_shape = [4], strides = [4]>(sequence) {DENSE}", {"w": (20, 2)}
    ),
    "an overlapping pool": Text(
        f"[p] m = MaxPool<kernel_shape = [5], strides = [2]>(sequence) {DENSE}", {"w": (32, 2)}
    ),
    "a pool of stride 1": Text(f"[p] m = MaxPool<kernel_shape = [5]>(sequence) {DENSE}", {"w": (64, 2)}),
    "a pool with gaps": Text(f"[p] m = MaxPool<kernel_shape = [2], strides = [5]>(sequence) {DENSE}", {"w": (16, 2)}),
    "a pool that drops bases": Text(
        f"{CONV} [p] m = MaxPool<kernel_shape = [4], strides = [4]>(c) {DENSE}", K | {"w": (12, 2)}
    ),
    "a pool of kernel 1": Text(f"[p] m = MaxPool<kernel_shape = [1], strides = [4]>(sequence) {DENSE}", {"w": (20, 2)}),
    "a dilated pool": Text(
        f"{CONV} [p] m = MaxPool<kernel_shape = [3], dilations = [4], strides = [2]>(c) {DENSE}", K | {"w": (15, 2)}
    ),
    "ceil_mode that changes nothing": Text(
        f"{CONV} [p] m = MaxPool<kernel_shape = [4], strides = [2], ceil_mode = 1>(c) {DENSE}", K | {"w": (24, 2)}
    ),
    "a maximum over the window": Text(f"{CONV} [p] m = MaxPool<kernel_shape = [18]>(c) {DENSE}", K | {"w": (3, 2)}),
    "a maximum over most of the window": Text(
        f"{CONV} [p] m = MaxPool<kernel_shape = [16], strides = [16]>(c) {DENSE}", K | {"w": (3, 2)}
    ),
    "a mean": Text(
        f"{CONV} [p] m = AveragePool<kernel_shape = [4], strides = [4]>(c) {DENSE}", K | {"w": (12, 2)}
    ),
    "an overlapping mean behind a pool": Text(
        f"""{CONV} [a] a = MaxPool<kernel_shape = [2], strides = [2]>(c) [p] m = AveragePool<kernel_shape = [4]>(a)
        {DENSE}""",
        K | {"w": (18, 2)},
        strides=(1, 2, 3, 20),
    ),
    "a mean that counts padding there is none of": Text(
        f"{CONV} [p] m = AveragePool<kernel_shape = [3], count_include_pad = 1, pads = [0, 0]>(c) {DENSE}",
        K | {"w": (48, 2)},
    ),
    "a dilated mean": Text(
        f"{CONV} [p] m = AveragePool<kernel_shape = [3], dilations = [5]>(c) {DENSE}", K | {"w": (24, 2)}, opset=19
    ),
    "a mean over 17, in two steps and a rest": Text(
        f"{CONV} [p] m = AveragePool<kernel_shape = [17]>(c) {DENSE}", K | {"w": (6, 2)}
    ),
    "a mean over 16, in two steps": Text(
        f"{CONV} [p] m = AveragePool<kernel_shape = [16], strides = [2]>(c) {DENSE}", K | {"w": (6, 2)}
    ),
    "a maximum over 17": Text(f"{CONV} [p] m = MaxPool<kernel_shape = [17]>(c) {DENSE}", K | {"w": (6, 2)}),
    "a pool of single values": Text(
        f"{CONV} [a] a = GlobalMaxPool(c) [p] m = MaxPool<kernel_shape = [1]>(a) {DENSE}", K | {"w": (3, 2)}
    ),
    "a mean of single values": Text(
        f"{CONV} [a] a = GlobalMaxPool(c) [p] m = AveragePool<kernel_shape = [1]>(a) {DENSE}", K | {"w": (3, 2)}
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


WIDE = {"a0": (16, 4, 1), "k": (64, 16, 16), "b": (64,)}
TUNED = {
    "a wide kernel": Text(f"[a] a = Conv(sequence, a0) [conv] m = Conv(a, k, b) {DENSE}", WIDE | {"w": (64 * 25, 2)}),
    "a wide kernel, dilated": Text(
        f"[a] a = Conv(sequence, a0) [conv] m = Conv<dilations = [2]>(a, k) {DENSE}", WIDE | {"w": (64 * 10, 2)}
    ),
    "a wide kernel behind a pool": Text(
        f"""[a] a = Conv(sequence, a0) [p] p = MaxPool<kernel_shape = [2], strides = [2]>(a) [conv] c = Conv(p, k, b)
        [r] m = Relu(c) {DENSE}""",
        WIDE | {"w": (64 * 5, 2)},
    ),
    "a wide kernel, a curve, a mix of channels, a pool": Text(
        f"""[a] a = Conv(sequence, a0) [conv] c = Conv(a, k, b) [r] r = Relu(c) [mix] d = Conv(r, l)
        [p] m = MaxPool<kernel_shape = [4], strides = [4]>(d) {DENSE}""",
        WIDE | {"l": (3, 64, 1), "w": (18, 2)},
    ),
    "a wide kernel read twice": Text(
        f"""[a] a = Conv(sequence, a0) [conv] c = Conv(a, k, b) [s] s = Sigmoid(c) [gate] g = Mul(c, s)
        [top] m = GlobalMaxPool(g) {DENSE}""",
        WIDE | {"w": (64, 2)},
    ),
    "a wide kernel with few outputs": Text(
        f"[conv] c = Conv(sequence, k, b) [r] m = Relu(c) {DENSE}", {"k": (3, 4, 21), "b": (3,), "w": (60, 2)}
    ),
}  # fmt: skip


@table(TUNED)
def test_kernels_in_the_forms_that_a_cpu_runs_fastest_equal_windows(name: str) -> None:
    replace(TUNED[name], window=40).check(1, 2, 3, 40)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("elements", [78, 79, 81, 100])
def test_long_pools_equal_windows(op: str, elements: int) -> None:
    """In two steps, with and without a rest, before and behind another pool."""
    body = f"""[a] a = MaxPool<kernel_shape = [2], strides = [2]>(sequence)
    [p] m = {op}<kernel_shape = [{elements}], strides = [5]>(a) {DENSE}"""
    length = (105 - elements) // 5 + 1
    Text(body, {"w": (4 * length, 2)}, window=210).check(1, 2, 3, 210)


@pytest.mark.parametrize("stride", [1, 2, 3, 6, 10, 20])
@pytest.mark.parametrize(("before", "step", "dilation"), [(1, 1, 1), (2, 1, 1), (2, 3, 1), (3, 2, 2), (4, 1, 3)])
def test_a_kernel_is_dilated_to_the_grid_of_its_elements(stride: int, before: int, step: int, dilation: int) -> None:
    """Dilation d*S/g and stride g'/g, where g = gcd(s, S) and g' = gcd(s, S*t)."""
    length = ((20 - 1) // before - 1 * dilation) // step + 1
    body = f"""[a] a = Conv<strides = [{before}]>(sequence, j)
    [b] m = Conv<strides = [{step}], dilations = [{dilation}]>(a, k) {DENSE}"""
    text = Text(body, {"j": (3, 4, 1), "k": (3, 3, 2), "w": (3 * length, 2)}, strides=(stride,))
    text.check()
    one, two, three = text.tile(stride).kernels("Conv")
    here, there = math.gcd(stride, before), math.gcd(stride, before * step)
    assert one == (1, 1, math.gcd(stride, before))
    assert two == (2, dilation * before // here, there // here)
    assert three == (length, before * step // there, stride // there)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(("stride", "kernel"), [(1, (3, 4, 1)), (2, (3, 2, 1)), (4, (3, 1, 1)), (12, (3, 1, 3))])
def test_a_pool_is_dilated_to_the_grid_of_its_elements(op: str, stride: int, kernel: tuple[int, int, int]) -> None:
    """A mean by a depthwise convolution where it is dilated: AveragePool has no dilations below opset 19."""
    body = f"""[a] a = MaxPool<kernel_shape = [4], strides = [4]>(sequence)
    [p] m = {op}<kernel_shape = [3], strides = [3]>(a) {DENSE}"""
    tile = Text(body, {"w": (4, 2)}).tile(stride)
    if op == "MaxPool":
        assert tile.kernels("MaxPool")[1] == kernel
    elif kernel[1] == 1:
        node = tile.only("AveragePool")
        assert (tile.along(node, "kernel_shape"), tile.along(node, "strides")) == (kernel[0], kernel[2])
    else:
        assert tile.kernels("Conv")[0] == kernel
        assert tile.all("Conv")[0].attributes["group"] == 4
        np.testing.assert_allclose(tile.constants[tile.all("Conv")[0].inputs[1]], 1 / 3, rtol=1e-6)


def test_two_steps_leave_out_no_element_and_go_beyond_none() -> None:
    for elements in range(TWO_STEPS, 600, 7):
        first, taps, step = two_steps(elements)
        seen = {start * step + inside for start in range(taps) for inside in range(first)}
        assert seen == set(range(elements))
        assert first + taps <= 3 * math.sqrt(elements)


def test_a_maximum_over_78_elements_becomes_two_short_ones() -> None:
    body = f"[p] m = MaxPool<kernel_shape = [78], strides = [78]>(sequence) {DENSE}"
    for stride in (1, 3, 80):
        tile = Text(body, {"w": (4, 2)}, window=80).tile(stride)
        (first, one, unit), (taps, step, last) = tile.kernels("MaxPool")
        assert (one, unit, last) == (1, 1, stride)
        assert first + taps < 20
        assert first + (taps - 1) * step == 78
        assert first >= step


def test_a_maximum_over_15_elements_is_one() -> None:
    body = f"[p] m = MaxPool<kernel_shape = [15], strides = [15]>(sequence) {DENSE}"
    assert Text(body, {"w": (4, 2)}).tile(1).kernels("MaxPool") == [(15, 1, 1)]


def test_windows_too_many_are_cut_last_of_all() -> None:
    """A crop between two layers would keep a runtime from fusing them."""
    text = CASES["a pool that drops bases"]
    tile = text.tile(1)
    assert tile.ops == ["Conv", "MaxPool", "Conv", "Slice"]
    # windows of 18 elements pooled by 4: the last two are dropped
    assert tile.bounds(tile.only("Slice")) == (0, -2, 1)
    assert text.tile(20).ops == ["Conv", "MaxPool", "Conv"]


def test_rows_by_themselves_are_groups() -> None:
    tile = CASES["every row by itself"].tile(1)
    conv = tile.all("Conv")[0]
    assert conv.attributes["group"] == 2
    assert tile.constants[conv.inputs[1]].shape == (6, 2, 1, 5)
    assert tile.constants[conv.inputs[2]].shape == (6,)


def test_padding_that_no_output_sees_is_not_computed() -> None:
    tile = CASES["padded with a stride, then cropped"].tile(1)
    assert not tile.all("Pad")
    assert all(not any(node.integers("pads", ())) for node in tile.all("Conv"))


SQUARE = {"rows": ints(-1, 1, 4, 20)}
REFUSED = {
    "the places of maxima": (
        Text(f"[p] m, i = MaxPool<kernel_shape = [4]>(sequence) [q] j = Cast<to = 1>(i) [s] s = Add(m, j) "
             f"{DENSE.replace('(m)', '(s)')}", {"w": (68, 2)}),
        "p", "places of maxima",
    ),
    "an image convolved in two directions": (
        Text(f"[rows] i = Reshape(sequence, rows) [conv] m = Conv(i, k) {DENSE}",
             SQUARE | {"k": (3, 1, 2, 5), "w": (144, 2)}),
        "conv", "two axes",
    ),
    "single rows, not all of them": (
        Text(f"[rows] i = Reshape(sequence, rows) [conv] m = Conv<strides = [2, 1]>(i, k) {DENSE}",
             SQUARE | {"k": (3, 1, 1, 5), "w": (96, 2)}),
        "conv", "two axes",
    ),
    "an image pooled in two directions": (
        Text(f"[rows] i = Reshape(sequence, rows) [p] m = MaxPool<kernel_shape = [2, 2]>(i) {DENSE}",
             SQUARE | {"w": (57, 2)}),
        "p", "two axes",
    ),
    "rows left out by a pool": (
        Text(f"[rows] i = Reshape(sequence, rows) [p] m = MaxPool<kernel_shape = [1, 2], strides = [3, 2]>(i) {DENSE}",
             SQUARE | {"w": (20, 2)}),
        "p", "two axes",
    ),
    "padded rows": (
        Text(f"[rows] i = Reshape(sequence, rows) [conv] m = Conv<pads = [1, 0, 0, 0]>(i, k) {DENSE}",
             SQUARE | {"k": (3, 1, 4, 5), "w": (96, 2)}),
        "conv", "not the positions'",
    ),
    "positions taken for channels": (
        Text(f"[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [conv] m = Conv(t, k) {DENSE}",
             {"k": (3, 20, 2), "w": (9, 2)}),
        "conv", "not the positions",
    ),
    "positions taken for channels by a pool": (
        Text(f"[turn] t = Transpose<perm = [0, 2, 1]>(sequence) [p] m = MaxPool<kernel_shape = [2]>(t) {DENSE}",
             {"w": (60, 2)}),
        "p", "not the positions",
    ),
    "a kernel over classes": (
        Text(f"[flat] g = Flatten(sequence) [d] h = Gemm(g, v) [lift] i = Unsqueeze(h, one) [conv] m = Conv(i, k)"
             f"{DENSE.replace('[flat]', '[again]')}", {"v": (80, 6), "one": ints(1), "k": (3, 1, 2), "w": (15, 2)}),
        "conv", "positions for channels",
    ),
    "a pool over classes": (
        Text(f"[flat] g = Flatten(sequence) [d] h = Gemm(g, v) [lift] i = Unsqueeze(h, one)"
             f"[p] m = MaxPool<kernel_shape = [2]>(i) {DENSE.replace('[flat]', '[again]')}",
             {"v": (80, 6), "one": ints(1), "w": (5, 2)}),
        "p", "not the positions'",
    ),
    "weights that are data": (
        Text(f"[w] a = ReduceSum(sequence, zero) [conv] m = Conv(sequence, a) {DENSE.replace('w)', 'v)')}",
             {"zero": ints(0), "v": (1, 2)}),
        "w", "mixes windows",
    ),
    "a padded kernel beyond all bases": (
        Text(f"[conv] m = Conv<pads = [20, 20]>(sequence, k) {DENSE}", {"k": (3, 4, 25), "w": (108, 2)}),
        "conv", "padding",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_can_not_slide_is_refused(name: str) -> None:
    text, node, reason = REFUSED[name]
    text.refused(node, reason)


def test_a_partial_pool_that_reaches_the_output_is_named() -> None:
    body = f"[p] p = AveragePool<kernel_shape = [3], strides = [3], ceil_mode = 1>(sequence) [r] m = Relu(p) {DENSE}"
    error = Text(body, {"w": (28, 2)}).refusal()
    assert (error.node, error.op) == ("p", "AveragePool")
    assert "ceil_mode" in error.reason


def test_weights_for_other_channels_are_a_lie_of_the_graph() -> None:
    """Shape inference does not look at it."""
    text = Text(f"[conv] m = Conv(sequence, k) {DENSE}", {"k": (3, 5, 3), "w": (54, 2)})
    with pytest.raises(ModelError, match=r"conv.*lies about its shapes.*5 channels.*4 channels") as caught:
        compile_dense(text.model, text.card, 1)
    assert not isinstance(caught.value, NotDense)


def test_crops_to_the_end_of_the_chromosome() -> None:
    """A pool behind a crop counts its elements from the crop's first."""
    body = f"""{CONV} [crop] d = Slice(c, five, most, two) [p] m = MaxPool<kernel_shape = [3], strides = [3]>(d)
    {DENSE}"""
    weights = K | {"five": ints(5), "most": ints(MOST), "two": ints(2), "w": (12, 2)}
    Text(body, weights).check(1, 2, 3, 5, 20, 21)
