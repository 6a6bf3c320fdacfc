"""Activation maximisation: the input that a class's logit would like best (Simonyan et al. 2013, ten Dijke 2017).

Gradient ascent on logit(x) - lambda x |x|^2 from an input where every base is equally likely. The thesis gives
lambda .01, rate .01 and 1,000 steps; it prints .025 as the starting value where its method section and the meaning
(four bases, equally likely) say .25. Its pictures zero what lies below the 85th percentile.

Where the units of a net do not fire on that start, its gradient is exactly zero and the ascent would stay there; then
it begins from random sequences instead, and the result is what the ascent added to them, in the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.explain.engine import Explainer
from trackgen.learn.explain.tensors import SequenceTensor
from trackgen.progress import Progress

__all__ = ["PENALTY", "RATE", "START", "STEPS", "Maximised", "maximise", "strongest_part"]

Float32 = NDArray[np.float32]

START = 0.25
RATE = 0.01
PENALTY = 0.01
STEPS = 1000
PERCENTILE = 85
FEWEST_MOVED = 0.5
"""Share of the positions that must have a gradient at the start; where fewer do, most of the net is silent there."""
RANDOM_STARTS = 32
"""So many that what the ascent adds to one or the other of them averages out."""


@dataclass(frozen=True)
class Maximised:
    """The result of an ascent.

    Attributes:
        values: float32 (classes, 4, window), any real numbers.
        starts: random sequences that it began from; 0 for the input in which every base is equally likely.
    """

    values: Float32
    starts: int


def maximise(
    explainer: Explainer,
    tensor: SequenceTensor,
    window: int,
    classes: Sequence[int],
    frequencies: NDArray[np.float64],
    progress: Progress,
    *,
    steps: int = STEPS,
    seed: int = 1,
) -> Maximised:
    """The inputs that maximise the logits of `classes`.

    Args:
        explainer: of gradients, on a model whose output is the logits.
        tensor: the model's one input.
        window: L, bases.
        frequencies: (4,), of the bases of random starts.
        steps: of gradient ascent.
        seed: of random starts.
    """
    starts = 0
    values = np.full((len(classes), 4, window), START, np.float32)
    wanted = np.asarray(classes, dtype=np.int64)
    moved = _gradient(explainer, tensor, values, wanted).any(axis=1).mean(axis=1)
    if moved.min() < FEWEST_MOVED:
        starts = RANDOM_STARTS
        codes = np.random.default_rng(seed).choice(4, (starts, window), p=frequencies / frequencies.sum())
        values = np.tile(np.eye(4, dtype=np.float32)[codes].transpose(0, 2, 1), (len(classes), 1, 1))
        wanted = np.repeat(wanted, starts)
    begun = values.copy()
    progress.start("activation maximisation", steps, "steps")
    for _ in range(steps):
        gradient = _gradient(explainer, tensor, values, wanted)
        values += np.float32(RATE) * (gradient - np.float32(2 * PENALTY) * values)
        progress.advance(1)
    progress.finish()
    if starts:
        # Without any gradient the penalty alone would have left so much of the start.
        values -= begun * np.float32((1 - 2 * PENALTY * RATE) ** steps)
    return Maximised(values.reshape(len(classes), -1, 4, window).mean(axis=1), starts)


def _gradient(
    explainer: Explainer, tensor: SequenceTensor, values: Float32, classes: NDArray[np.int64]
) -> Float32:  # fmt: skip
    return tensor.take(explainer.run({tensor.name: tensor.put(values)}, classes).multipliers[tensor.name])


def strongest_part(values: Float32) -> Float32:
    """(4, L) with what lies below its 85th percentile, and what is negative, zeroed."""
    return np.where(values >= max(float(np.percentile(values, PERCENTILE)), 0.0), values, 0).astype(np.float32)
