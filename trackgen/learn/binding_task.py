"""The task ``binding``: from peaks, and a signal where there is one, to an exported model of one factor and its report.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``metrics.csv`` and ``metrics-sequence.csv`` (one line an epoch, of the net and of the same net without the signal),
``report/`` (figures as JSON and pictures), and checkpoints for resuming.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trackgen.card import InputSpec
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, assembly_name, open_genome, open_signal, parse_regions
from trackgen.learn.architectures import Architecture, architecture
from trackgen.learn.binding_report import binding_card, write_report
from trackgen.learn.binding_training import BindingTraining, Source, bin_scores, net_logits, train_net, training_motif
from trackgen.learn.calibration import Calibration, fit_calibration, prior_shift, reliability
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.binding import PARTS, PEAK_WIDTH, UNBOUND_PER_BOUND, BindingData, Peak
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.tracks import Track
from trackgen.learn.export import calibrated, export
from trackgen.learn.fit import FitResult
from trackgen.learn.metrics import auprc, auroc, recall_at
from trackgen.learn.motif import Motif
from trackgen.learn.plots import Curve
from trackgen.learn.saved import SavedModel, save_model
from trackgen.learn.tss_task import base_frequencies, refuse_another_run, whole_sequences
from trackgen.progress import Progress

__all__ = ["BindingOptions", "train_binding"]

WITH_SIGNAL, SEQUENCE_ALONE = "binding-thesis", "binding-sequence"
"""Nets of `trackgen.learn.architectures`."""
FALSE_SHARES = (0.5, 0.1)
"""False discovery rates at which recall is given, as in ENCODE-DREAM."""


@dataclass(frozen=True)
class BindingOptions:
    """What to train on, and how; see ``trackgen train binding --help`` for the meaning of each."""

    genome: Path
    peaks: Path
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    signal: tuple[str, Path] | None = None
    exclude: tuple[str, ...] = ()
    peak_width: int = PEAK_WIDTH
    min_score: float = 0.0
    name: str = "binding"
    title: str = "Transcription-factor binding"
    label: str = "bound"
    data: str = ""
    license: str = ""
    architecture: str = ""
    epochs: int = 60
    patience: int = 10
    batch_size: int = 256
    learning_rate: float = 5e-3
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    resume: bool = False
    command: str = ""


def train_binding(options: BindingOptions, progress: Progress) -> Path:
    """Train, calibrate, evaluate, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown architecture or sequence, or an output folder that holds another run.
        DataError: genome, peaks, signal or exclusions are missing or malformed.
        ModelError: the exported graph does not reproduce the net.
    """
    options = _with_architecture(options)
    plan = architecture(options.architecture, "binding")
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    with ExitStack() as stack:
        genome = stack.enter_context(open_genome(options.genome))
        track = None
        if options.signal is not None:
            reader = stack.enter_context(open_signal(options.signal[1]))
            spec = InputSpec(options.signal[0], "signal", transform=(("log1p", ()),))
            track = Track(spec, reader, genome.lengths)
        source = Source(load_data(options, genome), track)
        for part in PARTS:
            source.data.draw(part, (options.seed,))
            counts = ", ".join(f"{n:,} {name}" for name, n in source.data.counts(part).items())
            progress.note(f"bins of the {part} part: {counts}")
        # Not before all input is known to be sound: bad input leaves no folder behind.
        (options.output / "report").mkdir(parents=True, exist_ok=True)
        motif = training_motif(source.data, options.seed)
        fits, judged = _judge_all(source, plan, motif, options, progress)
        figures = {
            "data": _data_figures(source.data, options),
            "motif": {"consensus": motif.consensus, "log_odds": motif.log_odds.tolist()},
            "fit": {
                name: {"best_epoch": result.best_epoch + 1, "epochs": len(result.history), "history": result.history}
                for name, (_, result) in fits.items()
            },
            "models": {name: entry.figures for name, entry in judged.items()},
        }  # fmt: skip
        frequencies = base_frequencies(genome, source.data.split)
    return _write(options, plan, fits["net"][0], judged, figures, frequencies, progress)


def _with_architecture(options: BindingOptions) -> BindingOptions:
    """With the net for what there is to read, unless another was asked for.

    Raises:
        UsageError: a net that reads a signal, without a signal, or the other way round.
    """
    fitting = SEQUENCE_ALONE if options.signal is None else WITH_SIGNAL
    if options.architecture not in ("", SEQUENCE_ALONE, WITH_SIGNAL) or options.architecture in ("", fitting):
        return replace(options, architecture=options.architecture or fitting)
    raise UsageError(
        "the net does not fit the data", wanted=fitting,
        found=f"{options.architecture} {'with' if options.signal else 'without'} a signal",
        remedy="leave --architecture out, and give --signal where there is one",
    )  # fmt: skip


def _write(
    options: BindingOptions, plan: Architecture, net: nn.Module, judged: Mapping[str, _Judgement],
    figures: Mapping[str, Any], frequencies: tuple[float, float, float, float], progress: Progress,
) -> Path:  # fmt: skip
    settings = asdict(options) | {
        "summary": plan.summary,
        "manner": plan.manner,
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


def load_data(options: BindingOptions, genome: Genome) -> BindingData:
    """Peaks, split and exclusions as the options say; a peak below the least score is a weak one."""
    peaks: dict[str, list[Peak]] = {}
    for row in read_peaks(options.peaks, genome.lengths):
        peaks.setdefault(row.name, []).append(Peak(row.start, row.end, row.score >= options.min_score))
    if not any(peak.strong for entries in peaks.values() for peak in entries):
        raise DataError("no peak is left", path=options.peaks, remedy="lower --min-score")
    if options.peak_width < 1:
        raise UsageError("peaks have a width", found=options.peak_width, wanted="1 or more")
    excluded = [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
    left_out = whole_sequences(excluded, genome.lengths)
    split = Split.of(genome.names, validation=options.validation, test=options.test, left_out=left_out)
    return BindingData(genome, peaks, split, excluded=excluded, peak_width=options.peak_width)


@dataclass(frozen=True)
class _Judgement:
    """A calibrated model's figures, and its (recall, precision) on the test bins."""

    calibration: Calibration
    figures: dict[str, Any]
    curve: Curve


_Fits = dict[str, tuple[nn.Module, FitResult]]


def _judge_all(
    source: Source, plan: Architecture, motif: Motif, options: BindingOptions, progress: Progress
) -> tuple[_Fits, dict[str, _Judgement]]:
    """Train both nets; figures of them and of the simple models on every bin of validation and test."""
    settings = BindingTraining(
        options.output, options.epochs, options.patience, options.batch_size, options.learning_rate,
        options.seed, options.device, options.resume,
    )  # fmt: skip
    fits: _Fits = {}
    scores: dict[str, list[NDArray[np.float64]]] = {}
    for name in ("net", "sequence") if source.track is not None else ("net",):
        with_signal = source.track is not None and name == "net"
        fits[name] = train_net(
            source,
            plan,
            motif,
            settings,
            progress,
            with_signal=with_signal,
            suffix="-sequence" if name != "net" else "",
        )
        scores[name] = [net_logits(fits[name][0], source, part, plan, options.device) for part in PARTS[1:]]
    bins = {part: source.data.all_bins(part) for part in PARTS[1:]}
    plain = [bin_scores(source, motif, sites) for sites, _ in bins.values()]
    for column, name in enumerate(("motif", "signal")[: plain[0].shape[1]]):
        scores[name] = [values[:, column : column + 1] for values in plain]
    if source.track is not None:
        sites, labels = source.data.draw("train", (options.seed,))
        scores["motif_and_signal"] = _linear(bin_scores(source, motif, sites), labels, plain)
    truths = [labels > 0 for _, labels in bins.values()]
    return fits, {name: _judge(values, truths) for name, values in scores.items()}


def _linear(
    features: NDArray[np.float64], labels: NDArray[np.float32], wanted: Sequence[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Logits of the logistic regression on the features, for each array of features in `wanted`."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = LogisticRegression(max_iter=200).fit((features - mean) / deviation, labels > 0)
    return [model.decision_function((values - mean) / deviation)[:, None] for values in wanted]


def _judge(logits: Sequence[NDArray[np.float64]], truths: Sequence[NDArray[np.bool_]]) -> _Judgement:
    """Calibrate and choose the threshold on validation, then evaluate there and on test.

    Args:
        logits: of validation and test: float64[n, orientations]; the probability of a bin is their mean.
        truths: bool[n] each.
    """
    from sklearn.metrics import precision_recall_curve

    calibration = _calibration(logits[0], truths[0])
    probabilities = [_probability(calibration, values) for values in logits]
    precision, recall, thresholds = precision_recall_curve(truths[0], probabilities[0])
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    threshold = float(f"{thresholds[int(np.argmax(f1[:-1]))]:.3g}")
    figures = {
        part: _figures(truth, probability, threshold)
        for part, truth, probability in zip(PARTS[1:], truths, probabilities, strict=True)
    }
    figures["threshold"] = {"value": threshold}
    figures["calibration"] = {"scale": calibration.scale, "shift": calibration.shift[1]}
    precision, recall, _ = precision_recall_curve(truths[1], probabilities[1])
    return _Judgement(calibration, figures, (recall[::-1], precision[::-1]))


def _calibration(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> Calibration:
    """Scale and shift of the highest likelihood on all bins of validation, each orientation an example."""
    labels = np.repeat(truth.astype(np.int64), logits.shape[1])
    both = np.stack([np.zeros(logits.size), logits.ravel()], axis=1)
    trained = np.array([UNBOUND_PER_BOUND, 1])
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


def _data_figures(data: BindingData, options: BindingOptions) -> dict[str, Any]:
    every = [peak for entries in data.peaks.values() for peak in entries]
    return {
        "assembly": assembly_name(data.genome.lengths) or "",
        "peaks": {"strong": sum(peak.strong for peak in every), "weak": sum(not peak.strong for peak in every)},
        "min_score": options.min_score, "peak_width": options.peak_width,
        "split": {part: list(getattr(data.split, part)) for part in PARTS},
        "bins": {part: dict(data.counts(part)) for part in PARTS},
    }  # fmt: skip
