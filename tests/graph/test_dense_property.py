"""Dense equals windows, over random models of all that the compiler accepts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from math import lcm

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.graph.architectures import OPSETS, WindowModel, random_model, window_models
from tests.graph.dense_oracle import (
    assert_close,
    assert_dense_equals_windows,
    compare,
    make_sample,
    on_runtime,
    tile_feed,
    tolerance,
)
from tests.graph.pointwise import POINTWISE
from tests.graph.reference import in_float64, on_reference
from tests.graph.wild import WILD_BLOCKS
from trackgen.card import Card


def strides(model: WindowModel) -> list[int]:
    """1, 3, each pooling factor, 50, L and beyond; for a profile multiples of its resolution, at most the bin."""
    length = model.card.window
    wanted = sorted({1, 3, *model.poolings, 50, length, length + 7})
    resolutions = [spec.resolution for spec in model.card.outputs if spec.resolution]
    if not resolutions:
        return wanted
    step = lcm(*resolutions)
    return sorted({max(step, min(stride, model.card.bin) // step * step) for stride in wanted})


def check(model: WindowModel, stride: int, seed: int) -> dict[str, np.ndarray]:
    return assert_dense_equals_windows(model.model, model.card, stride, seed=seed)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(model=window_models(), choice=st.integers(0, 100), seed=st.integers(0, 2**16))
def test_dense_equals_windows(model: WindowModel, choice: int, seed: int) -> None:
    allowed = strides(model)
    stride = allowed[choice % len(allowed)]
    note(f"stride {stride} of {model!r}")
    check(model, stride, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(40))
def test_dense_equals_windows_at_every_stride_for_thousands_of_models(part: int) -> None:
    failures: dict[str, str] = {}
    for seed in range(part * 100, part * 100 + 100):
        model = random_model(random.Random(seed))
        for stride in strides(model):
            try:
                check(model, stride, seed)
            except Exception as error:
                failures[f"random_model(random.Random({seed})), stride {stride}"] = f"{type(error).__name__}: {error}"
    assert failures == {}


def wild_failures(seeds: Iterable[int]) -> dict[str, str]:
    """Models with layers that may be refused: those that were accepted and are wrong, or refused in another way."""
    from trackgen.graph import NotDense, compile_dense

    failures: dict[str, str] = {}
    for seed in seeds:
        model = random_model(random.Random(seed), WILD_BLOCKS)
        stride = strides(model)[seed % len(strides(model))]
        try:
            compiled = compile_dense(model.model, model.card, stride)
            assert_dense_equals_windows(model.model, model.card, stride, seed=seed, compiled=compiled)
        except NotDense:
            continue
        except Exception as error:
            wild = sorted(block.__name__ for block in WILD_BLOCKS if block.__name__ in model.features)
            failures[f"random_model(random.Random({seed}), WILD_BLOCKS), stride {stride}, {wild}"] = repr(error)[:300]
    return failures


def test_what_is_accepted_of_models_out_of_scope_is_right_too() -> None:
    assert wild_failures(range(400)) == {}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_thousands_of_models_out_of_scope_are_refused_or_right(part: int) -> None:
    assert wild_failures(range(400 + part * 800, 1200 + part * 800)) == {}


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(model=window_models(), choice=st.integers(0, 100), seed=st.integers(0, 2**16))
def test_the_reference_evaluator_agrees_in_float64(model: WindowModel, choice: int, seed: int) -> None:
    from trackgen.graph import compile_dense

    allowed = strides(model)
    stride = allowed[choice % len(allowed)]
    note(f"stride {stride} of {model!r}")
    compiled = compile_dense(model.model, model.card, stride)
    sample = make_sample(model.card, model.card.window + 3 * stride, seed)
    window, tile = on_reference(in_float64(model.model)), on_reference(in_float64(compiled.model))
    for first, count in ((0, 3), (stride, 1)):
        pairs = compare(model.card, window, tile, sample, stride, first, count)
        # Weights folded in float32 are rounded once: 6e-8 of a value, here over all layers.
        scales = [3e-6 * max(1.0, float(np.abs(wanted).max())) for _, wanted in pairs]
        assert_close(model.card, pairs, scales, f"float64, stride {stride}, {count} windows")


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(model=window_models(), choice=st.integers(0, 100))
def test_what_is_compiled_says_what_it_is(model: WindowModel, choice: int) -> None:
    from trackgen.graph import compile_dense

    allowed = strides(model)
    stride = allowed[choice % len(allowed)]
    before = model.model.SerializeToString(deterministic=True)
    compiled = compile_dense(model.model, model.card, stride)
    assert model.model.SerializeToString(deterministic=True) == before
    onnx.checker.check_model(compiled.model, full_check=True)
    again = compile_dense(model.model, model.card, stride)
    assert compiled.model.SerializeToString(deterministic=True) == again.model.SerializeToString(deterministic=True)
    assert compiled.outputs == tuple(spec.name for spec in model.card.outputs)
    assert [entry.name for entry in compiled.model.graph.output] == list(compiled.outputs)
    feed = tile_feed(model.card, make_sample(model.card, model.card.window + 2 * stride, 0), 0, 3, stride)
    assert {spec.name for spec in compiled.inputs} == set(feed)
    assert {entry.name for entry in compiled.model.graph.input} == set(feed)
    by_name = {spec.name: spec for spec in model.card.inputs}
    for spec in compiled.inputs:
        if spec.kind == "signal":
            assert spec.name == f"signal.{spec.card_input}"
            assert spec.resolution == by_name[spec.card_input].resolution
            assert spec.step == np.gcd(stride, spec.resolution)
        elif spec.kind == "vector":
            assert spec.name == f"vector.{spec.card_input}"
        else:
            assert (spec.kind, spec.name) == ("codes", "codes")
    assert compiled.operations.windowed > 0
    assert compiled.operations.dense > 0
    assert compiled.log
    assert all(isinstance(line, str) for line in compiled.log)


@pytest.mark.parametrize("opset", OPSETS)
def test_the_random_models_run_and_vary(opset: int) -> None:
    """Else equal values would prove nothing."""
    dull = number = 0
    for seed in range(40):
        model = random_model(random.Random(seed * 100 + opset))
        sample = make_sample(model.card, 400, seed)
        from tests.graph.dense_oracle import window_feed

        names = [spec.name for spec in model.card.outputs]
        values = on_runtime(model.model)(window_feed(model.card, sample, range(0, 200, 7)), names)
        for value in values:
            assert np.isfinite(value).all()
            assert np.abs(value).max() < 1e3
            dull += float(value.std(axis=0).max()) < 1e-3
            number += 1
    assert dull < 0.15 * number


def test_the_random_models_cover_the_accepted_scope() -> None:
    seen = Counter(feature for seed in range(1500) for feature in random_model(random.Random(seed)).features)
    for feature in WANTED_FEATURES | set(POINTWISE):
        assert seen[feature] >= 5, feature


WANTED_FEATURES = {
    "Conv", "groups", "dilation", "Conv stride", "MaxPool", "AveragePool", "overlapping pool", "MaxPool dilation",
    "AveragePool dilation", "ceil_mode that divides", "Conv auto_pad VALID", "Conv auto_pad NOTSET", "ReduceMax",
    "ReduceMean", "ReduceSum", "keepdims 0", "collapse by GlobalMaxPool", "collapse by GlobalAveragePool",
    "collapse by MaxPool", "collapse by AveragePool", "collapse by Conv", "collapse by one", "Gather of one position",
    "adaptive mean over two axes", "spline", "flattened C*n", "flattened n*C", "Reshape allowzero",
    "Reshape to a computed shape", "Gemm", "Gemm transB", "Gemm alpha", "Gemm beta", "MatMul", "transposed weight",
    "computed weight", "MatMul on channels", "LayerNormalization", "LayerNormalization in pieces",
    "BatchNormalization", "BatchNormalization of the raw sequence", "BatchNormalization on flattened",
    "BatchNormalization of a vector", "Conv with two uses", "Softmax over channels", "Transpose", "crop",
    "Slice without axes", "shape arithmetic in a crop", "residual with a crop", "gate", "gate by Split",
    "Concat of channels", "Concat of flattened", "Concat with a vector", "Concat of vectors", "padded and trimmed",
    "Unsqueeze, Conv 1x1, Squeeze", "Conv after the collapse", "vector input", "vector by channel, Add",
    "vector by channel, Mul", "signal of resolution 1", "signal of resolution 5", "signal of resolution 25",
    "stacked tensor", "no sequence", "two sequence inputs", "NLC", "other bases", "unknown 0.25",
    "profile of resolution 1", "profile pooled", "profile softmax", "profile sigmoid", "profile none", "head softmax",
    "head sigmoid", "head none", "an output that is read on", "weights among the inputs", "maps of two inputs merged",
}  # fmt: skip


@pytest.mark.parametrize("fault", ["a shift by one window", "one per cent", "zeros"])
def test_the_comparison_can_fail(fault: str) -> None:
    """A tile graph that is nearly right is told apart."""
    model = random_model(random.Random(3))
    card: Card = model.card
    sample = make_sample(card, card.window + 40, 0)
    window = on_runtime(model.model)
    from tests.graph.dense_oracle import window_feed

    names = [spec.name for spec in card.outputs]
    values = window(window_feed(card, sample, range(30)), names)
    wrong = {
        "a shift by one window": lambda value: np.roll(value, 1, axis=0),
        "one per cent": lambda value: value * np.float32(1.01),
        "zeros": np.zeros_like,
    }[fault]
    pairs = [(wrong(value), value) for value in values]
    bounds = [tolerance(spec.activation, value) for spec, value in zip(card.outputs, values, strict=True)]
    with pytest.raises(AssertionError, match="differs by"):
        assert_close(card, pairs, bounds, "test")
