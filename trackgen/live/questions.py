"""The questions of the protocol, read strictly from an address's parameters or from a JSON body."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from trackgen.live.refused import Refused
from trackgen.scan.options import ContributionWeight

__all__ = [
    "BodyEdit",
    "FeaturesQuestion",
    "KeepQuestion",
    "MutagenesisQuestion",
    "Question",
    "ValuesQuestion",
    "WhatIfQuestion",
    "read_body",
    "read_parameters",
]

Kind = Literal["predictions", "contributions"]
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
LETTERS = frozenset("ACGTN")
LONGEST_SHOWN = 100


@dataclass(frozen=True)
class Place:
    """Where: `start` is rounded down, `end` up, and both are cut to the sequence by whoever answers."""

    model: str
    chr: str
    start: float
    end: float


@dataclass(frozen=True)
class ValuesQuestion(Place):
    """GET predictions and contributions; `classes` and `weight` are None for the usual ones."""

    kind: Kind = "predictions"
    classes: tuple[str, ...] | None = None
    step: int = 1
    weight: ContributionWeight | None = None


@dataclass(frozen=True)
class FeaturesQuestion(Place):
    """GET features: one track, for browsers that read features."""

    track: str = ""
    step: int = 1
    weight: ContributionWeight | None = None


@dataclass(frozen=True)
class BodyEdit:
    """Bases [start, end) replaced by `sequence`, in capitals."""

    start: int
    end: int
    sequence: str


@dataclass(frozen=True)
class WhatIfQuestion(Place):
    """POST whatif."""

    edits: tuple[BodyEdit, ...] = ()
    classes: tuple[str, ...] | None = None
    contributions: tuple[str, ...] = ()
    weight: ContributionWeight | None = None


@dataclass(frozen=True)
class MutagenesisQuestion(Place):
    """POST mutagenesis; `at` None watches every bin that a changed base reaches."""

    class_: str = ""
    strand: str = "."
    at: int | None = None


@dataclass(frozen=True)
class KeepQuestion(Place):
    """POST keep."""

    contributions: tuple[str, ...] = ()


Question = ValuesQuestion | FeaturesQuestion | WhatIfQuestion | MutagenesisQuestion | KeepQuestion


def read_parameters(kind: str, pairs: Sequence[tuple[str, str]]) -> ValuesQuestion | FeaturesQuestion:
    """The question that the parameters of an address ask.

    Args:
        kind: ``predictions``, ``contributions`` or ``features``.
        pairs: names and decoded values.

    Raises:
        Refused: a parameter is missing, unknown, given twice or malformed.
    """
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            raise Refused(400, "the parameter is given twice", place=name)
        given[name] = value
    fields = _Fields(given, "parameter")
    place = (fields.text("model"), fields.text("chr"), _number(fields, "start"), _number(fields, "end"))
    step = _step(fields)
    question: ValuesQuestion | FeaturesQuestion
    if kind == "features":
        question = FeaturesQuestion(*place, fields.text("track"), step, fields.weight())
    else:
        classes = fields.take("classes")
        names = None if classes is None else _names("classes", cast(str, classes).split(","))
        weight = fields.weight() if kind == "contributions" else None
        question = ValuesQuestion(*place, cast(Kind, kind), names, step, weight)
    fields.refuse_others()
    return question


def read_body(kind: str, body: bytes) -> WhatIfQuestion | MutagenesisQuestion | KeepQuestion:
    """The question in a JSON body.

    Args:
        kind: ``whatif``, ``mutagenesis`` or ``keep``.

    Raises:
        Refused: it is no JSON object, or a name in it is missing, unknown or malformed.
    """
    fields = _Fields(_json_object(body), "name")
    if fields.take("schema_version") not in (None, 1):
        raise Refused(400, "this is another version of the protocol", place="schema_version", wanted=1)
    place = (fields.text("model"), fields.text("chr"), fields.number("start"), fields.number("end"))
    question: WhatIfQuestion | MutagenesisQuestion | KeepQuestion
    if kind == "whatif":
        edits = tuple(_edit(entry, number) for number, entry in enumerate(fields.items("edits")))
        classes = fields.names("classes")
        question = WhatIfQuestion(*place, edits, classes, fields.names("contributions") or (), fields.weight())
    elif kind == "mutagenesis":
        question = _mutagenesis(fields, place)
    else:
        fields.refuse_missing("contributions")
        question = KeepQuestion(*place, fields.names("contributions") or ())
    fields.refuse_others()
    return question


def _mutagenesis(fields: _Fields, place: tuple[str, str, float, float]) -> MutagenesisQuestion:
    fields.refuse_missing("at")
    if fields.has("edits") and fields.items("edits"):
        raise Refused(400, "changes of an edited sequence are not told yet", place="edits", wanted="no edits")
    at, strand = fields.take("at"), fields.text("strand")
    if at is not None and (not _is_whole(at) or at < 0):
        raise Refused(400, "this is no base", place="at", found=_shown(at), wanted="a number from 0, or null")
    if strand not in ("+", "-", "."):
        raise Refused(400, "there is no such strand", place="strand", found=_shown(strand), wanted="+, - or .")
    return MutagenesisQuestion(*place, fields.text("class"), strand, at)


class _Fields:
    """Named values, each taken once."""

    def __init__(self, values: Mapping[str, Any], noun: str) -> None:
        self._values, self._noun = dict(values), noun

    def has(self, name: str) -> bool:
        return name in self._values

    def take(self, name: str) -> Any:
        """The value, or None where there is none."""
        return self._values.pop(name, None)

    def refuse_missing(self, name: str) -> None:
        if name not in self._values:
            raise Refused(400, f"the {self._noun} is missing", place=name)

    def refuse_others(self) -> None:
        """Refuse what nobody has taken."""
        for name in self._values:
            raise Refused(400, f"the {self._noun} is not known here", place=_shown(name))

    def text(self, name: str) -> str:
        self.refuse_missing(name)
        value = self.take(name)
        if not isinstance(value, str) or not value:
            raise Refused(400, "this is no name", place=name, found=_shown(value))
        return value

    def number(self, name: str) -> float:
        """A finite number: a fraction is one."""
        self.refuse_missing(name)
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Refused(400, "this is no finite number", place=name, found=_shown(value))
        return value

    def items(self, name: str) -> list[Any]:
        self.refuse_missing(name)
        value = self.take(name)
        if not isinstance(value, list):
            raise Refused(400, "this is no list", place=name, found=_shown(value))
        return value

    def names(self, name: str) -> tuple[str, ...] | None:
        """Names, each once; None where there is no list."""
        return _names(name, self.items(name)) if self.has(name) else None

    def weight(self) -> ContributionWeight | None:
        if not self.has("weight"):
            return None
        value = self.take("weight")
        if value not in get_args(ContributionWeight):
            wanted = ", ".join(get_args(ContributionWeight))
            raise Refused(400, "there is no such weight", place="weight", found=_shown(value), wanted=wanted)
        return cast(ContributionWeight, value)


def _names(place: str, values: Sequence[Any]) -> tuple[str, ...]:
    if not all(isinstance(value, str) and value for value in values):
        raise Refused(400, "these are no names", place=place, found=_shown(values))
    if len(set(values)) < len(values):
        raise Refused(400, "a class is named twice", place=place, found=_shown(values))
    return tuple(values)


def _number(fields: _Fields, name: str) -> float:
    text = fields.text(name)
    value = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise Refused(400, "this is no finite number", place=name, found=_shown(text))
    return value


def _step(fields: _Fields) -> int:
    if not fields.has("step"):
        return 1
    text = fields.text("step")
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise Refused(400, "this is no number of bases", place="step", found=_shown(text), wanted="1 or more")
    return int(text)


def _edit(entry: Any, number: int) -> BodyEdit:
    place = f"edits, number {number + 1}"
    if not isinstance(entry, dict) or set(entry) != {"start", "end", "sequence"}:
        raise Refused(400, "this is no edit", place=place, found=_shown(entry), wanted="start, end and sequence")
    start, end, sequence = entry["start"], entry["end"], entry["sequence"]
    if not _is_whole(start) or not _is_whole(end) or not 0 <= start <= end:
        raise Refused(400, "these are no bases", place=place, found=_shown([start, end]), wanted="0 <= start <= end")
    if not isinstance(sequence, str) or not set(sequence.upper()) <= LETTERS:
        raise Refused(
            400, "an edit puts in what is no base", place=place, found=_shown(sequence), wanted="A, C, G, T or N"
        )
    return BodyEdit(start, end, sequence.upper())


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json_object(body: bytes) -> dict[str, Any]:
    def refuse(text: str) -> None:
        raise ValueError(f"{text} is no number of JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name stands there twice")
        return found

    try:
        value = json.loads(body.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is no JSON", place="body", found=_shown(str(error))) from error
    if not isinstance(value, dict):
        raise Refused(400, "the body is no JSON object", place="body", found=_shown(value))
    return value


def _shown(value: object) -> str:
    """What was found, not too long for a message."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
