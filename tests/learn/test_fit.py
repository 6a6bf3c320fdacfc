"""The training loop: repeatable, resumable, and it stops."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trackgen.errors import DataError, TrackgenError, UsageError
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


def net(seed: int = 3) -> nn.Module:
    seed_everything(seed)
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 2))


def train(model: nn.Module, epochs: int = 6, **settings: Any) -> FitResult:
    keywords = {key: settings.pop(key) for key in ("checkpoint", "resume", "metrics", "metrics_csv") if key in settings}
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
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adadelta"])
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
    ],
)
def test_unknown_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        train(net(), **settings)


def test_a_loss_that_explodes_is_an_error() -> None:
    with pytest.raises(TrackgenError, match="training loss became"):
        fit(net(), lambda o, t: o.sum() * math.nan, Blobs(), Blobs(), FitOptions(epochs=1))


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(DataError, match="nothing to train on"):
        fit(net(), nn.functional.cross_entropy, Blobs(number=0), Blobs(), FitOptions(epochs=1))
    with pytest.raises(DataError, match="nothing to predict"):
        predict(net(), Blobs(number=0))
