"""The first layer's filters: their weights, and the sub-sequences that activate each of them most.

After DeepBind (Alipanahi et al. 2015) as ten Dijke 2017 describes it: in every window the position where a filter is
activated most; where that passes the filter's threshold, the sub-sequence under the filter is kept, and all that are
kept are counted into a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ModelError
from trackgen.learn.explain.graphs import constants, truncated
from trackgen.learn.explain.tensors import SequenceTensor
from trackgen.progress import NullProgress, Progress
from trackgen.runtime import open_session

__all__ = ["KEPT_SHARE", "FilterLayer", "FilterMatrices", "filter_layers", "filter_matrices", "positive_part"]

Float32 = NDArray[np.float32]

KEPT_SHARE = 0.05
"""Windows whose strongest sub-sequence is kept, of all. Neither paper gives a number for its threshold; half of the
largest activation, as in Basset (Kelley et al. 2016), is passed by nearly every window of these shallow nets."""
MOVES = ("Identity", "Cast", "Dropout", "Slice", "Transpose", "Squeeze", "Unsqueeze", "Pad")
"""Operators that a sequence may pass on its way to its first convolution and stay a sequence."""
BATCH = 512
UNKNOWN = 4


@dataclass(frozen=True)
class FilterLayer:
    """A convolution that reads the sequence itself.

    Attributes:
        name: of its weights.
        weights: float32 (F, 4, W), channels A, C, G, T.
        source, activation: names of the values that it reads and makes, after its bias and before anything else.
        stride, padding, dilation: of the convolution, in bases.
    """

    name: str
    weights: Float32
    source: str
    activation: str
    stride: int
    padding: int
    dilation: int

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True)
class FilterMatrices:
    """What activates the filters of a layer most.

    Attributes:
        counts: float64 (F, 4, W), bases of the sub-sequences that were kept.
        kept: int64 (F,), how many.
        passed: bool (N, F), the windows in which a filter's activation passed its threshold.
    """

    counts: NDArray[np.float64]
    kept: NDArray[np.int64]
    passed: NDArray[np.bool_]


def positive_part(weights: Float32) -> Float32:
    """Filters with their negative parts zeroed, as ten Dijke 2017 draws them."""
    return np.maximum(weights, 0)


def filter_layers(model: Any, tensor: SequenceTensor, path: Path) -> list[FilterLayer]:
    """The convolutions of a loaded model that read the sequence itself, in the order of the graph.

    Raises:
        ModelError: there is none.
    """
    weights = constants(model)
    reached = {tensor.name}
    layers = []
    for node in model.graph.node:
        if not node.input or node.input[0] not in reached:
            continue
        if node.op_type in MOVES:
            reached.update(node.output)
        elif node.op_type == "Conv" and node.input[1] in weights:
            layer = _layer(node, weights[node.input[1]], tensor)
            layers += [] if layer is None else [layer]
    if not layers:
        raise ModelError(
            "no convolution of the model reads the sequence itself, so it has no filters to show", path=path,
            wanted="a one-dimensional convolution without groups over the one-hot sequence",
        )  # fmt: skip
    return layers


def _layer(node: Any, weights: NDArray[Any], tensor: SequenceTensor) -> FilterLayer | None:
    import onnx

    attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
    same = attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID")
    if weights.ndim != 3 or weights.shape[1] != tensor.total or attributes.get("group", 1) != 1 or same:
        return None
    return FilterLayer(
        node.input[1].removesuffix(".weight"), np.asarray(weights[:, list(tensor.channels)], np.float32),
        node.input[0], node.output[0], attributes.get("strides", [1])[0], attributes.get("pads", [0])[0],
        attributes.get("dilations", [1])[0],
    )  # fmt: skip


def filter_matrices(
    model: Any,
    layer: FilterLayer,
    tensor: SequenceTensor,
    codes: NDArray[np.uint8],
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> FilterMatrices:
    """Run the graph up to `layer` on (N, L) codes of windows, and count what activates each filter most.

    For a model whose graph has one input, the sequence.
    """
    progress = progress or NullProgress()
    found, strongest = [], []
    progress.start(f"filters of {layer.name}", len(codes), "windows")
    for subsequences, activations in _strongest(model, layer, tensor, codes, threads):
        found.append(subsequences)
        strongest.append(activations)
        progress.advance(len(activations))
    progress.finish()
    subsequences, activations = np.concatenate(found), np.concatenate(strongest)
    # A filter that nothing activates has no matrix.
    passed = (activations >= np.quantile(activations, 1 - KEPT_SHARE, axis=0)) & (activations > 0)
    counts = np.stack([((subsequences == base) & passed[:, :, None]).sum(axis=0) for base in range(4)], axis=1)
    return FilterMatrices(counts.astype(np.float64), passed.sum(axis=0), np.asarray(passed))


def _strongest(
    model: Any, layer: FilterLayer, tensor: SequenceTensor, codes: NDArray[np.uint8], threads: int
) -> Iterator[tuple[NDArray[np.uint8], Float32]]:
    """By batch: codes (n, F, W) under each filter where it is activated most, and (n, F) how much."""
    values = sorted({layer.source, layer.activation})
    graph_inputs = {entry.name for entry in model.graph.input}
    outputs = [name for name in values if name not in graph_inputs]
    session = open_session(truncated(model, outputs), device="cpu", threads=threads)
    for first in range(0, len(codes), BATCH):
        inputs = {tensor.name: tensor.put_codes(codes[first : first + BATCH])}
        results = dict(zip(outputs, session.run(inputs, outputs), strict=True)) | inputs
        # The layer's own input, not the window: a model may cut its centre out first.
        source, activation = results[layer.source], results[layer.activation]
        read = _codes(source[:, list(tensor.channels)])
        place, width = activation.argmax(axis=2), layer.weights.shape[2]
        index = (place * layer.stride - layer.padding)[:, :, None] + np.arange(width) * layer.dilation
        inside = (index >= 0) & (index < read.shape[1])
        rows = np.arange(len(read))[:, None, None]
        subsequences = np.where(inside, read[rows, np.clip(index, 0, read.shape[1] - 1)], UNKNOWN)
        yield subsequences.astype(np.uint8), activation.max(axis=2)


def _codes(one_hot: Float32) -> NDArray[np.uint8]:
    """(n, 4, P) one-hot -> (n, P) codes; 4 where no base stands out."""
    known = one_hot.max(axis=1) > one_hot.min(axis=1)
    return np.where(known, one_hot.argmax(axis=1), UNKNOWN).astype(np.uint8)
