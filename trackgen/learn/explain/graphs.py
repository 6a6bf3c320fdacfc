"""Copies of a model's graph for looking inside: cut off at some values, or with the logits as outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, embed_card, load_model, save_model
from trackgen.errors import ModelError

__all__ = ["constants", "logit_model", "truncated"]

RENAMING = ("Identity", "Cast", "Dropout", "Flatten", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that may stand between a model's last activation and its output."""
ACTIVATIONS = {"softmax": ("Softmax",), "sigmoid": ("Sigmoid",)}


def constants(model: Any) -> dict[str, NDArray[Any]]:
    """Weights of the graph by name: initializers and the values of Constant nodes."""
    import onnx

    found = {entry.name: np.asarray(onnx.numpy_helper.to_array(entry)) for entry in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            found[node.output[0]] = np.asarray(onnx.numpy_helper.to_array(node.attribute[0].t))
    return found


def truncated(model: Any, outputs: Sequence[str]) -> bytes:
    """The part of a loaded model that the values `outputs` (float32) need, with these as its outputs."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    needed = set(outputs)
    kept = []
    for node in reversed(copy.graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    nodes = list(reversed(kept))
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs)
    return bytes(copy.SerializeToString())


@contextmanager
def logit_model(path: Path, card: Card, output: str) -> Iterator[tuple[Path, Card]]:
    """A copy of the model whose output is the logit in front of its activation, and its card, while the context lasts.

    So that what is maximised is the plain logit of a class: a softmax also grows when the other classes shrink.

    Raises:
        ModelError: the activation that the card names does not stand at the end of the graph.
    """
    model = load_model(path)
    spec = next(entry for entry in card.outputs if entry.name == output)
    if spec.activation == "none":
        yield path, card
        return
    node = _activation(model, output)
    if node is None or node.op_type not in ACTIVATIONS[spec.activation]:
        raise ModelError(
            "the activation that the card names does not stand at the end of the graph", path=path,
            place=f"output {output}", found="nothing" if node is None else node.op_type, wanted=spec.activation,
            remedy="correct the card's field activation",
        )  # fmt: skip
    node.op_type = "Identity"
    del node.attribute[:]
    outputs = tuple(
        dataclasses.replace(entry, activation="none", role="signal") if entry.name == output else entry
        for entry in card.outputs
    )
    changed = dataclasses.replace(card, outputs=outputs)
    embed_card(model, changed)
    with TemporaryDirectory(prefix="trackgen-explain-") as folder:
        copy = Path(folder) / path.name
        save_model(model, copy)
        yield copy, changed


def _activation(model: Any, output: str) -> Any:
    """The node that made `output`, those that only rename it left out; None where there is none."""
    makers = {name: node for node in model.graph.node for name in node.output}
    node = makers.get(output)
    while node is not None and node.op_type in RENAMING:
        node = makers.get(node.input[0])
    return node
