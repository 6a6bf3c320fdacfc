"""Several models of the same outputs as one: their mean and how far they disagree.

::

    inputs --+--> member 1 --> p1 --+--> Mean --> output
             +--> member 2 --> p2 --+
             ...                    +--> sqrt(sum (p - mean)^2 / (members - 1)) --> output_sd

What the joined model's contributions explain is the mean of what goes into the members' activations, so its
contributions are the mean of theirs: a contribution is linear in what it explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import compose, helper, inliner, numpy_helper

from trackgen.card import Card, ClassSpec, OutputSpec
from trackgen.errors import ModelError

__all__ = ["SPREAD", "ensemble_card", "join_models", "spread_of"]

SPREAD = "-sd"
"""What the name of a class ends in where it holds the standard deviation of the members."""
SPREAD_OUTPUT = "_sd"
"""The same of an output."""
GREY = "120,120,120"


def spread_of(name: str) -> str | None:
    """The output whose members' standard deviation the output `name` holds, if it is named so."""
    return name.removesuffix(SPREAD_OUTPUT) if name.endswith(SPREAD_OUTPUT) else None


def ensemble_card(cards: Sequence[Card], name: str) -> Card:
    """The card of the joined model: the first's, with classes of deviations and the mean thresholds and frequencies.

    Raises:
        ModelError: a member reads or gives something else than the first.
    """
    first = cards[0]
    for card in cards[1:]:
        _refuse_different(first, card)
    outputs = [_with_mean_thresholds([card.outputs[number] for card in cards]) for number in range(len(first.outputs))]
    spreads = [_spread(output, len(cards)) for output in first.outputs]
    frequencies = np.mean([card.reference.values for card in cards], axis=0).tolist()
    return replace(
        first,
        name=name,
        reference=replace(first.reference, values=tuple(frequencies)),
        title=f"{first.title or first.name}: mean of {len(cards)} models",
        outputs=(*outputs, *spreads),
        training={"first": dict(first.training)},
    )


def _with_mean_thresholds(outputs: Sequence[OutputSpec]) -> OutputSpec:
    classes = []
    for same in zip(*(output.classes for output in outputs), strict=True):
        thresholds = [entry.threshold for entry in same if entry.threshold is not None]
        mean = float(np.mean(thresholds)) if len(thresholds) == len(same) else None
        classes.append(replace(same[0], threshold=mean))
    return replace(outputs[0], classes=tuple(classes))


def _spread(output: OutputSpec, members: int) -> OutputSpec:
    """The output that holds the members' standard deviation."""
    classes = tuple(
        ClassSpec(
            name=f"{entry.name}{SPREAD}",
            track=entry.track,
            label=f"{entry.title}, SD of {members} models",
            color=GREY,
            reverse=None if entry.reverse is None else f"{entry.reverse}{SPREAD}",
        )
        for entry in output.classes
    )
    return replace(output, name=f"{output.name}{SPREAD_OUTPUT}", activation="none", role="signal", classes=classes)


def _refuse_different(first: Card, other: Card) -> None:
    """Members must read the same windows and give the same classes."""
    pairs = {
        "window": (first.window, other.window),
        "bin": (first.bin, other.bin),
        "stride": (first.stride, other.stride),
        "strands": (first.strands, other.strands),
        "inputs": (first.inputs, other.inputs),
        "contributions": (first.contributions, other.contributions),
        "outputs": tuple([_kind(output) for output in card.outputs] for card in (first, other)),
    }
    for field, (wanted, found) in pairs.items():
        if wanted != found:
            raise ModelError(
                f"the models of an ensemble differ: {other.name} is not like {first.name}",
                place=f"card, {field}",
                found=found,
                wanted=wanted,
                remedy="give models that were trained alike, such as the folds of one training",
            )


def _kind(output: OutputSpec) -> tuple[object, ...]:
    classes = tuple((entry.name, entry.track, entry.reverse) for entry in output.classes)
    return output.name, output.activation, output.role, output.resolution, classes


def join_models(models: Sequence[onnx.ModelProto], card: Card) -> onnx.ModelProto:
    """One model that runs all members on the same inputs; the members are not changed.

    Args:
        models: two or more, of one opset.
        card: as `ensemble_card` gives it.

    Raises:
        ModelError: the members' opsets differ, or their inputs.
    """
    parts = [_prefixed(model, f"member{number}/") for number, model in enumerate(models, 1)]
    _refuse_other_opsets(parts)
    graph = onnx.GraphProto(name="ensemble")
    graph.input.extend(_inputs(models[0]))
    for part in parts:
        graph.node.extend(part.graph.node)
        graph.initializer.extend(part.graph.initializer)
    count = len(models)
    outputs = card.outputs[: len(card.outputs) // 2]
    for output in outputs:
        members = [f"member{number}/{output.name}" for number in range(1, count + 1)]
        graph.node.extend(_mean_and_spread(output.name, members))
    graph.initializer.append(numpy_helper.from_array(np.array(1.0 / (count - 1), np.float32), "ensemble/share"))
    stated = {entry.name: entry for entry in models[0].graph.output}
    for suffix in ("", SPREAD_OUTPUT):
        for output in outputs:
            entry = onnx.ValueInfoProto()
            entry.CopyFrom(stated[output.name])
            entry.name = output.name + suffix
            graph.output.append(entry)
    imports = parts[0].opset_import
    return helper.make_model(graph, opset_imports=imports, ir_version=max(part.ir_version for part in parts))


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    weights = {entry.name for entry in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in weights]


def _prefixed(model: onnx.ModelProto, prefix: str) -> onnx.ModelProto:
    """A copy whose names, but those of its inputs, begin with `prefix`."""
    whole = inliner.inline_local_functions(model) if model.functions else model
    inputs = {entry.name for entry in _inputs(model)}
    renamed = compose.add_prefix(whole, prefix)
    for node in renamed.graph.node:
        for number, name in enumerate(node.input):
            if name.removeprefix(prefix) in inputs and name.startswith(prefix):
                node.input[number] = name.removeprefix(prefix)
    return renamed


def _refuse_other_opsets(parts: Sequence[onnx.ModelProto]) -> None:
    versions = [sorted((entry.domain, entry.version) for entry in part.opset_import) for part in parts]
    for found in versions[1:]:
        if found != versions[0]:
            raise ModelError(
                "the models of an ensemble were exported for different versions of ONNX",
                found=found,
                wanted=versions[0],
                remedy="export all of them with the same opset",
            )


def _mean_and_spread(name: str, members: Sequence[str]) -> list[onnx.NodeProto]:
    """The mean of some tensors under `name`, and their standard deviation beside it."""
    nodes = [helper.make_node("Mean", list(members), [name], name=f"ensemble/{name}/mean")]
    squares = []
    for number, member in enumerate(members, 1):
        apart, square = f"ensemble/{name}/apart{number}", f"ensemble/{name}/square{number}"
        nodes.append(helper.make_node("Sub", [member, name], [apart], name=apart))
        nodes.append(helper.make_node("Mul", [apart, apart], [square], name=square))
        squares.append(square)
    total, variance = f"ensemble/{name}/total", f"ensemble/{name}/variance"
    nodes.append(helper.make_node("Sum", squares, [total], name=total))
    nodes.append(helper.make_node("Mul", [total, "ensemble/share"], [variance], name=variance))
    nodes.append(helper.make_node("Sqrt", [variance], [f"{name}{SPREAD_OUTPUT}"], name=f"ensemble/{name}/sd"))
    return nodes
