"""A small TSS net whose weights are known: one filter that reads the planted initiator, one that reads nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser

from tests.learn.conftest import INITIATOR
from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec, ReferenceSpec, embed_card, save_model

WINDOW = 60
SITE = 29
"""Index of the TSS: (60 - 1) // 2."""
WIDTH = len(INITIATOR)
FREQUENCIES = (0.3, 0.2, 0.2, 0.3)

GRAPH = f"""
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 4, {WINDOW}] sequence) => (float[N, 3] tss)
{{
  seen = Conv(sequence, filters_weight, filters_bias)
  active = Relu(seen)
  flat = Flatten(active)
  logits = Gemm(flat, weight, bias)
  tss = Softmax<axis = 1>(logits)
}}
"""


def pattern() -> np.ndarray:
    """The initiator as float32 (4, 15)."""
    return np.eye(4, dtype=np.float32)[["ACGT".index(base) for base in INITIATOR]].T


def tss_model(folder: Path, *, classes: tuple[str, ...] = ("background", "sharp", "broad"), **training: object) -> Path:
    """Write ``folder/toy.onnx``: sharp and broad where the initiator stands with its element 7 on the TSS."""
    places = WINDOW - WIDTH + 1
    filters = np.zeros((2, 4, WIDTH), np.float32)
    # Nine of fifteen bases must agree before it fires.
    filters[0] = 2 * pattern() - 0.5
    weight = np.zeros((2 * places, len(classes)), np.float32)
    weight[SITE - 7, 1:] = (0.5, 0.4)[: len(classes) - 1]
    weights = {
        "filters_weight": filters, "filters_bias": np.array([-7, 0.1], np.float32),
        "weight": weight, "bias": np.array([3, 0, 0][: len(classes)], np.float32),
    }  # fmt: skip
    model = onnx.parser.parse_model(GRAPH.replace("N, 3]", f"N, {len(classes)}]"))
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, key) for key, value in weights.items())
    named = tuple(ClassSpec(name, track=name != "background") for name in classes)
    card = Card(
        "toy", WINDOW, (InputSpec("sequence", "sequence"),), (OutputSpec("tss", "softmax", named, role="probability"),),
        title="Toy", description="Made by hand.", strands="both", reference=ReferenceSpec(values=FREQUENCIES),
        training=training,
    )  # fmt: skip
    embed_card(model, card)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, folder / "toy.onnx")
    return folder / "toy.onnx"
