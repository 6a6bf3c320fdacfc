"""Reshapes and transpositions, as ONNX text: names change, data does not move, dense equals windows."""

from __future__ import annotations

import numpy as np

from tests.graph.rules import CONV, DENSE, SEQUENCE, K, Text, ints, table
from trackgen.card import InputSpec

GEMM = "[gemm] out = Gemm(f, w)"
W = {"w": (54, 2)}
KW = K | W
VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))
JOINED = "[flat] g = Flatten(sequence) [join] j = Concat<axis = 1>(g, v)"
WITH_VECTOR = (SEQUENCE, VECTOR)
CASES = {
    "Flatten": Text(f"{CONV} [flat] f = Flatten(c) {GEMM}", KW),
    "Flatten of axis 1": Text(f"{CONV} [flat] f = Flatten<axis = 1>(c) {GEMM}", KW),
    "Flatten of axis -2": Text(f"{CONV} [flat] f = Flatten<axis = -2>(c) {GEMM}", KW),
    "Reshape to (0, -1)": Text(f"{CONV} [flat] f = Reshape(c, s) {GEMM}", KW | {"s": ints(0, -1)}),
    "Reshape to (-1, size)": Text(f"{CONV} [flat] f = Reshape(c, s) {GEMM}", KW | {"s": ints(-1, 54)}),
    "Reshape to (0, size)": Text(f"{CONV} [flat] f = Reshape(c, s) {GEMM}", KW | {"s": ints(0, 54)}),
    "Reshape with allowzero": Text(f"{CONV} [flat] f = Reshape<allowzero = 1>(c, s) {GEMM}", KW | {"s": ints(-1, 54)}),
    "Reshape to a computed shape": Text(
        f"""{CONV} [s] s = Shape(c) [n] n = Gather(s, zero) [lift] l = Unsqueeze(n, first)
        [join] t = Concat<axis = 0>(l, rest) [flat] f = Reshape(c, t) {GEMM}""",
        KW | {"zero": np.array(0), "first": ints(0), "rest": ints(-1)},
    ),
    "Reshape to what it is": Text(f"{CONV} [same] m = Reshape(c, s) {DENSE}", KW | {"s": ints(0, 3, 18)}),
    "Unsqueeze and Squeeze": Text(
        f"{CONV} [lift] l = Unsqueeze(c, axis) [drop] m = Squeeze(l, axis) {DENSE}", KW | {"axis": ints(2)}
    ),
    "Unsqueeze of two axes": Text(
        f"{CONV} [lift] l = Unsqueeze(c, axes) [r] r = Relu(l) [drop] m = Squeeze(r, axes) {DENSE}",
        KW | {"axes": ints(1, -1)},
    ),
    "Squeeze of the collapsed positions": Text(
        f"{CONV} [top] t = GlobalMaxPool(c) [drop] f = Squeeze(t, two) {GEMM}", K | {"w": (3, 2), "two": ints(-1)}
    ),
    "Squeeze of two axes at once": Text(
        f"[lift] i = Unsqueeze(sequence, one) [conv] c = Conv(i, k) [drop] f = Squeeze(c, axes) {GEMM}",
        {"one": ints(1), "k": (3, 1, 4, 20), "axes": ints(2, 3), "w": (3, 2)},
    ),
    "Transpose": Text(f"{CONV} [turn] m = Transpose<perm = [0, 2, 1]>(c) {DENSE}", KW),
    "Transpose there and back": Text(
        f"""{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [r] r = Relu(t) [back] m = Transpose<perm = [0, 2, 1]>(r)
        {DENSE}""",
        KW,
    ),
    "Transpose that puts the batch behind, and back": Text(
        f"""{CONV} [turn] t = Transpose<perm = [2, 0, 1]>(c) [r] r = Relu(t) [back] m = Transpose<perm = [1, 2, 0]>(r)
        {DENSE}""",
        KW,
    ),
    "Transpose without an order: all axes reversed": Text(
        f"{CONV} [turn] t = Transpose(c) [back] m = Transpose(t) {DENSE}", KW
    ),
    "Transpose of classes": Text(
        """[flat] g = Flatten(sequence) [a] a = Gemm(g, u) [r] r = Reshape(a, s)
        [turn] t = Transpose<perm = [0, 2, 1]>(r) [e] m = Exp(t) [flat2] f = Flatten(m) [gemm] out = Gemm(f, w)""",
        {"u": np.random.default_rng(1).normal(0, 0.1, (80, 6)).astype(np.float32), "s": ints(0, 2, 3), "w": (6, 2)},
    ),
    "channels cut in two axes and joined again": Text(
        f"[cut] a = Reshape(sequence, cut) [r] r = Neg(a) [join] m = Reshape(r, back) [conv] c = Conv(m, k)"
        f"{DENSE.replace('(m)', '(c)')}",
        KW | {"cut": ints(-1, 2, 2, 20), "back": ints(0, 4, -1)},
    ),
    "channels shuffled between groups": Text(
        f"""[conv] c = Conv<group = 2>(sequence, k) [cut] a = Reshape(c, cut)
        [turn] t = Transpose<perm = [0, 2, 1, 3]>(a) [join] b = Reshape(t, back)
        [next] m = Conv<group = 2>(b, l) {DENSE}""",
        {"k": (6, 2, 3), "cut": ints(-1, 2, 3, 18), "back": ints(-1, 6, 18), "l": (4, 3, 2), "w": (68, 2)},
    ),
    "the batch and the positions as one axis": Text(
        f"""{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [rows] r = Reshape(t, rows) [e] e = Sigmoid(r)
        [back] m = Reshape(e, back) {DENSE}""",
        KW | {"rows": ints(-1, 3), "back": ints(-1, 18, 3)},
    ),
    "positions that do not lie innermost": Text(
        f"""{CONV} [turn] t = Transpose<perm = [0, 2, 1]>(c) [flat] g = Flatten(t) [e] e = Tanh(g)
        [back] m = Reshape(e, back) {DENSE.replace('[flat]', '[flat2]')}""",
        KW | {"back": ints(-1, 18, 3)},
    ),
    "Identity and Dropout": Text(
        f"{CONV} [same] i = Identity(c) [drop] m = Dropout(i) {DENSE}", KW
    ),
    "Dropout with a ratio, not training": Text(
        f"{CONV} [drop] m, mask = Dropout(c, ratio, training) {DENSE}",
        KW | {"ratio": np.array(0.5, np.float32), "training": np.array(False)},
    ),
    # a map that differs by position goes along
    "weighted positions, transposed": Text(
        f"{CONV} [weight] e = Mul(c, p) [turn] m = Transpose<perm = [0, 2, 1]>(e) {DENSE}", KW | {"p": (3, 18)}
    ),
    "placed positions, reshaped twice": Text(
        f"{CONV} [place] e = Add(c, p) [lift] l = Unsqueeze(e, one) [back] m = Reshape(l, s) {DENSE}",
        KW | {"p": (3, 18), "one": ints(1), "s": ints(-1, 1, 54)},
    ),
    # joined branches
    "joined branches lifted and dropped": Text(
        f"{JOINED} [lift] l = Unsqueeze(j, one) [drop] f = Squeeze(l, one) {GEMM}", {"one": ints(1), "w": (83, 2)},
        inputs=WITH_VECTOR,
    ),
    "joined branches reshaped to what they are": Text(
        f"{JOINED} [same] f = Reshape(j, s) {GEMM}", {"s": ints(-1, 83), "w": (83, 2)}, inputs=WITH_VECTOR
    ),
    "joined branches flattened, dropped out": Text(
        f"{JOINED} [drop] d = Dropout(j) [flat2] f = Flatten(d) {GEMM}", {"w": (83, 2)}, inputs=WITH_VECTOR
    ),
}  # fmt: skip
MOVES = {"Flatten", "Squeeze", "Transpose", "Identity", "Dropout", "Gather"}


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


@table({name: text for name, text in CASES.items() if len(text.inputs) == 1})
def test_no_node_is_emitted(name: str) -> None:
    """But for the order that grouped channels are read in."""
    ops = CASES[name].tile(1).ops
    allowed = {"Gather"} if name == "channels shuffled between groups" else set()
    assert not MOVES.intersection(ops) - allowed
    assert not {"Reshape", "Unsqueeze"}.intersection(ops), ops


def test_a_flattened_net_is_two_convolutions() -> None:
    for name in ("Flatten", "Reshape to a computed shape", "Transpose", "Identity and Dropout"):
        assert CASES[name].tile(1).ops == ["Conv", "Conv"], name


def test_channels_are_gathered_only_where_a_layer_reads_them_in_another_order() -> None:
    tile = CASES["channels shuffled between groups"].tile(1)
    assert tile.ops == ["Conv", "Gather", "Conv", "Conv"]
    order = tile.constants[tile.only("Gather").inputs[1]]
    assert order.tolist() == np.arange(6).reshape(2, 3).T.ravel().tolist()


REFUSED = {
    "positions cut in two": (
        Text(f"[cut] m = Reshape(sequence, s) {DENSE}", {"s": ints(-1, 4, 4, 5), "w": (80, 2)}), "cut", "2-D reshape",
    ),
    "flattened positions cut in two": (
        Text(f"[flat] g = Flatten(sequence) [cut] r = Reshape(g, s) [t] m = Neg(r) {DENSE.replace('[flat]', '[f2]')}",
             {"s": ints(-1, 16, 5), "w": (80, 2)}),
        "cut", "2-D reshape",
    ),
    "channels and positions mixed": (
        Text(f"{CONV} [mix] m = Reshape(c, s) {DENSE}", KW | {"s": ints(-1, 27, 2)}), "mix", "2-D reshape",
    ),
    "joined branches transposed": (
        Text(f"{JOINED} [lift] l = Unsqueeze(j, one) [turn] t = Transpose<perm = [0, 2, 1]>(l) [flat2] f = Flatten(t)"
             f"{GEMM}", {"one": ints(1), "w": (83, 2)}, inputs=WITH_VECTOR),
        "turn", "joined branches",
    ),
    "joined branches cut": (
        Text("[flat] g = Flatten(sequence) [join] j = Concat<axis = 1>(g, v, n) [cut] r = Reshape(j, s) [m] m = Neg(r)"
             f"{DENSE.replace('[flat]', '[f2]')}", {"s": ints(-1, 42, 2), "w": (84, 2)},
             inputs=(*WITH_VECTOR, InputSpec("n", "vector", length=1, default=(0.0,)))),
        "cut", "joined branches",
    ),
    "Dropout in training": (
        Text(f"{CONV} [drop] m = Dropout(c, ratio, training) {DENSE}",
             KW | {"ratio": np.array(0.0, np.float32), "training": np.array(True)}),
        "drop", "training mode",
    ),
}  # fmt: skip


@table(REFUSED)
def test_what_cuts_positions_is_refused(name: str) -> None:
    text, node, reason = REFUSED[name]
    text.refused(node, reason)
