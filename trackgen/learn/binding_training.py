"""How a binding net is trained, and how it and simpler models score every bin of a part of the genome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from trackgen.errors import DataError
from trackgen.learn.architectures import Architecture
from trackgen.learn.binding_source import PREDICTED_AT_ONCE, Source
from trackgen.learn.datasets.binding import BIN, BindingData
from trackgen.learn.datasets.motif_files import Matrix
from trackgen.learn.datasets.tracks import SignalBatches, Track
from trackgen.learn.datasets.windows import Sites, read_windows
from trackgen.learn.fit import FitOptions, FitResult, fit, predict, seed_everything
from trackgen.learn.motif import Motif, find_motif
from trackgen.learn.starts import ChipBatches, pretrain, start_from_motifs
from trackgen.progress import Progress

__all__ = [
    "PRETRAIN_EPOCHS", "BindingTraining", "Start", "bin_scores", "first_convolution", "net_logits", "refuse_flat",
    "start_from_motif", "starts_from_motifs", "train_net", "training_motif",
]  # fmt: skip

MOTIF_SPAN = 101
"""Bases around the middle of a peak in which its motif is looked for, bp."""
MOTIF, PRETRAIN = 2, 3
"""Streams of random numbers, beside those of `trackgen.learn.binding_source`."""
NARROWEST_FILTER = 8
"""Width from which a filter can hold what tells a motif from chance, bp."""
PRETRAIN_EPOCHS = 10


@dataclass(frozen=True)
class Start:
    """What a net's weights start from, beside a draw.

    Attributes:
        motifs: matrices (4, w) for its first filters, in place of the motif of the training peaks; none for that one.
        signal: that the net learns to predict before it learns what is bound; None for none.
        epochs: of that, at most.
    """

    motifs: tuple[Matrix, ...] = ()
    signal: Track | None = None
    epochs: int = PRETRAIN_EPOCHS


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
    precision: str = "fp32"
    start: Start = Start()


def training_motif(data: BindingData, seed: int) -> Motif:
    """The motif of the training peaks against unbound bins of the training part."""
    sites, labels = data.draw("train", (seed, MOTIF))
    unbound = sites.take(labels == 0)
    # the middle of the bin, as peaks are taken by their middle
    middle = Sites(unbound.names, unbound.chromosome, unbound.position + BIN // 2, unbound.minus)
    bound = read_windows(data.genome, data.centres("train"), MOTIF_SPAN)
    return find_motif(bound, read_windows(data.genome, middle, MOTIF_SPAN))


def start_from_motif(net: nn.Module, motif: Motif) -> None:
    """Half of the first filters become the motif's log-odds, every other one on the minus strand.

    Wider filters have it in their middle. Nets with filters too narrow for a motif keep their draw.
    """
    convolution = first_convolution(net)
    table = torch.from_numpy(motif.log_odds.T.copy()).to(torch.float32)
    left = (convolution.kernel_size[0] - motif.width) // 2
    if left < 0:
        return
    with torch.no_grad():
        weight = convolution.weight[: len(convolution.weight) // 2]
        weight.zero_()
        for i in range(len(weight)):
            weight[i, :, left : left + motif.width] = table if i % 2 == 0 else table.flip(0, 1)


def first_convolution(net: nn.Module) -> nn.Conv1d:
    """The layer that reads the sequence."""
    return next(layer for layer in net.modules() if isinstance(layer, nn.Conv1d))


def starts_from_motifs(net: nn.Module) -> bool:
    """Whether the first filters are wide enough to hold a motif."""
    return first_convolution(net).kernel_size[0] >= NARROWEST_FILTER


def train_net(
    source: Source,
    plan: Architecture,
    motif: Motif,
    options: BindingTraining,
    progress: Progress,
    *,
    suffix: str = "",
) -> tuple[nn.Module, FitResult, FitResult | None]:
    """The net of `plan` with the weights of its best epoch, by the loss on bins of validation.

    Args:
        source: bins and signal.
        plan: net and manner of training.
        motif: that filters start from.
        options: of the loop.
        progress: told about every epoch.
        suffix: of the names of its checkpoint and metrics.

    Returns:
        The net, what its training came to, and what learning a signal before came to, where it did.
    """
    seed_everything(options.seed)
    net = plan.build()
    if options.start.motifs:
        used = start_from_motifs(first_convolution(net), options.start.motifs)
        progress.note(f"{used:,} of {len(options.start.motifs):,} motifs are filters at the start")
    elif starts_from_motifs(net):
        start_from_motif(net, motif)
    settings = FitOptions(
        epochs=options.epochs, patience=options.patience, learning_rate=options.learning_rate,
        average=plan.average, precision=options.precision, seed=options.seed, device=options.device,
    )  # fmt: skip
    before = _learn_signal(net, source, plan, options, settings, progress, suffix)
    result = fit(
        net, functional.binary_cross_entropy_with_logits,
        source.training(plan.window, options.batch_size, options.seed), source.validation(plan.window, options.seed),
        settings, checkpoint=options.folder / f"checkpoint{suffix}.pt", resume=options.resume,
        metrics_csv=options.folder / f"metrics{suffix}.csv", progress=progress,
    )  # fmt: skip
    return net, result, before


def _learn_signal(
    net: nn.Module, source: Source, plan: Architecture, options: BindingTraining, settings: FitOptions,
    progress: Progress, suffix: str,
) -> FitResult | None:  # fmt: skip
    """Let the net predict the mean log signal of bins drawn for it, where there is a signal to start from."""
    if options.start.signal is None:
        return None
    progress.note("the net learns the signal first")
    data, seed, chip = source.data, options.seed, options.start.signal
    train = ChipBatches(
        data.genome, chip, lambda epoch: data.draw("train", (seed, PRETRAIN, epoch))[0], plan.window, BIN,
        options.batch_size, source.track,
    )  # fmt: skip
    validation = ChipBatches(
        data.genome, chip, lambda _: data.draw("validation", (seed, PRETRAIN))[0], plan.window, BIN,
        PREDICTED_AT_ONCE, source.track,
    )  # fmt: skip
    return pretrain(
        net, train, validation, replace(settings, epochs=options.start.epochs),
        checkpoint=options.folder / f"checkpoint-signal{suffix}.pt", resume=options.resume, progress=progress,
    )  # fmt: skip


def refuse_flat(signal: Track, data: BindingData, seed: int, path: Path) -> None:
    """Refuse a signal that says nothing about the training bins.

    Raises:
        DataError: it has one value, or none, over all bins of a draw.
    """
    sites, _ = data.draw("train", (seed, PRETRAIN, 0))
    means = signal.windows(sites, BIN, BIN).mean(axis=1)
    if means.max() == means.min():
        raise DataError(
            "the signal to learn first says nothing of the training bins", path=path,
            found=f"the value {np.expm1(means.max()):g} over all of {len(means):,} bins",
            wanted="ChIP fold change, with values on the training sequences",
        )  # fmt: skip


def net_logits(net: nn.Module, source: Source, part: str, plan: Architecture, device: str) -> NDArray[np.float64]:
    """float64[n, 2]: logits of every bin of a part, and of its reverse complement."""
    sites, labels = source.data.all_bins(part)
    columns = []
    for minus in (False, True):
        turned = Sites(sites.names, sites.chromosome, sites.position, np.full(len(sites), minus))
        batches = SignalBatches(
            source.data.genome, source.track, lambda _, turned=turned: (turned, labels), plan.window, BIN,  # type: ignore[misc]
            PREDICTED_AT_ONCE,
        )  # fmt: skip
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
