"""The input tensors of windows anywhere on a genome: the very numbers that a scan gives the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.genome import Genome
from trackgen.learn.datasets.windows import Sites, window_flanks
from trackgen.scan.inputs import Stretch, tensor_encoders
from trackgen.scan.sources import SignalFiles

__all__ = ["WindowReader", "window_starts"]

Float32 = NDArray[np.float32]


def window_starts(card: Card, sites: Sites) -> NDArray[np.int64]:
    """(N,) first base, on the plus strand, of the window of each bin that begins at `sites`."""
    pad, tail = window_flanks(card.window, card.bin)
    return np.asarray(sites.position - np.where(sites.minus, tail, pad), dtype=np.int64)


class WindowReader:
    """Reads windows, each by itself: for hundreds of them, not for a genome.

    Args:
        card: of the model.
        genome: where the bases come from; beyond its ends they are unknown.
        signals: the open files of signal inputs.
        vectors: the values of vector inputs; the card's default where a name is absent.
    """

    def __init__(
        self, card: Card, genome: Genome, signals: SignalFiles, vectors: Mapping[str, Float32] | None = None
    ) -> None:
        self._card, self._genome, self._signals = card, genome, signals
        self._encoders = tensor_encoders(card, vectors or {})

    def read(self, sites: Sites) -> dict[str, Float32]:
        """Per graph input (N, ...): the windows of the bins that begin at `sites`, each read on its own strand."""
        parts: dict[str, list[Float32]] = {encoder.name: [] for encoder in self._encoders}
        starts = window_starts(self._card, sites)
        for chromosome, start, minus in zip(sites.chromosome, starts, sites.minus, strict=True):
            name, first, last = sites.names[chromosome], int(start), int(start) + self._card.window
            stretch = Stretch(self._genome.fetch(name, first, last), self._signals.read(name, first, last))
            for encoder in self._encoders:
                members = encoder.windows(stretch, np.zeros(1, np.int64), reverse=bool(minus))
                parts[encoder.name].append(encoder.take(members, slice(0, 1)))
        return {name: np.concatenate(windows) for name, windows in parts.items()}
