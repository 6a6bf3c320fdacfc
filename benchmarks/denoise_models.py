"""Every method on the test chromosomes: no smoothing, the chosen kernels, and models, scanned by `trackgen scan`."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from denoise_pairs import DEPTHS, GENOME, PAIRINGS, RECORDS, TEST, Pair, digest_of, figures_of, pairs
from denoise_smoothing import best_kernels, remove_smoothed, smooth_pair
from processes import data_file, read_scan, trackgen

from trackgen.card import read_card
from trackgen.learn.figures import rounded
from trackgen.learn.sweep.records import append_record, read_records

__all__ = ["Model", "run_baselines", "run_models", "scan_pair"]

TESTED = RECORDS / "test.jsonl"
SEEDED = re.compile(r"(.+)-(\d+)")
PEAK_FIGURES = ("auroc", "auprc", "second_auroc", "second_auprc")


class Model(NamedTuple):
    """A model file, its method (its name without the seed), and its training seed, if its name tells one."""

    path: Path
    method: str
    seed: int | None

    @classmethod
    def of(cls, path: Path) -> Model:
        """By its name, `signal-1.onnx`; of `model.onnx` that of its folder."""
        name = path.stem if path.stem != "model" else path.parent.name
        match = SEEDED.fullmatch(name)
        return cls(path, match[1], int(match[2])) if match else cls(path, name, None)

    def seeds(self) -> tuple[int, ...]:
        """Seeds of thinning that it is judged on: the one of its own number, all where it has none."""
        return TEST.seeds if self.seed is None else TEST.seeds[self.seed - 1 : self.seed]


def run_baselines(folder: Path, depths: Sequence[float] = DEPTHS) -> None:
    """Append the test figures of the shallow tracks, and of those smoothed by the kernels that validation chose."""
    validation = read_records(RECORDS / "validation.jsonl")
    known = {(record["depth"], record["seed"], record["method"]) for record in read_records(TESTED)}
    for pair in pairs(folder, TEST, depths):
        chosen = best_kernels(validation, pair.depth)
        kernels = sorted({kernel for by_figure in chosen.values() for kernel in by_figure.values()})
        wanted = [name for name in ("noisy", *kernels) if (pair.depth, pair.seed, name) not in known]
        smooth = smooth_pair(pair, [name for name in wanted if name != "noisy"], TEST.chroms)
        tracks = {name: smooth.get(name, pair.input()) for name in wanted}
        for name, figures in _judged(pair, tracks).items():
            append_record(TESTED, rounded({"depth": pair.depth, "seed": pair.seed, "method": name, **figures}))
        remove_smoothed(smooth)
        print(f"{pair.name}: {', '.join(wanted) or 'nothing new'}", flush=True)


def _judged(pair: Pair, tracks: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Figures of each track by pairing."""
    return dict(zip(tracks, figures_of(list(tracks.values()), pair, PAIRINGS, TEST.chroms), strict=True))


def run_models(folder: Path, models: Sequence[Path], depths: Sequence[float] = DEPTHS) -> None:
    """Append the test figures of each model, each thinning by the model of the same number; known ones are kept.

    What files of the same name gave that were other models is dropped.
    """
    _drop_earlier(models)
    known = {(r["depth"], r["seed"], r["method"], r.get("digest")) for r in read_records(TESTED)}
    for pair, model in _runs(folder, models, depths):
        digest = digest_of(model.path)
        if (pair.depth, pair.seed, model.method, digest) in known:
            continue
        with tempfile.TemporaryDirectory(dir=pair.folder) as scanned:
            tracks, seconds = scan_pair(model.path, pair, Path(scanned, "scan"), TEST.chroms)
            judged = _judged(pair, tracks)
        record: dict[str, Any] = {"depth": pair.depth, "seed": pair.seed, "method": model.method, "digest": digest}
        record |= {"file": model.path.name, "seconds": seconds, **_of_model(judged)}
        append_record(TESTED, rounded(record))
        print(f"{pair.name}: {model.method} {model.seed or ''}, {seconds:.0f} s", flush=True)


def _drop_earlier(models: Sequence[Path]) -> None:
    current: dict[Any, str] = {(Model.of(path).method, path.name): digest_of(path) for path in models}
    records = read_records(TESTED)
    kept = [r for r in records if current.get((r["method"], r.get("file")), r.get("digest")) == r.get("digest")]
    if len(kept) < len(records):
        temporary = TESTED.with_name(TESTED.name + ".tmp")
        temporary.write_text("".join(json.dumps(record) + "\n" for record in kept))
        temporary.replace(TESTED)


def _runs(folder: Path, models: Sequence[Path], depths: Sequence[float]) -> Iterator[tuple[Pair, Model]]:
    # 10 % first: the bars are about it.
    for depth in sorted(depths, key=lambda depth: (depth != 0.1, depth)):
        for path in models:
            model = Model.of(path)
            for seed in model.seeds():
                yield Pair(folder, depth, seed), model


def _of_model(judged: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """By pairing the figures of the signal, and ``head_``... those of peaks by the model's probability of one."""
    result = {}
    for pairing, figures in judged["signal"].items():
        head = judged["probability"][pairing] if "probability" in judged else {}
        result[pairing] = dict(figures) | {f"head_{name}": head[name] for name in PEAK_FIGURES if name in head}
    return result


def scan_pair(model: Path, pair: Pair, output: Path, chroms: Sequence[str]) -> tuple[dict[str, Path], float]:
    """The model's tracks on a pair's input by role, ``signal`` and maybe ``probability``, and the seconds they took."""
    name = next(entry.name for entry in read_card(model).inputs if entry.kind == "signal")
    words = ["scan", str(model), str(data_file(GENOME)), "--signal", f"{name}={pair.input()}", "-o", str(output)]
    seconds = trackgen([*words, "--chroms", ",".join(chroms), "-t", "1"])
    tracks: dict[str, Path] = {}
    for track in read_scan(output).run["tracks"]:
        tracks.setdefault(track["role"], output / track["file"])
    return tracks, seconds
