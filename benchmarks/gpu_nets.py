"""The nets that are timed on a CUDA device, as ONNX files with their cards; no PyTorch needed.

The shipped TSS net has its trained weights; the others have random ones, seeded: what a net costs does not depend on
them. Both are the nets of scan_nets.py, written as graphs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
from numpy.typing import NDArray

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, embed_card, load_model, read_card, save_model
from trackgen.graph import DenseModel, compile_dense
from trackgen.resources import shipped_models
from trackgen.runtime import Session, open_session

__all__ = ["KEYS", "Net", "make_net"]

Float32 = NDArray[np.float32]
Codes = NDArray[np.uint8]
ONE_HOT = np.eye(5, 4, dtype=np.float32)
"""Code -> one-hot base; code 4, anything else, is zeros."""

ZENG = """
<ir_version: 8, opset_import: ["" : 18]>
zeng (float[N, 4, 101] sequence) => (float[N, 2] output)
{
  features = Conv(sequence, filters, filters_bias)
  pooled = ReduceMax<keepdims = 0>(features, positions)
  hidden = Gemm<transB = 1>(pooled, hidden_weight, hidden_bias)
  active = Relu(hidden)
  logits = Gemm<transB = 1>(active, output_weight, output_bias)
  output = Softmax<axis = 1>(logits)
}
"""
"""Zeng 2016, 1layer_128motif: convolution 4 -> 128 of width 24, global max-pool, dense 32, dense 2, softmax."""

SHALLOW = """
<ir_version: 8, opset_import: ["" : 18]>
shallow (float[N, 4, 1000] sequence) => (float[N, 1] output)
{
  features = Conv(sequence, filters, filters_bias)
  pooled = MaxPool<kernel_shape = [35], strides = [35]>(features)
  first = BatchNormalization(pooled, first_scale, first_shift, first_mean, first_variance)
  seen = Relu(first)
  flat = Flatten(seen)
  hidden = Gemm<transB = 1>(flat, hidden_weight, hidden_bias)
  second = BatchNormalization(hidden, second_scale, second_shift, second_mean, second_variance)
  active = Relu(second)
  logit = Gemm<transB = 1>(active, output_weight, output_bias)
  output = Sigmoid(logit)
}
"""
"""ten Dijke 2017's single-task net, sequence alone: convolution 32 of width 15, max-pool 35, norm, ReLU, dense 100."""


@dataclass(frozen=True)
class Net:
    """A net with one sequence input and one output, (N, 4, L) -> (N, K), and its file."""

    key: str
    title: str
    path: Path
    card: Card
    model: onnx.ModelProto

    @property
    def passes(self) -> int:
        """Runs over the genome: one a strand."""
        return 1 if self.card.strands == "forward" else 2

    @property
    def tracks(self) -> list[int]:
        """The classes that are written."""
        return [index for index, spec in enumerate(self.card.outputs[0].classes) if spec.track]

    @cached_property
    def forms(self) -> dict[str, DenseModel]:
        """The tile graph as it is written for a CUDA device, and as for a CPU."""
        return {device: compile_dense(self.model, self.card, self.card.stride, device) for device in ("cuda", "cpu")}

    @cached_property
    def _windows(self) -> Session:
        return open_session(self.path, device="cpu", threads=1)

    def reference(self, codes: Codes, windows: NDArray[np.int64]) -> Float32:
        """(n, K) float32 values of single windows on the CPU; window i begins at base i * stride of `codes`."""
        starts = windows[:, None] * self.card.stride + np.arange(self.card.window)
        one_hot = np.ascontiguousarray(ONE_HOT[codes[starts]].transpose(0, 2, 1))
        values: Float32 = self._windows.run({self._windows.input_names[0]: one_hot})[0]
        return values


KEYS = ("tss", "zeng", "shallow")
TITLES = {
    "tss": "tss-yeast, 200 bp, stride 1, both strands",
    "zeng": "Zeng 1layer_128motif, 101 bp, stride 1, one strand",
    "shallow": "thesis' shallow net, 1,000 bp, stride 50, one strand",
}


def make_net(key: str, folder: Path) -> Net:
    """The net of that key; those that are not shipped are written into `folder`."""
    if key == "tss":
        path = shipped_models()["tss-yeast"]
        return Net(key, TITLES[key], path, read_card(path), load_model(path))
    text, weights, card = _zeng() if key == "zeng" else _shallow()
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in weights.items())
    embed_card(model, card)
    path = folder / f"{key}.onnx"
    save_model(model, path)
    return Net(key, TITLES[key], path, card, model)


def _zeng() -> tuple[str, dict[str, NDArray[Any]], Card]:
    random = np.random.default_rng(1)
    weights: dict[str, NDArray[Any]] = {"positions": np.array([2], np.int64)}
    layers = (("filters", (128, 4, 24)), ("hidden", (32, 128)), ("output", (2, 32)))
    for name, shape in layers:
        weights.update(_layer(random, name, shape))
    return ZENG, weights, _card("zeng", 101, 1, "softmax", ("none", "bound"))


def _shallow() -> tuple[str, dict[str, NDArray[Any]], Card]:
    random = np.random.default_rng(2)
    weights: dict[str, NDArray[Any]] = {}
    layers = (("filters", (32, 4, 15)), ("hidden", (100, (1000 - 15 + 1) // 35 * 32)), ("output", (1, 100)))
    for name, shape in layers:
        weights.update(_layer(random, name, shape))
    for name, channels in (("first", 32), ("second", 100)):
        weights.update(_norm(random, name, channels))
    return SHALLOW, weights, _card("shallow", 1000, 50, "sigmoid", ("bound",))


def _layer(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Float32]]:
    """Xavier (Glorot 2010) uniform weights, zero biases."""
    width = int(np.prod(shape[2:]))
    bound = (6 / ((shape[0] + shape[1]) * width)) ** 0.5
    yield name if name == "filters" else f"{name}_weight", random.uniform(-bound, bound, shape).astype(np.float32)
    yield f"{name}_bias", np.zeros(shape[0], np.float32)


def _norm(random: np.random.Generator, name: str, channels: int) -> Iterator[tuple[str, Float32]]:
    yield f"{name}_scale", np.ones(channels, np.float32)
    yield f"{name}_shift", np.zeros(channels, np.float32)
    yield f"{name}_mean", random.normal(0, 0.1, channels).astype(np.float32)
    yield f"{name}_variance", random.uniform(0.5, 1.5, channels).astype(np.float32)


def _card(name: str, window: int, stride: int, activation: Any, classes: tuple[str, ...]) -> Card:
    specs = tuple(ClassSpec(entry, track=entry != "none") for entry in classes)
    return Card(
        name=name,
        window=window,
        inputs=(InputSpec("sequence", "sequence"),),
        outputs=(OutputSpec("output", activation, specs, role="probability"),),
        stride=stride,
    )
