"""Graphs in float64, run by onnx's reference evaluator: an arithmetic that shares nothing with ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from tests.graph.dense_oracle import Runner

__all__ = ["in_float64", "on_reference"]

FLOAT, DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE


class GlobalMaxPool(OpRun):  # type: ignore[misc]
    """The evaluator's own gives (N, 1): it takes the maximum over the channels too."""

    def _run(self, values: np.ndarray) -> tuple[np.ndarray]:
        return (values.max(axis=tuple(range(2, values.ndim)), keepdims=True),)


class BatchNormalization(OpRun):  # type: ignore[misc]
    """The evaluator's own takes the statistics of the batch below opset 14, where there is no training mode."""

    def _run(  # type: ignore[no-untyped-def]
        self, values, scale, shift, mean, variance, epsilon=None, momentum=None, training_mode=None
    ) -> tuple[np.ndarray]:
        shape = (1, -1) + (1,) * (values.ndim - 2)
        scale, shift, mean, variance = (entry.reshape(shape) for entry in (scale, shift, mean, variance))
        return ((values - mean) / np.sqrt(variance + epsilon) * scale + shift,)


def in_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which every float32 is a float64: weights, constants, casts, inputs and outputs."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    graph = wide.graph
    del graph.value_info[:]
    for tensor in graph.initializer:
        _widen(tensor)
    for value in (*graph.input, *graph.output):
        if value.type.tensor_type.elem_type == FLOAT:
            value.type.tensor_type.elem_type = DOUBLE
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen(attribute.t)
            elif node.op_type in ("Cast", "EyeLike") and attribute.name in ("to", "dtype") and attribute.i == FLOAT:
                attribute.i = DOUBLE
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                values = attribute.f if attribute.name == "value_float" else list(attribute.floats)
                tensor = numpy_helper.from_array(np.array(values, np.float64))
                attribute.CopyFrom(onnx.helper.make_attribute("value", tensor))
        # The evaluator leaves the dilation out of account where padding is said to be VALID; absent means the same.
        kept = [entry for entry in node.attribute if entry.name != "auto_pad" or entry.s != b"VALID"]
        if len(kept) != len(node.attribute):
            del node.attribute[:]
            node.attribute.extend(kept)
    return wide


def _widen(tensor: onnx.TensorProto) -> None:
    if tensor.data_type == FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def on_reference(model: onnx.ModelProto) -> Runner:
    """Runs a model in the reference evaluator; float32 inputs are given to it as float64."""
    evaluator = ReferenceEvaluator(model, new_ops=[GlobalMaxPool, BatchNormalization])

    def run(feed, names):  # type: ignore[no-untyped-def]
        wide = {name: value.astype(np.float64) if value.dtype == np.float32 else value for name, value in feed.items()}
        with np.errstate(all="ignore"):
            return list(evaluator.run(list(names), wide))

    return run
