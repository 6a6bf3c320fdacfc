"""Whether a model file can be right at all: weights that are numbers, a version of ONNX that is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from trackgen.errors import ModelError

__all__ = ["refuse_broken", "tensors_of"]

MULTIPLYING = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LSTM", "GRU", "RNN")
"""Operators whose constants are weights, which must be finite."""


def refuse_broken(model: Any, path: str | os.PathLike[str] | None = None) -> None:
    """Refuse a model that would give wrong numbers, or that nothing here can read, before anything runs it.

    Raises:
        ModelError: NaN or infinite weights, an opset newer than the onnx library knows.
    """
    _refuse_unknown_opset(model, path)
    _refuse_broken_weights(model, path)


def tensors_of(model: Any) -> Iterator[tuple[str, Any]]:
    """All constant tensors of a model, an ``onnx.ModelProto``, with a name for each."""
    import onnx

    for entry in model.graph.initializer:
        yield entry.name, entry
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield node.output[0], attribute.t


def _refuse_unknown_opset(model: Any, path: str | os.PathLike[str] | None) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    opset = max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)
    if opset > newest:
        raise ModelError(
            "the model was written for a newer ONNX than the library here knows",
            path=path,
            found=f"opset {opset}",
            wanted=f"opset {newest} or an older one",
            remedy="update the onnx package, or export the model again with a lower opset",
        )


def _refuse_broken_weights(model: Any, path: str | os.PathLike[str] | None) -> None:
    import onnx

    multiplied = {name for node in model.graph.node if node.op_type in MULTIPLYING for name in node.input}
    read = {name for node in model.graph.node for name in (*node.input, *node.output)}
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
    for name, tensor in tensors_of(model):
        if name not in read or tensor.data_type not in floating or tensor.data_location == onnx.TensorProto.EXTERNAL:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        # Bounds and masks may be infinite (a clip, attention to what lies behind); what is multiplied may not.
        bad = ~np.isfinite(values) if name in multiplied else np.isnan(values)
        if bad.any():
            index = tuple(int(axis) for axis in np.argwhere(bad)[0])
            raise ModelError(
                "a weight of the model is not a number or infinite",
                path=path,
                place=f"weight {name}, element {list(index)}",
                found=float(values[index]),
                wanted="finite numbers",
                remedy="train the model again, or export an earlier checkpoint",
            )
