"""Convolutions in their fast forms equal the plain one, and are used where they should be."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from tests.graph.dense_oracle import assert_dense_equals_windows
from tests.graph.texts import card_for, text_model
from trackgen.card import Card, load_model, read_card
from trackgen.graph import compile_dense
from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.dense.convolving import fast_kernel, shifted_copies
from trackgen.resources import find_model


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


PLAIN_ERROR = 3e-6
FAST_ERROR = 5e-6
"""Of the largest value; seven points lose a digit against the direct sum."""


def run(
    weight: np.ndarray, bias: np.ndarray, dilation: int, values: np.ndarray, *, tuned: bool, after: bool
) -> np.ndarray:
    """A convolution in a tile graph, with layers on single positions behind it."""
    build = TileBuilder(tuned=tuned)
    name = build.input("x", TensorProto.FLOAT, [1, weight.shape[1], 1, "T"])
    name = build.convolve(name, weight, bias, dilation=dilation)
    outputs = len(weight)
    if after:
        name = build.emit("Relu", [name])
        name = build.emit("Mul", [name, build.constant(np.full((1, outputs, 1, 1), 0.5, np.float32))])
        name = build.convolve(name, np.ones((3, outputs, 1), np.float32) / outputs, None)
        outputs = 3
    build.output(name, "y", [1, outputs, 1, "P"])
    model = build.model(18)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": values})
    return np.asarray(result)


def direct(weight: np.ndarray, bias: np.ndarray, dilation: int, values: np.ndarray) -> np.ndarray:
    """The same in float64, tap by tap."""
    outputs, _, taps = weight.shape
    length = values.shape[3] - (taps - 1) * dilation
    total = np.zeros((outputs, length)) + bias.astype(float)[:, None]
    for tap in range(taps):
        total += weight[:, :, tap].astype(float) @ values[0, :, 0, tap * dilation : tap * dilation + length].astype(
            float
        )
    return total


@settings(max_examples=60)
@given(
    inputs=st.sampled_from([16, 32]),
    outputs=st.sampled_from([64, 128]),
    taps=st.integers(12, 50),
    dilation=st.sampled_from([1, 2, 3, 4, 7, 25]),
    length=st.integers(1, 90),
    after=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_seven_multiplications_give_what_sixteen_give(
    inputs: int, outputs: int, taps: int, dilation: int, length: int, after: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(0, (inputs * taps) ** -0.5, (outputs, inputs, taps)).astype(np.float32)
    bias = random.normal(0, 1, outputs).astype(np.float32)
    values = random.normal(0, 1, (1, inputs, 1, length + (taps - 1) * dilation)).astype(np.float32)
    found = run(weight, bias, dilation, values, tuned=True, after=after)
    wanted = direct(weight, bias, dilation, values)
    if after:
        wanted = np.tile(0.5 * np.maximum(wanted, 0).mean(0), (3, 1))
    assert found.shape == (1, len(wanted), 1, length)
    assert np.abs(found[0, :, 0] - wanted).max() <= FAST_ERROR * np.abs(wanted).max()


@settings(max_examples=40)
@given(
    inputs=st.sampled_from([1, 5, 64]),
    outputs=st.integers(1, 8),
    taps=st.integers(16, 80),
    length=st.integers(1, 70),
    seed=st.integers(0, 2**31),
)
def test_shifted_copies_give_what_one_kernel_gives(
    inputs: int, outputs: int, taps: int, length: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(0, (inputs * taps) ** -0.5, (outputs, inputs, taps)).astype(np.float32)
    assert shifted_copies(weight) == 16 // outputs
    bias = random.normal(0, 1, outputs).astype(np.float32)
    values = random.normal(0, 1, (1, inputs, 1, length + taps - 1)).astype(np.float32)
    found = run(weight, bias, 1, values, tuned=True, after=False)
    wanted = direct(weight, bias, 1, values)
    assert found.shape == (1, outputs, 1, length)
    assert np.abs(found[0, :, 0] - wanted).max() <= PLAIN_ERROR * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize(
    ("shape", "worth"),
    [
        ((128, 16, 47), True),
        ((128, 16, 8), False),
        ((128, 4, 24), False),
        ((100, 16, 47), False),
        ((16, 16, 12), False),
    ],
)
def test_fast_forms_are_for_wide_kernels_of_full_lanes(shape: tuple[int, int, int], worth: bool) -> None:
    assert (fast_kernel(np.ones(shape), None) is not None) is worth


WIDE = "[narrow] n = Conv(sequence, k) [wide] w = Conv(n, kw)"
FOLLOWED = {
    "ReLU, then a pool": "r = Relu(w) m = MaxPool<kernel_shape = [3], strides = [2]>(r)",
    "one tap with a stride": "m = Conv<strides = [2]>(w, one)",
    "one tap, then a wide one": "r = Conv(w, one) s = Relu(r) m = Conv(s, kw)",
    "a crop": "r = Relu(w) m = Slice(r, start, end, axis)",
    "a gate of itself": "g = Sigmoid(w) m = Mul(w, g)",
    "another layer beside it": "o = Conv(n, kw2) m = Add(w, o)",
    "a branch of one position": "c = Conv(n, kw3) r = Relu(w) m = Concat<axis = 1>(r, c)",
    "softmax over channels": "m = Softmax<axis = 1>(w)",
    "a mean of channels": "m = ReduceMean<axes = [1]>(w)",
    "batch normalisation": "b = BatchNormalization(w, gain, bias, mean, variance) m = Tanh(b)",
    "a flip of channels": "m = Gather<axis = 1>(w, flipped)",
}


@pytest.mark.parametrize("stride", [1, 2, 3, 60])
@pytest.mark.parametrize("name", FOLLOWED)
def test_whatever_follows_a_fast_convolution_gets_it_in_order(name: str, stride: int) -> None:
    """Its results come in blocks of four positions; all but layers on single positions must see them in order."""
    random = np.random.default_rng(1)
    spread = random.uniform(0.5, 1.5, 64).astype(np.float32)
    wide, wide2 = (random.normal(0, 0.05, (64, 16, 20)).astype(np.float32) for _ in range(2))
    weights = {
        "k": (16, 4, 5), "kw": wide, "kw2": wide2, "kw3": (32, 16, 20),
        "one": (16, 64, 1), "gain": (64,), "bias": (64,), "mean": (64,), "variance": spread,
        "start": ints(3), "end": ints(-2), "axis": ints(2), "flipped": ints(*range(63, -1, -1)),
    }  # fmt: skip
    body = f"{WIDE} {FOLLOWED[name]} [top] t = GlobalMaxPool(m) [flat] out = Flatten(t)"
    words = re.findall(r"\w+", body)
    read = {key: value for key, value in weights.items() if key in words}
    channels = {"one tap with a stride": 16, "a mean of channels": 1, "a branch of one position": 96}.get(name, 64)
    model = text_model(body, read, window=60, out=str(channels), opset=17)
    card = card_for(window=60, classes=channels)
    compiled = compile_dense(model, card, stride)
    assert any("Toom-Cook" in line for line in compiled.log)
    # The blocks of four positions begin where the tile does.
    assert_dense_equals_windows(model, card, stride, shifted=2e-6)


def model_and_card(name: str) -> tuple[onnx.ModelProto, Card]:
    path = find_model(name)
    return load_model(path), read_card(path)


def test_a_shipped_model_is_tuned_on_a_cpu_only() -> None:
    model, card = model_and_card("tss-yeast")
    on_cpu, on_cuda = (compile_dense(model, card, 1, device) for device in ("cpu", "cuda"))
    assert any("Toom-Cook" in line for line in on_cpu.log)
    assert not any("Toom-Cook" in line for line in on_cuda.log)
    assert on_cpu.operations == on_cuda.operations
    codes = np.random.default_rng(0).integers(0, 5, (1, 5000)).astype(np.uint8)
    results = [
        onnxruntime.InferenceSession(entry.model.SerializeToString()).run(None, {"codes": codes})[0]
        for entry in (on_cpu, on_cuda)
    ]
    # two ways of summing 752 products in float32
    assert np.abs(results[0] - results[1]).max() < 5e-7
