"""How a TSS net is trained: the thesis' way on fixed windows, or on windows drawn anew every epoch, with counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trackgen.learn.architectures import Architecture
from trackgen.learn.datasets.batches import FixedWindows, RedrawnWindows
from trackgen.learn.datasets.counted import CountedBases
from trackgen.learn.datasets.tss import PARTS, TssData
from trackgen.learn.datasets.windows import Sites, concatenate_sites, read_windows
from trackgen.learn.fit import FitOptions, FitResult, fit, seed_everything
from trackgen.progress import Progress

__all__ = ["TrainingOptions", "train_net"]

Windows = tuple[NDArray[np.uint8], NDArray[Any]]
NO_CLASS = -1
"""Label of a window that only teaches its count."""
COUNT_WEIGHT = 1.0
"""Weight of the counts' loss beside the classes'."""
COUNTED_PER_TSS = 16
"""Counted bases drawn for each TSS of an epoch."""


@dataclass(frozen=True)
class TrainingOptions:
    """See ``trackgen train tss --help``; `folder` takes the checkpoint and the metrics."""

    folder: Path
    epochs: int
    patience: int
    batch_size: int
    learning_rate: float
    seed: int
    device: str
    resume: bool


def train_net(
    data: TssData, windows: Mapping[str, Windows], plan: Architecture, options: TrainingOptions, progress: Progress
) -> tuple[nn.Module, FitResult]:
    """The net of `plan` with the weights of its best epoch on the validation windows.

    Args:
        data: clusters and counts.
        windows: codes and labels of ``train`` and ``validation``.
        plan: net and manner of training.
        options: of the loop.
        progress: told about every epoch.
    """
    seed_everything(options.seed)
    net = plan.build()
    settings = FitOptions(
        epochs=options.epochs, patience=options.patience, learning_rate=options.learning_rate,
        average=plan.average, seed=options.seed, device=options.device,
    )  # fmt: skip
    files: dict[str, Any] = {
        "checkpoint": options.folder / "checkpoint.pt", "metrics_csv": options.folder / "metrics.csv",
        "resume": options.resume, "progress": progress,
    }  # fmt: skip
    validation = FixedWindows(windows["validation"], 1024)
    if plan.redraw is None:
        train = FixedWindows(windows["train"], options.batch_size, options.seed)
        return net, fit(net, functional.cross_entropy, train, validation, settings, **files)
    counted = CountedBases.find(data, "train")
    draw = _Redraw(data, counted, plan.window, options.seed, plan.redraw)
    drawn = RedrawnWindows(draw, options.batch_size, options.seed)
    learner = ClassesAndCounts(net) if len(counted.sites) else net
    return net, fit(learner, class_and_count_loss, drawn, validation, settings, **files)


@dataclass(frozen=True)
class _Redraw:
    """Training windows of an epoch: TSSs, background and counted bases drawn for it.

    Targets are float32[n, 2]: the class, and log(1 + count). Background has the count it has. Without counts, the
    targets are the classes alone.
    """

    data: TssData
    counted: CountedBases
    window: int
    seed: int
    power: float

    def __call__(self, epoch: int) -> Windows:
        examples = self.data.examples("train", (self.seed, epoch), power=self.power)
        if not len(self.counted.sites):
            return read_windows(self.data.genome, examples.sites, self.window), examples.labels
        tss = int((examples.labels > 0).sum())
        # a stream of its own: the examples' draws take the numbers of the parts and the one after
        random = np.random.default_rng([self.seed, epoch, len(PARTS) + 1])
        counted = self.counted.draw(COUNTED_PER_TSS * tss, random)
        sites = concatenate_sites([examples.sites, counted])
        labels = np.concatenate([examples.labels, np.full(len(counted), NO_CLASS, dtype=np.int64)])
        return read_windows(self.data.genome, sites, self.window), self._targets(sites, labels)

    def _targets(self, sites: Sites, labels: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.stack([labels, np.log1p(self.counted.at(sites))], axis=1).astype(np.float32)


class ClassesAndCounts(nn.Module):
    """A net with its counts beside the classes while it learns, (N, K + 1), and the classes alone, (N, K), after."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, sequence: Tensor) -> Tensor:
        outputs: Tensor = self.net.with_count(sequence) if self.training else self.net(sequence)  # type: ignore[operator]
        return outputs


def class_and_count_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of the classes, and while training the squared error of log(1 + count) beside it."""
    if targets.dim() == 1:
        return functional.cross_entropy(outputs, targets)
    labels, counts = targets[:, 0].long(), targets[:, 1]
    classes = functional.cross_entropy(outputs[:, :-1], labels, ignore_index=NO_CLASS)
    return classes + COUNT_WEIGHT * functional.mse_loss(outputs[:, -1], counts)
