"""How a denoiser is trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trackgen.learn.architectures.denoise import DenoiseLoss, Denoiser
from trackgen.learn.datasets.denoise import DeepData, DrawnTiles, EveryTile
from trackgen.learn.denoise_judging import VALIDATION_SEED, judged_depths
from trackgen.learn.fit import FitOptions, FitResult, fit, seed_everything
from trackgen.progress import Progress

__all__ = ["AVERAGE", "DenoiseTraining", "train_denoiser"]

AVERAGE = 0.995
"""Decay of the moving average of weights, a step."""
WEIGHT_DECAY = 1e-4
VALIDATION_TILES = 300
"""At most so many a depth choose the best epoch."""


@dataclass(frozen=True)
class DenoiseTraining:
    """See ``trackgen train denoise --help``; `folder` takes checkpoints and metrics, kernels are over the sequence."""

    folder: Path
    epochs: int
    patience: int
    tiles: int
    batch_size: int
    learning_rate: float
    depths: tuple[float, float]
    channels: int
    kernels: int
    seed: int
    device: str
    resume: bool


def train_denoiser(data: DeepData, options: DenoiseTraining, progress: Progress) -> tuple[Denoiser, FitResult]:
    """The net with the weights of its best epoch, by the loss on validation tiles at several depths."""
    seed_everything(options.seed)
    net = Denoiser(options.channels, options.kernels)
    settings = FitOptions(
        epochs=options.epochs, patience=options.patience, optimizer="adamw", learning_rate=options.learning_rate,
        weight_decay=WEIGHT_DECAY, schedule="cosine", average=AVERAGE, seed=options.seed, device=options.device,
    )  # fmt: skip
    train = DrawnTiles(
        data, net.flank, options.depths, options.tiles, options.seed, batch_size=options.batch_size
    )  # fmt: skip
    validation = EveryTile(
        data, net.flank, data.split.validation, judged_depths(options.depths)[::2], VALIDATION_SEED, VALIDATION_TILES
    )
    result = fit(
        net, DenoiseLoss(), train, validation, settings,
        checkpoint=options.folder / "checkpoint.pt", resume=options.resume,
        metrics_csv=options.folder / "metrics.csv", history_png=options.folder / "report" / "history.png",
        progress=progress,
    )  # fmt: skip
    return net, result
