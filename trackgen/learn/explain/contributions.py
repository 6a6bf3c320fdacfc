"""DeepLIFT contributions of windows: their mean profile around a site, and what each base would contribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.explain.engine import Engine, Explainer
from trackgen.learn.explain.tensors import SequenceTensor
from trackgen.progress import Progress

__all__ = ["Contributions", "explain_windows"]

Float32 = NDArray[np.float32]

BATCH = 256


@dataclass(frozen=True)
class Contributions:
    """Of N windows.

    Attributes:
        actual: (N, L), of the base that is there.
        hypothetical: (N, 4, L), of each of the four bases.
    """

    actual: Float32
    hypothetical: Float32


def explain_windows(
    explainer: Explainer,
    engine: Engine,
    tensor: SequenceTensor,
    sequence: str,
    inputs: Mapping[str, Float32],
    index: int,
    reference: NDArray[np.float32],
    progress: Progress,
) -> Contributions:
    """Contributions of the sequence to class `index` in N windows.

    Args:
        sequence: the card's name of the sequence input.
        inputs: the graph's input tensors.
        index: of the class, in the card's order.
        reference: (4,), of A, C, G and T.
    """
    count = len(inputs[tensor.name])
    actual, hypothetical = [], []
    progress.start("contributions", count, "windows")
    for first in range(0, count, BATCH):
        batch = {name: values[first : first + BATCH] for name, values in inputs.items()}
        size = len(batch[tensor.name])
        result = explainer.run(batch, np.full(size, index, dtype=np.int64))
        actual.append(result.contributions[sequence])
        hypothetical.append(engine.hypothetical(tensor.take(result.multipliers[tensor.name]), reference))
        progress.advance(size)
    progress.finish()
    return Contributions(np.concatenate(actual), np.concatenate(hypothetical))
