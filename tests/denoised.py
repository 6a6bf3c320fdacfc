"""A finished scan of a denoising model, made by hand: its card, its tracks, and the input that it made of fragments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.parser
import pyBigWig

from tests.hubs import LENGTHS, change_run, write_run

CAVEATS = [
    "Where no fragment was read it draws nothing, whatever is open there.",
    "A peak <of> one cell type may be drawn in another.",
]
CARD: dict[str, Any] = {
    "schema_version": 1,
    "name": "denoise-mini",
    "title": "Denoised ATAC-seq, a small test",
    "window": 2000,
    "bin": 1000,
    "stride": 10,
    "inputs": [{"name": "atac", "kind": "signal", "resolution": 10}],
    "outputs": [
        {
            "name": "signal",
            "activation": "none",
            "role": "signal",
            "unit": "fold over the mean",
            "resolution": 10,
            "classes": [{"name": "signal", "label": "denoised ATAC", "color": "213,94,0"}],
        },
        {
            "name": "peak",
            "activation": "sigmoid",
            "role": "probability",
            "resolution": 10,
            "classes": [{"name": "peak", "label": "ATAC peak", "color": "0,0,0", "threshold": 0.3}],
        },
    ],
    "training": {
        "signals": {"atac": {"measure": "coverage", "scale": "mean", "unit": "fold over the mean", "depth": [0.05, 5]}},
        "caveats": CAVEATS,
    },
}
DENOISER = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[N, 1, 20] atac) => (float[N, 1, 10] signal, float[N, 1, 10] peak)
{
  signal = Conv(atac, smoothing)
  scaled = Mul(signal, two)
  logits = Sub(scaled, three)
  peak = Sigmoid(logits)
}
"""
INPUT = "denoise-mini.atac.input.bw"
TRACKS = [
    ("signal", "", "signal", "fold over the mean", 3.0),
    ("peak", "", "probability", "probability", 0.9),
]


def denoiser(folder: Path, name: str = "denoise-mini", **recipe: Any) -> Path:
    """A model of the card above that runs: the mean over eleven bins of 10 bp, and whether it lies above 1.5.

    Args:
        recipe: other values of its recipe; ``signals=None`` for none.
    """
    model = onnx.parser.parse_model(DENOISER)
    for key, value in {"smoothing": np.full((1, 1, 11), 1 / 11), "two": np.array(2), "three": np.array(3)}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(value.astype(np.float32), key))
    own = CARD["training"]["signals"]["atac"] | {"depth": [0.2, 30]} | recipe
    training = {**CARD["training"], "signals": {"atac": own}} if "signals" not in recipe else {}
    card = CARD | {"name": name, "window": 200, "bin": 100, "stride": 100, "training": training}
    entry = model.metadata_props.add()
    entry.key, entry.value = "trackgen.card", json.dumps(card)
    path = folder / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def write_fragments(path: Path, lengths: Mapping[str, int], number: int, seed: int = 0) -> Path:
    """A BED file of random fragments of 50 to 250 bp, some of them in heaps."""
    random = np.random.default_rng(seed)
    rows = []
    for name, length in lengths.items():
        share = number * length // sum(lengths.values())
        starts = random.integers(0, length - 250, share)
        heaps = (random.integers(0, length // 5000 + 1, share) * 5000 + random.normal(2500, 100, share)).astype(int)
        starts = np.sort(np.where(random.random(share) < 0.5, np.clip(heaps, 0, length - 250), starts))
        rows += [f"{name}\t{start}\t{start + random.integers(50, 250)}\n" for start in starts.tolist()]
    path.write_text("".join(rows))
    return path


def write_hills(path: Path, height: float, lengths: Mapping[str, int] = LENGTHS) -> None:
    """A track of hills as wide as peaks are, over a tenth of every sequence."""
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(lengths.items()))
        for name, length in lengths.items():
            place = np.arange(length)
            values = height * np.clip(np.sin(place * np.pi / 5000) - 0.95, 0, None) / 0.05
            file.addEntries(name, 0, values=values.tolist(), span=1, step=1)


def write_denoised_run(folder: Path, **options: Any) -> Path:
    """A finished scan in `folder`, of a signal, a probability, and the input that both were made of."""
    write_run(folder, card=CARD, tracks=TRACKS, **options)
    write_hills(folder / INPUT, 4.0)
    entry = {
        "model": "denoise-mini",
        "input": "atac",
        "file": INPUT,
        "source": "low.bam",
        "fragments": 46_790,
        "depth": 0.358,
        "factor": 2.79,
        "unit": "fold over the mean",
        "sha256": hashlib.sha256((folder / INPUT).read_bytes()).hexdigest(),
    }
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"inputs": [entry]}))
    change_run(folder, "tracks", 0, "resolution", value=10)
    change_run(folder, "tracks", 1, "resolution", value=10)
    return folder
