"""The model card: what a model says of itself, as frozen dataclasses.

The JSON form stands in docs/file-formats.md; `trackgen.card.parse` reads it, `Card.to_dict` writes it.
All lengths are in bases (bp).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "SCHEMA_VERSION",
    "Activation",
    "Card",
    "ClassSpec",
    "ContributionSpec",
    "InputSpec",
    "OutputSpec",
    "ReferenceSpec",
    "Strands",
    "Transform",
]

SCHEMA_VERSION = 1

Activation = Literal["softmax", "sigmoid", "none"]
Kind = Literal["sequence", "signal", "vector"]
Role = Literal["probability", "signal"]
Strands = Literal["forward", "both", "average"]
Weight = Literal["uniform", "probability", "calls"]
Transform = tuple[str, tuple[float, ...]]
"""One step applied to a signal: ``("log1p", ())`` or ``("zscore", (mean, standard deviation))``."""


@dataclass(frozen=True)
class InputSpec:
    """One input of the model, in the order of the graph's inputs.

    ``sequence``: float32 (N, 4, L) one-hot (``layout`` NCL) or (N, L, 4) (NLC), its channels in the order ``bases``;
    bases other than A, C, G, T are ``unknown`` in every channel. ``signal``: float32 (N, channels, L / resolution).
    ``vector``: float32 (N, length). Consecutive inputs with the same ``tensor`` share one graph input.
    """

    name: str
    kind: Kind
    layout: Literal["NCL", "NLC"] = "NCL"
    bases: str = "ACGT"
    unknown: float = 0.0
    resolution: int = 1
    statistic: Literal["mean", "max"] = "mean"
    channels: tuple[str, ...] = ()
    transform: tuple[Transform, ...] = ()
    missing: float = 0.0
    reference: float = 0.0
    length: int = 0
    default: tuple[float, ...] = ()
    tensor: str | None = None

    @property
    def graph_name(self) -> str:
        """The graph input that this input is, or is part of."""
        return self.name if self.tensor is None else self.tensor


@dataclass(frozen=True)
class ClassSpec:
    """One class of an output: a track on each strand, unless ``track`` is false."""

    name: str
    track: bool = True
    label: str = ""
    color: str | None = None
    threshold: float | None = None
    reverse: str | None = None

    @property
    def title(self) -> str:
        """The class in words for people."""
        return self.label or self.name


@dataclass(frozen=True)
class OutputSpec:
    """One output of the graph: float32 (N, K), or (N, K, M) for a profile of M positions of ``resolution`` bp."""

    name: str
    activation: Activation
    classes: tuple[ClassSpec, ...]
    resolution: int | None = None
    role: Role = "signal"
    unit: str = ""

    def partner(self, index: int) -> int:
        """The index of the class that takes the place of class `index` on a reverse complement."""
        reverse = self.classes[index].reverse
        names = [entry.name for entry in self.classes]
        return index if reverse is None else names.index(reverse)


@dataclass(frozen=True)
class ReferenceSpec:
    """The input that contributions are measured against; ``values`` in the order A, C, G, T."""

    kind: Literal["frequencies"] = "frequencies"
    values: tuple[float, float, float, float] = (0.25, 0.25, 0.25, 0.25)


@dataclass(frozen=True)
class ContributionSpec:
    """How windows are weighted in contribution tracks; ``weight`` None means the default of the output's role."""

    weight: Weight | None = None
    distance: int = 50


@dataclass(frozen=True)
class Card:
    """What a model says of itself. ``stride`` 0 is never stored: it becomes ``bin``."""

    name: str
    window: int
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    title: str = ""
    description: str = ""
    bin: int = 1
    stride: int = 0
    strands: Strands = "forward"
    reference: ReferenceSpec = ReferenceSpec()
    contributions: ContributionSpec = ContributionSpec()
    training: Mapping[str, Any] = field(default_factory=dict)
    license: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.stride == 0:
            object.__setattr__(self, "stride", self.bin)

    @property
    def classes(self) -> tuple[ClassSpec, ...]:
        """Every class of every output, in order."""
        return tuple(entry for output in self.outputs for entry in output.classes)

    @property
    def tensors(self) -> tuple[tuple[str, tuple[InputSpec, ...]], ...]:
        """The graph's inputs in order, each with the card's inputs that are stacked in it."""
        groups = itertools.groupby(self.inputs, key=lambda entry: entry.graph_name)
        return tuple((name, tuple(members)) for name, members in groups)

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON-ready values; what equals its default is left out, required keys never."""
        result: dict[str, Any] = {"schema_version": self.schema_version, "name": self.name}
        result |= _without_defaults(
            self, skip={"schema_version", "name", "inputs", "outputs", "reference", "contributions"}
        )
        result["window"], result["bin"], result["stride"] = self.window, self.bin, self.stride
        result["strands"] = self.strands
        result["inputs"] = [_input_dict(entry) for entry in self.inputs]
        result["outputs"] = [_output_dict(entry) for entry in self.outputs]
        result["reference"] = {"kind": self.reference.kind, "values": list(self.reference.values)}
        result["contributions"] = _without_defaults(self.contributions) | {"distance": self.contributions.distance}
        return result


def _without_defaults(item: Any, skip: frozenset[str] | set[str] = frozenset()) -> dict[str, Any]:
    """The fields of the dataclass `item` that differ from their defaults, tuples as lists."""
    result = {}
    for entry in dataclasses.fields(item):
        value = getattr(item, entry.name)
        default = entry.default_factory() if entry.default_factory is not dataclasses.MISSING else entry.default
        if entry.name not in skip and value != default:
            result[entry.name] = list(value) if isinstance(value, tuple) else value
    return result


def _input_dict(entry: InputSpec) -> dict[str, Any]:
    result = _without_defaults(entry)
    if entry.transform:
        result["transform"] = [{name: list(values)} if values else name for name, values in entry.transform]
    return result


def _output_dict(entry: OutputSpec) -> dict[str, Any]:
    result = _without_defaults(entry)
    result |= {"role": entry.role, "unit": entry.unit, "resolution": entry.resolution}
    result["classes"] = [_without_defaults(item) for item in entry.classes]
    return result
