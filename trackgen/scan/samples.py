"""Random stretches of genome, for runs of a model before any genome is read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.scan.inputs import Stretch, signal_keys, vector_values

__all__ = ["random_inputs"]

UNKNOWN_SHARE = 0.02
"""Of bases without a letter, and of signals without a value."""


def random_inputs(
    card: Card, length: int, random: np.random.Generator
) -> tuple[Stretch, dict[str, NDArray[np.float32]]]:
    """A random stretch of `length` bases, some without a letter or a signal, and random vectors about the defaults."""
    codes = random.integers(0, 4, length).astype(np.uint8)
    codes[random.random(length) < UNKNOWN_SHARE] = 4
    signals: dict[str, NDArray[np.float32]] = {}
    vectors: dict[str, NDArray[np.float32]] = {}
    for entry in card.inputs:
        if entry.kind == "signal":
            for key in signal_keys(entry):
                signals[key] = random.exponential(1.0, length).astype(np.float32)
                signals[key][random.random(length) < UNKNOWN_SHARE] = np.nan
        elif entry.kind == "vector":
            vectors[entry.name] = vector_values(entry) + random.normal(0, 1, entry.length).astype(np.float32)
    return Stretch(codes, signals), vectors
