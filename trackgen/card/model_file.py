"""ONNX files: reading them with clear refusals, the card inside them, and whether the two agree.

Never runs a model: `trackgen.runtime` does. The card is UTF-8 JSON under the metadata key ``trackgen.card``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trackgen.card.parse import parse_card
from trackgen.card.schema import Card, InputSpec, OutputSpec
from trackgen.card.soundness import refuse_broken
from trackgen.errors import DISK_ERRORS, ModelError, ResourceError, UsageError

__all__ = [
    "CARD_KEY",
    "GENOME_BEGINNINGS",
    "add_card",
    "check_against_graph",
    "embed_card",
    "load_model",
    "read_card",
    "save_model",
]

CARD_KEY = "trackgen.card"
FLOAT32 = 1
GENOME_BEGINNINGS = (b">", b"\x1f\x8b", b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")
"""First bytes of FASTA, bgzip and 2bit."""
REMEDY_NO_CARD = "put one in with `trackgen model add-card MODEL.onnx CARD.json -o OUT.onnx`"


def load_model(path: str | os.PathLike[str], *, join: bool = False) -> Any:
    """The ONNX model in `path`, an ``onnx.ModelProto``.

    Args:
        join: read weights that lie in other files too; without it they are refused, since a model is one file.

    Raises:
        ModelError: the file is missing, is not ONNX, holds no graph, or its weights lie in other files.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(
            "this is a folder, not a model" if path.is_dir() else "the model file does not exist",
            path=path,
            wanted="an ONNX file or the name of a shipped model (`trackgen model list`)",
        )
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError as error:
        raise ModelError("the model file can't be read", path=path, found=error.strerror) from error
    if head.startswith(GENOME_BEGINNINGS):
        raise ModelError(
            "this looks like a genome, not like a model",
            path=path,
            found=repr(head),
            wanted="an ONNX file",
            remedy="MODEL comes first, then GENOME: were they swapped",
        )
    model = _parse(path, join)
    if not model.graph.node or not model.graph.output:
        raise _not_onnx(path)
    return model


def _parse(path: Path, join: bool) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        # The format is said, because onnx would choose a parser by the file's suffix.
        model = onnx.load(str(path), format="protobuf", load_external_data=join)
    except DecodeError as error:
        raise _not_onnx(path) from error
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ModelError(
            "the model's weights in other files can't be read", path=path, found=error, remedy="export it as one file"
        ) from error
    outside = [entry.name for entry in model.graph.initializer if entry.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise ModelError(
            "the model's weights lie in other files",
            path=path,
            place=f"weight {outside[0]}",
            found=f"{len(outside)} weights outside",
            wanted="one file with everything inside",
            remedy="`trackgen model add-card` writes one, or export it with external_data=False",
        )
    return model


def _not_onnx(path: Path) -> ModelError:
    return ModelError(
        "the file is not an ONNX model",
        path=path,
        found=f"{path.stat().st_size} bytes without a graph",
        wanted="a file that torch.onnx.export or another exporter wrote",
    )


def read_card(path: str | os.PathLike[str]) -> Card:
    """The card inside the ONNX file `path`, checked against its graph.

    Raises:
        ModelError: no such file, not ONNX, broken weights, no card, or a card that is invalid or contradicts the graph.
    """
    model = load_model(path)
    refuse_broken(model, path)
    card = card_of(model, path)
    check_against_graph(card, model, path)
    return card


def card_of(model: Any, path: str | os.PathLike[str]) -> Card:
    """The card inside a loaded model."""
    for entry in model.metadata_props:
        if entry.key == CARD_KEY:
            return parse_card(entry.value, os.fspath(path))
    raise ModelError("the model has no card", path=path, wanted=f"metadata {CARD_KEY}", remedy=REMEDY_NO_CARD)


def embed_card(model: Any, card: Card) -> None:
    """Put `card` into a loaded model, in place of any card it had."""
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != CARD_KEY]
    del model.metadata_props[:]
    for key, value in [*kept, (CARD_KEY, json.dumps(card.to_dict(), ensure_ascii=False, indent=1))]:
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value


def save_model(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model whole or not at all.

    Raises:
        UsageError: the folder can't be written to.
        ResourceError: the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
        temporary.replace(path)
    except OSError as error:
        kind = ResourceError if error.errno in DISK_ERRORS else UsageError
        raise kind(
            "the model can't be written", path=path, found=error.strerror, wanted="a folder that can be written to"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def add_card(model_path: str | os.PathLike[str], card: Card, output_path: str | os.PathLike[str]) -> None:
    """Write a copy of a model with `card` inside, after checking the card against the graph.

    Raises:
        ModelError: broken weights, or a card that contradicts the graph's inputs or outputs.
    """
    model = load_model(model_path, join=True)
    refuse_broken(model, model_path)
    check_against_graph(card, model, model_path)
    embed_card(model, card)
    save_model(model, output_path)


def check_against_graph(card: Card, model: Any, path: str | os.PathLike[str]) -> None:
    """Refuse a card that contradicts the graph's real inputs and outputs.

    Raises:
        ModelError: naming the field, the card's value and the graph's.
    """
    initializers = {entry.name for entry in model.graph.initializer}
    inputs = [entry for entry in model.graph.input if entry.name not in initializers]
    groups = card.tensors
    found, wanted = [entry.name for entry in inputs], [name for name, _ in groups]
    if found != wanted:
        raise _contradiction(path, "inputs", "the names of the inputs differ", card=wanted, graph=found)
    for entry, (name, members) in zip(inputs, groups, strict=True):
        _check_type(path, f"inputs, {name}", entry)
        _check_shape(path, f"inputs, {name}", _shape(entry), _input_shape(card, members))
    shapes = _output_shapes(model)
    entries = {entry.name: entry for entry in model.graph.output}
    for output in card.outputs:
        if output.name not in shapes:
            raise _contradiction(
                path, "outputs", "the graph has no such output", card=output.name, graph=", ".join(shapes)
            )
        _check_type(path, f"outputs, {output.name}", entries[output.name])
        _check_shape(path, f"outputs, {output.name}", shapes[output.name], _output_shape(card, output))


def _input_shape(card: Card, members: Sequence[InputSpec]) -> list[int | None]:
    first = members[0]
    if first.kind == "vector":
        return [None, sum(entry.length for entry in members)]
    length = card.window // first.resolution
    channels = sum(4 if entry.kind == "sequence" else max(1, len(entry.channels)) for entry in members)
    channels_last = any(entry.layout == "NLC" for entry in members)
    return [None, length, channels] if channels_last else [None, channels, length]


def _output_shape(card: Card, output: OutputSpec) -> list[int | None]:
    shape: list[int | None] = [None, len(output.classes)]
    return shape if output.resolution is None else [*shape, card.bin // output.resolution]


def _shape(entry: Any) -> list[int | str] | None:
    """The shape of a graph value: numbers, or names where it is open; None where it has no shape at all."""
    tensor = entry.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [axis.dim_value if axis.HasField("dim_value") else (axis.dim_param or "?") for axis in tensor.shape.dim]


def _output_shapes(model: Any) -> dict[str, list[int | str] | None]:
    shapes = {entry.name: _shape(entry) for entry in model.graph.output}
    if all(shape is not None and all(isinstance(axis, int) for axis in shape[1:]) for shape in shapes.values()):
        return shapes
    import onnx

    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=False)
    except onnx.shape_inference.InferenceError:  # only a help here: `model check` sees the shapes at run time
        return shapes
    return {entry.name: _shape(entry) for entry in inferred.graph.output}


def _check_type(path: str | os.PathLike[str], place: str, entry: Any) -> None:
    kind = entry.type.tensor_type.elem_type
    if kind != FLOAT32:
        import onnx

        found = onnx.TensorProto.DataType.Name(kind)
        raise ModelError(
            "the graph's value is not float32",
            path=path,
            place=place,
            found=found,
            wanted="FLOAT",
            remedy="export the model in float32",
        )


def _check_shape(
    path: str | os.PathLike[str], place: str, graph: list[int | str] | None, card: list[int | None]
) -> None:
    if graph is None:
        return
    if graph and isinstance(graph[0], int):
        raise ModelError(
            "the batch size is frozen in the graph",
            path=path,
            place=place,
            found=f"batch size {graph[0]}",
            wanted="an open first axis",
            remedy=f'export again with an open batch axis, such as dynamic_axes={{"{place.split()[-1]}": {{0: "N"}}}}',
        )
    agree = len(graph) == len(card) and all(
        not isinstance(have, int) or want is None or have == want for have, want in zip(graph, card, strict=True)
    )
    if not agree:
        wanted = ["N" if axis is None else axis for axis in card]
        raise _contradiction(path, place, "the shapes differ (window, classes or bin)", card=wanted, graph=graph)


def _contradiction(path: str | os.PathLike[str], place: str, what: str, *, card: object, graph: object) -> ModelError:
    return ModelError(
        f"the card contradicts the graph: {what}",
        path=path,
        place=f"card field {place}",
        found=f"{card} in the card",
        wanted=f"{graph}, which the graph has",
    )
