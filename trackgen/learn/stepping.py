"""One step of training: options, optimizer, precision, and what the machine does to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trackgen.errors import ResourceError, UsageError

__all__ = ["FitOptions", "Stepper", "annealed", "machine_errors", "refuse_device", "refuse_precision"]

MIXED_DEVICES = ("cuda",)
"""Where half precision is faster than single; PyTorch emulates it on most CPUs."""
DEVICE_LOST = ("CUDA error", "CUDA driver", "CUDNN_STATUS", "cuDNN error", "CUBLAS_STATUS", "HIP error", "NVML")
"""What PyTorch's errors say where the accelerator failed, or is gone."""
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


@dataclass(frozen=True)
class FitOptions:
    """How to train.

    Attributes:
        epochs: at most this many.
        patience: stop after this many epochs without a better value of `monitor`.
        monitor: ``loss`` (on validation) or the name of a metric.
        larger_is_better: direction of `monitor`.
        optimizer: ``adam``, ``adamw``, ``adadelta``, or ``sgd``: gradient descent with `momentum`.
        learning_rate: step size at the start. Caffe's AdaDelta has 1.
        weight_decay: L2 penalty (decoupled in ``adamw``).
        rho: of ``adadelta``, the decay of its running averages, which Caffe calls momentum.
        epsilon: of ``adadelta``, what Caffe calls delta.
        momentum: of ``sgd``.
        schedule: ``constant``, ``cosine`` or ``cosine-printed``: see `annealed`.
        final_rate: where ``cosine`` anneals to.
        average: keep an exponential moving average of the weights with this decay per step, and evaluate and
            return it instead of the last weights; None for none.
        precision: ``fp32``, or ``mixed``: layers in half precision where that is safe, with losses scaled so that small
            gradients do not vanish. On CUDA only; weights stay float32, and so does validation.
        seed: of dropout.
        device: a torch device.
    """

    epochs: int = 100
    patience: int = 10
    monitor: str = "loss"
    larger_is_better: bool = False
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    rho: float = 0.9
    epsilon: float = 1e-6
    momentum: float = 0.9
    schedule: str = "constant"
    final_rate: float = 0.0
    average: float | None = None
    precision: str = "fp32"
    seed: int = 0
    device: str = "cpu"


class Stepper:
    """Makes the steps of one run.

    Args:
        model: whose weights are changed; it is moved to the device.
        loss: (model output, targets) -> mean over the batch.
        options: see `FitOptions`.

    Raises:
        UsageError: an unknown optimizer or precision, or a device that is not there or can't do the precision.
    """

    def __init__(self, model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], options: FitOptions) -> None:
        refuse_precision(options.precision, options.device)
        self.model, self.loss, self.options = _moved(model, options.device), loss, options
        self.optimizer = _optimizer(model, options)
        self.kind = torch.device(options.device).type
        self.mixed = options.precision == "mixed"
        self.scaler = torch.amp.GradScaler(self.kind, enabled=self.mixed)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate of `epoch`."""
        for group in self.optimizer.param_groups:
            group["lr"] = annealed(self.options, epoch)

    def step(self, inputs: list[Tensor], targets: Tensor) -> float:
        """Learn from one batch on the device; returns its mean loss."""
        self.optimizer.zero_grad()
        with self._autocast():
            loss = self.loss(self.model(*inputs), targets)
        if self.mixed:
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
        return float(loss.detach())

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.kind, dtype=torch.float16) if self.mixed else nullcontext()

    def state(self) -> dict[str, Any]:
        """What the next step depends on, beside the weights."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up `state`."""
        self.optimizer.load_state_dict(state["optimizer"])
        if self.mixed:
            self.scaler.load_state_dict(state["scaler"])


def refuse_precision(precision: str, device: str) -> None:
    """Refuse a precision that there is not, or not on `device`.

    Raises:
        UsageError: so.
    """
    if precision not in ("fp32", "mixed"):
        raise UsageError("unknown precision", found=precision, wanted="fp32, mixed")
    if precision == "mixed" and device.partition(":")[0] not in MIXED_DEVICES:
        raise UsageError(
            "mixed precision runs on CUDA only", found=f"device {device}", remedy="train with fp32",
        )  # fmt: skip


def refuse_device(device: str) -> None:
    """Refuse a device that is not here, before anything is read or made.

    Raises:
        UsageError: so.
    """
    _moved(nn.Linear(1, 1), device)


@contextmanager
def machine_errors(checkpoint: Path | None = None) -> Iterator[None]:
    """Say plainly, and with exit status 75, that the machine failed within: an accelerator that is lost, or no memory.

    Args:
        checkpoint: where the run goes on from, where there is one.

    Raises:
        ResourceError: in place of PyTorch's error.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        short = isinstance(error, torch.OutOfMemoryError) or any(words in text for words in OUT_OF_MEMORY)
        # its own class since PyTorch 2.8
        lost = type(error).__name__ == "AcceleratorError" or any(words in text for words in DEVICE_LOST)
        if not short and not lost:
            raise
        before = "make room, or take smaller batches" if short else "see that the device is there"
        again = "start again" if checkpoint is None else f"resume from {checkpoint}, which is whole"
        raise ResourceError(
            "the training ran out of memory" if short else "the training lost its device",
            found=next(iter(text.splitlines()), type(error).__name__), remedy=f"{before}, and {again}",
        ) from error  # fmt: skip


def _moved(model: nn.Module, device: str) -> nn.Module:
    """The model on `device`.

    Raises:
        UsageError: there is no such device.
    """
    try:
        return model.to(torch.device(device))
    # PyTorch asserts that it was built with CUDA
    except (AssertionError, RuntimeError) as error:
        raise UsageError(
            "the net can't be moved to the device", found=f"{device} ({next(iter(str(error).splitlines()), '')})",
            wanted="cpu, or a CUDA device that is here",
        ) from error  # fmt: skip


def _optimizer(model: nn.Module, options: FitOptions) -> torch.optim.Optimizer:
    known: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
        "adadelta": partial(torch.optim.Adadelta, rho=options.rho, eps=options.epsilon),
        "sgd": partial(torch.optim.SGD, momentum=options.momentum),
    }  # fmt: skip
    if options.optimizer not in known:
        raise UsageError("unknown optimizer", found=options.optimizer, wanted=", ".join(known))
    return known[options.optimizer](model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)


def annealed(options: FitOptions, epoch: int) -> float:
    """The learning rate in `epoch` of a run.

    ``cosine`` is Loshchilov and Hutter's cosine annealing (2016, their equation 5), from `learning_rate` towards
    `final_rate` over `epochs`: end + (start - end) (1 + cos(pi epoch / epochs)) / 2. ``cosine-printed`` is equation 1
    of Fishman and Gurev, which lacks the first summand, so that it ends at 0 whatever the end. Their end is 0, where
    the two are one.

    Raises:
        UsageError: unknown schedule.
    """
    start, end = options.learning_rate, options.final_rate
    falling = (start - end) * (0.5 * (1 + math.cos(math.pi * epoch / options.epochs)))
    rates = {"constant": start, "cosine": end + falling, "cosine-printed": falling}
    if options.schedule not in rates:
        raise UsageError("unknown schedule", found=options.schedule, wanted=", ".join(rates))
    return rates[options.schedule]
