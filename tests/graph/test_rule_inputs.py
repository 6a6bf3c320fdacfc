"""Inputs of the tile graph: codes become one-hot inside, signals lie on their own grid, vectors are one value."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import onnx
import pytest

from tests.graph.dense_oracle import on_runtime
from tests.graph.rules import DENSE, SEQUENCE, Text, Tile, ints, table
from trackgen.card import InputSpec
from trackgen.graph import TileInput, compile_dense

FLAT = "[flat] f = Flatten(sequence)"
W = {"w": (80, 2)}
DNASE = InputSpec("dnase", "signal")
VECTOR = InputSpec("v", "vector", length=3, default=(0.0,))


def signal(resolution: int, channels: tuple[str, ...] = (), name: str = "dnase") -> InputSpec:
    return InputSpec(name, "signal", resolution=resolution, channels=channels)


ALONE = "[flat] f = Flatten(dnase) [gemm] out = Gemm(f, w)"
CASES = {
    "the sequence": Text(f"{FLAT} [gemm] out = Gemm(f, w)", W),
    "bases in another order": Text(
        f"{FLAT} [gemm] out = Gemm(f, w)", W, inputs=(replace(SEQUENCE, bases="TGAC"),)
    ),
    "unknown bases as a quarter each": Text(
        f"{FLAT} [gemm] out = Gemm(f, w)", W, inputs=(replace(SEQUENCE, unknown=0.25),)
    ),
    "channels last": Text(
        f"{FLAT} [gemm] out = Gemm(f, w)", W, inputs=(replace(SEQUENCE, layout="NLC", bases="AGCT", unknown=0.25),)
    ),
    "the sequence in two orders": Text(
        "[add] m = Sub(sequence, other) [r] r = Relu(m) [flat] f = Flatten(r) [gemm] out = Gemm(f, w)", W,
        inputs=(SEQUENCE, InputSpec("other", "sequence", bases="GATC", unknown=0.5)),
    ),
    "a window of one base": Text("[flat] f = Flatten(sequence) [gemm] out = Gemm(f, w)", {"w": (4, 2)}, window=1,
                                 strides=(1, 3)),
    "a signal of every base": Text(ALONE, {"w": (20, 2)}, inputs=(DNASE,)),
    "a signal of every fifth base": Text(ALONE, {"w": (4, 2)}, inputs=(signal(5),), strides=(1, 3, 5, 10, 20)),
    "a signal of 25 bases in two channels": Text(
        ALONE, {"w": (8, 2)}, window=100, inputs=(signal(25, ("a", "b")),), strides=(1, 10, 25, 100)
    ),
    "one value of a signal": Text(ALONE, {"w": (1, 2)}, inputs=(signal(20),), strides=(1, 3, 5, 20, 30)),
    "a sequence and two signals": Text(
        f"""{FLAT} [fd] d = Flatten(dnase) [fa] a = Flatten(atac) [join] j = Concat<axis = 1>(f, d, a)
        [gemm] out = Gemm(j, w)""",
        {"w": (94, 2)}, inputs=(SEQUENCE, signal(2), signal(5, name="atac")), strides=(1, 2, 3, 5, 20),
    ),
    "sequence and signal in one tensor": Text(
        f"[conv] m = Conv(both, k) {DENSE}", {"k": (3, 5, 3), "w": (54, 2)},
        inputs=(replace(SEQUENCE, tensor="both"), replace(DNASE, tensor="both")),
    ),
    "two signals of 5 bases in one tensor": Text(
        f"[conv] m = Conv(both, k) {DENSE}", {"k": (3, 3, 2), "w": (9, 2)},
        inputs=(
            replace(signal(5, ("a", "b")), tensor="both"), replace(signal(5, name="atac"), tensor="both"),
        ),
        strides=(1, 3, 5, 20),
    ),
    "a vector": Text(
        f"{FLAT} [a] a = Gemm(f, w) [b] b = Gemm(v, u) [add] out = Add(a, b)", W | {"u": (3, 2)},
        inputs=(SEQUENCE, VECTOR),
    ),
    "a vector and a signal of one value": Text(
        """[drop] d = Squeeze(dnase, two) [join] j = Concat<axis = 1>(v, d) [gemm] out = Gemm(j, w)""",
        {"two": ints(2), "w": (4, 2)}, inputs=(signal(20), VECTOR), strides=(1, 7, 20),
    ),
}  # fmt: skip


@table(CASES)
def test_dense_equals_windows(name: str) -> None:
    CASES[name].check()


@pytest.mark.parametrize("stride", [1, 3])
def test_channels_last_of_a_stacked_tensor_are_the_same_channels(stride: int) -> None:
    inputs = (replace(signal(1, ("a", "b")), tensor="both"), replace(SEQUENCE, tensor="both"))
    weights = {"k": (3, 6, 3), "w": (54, 2)}
    first = Text(f"[conv] m = Conv(both, k) {DENSE}", weights, inputs=inputs)
    last = Text(
        f"[turn] t = Transpose<perm = [0, 2, 1]>(both) [conv] m = Conv(t, k) {DENSE}", weights,
        inputs=tuple(replace(spec, layout="NLC") for spec in inputs),
    )  # fmt: skip
    first.check(stride)
    random = np.random.default_rng(0)
    feed = {
        "codes": random.integers(0, 5, (1, 50)).astype(np.uint8),
        "signal.dnase": random.normal(0, 1, (1, 2, 50)).astype(np.float32),
    }
    wanted, found = (on_runtime(text.tile(stride).model)(feed, ["out"])[0] for text in (first, last))
    assert (found == wanted).all()


def raw(name: str) -> Tile:
    return CASES[name].tile(1)


def test_one_hot_is_made_by_comparing_codes_with_bases() -> None:
    """Unknown bases are none of them."""
    tile = raw("the sequence")
    assert [node.op for node in tile.nodes[:3]] == ["Unsqueeze", "Equal", "Cast"]
    equal = tile.only("Equal")
    assert tile.constants[equal.inputs[1]].tolist() == [[[[0]], [[1]], [[2]], [[3]]]]
    assert tile.constants[equal.inputs[1]].dtype == np.uint8
    assert tile.only("Cast").attributes["to"] == onnx.TensorProto.FLOAT
    assert not tile.all("OneHot")
    assert not tile.all("Gather")


def test_bases_stand_in_the_order_of_the_card() -> None:
    tile = raw("bases in another order")
    assert tile.constants[tile.only("Equal").inputs[1]].ravel().tolist() == [3, 2, 0, 1]


def test_unknown_bases_are_put_in_where_they_are_not_zero() -> None:
    tile = raw("unknown bases as a quarter each")
    where = tile.only("Where")
    assert float(tile.constants[where.inputs[1]]) == 0.25
    gap = next(node for node in tile.all("Equal") if node.outputs[0] == where.inputs[0])
    assert int(tile.constants[gap.inputs[1]]) == 4
    assert not raw("bases in another order").all("Where")


def test_a_tile_takes_one_byte_a_base_however_many_sequences_the_model_has() -> None:
    tile = raw("the sequence in two orders")
    (entry,) = tile.model.graph.input
    assert (entry.name, entry.type.tensor_type.elem_type) == ("codes", onnx.TensorProto.UINT8)
    assert [axis.dim_value or axis.dim_param for axis in entry.type.tensor_type.shape.dim] == [1, "bases"]


@pytest.mark.parametrize("stride", [1, 3, 5, 10, 20])
def test_a_signal_lies_on_the_grid_of_stride_and_resolution(stride: int) -> None:
    text = CASES["a signal of every fifth base"]
    compiled = compile_dense(text.model, text.card, stride)
    step = math.gcd(stride, 5)
    assert compiled.inputs == (TileInput("signal.dnase", "signal", "dnase", 5, step),)
    assert text.tile(stride).kernels("Conv") == [(4, 5 // step, stride // step)]


def test_one_value_of_a_signal_is_read_at_every_window() -> None:
    tile = CASES["one value of a signal"].tile(30)
    assert tile.bounds(tile.only("Slice"))[::2] == (0, 3)


def test_every_input_is_told() -> None:
    text = CASES["a sequence and two signals"]
    assert compile_dense(text.model, text.card, 10).inputs == (
        TileInput("codes", "codes", None),
        TileInput("signal.dnase", "signal", "dnase", 2, 2),
        TileInput("signal.atac", "signal", "atac", 5, 5),
    )
    text = CASES["a vector"]
    assert compile_dense(text.model, text.card, 10).inputs[1] == TileInput("vector.v", "vector", "v")


def test_inputs_that_no_output_needs_are_not_asked_for() -> None:
    text = Text(f"{FLAT} [gemm] out = Gemm(f, w)", W, inputs=(SEQUENCE, DNASE, VECTOR))
    compiled = compile_dense(text.model, text.card, 1)
    assert [entry.name for entry in compiled.inputs] == ["codes"]
    assert [entry.name for entry in compiled.model.graph.input] == ["codes"]


def test_codes_of_unknown_bases_are_zero_in_every_channel() -> None:
    text = Text("[same] out = Identity(sequence)", out="4, 20", strides=(1,))
    tile = on_runtime(compile_dense(text.model, text.card, 1).model)
    codes = np.array([[0, 1, 2, 3, 4, 4, *[3] * 14]], np.uint8)
    (found,) = tile({"codes": codes}, ["out"])
    assert (found == (codes == np.arange(4)[:, None])[None]).all()


def test_a_vector_alone_is_refused_as_an_output() -> None:
    text = Text("[gemm] out = Gemm(v, u)", {"u": (3, 2)}, inputs=(SEQUENCE, VECTOR))
    text.refused("gemm", "does not depend on the genome")
