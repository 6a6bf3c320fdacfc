"""How a binding net is trained, and how it and simpler models score every bin of a part of the genome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from trackgen.learn.architectures import Architecture
from trackgen.learn.architectures.binding import ThesisBinding
from trackgen.learn.datasets.binding import BIN, BindingData
from trackgen.learn.datasets.tracks import SignalBatches, Track
from trackgen.learn.datasets.windows import Sites, read_windows
from trackgen.learn.fit import FitOptions, FitResult, fit, predict, seed_everything
from trackgen.learn.motif import Motif, find_motif
from trackgen.progress import Progress

__all__ = ["BindingTraining", "Source", "bin_scores", "net_logits", "train_net", "training_motif"]

MOTIF_SPAN = 101
"""Bases around the middle of a peak in which its motif is looked for, bp."""
PREDICTED_AT_ONCE = 1024
TRAIN, VALIDATION, MOTIF = range(3)
"""Streams of random numbers."""


@dataclass(frozen=True)
class Source:
    """Labelled bins and the signal beside them, None where there is none."""

    data: BindingData
    track: Track | None


@dataclass(frozen=True)
class BindingTraining:
    """See ``trackgen train binding --help``; `folder` takes checkpoints and metrics."""

    folder: Path
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    seed: int
    device: str
    resume: bool


def training_motif(data: BindingData, seed: int) -> Motif:
    """The motif of the training peaks against unbound bins of the training part."""
    sites, labels = data.draw("train", (seed, MOTIF))
    unbound = sites.take(labels == 0)
    # the middle of the bin, as peaks are taken by their middle
    middle = Sites(unbound.names, unbound.chromosome, unbound.position + BIN // 2, unbound.minus)
    bound = read_windows(data.genome, data.centres("train"), MOTIF_SPAN)
    return find_motif(bound, read_windows(data.genome, middle, MOTIF_SPAN))


def start_from_motif(net: ThesisBinding, motif: Motif) -> None:
    """Half of the first filters become the motif's log-odds, every other one on the minus strand."""
    weight = net.convolution.weight
    table = torch.from_numpy(motif.log_odds.T.copy()).to(torch.float32)
    with torch.no_grad():
        for i in range(len(weight) // 2):
            weight[i] = table if i % 2 == 0 else table.flip(0, 1)


def train_net(
    source: Source,
    plan: Architecture,
    motif: Motif,
    options: BindingTraining,
    progress: Progress,
    *,
    with_signal: bool = True,
    suffix: str = "",
) -> tuple[nn.Module, FitResult]:
    """The net of `plan` with the weights of its best epoch, by the loss on bins drawn once from validation.

    Args:
        source: bins and signal.
        plan: net and manner of training.
        motif: that filters start from.
        options: of the loop.
        progress: told about every epoch.
        with_signal: False for the same net without the signal's path.
        suffix: of the names of its checkpoint and metrics.
    """
    seed_everything(options.seed)
    net = plan.build() if with_signal else ThesisBinding(with_signal=False)
    assert isinstance(net, ThesisBinding)
    start_from_motif(net, motif)
    settings = FitOptions(
        epochs=options.epochs, patience=options.patience, learning_rate=options.learning_rate,
        average=plan.average, seed=options.seed, device=options.device,
    )  # fmt: skip
    data, seed = source.data, options.seed
    train = _batches(source, plan, lambda epoch: data.draw("train", (seed, TRAIN, epoch)), options.batch_size)
    validation = _batches(source, plan, lambda _: data.draw("validation", (seed, VALIDATION)), PREDICTED_AT_ONCE)
    result = fit(
        net, functional.binary_cross_entropy_with_logits, train, validation, settings,
        checkpoint=options.folder / f"checkpoint{suffix}.pt", resume=options.resume,
        metrics_csv=options.folder / f"metrics{suffix}.csv", progress=progress,
    )  # fmt: skip
    return net, result


def _batches(source: Source, plan: Architecture, draw: Any, batch_size: int) -> SignalBatches:
    return SignalBatches(source.data.genome, source.track, draw, plan.window, BIN, batch_size)


def net_logits(net: nn.Module, source: Source, part: str, plan: Architecture, device: str) -> NDArray[np.float64]:
    """float64[n, 2]: logits of every bin of a part, and of its reverse complement."""
    sites, labels = source.data.all_bins(part)
    columns = []
    for minus in (False, True):
        turned = Sites(sites.names, sites.chromosome, sites.position, np.full(len(sites), minus))
        batches = _batches(source, plan, lambda _, turned=turned: (turned, labels), PREDICTED_AT_ONCE)
        columns.append(predict(net, batches, device=device)[:, 0])
    return np.stack(columns, axis=1).astype(np.float64)


def bin_scores(source: Source, motif: Motif, sites: Sites) -> NDArray[np.float64]:
    """float64[n, 2]: the best motif score in each bin, and the mean of the signal (as the net sees it) over it.

    Without a signal only the first: float64[n, 1].
    """
    scores = np.empty((len(sites), 1 if source.track is None else 2))
    for start in range(0, len(sites), 4 * PREDICTED_AT_ONCE):
        rows = np.arange(start, min(start + 4 * PREDICTED_AT_ONCE, len(sites)))
        part = sites.take(rows)
        scores[rows, 0] = motif.best(read_windows(source.data.genome, part, BIN, BIN))[0]
        if source.track is not None:
            scores[rows, 1] = source.track.windows(part, BIN, BIN).mean(axis=1)
    return scores
