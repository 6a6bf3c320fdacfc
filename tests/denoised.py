"""A finished scan of a denoising model, made by hand: its card, its tracks, and the input that it made of fragments."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.hubs import change_run, write_bigwig, write_run

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
INPUT = "denoise-mini.atac.input.bw"
TRACKS = [
    ("signal", "", "signal", "fold over the mean", 3.0),
    ("peak", "", "probability", "probability", 0.9),
]


def write_denoised_run(folder: Path, **options: Any) -> Path:
    """A finished scan in `folder`, of a signal, a probability, and the input that both were made of."""
    write_run(folder, card=CARD, tracks=TRACKS, **options)
    write_bigwig(folder / INPUT, "signal", 4.0, **{key: value for key, value in options.items() if key == "lengths"})
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
