"""Windows one by one against tiles: what a tile graph must give, by running the window graph itself.

Shares nothing with the compiler: the inputs of windows and of tiles are cut here, from the same sample of genome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
import onnx
import onnxruntime

from trackgen.card import Card, InputSpec
from trackgen.runtime import WRONG_OPTIMIZERS

__all__ = [
    "Sample",
    "assert_dense_equals_windows",
    "compare",
    "make_sample",
    "on_runtime",
    "tile_feed",
    "tolerance",
    "window_feed",
]

Values = dict[str, np.ndarray]
Runner = Callable[[Mapping[str, np.ndarray], Sequence[str]], list[np.ndarray]]


@dataclass(frozen=True)
class Sample:
    """A stretch of genome with both ends of a chromosome in it.

    Attributes:
        codes: uint8 (T,), runs of 4 at both ends and inside.
        signals: input name -> float32 (channels, T): element q is the transformed statistic over [q, q + r).
        vectors: input name -> float32 (length,).
    """

    codes: np.ndarray
    signals: Mapping[str, np.ndarray]
    vectors: Mapping[str, np.ndarray]


def make_sample(card: Card, length: int, seed: int) -> Sample:
    """`length` bases: a chromosome that begins and ends within the sample, with gaps in it."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, length).astype(np.uint8)
    repeat = random.integers(0, 4, 3).astype(np.uint8)
    for start, run in ((length // 3, length // 10), (length // 2, 1), (2 * length // 3, 7)):
        codes[start : start + run] = 4
    low = length // 5
    codes[low : low + length // 12] = np.resize(repeat, length // 12)  # a repeat: ties between positions
    outside = min(card.window // 2, length // 4)
    codes[:outside] = codes[length - outside :] = 4
    signals, vectors = {}, {}
    for spec in card.inputs:
        if spec.kind == "signal":
            values = random.gamma(1.0, 1.0, (max(1, len(spec.channels)), length)).astype(np.float32)
            values[:, :outside] = values[:, length - outside :] = spec.missing
            values[:, length // 2 : length // 2 + length // 20] = 0
            signals[spec.name] = values
        elif spec.kind == "vector":
            vectors[spec.name] = random.normal(0, 1, spec.length).astype(np.float32)
    return Sample(codes, signals, vectors)


def _one_hot(spec: InputSpec, codes: np.ndarray) -> np.ndarray:
    """float32 (4, n)."""
    made = np.zeros((4, len(codes)), np.float32)
    for row, base in enumerate(spec.bases):
        made[row] = codes == "ACGT".index(base)
    made[:, codes == 4] = spec.unknown
    return made


def window_feed(card: Card, sample: Sample, starts: Sequence[int]) -> Values:
    """The window graph's inputs for windows that begin at `starts`."""
    feed: Values = {}
    for spec in card.inputs:
        if spec.kind == "sequence":
            cut = [_one_hot(spec, sample.codes[start : start + card.window]) for start in starts]
            value = np.stack([entry.T if spec.layout == "NLC" else entry for entry in cut])
        elif spec.kind == "signal":
            points = np.arange(0, card.window, spec.resolution)
            value = np.stack([sample.signals[spec.name][:, start + points] for start in starts])
        else:
            value = np.stack([sample.vectors[spec.name]] * len(starts))
        name = spec.graph_name
        feed[name] = np.concatenate([feed[name], value], axis=1) if name in feed else value
    return {name: np.ascontiguousarray(value) for name, value in feed.items()}


def tile_feed(card: Card, sample: Sample, first: int, count: int, stride: int) -> Values:
    """The tile graph's inputs for `count` windows, the first of which begins at base `first`."""
    span = (count - 1) * stride
    feed: Values = {}
    for spec in card.inputs:
        if spec.kind == "sequence":
            feed["codes"] = sample.codes[None, first : first + span + card.window]
        elif spec.kind == "signal":
            step = gcd(stride, spec.resolution)
            number = span // step + (card.window // spec.resolution - 1) * spec.resolution // step + 1
            feed[f"signal.{spec.name}"] = sample.signals[spec.name][None, :, first + step * np.arange(number)]
        else:
            feed[f"vector.{spec.name}"] = sample.vectors[spec.name][None]
    return {name: np.ascontiguousarray(value) for name, value in feed.items()}


def on_runtime(model: onnx.ModelProto) -> Runner:
    """Runs a model in ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=list(WRONG_OPTIMIZERS),
    )
    return lambda feed, names: list(session.run(list(names), dict(feed)))


def windows_of(card: Card, values: Sequence[np.ndarray], stride: int, count: int) -> list[np.ndarray]:
    """The tile's outputs cut into windows: (W, K) or (W, K, M) for each output.

    Raises:
        AssertionError: an output has another shape than (1, K, W), or (1, K, (W - 1) * s / r + M) or (1, K, M, W) for
            a profile.
    """
    cut = []
    for spec, value in zip(card.outputs, values, strict=True):
        classes = len(spec.classes)
        if spec.resolution is None:
            assert value.shape == (1, classes, count), (spec.name, value.shape, (1, classes, count))
            cut.append(value[0].T)
            continue
        assert stride % spec.resolution == 0
        step, positions = stride // spec.resolution, card.bin // spec.resolution
        if value.ndim == 4:  # a profile that each window has for itself, from a dense layer
            assert value.shape == (1, classes, positions, count), (spec.name, value.shape)
            cut.append(value[0].transpose(2, 0, 1))
            continue
        wanted = (1, classes, (count - 1) * step + positions)
        assert value.shape == wanted, (spec.name, value.shape, wanted)
        cut.append(np.stack([value[0, :, index * step : index * step + positions] for index in range(count)]))
    return cut


def tolerance(activation: str, wanted: np.ndarray) -> float:
    """1e-5 in probability, else 1e-4 of the sample's largest absolute value."""
    return 1e-5 if activation in ("softmax", "sigmoid") else 1e-4 * float(np.abs(wanted).max())


def compare(
    card: Card, window: Runner, tile: Runner, sample: Sample, stride: int, first: int, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each output: the values of `count` windows from the tile graph, and from the window graph."""
    names = [spec.name for spec in card.outputs]
    starts = [first + index * stride for index in range(count)]
    wanted = window(window_feed(card, sample, starts), names)
    found = windows_of(card, tile(tile_feed(card, sample, first, count, stride), names), stride, count)
    return list(zip(found, wanted, strict=True))


def assert_close(card: Card, pairs: list[tuple[np.ndarray, np.ndarray]], scale: Sequence[float], what: str) -> None:
    """Every output within its tolerance; `scale` is the tolerance of each."""
    for spec, (found, wanted), bound in zip(card.outputs, pairs, scale, strict=True):
        assert found.shape == wanted.shape, (what, spec.name, found.shape, wanted.shape)
        assert found.dtype == wanted.dtype
        difference = np.abs(found.astype(np.float64) - wanted)
        worst = float(difference.max(initial=0.0))
        # written so that NaN is refused too
        assert worst <= bound, (
            f"{what}: output {spec.name} ({spec.activation}) differs by {worst:.3g}, allowed {bound:.3g}, "
            f"first at window {int(np.argwhere(~(difference <= bound))[0][0])} of {len(wanted)}"
        )


def tiles(length: int, window: int, stride: int, most: int = 400) -> list[tuple[int, int]]:
    """(first base, number of windows): all that fit, then two, then one, at both ends and inside."""
    room = (length - window) // stride + 1
    many = min(room, most)
    inside = (many // 2) * stride
    last = (many - 1) * stride
    found = [(0, many), (inside, 1), (0, 1), (last, 1)]
    if many >= 2:
        found += [(0, 2), (last - stride, 2)]
    if many >= 5:
        found.append((stride, many - 3))
    return found


def assert_dense_equals_windows(
    model: onnx.ModelProto, card: Card, stride: int, *, seed: int = 0, compiled: Any = None, shifted: float = 1e-6
) -> dict[str, np.ndarray]:
    """Compile, and hold tiles of many, two and one windows against windows; returns the windows' values.

    Args:
        shifted: by how much, of the largest value, a window's may differ between tiles that begin elsewhere.

    Raises:
        AssertionError: a value beyond its tolerance, or one that depends on the length of the tile.
    """
    from trackgen.graph import compile_dense

    if compiled is None:
        compiled = compile_dense(model, card, stride)
    length = card.window + max(2 * card.window, 260) if stride < 20 else card.window + 12 * stride
    sample = make_sample(card, length, seed)
    window, tile = on_runtime(model), on_runtime(compiled.model)
    (first, count), *others = tiles(length, card.window, stride)
    pairs = compare(card, window, tile, sample, stride, first, count)
    bounds = [tolerance(spec.activation, wanted) for spec, (_, wanted) in zip(card.outputs, pairs, strict=True)]
    assert_close(card, pairs, bounds, f"stride {stride}, {count} windows")
    names = [spec.name for spec in card.outputs]
    for start, number in others:
        values = tile(tile_feed(card, sample, start, number, stride), names)
        alone = windows_of(card, values, stride, number)
        part = slice(start // stride, start // stride + number)
        again = [(values, long[part]) for values, (long, _) in zip(alone, pairs, strict=True)]
        # The same sums, but ONNX Runtime takes other kernels for a tile of a few windows.
        limits = [(shifted if number > 3 else 5e-6) * max(1.0, float(np.abs(wanted).max())) for _, wanted in pairs]
        assert_close(card, again, limits, f"stride {stride}, windows {part.start} to {part.stop} alone")
    return {spec.name: wanted for spec, (_, wanted) in zip(card.outputs, pairs, strict=True)}
