"""The training loop: repeatable, resumable, and it stops."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trackgen.errors import DataError, ResourceError, TrackgenError, UsageError
from trackgen.learn import stepping
from trackgen.learn.datasets.batches import StepBatches
from trackgen.learn.fit import FitOptions, FitResult, fit, predict, seed_everything


@dataclass(frozen=True)
class Blobs:
    """Two clouds of points, drawn from the epoch's number."""

    number: int = 64
    redraw: bool = True

    def batches(self, epoch: int) -> Iterator[Any]:
        random = np.random.default_rng(epoch if self.redraw else 0)
        labels = random.integers(0, 2, self.number)
        points = (random.standard_normal((self.number, 2)) + 2.0 * labels[:, None]).astype(np.float32)
        for start in range(0, self.number, 16):
            yield (points[start : start + 16],), labels[start : start + 16]


KEYWORDS = ("checkpoint", "resume", "metrics", "metrics_csv", "history_png")


def net(seed: int = 3) -> nn.Module:
    seed_everything(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))


def train(model: nn.Module, epochs: int = 6, **settings: Any) -> FitResult:
    keywords = {key: settings.pop(key) for key in KEYWORDS if key in settings}
    options = FitOptions(**{"epochs": epochs, "seed": 5, **settings})
    return fit(model, nn.functional.cross_entropy, Blobs(), Blobs(redraw=False), options, **keywords)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def test_the_same_seed_gives_the_same_weights_and_another_gives_others() -> None:
    models = [net(), net(), net()]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        train(model, seed=seed)
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(weights(models[0]), weights(models[2]))


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adadelta", "sgd"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path: Path, average: float | None, optimizer: str) -> None:
    whole, halves = net(), net()
    settings: dict[str, Any] = {"average": average, "optimizer": optimizer}
    expected = train(whole, **settings)
    train(halves, epochs=2, checkpoint=tmp_path / "c.pt", **settings)
    again = net(seed=99)
    found = train(again, checkpoint=tmp_path / "c.pt", resume=True, **settings)
    assert torch.equal(weights(whole), weights(again))
    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch


def test_training_stops_when_patience_runs_out_and_keeps_the_best_weights() -> None:
    model = net()
    scores = iter([1.0, 3.0, 2.0, 2.0, 2.0, 9.0])
    result = train(
        model, epochs=20, patience=3, monitor="score", larger_is_better=True,
        metrics={"score": lambda outputs, targets: next(scores)},
    )  # fmt: skip
    assert len(result.history) == 5
    assert result.stopped_early
    assert result.best_epoch == 1
    assert result.best == 3.0
    assert not model.training
    reference = net()
    train(reference, epochs=2)
    kept = [(a, b) for a, b in zip(model.parameters(), reference.parameters(), strict=True)]
    # reference keeps its own best epoch; it is epoch 1 when the loss falls, which this task's does
    assert all(torch.equal(a, b) for a, b in kept)


def test_the_net_learns() -> None:
    model = net()
    result = train(model, epochs=15, learning_rate=0.02)
    assert result.best < 0.4
    assert result.history[0]["loss"] > result.best


def test_metrics_are_written_as_they_come(tmp_path: Path) -> None:
    result = train(net(), epochs=3, metrics_csv=tmp_path / "m.csv", metrics={"size": lambda o, t: float(len(o))})
    with open(tmp_path / "m.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["size"]) for row in rows] == [64.0] * 3
    assert float(rows[2]["loss"]) == pytest.approx(result.history[2]["loss"], rel=1e-6)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    train(net(), epochs=1, checkpoint=tmp_path / "c.pt")
    with pytest.raises(UsageError, match="made with another learning_rate"):
        train(net(), checkpoint=tmp_path / "c.pt", resume=True, learning_rate=0.5)
    with pytest.raises(UsageError, match="another net"):
        train(nn.Sequential(nn.Linear(2, 2)), checkpoint=tmp_path / "c.pt", resume=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "sgd-of-my-own"}, "unknown optimizer"),
        ({"schedule": "zigzag"}, "unknown schedule"),
        ({"monitor": "taste"}, "unknown monitor"),
        ({"precision": "fp8"}, "unknown precision; found fp8; wanted fp32, mixed"),
        ({"precision": "mixed"}, "mixed precision runs on CUDA only; found device cpu. Train with fp32"),
        ({"device": "cuda:99"}, "the net can't be moved to the device; found cuda:99"),
        ({"device": "cabbage"}, "the net can't be moved to the device; found cabbage"),
    ],
)
def test_unknown_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        train(net(), **settings)
    assert caught.value.exit_status == 2


def test_a_loss_that_explodes_is_an_error() -> None:
    with pytest.raises(TrackgenError, match="training loss became"):
        fit(net(), lambda o, t: o.sum() * math.nan, Blobs(), Blobs(), FitOptions(epochs=1))


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to train on"):
        fit(net(), nn.functional.cross_entropy, Blobs(number=0), Blobs(), FitOptions(epochs=1))
    with pytest.raises(DataError, match="nothing to predict"):
        predict(net(), Blobs(number=0))


@dataclass(frozen=True)
class Failing(Blobs):
    """Blobs of a machine that fails in an epoch."""

    error: Exception | None = None
    epoch: int = 2

    def batches(self, epoch: int) -> Iterator[Any]:
        if epoch == self.epoch and self.error is not None:
            raise self.error
        return super().batches(epoch)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (RuntimeError("CUDA error: unspecified launch failure"), "the training lost its device"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "the training lost its device"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "the training ran out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "the training ran out of memory"),
    ],
)
def test_a_device_that_disappears_leaves_a_checkpoint_to_go_on_from(
    tmp_path: Path, error: Exception, what: str
) -> None:
    path, options = tmp_path / "c.pt", FitOptions(epochs=4, seed=5)
    loss = nn.functional.cross_entropy
    with pytest.raises(ResourceError) as caught:
        fit(net(), loss, Failing(error=error), Blobs(redraw=False), options, checkpoint=path)
    assert caught.value.exit_status == 75
    message = str(caught.value)
    assert what in message
    assert str(error) in message
    assert f"resume from {path}, which is whole" in message
    whole, again = net(), net(seed=9)
    fit(whole, loss, Blobs(), Blobs(redraw=False), options)
    fit(again, loss, Blobs(), Blobs(redraw=False), options, checkpoint=path, resume=True)
    assert torch.equal(weights(whole), weights(again))


def test_a_device_lost_in_the_first_epoch_names_no_checkpoint(tmp_path: Path) -> None:
    error = RuntimeError("CUDA error: no CUDA-capable device is detected")
    with pytest.raises(ResourceError, match="See that the device is there, and start again"):
        fit(
            net(), nn.functional.cross_entropy, Failing(error=error, epoch=0), Blobs(), FitOptions(epochs=2),
            checkpoint=tmp_path / "c.pt",
        )  # fmt: skip


def test_an_error_of_the_program_is_not_blamed_on_the_machine() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(nn.Linear(3, 2), nn.functional.cross_entropy, Blobs(), Blobs(), FitOptions(epochs=1))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    train(net(), epochs=1, checkpoint=path)
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"the checkpoint can't be read.*Remove it") as caught:
            train(net(), checkpoint=path, resume=True)
        assert caught.value.exit_status == 3


def test_mixed_precision_learns_keeps_float32_weights_and_resumes_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the CPU, which PyTorch lets emulate what the option does on CUDA."""
    monkeypatch.setattr(stepping, "MIXED_DEVICES", ("cpu",))
    whole, single = net(), net()
    expected = train(whole, precision="mixed", learning_rate=0.02)
    assert all(value.dtype in (torch.float32, torch.int64) for value in whole.state_dict().values())
    # the first steps may be left out, until the scale of the loss fits
    assert expected.best == pytest.approx(train(single, learning_rate=0.02).best, abs=0.05)
    assert not torch.equal(weights(whole), weights(single))
    train(net(), epochs=2, precision="mixed", learning_rate=0.02, checkpoint=tmp_path / "c.pt")
    again = net(seed=99)
    found = train(again, precision="mixed", learning_rate=0.02, checkpoint=tmp_path / "c.pt", resume=True)
    assert torch.equal(weights(whole), weights(again))
    assert found.history == expected.history


def test_the_history_is_drawn(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        train(net(), epochs=3, history_png=tmp_path / name)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_adadelta_is_caffes() -> None:
    """Zeiler 2012 (arXiv:1212.5701), with Caffe's names: momentum is rho, delta is epsilon, the rate is 1."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(3.0)
    options = FitOptions(epochs=1, optimizer="adadelta", learning_rate=1.0, rho=0.99, epsilon=1e-4, seed=1)
    stepper = stepping.Stepper(model, lambda output, target: (output**2).mean() / 2, options)
    weight, squares, updates = 3.0, 0.0, 0.0
    for _ in range(20):
        stepper.step([torch.ones(1, 1)], torch.zeros(1))
        squares = 0.99 * squares + 0.01 * weight**2
        update = math.sqrt((updates + 1e-4) / (squares + 1e-4)) * weight
        updates = 0.99 * updates + 0.01 * update**2
        weight -= update
        assert model.weight.item() == pytest.approx(weight, rel=1e-5)


@given(
    number=st.integers(1, 9), batch=st.integers(1, 7), steps=st.integers(1, 4), other=st.integers(1, 4),
    seed=st.integers(0, 3),
)  # fmt: skip
def test_an_epoch_of_steps_is_a_piece_of_one_stream_of_shuffled_passes(
    number: int, batch: int, steps: int, other: int, seed: int
) -> None:
    windows = (np.arange(number, dtype=np.uint8)[:, None] % 5, np.arange(number))

    def stream(steps: int, total: int) -> list[int]:
        source = StepBatches(windows, batch, steps, seed)
        found = [labels for epoch in range(-(-total // (steps * batch))) for _, labels in source.batches(epoch)]
        assert all(len(labels) == batch for labels in found)
        return [int(label) for labels in found for label in labels][:total]

    total = 3 * number
    here = stream(steps, total)
    assert here == stream(other, total)
    for start in range(0, total, number):
        assert sorted(here[start : start + number]) == list(range(number))


def test_steps_over_nothing_are_no_batches() -> None:
    assert not list(StepBatches((np.empty((0, 5), np.uint8), np.empty(0, np.int64))).batches(0))
