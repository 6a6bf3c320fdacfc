"""Random window models over all that the dense compiler accepts, and the Hypothesis strategy that draws them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx
from hypothesis import strategies as st

from tests.graph.blocks import Block, crop, normalized, random_block
from tests.graph.collapses import collapse, dense, joined, random_layer
from tests.graph.nets import Map, Net, Vector
from tests.graph.pointwise import pointwise
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec

__all__ = ["OPSETS", "WindowModel", "random_model", "readable", "window_models"]

OPSETS = range(13, 27)
"""From PyTorch's oldest to the newest that ONNX Runtime runs."""
WINDOWS = (20, 50, 75, 100, 150)


@dataclass(frozen=True)
class WindowModel:
    """A model on windows with its card.

    Attributes:
        poolings: the cumulative strides that occur, bases.
        features: what the graph holds, in words.
    """

    model: onnx.ModelProto
    card: Card
    poolings: tuple[int, ...]
    features: frozenset[str]

    def __repr__(self) -> str:
        inputs = ", ".join(f"{spec.name}:{spec.kind}/{spec.resolution}" for spec in self.card.inputs)
        header = f"window {self.card.window}, bin {self.card.bin}, inputs {inputs}, poolings {self.poolings}"
        return f"{header}\n{readable(self.model)}"


def readable(model: onnx.ModelProto) -> str:
    """The graph as ONNX text, small weights written out."""
    short = onnx.ModelProto()
    short.CopyFrom(model)
    kept = [entry for entry in model.graph.initializer if entry.data_type == onnx.TensorProto.INT64]
    del short.graph.initializer[:]
    short.graph.initializer.extend(kept)
    shapes = [f"{entry.name}{list(entry.dims)}" for entry in model.graph.initializer if entry not in kept]
    return onnx.printer.to_text(short) + "\nweights: " + ", ".join(shapes)


class _Inputs:
    """The inputs of a model: their places in the card and in the graph, and the maps and vectors they begin."""

    def __init__(self, net: Net, window: int) -> None:
        self.net, self.window = net, window
        self.specs: list[InputSpec] = []
        self.graph: list[tuple[str, list[int]]] = []
        self.maps: list[Map] = []
        self.vectors: list[Vector] = []

    def sequence(self, name: str = "sequence") -> None:
        net = self.net
        last = net.chance(0.2)
        bases = net.random.choice(["ACGT", "ACGT", "ACGT", "AGCT", "TGCA"])
        unknown = net.random.choice([0.0, 0.0, 0.25])
        net.features |= {f"unknown {unknown}", "other bases" if bases != "ACGT" else "bases"}
        self.specs.append(InputSpec(name, "sequence", layout="NLC" if last else "NCL", bases=bases, unknown=unknown))
        self.graph.append((name, [self.window, 4] if last else [4, self.window]))
        if last:
            net.features.add("NLC")
        self.maps.append(Map(name, 4, self.window, 1, last))

    def signal(self, name: str, resolution: int, channels: int) -> None:
        names = tuple(f"c{index}" for index in range(channels)) if channels > 1 else ()
        self.specs.append(InputSpec(name, "signal", resolution=resolution, channels=names))
        self.graph.append((name, [channels, self.window // resolution]))
        self.maps.append(Map(name, channels, self.window // resolution, resolution))
        self.net.features.add(f"signal of resolution {resolution}")

    def stacked(self) -> None:
        """Sequence and signal, or two signals, in one tensor."""
        net = self.net
        two = InputSpec("dnase", "signal", tensor="x"), InputSpec("shape", "signal", tensor="x", channels=("u", "v"))
        sequence = InputSpec("sequence", "sequence", tensor="x")
        specs = net.random.choice([(sequence, two[0]), (two[1], sequence), (sequence, *two)])
        channels = sum(4 if spec.kind == "sequence" else max(1, len(spec.channels)) for spec in specs)
        self.specs += specs
        self.graph.append(("x", [channels, self.window]))
        self.maps.append(Map("x", channels, self.window, 1))
        net.features.add("stacked tensor")

    def vector(self, name: str = "expression") -> None:
        length = self.net.random.randint(1, 5)
        self.specs.append(InputSpec(name, "vector", length=length, default=(0.0,)))
        self.graph.append((name, [length]))
        self.vectors.append(Vector(name, length))
        self.net.features.add("vector input")

    def resolution(self) -> int:
        return self.net.random.choice([r for r in (1, 5, 25) if self.window % r == 0 and self.window // r >= 4])


def _inputs(net: Net, window: int) -> _Inputs:
    inputs = _Inputs(net, window)
    form = net.random.choice(["one"] * 5 + ["stacked", "signal only", "two", "two", "three"])
    if form == "stacked":
        inputs.stacked()
    elif form == "signal only":
        inputs.signal("marks", inputs.resolution(), net.random.randint(1, 5))
        net.features.add("no sequence")
    else:
        inputs.sequence()
    if form in ("two", "three"):
        inputs.signal("dnase", inputs.resolution(), net.random.choice([1, 1, 3]))
    if form == "three":
        if net.chance(0.3):
            inputs.sequence("again")
            net.features.add("two sequence inputs")
        else:
            inputs.signal("shape", inputs.resolution(), 2)
    if net.chance(0.2):
        inputs.vector()
    return inputs


def _merged(net: Net, maps: list[Map]) -> list[Map]:
    """Maps of the same step made one: cropped to the shorter, concatenated on the channels."""
    if len(maps) < 2 or maps[0].step != maps[1].step or maps[0].step == 0 or not net.chance(0.6):
        return maps
    a, b = (net.first(value) for value in maps[:2])
    length = min(a.positions, b.positions)
    a, b = (crop(net, value, 0, value.positions - length) for value in (a, b))
    net.features.add("maps of two inputs merged")
    name = net.add("Concat", a.name, b.name, axis=1)
    return [replace(a, name=name, channels=a.channels + b.channels), *maps[2:]]


def _with_vector(net: Net, value: Map, vector: Vector) -> Map:
    """The vector's dense layer added to, or multiplied with, each channel at every position."""
    value = net.first(value)
    made = dense(net, vector, value.channels)
    op = net.random.choice(["Add", "Mul"])
    net.features.add(f"vector by channel, {op}")
    return replace(value, name=net.add(op, value.name, net.unsqueeze(made.name, net.random.choice([2, -1]))))


def _collapsed(net: Net, maps: list[Map], vectors: list[Vector]) -> Vector:
    """All branches as one vector."""
    if len(maps) > 1 and net.chance(0.5):
        return joined(net, maps, vectors)
    if vectors and net.chance(0.4):
        maps = [_with_vector(net, maps[0], vectors[0]), *maps[1:]]
        vectors = vectors[1:]
    if vectors and net.chance(0.5):
        return joined(net, maps, vectors)
    parts = [collapse(net, value) for value in maps] + [random_layer(net, vector) for vector in vectors]
    if len(parts) == 1:
        return parts[0]
    net.features.add("Concat of vectors")
    return Vector(net.add("Concat", *[part.name for part in parts], axis=1), sum(part.size for part in parts))


def _head(net: Net, value: Vector | Map, name: str, classes: int) -> tuple[str, str]:
    """The activation on top; returns the graph's name of the output and what the activation is called."""
    activation = net.random.choice(["softmax", "sigmoid", "none"])
    net.features.add(f"{'profile' if isinstance(value, Map) else 'head'} {activation}")
    if activation == "softmax" and classes > 1:
        axis = net.random.choice([1, 1 - (3 if isinstance(value, Map) else 2)])
        return net.add("Softmax", value.name, axis=axis), activation
    if activation == "sigmoid":
        return net.add("Sigmoid", value.name), activation
    return pointwise(net, value) if net.chance(0.3) else value.name, "none"


class _Outputs:
    """The outputs of a model; class names are unique in it."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.specs: list[OutputSpec] = []
        self.graph: list[tuple[str, list[int]]] = []

    def vector(self, value: Vector) -> None:
        classes = self.net.random.randint(1, 4)
        logits = dense(self.net, value, classes)
        self._add(logits, classes, [classes], None)
        if self.net.chance(0.1):
            self.net.features.add("an output that is read on")
            self._add(logits, classes, [classes], None)

    def profile(self, value: Map) -> None:
        made = self.net.first(value)
        self._add(made, made.channels, [made.channels, made.positions], made.step)
        self.net.features |= {"profile", f"profile {'pooled' if made.step > 1 else 'of resolution 1'}"}

    def _add(self, value: Vector | Map, classes: int, shape: list[int], resolution: int | None) -> None:
        number = len(self.specs)
        made, activation = _head(self.net, value, f"out{number}", classes)
        # an output has a name of its own, even where it is also read by others
        name = f"out{number}"
        self.net.nodes.append(onnx.helper.make_node("Identity", [made], [name]))
        specs = tuple(ClassSpec(f"o{number}c{index}") for index in range(classes))
        self.specs.append(OutputSpec(name, activation, specs, resolution, "signal"))  # type: ignore[arg-type]
        self.graph.append((name, shape))


def random_model(source: random.Random, wild: Sequence[Block] = ()) -> WindowModel:
    """A model that dense mode must accept, every choice made by `source`.

    Args:
        wild: layers of which one or two are put in between; dense mode may refuse them.
    """
    window = source.choice(WINDOWS)
    net = Net(source, source.choice(OPSETS))
    inputs = _inputs(net, window)
    outputs = _Outputs(net)
    maps, poolings = inputs.maps, set()
    if net.chance(0.15) and inputs.maps[0].channels == 4:
        maps[0] = replace(net.first(maps[0]), name=_raw_normalized(net, net.first(maps[0])))
    maps = [_deepened(net, value) for value in maps]
    if wild:
        maps[0] = _made_wild(net, maps[0], wild)
    maps = _merged(net, maps)
    poolings |= {value.step for value in maps}
    kind = source.choice(["vector", "vector", "vector", "profile", "both"])
    if kind != "vector" and maps[0].step > 0:
        outputs.profile(random_block(net, maps[0]))
    if kind != "profile" or not outputs.specs or len(maps) > 1 or inputs.vectors:
        vector = _collapsed(net, maps, inputs.vectors)
        for _ in range(source.randint(0, 3)):
            vector = random_layer(net, vector)
        for _ in range(source.choice([1, 1, 1, 2])):
            outputs.vector(vector)
    model = net.model(inputs.graph, outputs.graph)
    return WindowModel(model, _card(window, inputs, outputs), tuple(sorted(poolings)), frozenset(net.features))


def _raw_normalized(net: Net, value: Map) -> str:
    net.features.add("BatchNormalization of the raw sequence")
    return normalized(net, value.name, value.channels)


def _deepened(net: Net, value: Map) -> Map:
    for _ in range(net.random.choice([0, 1, 2, 3, 4, 5, 6])):
        value = random_block(net, value)
    return value


def _made_wild(net: Net, value: Map, wild: Sequence[Block]) -> Map:
    for _ in range(net.random.randint(1, 2)):
        block = net.random.choice(wild)
        made = block(net, value)
        if made is not None:
            net.features.add(block.__name__)
            value = random_block(net, made) if net.chance(0.6) else made
    return value


def _card(window: int, inputs: _Inputs, outputs: _Outputs) -> Card:
    """A card whose bin fits every profile: M * r must be the same for all, so there is one at most."""
    profiles = [(spec, shape) for spec, (_, shape) in zip(outputs.specs, outputs.graph, strict=True) if spec.resolution]
    bin_ = profiles[0][0].resolution * profiles[0][1][1] if profiles else 1
    return Card("random", window, tuple(inputs.specs), tuple(outputs.specs), bin=bin_)


@st.composite
def window_models(draw: st.DrawFn) -> WindowModel:
    """Window models within the accepted scope."""
    return random_model(draw(st.randoms(use_true_random=False)))
