"""After every pass: is what came out still a graph that every runtime must accept?"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from trackgen.errors import ModelError

__all__ = ["verify"]


def verify(model: onnx.ModelProto, outputs: Sequence[str], made_by: str) -> None:
    """Run the ONNX checker with strict shape inference; check names, opset and outputs.

    Args:
        model: what a pass made.
        outputs: the names of its outputs, in order.
        made_by: the pass, for the message.

    Raises:
        ModelError: the pass made a wrong graph, which is a fault of trackgen.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _fault(made_by, " ".join(str(error).split())[:300], "a graph that the ONNX checker accepts") from error
    made = [name for node in model.graph.node for name in node.output if name]
    given = [entry.name for entry in (*model.graph.input, *model.graph.initializer)]
    names = [*made, *given]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise _fault(made_by, f"{', '.join(twice[:3])} made twice", "every tensor made once")
    found = [entry.name for entry in model.graph.output]
    if found != list(outputs):
        raise _fault(made_by, f"outputs {found}", f"outputs {list(outputs)}")
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        raise _fault(made_by, "no opset", "the opset of ONNX's own operators")


def _fault(made_by: str, found: str, wanted: str) -> ModelError:
    return ModelError(
        f"the compiler's pass {made_by!r} made a wrong graph, which is a fault of trackgen",
        found=found,
        wanted=wanted,
        remedy="report it with the model; until then `--mode window` runs the model as it is",
    )
