"""Card JSON -> `Card`: every rule of the card's schema, each refusal naming the field."""

from __future__ import annotations

import json
import re
from typing import Any

from trackgen.card.fields import Fields, is_finite_number
from trackgen.card.schema import (
    SCHEMA_VERSION,
    Card,
    ClassSpec,
    ContributionSpec,
    InputSpec,
    OutputSpec,
    ReferenceSpec,
    Transform,
)
from trackgen.errors import ModelError

__all__ = ["card_from_dict", "parse_card"]

NAME = re.compile(r"[A-Za-z0-9_-]+")
RESERVED_NAMES = ("plus", "minus", "contrib")
COLOR = re.compile(r"(\d{1,3}),(\d{1,3}),(\d{1,3})")
TRANSFORM_ARGUMENTS = {"log1p": 0, "zscore": 2}
KEYS_OF_KIND = {
    "sequence": {"layout", "bases", "unknown"},
    "signal": {"resolution", "statistic", "channels", "transform", "missing", "reference"},
    "vector": {"length", "default"},
}


def parse_card(text: str, path: str | None = None) -> Card:
    """Read a card from JSON text.

    Raises:
        ModelError: the text is not JSON, or not a valid card.
    """

    def refuse(place: str, found: object) -> ModelError:
        return ModelError(
            "the card is not JSON", path=path, place=place, found=found, wanted="one JSON object in UTF-8"
        )

    try:
        values = json.loads(text)
        json.dumps(values, ensure_ascii=False).encode()  # refuses half characters, which no file can hold
    except json.JSONDecodeError as error:
        raise refuse(f"card, line {error.lineno}, column {error.colno}", error.msg) from error
    except (ValueError, RecursionError) as error:
        raise refuse("card", error) from error
    return card_from_dict(values, path)


def card_from_dict(values: Any, path: str | None = None) -> Card:
    """Read a card from JSON values; the rules are those of docs/file-formats.md.

    Raises:
        ModelError: naming the field, the value found and the value wanted.
    """
    fields = Fields(values, "", path)
    version = fields.take("schema_version", int)
    if version != SCHEMA_VERSION:
        raise fields.error(
            "schema_version",
            "the card has an unknown schema version",
            found=version,
            wanted=SCHEMA_VERSION,
            remedy="update trackgen, or write the card anew",
        )
    window = fields.take_count("window")
    bin_ = fields.take_count("bin", 1)
    if bin_ > window:
        raise fields.error("bin", "the bin is longer than the window", found=bin_, wanted=f"at most {window}")
    card = Card(
        name=_name(fields),
        window=window,
        inputs=fields.take_objects("inputs", _input),
        outputs=fields.take_objects("outputs", _output),
        title=fields.take("title", str, ""),
        description=fields.take("description", str, ""),
        bin=bin_,
        stride=fields.take_count("stride", bin_),
        strands=fields.take_choice("strands", ("forward", "both", "average"), "forward"),
        reference=_reference(fields.nested("reference")),
        contributions=_contributions(fields.nested("contributions")),
        training=fields.take("training", dict, {}),
        license=fields.take("license", str, ""),
    )
    fields.finish()
    _check_inputs(card, fields)
    _check_outputs(card, fields)
    return card


def _name(fields: Fields) -> str:
    name = fields.take("name", str)
    if not NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise fields.error(
            "name",
            "the name can't be used in file names",
            found=name,
            wanted=f"letters, digits, _ and -, and not {', '.join(RESERVED_NAMES)}",
            remedy="put free text into title or label",
        )
    return name


def _input(fields: Fields) -> InputSpec:
    kind = fields.take_choice("kind", ("sequence", "signal", "vector"))
    fields.finish({"name", "kind", "tensor"} | KEYS_OF_KIND[kind])
    spec = InputSpec(
        name=_name(fields),
        kind=kind,
        layout=fields.take_choice("layout", ("NCL", "NLC"), "NCL"),
        bases=fields.take("bases", str, "ACGT"),
        unknown=fields.take("unknown", float, 0.0),
        resolution=fields.take_count("resolution", 1),
        statistic=fields.take_choice("statistic", ("mean", "max"), "mean"),
        channels=tuple(fields.take("channels", list, [])),
        transform=_transform(fields),
        missing=fields.take("missing", float, 0.0),
        reference=fields.take("reference", float, 0.0),
        length=fields.take_count("length") if kind == "vector" else 0,
        default=fields.take_float_or_floats("default", (0.0,) if kind == "vector" else ()),
        tensor=fields.take_optional("tensor", str),
    )
    if sorted(spec.bases) != list("ACGT"):
        raise fields.error(
            "bases", "the order of bases is not one of A, C, G and T", found=spec.bases, wanted="such as AGCT"
        )
    if kind == "vector" and len(spec.default) not in (1, spec.length):
        raise fields.error(
            "default", "the default has a wrong length", found=len(spec.default), wanted=f"1 or {spec.length} numbers"
        )
    for channel in spec.channels:
        if not isinstance(channel, str) or not NAME.fullmatch(channel):
            raise fields.error(
                "channels", "a channel's name can't be used", found=channel, wanted="letters, digits, _ and -"
            )
    if len(set(spec.channels)) != len(spec.channels):
        raise fields.error("channels", "two channels share a name", found=list(spec.channels), wanted="different names")
    if spec.missing <= -1 and spec.transform and spec.transform[0][0] == "log1p":
        raise fields.error(
            "missing", "log1p is not defined for the value of missing", found=spec.missing, wanted="above -1"
        )
    return spec


def _transform(fields: Fields) -> tuple[Transform, ...]:
    steps = []
    for step in fields.take("transform", list, []):
        name, arguments = next(iter(step.items())) if isinstance(step, dict) and len(step) == 1 else (step, [])
        if not isinstance(name, str) or name not in TRANSFORM_ARGUMENTS:
            raise fields.error(
                "transform", "the transform is unknown", found=step, wanted='"log1p" or {"zscore": [mean, deviation]}'
            )
        if not isinstance(arguments, list) or len(arguments) != TRANSFORM_ARGUMENTS[name]:
            raise fields.error(
                "transform", f"{name} has a wrong number of values", found=arguments, wanted=TRANSFORM_ARGUMENTS[name]
            )
        if not all(is_finite_number(value) for value in arguments):
            raise fields.error(
                "transform", f"{name} has a value that is no number", found=arguments, wanted="finite numbers"
            )
        if name == "zscore" and not arguments[1] > 0:
            raise fields.error(
                "transform", "the deviation of zscore is not positive", found=arguments[1], wanted="above 0"
            )
        steps.append((name, tuple(float(value) for value in arguments)))
    return tuple(steps)


def _output(fields: Fields) -> OutputSpec:
    activation = fields.take_choice("activation", ("softmax", "sigmoid", "none"))
    role = fields.take_choice("role", ("probability", "signal"), "signal" if activation == "none" else "probability")
    resolution = fields.take_optional("resolution", int)
    if resolution is not None and resolution < 1:
        raise fields.error("resolution", "the resolution is too small", found=resolution, wanted="at least 1, or null")
    spec = OutputSpec(
        name=fields.take("name", str),
        activation=activation,
        classes=fields.take_objects("classes", _class),
        resolution=resolution,
        role=role,
        unit=fields.take("unit", str, "probability" if role == "probability" else ""),
    )
    fields.finish()
    names = [entry.name for entry in spec.classes]
    for entry in spec.classes:
        if entry.reverse is not None and entry.reverse not in names:
            raise fields.error(
                "classes", f"class {entry.name} names an unknown reverse", found=entry.reverse, wanted=", ".join(names)
            )
        if entry.reverse is not None and spec.classes[names.index(entry.reverse)].reverse != entry.name:
            raise fields.error(
                "classes",
                f"class {entry.reverse} does not name {entry.name} as its reverse",
                found=entry.reverse,
                wanted="pairs",
            )
    return spec


def _class(fields: Fields) -> ClassSpec:
    color = fields.take_optional("color", str)
    if color is not None:
        match = COLOR.fullmatch(color)
        if match is None or any(int(part) > 255 for part in match.groups()):
            raise fields.error(
                "color", "the color is not three numbers of 0 to 255", found=color, wanted="such as 200,30,30"
            )
    spec = ClassSpec(
        name=_name(fields),
        track=fields.take("track", bool, True),
        label=fields.take("label", str, ""),
        color=color,
        threshold=fields.take_optional("threshold", float),
        reverse=fields.take_optional("reverse", str),
    )
    fields.finish()
    return spec


def _reference(fields: Fields | None) -> ReferenceSpec:
    if fields is None:
        return ReferenceSpec()
    kind = fields.take_choice("kind", ("frequencies",), "frequencies")
    values = fields.take_floats("values", (0.25, 0.25, 0.25, 0.25))
    fields.finish()
    if len(values) != 4 or min(values) < 0 or abs(sum(values) - 1.0) > 1e-3:
        raise fields.error(
            "values",
            "the frequencies of A, C, G, T do not sum to 1",
            found=list(values),
            wanted="four numbers that sum to 1",
        )
    return ReferenceSpec(kind, (values[0], values[1], values[2], values[3]))


def _contributions(fields: Fields | None) -> ContributionSpec:
    if fields is None:
        return ContributionSpec()
    weight = fields.take_choice("weight", ("uniform", "probability", "calls"), None)
    distance = fields.take_count("distance", 50, least=0)
    fields.finish()
    return ContributionSpec(weight, distance)


def _check_inputs(card: Card, fields: Fields) -> None:
    names = [entry.name for entry in card.inputs]
    if len(set(names)) != len(names):
        raise fields.error("inputs", "two inputs share a name", found=names, wanted="different names")
    graph_names = [entry.graph_name for entry in card.inputs]
    runs = [name for index, name in enumerate(graph_names) if index == 0 or graph_names[index - 1] != name]
    if len(set(runs)) != len(runs):
        raise fields.error(
            "inputs", "inputs of one tensor do not stand side by side", found=graph_names, wanted="consecutive inputs"
        )
    for entry in card.inputs:
        if entry.kind == "signal" and card.window % entry.resolution:
            raise fields.error(
                "inputs",
                f"the resolution of {entry.name} does not divide the window",
                found=entry.resolution,
                wanted=f"a divisor of {card.window}",
            )
    for name, members in card.tensors:
        if len({entry.kind == "vector" for entry in members}) > 1 or len({entry.resolution for entry in members}) > 1:
            raise fields.error(
                "inputs",
                f"the inputs of the tensor {name} can't be stacked",
                found=[f"{entry.name}: {entry.kind}, resolution {entry.resolution}" for entry in members],
                wanted="sequences and signals of one resolution, or vectors alone",
            )
        if len({entry.layout for entry in members if entry.kind == "sequence"}) > 1:
            raise fields.error(
                "inputs",
                f"the sequences of the tensor {name} have different layouts",
                found=[f"{entry.name}: {entry.layout}" for entry in members],
                wanted="one layout",
            )


def _check_outputs(card: Card, fields: Fields) -> None:
    names = [output.name for output in card.outputs]
    if len(set(names)) != len(names):
        raise fields.error("outputs", "two outputs share a name", found=names, wanted="different names")
    seen: dict[str, str] = {}
    for entry in card.classes:
        other = seen.setdefault(entry.name.lower(), entry.name)
        if other is not entry.name:
            raise fields.error(
                "outputs",
                "two classes have the same name, case ignored",
                found=f"{other} and {entry.name}",
                wanted="names unique in the model",
            )
    for output in card.outputs:
        if output.resolution is not None and (
            card.bin % output.resolution or card.stride % output.resolution or card.stride > card.bin
        ):
            raise fields.error(
                "stride",
                f"the stride or the bin does not fit the profile output {output.name}",
                found=f"stride {card.stride}, bin {card.bin}",
                wanted=f"multiples of its resolution {output.resolution}, stride at most the bin",
            )
        if card.contributions.weight == "calls" and output.role == "probability":
            for entry in output.classes:
                if entry.track and entry.threshold is None:
                    raise fields.error(
                        "contributions.weight",
                        f"the weight calls needs a threshold for class {entry.name}",
                        found="calls",
                        wanted="a threshold per class, or the weight probability",
                    )
