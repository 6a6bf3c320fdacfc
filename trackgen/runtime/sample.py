"""A small graph and its twin in numpy: what a device must compute to count as one that runs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_DIFFERENCE", "Sample", "make_sample"]

LARGEST_DIFFERENCE = 1e-5
"""Bar of agreement in probability; float32 kernels that sum in another order stay within 1e-6."""

WINDOWS, LENGTH, FILTERS, WIDTH, CLASSES = 32, 200, 8, 9, 3

GRAPH = f"""
<ir_version: 8, opset_import: ["" : 17]>
sample (float[N, 4, {LENGTH}] sequence) => (float[N, {CLASSES}] probability)
{{
  maps = Conv(sequence, filters)
  active = Relu(maps)
  pooled = GlobalMaxPool(active)
  flat = Flatten(pooled)
  logits = MatMul(flat, weights)
  probability = Softmax<axis = 1>(logits)
}}
"""


class Sample(NamedTuple):
    """A graph with an input and the output it must give.

    Attributes:
        model: ONNX bytes; a convolution, a maximum, a linear layer and a softmax.
        sequence: float32 (windows, 4, bp), one-hot.
        probability: float64 (windows, classes).
    """

    model: bytes
    sequence: NDArray[np.float32]
    probability: NDArray[np.float64]


def make_sample() -> Sample:
    """The same sample every time."""
    import onnx.numpy_helper
    import onnx.parser

    random = np.random.default_rng(0)
    filters = random.normal(0, 0.5, (FILTERS, 4, WIDTH)).astype(np.float32)
    weights = random.normal(0, 0.05, (FILTERS, CLASSES)).astype(np.float32)
    bases = random.integers(0, 4, (WINDOWS, LENGTH))
    sequence = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1).copy()
    model = onnx.parser.parse_model(GRAPH)
    arrays = {"filters": filters, "weights": weights}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
    return Sample(model.SerializeToString(), sequence, _probability(sequence, filters, weights))


def _probability(
    sequence: NDArray[np.float32], filters: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    stretches = np.lib.stride_tricks.sliding_window_view(sequence.astype(np.float64), WIDTH, axis=2)
    maps = np.einsum("nbpw,fbw->nfp", stretches, filters.astype(np.float64))
    logits = np.maximum(maps, 0).max(axis=2) @ weights.astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
