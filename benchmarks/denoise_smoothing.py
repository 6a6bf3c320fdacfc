"""Box and Gauss's curve over the shallow track: widths chosen on the validation chromosome, judged on the test ones."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from denoise_pairs import DEPTHS, FIGURES, RECORDS, VALIDATION, Pair, figures_of, pairs

from trackgen.learn.figures import rounded
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.progress import NullProgress
from trackgen.signals.smoothing import SHAPES, parse_kernel, smooth_track

__all__ = ["CHOOSERS", "KERNELS", "WIDER", "best_kernels", "choose_widths", "remove_smoothed", "smooth_pair"]

KERNELS = (
    *(f"box:{size}" for size in (25, 51, 75, 101, 151, 201, 251, 301, 401, 501, 701, 1001, 1501)),
    *(f"gauss:{size}" for size in (10, 15, 20, 30, 40, 50, 60, 80, 100, 130, 170, 220, 300, 450)),
)
WIDER = ("box:2001", "box:3001", "box:5001", "gauss:600", "gauss:900", "gauss:1500")
"""Tried too where the best might be beyond the widest of the others."""
SHALLOWEST = 0.01
HIGHER = {name: not name.endswith("mse") for name in FIGURES}
"""Whether more of a figure is better."""
CHOOSERS = {name: name.removeprefix("covered_").replace("auroc", "auprc") for name in FIGURES}
"""Figure -> the one by which its kernel is chosen: of covered bins that of all, of peaks the AUPRC of their labels."""


def choose_widths(folder: Path, depths: Sequence[float] = DEPTHS, kernels: Sequence[str] = ()) -> None:
    """Append the validation figures of kernels (none: all), and of no smoothing, that are not on record yet."""
    path = RECORDS / "validation.jsonl"
    for pair in pairs(folder, VALIDATION, depths):
        entries = _by_seed(read_records(path), pair.depth).get(pair.seed, {})
        known = {kernel for kernel, figures in entries.items() if figures.keys() >= FIGURES.keys()}
        wanted = kernels or [*KERNELS, *(WIDER if pair.depth <= SHALLOWEST else ())]
        tracks = {"none": pair.input()} if "none" not in known else {}
        tracks |= smooth_pair(pair, [kernel for kernel in wanted if kernel not in known], VALIDATION.chroms)
        if not tracks:
            continue
        found = figures_of(list(tracks.values()), pair, ["rest"], VALIDATION.chroms)
        figures = {name: entry["rest"] for name, entry in zip(tracks, found, strict=True)}
        append_record(path, rounded({"depth": pair.depth, "seed": pair.seed, "kernels": figures}))
        remove_smoothed(tracks)
        print(f"{pair.name}: {len(tracks)} kernels judged", flush=True)


def _by_seed(records: Sequence[Mapping[str, Any]], depth: float) -> dict[int, dict[str, Mapping[str, float]]]:
    """Seed -> kernel -> figures, at a depth."""
    found: dict[int, dict[str, Mapping[str, float]]] = {}
    for record in records:
        if record["depth"] == depth:
            found.setdefault(record["seed"], {}).update(record["kernels"])
    return found


def smooth_pair(pair: Pair, kernels: Sequence[str], chroms: Sequence[str]) -> dict[str, Path]:
    """The pair's shallow track by each kernel, on some sequences."""
    tracks = {}
    for text in kernels:
        tracks[text] = Path(tempfile.mkdtemp(dir=pair.folder)) / f"{text.replace(':', '-')}.bw"
        smooth_track(pair.input(), tracks[text], parse_kernel(text), NullProgress(), chroms)
    return tracks


def remove_smoothed(tracks: Mapping[str, Path]) -> None:
    """Remove what `smooth_pair` made."""
    for kernel, path in tracks.items():
        if kernel not in ("none", "noisy"):
            shutil.rmtree(path.parent)


def best_kernels(records: Sequence[Mapping[str, Any]], depth: float) -> dict[str, dict[str, str]]:
    """Shape -> figure -> the kernel with the best mean over validation seeds, at a depth, by `CHOOSERS`."""
    own = list(_by_seed(records, depth).values())
    found: dict[str, dict[str, str]] = {shape: {} for shape in SHAPES} if own else {}
    for shape, chosen in found.items():
        for figure in FIGURES:
            by = CHOOSERS[figure]
            kernels = [
                kernel for kernel in own[0]
                if kernel.startswith(shape) and all(entry.get(kernel, {}).get(by) is not None for entry in own)
            ]  # fmt: skip
            if not kernels:
                continue
            means = {kernel: sum(entry[kernel][by] for entry in own) / len(own) for kernel in kernels}
            chosen[figure] = (max if HIGHER[by] else min)(means, key=means.__getitem__)
    return found
