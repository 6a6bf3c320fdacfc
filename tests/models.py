"""Small models for tests: an ONNX file with a card, and the same function in plain numpy float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser

from tests.oracles import Window, one_hot, softmax

GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[{batch}, {rows}, {columns}] sequence) => (float[{batch}, {shape}] {output})
{{
  flat = Flatten(sequence)
  hidden = Gemm(flat, first_weight, first_bias)
  active = Relu(hidden)
  {logits} = Gemm(active, second_weight, second_bias)
  {tail}
}}
"""


@dataclass
class SmallModel:
    """A two-layer net on one window; `function` is its numpy twin, window letters -> (K,) or (K, M)."""

    path: Path
    card: dict[str, Any]
    geometry: Window
    function: Callable[[str], np.ndarray]
    classes: list[str] = field(default_factory=list)


def small_model(
    folder: Path,
    *,
    name: str = "small",
    window: int = 20,
    bin_: int = 1,
    stride: int | None = None,
    strands: str = "forward",
    classes: tuple[str, ...] = ("background", "hit"),
    positions: int | None = None,
    activation: str = "softmax",
    layout: str = "NCL",
    bases: str = "ACGT",
    reverse: bool = False,
    batch: str = "N",
    seed: int = 0,
    **card_fields: Any,
) -> SmallModel:
    """Write ``folder/name.onnx`` with its card inside.

    Args:
        positions: None for one value a window; M for a profile of M positions over the bin.
        reverse: make the first two classes partners on the other strand.
        batch: the batch axis of the graph: a name, or a number to freeze it.
    """
    random = np.random.default_rng(seed)
    count = len(classes) * (positions or 1)
    weights = {
        "first_weight": random.normal(0, window**-0.5, (4 * window, 6)).astype(np.float32),
        "first_bias": random.normal(0, 0.5, 6).astype(np.float32),
        "second_weight": random.normal(0, 0.7, (6, count)).astype(np.float32),
        "second_bias": random.normal(0, 1, count).astype(np.float32),
    }
    model = onnx.parser.parse_model(_graph(window, len(classes), positions, activation, layout, batch))
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key) for key, value in weights.items())
    if positions:
        shape = np.array([0, len(classes), positions], np.int64)
        model.graph.initializer.append(onnx.numpy_helper.from_array(shape, "shape"))
    resolution = bin_ // positions if positions else None
    card = _card(
        name, window, bin_, stride, strands, classes, activation, layout, bases, reverse, resolution, card_fields
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())

    def function(letters: str) -> np.ndarray:
        matrix = one_hot(letters, bases)
        flat = (matrix.T if layout == "NLC" else matrix).ravel()
        hidden = np.maximum(flat @ weights["first_weight"].astype(float) + weights["first_bias"], 0)
        logits = hidden @ weights["second_weight"].astype(float) + weights["second_bias"]
        if positions:
            return np.asarray(logits.reshape(len(classes), positions))
        return softmax(logits) if activation == "softmax" else np.asarray(logits)

    return SmallModel(path, card, Window(window, bin_, stride or bin_, resolution), function, list(classes))


def _graph(window: int, classes: int, positions: int | None, activation: str, layout: str, batch: str) -> str:
    tail, logits = "", "out"
    if positions:
        logits, tail = "flat_logits", "out = Reshape(flat_logits, shape)"
    elif activation == "softmax":
        logits, tail = "logits", "out = Softmax<axis = 1>(logits)"
    rows, columns = (4, window) if layout == "NCL" else (window, 4)
    shape = f"{classes}, {positions}" if positions else str(classes)
    return GRAPH.format(batch=batch, rows=rows, columns=columns, shape=shape, output="out", logits=logits, tail=tail)


def _card(
    name: str,
    window: int,
    bin_: int,
    stride: int | None,
    strands: str,
    classes: tuple[str, ...],
    activation: str,
    layout: str,
    bases: str,
    reverse: bool,
    resolution: int | None,
    fields: dict[str, Any],
) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [{"name": entry} for entry in classes]
    if reverse:
        entries[0]["reverse"], entries[1]["reverse"] = classes[1], classes[0]
    sequence: dict[str, Any] = {"name": "sequence", "kind": "sequence"}
    if layout != "NCL":
        sequence["layout"] = layout
    if bases != "ACGT":
        sequence["bases"] = bases
    card: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "window": window,
        "bin": bin_,
        "strands": strands,
        "inputs": [sequence],
        "outputs": [{"name": "out", "activation": activation, "classes": entries, "resolution": resolution}],
    }
    if stride:
        card["stride"] = stride
    return card | fields


MIXED_GRAPH = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4, {window}] sequence) => (float[N, 2, {positions}] profile, float[N, 1] count)
{{
  flat = Flatten(sequence)
  flat_profile = Gemm(flat, profile_weight)
  profile = Reshape(flat_profile, shape)
  count = Gemm(flat, count_weight)
}}
"""


def mixed_model(folder: Path, *, window: int, bin_: int, stride: int, positions: int, strands: str) -> list[SmallModel]:
    """A model with a profile output (two classes) and a scalar one, as BPNet has; one `SmallModel` per output."""
    random = np.random.default_rng(window)
    weights = {
        "profile_weight": random.normal(0, 0.2, (4 * window, 2 * positions)).astype(np.float32),
        "count_weight": random.normal(0, 0.2, (4 * window, 1)).astype(np.float32),
    }
    model = onnx.parser.parse_model(MIXED_GRAPH.format(window=window, positions=positions))
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key) for key, value in weights.items())
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 2, positions], np.int64), "shape"))
    resolution = bin_ // positions
    card = {
        "schema_version": 1,
        "name": "mixed",
        "window": window,
        "bin": bin_,
        "stride": stride,
        "strands": strands,
        "inputs": [{"name": "sequence", "kind": "sequence"}],
        "outputs": [
            {
                "name": "profile",
                "activation": "none",
                "resolution": resolution,
                "classes": [{"name": "up", "reverse": "down"}, {"name": "down", "reverse": "up"}],
            },
            {"name": "count", "activation": "none", "classes": [{"name": "count"}]},
        ],
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / "mixed.onnx"
    path.write_bytes(model.SerializeToString())

    def profile(letters: str) -> np.ndarray:
        return np.asarray((one_hot(letters).ravel() @ weights["profile_weight"].astype(float)).reshape(2, positions))

    def count(letters: str) -> np.ndarray:
        return np.asarray(one_hot(letters).ravel() @ weights["count_weight"].astype(float))

    return [
        SmallModel(path, card, Window(window, bin_, stride, resolution), profile, ["up", "down"]),
        SmallModel(path, card, Window(window, bin_, stride), count, ["count"]),
    ]


@dataclass
class InputModel:
    """A net on any inputs; `function` is its numpy twin, graph inputs of one window -> (K,) or (K, M)."""

    path: Path
    card: dict[str, Any]
    geometry: Window
    function: Callable[[dict[str, np.ndarray]], np.ndarray]
    classes: list[str]


def input_model(
    folder: Path,
    inputs: list[dict[str, Any]],
    *,
    name: str = "inputs",
    window: int = 50,
    bin_: int = 1,
    stride: int | None = None,
    strands: str = "forward",
    positions: int | None = None,
    seed: int = 0,
) -> InputModel:
    """Write ``folder/name.onnx``: a two-layer net that weighs every value of every input of the card differently.

    Args:
        inputs: the card's inputs.
        positions: None for a softmax over two classes; M for a profile of M positions of two partner classes.
    """
    random = np.random.default_rng(seed)
    shapes = _input_shapes(inputs, window)
    count = 2 * (positions or 1)
    weights = {
        f"w_{key}": random.normal(0, float(np.prod(shape)) ** -0.5, (int(np.prod(shape)), 6)).astype(np.float32)
        for key, shape in shapes.items()
    }
    weights["bias"] = random.normal(0, 0.5, 6).astype(np.float32)
    weights["out_w"] = random.normal(0, 0.5, (6, count)).astype(np.float32)
    nodes = [f"f_{key} = Flatten({key})\n  h_{key} = Gemm(f_{key}, w_{key}, bias)" for key in shapes]
    nodes.append(f"total = Sum({', '.join(f'h_{key}' for key in shapes)})\n  active = Tanh(total)")
    nodes.append("logits = Gemm(active, out_w)")
    nodes.append("out = Reshape(logits, shape)" if positions else "out = Softmax<axis = 1>(logits)")
    arguments = ", ".join(f"float[N, {', '.join(map(str, shape))}] {key}" for key, shape in shapes.items())
    text = "\n  ".join(nodes)
    result = f"float[N, 2{f', {positions}' if positions else ''}] out"
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]>\nnet ({arguments}) => ({result})\n{{\n  {text}\n}}'
    )
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key) for key, value in weights.items())
    if positions:
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0, 2, positions], np.int64), "shape"))
    resolution = bin_ // positions if positions else None
    activation = "none" if positions else "softmax"
    card = _card(name, window, bin_, stride, strands, ("up", "down"), activation, "NCL", "ACGT", True, resolution, {})
    card["inputs"] = inputs
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())

    def function(tensors: dict[str, np.ndarray]) -> np.ndarray:
        hidden = sum(tensors[key].ravel() @ weights[f"w_{key}"].astype(float) + weights["bias"] for key in shapes)
        logits = np.tanh(hidden) @ weights["out_w"].astype(float)
        return np.asarray(logits.reshape(2, positions)) if positions else softmax(logits)

    return InputModel(path, card, Window(window, bin_, stride or bin_, resolution), function, ["up", "down"])


def _input_shapes(inputs: list[dict[str, Any]], window: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the graph's inputs, without the batch axis."""
    channels: dict[str, int] = {}
    lengths: dict[str, int | None] = {}
    channels_last = set()
    for entry in inputs:
        key = entry.get("tensor", entry["name"])
        sizes = {"sequence": 4, "signal": len(entry.get("channels", "1")), "vector": entry.get("length", 0)}
        channels[key] = channels.get(key, 0) + sizes[entry["kind"]]
        lengths[key] = None if entry["kind"] == "vector" else window // entry.get("resolution", 1)
        if entry.get("layout") == "NLC":
            channels_last.add(key)
    shapes: dict[str, tuple[int, ...]] = {}
    for key, size in channels.items():
        length = lengths[key]
        shape = (size,) if length is None else (size, length)
        shapes[key] = shape[::-1] if key in channels_last else shape
    return shapes
