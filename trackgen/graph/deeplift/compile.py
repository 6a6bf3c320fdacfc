"""The DeepLIFT compiler: a window model -> a graph of contributions, for a tile of genome or for windows.

::

    window model --targets--> window model --dense--> tile graph ---+--> tape --> contribution graph
                 logits as    of plain sums, maxima whole           |    reference folded in, or a second input
                 outputs              window graph -----------------+

Why a tile can be explained in one walk back: where the reference is the same at every position, each multiplier of each
layer depends on the place in the genome alone. What reaches a place from several windows adds up, so the sum over all
windows, each with a weight of its own, is one walk with the weights fed in at the windows.

Nothing here opens a file or runs a session, and the model given is not changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto

from trackgen.card import Card, InputSpec
from trackgen.graph.deeplift import linear, maxima, moving, normalising, pointwise
from trackgen.graph.deeplift.forward import Forward
from trackgen.graph.deeplift.hypothetical import write_hypothetical
from trackgen.graph.deeplift.probe import probe
from trackgen.graph.deeplift.tape import Attribution, Rule, Tape
from trackgen.graph.deeplift.target import Target, add_targets
from trackgen.graph.dense.builder import TileBuilder
from trackgen.graph.dense.compile import Form, TileGraph, lower_plainly
from trackgen.graph.dense.inputs import TileInput
from trackgen.graph.fold import channels_of, fold
from trackgen.graph.nodes import Array
from trackgen.graph.refusals import NotDense
from trackgen.graph.verify import verify

__all__ = ["ContributionGraph", "compile_dense_contributions", "compile_window_contributions"]

FAMILIES = (pointwise, linear, moving, maxima, normalising)
RULES: dict[str, Rule] = {op: rule for family in FAMILIES for op, rule in family.RULES.items()}
BASES = "ACGT"
CODES, CLASSES, WEIGHTS, REFERENCE = "codes", "classes", "weights", "reference."
FEW = 2
"""Windows that the reference is evaluated on, and one more: so that the open axis shows."""


@dataclass(frozen=True)
class ContributionGraph:
    """A graph of predictions and contributions, and how to feed and read it.

    ``dense``: inputs as those of the tile graph, ``classes`` int64 (Q,) and ``weights`` float32 (Q, W), and where it is
    live ``reference.codes`` like ``codes``. Outputs beside the predictions, for slot q: ``contributions.q`` float32
    (T,), the sum over windows i of weight i times what base p contributes to window i; ``contributions.q.NAME``
    (points,) for a signal; ``hypothetical.q`` (4, T), such sums of what A, C, G, T would contribute, where asked for;
    ``deltas.q`` (W,), explained of each window, less the reference's; ``weights.q`` (W,).

    ``windows``: inputs as those of the window model, ``classes`` int64 (N,), and where it is live ``reference.TENSOR``
    for each. Outputs beside the predictions: ``contributions`` (N, L), ``contributions.NAME`` (N, L / r) for a signal
    and (N, length) for a vector, ``multipliers.TENSOR``, ``deltas`` (N,). A model without a sequence has none for it.

    Attributes:
        model: the graph.
        window, stride: L and s, bp; stride 0 for windows.
        inputs, outputs, forms: of the predictions, as `DenseModel` has them; windows have no `inputs`.
        slots: the output of the card that each slot explains, one for windows.
        explained: inputs of the card, beside the sequence, that have contributions.
        live: the reference is an input.
        weighted: weights are multiplied by the predicted probability.
        tuned: convolutions are written in other forms than plain sums.
    """

    model: onnx.ModelProto
    form: Literal["dense", "windows"]
    window: int
    stride: int
    inputs: tuple[TileInput, ...]
    outputs: tuple[str, ...]
    forms: tuple[Form, ...]
    slots: tuple[str, ...]
    explained: tuple[str, ...]
    live: bool
    weighted: bool
    tuned: bool
    log: tuple[str, ...]
    hypothetical: bool = False


def compile_dense_contributions(
    model: onnx.ModelProto,
    card: Card,
    stride: int,
    slots: Sequence[str],
    *,
    live: bool = False,
    weighted: bool = False,
    attribution: Attribution = "deeplift",
    profile_target: str | int | None = None,
    hypothetical: bool = False,
    device: str = "cpu",
    tuned: bool = True,
) -> ContributionGraph:
    """Contributions summed over the windows of a tile, in one walk back.

    Args:
        model: (N, C, L) -> (N, K), as its card says; not changed.
        stride: s, bp between windows.
        slots: for each class that is explained at a time, its output; which class is an input of the graph.
        live: the reference is a second sequence instead of the card's frequencies.
        weighted: multiply the weights that are fed in by the predicted probability.
        profile_target: ``sum``, ``centre`` or a position, for an output that is a profile.
        hypothetical: also give what each base would contribute.
        device, tuned: as for `compile_dense`.

    Raises:
        NotDense: the model, or its reference, depends on where a window begins: explain it window by window.
        NotExplained: a node has no rule, naming it.
        UsageError: a profile without a target.
        ModelError: the model is broken.
    """
    edited, wider, targets = add_targets(model, card, list(dict.fromkeys(slots)), profile_target)
    tile = lower_plainly(edited, wider, stride)
    specs = {spec.name: spec for spec in card.inputs if spec.name in tile.sources}
    positions = {tile.sources[name]: 3 for name, spec in specs.items() if spec.kind != "vector"}
    forward = Forward.of(tile.model, [tile.sources[name] for name in specs], positions)
    few, more = (_tile_reference(tile, specs, card, stride, FEW + extra) for extra in (0, 1))
    known = probe(forward, few, more)
    if known.varying is not None:
        producer = next((node for node in forward.nodes if known.varying in node.outputs), forward.nodes[0])
        raise NotDense(producer.name, producer.title, "the reference is not the same at every position there")
    wanted = [tile.sources[name] for name, spec in specs.items() if spec.kind != "vector"]
    build = TileBuilder(tuned=tuned and device == "cpu")
    tape = Tape(forward, known, build, attribution=attribution, live=live, wanted=wanted)
    _write_tile_inputs(tape, tile, card)
    tape.write_forward(maxima.WRITERS)
    for output in card.outputs:
        _write_prediction(tape, tile, output.name)
    build.input(CLASSES, TensorProto.INT64, [len(slots)])
    build.input(WEIGHTS, TensorProto.FLOAT, [len(slots), "windows"])
    sources = {tile.sources[name]: spec for name, spec in specs.items()}
    for number, slot in enumerate(slots):
        found = _write_slot(tape, sources, targets[slot], number, weighted=weighted)
        if hypothetical:
            write_hypothetical(tape, sources, found, number)
    signals = tuple(spec.name for spec in specs.values() if spec.kind == "signal")
    names = [output.name for output in card.outputs]
    made = build.model(forward.opset)
    outputs = [name for number in range(len(slots)) for name in _slot_outputs(number, card, signals)]
    outputs += [f"hypothetical.{number}" for number in range(len(slots)) if hypothetical]
    verify(made, [*names, *outputs], "contributions")
    return ContributionGraph(
        made, "dense", card.window, stride, tile.inputs, tuple(names), tile.forms[: len(names)], tuple(slots), signals,
        live, weighted, bool(build.notes), (_note(forward, made),), hypothetical,
    )  # fmt: skip


def compile_window_contributions(
    model: onnx.ModelProto,
    card: Card,
    output: str,
    *,
    live: bool = False,
    attribution: Attribution = "deeplift",
    profile_target: str | int | None = None,
) -> ContributionGraph:
    """Contributions of each window by itself, for any model whose operators have rules.

    Args:
        output: of the card, that is explained; which class is an input of the graph.

    Raises:
        NotExplained, UsageError, ModelError: as `compile_dense_contributions`.
    """
    edited, wider, targets = add_targets(model, card, [output], profile_target)
    folded = fold(edited, wider)
    window = folded.to_model(edited)
    tensors = [name for name, _ in card.tensors]
    positions = {
        name: 1 if _channels_last(members) else 2 for name, members in card.tensors if members[0].kind != "vector"
    }
    forward = Forward.of(window, tensors, positions, folded.shapes)
    few, more = (_window_reference(card, FEW + extra) for extra in (0, 1))
    known = probe(forward, few, more)
    build = TileBuilder(tuned=False)
    tape = Tape(forward, known, build, attribution=attribution, live=live, wanted=tensors)
    _write_window_inputs(tape, card)
    tape.write_forward(maxima.WRITERS)
    for spec in card.outputs:
        build.output(tape.value(spec.name), spec.name, _open(tape, spec.name))
    names = _write_window_outputs(tape, card, targets[output])
    made = build.model(forward.opset)
    outputs = [spec.name for spec in card.outputs]
    verify(made, [*outputs, *names], "contributions")
    explained = tuple(spec.name for spec in card.inputs if spec.kind != "sequence")
    forms: tuple[Form, ...] = tuple("windows" for _ in outputs)
    return ContributionGraph(
        made, "windows", card.window, 0, (), tuple(outputs), forms, (output,), explained, live, False, False,
        (_note(forward, made),),
    )  # fmt: skip


def _note(forward: Forward, made: onnx.ModelProto) -> str:
    return f"contributions: {len(forward.nodes)} nodes became {len(made.graph.node)} with their way back"


# References


def reference_channels(spec: InputSpec, card: Card) -> Array:
    """What an input is measured against, (channels,) float64: frequencies as its bases stand, or the card's value."""
    if spec.kind == "sequence":
        return np.array([card.reference.values[BASES.index(base)] for base in spec.bases], np.float64)
    if spec.kind == "vector":
        return np.array(np.broadcast_to(np.asarray(spec.default, np.float64), (spec.length,)))
    return np.full(channels_of(spec), spec.reference, np.float64)


def _tile_reference(
    tile: TileGraph, specs: Mapping[str, InputSpec], card: Card, stride: int, windows: int
) -> dict[str, Array]:
    """The reference under so many windows: source -> (1, C, 1, T)."""
    found = {}
    for name, spec in specs.items():
        points = 1
        if spec.kind == "sequence":
            points = (windows - 1) * stride + card.window
        elif spec.kind == "signal":
            step = math.gcd(stride, spec.resolution)
            points = ((windows - 1) * stride + (card.window // spec.resolution - 1) * spec.resolution) // step + 1
        values = reference_channels(spec, card).reshape(1, -1, 1, 1)
        found[tile.sources[name]] = np.repeat(values, points, axis=3)
    return found


def _window_reference(card: Card, windows: int) -> dict[str, Array]:
    """The reference of so many windows: tensor -> (N, ...)."""
    found = {}
    for name, members in card.tensors:
        values = np.concatenate([reference_channels(spec, card) for spec in members])
        if members[0].kind == "vector":
            found[name] = np.repeat(values[None], windows, axis=0)
            continue
        length = card.window // members[0].resolution
        whole = np.broadcast_to(values[None, :, None], (windows, len(values), length))
        found[name] = np.array(whole.swapaxes(1, 2) if _channels_last(members) else whole)
    return found


def _channels_last(members: Sequence[InputSpec]) -> bool:
    return any(spec.layout == "NLC" for spec in members)


# Tiles


def _write_tile_inputs(tape: Tape, tile: TileGraph, card: Card) -> None:
    """The graph's inputs and what makes the sources of them; for a live reference those of the sequence twice."""
    build = tape.build
    for entry in tile.model.graph.input:
        kind = entry.type.tensor_type
        axes = [axis.dim_param or axis.dim_value for axis in kind.shape.dim]
        tape.names[entry.name] = build.input(entry.name, kind.elem_type, axes)
        if entry.name == CODES and tape.live:
            tape.mirrored[CODES] = build.input(REFERENCE + CODES, TensorProto.UINT8, [1, "bases"])
    for node in tape.forward.encoding:
        tape.names[node.outputs[0]] = tape.write(node, tape.value)
    if not tape.live:
        return
    for node in tape.forward.encoding:
        if any(name in tape.mirrored for name in node.inputs):
            tape.mirrored[node.outputs[0]] = tape.write(node, lambda name: tape.mirrored.get(name) or tape.value(name))
    for name, spec in ((tile.sources[spec.name], spec) for spec in card.inputs if spec.name in tile.sources):
        if spec.kind != "sequence":
            constant = build.constant(reference_channels(spec, card).astype(np.float32).reshape(1, -1, 1, 1))
            shape = build.emit("Shape", [tape.names[name]])
            tape.mirrored[name] = build.emit("Expand", [constant, shape])


def _write_prediction(tape: Tape, tile: TileGraph, name: str) -> None:
    entry = next(entry for entry in tile.model.graph.output if entry.name == name)
    axes = [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
    tape.build.output(tape.value(name), name, axes)


def _slot_outputs(number: int, card: Card, signals: Sequence[str]) -> list[str]:
    sequence = [f"contributions.{number}"] if any(spec.kind == "sequence" for spec in card.inputs) else []
    signal_names = [f"contributions.{number}.{name}" for name in signals]
    return [*sequence, *signal_names, f"deltas.{number}", f"weights.{number}"]


def _write_slot(
    tape: Tape, sources: Mapping[str, InputSpec], target: Target, number: int, *, weighted: bool
) -> Mapping[str, str]:
    """The walk back from one class of one output; the multipliers that it finds, by source."""
    build = tape.build
    index = _row(tape, CLASSES, number)
    classes = len(target.output.classes)
    chosen = build.reshape(_chosen(tape, index, classes, centred=target.centred), [1, classes, 1])
    weights = build.reshape(_row(tape, WEIGHTS, number), [1, 1, -1])
    if weighted:
        probability = build.emit("Gather", [tape.value(target.weight), index], axis=1)
        weights = build.emit("Mul", [weights, probability])
    found = tape.walk_back({target.logits: build.emit("Mul", [chosen, weights])}, RULES)
    deltas = build.emit("Sub", [tape.value(target.logits), tape.reference(target.logits)])
    deltas = tape.reduce_sum(build.emit("Mul", [deltas, chosen]), [1], keep=False)
    sequences, signals = [], []
    for source, spec in sources.items():
        if spec.kind == "vector":
            continue
        difference = build.emit("Sub", [tape.value(source), tape.reference(source)])
        product = build.emit("Mul", [found.get(source) or tape.zero(), difference])
        part = build.reshape(tape.reduce_sum(product, [1], keep=False), [-1])
        if spec.kind == "sequence":
            sequences.append(part)
        else:
            signals.append((spec.name, part))
    if sequences:
        build.output(tape.sum(sequences), f"contributions.{number}", ["bases"])
    for name, part in signals:
        build.output(part, f"contributions.{number}.{name}", [f"points_{name}"])
    build.output(build.reshape(deltas, [-1]), f"deltas.{number}", ["windows"])
    build.output(build.reshape(weights, [-1]), f"weights.{number}", ["windows"])
    return found


def _row(tape: Tape, name: str, number: int) -> str:
    return tape.build.emit("Slice", [name, tape.number(number), tape.number(number + 1), tape.number(0)])


def _chosen(tape: Tape, index: str, classes: int, *, centred: bool) -> str:
    """(..., K): 1 for the class that `index` names, less 1/K of each where the mean is taken off."""
    build = tape.build
    column = build.emit("Unsqueeze", [index, tape.number(-1)])
    equal = build.emit("Equal", [column, build.constant(np.arange(classes, dtype=np.int64))])
    chosen = build.emit("Cast", [equal], to=TensorProto.FLOAT)
    if not centred:
        return chosen
    return build.emit("Sub", [chosen, build.constant(np.array(1.0 / classes, np.float32))])


# Windows


def _open(tape: Tape, name: str) -> list[int | str]:
    return ["N" if size is None else size for size in tape.shape(name)]


def _write_window_inputs(tape: Tape, card: Card) -> None:
    build = tape.build
    for name, _ in card.tensors:
        tape.names[name] = build.input(name, TensorProto.FLOAT, _open(tape, name))
        if tape.live:
            tape.mirrored[name] = build.input(REFERENCE + name, TensorProto.FLOAT, _open(tape, name))
    build.input(CLASSES, TensorProto.INT64, ["N"])
    for node in tape.forward.encoding:
        tape.names[node.outputs[0]] = tape.write(node, tape.value)


def _write_window_outputs(tape: Tape, card: Card, target: Target) -> list[str]:
    """Multipliers of every tensor, contributions of every input, and what they sum to; the outputs' names."""
    build = tape.build
    chosen = _chosen(tape, CLASSES, len(target.output.classes), centred=target.centred)
    found = tape.walk_back({target.logits: chosen}, RULES)
    names, sequences = [], []
    for tensor, members in card.tensors:
        multipliers = found.get(tensor) or build.emit("Mul", [tape.value(tensor), tape.zero()])
        build.output(multipliers, f"multipliers.{tensor}", _open(tape, tensor))
        names.append(f"multipliers.{tensor}")
        difference = build.emit("Sub", [tape.value(tensor), tape.reference(tensor)])
        products = build.emit("Mul", [multipliers, difference])
        low, axis = 0, 2 if _channels_last(members) else 1
        for spec in members:
            high = low + channels_of(spec)
            part = products
            if len(members) > 1:
                part = build.emit("Slice", [products, tape.number(low), tape.number(high), tape.number(axis)])
            low = high
            part = part if spec.kind == "vector" else tape.reduce_sum(part, [axis], keep=False)
            if spec.kind == "sequence":
                sequences.append(part)
                continue
            size = spec.length if spec.kind == "vector" else card.window // spec.resolution
            build.output(part, f"contributions.{spec.name}", ["N", size])
            names.append(f"contributions.{spec.name}")
    if sequences:
        build.output(tape.sum(sequences), "contributions", ["N", card.window])
        names.append("contributions")
    deltas = build.emit("Sub", [tape.value(target.logits), tape.reference(target.logits)])
    deltas = tape.reduce_sum(build.emit("Mul", [deltas, chosen]), [1], keep=False)
    build.output(deltas, "deltas", ["N"])
    return [*names, "deltas"]
