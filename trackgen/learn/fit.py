"""The one training loop: it knows models, losses, batches and figures, and no task.

An epoch is a function of (seed, epoch) alone: batch sources are asked for the batches of an epoch by number, and the
random state of dropout is set from seed and epoch. A run that is stopped and resumed from its checkpoint therefore
ends with the very weights of an uninterrupted one.
"""

from __future__ import annotations

import csv
import errno
import math
import os
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.learn.stepping import FitOptions, Stepper, machine_errors
from trackgen.progress import NullProgress, Progress

__all__ = ["BatchSource", "FitOptions", "FitResult", "Loss", "Metric", "fit", "predict", "seed_everything"]

Array = NDArray[Any]
Batch = tuple[tuple[Array, ...], Array]
Loss = Callable[[Tensor, Tensor], Tensor]
"""(model output, targets) -> mean over the batch, a scalar."""
Metric = Callable[[Array, Array], float]
"""(model outputs of all validation examples, targets) -> a figure."""


class BatchSource(Protocol):
    """Where batches come from. The same epoch number yields the same batches, always."""

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Batches ((model inputs...), targets) of `epoch`, counted from 0; first axes are examples."""


@dataclass
class FitResult:
    """What a run came to.

    Attributes:
        best_epoch: epoch of the weights that were kept, from 0.
        best: value of the monitored figure there.
        history: one row an epoch: epoch, train_loss, loss (validation), and each metric.
        stopped_early: patience ran out.
    """

    best_epoch: int = -1
    best: float = math.nan
    history: list[dict[str, float]] = field(default_factory=list)
    stopped_early: bool = False


def fit(
    model: nn.Module,
    loss: Loss,
    train: BatchSource,
    validation: BatchSource,
    options: FitOptions,
    *,
    metrics: Mapping[str, Metric] | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    metrics_csv: Path | None = None,
    history_png: Path | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Train `model` in place; it ends with the weights of its best epoch, in evaluation mode.

    Args:
        model: called with the inputs of a batch, in order.
        loss: mean loss of a batch.
        train: batches to learn from.
        validation: batches to choose the best epoch by (asked for epoch 0 each time).
        options: see `FitOptions`.
        metrics: figures over the whole validation set, by name.
        checkpoint: written after every epoch, atomically.
        resume: go on from `checkpoint` where it exists.
        metrics_csv: one line an epoch, written as it ends.
        history_png: losses by epoch, drawn at the end, and at most twice a minute before.
        progress: told about every epoch.

    Raises:
        UsageError: an unknown optimizer, schedule or monitor; a checkpoint of another run.
        TrackgenError: the loss became NaN or infinite.
        ResourceError: the device was lost, or memory ran out; `checkpoint` holds the last whole epoch.
    """
    run = _Run(model, loss, options, metrics or {})
    picture = _Picture(history_png)
    progress = progress or NullProgress()
    first = run.restore(checkpoint) if resume and checkpoint is not None and checkpoint.exists() else 0
    if first:
        progress.note(f"going on after epoch {first}, from {checkpoint}")
    progress.start("training", options.epochs, "epochs")
    progress.advance(first)
    for epoch in range(first, options.epochs):
        if run.out_of_patience(epoch):
            run.result.stopped_early = True
            break
        with machine_errors(checkpoint if epoch else None):
            row = run.epoch(epoch, train, validation)
        if checkpoint is not None:
            run.save(checkpoint, epoch + 1)
        if metrics_csv is not None:
            _write_csv(metrics_csv, run.result.history)
        picture.draw(run.result)
        progress.note(_sentence(row, better=run.result.best_epoch == epoch))
        progress.advance(1)
    picture.draw(run.result, last=True)
    progress.finish()
    run.keep_best()
    return run.result


class _Picture:
    """The history, drawn again while training goes on, where a path is given."""

    seconds = 30.0

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.drawn = time.monotonic()

    def draw(self, result: FitResult, *, last: bool = False) -> None:
        if self.path is None or not result.history or (not last and time.monotonic() - self.drawn < self.seconds):
            return
        # needs the extra `train`, and takes a second to load
        from trackgen.learn.plots import plot_history

        plot_history(result.history, result.best_epoch, self.path)
        self.drawn = time.monotonic()


class _Run:
    """The moving parts of one call of `fit`."""

    def __init__(self, model: nn.Module, loss: Loss, options: FitOptions, metrics: Mapping[str, Metric]) -> None:
        if options.monitor != "loss" and options.monitor not in metrics:
            raise UsageError("unknown monitor", found=options.monitor, wanted=", ".join(["loss", *metrics]))
        self.stepper = Stepper(model, loss, options)
        self.model, self.loss, self.options, self.metrics = self.stepper.model, loss, options, metrics
        self.average = _clone(model.state_dict()) if options.average is not None else None
        self.best_state = _clone(model.state_dict())
        self.result = FitResult()
        self.steps = 0

    def epoch(self, epoch: int, train: BatchSource, validation: BatchSource) -> dict[str, float]:
        """Train, evaluate, remember the best; returns the row of the history."""
        train_loss = self._train(epoch, train)
        own = self.model.state_dict()
        if self.average is not None:
            own = _clone(own)
            self.model.load_state_dict(self.average)
        outputs, targets = predict_with_targets(self.model, validation, self.options.device)
        row = {"epoch": float(epoch), "train_loss": train_loss, "loss": self._mean_loss(outputs, targets)}
        row |= {name: metric(outputs.numpy(), targets.numpy()) for name, metric in self.metrics.items()}
        self.result.history.append(row)
        self._judge(row, epoch)
        self.model.load_state_dict(own)
        return row

    def _train(self, epoch: int, source: BatchSource) -> float:
        seed_everything(self.options.seed, epoch)
        self.model.train()
        self.stepper.begin_epoch(epoch)
        total, examples = 0.0, 0
        for inputs, targets in source.batches(epoch):
            device = self.options.device
            total += self.stepper.step(_tensors(inputs, device), _tensor(targets, device)) * len(targets)
            self.steps += 1
            self._update_average()
            examples += len(targets)
        if not examples:
            raise DataError("there is nothing to train on")
        if not math.isfinite(total):
            raise TrackgenError(f"the training loss became {total} in epoch {epoch}", remedy="lower the learning rate")
        return total / examples

    def _update_average(self) -> None:
        if self.average is None or self.options.average is None:
            return
        decay = min(self.options.average, (1 + self.steps) / (10 + self.steps))
        for name, value in self.model.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].mul_(decay).add_(value.detach(), alpha=1 - decay)
            else:
                self.average[name].copy_(value)

    def _mean_loss(self, outputs: Tensor, targets: Tensor) -> float:
        with torch.no_grad():
            return float(self.loss(outputs, targets))

    def _judge(self, row: Mapping[str, float], epoch: int) -> None:
        value = row[self.options.monitor]
        better = value > self.result.best if self.options.larger_is_better else value < self.result.best
        if better or self.result.best_epoch < 0:
            self.result.best, self.result.best_epoch = value, epoch
            self.best_state = _clone(self.model.state_dict())

    def out_of_patience(self, epoch: int) -> bool:
        """Whether no epoch of the last `patience` ones before `epoch` was better than those before them."""
        return self.result.best_epoch >= 0 and epoch - self.result.best_epoch > self.options.patience

    def keep_best(self) -> None:
        """Give the model the weights of its best epoch."""
        self.model.load_state_dict(self.best_state)
        self.model.eval()

    def save(self, path: Path, epochs_done: int) -> None:
        """Write everything that the next epoch depends on."""
        state = {
            "options": asdict(self.options), "epochs_done": epochs_done, "steps": self.steps,
            "model": self.model.state_dict(), "average": self.average, "best_model": self.best_state,
            **self.stepper.state(), "best_epoch": self.result.best_epoch, "best": self.result.best,
            "history": self.result.history,
        }  # fmt: skip
        part = path.with_name(path.name + ".tmp")
        torch.save(state, part)
        os.replace(part, path)

    def restore(self, path: Path) -> int:
        """Take up the state of `path`; returns the number of epochs done.

        Raises:
            UsageError: the checkpoint was made with other options (a longer `epochs` is fine).
        """
        state = _read_checkpoint(path, self.options.device)
        own = asdict(self.options)
        for name, value in state["options"].items():
            free = name == "device" or (name == "epochs" and self.options.schedule == "constant")
            if own.get(name) != value and not free:
                raise UsageError(
                    f"the checkpoint was made with another {name}", path=path, found=value, wanted=own.get(name),
                    remedy="give the same options, or another output folder",
                )  # fmt: skip
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise UsageError("the checkpoint is of another net", path=path, found=str(error).splitlines()[0]) from error
        self.stepper.restore(state)
        self.average, self.best_state, self.steps = state["average"], state["best_model"], state["steps"]
        self.result = FitResult(state["best_epoch"], state["best"], state["history"])
        return int(state["epochs_done"])


def _read_checkpoint(path: Path, device: str) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    # what torch.load says of a file that ends early depends on where
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise DataError(
            "the checkpoint can't be read", path=path, found=next(iter(str(error).splitlines()), "an early end"),
            remedy="remove it, and train from the start",
        ) from error  # fmt: skip
    return state


def predict(model: nn.Module, source: BatchSource, *, device: str = "cpu") -> Array:
    """Outputs of `model`, in evaluation mode, for all examples of `source`, in order."""
    outputs: Array = predict_with_targets(model, source, device)[0].numpy()
    return outputs


def predict_with_targets(model: nn.Module, source: BatchSource, device: str) -> tuple[Tensor, Tensor]:
    """Outputs and targets of all examples of `source`, in order, on the CPU."""
    model.eval()
    outputs, targets = [], []
    with torch.no_grad():
        for inputs, target in source.batches(0):
            outputs.append(model(*_tensors(inputs, device)).cpu())
            targets.append(_tensor(target, "cpu"))
    if not outputs:
        raise DataError("there is nothing to predict")
    return torch.cat(outputs), torch.cat(targets)


def seed_everything(*seed: int) -> None:
    """Set torch's random state from any number of integers."""
    torch.manual_seed(int(np.random.SeedSequence(list(seed)).generate_state(1, np.uint64)[0] >> 1))


def _clone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


def _tensor(array: Array, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _tensors(arrays: Sequence[Array], device: str) -> list[Tensor]:
    return [_tensor(array, device) for array in arrays]


def _write_csv(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in history)


def _sentence(row: Mapping[str, float], *, better: bool) -> str:
    figures = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name != "epoch")
    return f"epoch {int(row['epoch']) + 1}: {figures}{' (best so far)' if better else ''}"
