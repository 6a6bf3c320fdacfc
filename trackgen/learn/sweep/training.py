"""One net of a sweep: trained for so many mini-batches, kept where it was best on validation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from trackgen.errors import TrackgenError
from trackgen.learn.architectures.sequence_nets import sequence_net
from trackgen.learn.datasets.batches import FixedWindows, StepBatches
from trackgen.learn.datasets.sequences import Parts, SequenceSet
from trackgen.learn.fit import FitOptions, fit, predict, seed_everything
from trackgen.learn.metrics import auroc
from trackgen.learn.sweep.space import Setting

__all__ = ["Manner", "Trained", "at_most", "bound_scores", "cut_down", "train_once"]

PREDICTED_AT_ONCE = 1000
"""Sequences; larger batches fall out of the processor's cache and take longer."""
START, VALIDATION, CUT = range(3)
"""Streams of random numbers."""
SAMPLES = 500_000
"""Table 2 of Zeng 2016 tells the time for this many."""


@dataclass(frozen=True)
class Manner:
    """How long, and how often it is looked at.

    Attributes:
        steps: mini-batches.
        every: mini-batches between two looks at validation; divides `steps`.
        batch_size: sequences in a mini-batch.
        seed: of weights, order and dropout.
    """

    steps: int
    every: int
    batch_size: int
    seed: int


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        net: with the weights of its best look at validation; None where training diverged.
        best_step: mini-batches until then; 0 where it diverged.
        auroc: on validation then; 0 where it diverged.
        seconds: of one core for 500,000 training samples, of the fastest stretch between two looks: what else the
            machine does can only add to it.
    """

    net: nn.Module | None
    best_step: int
    auroc: float
    seconds: float


def train_once(architecture: str, setting: Setting, parts: Parts, manner: Manner) -> Trained:
    """Train a net with AdaDelta at Caffe's rate of 1, and keep its best look at validation by AUROC."""
    plan = sequence_net(architecture)
    seed_everything(manner.seed, START)
    net = plan.build(length=parts.train.window, dropout=setting.dropout)
    batches = _Timed(StepBatches(_windows(parts.train), manner.batch_size, manner.every, manner.seed))
    looks = manner.steps // manner.every
    options = FitOptions(
        epochs=looks, patience=looks, monitor="auroc", larger_is_better=True, optimizer="adadelta", learning_rate=1.0,
        rho=setting.rho, epsilon=setting.epsilon, seed=manner.seed,
    )  # fmt: skip
    try:
        result = fit(
            net, functional.cross_entropy, batches, _in_order(parts.validation), options,
            metrics={"auroc": _auroc},
        )  # fmt: skip
    except TrackgenError as error:
        if type(error) is not TrackgenError:  # only a loss that is no number raises the base class
            raise
        return Trained(None, 0, 0.0, batches.seconds)
    # the last step before the only look can do it, while every loss was a number
    if not all(bool(value.isfinite().all()) for value in net.state_dict().values()):
        return Trained(None, 0, 0.0, batches.seconds)
    return Trained(net, (result.best_epoch + 1) * manner.every, result.best, batches.seconds)


def bound_scores(net: nn.Module, sequences: SequenceSet) -> NDArray[np.float64]:
    """float64[n]: log-odds of bound."""
    logits = predict(net, _in_order(sequences)).astype(np.float64)
    return np.asarray(logits[:, 1] - logits[:, 0])


def at_most(number: int, sequences: SequenceSet, seed: int) -> SequenceSet:
    """`number` of the sequences, drawn by `seed`, in their order; all where there are no more."""
    if len(sequences) <= number:
        return sequences
    return sequences.take(np.sort(np.random.default_rng([seed, VALIDATION]).permutation(len(sequences))[:number]))


def cut_down(sequences: SequenceSet, positives: int) -> SequenceSet:
    """The set with `positives` bound sequences outside its test part, and unbound ones in the same proportion.

    The test part stays whole, so that figures of all sizes are of the same sequences; a smaller set is part of each
    larger one.
    """
    parts = sequences.parts(0)
    pool = _joined(parts.train, parts.validation)
    share = positives / int((pool.labels == 1).sum())
    kept = []
    for label in (0, 1):
        rows = np.flatnonzero(pool.labels == label)
        order = np.random.default_rng([int(sequences.digest, 16), CUT, label]).permutation(len(rows))
        kept.append(rows[order[: round(share * len(rows))]])
    rows = np.sort(np.concatenate(kept))
    cut = _joined(pool.take(rows), parts.test, hold_back=True)
    if sequences.validation is None:
        return cut
    return replace(cut, validation=np.concatenate([rows >= len(parts.train), np.zeros(len(parts.test), np.bool_)]))


def _joined(first: SequenceSet, second: SequenceSet, *, hold_back: bool = False) -> SequenceSet:
    """Both, in order; `hold_back` makes the second the test part."""
    test = np.repeat([False, hold_back], [len(first), len(second)])
    codes = np.concatenate([first.codes, second.codes])
    return SequenceSet(first.name, codes, np.concatenate([first.labels, second.labels]), test)


def _windows(sequences: SequenceSet) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return sequences.codes, sequences.labels


def _in_order(sequences: SequenceSet) -> FixedWindows:
    return FixedWindows(_windows(sequences), PREDICTED_AT_ONCE)


def _auroc(logits: NDArray[Any], labels: NDArray[Any]) -> float:
    """Of the log-odds; 0, worse than any, where a weight is no number any more."""
    scores = (logits[:, 1] - logits[:, 0]).astype(np.float64)
    return auroc(labels == 1, scores) if np.isfinite(scores).all() else 0.0


@dataclass
class _Timed:
    """Batches, and the shortest processor time that an epoch of them took, with all that was done with each."""

    source: StepBatches
    shortest: float = field(default=math.inf)

    def batches(self, epoch: int) -> Iterator[Any]:
        began = time.process_time()
        yield from self.source.batches(epoch)
        self.shortest = min(self.shortest, time.process_time() - began)

    @property
    def seconds(self) -> float:
        """For `SAMPLES` samples."""
        return self.shortest / (self.source.steps * self.source.batch_size) * SAMPLES
