"""Models as ONNX text, with weights drawn by shape and a card that fits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec

__all__ = ["card_for", "text_model"]


def text_model(
    body: str,
    weights: Mapping[str, tuple[int, ...] | np.ndarray] | None = None,
    *,
    window: int = 20,
    out: str = "2",
    opset: int = 18,
    inputs: str | None = None,
    domains: str = "",
) -> onnx.ModelProto:
    """A model of `body`, ONNX text that goes from ``sequence`` (N, 4, window) to ``out`` (N, `out`).

    Args:
        weights: name -> shape, filled with normal numbers; or the array itself.
        domains: more entries for opset_import, each after a comma.
    """
    inputs = inputs or f"float[N, 4, {window}] sequence"
    header = f'<ir_version: 10, opset_import: ["" : {opset}{domains}]>'
    model = onnx.parser.parse_model(f"{header} net ({inputs}) => (float[N, {out}] out) {{ {body} }}")
    random = np.random.default_rng(0)
    for name, value in (weights or {}).items():
        if isinstance(value, tuple):
            value = random.normal(0, 0.5, value).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return model


def card_for(
    *,
    window: int = 20,
    classes: int = 2,
    positions: int | None = None,
    activation: str = "none",
    resolution: int = 1,
    inputs: tuple[InputSpec, ...] = (InputSpec("sequence", "sequence"),),
) -> Card:
    """A card of one output ``out``; a profile where `positions` is given."""
    specs = tuple(ClassSpec(f"c{index}") for index in range(classes))
    output = OutputSpec("out", activation, specs, resolution if positions else None)  # type: ignore[arg-type]
    return Card("text", window, inputs, (output,), bin=(positions or 1) * resolution)
