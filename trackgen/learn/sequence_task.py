"""The task ``sequences``: from a set of labelled sequences to an exported, calibrated classifier with its report.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``),
``metrics.csv`` (one line for each look at validation), ``report/`` (figures as JSON and pictures), and
``checkpoint.pt`` (for resuming).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from trackgen.card import Card
from trackgen.errors import UsageError
from trackgen.genome import reverse_complement
from trackgen.learn.architectures.sequence_nets import SequenceNet, sequence_net
from trackgen.learn.calibration import Calibration, fit_calibration, reliability
from trackgen.learn.datasets.batches import FixedWindows, StepBatches
from trackgen.learn.datasets.importers import WINDOW, SetOptions, open_set
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.datasets.near import near_identical
from trackgen.learn.datasets.occupancy import THRESHOLD
from trackgen.learn.datasets.sequences import Parts, SequenceSet
from trackgen.learn.export import calibrated, export
from trackgen.learn.fit import FitOptions, FitResult, fit, predict, seed_everything
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.motif import Motif, find_motif
from trackgen.learn.saved import SavedModel, save_model
from trackgen.learn.sequence_report import sequence_card, write_report
from trackgen.learn.starts import start_from_motifs
from trackgen.learn.stepping import refuse_precision
from trackgen.learn.tss_task import refuse_another_run
from trackgen.progress import Progress

__all__ = ["SequenceOptions", "train_sequences"]

PREDICTED_AT_ONCE = 1000


@dataclass(frozen=True)
class SequenceOptions:
    """What to train on, and how; see ``trackgen train sequences --help`` for the meaning of each."""

    set: str
    output: Path
    genome: Path | None = None
    window: int = WINDOW
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    motif_threshold: float = THRESHOLD
    name: str = "sequences"
    title: str = "Transcription-factor binding"
    label: str = "bound"
    data: str = ""
    license: str = ""
    architecture: str = "1layer_128motif"
    activation: str = "sigmoid"
    strands: str = "average"
    scan_window: int | None = None
    stride: int = 10
    optimizer: str = "adadelta"
    learning_rate: float = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6
    dropout: float = 0.5
    motifs: Path | None = None
    motif: tuple[str, ...] = ()
    precision: str = "fp32"
    steps: int = 5000
    every: int = 500
    patience: int = 10
    batch_size: int = 100
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    resume: bool = False
    command: str = ""


def train_sequences(options: SequenceOptions, progress: Progress) -> Path:
    """Train, calibrate, evaluate, export; returns the path of the exported model.

    Raises:
        UsageError: an unknown architecture, a length that does not suit it, an output folder that holds another run.
        DataError: the set's files are missing or malformed, or too few.
        ModelError: the exported graph does not reproduce the net.
    """
    plan = sequence_net(options.architecture)
    torch.set_num_threads(options.threads)
    refuse_another_run(options.output, resume=options.resume)
    _refuse_length(options, plan)
    refuse_precision(options.precision, options.device)
    found = open_set(
        options.set,
        SetOptions(
            options.genome, options.window, options.test, options.validation, options.exclude, options.motif_threshold
        ),
    )
    parts = found.parts(options.seed)
    for note in (*found.notes, *_sizes(parts)):
        progress.note(note)
    # Not before all input is known to be sound: bad input leaves no folder behind.
    net, options_of_net = _build(plan, found.window, options, progress), asdict(options) | {"summary": plan.summary}
    (options.output / "report").mkdir(parents=True, exist_ok=True)
    result = _fit(net, parts, options, progress)
    turned = options.strands == "average" and plan.strands == "forward"
    judged = _judge(net, parts, options, turned=turned)
    figures = {
        "data": _data_figures(found, parts), "models": judged.figures,
        "fit": {"best_step": (result.best_epoch + 1) * options.every, "steps": len(result.history) * options.every,
                "history": result.history},
    }  # fmt: skip
    window = options.scan_window or found.window
    card = sequence_card(options_of_net, figures, base_shares(parts.train.codes), window, turned=turned)
    return _write(options, plan, net, judged, card, figures, progress)


def _refuse_length(options: SequenceOptions, plan: SequenceNet) -> None:
    if options.scan_window is not None and not plan.any_length:
        raise UsageError(
            "the weights of this net know the length of its sequences", found=f"--scan-window {options.scan_window}",
            wanted="an architecture with a global max-pool, such as 1layer_128motif",
        )  # fmt: skip
    if options.steps % options.every:
        raise UsageError(
            "the steps are no multiple of those between looks at validation",
            found=f"--steps {options.steps}, --every {options.every}",
        )


def _sizes(parts: Parts) -> list[str]:
    return [
        f"{name}: {int((part.labels == 1).sum()):,} bound, {int((part.labels == 0).sum()):,} unbound sequences"
        for name, part in vars(parts).items()
    ]


def _build(plan: SequenceNet, window: int, options: SequenceOptions, progress: Progress) -> nn.Module:
    seed_everything(options.seed)
    net = plan.build(length=window, dropout=options.dropout)
    if options.motifs is not None:
        database = read_motifs(options.motifs)
        chosen = {name: matrix for text in options.motif for name, matrix in database.find(text).items()}
        motifs = list((chosen or database.motifs).values())
        assert isinstance(net.convolution, nn.Conv1d)  # every classifier of sequences has its kernels there
        used = start_from_motifs(net.convolution, motifs, one_strand=plan.strands == "forward")
        progress.note(f"{used:,} of {len(motifs):,} motifs of {options.motifs} are kernels at the start")
    elif options.motif:
        raise UsageError("a motif was chosen, and no file of motifs", found=f"--motif {options.motif[0]}",
                         remedy="give --motifs FILE too")  # fmt: skip
    return net


def _fit(net: nn.Module, parts: Parts, options: SequenceOptions, progress: Progress) -> FitResult:
    settings = FitOptions(
        epochs=options.steps // options.every, patience=options.patience, monitor="auroc", larger_is_better=True,
        optimizer=options.optimizer, learning_rate=options.learning_rate, rho=options.rho, epsilon=options.epsilon,
        precision=options.precision, seed=options.seed, device=options.device,
    )  # fmt: skip
    train = StepBatches((parts.train.codes, parts.train.labels), options.batch_size, options.every, options.seed)
    return fit(
        net, functional.cross_entropy, train, _in_order(parts.validation.codes, parts.validation.labels), settings,
        metrics={"auroc": lambda logits, labels: auroc(labels == 1, log_odds(logits))},
        checkpoint=options.output / "checkpoint.pt", resume=options.resume,
        metrics_csv=options.output / "metrics.csv", history_png=options.output / "report" / "history.png",
        progress=progress,
    )  # fmt: skip


def _in_order(codes: NDArray[np.uint8], labels: NDArray[np.int64]) -> FixedWindows:
    return FixedWindows((codes, labels), PREDICTED_AT_ONCE)


def log_odds(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64[n] of float[n, 2] logits; 0, what no sequence tells, where a weight is no number any more."""
    odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    return odds if np.isfinite(odds).all() else np.zeros(len(odds))


@dataclass(frozen=True)
class _Judgement:
    """The net's calibration, figures of it and of simple models, and (recall, precision) on the test sequences."""

    calibration: Calibration
    figures: dict[str, Any]
    curves: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


def _judge(net: nn.Module, parts: Parts, options: SequenceOptions, *, turned: bool) -> _Judgement:
    """Calibrate and choose the threshold on validation, then judge there and on test; motif and k-mers beside it."""
    both = [_logits(net, part, options.device, turned) for part in (parts.validation, parts.test)]
    labels = [part.labels for part in (parts.validation, parts.test)]
    start = Calibration(1.0, (0.0, 0.0))
    calibration = fit_calibration(both[0].reshape(-1, 2), np.tile(labels[0], len(both[0])), start)
    probability = [np.mean([calibration.apply(strand)[:, 1] for strand in logits], axis=0) for logits in both]
    threshold = _best_threshold(labels[0] == 1, probability[0])
    figures: dict[str, Any] = {
        part: _figures(truth == 1, values, threshold)
        for part, truth, values in zip(("validation", "test"), labels, probability, strict=True)
    }
    figures["test"]["auroc_of_one_strand"] = auroc(labels[1] == 1, log_odds(both[1][0]))
    near = near_identical(parts.test.codes, parts.train.codes)
    apart = labels[1][~near]
    figures["test"]["near_training"] = int(near.sum())
    figures["test"]["auroc_apart"] = auroc(apart == 1, probability[1][~near]) if len(np.unique(apart)) > 1 else None
    figures["threshold"] = threshold
    figures["calibration"] = {"scale": calibration.scale, "shift": calibration.shift[1]}
    scores = {"net": probability[1], **_simple_scores(parts)}
    simple = {
        name: {"auroc": auroc(labels[1] == 1, values), "auprc": auprc(labels[1] == 1, values)}
        for name, values in scores.items()
    }
    return _Judgement(
        calibration, {"net": figures, "compared": simple}, {n: _curve(labels[1], v) for n, v in scores.items()}
    )  # fmt: skip


def _logits(net: nn.Module, part: SequenceSet, device: str, turned: bool) -> NDArray[np.float32]:
    """float32[strands, n, 2]: of the sequences, and, where `turned`, of their reverse complements."""
    strands = [part.codes, reverse_complement(part.codes)] if turned else [part.codes]
    return np.stack([predict(net, _in_order(codes, part.labels), device=device) for codes in strands])


def _best_threshold(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Of the highest F1, to three significant digits."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(truth, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return float(f"{thresholds[int(np.argmax(f1[:-1]))]:.3g}")


def _figures(truth: NDArray[np.bool_], probability: NDArray[np.float64], threshold: float) -> dict[str, Any]:
    called = probability >= threshold
    right = int((called & truth).sum())
    return {
        "sequences": len(truth), "bound": int(truth.sum()), "auroc": auroc(truth, probability),
        "auprc": auprc(truth, probability), "called": int(called.sum()),
        "precision": right / max(int(called.sum()), 1), "recall": right / max(int(truth.sum()), 1),
        "reliability": reliability(probability, truth),
    }  # fmt: skip


def _curve(labels: NDArray[np.int64], score: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(labels == 1, score)
    return recall[::-1], precision[::-1]


def _simple_scores(parts: Parts) -> dict[str, NDArray[np.float64]]:
    """Of the test sequences, by the best motif of the training sequences and by a regression on their k-mers."""
    from trackgen.learn.kmer import fit_kmer_model

    train, chosen = ((part.codes, part.labels) for part in (parts.train, parts.validation))
    kmers = fit_kmer_model(train, chosen).logits(parts.test.codes)
    # two classes: scikit-learn keeps one row of weights, the log-odds of the second
    return {"motif": training_motif(parts.train).best(parts.test.codes)[0], "kmers": kmers[:, -1]}


def training_motif(train: SequenceSet) -> Motif:
    """The motif that tells the bound training sequences from the others best."""
    return find_motif(train.codes[train.labels == 1], train.codes[train.labels == 0])


def base_shares(codes: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Shares of A, C, G, T among the known bases of both strands."""
    counts = np.bincount(codes.ravel(), minlength=5)[:4].astype(np.float64)
    shares = (counts + counts[::-1]) / (2 * counts.sum())
    a, c, g, t = (float(f"{share:.6f}") for share in shares)
    return a, c, g, t


def _data_figures(found: SequenceSet, parts: Parts) -> dict[str, Any]:
    motif = training_motif(parts.train)
    return {
        "set": found.name, "digest": found.digest, "length": found.window, "notes": list(found.notes),
        "motif": motif.consensus,
        "sequences": {
            name: {"bound": int((part.labels == 1).sum()), "unbound": int((part.labels == 0).sum())}
            for name, part in vars(parts).items()
        },
    }  # fmt: skip


def _write(
    options: SequenceOptions, plan: SequenceNet, net: nn.Module, judged: _Judgement, card: Card,
    figures: Mapping[str, Any], progress: Progress,
) -> Path:  # fmt: skip
    weights = {name: value.cpu() for name, value in net.state_dict().items()}
    saved = SavedModel(options.architecture, weights, judged.calibration, card)
    save_model(saved, options.output / "model.pt")
    path = export(calibrated(saved.build(), judged.calibration, card), card, options.output / "model.onnx")
    write_report(options.output, card, figures, judged.curves, options.command)
    progress.note(f"wrote {path}")
    return path
