"""What is refused before any pass looks at a model: lies, broken weights, files outside, unknown versions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from trackgen.errors import ModelError
from trackgen.graph.refusals import NotDense

__all__ = ["OLDEST_OPSET", "opset_of", "refuse_untrusted"]

OLDEST_OPSET = 13
"""Before it Softmax and the reductions meant something else."""
CONTROL_FLOW = ("If", "Loop", "Scan")


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the model was written for."""
    return max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def refuse_untrusted(model: onnx.ModelProto) -> None:
    """Refuse a model that can't be trusted to be what it says.

    Raises:
        ModelError: weights in other files, NaN or infinite weights, control flow, an opset newer than the onnx library
            knows, a graph that the ONNX checker finds broken.
        NotDense: an opset older than 13.
    """
    _refuse_outside(model)
    opset, newest = opset_of(model), onnx.defs.onnx_opset_version()
    if opset > newest:
        raise ModelError(
            "the model was written for a newer ONNX than the library here knows",
            found=f"opset {opset}",
            wanted=f"opset {OLDEST_OPSET} to {newest}",
            remedy="update the onnx package, or export the model again with a lower opset",
        )
    for node in model.graph.node:
        if node.op_type in CONTROL_FLOW and node.domain in ("", "ai.onnx"):
            raise ModelError(
                "the model holds control flow: what it computes depends on the data",
                place=f"node {node.name or node.output[0]} ({node.op_type})",
                wanted="a graph without If, Loop and Scan",
                remedy="export it without branches, or run it with `--mode window`",
            )
    if opset < OLDEST_OPSET:
        node = model.graph.node[0]
        reason = f"the model's opset {opset} is older than {OLDEST_OPSET}; export it again"
        raise NotDense(node.name or node.output[0], node.op_type, reason)
    _refuse_broken_weights(model)
    try:
        onnx.checker.check_model(_with_shapes(model))
    except onnx.checker.ValidationError as error:
        raise ModelError("the graph is broken", found=" ".join(str(error).split())[:300]) from error


def _with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """For the checker, which wants outputs to have a shape: old exporters leave it out, and runtimes do not mind."""
    if all(entry.type.tensor_type.HasField("shape") for entry in model.graph.output):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for entry in copy.graph.output:
        entry.type.tensor_type.shape.SetInParent()
    return copy


def _tensors(model: onnx.ModelProto) -> Iterator[tuple[str, onnx.TensorProto]]:
    for entry in model.graph.initializer:
        yield entry.name, entry
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield node.output[0], attribute.t


def _refuse_outside(model: onnx.ModelProto) -> None:
    for name, tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            raise ModelError(
                "the model's weights lie in other files, and a path inside a model file is not to be trusted",
                place=f"weight {name}",
                found=location,
                wanted="one file with everything inside",
                remedy="`trackgen model add-card` writes one, or export it with external_data=False",
            )


def _refuse_broken_weights(model: onnx.ModelProto) -> None:
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
    for name, tensor in _tensors(model):
        if tensor.data_type not in floating:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        bad = ~np.isfinite(values)
        # One infinite number alone is a bound that exporters write (masks, clips); among others it is a broken weight.
        if np.isnan(values).any() or (values.size > 1 and bad.any()):
            index = tuple(int(axis) for axis in np.argwhere(bad)[0])
            raise ModelError(
                "a weight of the model is not a number or infinite",
                place=f"weight {name}, element {list(index)}",
                found=float(values[index]),
                wanted="finite numbers",
                remedy="train the model again, or export an earlier checkpoint",
            )
