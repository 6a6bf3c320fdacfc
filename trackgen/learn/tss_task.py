"""The task ``tss``: from clusters and counts to an exported, calibrated model with its report.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``metrics.csv`` (one line an epoch), ``report/`` (figures as JSON and pictures), and ``checkpoint.pt`` (for resuming).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, assembly_name, open_genome
from trackgen.genome.regions import Interval, parse_regions
from trackgen.learn.architectures import Architecture, architecture
from trackgen.learn.calibration import Calibration, fit_calibration, prior_shift
from trackgen.learn.datasets.batches import FixedWindows
from trackgen.learn.datasets.clusters import load_clusters
from trackgen.learn.datasets.counts import open_counts
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.tss import CLASSES, PARTS, TssData, TssExamples, class_labels
from trackgen.learn.datasets.windows import read_windows
from trackgen.learn.evaluate import SITE_CLASSES, EveryBase, evaluate_windows
from trackgen.learn.every_base import NetScorer, Scorer, score_sequences
from trackgen.learn.export import Calibrated, export
from trackgen.learn.fit import predict
from trackgen.learn.kmer import fit_kmer_model, fit_positional_model
from trackgen.learn.saved import SavedModel, save_model
from trackgen.learn.stepping import refuse_device
from trackgen.learn.tss_report import tss_card, write_report
from trackgen.learn.tss_training import TrainingOptions, train_net
from trackgen.progress import Progress

__all__ = ["TssOptions", "base_frequencies", "refuse_another_run", "train_tss", "whole_sequences"]

Windows = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class TssOptions:
    """What to train on, and how; see ``trackgen train tss --help`` for the meaning of each."""

    genome: Path
    clusters: tuple[Path, ...]
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    counts: tuple[Path, ...] = ()
    counts_plus: tuple[Path, ...] = ()
    counts_minus: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    min_count: float = 0.0
    name: str = "tss"
    title: str = "Transcription start sites"
    data: str = ""
    license: str = ""
    architecture: str = "tss-thesis"
    epochs: int = 100
    patience: int = 10
    batch_size: int = 256
    learning_rate: float = 1e-3
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    resume: bool = False
    command: str = ""


@dataclass(frozen=True)
class _Part:
    """The labelled windows of one part of the split."""

    examples: TssExamples
    windows: Windows


def train_tss(options: TssOptions, progress: Progress) -> Path:
    """Train, calibrate, evaluate, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown architecture or sequence, or an output folder that holds another run.
        DataError: genome, clusters, counts or exclusions are missing or malformed.
        ModelError: the exported graph does not reproduce the net.
    """
    plan = architecture(options.architecture, "tss")
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    refuse_device(options.device)
    with open_genome(options.genome) as genome:
        data = load_data(options, genome, progress)
        parts = {part: _windows(data, part, plan, options.seed) for part in PARTS}
        progress.note(_count_text(parts))
        # Not before all input is known to be sound: bad input leaves no folder behind.
        (options.output / "report").mkdir(parents=True, exist_ok=True)
        settings = TrainingOptions(
            options.output, options.epochs, options.patience, options.batch_size, options.learning_rate,
            options.seed, options.device, options.resume,
        )  # fmt: skip
        net, result = train_net(data, {name: part.windows for name, part in parts.items()}, plan, settings, progress)
        windows = _window_figures(net, parts, options)
        baselines = _baselines(parts, progress)
        models: dict[str, Scorer] = {"net": NetScorer(net, plan.window, device=options.device), **baselines}
        windows |= {name: _baseline_figures(model, parts["test"]) for name, model in baselines.items()}
        judged = {name: _judge(model, data, parts["train"], progress) for name, model in models.items()}
        figures = {
            "data": _data_figures(data, parts, options),
            "fit": {"best_epoch": result.best_epoch + 1, "epochs": len(result.history), "history": result.history},
            "windows": windows,
            "every_base": {name: entry.figures for name, entry in judged.items()},
        }
        frequencies = base_frequencies(genome, data.split)
    chosen = judged["net"]
    card = tss_card(
        asdict(options) | {"summary": plan.summary, "manner": plan.manner}, figures, frequencies, plan.window
    )
    weights = {name: value.cpu() for name, value in net.state_dict().items()}
    save_model(SavedModel(options.architecture, weights, chosen.calibration, card), options.output / "model.pt")
    path = export(Calibrated(net, chosen.calibration), card, options.output / "model.onnx")
    curves = {name: entry.curves for name, entry in judged.items()}
    write_report(options.output, card, figures, curves, options.command)
    progress.note(f"wrote {path}")
    return path


def refuse_another_run(folder: Path, *, resume: bool) -> None:
    """Refuse an output folder that holds something, unless it is to be gone on with."""
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise UsageError(
            "the output folder is not empty", path=folder,
            remedy="give another one, or --resume to go on with the run in it",
        )  # fmt: skip


def load_data(options: TssOptions, genome: Genome, progress: Progress) -> TssData:
    """Clusters, counts, split and exclusions as the options say."""
    counts = open_counts(options.counts, options.counts_plus, options.counts_minus, genome.lengths)
    clusters = load_clusters(options.clusters, counts, genome.lengths)
    excluded = [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
    split = Split.of(
        genome.names,
        validation=options.validation,
        test=options.test,
        left_out=whole_sequences(excluded, genome.lengths),
    )
    data = TssData(genome, clusters, split, excluded=excluded, min_count=options.min_count, counts=counts)
    if not len(data.kept):
        raise DataError("no cluster is left", path=options.clusters[0], remedy="lower --min-count or exclude less")
    progress.note(f"{len(clusters):,} clusters, of which {len(data.kept):,} are used")
    return data


def whole_sequences(excluded: list[Interval], lengths: Mapping[str, int]) -> list[str]:
    """Names of sequences that are excluded from end to end."""
    return [region.name for region in excluded if region.start == 0 and region.end == lengths[region.name]]


def _windows(data: TssData, part: str, plan: Architecture, seed: int) -> _Part:
    examples = data.examples(part, (seed,))
    return _Part(examples, (read_windows(data.genome, examples.sites, plan.window), examples.labels))


def _count_text(parts: Mapping[str, _Part]) -> str:
    counts = (
        f"{name}: " + ", ".join(f"{n:,} {c}" for c, n in zip(CLASSES, _class_counts(part), strict=True))
        for name, part in parts.items()
    )
    return "windows " + "; ".join(counts)


def _class_counts(part: _Part) -> NDArray[np.int64]:
    return np.bincount(part.examples.labels, minlength=len(CLASSES))


def _window_figures(net: torch.nn.Module, parts: Mapping[str, _Part], options: TssOptions) -> dict[str, Any]:
    logits = predict(net, FixedWindows(parts["test"].windows, 1024), device=options.device)
    return {"net": evaluate_windows(logits, parts["test"].examples)}


def _baselines(parts: Mapping[str, _Part], progress: Progress) -> dict[str, Any]:
    """The linear models, fitted on the training windows."""
    progress.start("fitting the linear models", 2, "models")
    kmer = fit_kmer_model(parts["train"].windows, parts["validation"].windows)
    progress.advance(1)
    positional = fit_positional_model(parts["train"].windows, parts["validation"].windows)
    progress.advance(1)
    progress.finish()
    return {"kmer": kmer, "positional": positional}


def _baseline_figures(model: Any, test: _Part) -> dict[str, Any]:
    settings = {"k": model.k} if hasattr(model, "k") else {}
    return evaluate_windows(model.logits(test.windows[0]), test.examples) | settings | {"penalty": model.penalty}


@dataclass(frozen=True)
class _Judgement:
    """A calibrated model's figures at natural prevalence, and its test curves by class."""

    calibration: Calibration
    figures: dict[str, Any]
    curves: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


def _judge(scorer: Scorer, data: TssData, train: _Part, progress: Progress) -> _Judgement:
    """Calibrate and choose thresholds on validation, then evaluate there and on test."""
    genome, split = data.genome, data.split
    validation = EveryBase(data, "validation", score_sequences(scorer, genome, split.validation, progress))
    shift = prior_shift(_class_counts(train), validation.counts)
    calibration = fit_calibration(validation.logits, validation.labels, shift)
    thresholds = {name: validation.best_threshold(calibration, name) for name in SITE_CLASSES}
    test = EveryBase(data, "test", score_sequences(scorer, genome, split.test, progress))
    figures = {
        "calibration": {
            "prior_shift": list(shift.shift), "scale": calibration.scale, "shift": list(calibration.shift),
            "sums_uncalibrated": test.sums(Calibration(1.0, (0.0,) * len(CLASSES))),
            "sums_prior_shift": test.sums(shift),
        },
        "validation": validation.evaluate(calibration, thresholds),
        "test": test.evaluate(calibration, thresholds),
    }  # fmt: skip
    return _Judgement(calibration, figures, test.curves(calibration))


def base_frequencies(genome: Genome, split: Split) -> tuple[float, float, float, float]:
    """Shares of A, C, G, T on both strands of the training sequences: the reference of contributions."""
    counts = np.zeros(5, dtype=np.int64)
    for name in split.train:
        for start in range(0, genome.lengths[name], 1 << 20):
            codes = genome.fetch(name, start, min(start + (1 << 20), genome.lengths[name]))
            counts += np.bincount(codes, minlength=5)
    # A and T change places on the other strand
    weak = round(float(counts[0] + counts[3]) / (2 * float(counts[:4].sum())), 4)
    strong = round(0.5 - weak, 4)
    return weak, strong, strong, weak


def _data_figures(data: TssData, parts: Mapping[str, _Part], options: TssOptions) -> dict[str, Any]:
    lengths = class_labels(data.kept)
    return {
        "assembly": assembly_name(data.genome.lengths) or "",
        "clusters": {name: int((lengths == i).sum()) for i, name in enumerate(CLASSES) if i},
        "min_count": options.min_count,
        "split": {part: list(getattr(data.split, part)) for part in PARTS},
        "examples": {
            part: dict(zip(CLASSES, (int(n) for n in _class_counts(entry)), strict=True))
            for part, entry in parts.items()
        },
    }
