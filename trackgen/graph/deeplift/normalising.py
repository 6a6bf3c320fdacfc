"""Normalisations over channels: slopes for gradients. DeepLIFT has no rule for them that is exact, and refuses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trackgen.graph.deeplift.slopes import Number
from trackgen.graph.deeplift.tape import Rule, Tape
from trackgen.graph.nodes import Node

__all__ = ["RULES"]

Parts = Iterator[tuple[str, str]]


def _gradients_only(tape: Tape, node: Node) -> None:
    if tape.attribution != "gradient":
        raise tape.refuse(node, "it divides activations by each other, which no rule of DeepLIFT covers")


def softmax(tape: Tape, node: Node, part: str) -> Parts:
    """y (g - sum of g y)"""
    _gradients_only(tape, node)
    axis = int(node.attributes.get("axis", -1)) % tape.rank(node.inputs[0])
    y, g = Number(tape.build, tape.value(node.outputs[0])), Number(tape.build, part)
    if node.op == "LogSoftmax":
        total = Number(tape.build, tape.reduce_sum(part, [axis], keep=True))
        yield node.inputs[0], (g - y.of("Exp") * total).name
        return
    total = Number(tape.build, tape.reduce_sum((g * y).name, [axis], keep=True))
    yield node.inputs[0], (y * (g - total)).name


def layer_normalization(tape: Tape, node: Node, part: str) -> Parts:
    """With h the normalised input and s its deviation: (g w - mean(g w) - h mean(g w h)) / s"""
    _gradients_only(tape, node)
    name, build = node.inputs[0], tape.build
    rank = tape.rank(name)
    axes = list(range(int(node.attributes.get("axis", -1)) % rank, rank))
    count = float(np.prod([tape.shape(name)[axis] or 1 for axis in axes]))

    def mean(value: Number) -> Number:
        return Number(build, tape.reduce_sum(value.name, axes, keep=True)) / count

    x = Number(build, tape.value(name))
    centred = x - mean(x)
    deviation = (mean(centred * centred) + float(node.attributes.get("epsilon", 1e-5))).of("Sqrt")
    normalised = centred / deviation
    scaled = Number(build, part)
    if len(node.inputs) > 1 and node.inputs[1]:
        scaled = scaled * Number(build, tape.value(node.inputs[1]))
    yield name, ((scaled - mean(scaled) - normalised * mean(scaled * normalised)) / deviation).name


RULES: dict[str, Rule] = {
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "LayerNormalization": layer_normalization,
}
