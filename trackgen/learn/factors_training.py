"""How a net for many factors is trained, and how it scores windows and whole sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trackgen.genome import Genome
from trackgen.learn.architectures.multitask import BOUND, UNBOUND, ThreeNodeLoss
from trackgen.learn.architectures.rc_multitask import POOL, FactorLogits, RcMultitask
from trackgen.learn.datasets.factors import FactorBatches, FactorData
from trackgen.learn.datasets.windows import Sites, one_hot, read_windows
from trackgen.learn.fit import FitOptions, FitResult, fit, seed_everything
from trackgen.learn.metrics import auroc
from trackgen.progress import Progress

__all__ = ["FactorTraining", "mean_auroc", "score_along", "score_sites", "train_factor_net", "unbound_per_bound"]

AVERAGE = 0.99
"""Decay of the moving average of weights, a step."""
FREE_KERNELS = 16
"""Kernels of the first layer that start from no motif."""
BACKGROUND = 1000
"""Windows from anywhere by which kernels that start from motifs are scaled."""
AT_SITES = 0.1
"""Share of the unbound labels of other factors' sites that count in an epoch."""
MOST_RATIO = 300.0
"""No factor's bound examples weigh more: with a handful of peaks each of them would drown a batch."""
VALIDATION_SEED = 0
"""The windows that epochs are compared by are the same for every seed of training."""
SCORED_AT_ONCE = 1024
BACKGROUND_STREAM = 7


@dataclass(frozen=True)
class FactorTraining:
    """See ``trackgen train factors --help``; `folder` takes checkpoints and metrics."""

    folder: Path
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    per_site: float
    seed: int
    device: str
    resume: bool


def train_factor_net(
    data: FactorData, motifs: Sequence[NDArray[np.floating]], options: FactorTraining, progress: Progress
) -> tuple[RcMultitask, FitResult]:
    """The net with the weights of its best epoch, by the mean AUROC over the factors on windows drawn from validation.

    Args:
        data: windows and labels.
        motifs: float[4, w] each, that kernels start from.
        options: of the loop.
        progress: told about every epoch.
    """
    seed_everything(options.seed)
    net = RcMultitask(len(data.factors), kernels=len(motifs) + FREE_KERNELS)
    if motifs:
        background = data.anywhere("train", BACKGROUND, [options.seed, BACKGROUND_STREAM])
        net.start_from_motifs(motifs, torch.from_numpy(one_hot(read_windows(data.genome, background, net.window))))
    settings = FitOptions(
        epochs=options.epochs, patience=options.patience, monitor="auroc", larger_is_better=True, schedule="cosine",
        learning_rate=options.learning_rate, average=AVERAGE, seed=options.seed, device=options.device,
    )  # fmt: skip
    loss = ThreeNodeLoss(np.minimum(unbound_per_bound(data, options.per_site, options.seed), MOST_RATIO).tolist())
    train = FactorBatches(data, "train", net.window, options.per_site, options.batch_size, options.seed, AT_SITES)
    validation = FactorBatches(
        data, "validation", net.window, options.per_site, SCORED_AT_ONCE, VALIDATION_SEED, AT_SITES, redraw=False
    )
    result = fit(
        net, loss, train, validation, settings, metrics={"auroc": mean_auroc},
        checkpoint=options.folder / "checkpoint.pt", resume=options.resume,
        metrics_csv=options.folder / "metrics.csv", history_png=options.folder / "report" / "history.png",
        progress=progress,
    )  # fmt: skip
    return net, result


def unbound_per_bound(data: FactorData, per_site: float, seed: int) -> NDArray[np.float64]:
    """float64[factors]: unbound over bound windows of one epoch's draw; the thesis' weight of a bound window."""
    _, labels = data.draw("train", per_site, [seed, 0, 0], at_sites=AT_SITES)
    bound = (labels == BOUND).sum(axis=0)
    return np.asarray((labels == UNBOUND).sum(axis=0) / np.maximum(bound, 1), dtype=np.float64)


def mean_auroc(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """Mean over factors of the AUROC of bound against unbound windows; factors without either are left out.

    Args:
        logits: float32[n, factors, 3].
        labels: int64[n, factors].
    """
    odds = logits[:, :, BOUND] - logits[:, :, UNBOUND]
    each = []
    for column in range(labels.shape[1]):
        known = labels[:, column] != 0
        truth = labels[known, column] == BOUND
        if truth.any() and not truth.all():
            each.append(auroc(truth, odds[known, column]))
    return float(np.mean(each)) if each else 0.5


def score_sites(net: FactorLogits, genome: Genome, sites: Sites, seen: int | None = None) -> NDArray[np.float32]:
    """float32[n, factors]: logits of the windows around these bases.

    Args:
        net: in evaluation mode.
        genome: of the bases.
        sites: the middles.
        seen: bases in the middle of the window that the net is shown, all others read unknown; None for all.
    """
    parts = [np.zeros((0, net.nodes.out_channels), dtype=np.float32)]
    hidden = 0 if seen is None else (net.window - seen) // 2
    for start in range(0, len(sites), SCORED_AT_ONCE):
        codes = read_windows(genome, sites.take(np.arange(start, min(start + SCORED_AT_ONCE, len(sites)))), net.window)
        if hidden > 0:
            codes[:, :hidden] = codes[:, -hidden:] = 4
        with torch.no_grad():
            parts.append(net(torch.from_numpy(one_hot(codes))).numpy())
    return np.concatenate(parts)


def score_along(net: FactorLogits, genome: Genome, name: str, *, piece: int = 1 << 17) -> NDArray[np.float32]:
    """float32[n, factors]: logits of the windows whose middles are every 10th base of a sequence, from 0 on.

    The same numbers as window by window, with the work of neighbours shared. Bases beyond the ends read unknown.
    """
    number = -(-genome.lengths[name] // POOL)
    before = (net.window - 1) // 2
    rows = piece // POOL
    parts = []
    for first in range(0, number, rows):
        last = min(first + rows, number)
        codes = genome.fetch(name, first * POOL - before, (last - 1) * POOL - before + net.window)
        with torch.no_grad():
            parts.append(net.along(torch.from_numpy(one_hot(codes[None])))[0].T.numpy())
    return np.concatenate(parts)
