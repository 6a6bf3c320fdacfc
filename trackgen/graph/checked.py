"""What is refused before any pass looks at a model: lies, broken weights, files outside, unknown versions."""

from __future__ import annotations

import onnx

from trackgen.card import refuse_broken, tensors_of
from trackgen.errors import ModelError
from trackgen.graph.refusals import NotDense

__all__ = ["OLDEST_OPSET", "opset_of", "refuse_untrusted"]

OLDEST_OPSET = 13
"""Before it Softmax and the reductions meant something else."""


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators that the model was written for."""
    return max((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def refuse_untrusted(model: onnx.ModelProto) -> None:
    """Refuse a model that can't be trusted to be what it says.

    Raises:
        ModelError: weights in other files, NaN or infinite weights, an opset newer than the onnx library
            knows, a graph that the ONNX checker finds broken.
        NotDense: an opset older than 13.
    """
    _refuse_outside(model)
    refuse_broken(model)
    opset = opset_of(model)
    if opset < OLDEST_OPSET:
        node = model.graph.node[0]
        reason = f"the model's opset {opset} is older than {OLDEST_OPSET}; export it again"
        raise NotDense(node.name or node.output[0], node.op_type, reason)
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


def _refuse_outside(model: onnx.ModelProto) -> None:
    for name, tensor in tensors_of(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            raise ModelError(
                "the model's weights lie in other files, and a path inside a model file is not to be trusted",
                place=f"weight {name}",
                found=location,
                wanted="one file with everything inside",
                remedy="`trackgen model add-card` writes one, or export it with external_data=False",
            )
