"""The recipe of exported_models/binding-ctcf-human, and how it does on chr22 of cell types that it never saw."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from binding_ctcf_card import ctcf_card, motif_card, write_readme
from binding_ctcf_data import (
    JUDGED,
    JUDGED_CELLS,
    SEEN_CELLS,
    VALIDATED,
    WINDOW,
    bins_of,
    count_chromosomes,
    genome_windows,
    labelled_windows,
    open_hg19,
    peak_file,
    shipped_folder,
    windows_of,
)
from binding_sets import RECORDS, known_motifs
from numpy.typing import NDArray
from processes import data_file, trackgen
from torch import Tensor, nn
from torch.nn import functional

from trackgen.card import Card
from trackgen.genome import Genome
from trackgen.genome.bins import AMBIGUOUS, BIN, BOUND
from trackgen.learn.architectures.sequence_nets import sequence_net
from trackgen.learn.baselines.motif_scan import KnownMotif, known_motif
from trackgen.learn.calibration import Calibration, fit_calibration, reliability
from trackgen.learn.datasets.batches import FixedWindows, RedrawnWindows, Windows
from trackgen.learn.datasets.sequences import SequenceSet
from trackgen.learn.export import calibrated, export
from trackgen.learn.fit import FitOptions, fit, predict, seed_everything
from trackgen.learn.metrics import auprc, auroc, recall_at

__all__ = ["make_ctcf_model"]

ARCHITECTURE = "rc_128motif"
SEEDS = (1, 2, 3)
EPOCHS = 6
PATIENCE = 2
BATCH = 128
HELD_BACK = 2000
"""Genomic negatives by which, with an eighth of Zeng's sequences, the best epoch is chosen."""
SCANNED = 300
"""Bases of the exported model's window: the bin and 50 to either side, so that a motif at its edge counts."""
JSON = "ctcf-human.json"
OPTIONS = FitOptions(
    epochs=EPOCHS, patience=PATIENCE, monitor="auroc", larger_is_better=True, learning_rate=1e-3, average=0.999
)


class Together(nn.Module):
    """The mean of the logits of nets that saw other draws: float32 (N, 4, L) -> (N, 2)."""

    def __init__(self, nets: list[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, sequence: Tensor) -> Tensor:
        logits: Tensor = torch.stack([net(sequence) for net in self.nets]).mean(dim=0)
        return logits


class OneLogit(nn.Module):
    """The log-odds of two logits: what a sigmoid takes, float32 (N, 1)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, sequence: Tensor) -> Tensor:
        logits = self.net(sequence)
        odds: Tensor = logits[:, 1:] - logits[:, :1]
        return odds


class MotifNet(nn.Module):
    """The best log-odds of a motif in a window, on either strand: float32 (N, 4, L) -> (N, 1)."""

    def __init__(self, found: KnownMotif) -> None:
        super().__init__()
        table = torch.from_numpy(found.motif.log_odds.T.copy()).to(torch.float32)
        self.register_buffer("kernels", torch.stack([table, table.flip(0, 1)]))

    def forward(self, sequence: Tensor) -> Tensor:
        along = functional.conv1d(sequence, self.get_buffer("kernels"))
        return functional.max_pool1d(along, along.shape[2]).amax(dim=1)


class Sources(NamedTuple):
    """What nets are trained on."""

    labelled: SequenceSet
    genomic: NDArray[np.uint8]
    with_genomic: bool = True


def kept_or_trained(sources: Sources, name: str, seed: int, keep: Path | None) -> tuple[nn.Module, dict[str, Any]]:
    """`train_one`, or what it gave the last time, where it is kept in a folder."""
    if keep is None:
        return train_one(sources, name, seed)
    path = keep / f"{name}-{'genomic' if sources.with_genomic else 'shuffles'}-{seed}.pt"
    if not path.exists():
        keep.mkdir(parents=True, exist_ok=True)
        net, entry = train_one(sources, name, seed)
        torch.save({"net": net.state_dict(), "entry": entry}, path)
    saved = torch.load(path, weights_only=True)
    net = sequence_net(name).build(length=WINDOW)
    net.load_state_dict(saved["net"])
    return net, saved["entry"]


def train_one(sources: Sources, name: str, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """One net, and what there is to say of its training."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(sources.labelled))
    held, kept = sources.labelled.take(rows[: len(rows) // 8]), sources.labelled.take(rows[len(rows) // 8 :])
    genomic = sources.genomic[random.permutation(len(sources.genomic))] if sources.with_genomic else held.codes[:0]
    background, later = genomic[HELD_BACK:], genomic[:HELD_BACK]
    number = int((kept.labels == 1).sum())

    def draw(epoch: int) -> Windows:
        drawn = background[np.random.default_rng([seed, epoch]).permutation(len(background))[:number]]
        codes = np.concatenate([kept.codes, drawn])
        return codes, np.concatenate([kept.labels, np.zeros(len(drawn), dtype=np.int64)])

    validation = FixedWindows(
        (np.concatenate([held.codes, later]), np.concatenate([held.labels, np.zeros(len(later), dtype=np.int64)])), 1000
    )
    seed_everything(seed)
    net = sequence_net(name).build(length=WINDOW, dropout=0.5)
    result = fit(
        net, functional.cross_entropy, RedrawnWindows(draw, BATCH, seed), validation, replace(OPTIONS, seed=seed),
        metrics={"auroc": lambda logits, labels: auroc(labels == 1, logits[:, 1] - logits[:, 0])},
    )  # fmt: skip
    judged = FixedWindows((held.codes, held.labels), 1000)
    logits = predict(net, judged)
    zeng = auroc(held.labels == 1, logits[:, 1] - logits[:, 0])
    return net, {
        "seed": seed, "best_epoch": result.best_epoch + 1, "epochs": len(result.history),
        "validation_auroc": result.best, "held_out_zeng_auroc": zeng,
    }  # fmt: skip


def longer(net: nn.Module, name: str, window: int) -> nn.Module:
    """The same weights for windows of another length."""
    made = sequence_net(name).build(length=window)
    made.load_state_dict(net.state_dict())
    return made.eval()


def bin_odds(net: nn.Module, genome: Genome, place: tuple[str, int, int], window: int) -> NDArray[np.float64]:
    """Log-odds of every bin of a stretch whose bases are known."""
    start = bins_of(genome, place, SEEN_CELLS[0]).start
    codes = windows_of(genome, place[0], start - (window - BIN) // 2, window)
    logits = predict(net, FixedWindows((codes, np.zeros(len(codes), dtype=np.int64)), 512))
    return np.asarray(logits[:, 1] - logits[:, 0], dtype=np.float64)


class Validation(NamedTuple):
    """Bins of chr20, once for each seen cell type."""

    odds: NDArray[np.float64]
    labels: NDArray[np.int8]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Those that are bound or unbound."""
        return self.labels != AMBIGUOUS


def validation_of(net: nn.Module, genome: Genome, window: int) -> Validation:
    """`net` on the bins of `VALIDATED`, against the peaks of every seen cell type."""
    odds = bin_odds(net, genome, VALIDATED, window)
    labels = [bins_of(genome, VALIDATED, cell).labels for cell in SEEN_CELLS]
    return Validation(np.tile(odds, len(labels)), np.concatenate(labels))


def figures_of(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> dict[str, float]:
    """AUROC, AUPRC and recalls."""
    return {
        "auroc": auroc(truth, score), "auprc": auprc(truth, score),
        "recall_at_50_fdr": recall_at(truth, score, 0.5), "recall_at_10_fdr": recall_at(truth, score, 0.1),
    }  # fmt: skip


def calibrate(found: Validation) -> tuple[Calibration, float, dict[str, Any]]:
    """Scale and shift on the bins of chr20 that count, the threshold of the highest F1 there, and figures."""
    from sklearn.metrics import precision_recall_curve

    odds, truth = found.odds[found.counted], found.labels[found.counted] == BOUND
    both = np.stack([np.zeros(len(odds)), odds], axis=1)
    calibration = fit_calibration(both, truth.astype(np.int64), Calibration(1.0, (0.0, -5.0)))
    probability = calibration.apply(both)[:, 1]
    precision, recall, thresholds = precision_recall_curve(truth, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    threshold = float(f"{thresholds[int(np.argmax(f1[:-1]))]:.3g}")
    called = probability >= threshold
    return calibration, threshold, figures_of(truth, odds) | {
        "bins": len(truth), "bound": int(truth.sum()), "called": int(called.sum()),
        "precision": float(truth[called].mean()), "recall": float(called[truth].mean()),
        "sum": float(probability.sum()), "reliability": reliability(probability, truth),
    }  # fmt: skip


def make_ctcf_model(name: str = ARCHITECTURE, seeds: tuple[int, ...] = SEEDS, keep: Path | None = None) -> None:
    """Train, calibrate and export the model, scan chr22 with it, judge it there, and write README and record."""
    torch.set_num_threads(1)
    with open_hg19() as genome:
        sources = Sources(labelled_windows(), genome_windows(genome))
        print("trained on", count_chromosomes(sources.labelled.places))
        print("cell types of chr20's peaks:", ", ".join(SEEN_CELLS), "; judged on", ", ".join(JUDGED_CELLS))
        fits = [kept_or_trained(sources, name, seed, keep) for seed in seeds]
        for _, entry in fits:
            print(entry)
        net = Together([longer(one, name, SCANNED) for one, _ in fits]).eval()
        calibration, threshold, validation = calibrate(validation_of(net, genome, SCANNED))
        record: dict[str, Any] = {
            "architecture": name, "digest": sources.labelled.digest, "runs": [entry for _, entry in fits],
            "validation": validation, "threshold": threshold, "cells": {"seen": SEEN_CELLS, "judged": JUDGED_CELLS},
            "calibration": {"scale": calibration.scale, "shift": calibration.shift[1]},
            "chromosomes": count_chromosomes(sources.labelled.places),
            "sequences": {
                "bound": int((sources.labelled.labels == 1).sum()),
                "shuffled": int((sources.labelled.labels == 0).sum()), "genomic": len(sources.genomic),
            },
        }  # fmt: skip
        motif = known_motif(known_motifs(), "CTCF", sources.labelled.codes, sources.labelled.labels)
        record["motif"] = {"name": motif.name, "of": motif.database}
    folder = shipped_folder()
    folder.mkdir(parents=True, exist_ok=True)
    one = OneLogit(net)
    # judged before its card can say how it did: the graph is the same
    with tempfile.TemporaryDirectory() as scratch:
        card = ctcf_card(record, SCANNED)
        trial = export(calibrated(one, calibration, card), card, Path(scratch) / "model.onnx")
        plain = motif_card(SCANNED)
        rival = export(MotifNet(motif), plain, Path(scratch) / "motif.onnx")
        record["judged"] = judge(Path(scratch), {"net": (trial, card), "motif": (rival, plain)}, threshold)
    card = ctcf_card(record, SCANNED)
    export(calibrated(one, calibration, card), card, folder / "model.onnx")
    write_readme(folder / "README.md", card, record)
    (RECORDS / JSON).write_text(json.dumps(record, indent=1) + "\n")


def judge(scratch: Path, models: dict[str, tuple[Path, Card]], threshold: float) -> dict[str, Any]:
    """Scan chr22 and evaluate both tracks against either cell type's peaks: cell type -> model -> figures."""
    name, start, end = JUDGED
    genome, region = str(data_file("human_hg19/hg19_chr20_chr22_part.fa.gz")), f"{name}:{start + 1}-{end}"
    tracks = []
    for label, (path, _) in models.items():
        trackgen(["scan", str(path), genome, "-o", str(scratch / label), "--regions", region, "-t", "2"])
        (track,) = (scratch / label).rglob("*.bw")
        tracks.append(track.rename(scratch / f"{label}.bw"))
    found: dict[str, Any] = {}
    for cell in JUDGED_CELLS:
        peaks = [str(peak_file(kind, cell)) for kind in ("conservative", "relaxed")]
        trackgen([
            "evaluate", *map(str, tracks), "--labels", peaks[0], "--ambiguous", peaks[1], "--genome", genome,
            "--regions", region, "--statistic", "centre", "--peak-width", "1", "--threshold", str(threshold),
            "-o", str(scratch / cell),
        ])  # fmt: skip
        values = json.loads((scratch / cell / "evaluation.json").read_text())
        found[cell] = {entry["track"].removesuffix(".bw"): entry for entry in values["tracks"]}
    return found
