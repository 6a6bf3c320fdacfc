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
from trackgen.learn.architectures.sequence_nets import SequenceNet, sequence_net
from trackgen.learn.datasets.batches import StepBatches
from trackgen.learn.datasets.importers import WINDOW, SetOptions, open_set
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.datasets.occupancy import THRESHOLD
from trackgen.learn.datasets.reshuffled import ReshuffledBatches
from trackgen.learn.datasets.sequences import Parts, SequenceSet
from trackgen.learn.export import calibrated, export
from trackgen.learn.fit import BatchSource, FitOptions, FitResult, fit, seed_everything
from trackgen.learn.metrics import auroc
from trackgen.learn.saved import SavedModel, save_model
from trackgen.learn.sequence_judging import Judged, Judgement, genome_parts, in_order, judge, log_odds, training_motif
from trackgen.learn.sequence_report import sequence_card, write_report
from trackgen.learn.starts import start_from_motifs
from trackgen.learn.stepping import refuse_device, refuse_precision
from trackgen.learn.tss_task import refuse_another_run
from trackgen.progress import Progress

__all__ = ["SequenceOptions", "train_sequences"]


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
    prevalence: float | None = None
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
    new_shuffles: bool = False
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
    refuse_device(options.device)
    _refuse_length(options, plan)
    refuse_precision(options.precision, options.device)
    of_set = SetOptions(
        options.genome, options.window, options.test, options.validation, options.exclude, options.motif_threshold
    )
    found = open_set(options.set, of_set)
    parts = found.parts(options.seed)
    parts.require_classes()
    scanned = parts if options.prevalence is None else genome_parts(found, parts, of_set, options.seed)
    for note in (*found.notes, *_sizes(parts)):
        progress.note(note)
    # Not before all input is known to be sound: bad input leaves no folder behind.
    net, options_of_net = _build(plan, found.window, options, progress), asdict(options) | {"summary": plan.summary}
    (options.output / "report").mkdir(parents=True, exist_ok=True)
    result = _fit(net, parts, options, progress)
    turned = options.strands == "average" and plan.strands == "forward"
    judged = judge(Judged(net, options.device, turned), parts, options.prevalence, scanned)
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
    if options.new_shuffles and options.set.rpartition("=")[2].startswith(("occupancy:", "free:")):
        raise UsageError(
            "unbound sequences of this set are no shuffles", found="--new-shuffles", wanted="a set of motif discovery"
        )
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
    held_out = in_order(parts.validation.codes, parts.validation.labels)
    return fit(
        net, functional.cross_entropy, _batches(parts, options), held_out, settings,
        metrics={"auroc": lambda logits, labels: auroc(labels == 1, log_odds(logits))},
        checkpoint=options.output / "checkpoint.pt", resume=options.resume,
        metrics_csv=options.output / "metrics.csv", history_png=options.output / "report" / "history.png",
        progress=progress,
    )  # fmt: skip


def _batches(parts: Parts, options: SequenceOptions) -> BatchSource:
    train = parts.train
    if options.new_shuffles:
        return ReshuffledBatches(train.codes[train.labels == 1], options.batch_size, options.every, options.seed)
    return StepBatches((train.codes, train.labels), options.batch_size, options.every, options.seed)


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
    options: SequenceOptions, plan: SequenceNet, net: nn.Module, judged: Judgement, card: Card,
    figures: Mapping[str, Any], progress: Progress,
) -> Path:  # fmt: skip
    weights = {name: value.cpu() for name, value in net.state_dict().items()}
    saved = SavedModel(options.architecture, weights, judged.calibration, card)
    save_model(saved, options.output / "model.pt")
    path = export(calibrated(saved.build(), judged.calibration, card), card, options.output / "model.onnx")
    write_report(options.output, card, figures, judged.curves, options.command)
    progress.note(f"wrote {path}")
    return path
