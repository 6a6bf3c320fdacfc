"""What a window's contributions explain: the number before the last activation, as an output of the window model.

For a class c of an output: its logit, less the mean logit of all classes where a softmax follows. Of a profile, the sum
over its positions, or one of them. Added to the model as outputs (N, K) of their own, so that either compiler carries
them along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trackgen.card import Card, OutputSpec
from trackgen.errors import ModelError, UsageError

__all__ = ["Target", "add_targets"]

ACTIVATIONS = {"softmax": "Softmax", "sigmoid": "Sigmoid"}
MOVES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Cast", "Dropout", "Slice", "Gather")
JOINED = ("Concat", "Mean")
"""Operators that put the activations of several heads, or of the members of an ensemble, together."""


@dataclass(frozen=True)
class Target:
    """What one output's contributions explain.

    Attributes:
        output: of the card.
        logits: the model's output (N, K) that holds it, before the mean over classes is taken off.
        weight: the model's output (N, K) that weights follow: the prediction itself.
        centred: whether the mean over classes is taken off.
    """

    output: OutputSpec
    logits: str
    weight: str
    centred: bool


def add_targets(
    model: onnx.ModelProto, card: Card, names: Sequence[str], profile_target: str | int | None
) -> tuple[onnx.ModelProto, Card, dict[str, Target]]:
    """A copy of a window model with the explained numbers of some outputs, its card, and where they are.

    Args:
        names: of outputs of the card.
        profile_target: ``sum``, ``centre`` or a position, for profiles.

    Raises:
        UsageError: a profile without a target, or a target that it does not have.
        ModelError: the activation that the card names is not there.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    editor = _Editor(copy)
    outputs, targets = list(card.outputs), {}
    for output in card.outputs:
        if output.name not in names:
            continue
        logits = output.name
        if output.activation in ACTIVATIONS:
            logits = editor.before(output.name, ACTIVATIONS[output.activation], output)
        weight = output.name
        if output.resolution is not None:
            count = card.bin // output.resolution
            position = _position(card, output, count, profile_target)
            logits, weight = (
                editor.pick(name, position, share) for name, share in ((logits, 1.0), (weight, 1.0 / count))
            )
        elif logits == output.name:
            logits = editor.same(logits)
        for name in dict.fromkeys((logits, weight)):
            if name != output.name:
                editor.output(name, len(output.classes))
                outputs.append(replace(output, name=name, activation="none", resolution=None))
        targets[output.name] = Target(output, logits, weight, output.activation == "softmax")
    return copy, replace(card, outputs=tuple(outputs)), targets


def _position(card: Card, output: OutputSpec, count: int, asked: str | int | None) -> int | None:
    """The position of a profile that is explained; None for the sum of all."""
    if asked == "sum":
        return None
    if asked == "centre":
        return count // 2
    if isinstance(asked, int) and 0 <= asked < count:
        return asked
    raise UsageError(
        f"output {output.name} of {card.name} is a profile: contributions need to know which position they explain",
        place="--profile-target",
        found="nothing" if asked is None else asked,
        wanted=f"sum, centre, or a position from 0 to {count - 1}",
    )


class _Editor:
    """Adds nodes and outputs to a model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
        self._taken |= {entry.name for entry in (*model.graph.input, *model.graph.initializer)}

    def before(self, name: str, activation: str, output: OutputSpec) -> str:
        """The tensor that would be `name` without the activation."""
        node = next((entry for entry in self._graph.node if name in entry.output), None)
        if node is not None and node.op_type == activation:
            return self.same(node.input[0])
        if node is not None and node.op_type in (*MOVES, *JOINED):
            count = len(node.input) if node.op_type in JOINED else 1
            inputs = [self.before(entry, activation, output) for entry in node.input[:count]]
            twin = onnx.NodeProto()
            twin.CopyFrom(node)
            twin.name = ""
            del twin.input[:], twin.output[:]
            twin.input.extend([*inputs, *node.input[count:]])
            made = self._fresh(name)
            twin.output.append(made)
            self._graph.node.append(twin)
            return made
        found = "an input of the graph" if node is None else f"node {node.name or name} ({node.op_type})"
        raise ModelError(
            f"contributions explain what goes into the {output.activation} of output {output.name}, which is not there",
            place=f"tensor {name}",
            found=found,
            wanted=f"a node {activation}",
            remedy="correct the card's activation, or export the model with that operator at its end",
        )

    def same(self, name: str) -> str:
        """The tensor under a name of its own."""
        made = self._fresh(name)
        self._graph.node.append(helper.make_node("Identity", [name], [made]))
        return made

    def pick(self, name: str, position: int | None, share: float) -> str:
        """One position of a profile (N, K, M), or a share of the sum of all: (N, K)."""
        made, bounds = self._fresh(name), self._fresh(f"{name}/axes")
        if position is None:
            self._constant(bounds, np.array([2], np.int64))
            total = self._fresh(name)
            self._graph.node.append(helper.make_node("ReduceSum", [name, bounds], [total], keepdims=0))
            factor = self._fresh(f"{name}/share")
            self._constant(factor, np.array(share, np.float32))
            self._graph.node.append(helper.make_node("Mul", [total, factor], [made]))
            return made
        self._constant(bounds, np.array(position, np.int64))
        self._graph.node.append(helper.make_node("Gather", [name, bounds], [made], axis=2))
        return made

    def output(self, name: str, classes: int) -> None:
        entry = helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", classes])
        self._graph.output.append(entry)

    def _constant(self, name: str, value: np.ndarray) -> None:
        self._graph.initializer.append(numpy_helper.from_array(value, name))

    def _fresh(self, name: str) -> str:
        made, number = f"{name}/explained", 1
        while made in self._taken:
            number += 1
            made = f"{name}/explained_{number}"
        self._taken.add(made)
        return made
