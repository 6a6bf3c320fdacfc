"""Crops, picks, splits and padding, as ONNX text: dense equals windows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.graph.rules import CONV, DENSE, MOST, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec

SLICE = "[crop] m = Slice(sequence, a, b, axes, steps)"
VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))
TWO = ints(2)


def crop(start: int, end: int, left: int, step: int = 1) -> Text:
    """Positions start:end:step, `left` of them."""
    bounds = {"a": ints(start), "b": ints(end), "axes": TWO, "steps": ints(step)}
    return Text(f"{SLICE} {DENSE}", bounds | {"w": (4 * left, 2)})


def pick(indices: np.ndarray, size: int, axis: int = 2) -> Text:
    return Text(f"[pick] m = Gather<axis = {axis}>(sequence, i) {DENSE}", {"i": indices, "w": (size, 2)})


CASES = {
    "from the third base on": crop(3, MOST, 17),
    "to the third last base": crop(0, -3, 17),
    "the middle": crop(5, 14, 9),
    "negative bounds": crop(-15, -4, 11),
    "bounds far outside": crop(-500, 500, 20),
    "the last base": crop(-1, MOST, 1),
    "the first base": crop(0, 1, 1),
    "every second base": crop(0, MOST, 10, 2),
    "every third base from the second on": crop(1, 19, 6, 3),
    "every fourth base, dropping the rest": crop(3, 16, 4, 4),
    "one base by a step beyond the end": crop(6, MOST, 1, 30),
    "a crop without axes": Text(
        f"[crop] m = Slice(sequence, a, b) {DENSE}", {"a": ints(0, 0, 2), "b": ints(MOST, MOST, 18), "w": (64, 2)}
    ),
    "bounds of 32 bits": Text(
        f"[crop] m = Slice(sequence, a, b, axes) {DENSE}",
        {"a": np.array([2], np.int32), "b": np.array([18], np.int32), "axes": np.array([-1], np.int32), "w": (64, 2)},
    ),
    "some channels": Text(
        f"{SLICE} {DENSE}", {"a": ints(1), "b": ints(3), "axes": ints(1), "steps": ints(1), "w": (40, 2)}
    ),
    "channels turned round": Text(
        f"{SLICE} {DENSE}", {"a": ints(-1), "b": ints(-MOST), "axes": ints(1), "steps": ints(-1), "w": (80, 2)}
    ),
    "channels and positions": Text(
        f"{SLICE} {DENSE}",
        {"a": ints(0, 2), "b": ints(MOST, 11), "axes": ints(-2, -1), "steps": ints(3, 2), "w": (10, 2)},
    ),
    "a crop of crops behind a pool": Text(
        f"""[p] p = MaxPool<kernel_shape = [2], strides = [2]>(sequence) [a] x = Slice(p, a, b, axes)
        [b] y = Slice(x, a, c, axes, d) [conv] m = Conv(y, k) {DENSE}""",
        K | {"a": ints(1), "b": ints(9), "axes": TWO, "c": ints(MOST), "d": ints(2), "w": (6, 2)},
        strides=(1, 2, 3, 4, 20),
    ),
    "classes": Text(
        "[flat] f = Flatten(sequence) [g] g = Gemm(f, w) [crop] out = Slice(g, a, b, axes)",
        {"w": (80, 5), "a": ints(1), "b": ints(3), "axes": ints(1)},
    ),
    "one of two channel axes": Text(
        """[flat] f = Flatten(sequence) [g] g = Gemm(f, w) [r] r = Reshape(g, s) [crop] p = Slice(r, a, b, axes)
        [drop] out = Squeeze(p, axes)""",
        {"w": (80, 6), "s": ints(-1, 3, 2), "a": ints(1), "b": ints(2), "axes": ints(1)},
    ),
    "the outer of two channel axes turned": Text(
        """[flat] f = Flatten(sequence) [g] g = Gemm(f, w) [r] r = Reshape(g, s)
        [turn] t = Transpose<perm = [0, 2, 1]>(r) [pick] p = Gather<axis = 2>(t, i) [flat2] q = Flatten(p)
        [last] out = Gemm(q, u)""",
        {"w": (80, 6), "s": ints(-1, 3, 2), "i": ints(2, 0), "u": (4, 2)},
    ),
    # Gather
    "one base": pick(np.array(7), 4),
    "one base from behind": pick(np.array(-3), 4),
    "one base that keeps its axis": pick(ints(7), 4),
    "bases one apart": pick(ints(4, 5, 6, 7), 16),
    "bases three apart": pick(ints(2, 5, -12, 11), 16),
    "channels in another order": pick(ints(2, 0, 3), 60, 1),
    "a channel twice": pick(ints(1, 1), 40, 1),
    "one channel": pick(np.array(2), 20, 1),
    "an axis of one, repeated": Text(
        f"[one] a = Gather<axis = 1>(sequence, i) [more] m = Gather<axis = 1>(a, j) {DENSE}",
        {"i": ints(2), "j": ints(0, 0, 0), "w": (60, 2)},
    ),
    "one position behind a pool": Text(
        f"{CONV} [p] p = MaxPool<kernel_shape = [4], strides = [4]>(c) [pick] m = Gather<axis = 2>(p, i) {DENSE}",
        K | {"i": np.array(1), "w": (3, 2)},
    ),
    # Split
    "equal parts of the channels": Text(
        f"[split] a, b = Split<axis = 1, num_outputs = 2>(sequence) [t] t = Sigmoid(b) [gate] m = Mul(a, t) {DENSE}",
        {"w": (40, 2)},
    ),
    "uneven parts, the last one smaller": Text(
        f"[split] a, b, c = Split<axis = 2, num_outputs = 3>(sequence) [conv] m = Conv(c, k) {DENSE}",
        K | {"w": (12, 2)},
    ),
    "parts of given sizes": Text(
        f"[split] a, m, c = Split<axis = -2>(sequence, sizes) {DENSE}", {"sizes": ints(1, 2, 1), "w": (40, 2)}
    ),
    "parts of the positions": Text(
        """[split] a, b, c = Split<axis = 2>(sequence, sizes) [fa] fa = Flatten(a) [fc] fc = Flatten(c)
        [join] f = Concat<axis = 1>(fc, fa) [gemm] out = Gemm(f, w)""",
        {"sizes": ints(5, 1, 14), "w": (76, 2)},
    ),
    "a part of one position": Text(
        f"[split] a, m, c = Split<axis = 2>(sequence, sizes) {DENSE}", {"sizes": ints(5, 1, 14), "w": (4, 2)}
    ),
    "equal parts, before opset 18": Text(
        f"[split] a, m = Split<axis = 2>(sequence) {DENSE}", {"w": (40, 2)}, opset=13
    ),
    "all in one part": Text(f"[split] m = Split<axis = 2>(sequence, sizes) {DENSE}", {"sizes": ints(20), "w": (80, 2)}),
    # Pad
    "padding of nothing": Text(
        f"[pad] m = Pad(sequence, pads) {DENSE}", {"pads": ints(0, 0, 0, 0, 0, 0), "w": (80, 2)}
    ),
    "padding that crops": Text(
        f"[pad] m = Pad(sequence, pads) {DENSE}", {"pads": ints(0, 0, -3, 0, 0, -2), "w": (60, 2)}
    ),
    "padding of given axes that crops": Text(
        f"[pad] m = Pad(sequence, pads, zero, axes) {DENSE}",
        {"pads": ints(-1, -4), "zero": np.array(0, np.float32), "axes": ints(-1), "w": (60, 2)},
    ),
    "padding that is cropped": Text(
        f"[pad] p = Pad(sequence, pads) [crop] m = Slice(p, a, b, axes) {DENSE}",
        {"pads": ints(0, 0, 3, 0, 0, 5), "a": ints(4), "b": ints(-5), "axes": TWO, "w": (76, 2)},
    ),
    "padding by a value, convolved, cropped": Text(
        f"""[p] p0 = AveragePool<kernel_shape = [2], strides = [2]>(sequence) [pad] p = Pad(p0, pads, nine)
        [conv] c = Conv(p, k) [crop] m = Slice(c, a, b, axes) {DENSE}""",
        K | {"pads": ints(0, 0, 2, 0, 0, 1), "nine": np.array(9, np.float32), "a": ints(2), "b": ints(-1), "axes": TWO,
             "w": (24, 2)},
        strides=(1, 2, 3, 20),
    ),
    "padding in front, cropping behind": Text(
        f"[pad] p = Pad(sequence, pads) [crop] m = Slice(p, a, b, axes) {DENSE}",
        {"pads": ints(0, 0, 3, 0, 0, -5), "a": ints(3), "b": ints(MOST), "axes": TWO, "w": (60, 2)},
    ),
    "padding that every other element leaves out": Text(
        f"[pad] p = Pad(sequence, pads) [crop] m = Slice(p, a, b, axes, steps) {DENSE}",
        {"pads": ints(0, 0, 1, 0, 0, 1), "a": ints(1), "b": ints(-2), "axes": TWO, "steps": ints(3), "w": (28, 2)},
    ),
    "a base picked out of padding": Text(
        f"[pad] p = Pad(sequence, pads) [pick] m = Gather<axis = 2>(p, i) {DENSE}",
        {"pads": ints(0, 0, 3, 0, 0, 3), "i": np.array(9), "w": (4, 2)},
    ),
    # vectors
    "elements of a vector": Text(
        "[flat] f = Flatten(sequence) [g] g = Gemm(f, w) [pick] p = Gather<axis = 1>(v, i) [add] out = Add(g, p)",
        {"w": (80, 2), "i": ints(2, 0)}, inputs=(SEQUENCE, VECTOR),
    ),
    "positions of a spread vector": Text(
        f"""[lift] l = Unsqueeze(v, two) [s] s = Shape(sequence) [n] n = Gather(s, two)
        [t] t = Concat<axis = 0>(ones, n) [spread] e = Expand(l, t) [crop] x = Slice(e, a, b, two)
        [crop2] y = Slice(sequence, a, b, two)
        [join] m = Concat<axis = 1>(x, y) {DENSE}""",
        {"two": TWO, "ones": ints(1, 1), "a": ints(2), "b": ints(-3), "w": (105, 2)}, inputs=(SEQUENCE, VECTOR),
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


@pytest.mark.parametrize("stride", [1, 2, 3, 6, 20])
@pytest.mark.parametrize("spacing", [1, 2])
def test_a_crop_starts_at_the_grid_point_of_its_first_element(stride: int, spacing: int) -> None:
    """Slice by start*S/g; the end goes too, so that nothing superfluous is computed."""
    body = f"""[p] p = MaxPool<kernel_shape = [{spacing}], strides = [{spacing}]>(sequence)
    [crop] m = Slice(p, a, b, axes) {DENSE}"""
    weights = {"a": ints(3), "b": ints(-2), "axes": TWO, "w": (4 * (20 // spacing - 5), 2)}
    tile = Text(body, weights).tile(stride)
    ratio = spacing // math.gcd(stride, spacing)
    assert tile.bounds(tile.only("Slice")) == (3 * ratio, -2 * ratio, 1)


@pytest.mark.parametrize("stride", [1, 2, 4, 6, 20])
def test_every_other_element_is_a_grid_of_its_own(stride: int) -> None:
    tile = CASES["every second base"].tile(stride)
    # at stride 1 the grid stays as it is, less the last base
    assert tile.bounds(tile.only("Slice")) == ((0, MOST, 2) if stride % 2 == 0 else (0, -1, 1))
    assert tile.kernels("Conv") == [(10, 2 // math.gcd(stride, 2), stride // math.gcd(stride, 2))]


def test_a_single_base_is_every_strideth_point() -> None:
    tile = CASES["one base"].tile(4)
    assert tile.ops == ["Slice", "Conv", "Slice"]
    first, last = tile.all("Slice")
    assert tile.bounds(first) == (7, MOST, 4)
    assert tile.bounds(last) == (0, -3, 1)  # 12 bases behind the one that is read: three windows too many


def test_what_is_left_as_it_is_emits_nothing() -> None:
    for name in ("bounds far outside", "all in one part", "padding of nothing"):
        assert CASES[name].tile(1).ops == ["Conv"], name


def test_parts_that_nothing_reads_are_not_in_the_graph() -> None:
    assert len(CASES["parts of given sizes"].tile(1).all("Gather")) == 1


def bad(body: str, weights: dict[str, np.ndarray], size: int) -> Text:
    return Text(f"{body} {DENSE}", weights | {"w": (size, 2)})


BACK = {"a": ints(-1), "b": ints(-MOST), "axes": TWO, "steps": ints(-1)}
REFUSED = {
    "a flip": (bad(SLICE, BACK, 80), "crop", "flips"),
    "a flip of every second base": (bad(SLICE, BACK | {"steps": ints(-2)}, 40), "crop", "reorders"),
    "bases in another order": (
        bad("[pick] m = Gather<axis = 2>(sequence, i)", {"i": ints(3, 1, 2)}, 12), "pick", "reorders",
    ),
    "a base twice": (bad("[pick] m = Gather<axis = 2>(sequence, i)", {"i": ints(3, 3)}, 8), "pick", "reorders"),
    "bases at uneven distances": (
        bad("[pick] m = Gather<axis = 2>(sequence, i)", {"i": ints(3, 4, 6)}, 12), "pick", "reorders",
    ),
    "bases into two axes": (
        bad("[pick] m = Gather<axis = 2>(sequence, i)", {"i": np.arange(20).reshape(4, 5)}, 80), "pick", "2-D reshape",
    ),
    "nothing": (
        bad(f"{SLICE} [e] n = ReduceSum(m, axes)".replace("m = Slice", "e = Slice").replace("(m,", "(e,")
            .replace("n =", "m ="), {"a": ints(5), "b": ints(5), "axes": TWO, "steps": ints(1)}, 4),
        "crop", "leaves nothing",
    ),
    "flattened channels and positions": (
        Text("[flat] f = Flatten(sequence) [crop] c = Slice(f, a, b, axes) [gemm] out = Gemm(c, w)",
             {"a": ints(3), "b": ints(70), "axes": ints(1), "w": (67, 2)}),
        "crop", "channels and positions",
    ),
    "padded channels": (
        bad("[pad] m = Pad(sequence, pads)", {"pads": ints(0, 1, 0, 0, 1, 0)}, 120), "pad", "not the positions'",
    ),
    "padded classes": (
        Text("[flat] f = Flatten(sequence) [g] g = Gemm(f, w) [pad] out = Pad(g, pads)",
             {"w": (80, 1), "pads": ints(0, 0, 0, 1)}),
        "pad", "not the positions'",
    ),
    "padding that reaches the output": (
        bad('[pad] p = Pad<mode = "reflect">(sequence, pads) [r] m = Relu(p)', {"pads": ints(0, 0, 1, 0, 0, 0)}, 84),
        "pad", "padding",
    ),
    "nothing but padding": (
        bad("[pad] p = Pad(sequence, pads) [crop] m = Slice(p, a, b, axes)",
            {"pads": ints(0, 0, 9, 0, 0, 0), "a": ints(0), "b": ints(9), "axes": TWO}, 36),
        "pad", "padding",
    ),
    "padding alone left by padding": (
        bad("[pad] p = Pad(sequence, pads) [crop] m = Pad(p, other)",
            {"pads": ints(0, 0, 25, 0, 0, 0), "other": ints(0, 0, 0, 0, 0, -22)}, 92),
        "pad", "padding",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_moves_positions_is_refused(name: str) -> None:
    text, node, reason = REFUSED[name]
    text.refused(node, reason)


def test_windows_picked_out_of_a_batch_are_refused() -> None:
    text = Text(f"[pick] m = Gather<axis = 0>(sequence, i) {DENSE}", {"i": ints(0), "w": (80, 2)})
    error = text.refusal()
    assert error.node == "pick"
    assert "windows of a batch" in error.reason
