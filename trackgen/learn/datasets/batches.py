"""Batches of windows for the training loop: a function of the epoch alone, so that a run can be resumed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.datasets.windows import one_hot

__all__ = ["FixedWindows", "RedrawnWindows", "StepBatches"]

Windows = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""uint8[n, L] codes and int64[n] labels."""
Arrays = tuple[tuple[NDArray[np.float32], ...], NDArray[np.int64]]


def _in_batches(windows: Windows, order: NDArray[np.int64], batch_size: int) -> Iterator[Arrays]:
    codes, labels = windows
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield (one_hot(codes[rows]),), labels[rows]


@dataclass(frozen=True)
class FixedWindows:
    """The same windows every epoch, shuffled anew when `seed` is given, in order when it is None.

    One batch is ((float32[n, 4, L] one-hot,), int64[n] labels); codes are held, one byte a base, and one-hot is made
    batch by batch.
    """

    windows: Windows
    batch_size: int = 256
    seed: int | None = None

    def batches(self, epoch: int) -> Iterator[Arrays]:
        number = len(self.windows[1])
        order = np.arange(number)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, epoch]).permutation(number)
        yield from _in_batches(self.windows, order, self.batch_size)


@dataclass(frozen=True)
class RedrawnWindows:
    """Windows drawn anew every epoch by `draw(epoch)`, shuffled."""

    draw: Callable[[int], Windows]
    batch_size: int = 256
    seed: int = 0

    def batches(self, epoch: int) -> Iterator[Arrays]:
        windows = self.draw(epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(windows[1]))
        yield from _in_batches(windows, order, self.batch_size)


@dataclass(frozen=True)
class StepBatches:
    """An endless stream of shuffled passes over the same windows, of which an epoch is a number of steps.

    Epoch e is the mini-batches [e * steps, (e + 1) * steps) of the stream. All are full: the last of a pass goes on
    with the first windows of the next one. "Validated every 100 mini-batches", as Zeng 2016 has it, is then an epoch of
    100 steps, however large the set.

    Attributes:
        windows: uint8[n, L] codes and int64[n] labels.
        batch_size: windows in a mini-batch.
        steps: mini-batches in an epoch.
        seed: of the order.
    """

    windows: Windows
    batch_size: int = 100
    steps: int = 100
    seed: int = 0

    def batches(self, epoch: int) -> Iterator[Arrays]:
        number, taken = len(self.windows[1]), self.steps * self.batch_size
        if not number:
            return
        passes = range(epoch * taken // number, -(-(epoch + 1) * taken // number))
        order = np.concatenate([np.random.default_rng([self.seed, one]).permutation(number) for one in passes])
        first = epoch * taken - passes.start * number
        yield from _in_batches(self.windows, order[first : first + taken], self.batch_size)
