"""Turns stretches of genome into what a model's inputs want.

Each kind of input has an encoder with one method, ``windows(source, window)``, which gives a view whose element i
is the input of the window that starts at base i of the stretch: sequences are one kind of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trackgen.card import InputSpec

__all__ = ["SequenceEncoder"]

Float32 = NDArray[np.float32]


class SequenceEncoder:
    """Codes -> one-hot, in the layout and the order of bases that the card asks for."""

    def __init__(self, spec: InputSpec) -> None:
        self._channels_last = spec.layout == "NLC"
        # Row c is what code c becomes; the last row is for anything that is not A, C, G or T.
        self._table = np.zeros((5, 4), np.float32)
        for channel, base in enumerate(spec.bases):
            self._table["ACGT".index(base), channel] = 1.0
        self._table[4] = spec.unknown

    def windows(self, codes: NDArray[np.uint8], window: int) -> Float32:
        """All windows of `codes` (T,), as a view without copies.

        Returns:
            (T - L + 1, 4, L), or (T - L + 1, L, 4) for the layout NLC.
        """
        one_hot = self._table[codes]
        views = np.lib.stride_tricks.sliding_window_view(one_hot, window, axis=0)  # (T - L + 1, 4, L)
        if self._channels_last:
            return views.transpose(0, 2, 1)
        # Rows of bases side by side make the copy of a batch several times as fast.
        rows = np.ascontiguousarray(one_hot.T)
        return np.lib.stride_tricks.sliding_window_view(rows, window, axis=1).transpose(1, 0, 2)
