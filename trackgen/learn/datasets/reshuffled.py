"""Bound sequences against shuffles of themselves that are drawn anew in every pass.

Where unbound sequences are dinucleotide shuffles of the bound ones there are as many as one likes. A net that sees the
same ones in every pass learns them by heart; with fresh ones it can't.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.genome.shuffles import shuffle_windows
from trackgen.learn.datasets.windows import one_hot

__all__ = ["ReshuffledBatches"]

Arrays = tuple[tuple[NDArray[np.float32], ...], NDArray[np.int64]]


@dataclass(frozen=True)
class ReshuffledBatches:
    """An endless stream of passes over bound sequences and a new shuffle of each, of which an epoch is so many steps.

    As `StepBatches`: epoch e is the mini-batches [e * steps, (e + 1) * steps) of the stream, and all are full.

    Attributes:
        bound: uint8[n, L] codes.
        batch_size: sequences in a mini-batch, half of them shuffles in the mean.
        steps: mini-batches in an epoch.
        seed: of order and shuffles.
    """

    bound: NDArray[np.uint8]
    batch_size: int = 100
    steps: int = 100
    seed: int = 0

    def batches(self, epoch: int) -> Iterator[Arrays]:
        number, taken = 2 * len(self.bound), self.steps * self.batch_size
        if not number:
            return
        first = epoch * taken
        held: tuple[NDArray[np.uint8], NDArray[np.int64]] | None = None
        for one in range(first // number, -(-(first + taken) // number)):
            rows = slice(max(0, first - one * number), min(number, first + taken - one * number))
            codes, labels = self._pass(one, rows)
            if held is not None:
                codes, labels = np.concatenate([held[0], codes]), np.concatenate([held[1], labels])
            full = len(labels) // self.batch_size * self.batch_size
            for start in range(0, full, self.batch_size):
                batch = slice(start, start + self.batch_size)
                yield (one_hot(codes[batch]),), labels[batch]
            held = codes[full:], labels[full:]

    def _pass(self, one: int, rows: slice) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Some rows of the pass of that number: codes and labels."""
        number = len(self.bound)
        order = np.random.default_rng([self.seed, one]).permutation(2 * number)[rows]
        codes, labels = self.bound[order % number], (order < number).astype(np.int64)
        shuffled = order[order >= number]
        # a number of its own for each pass and sequence, so that no two passes share a shuffle
        seeds = np.random.default_rng([self.seed, one, 1]).integers(0, 1 << 62, number)[shuffled - number]
        codes[labels == 0] = shuffle_windows(self.bound[shuffled - number], seeds)
        return codes, labels
