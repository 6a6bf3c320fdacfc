"""Finished scans for the tests of hubs, made by hand: a small genome, tracks on it, and the run.json of both.

The tracks come from pyBigWig, not from our writer, so that a fault of one does not hide in the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig

LENGTHS = {"chrI": 60_000, "chrII": 20_001, "chrM": 700}
OTHER_LENGTHS = {"chrI": 61_000, "chrX": 8_000}
"""Of a second genome."""
PEAK = 30_000
"""0-based, on chrI: the middle of what there is to see."""
LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
PERCENTILES = (0.05, 1, 50, 99, 99.9, 99.95)

CARD: dict[str, Any] = {
    "schema_version": 1,
    "name": "tss-mini",
    "title": "Transcription starts, a small test",
    "description": "A made-up model whose tracks are drawn by hand, for tests of hubs.",
    "window": 200,
    "bin": 1,
    "stride": 1,
    "strands": "both",
    "inputs": [{"name": "sequence", "kind": "sequence"}],
    "outputs": [
        {
            "name": "tss",
            "activation": "softmax",
            "role": "probability",
            "unit": "probability",
            "classes": [
                {"name": "background", "track": False},
                {"name": "sharp", "label": "sharp TSS", "color": "200,30,30", "threshold": 0.03},
                {"name": "broad", "label": "broad TSS", "color": "30,30,200", "threshold": 0.05},
            ],
        }
    ],
    "training": {
        "assembly": "made up",
        "data": "none",
        "held_out": ["chrII"],
        "metrics": {"sharp": {"auroc": 0.951, "auprc": 0.31}, "positives": 12345},
        "calibration": {"method": "prior shift", "reliability": [{"predicted": 0.01, "observed": 0.012}]},
    },
    "license": "MIT",
}

# One row per track: class, strand, role, unit, the height of the tallest peak.
TRACKS = [
    ("sharp", "plus", "probability", "probability", 0.31),
    ("sharp", "minus", "probability", "probability", 0.22),
    ("broad", "plus", "probability", "probability", 0.18),
    ("sharp", "plus", "contribution", "logit", 0.8),
]

STACK = [
    ("sharp", strand, f"contribution {base}", "logit", height)
    for strand in ("plus", "minus")
    for base, height in (("A", 0.8), ("C", -0.4), ("G", 0.3), ("T", -0.6))
]
"""Tracks of what each base would contribute."""


def sequences(seed: int = 7, lengths: Mapping[str, int] = LENGTHS) -> dict[str, str]:
    """Random letters for `lengths`, with one run of N."""
    random = np.random.default_rng(seed)
    result = {name: LETTERS[random.integers(0, 4, length)].tobytes().decode() for name, length in lengths.items()}
    result["chrI"] = result["chrI"][:50_000] + "N" * 500 + result["chrI"][50_500:]
    return result


def write_fasta(
    path: Path, seed: int = 7, names: Mapping[str, str] | None = None, lengths: Mapping[str, int] = LENGTHS
) -> Path:
    """The genome of the runs below as FASTA; `names` gives some sequences other names."""
    renamed = names or {}
    text = "".join(f">{renamed.get(name, name)}\n{letters}\n" for name, letters in sequences(seed, lengths).items())
    path.write_text(text)
    return path


def values_of(role: str, height: float, name: str, length: int) -> np.ndarray:
    """Hand-drawn values, float32 (length,): low noise, and peaks around PEAK on chrI."""
    random = np.random.default_rng(length)
    noise = random.random(length) * 0.004
    if role == "contribution":
        noise = (random.random(length) - 0.5) * 0.1
    if name == "chrI":
        for index, offset in enumerate(range(-4000, 4001, 500)):
            width = 3 + 8 * (index % 5)
            sign = -1 if role == "contribution" and index % 2 else 1
            noise[PEAK + offset : PEAK + offset + width] = sign * height * (1 - 0.5 * (index % 3) / 2)
    return noise.astype(np.float32)


def write_bigwig(path: Path, role: str, height: float, lengths: Mapping[str, int] = LENGTHS) -> np.ndarray:
    """One track at every base but the run of N; gives all its values, one sequence after the other."""
    written = []
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(lengths.items()))
        for name, length in lengths.items():
            values = values_of(role, height, name, length)
            for start, end in [(0, 50_000), (50_500, length)] if name == "chrI" else [(0, length)]:
                file.addEntries(name, start, values=values[start:end].tolist(), span=1, step=1)
                written.append(values[start:end])
    return np.concatenate(written)


def write_run(
    folder: Path,
    *,
    card: dict[str, Any] | None = None,
    genome: str = "mini.fa",
    assembly: str | None = None,
    tracks: list[tuple[str, str, str, str, float]] | None = None,
    labels: Mapping[str, str] | None = None,
    lengths: Mapping[str, int] = LENGTHS,
) -> Path:
    """A finished scan in `folder`: the tracks of TRACKS, or of `tracks`, and run.json.

    The role ``contribution A`` is that of what A would contribute.
    """
    card = CARD if card is None else card
    folder.mkdir(parents=True)
    specs = {entry["name"]: entry for output in card["outputs"] for entry in output["classes"]}
    entries = []
    for class_name, strand, role, unit, height in TRACKS if tracks is None else tracks:
        role, _, base = role.partition(" ")
        kind = ["contrib" if role == "contribution" else ""] if not base else [base, "hypothetical"]
        parts = [card["name"], class_name, strand, *kind, "bw"]
        path = folder / ".".join(part for part in parts if part)
        values = write_bigwig(path, role, height, lengths)
        entries.append(
            {
                "file": path.name,
                "model": card["name"],
                "class": class_name,
                "label": (labels or {}).get(class_name, specs[class_name].get("label", class_name)),
                "color": specs[class_name].get("color"),
                "strand": strand or None,
                "role": role,
                "unit": unit,
                "resolution": 1,
                "rounding": "10 bits" if role == "probability" else None,
                "min": float(values.min()),
                "max": float(values.max()),
                "percentiles": {str(key): float(np.percentile(values, key)) for key in PERCENTILES},
                "values": len(values),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            | ({"base": base} if base else {})
        )
    run = {
        "schema_version": 1,
        "trackgen": "0.1.0",
        "command": ["trackgen", "scan", card["name"], genome, "-o", folder.name],
        "models": [{"name": card["name"], "file": "model.onnx", "sha256": "0" * 64, "card": card}],
        "genome": {"file": genome, "assembly": assembly, "names": list(lengths), "lengths": list(lengths.values())},
        "checks": {"windows": {"n": 64, "max_abs_diff": 6e-8}, "completeness": None},
        "tracks": entries,
    }
    (folder / "run.json").write_text(json.dumps(run, indent=2))
    return folder


def change_run(folder: Path, *keys: str | int, value: Any) -> None:
    """Set one value of run.json, named by its keys from the outside in."""
    path = folder / "run.json"
    run = json.loads(path.read_text())
    inner = run
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(run))
