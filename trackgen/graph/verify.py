"""After every pass: is what came out still a graph that every runtime must accept?"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from trackgen.graph.refusals import CompilerFault

__all__ = ["verify"]


def verify(model: onnx.ModelProto, outputs: Sequence[str], made_by: str) -> None:
    """Run the ONNX checker with strict shape inference; check names, opset and outputs.

    Args:
        model: what a pass made.
        outputs: the names of its outputs, in order.
        made_by: the pass, for the message.

    Raises:
        CompilerFault: the pass made a wrong graph.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        found = " ".join(str(error).split())[:300]
        raise CompilerFault(made_by, found, "a graph that the ONNX checker accepts") from error
    made = [name for node in model.graph.node for name in node.output if name]
    given = [entry.name for entry in (*model.graph.input, *model.graph.initializer)]
    names = [*made, *given]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise CompilerFault(made_by, f"{', '.join(twice[:3])} made twice", "every tensor made once")
    last = [entry.name for entry in model.graph.output]
    if last != list(outputs):
        raise CompilerFault(made_by, f"outputs {last}", f"outputs {list(outputs)}")
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        raise CompilerFault(made_by, "no opset", "the opset of ONNX's own operators")
