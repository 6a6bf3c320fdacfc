"""The task ``binding``: from peaks, and a signal where there is one, to an exported model of one factor and its report.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``metrics.csv`` and ``metrics-sequence.csv`` (one line an epoch, of the net and of the same net without the signal),
``report/`` (figures as JSON and pictures), and checkpoints for resuming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trackgen.errors import UsageError
from trackgen.genome import assembly_name, open_genome
from trackgen.learn.architectures import Architecture, architecture
from trackgen.learn.binding_options import BindingOptions, CellFiles, checked
from trackgen.learn.binding_report import binding_card, manner, write_report
from trackgen.learn.binding_source import Source, load_source, open_track, region_classes
from trackgen.learn.binding_training import (
    PRETRAIN_EPOCHS,
    BindingTraining,
    Start,
    bin_scores,
    first_convolution,
    net_logits,
    refuse_flat,
    starts_from_motifs,
    train_net,
    training_motif,
)
from trackgen.learn.calibration import Calibration, fit_calibration, prior_shift, reliability
from trackgen.learn.datasets.binding import PARTS
from trackgen.learn.datasets.motif_files import Matrix, read_motifs
from trackgen.learn.export import calibrated, export
from trackgen.learn.fit import FitResult
from trackgen.learn.metrics import auprc, auroc, recall_at
from trackgen.learn.motif import Motif
from trackgen.learn.plots import Curve
from trackgen.learn.saved import SavedModel, save_model
from trackgen.learn.stepping import refuse_device
from trackgen.learn.thresholds import best_threshold
from trackgen.learn.tss_task import base_frequencies, refuse_another_run
from trackgen.progress import Progress

__all__ = ["BindingOptions", "CellFiles", "train_binding"]

FALSE_SHARES = (0.5, 0.1)
"""False discovery rates at which recall is given, as in ENCODE-DREAM."""


def train_binding(options: BindingOptions, progress: Progress) -> Path:
    """Train, calibrate, evaluate, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown architecture or sequence, or an output folder that holds another run.
        DataError: genome, peaks, signal or exclusions are missing or malformed.
        ModelError: the exported graph does not reproduce the net.
    """
    options = checked(options)
    plan = architecture(options.architecture, "binding")
    motifs = _known_motifs(options, plan)
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    refuse_device(options.device)
    with ExitStack() as stack:
        genome = stack.enter_context(open_genome(options.genome))
        source = load_source(options, genome, stack)
        for part in PARTS:
            source.data.draw(part, (options.seed,))
            counts = ", ".join(f"{n:,} {name}" for name, n in source.data.counts(part).items())
            progress.note(f"bins of the {part} part: {counts}")
        start = _start(options, motifs, source, stack)
        # Not before all input is known to be sound: bad input leaves no folder behind.
        (options.output / "report").mkdir(parents=True, exist_ok=True)
        motif = training_motif(source.data, options.seed)
        fits, judged = _judge_all(source, plan, motif, start, options, progress)
        figures = {
            "data": _data_figures(source, options),
            "motif": {"consensus": motif.consensus, "log_odds": motif.log_odds.tolist()},
            "fit": {name: _fit_figures(result) for name, (_, result, _) in fits.items()},
            "start": _start_figures(options, motifs, plan, fits["net"][2]),
            "models": {name: entry.figures for name, entry in judged.items()},
        }  # fmt: skip
        frequencies = base_frequencies(genome, source.data.split)
    return _write(options, plan, fits["net"][0], judged, figures, frequencies, progress)


def _write(
    options: BindingOptions, plan: Architecture, net: nn.Module, judged: Mapping[str, _Judgement],
    figures: Mapping[str, Any], frequencies: tuple[float, float, float, float], progress: Progress,
) -> Path:  # fmt: skip
    settings = asdict(options) | {
        "summary": plan.summary,
        "manner": manner(figures, plan.manner),
        "input": options.signal[0] if options.signal else "",
    }
    card = binding_card(settings, figures, frequencies, plan.window)
    calibration = judged["net"].calibration
    weights = {name: value.cpu() for name, value in net.state_dict().items()}
    save_model(SavedModel(options.architecture, weights, calibration, card), options.output / "model.pt")
    path = export(calibrated(net, calibration, card), card, options.output / "model.onnx")
    write_report(options.output, card, figures, {name: entry.curve for name, entry in judged.items()}, options.command)
    progress.note(f"wrote {path}")
    return path


@dataclass(frozen=True)
class _Judgement:
    """A calibrated model's figures, and its (recall, precision) on the test bins."""

    calibration: Calibration
    figures: dict[str, Any]
    curve: Curve


_Fits = dict[str, tuple[nn.Module, FitResult, FitResult | None]]


def _judge_all(
    source: Source, plan: Architecture, motif: Motif, start: Start, options: BindingOptions, progress: Progress
) -> tuple[_Fits, dict[str, _Judgement]]:
    """Train both nets; figures of them and of the simple models on every bin of validation and test."""
    settings = BindingTraining(
        options.output, options.epochs, options.patience, options.batch_size, options.learning_rate,
        options.seed, options.device, options.resume, options.precision, start,
    )  # fmt: skip
    fits: _Fits = {}
    scores: dict[str, list[NDArray[np.float64]]] = {}
    for name in ("net", "sequence") if source.track is not None else ("net",):
        own = plan if name == "net" else architecture(plan.blind)
        suffix = "-sequence" if name != "net" else ""
        fits[name] = train_net(source, own, motif, settings, progress, suffix=suffix)
        scores[name] = [net_logits(fits[name][0], source, part, plan, options.device) for part in PARTS[1:]]
    bins = {part: source.data.all_bins(part) for part in PARTS[1:]}
    plain = [bin_scores(source, motif, sites) for sites, _ in bins.values()]
    for column, name in enumerate(("motif", "signal")[: plain[0].shape[1]]):
        scores[name] = [values[:, column : column + 1] for values in plain]
    if source.track is not None:
        sites, labels = source.data.draw("train", (options.seed,))
        scores["motif_and_signal"] = _linear(bin_scores(source, motif, sites), labels, plain)
    truths = [labels > 0 for _, labels in bins.values()]
    return fits, {name: _judge(values, truths, source.classes()) for name, values in scores.items()}


def _linear(
    features: NDArray[np.float64], labels: NDArray[np.float32], wanted: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Logits of the logistic regression on the features, for each array of features in `wanted`."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(max_iter=200).fit((features - mean) / deviation, labels > 0)
    return [model.decision_function((values - mean) / deviation)[:, None] for values in wanted]


def _judge(
    logits: Sequence[NDArray[np.float64]], truths: Sequence[NDArray[np.bool_]], trained: NDArray[np.int64]
) -> _Judgement:
    """Calibrate and choose the threshold on validation, then evaluate there and on test.

    Args:
        logits: of validation and test: float64[n, orientations]; the probability of a bin is their mean.
        truths: bool[n] each.
        trained: int64[2], unbound and bound examples of training, up to a factor.
    """
    from sklearn.metrics import precision_recall_curve

    calibration = _calibration(logits[0], truths[0], trained)
    probabilities = [_probability(calibration, values) for values in logits]
    threshold = best_threshold(truths[0], probabilities[0])
    figures = {
        part: _figures(truth, probability, threshold)
        for part, truth, probability in zip(PARTS[1:], truths, probabilities, strict=True)
    }
    figures["threshold"] = {"value": threshold}
    figures["calibration"] = {"scale": calibration.scale, "shift": calibration.shift[1]}
    precision, recall, _ = precision_recall_curve(truths[1], probabilities[1])
    return _Judgement(calibration, figures, (recall[::-1], precision[::-1]))


def _calibration(logits: NDArray[np.float64], truth: NDArray[np.bool_], trained: NDArray[np.int64]) -> Calibration:
    """Scale and shift of the highest likelihood on all bins of validation, each orientation an example."""
    labels = np.repeat(truth.astype(np.int64), logits.shape[1])
    both = np.stack([np.zeros(logits.size), logits.ravel()], axis=1)
    return fit_calibration(both, labels, prior_shift(trained, np.bincount(labels, minlength=2)))


def _probability(calibration: Calibration, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    both = np.stack([np.zeros(logits.size), logits.ravel()], axis=1)
    return np.asarray(calibration.apply(both)[:, 1].reshape(logits.shape).mean(axis=1))


def _figures(truth: NDArray[np.bool_], probability: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    called = probability >= threshold
    right = int((called & truth).sum())
    return {
        "bins": len(truth), "bound": int(truth.sum()), "prevalence": float(truth.mean()),
        "auroc": auroc(truth, probability), "auprc": auprc(truth, probability),
        **{f"recall_at_{share * 100:g}_fdr": recall_at(truth, probability, share) for share in FALSE_SHARES},
        "called": int(called.sum()), "precision": right / max(int(called.sum()), 1),
        "recall": right / max(int(truth.sum()), 1), "sum": float(probability.sum()),
        "reliability": reliability(probability, truth),
    }  # fmt: skip


def _data_figures(source: Source, options: BindingOptions) -> dict[str, Any]:
    data = source.data
    every = [peak for entries in data.peaks.values() for peak in entries]
    figures = {
        "assembly": assembly_name(data.genome.lengths) or "",
        "peaks": {"strong": sum(peak.strong for peak in every), "weak": sum(not peak.strong for peak in every)},
        "relaxed": options.relaxed is not None, "ambiguous_as": options.ambiguous_as,
        "min_score": options.min_score, "peak_width": options.peak_width,
        "split": {part: list(getattr(data.split, part)) for part in PARTS},
        "bins": {part: dict(data.counts(part)) for part in PARTS},
    }  # fmt: skip
    if source.regions is not None:
        # of the main cell type the name is a path, and nobody's business
        names = ["", *(cell.name for cell in options.cell)]
        figures["regions"] = [
            {"cell": name, "others": cell.others, "unbound": int(counts[0]), "bound": int(counts[1])}
            for name, cell in zip(names, source.regions.train, strict=True)
            for counts in (region_classes(cell),)
        ]
    return figures


def _fit_figures(result: FitResult) -> dict[str, Any]:
    return {"best_epoch": result.best_epoch + 1, "epochs": len(result.history), "history": result.history}


def _known_motifs(options: BindingOptions, plan: Architecture) -> dict[str, Matrix]:
    """Motifs to start from, by name: those that were named, else all of the file.

    Raises:
        DataError: the file is missing or no motif file, or has no motif of a name.
        UsageError: the net's filters can't hold a motif.
    """
    if options.motifs is None:
        return {}
    database = read_motifs(options.motifs)
    chosen = {name: matrix for text in options.motif for name, matrix in database.find(text).items()}
    net = plan.build()
    if not starts_from_motifs(net):
        raise UsageError(
            "the net's first filters are too narrow for a motif", wanted="another --architecture, or no --motifs",
            found=f"{options.architecture} with a width of {first_convolution(net).kernel_size[0]} bp",
        )  # fmt: skip
    return chosen or dict(database.motifs)


def _start(options: BindingOptions, motifs: Mapping[str, Matrix], source: Source, stack: ExitStack) -> Start:
    signal = None
    if options.pretrain is not None:
        signal = open_track(options.pretrain, "chip", source.data.genome, stack)
        refuse_flat(signal, source.data, options.seed, options.pretrain)
    epochs = PRETRAIN_EPOCHS if options.pretrain_epochs is None else options.pretrain_epochs
    return Start(tuple(motifs.values()), signal, epochs)


def _start_figures(
    options: BindingOptions, motifs: Mapping[str, Matrix], plan: Architecture, before: FitResult | None
) -> dict[str, Any]:
    figures: dict[str, Any] = {"filters": "drawn"}
    if motifs:
        room = len(first_convolution(plan.build()).weight) // 4
        figures = {"filters": "known", "motifs": list(motifs)[:room]}
    elif starts_from_motifs(plan.build()):
        figures = {"filters": "found"}
    return figures if before is None else figures | {"signal": _fit_figures(before)}
