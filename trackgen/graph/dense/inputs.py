"""The tile graph's inputs: codes become one-hot inside, signals lie on their own grid, vectors are one value.

Codes take a sixteenth of the bytes of one-hot on their way to a device. A signal of resolution r lies on the grid of
step g = gcd(s, r): point p is its statistic over bases [p*g, p*g + r), so that every window finds its own elements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from onnx import TensorProto

from trackgen.card import Card, InputSpec
from trackgen.graph.dense.layout import Atom, Positions, Value, channel
from trackgen.graph.dense.lowering import Lowering
from trackgen.graph.fold import channels_of

__all__ = ["TileInput", "place_inputs"]

CODES = "codes"
BASES = "ACGT"


@dataclass(frozen=True)
class TileInput:
    """One input of a tile graph.

    Attributes:
        name: of the graph's input.
        kind: ``codes``: uint8 (1, T bases); ``signal``: float32 (1, channels, points); ``vector``: float32 (1, length).
        card_input: the card's input that it is; None for codes, which all sequence inputs share.
        resolution: bases of one element, bp; 1 for codes and vectors.
        step: bases between neighbouring points, bp.
    """

    name: str
    kind: Literal["codes", "signal", "vector"]
    card_input: str | None
    resolution: int = 1
    step: int = 1


def place_inputs(lowering: Lowering, card: Card) -> tuple[TileInput, ...]:
    """Write the inputs into the tile graph and say where each input of the window graph lies."""
    made: dict[str, TileInput] = {}
    for name, members in card.tensors:
        parts = [_tensor(lowering, spec, made) for spec in members]
        lowering.sources.update(zip([spec.name for spec in members], parts, strict=True))
        first, channels_last = members[0], any(spec.layout == "NLC" for spec in members)
        tensor = parts[0] if len(parts) == 1 else lowering.build.emit("Concat", parts, axis=1)
        channels = channel(sum(channels_of(spec) for spec in members))
        dims: tuple[tuple[Atom, ...], ...] = ((lowering.batch,), channels)
        if first.kind == "vector":
            lowering.values[name] = Value(tensor, dims, channels, spread=True)
            continue
        length = card.window // first.resolution
        positions: Positions | None = Positions(length, first.resolution, first.resolution)
        along: tuple[Atom, ...] = (Atom(length, "position"),)
        if length == 1:
            tensor = lowering.build.crop(tensor, 0, 0, lowering.stride // math.gcd(lowering.stride, first.resolution))
            positions, along = None, ()
        dims = ((lowering.batch,), along, channels) if channels_last else (*dims, along)
        lowering.values[name] = Value(tensor, dims, channels, positions)
    return tuple(made.values())


def _channels(spec: InputSpec) -> int:
    if spec.kind == "vector":
        return spec.length
    return 4 if spec.kind == "sequence" else max(1, len(spec.channels))


def _tensor(lowering: Lowering, spec: InputSpec, made: dict[str, TileInput]) -> str:
    """The tile tensor (1, C, 1, T) of one input of the card."""
    build = lowering.build
    if spec.kind == "sequence":
        if CODES not in made:
            made[CODES] = TileInput(CODES, "codes", None)
            build.input(CODES, TensorProto.UINT8, [1, "bases"])
        return _one_hot(lowering, spec)
    name = f"{spec.kind}.{spec.name}"
    if spec.kind == "vector":
        made[name] = TileInput(name, "vector", spec.name)
        build.input(name, TensorProto.FLOAT, [1, spec.length])
        return build.reshape(name, [1, spec.length, 1, 1])
    step = math.gcd(lowering.stride, spec.resolution)
    made[name] = TileInput(name, "signal", spec.name, spec.resolution, step)
    build.input(name, TensorProto.FLOAT, [1, channels_of(spec), f"points_{spec.name}"])
    return build.reshape(name, [1, channels_of(spec), 1, -1])


def _one_hot(lowering: Lowering, spec: InputSpec) -> str:
    """Codes compared with those of the channels' bases: a thirtieth of the time of a lookup in ONNX Runtime."""
    build = lowering.build
    axes = build.constant(np.array([1, 2], np.int64))
    codes = build.emit("Unsqueeze", [CODES, axes])  # (1, 1, 1, T)
    bases = np.array([BASES.index(base) for base in spec.bases], np.uint8)
    equal = build.emit("Equal", [codes, build.constant(bases.reshape(1, 4, 1, 1))])
    one_hot = build.emit("Cast", [equal], to=TensorProto.FLOAT)
    if not spec.unknown:
        return one_hot
    gap = build.emit("Equal", [codes, build.constant(np.array(4, np.uint8))])
    return build.emit("Where", [gap, build.constant(np.array(spec.unknown, np.float32)), one_hot])
