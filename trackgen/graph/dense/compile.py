"""The dense compiler: a window graph -> a graph over a tile of genome, with identical numbers.

::

    window model --fold--> window graph --lower--> tile graph
                 shapes known          one rule an operator

Every pass ends in the verifier. Nothing here opens a file or runs a session, and the model given is not changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import onnx

from trackgen.card import Card, OutputSpec
from trackgen.errors import UsageError
from trackgen.graph.dense import contracting, cropping, joining, normalising, pointwise, reducing, shaping, sliding
from trackgen.graph.dense.inputs import TileInput, place_inputs
from trackgen.graph.dense.layout import Joined, Value
from trackgen.graph.dense.lowering import Edge, Lowering, Rule, Tensor
from trackgen.graph.fold import WindowGraph, fold
from trackgen.graph.nodes import Node
from trackgen.graph.operations import Operations, count_operations
from trackgen.graph.verify import verify

__all__ = ["DenseModel", "Form", "Layer", "TileGraph", "compile_dense", "lower_plainly"]

FAMILIES = (sliding, contracting, shaping, cropping, pointwise, joining, reducing, normalising)
RULES: dict[str, Rule] = {op: rule for family in FAMILIES for op, rule in family.RULES.items()}
JOINING = ("Concat", "Identity", "Dropout")
"""Operators that leave the parts of joined branches as they are."""
RECURRENT = "a recurrent layer: each position depends on all before it, from the window's first on"
REASONS = {
    "LSTM": RECURRENT,
    "GRU": RECURRENT,
    "RNN": RECURRENT,
    "InstanceNormalization": "it normalises over positions, and so mixes the whole window into each of them",
    "GroupNormalization": "it normalises over positions, and so mixes the whole window into each of them",
    "LpNormalization": "it normalises a whole axis",
    "Resize": "it interpolates between positions of the window",
    "Upsample": "it interpolates between positions of the window",
    "ConvTranspose": "a transposed convolution",
    "Attention": "attention over positions",
    "Einsum": "a product of several tensors along axes of their own",
    "CumSum": "a sum from the window's first position on",
}


Form = Literal["windows", "positions", "profiles"]
"""What an output of a tile graph holds: ``windows``: float32 (1, K, W); ``positions``: a profile along the genome,
float32 (1, K, (W - 1)*s/r + M), of which window i has the M points from i*s/r on; ``profiles``: a profile that each
window has for itself, float32 (1, K, M, W)."""


@dataclass(frozen=True)
class Layer:
    """Where the result of one node of the window model lies.

    Attributes:
        node, op: of the window model.
        length: elements of a window; 1 where there is one value a window.
        spacing: cumulative stride S, bp between neighbouring elements; 0 for one value a window.
        step: g, bp between points of the tile.
        reach: bp that one element sees.
        channels: values at each point.
    """

    node: str
    op: str
    length: int
    spacing: int
    step: int
    reach: int
    channels: int


@dataclass(frozen=True)
class DenseModel:
    """A tile graph, and how to feed and read it.

    For W windows, window i beginning at base i*s of the tile, ``codes`` holds (W - 1)*s + L bases, and a signal of
    resolution r and step g holds (W - 1)*s/g + (L/r - 1)*r/g + 1 points.
    """

    model: onnx.ModelProto
    window: int
    stride: int
    inputs: tuple[TileInput, ...]
    outputs: tuple[str, ...]
    """Names, in the card's order."""
    forms: tuple[Form, ...]
    layers: tuple[Layer, ...]
    operations: Operations
    log: tuple[str, ...]
    edges: tuple[Edge, ...] = ()
    """Ends of padded windows that are run window by window."""
    tuned: bool = False
    """Whether convolutions are written in other forms than plain sums, which round differently."""


def compile_dense(
    model: onnx.ModelProto, card: Card, stride: int, device: str = "cpu", *, tuned: bool = True
) -> DenseModel:
    """Compile a window model for windows every `stride` bp.

    Args:
        model: (N, C, L) -> (N, K), as its card says; not changed.
        card: of the model.
        stride: s, bp; may be larger than the bin.
        device: ``cpu``, for which convolutions are written in the forms that run fastest there, or ``cuda``.
        tuned: False for plain sums on a CPU too.

    Raises:
        NotDense: naming the node, its operator and the reason.
        ModelError: a broken model: NaN weights, shapes that lie, weights outside the file, an unknown opset.
        UsageError: a stride below 1.
    """
    if stride < 1:
        raise UsageError("the stride is not positive", found=stride, wanted="1 or more")
    graph = fold(model, card)
    verify(graph.to_model(model), [entry.name for entry in model.graph.output], "fold")
    plain = _lower_all(graph, card, stride, tuned=False)
    operations = count_operations(graph, plain.tile, plain.lowering.build.sources, card, plain.inputs, stride)
    lowered = _lower_all(graph, card, stride, tuned=True) if device == "cpu" and tuned else plain
    tile = lowered.tile
    used = {entry.name for entry in tile.graph.input}
    notes = [f"lower: {len(graph.nodes)} nodes over one window became {len(plain.tile.graph.node)} over a tile"]
    notes += [
        f"lower: {edge.bases} bp at the {edge.side} of each window run by themselves, as {edge.node} pads"
        for edge in plain.lowering.edges.values()
    ]
    notes += [f"tune: {text}" for text in lowered.lowering.build.notes]
    return DenseModel(
        model=tile,
        window=card.window,
        stride=stride,
        inputs=tuple(entry for entry in lowered.inputs if entry.name in used),
        outputs=tuple(output.name for output in card.outputs),
        forms=lowered.forms,
        layers=lowered.layers,
        operations=operations,
        log=(*graph.notes, *notes),
        edges=tuple(lowered.lowering.edges.values()),
        tuned=bool(lowered.lowering.build.notes),
    )


class TileGraph(NamedTuple):
    """A tile graph of plain sums, one node for every maximum, as the DeepLIFT compiler reads it.

    Attributes:
        model: the graph.
        inputs, forms: as `DenseModel` has them.
        sources: input of the card -> the tensor (1, C, 1, T) that holds it: one-hot, signal or vector.
    """

    model: onnx.ModelProto
    inputs: tuple[TileInput, ...]
    forms: tuple[Form, ...]
    sources: dict[str, str]


def lower_plainly(model: onnx.ModelProto, card: Card, stride: int) -> TileGraph:
    """Compile a window model without choosing forms.

    Raises:
        NotDense: as `compile_dense`; also where padding is made up for window by window, since the reference is not
            the same at every position there.
        ModelError: a broken model.
    """
    graph = fold(model, card)
    lowering, tile, inputs, forms, _ = _lower_all(graph, card, stride, tuned=False, whole_maxima=True)
    for edge in lowering.edges.values():
        node = next(node for node in graph.nodes if node.name == edge.node)
        raise node.refuse("it pads, so that near a window's ends the reference is another")
    for proto in tile.graph.node:
        # Whoever refuses a node of the tile graph names the user's.
        proto.name = lowering.build.sources.get(proto.name) or proto.name
    used = {entry.name for entry in tile.graph.input}
    return TileGraph(tile, tuple(entry for entry in inputs if entry.name in used), forms, lowering.sources)


class _Lowered(NamedTuple):
    lowering: Lowering
    tile: onnx.ModelProto
    inputs: tuple[TileInput, ...]
    forms: tuple[Form, ...]
    layers: tuple[Layer, ...]


def _lower_all(graph: WindowGraph, card: Card, stride: int, *, tuned: bool, whole_maxima: bool = False) -> _Lowered:
    """Inputs, nodes and outputs, written and verified."""
    lowering = Lowering(graph, stride, RULES, tuned=tuned, whole_maxima=whole_maxima)
    inputs = place_inputs(lowering, card)
    lowering.inputs = {name: value for name, value in lowering.values.items() if isinstance(value, Value)}
    layers = _lower(lowering)
    forms = tuple(_place_output(lowering, card, output) for output in card.outputs)
    tile = lowering.build.model(graph.opset)
    verify(tile, [output.name for output in card.outputs], "tune" if tuned else "lower")
    return _Lowered(lowering, tile, inputs, forms, tuple(layers))


def _lower(lowering: Lowering) -> list[Layer]:
    """Apply a rule to each node in order."""
    layers = []
    for node in lowering.graph.nodes:
        rule = None if node.domain else RULES.get(node.op)
        if rule is None:
            raise node.refuse(REASONS.get(node.op, "there is no rule for this operator"))
        lowering.build.source = node.name
        found = rule(lowering, node)
        results: list[Tensor] = [found] if isinstance(found, Value | Joined) else list(found)
        for name, result in zip([name for name in node.outputs if name], results, strict=False):
            _check_shape(lowering.graph, node, name, result)
            lowering.values[name] = _named(node, name, result)
        layers.append(_layer(lowering, node, results[0]))
    return layers


def _named(node: Node, name: str, result: Tensor) -> Tensor:
    """A result that knows which window tensor it stands for; parts of a joined one stand for none once they change."""
    if isinstance(result, Value):
        return replace(result, source=name)
    if node.op in JOINING:
        return result
    return replace(result, parts=tuple(replace(part, source="") for part in result.parts))


def _check_shape(graph: WindowGraph, node: Node, name: str, result: Value | Joined) -> None:
    """The compiler's check of itself: a rule that loses track of an axis must not go on."""
    wanted = graph.shapes.get(name)
    if wanted is not None and result.shape != wanted and not _spread_shape(result, wanted):
        raise node.refuse(f"its shape comes out as {result.shape} where ONNX has {wanted}")


def _spread_shape(result: Value | Joined, wanted: tuple[int, ...]) -> bool:
    """A value without a batch of its own may stand for one that is the same in every window."""
    return (
        isinstance(result, Value)
        and result.spread
        and math.prod(result.shape)
        in (
            math.prod(wanted),
            math.prod(wanted[1:]),
        )
    )


def _layer(lowering: Lowering, node: Node, result: Value | Joined) -> Layer:
    value = result if isinstance(result, Value) else result.parts[0]
    channels = value.channels if isinstance(result, Value) else sum(part.channels for part in result.parts)
    here = value.positions
    if here is None:
        return Layer(node.name, node.op, 1, 0, lowering.stride, 0, channels)
    return Layer(node.name, node.op, here.length, here.spacing, here.step(lowering.stride), here.reach, channels)


def _place_output(lowering: Lowering, card: Card, output: OutputSpec) -> Form:
    """Name the tile tensor of an output of the card."""
    build, count = lowering.build, len(output.classes)
    producer = next((node for node in lowering.graph.nodes if output.name in node.outputs), None)
    node = producer or Node("Output", (), (output.name,))
    value = lowering.values.get(output.name)
    if not isinstance(value, Value):
        raise node.refuse("the output joins branches of different kinds")
    lowering.refuse_pending(node, value)
    if value.spread:
        raise node.refuse("the output does not depend on the genome")
    here = lowering.whole(node, value)
    if here is None:
        return _place_windows(lowering, card, output, value)
    if output.resolution is None or here.spacing != output.resolution or lowering.stride % output.resolution:
        raise node.refuse(
            f"the profile's positions are {here.spacing} bp apart, where the card's resolution is {output.resolution}"
        )
    if value.rank != 3 or value.axis_of("position") != 2 or len(value.dims[2]) != 1:
        raise node.refuse("the output has its positions on the axis of classes")
    value = lowering.arrange(value, value.channel_atoms(1))
    name = build.reshape(build.crop(value.name, 0, here.surplus), [1, count, -1])
    build.output(name, output.name, [1, count, "positions"])
    return "positions"


def _place_windows(lowering: Lowering, card: Card, output: OutputSpec, value: Value) -> Form:
    """An output that each window has for itself."""
    build, count = lowering.build, len(output.classes)
    value = lowering.arrange(
        lowering.trimmed(value), [atom for axis in value.dims for atom in axis if atom.role == "channel"]
    )
    length = 1 if output.resolution is None else card.bin // output.resolution
    if length == 1:
        build.output(build.reshape(value.name, [1, count, -1]), output.name, [1, count, "windows"])
        return "windows" if output.resolution is None else "positions"
    shape = [1, count, length]
    build.output(build.reshape(value.name, [*shape, -1]), output.name, [*shape, "windows"])
    return "profiles"
