"""Every run's check of itself: a sample of windows is run again, alone, and must give the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, OutputSpec
from trackgen.errors import SelfCheckError
from trackgen.scan.inputs import Stretch
from trackgen.scan.windows import WindowRunner

__all__ = ["WindowCheck", "largest_allowed_difference"]


def largest_allowed_difference(output: OutputSpec, values: NDArray[np.float32]) -> float:
    """By how much two ways of computing `values` (a sample, (N, K[, M])) of an output may differ."""
    if output.role == "probability":
        return PROBABILITY_BAR
    return SIGNAL_BAR * (float(np.abs(values).max()) or 1.0)


class Source(Protocol):
    """A stretch of a chromosome."""

    @property
    def name(self) -> str:
        """Its chromosome."""

    @property
    def start(self) -> int:
        """Its first base on the chromosome."""

    @property
    def stretch(self) -> Stretch:
        """What inputs read."""


PROBABILITY_BAR = 1e-5
"""Largest difference in probability."""
SIGNAL_BAR = 1e-4
"""Largest difference of other outputs, as a share of the sample's largest absolute value."""


class WindowCheck:
    """Compares sampled windows of batches with the same windows run one at a time.

    A model whose windows influence each other (a batch size frozen inside, batch statistics left in training mode)
    passes every other test and is caught here.
    """

    def __init__(self) -> None:
        self.windows = 0
        self.largest_difference = 0.0

    def add(
        self,
        path: Path,
        card: Card,
        runner: WindowRunner,
        source: Source,
        starts: NDArray[np.int64],
        raw: list[NDArray[np.float32]],
        *,
        reverse: bool,
    ) -> None:
        """Check the first and the last window of a tile.

        Args:
            path: the model's file, for messages.
            source: the stretch that was run.
            starts: (N,) first bases of its windows, counted in the stretch.
            raw: per output (N, K[, M]), as the run gave them.

        Raises:
            SelfCheckError: a value differs by more than its bar.
        """
        for index in {0, len(starts) - 1}:
            start = int(starts[index])
            alone = runner.run(source.stretch.cut(start, start + card.window), np.zeros(1, np.int64), reverse=reverse)
            for output, batch, single in zip(card.outputs, raw, alone, strict=True):
                difference = float(np.abs(batch[index] - single[0]).max())
                bar = largest_allowed_difference(output, batch)
                self.largest_difference = max(self.largest_difference, difference)
                if not difference <= bar:
                    raise SelfCheckError(
                        f"output {output.name} of model {card.name} depends on the other windows of its batch",
                        path=path,
                        place=f"window that begins at {source.name}:{source.start + start + 1:,}",
                        found=f"a difference of {difference:.3g}",
                        wanted=f"at most {bar:.3g}",
                        remedy="export the model in evaluation mode with an open batch axis",
                    )
            self.windows += 1
