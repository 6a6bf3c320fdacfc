"""One score for each bin, from a BigWig track of any maker."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import SignalReader, open_signal, reconcile
from trackgen.genome.signals import finite_values
from trackgen.genome.sliding import sliding

__all__ = ["STATISTICS", "Statistic", "TrackScores"]

Statistic = Literal["max", "mean", "centre"]
STATISTICS: tuple[Statistic, ...] = ("max", "mean", "centre")
Floats = NDArray[np.floating]


class TrackScores:
    """A track, asked for the scores of bins; use it in a ``with`` statement.

    Args:
        path: a BigWig file.
        lengths: of the genome's sequences, bp; None takes the track's own.

    Raises:
        DataError: the file is no BigWig, or its sequences are not the genome's.
    """

    def __init__(self, path: Path, lengths: Mapping[str, int] | None = None) -> None:
        self.path = path
        self._reader: SignalReader = open_signal(path)
        try:
            self.lengths = dict(self._reader.lengths if lengths is None else lengths)
            own = reconcile(
                self._reader.lengths, self.lengths, path=path, what="track", allow_unknown=lengths is not None
            )
        except BaseException:
            self._reader.close()
            raise
        self.mapping: Mapping[str, str] = own
        """The track's names of sequences -> the genome's."""
        self._own = {target: name for name, target in own.items()}

    @property
    def lacking(self) -> list[str]:
        """Sequences of the genome that the track does not list: their bins have no value."""
        return [name for name in self.lengths if name not in self._own]

    def scores(
        self, name: str, starts: NDArray[np.int64], width: int, statistic: Statistic, *, zeros: bool = False
    ) -> NDArray[np.float32]:
        """float32[n] scores of the bins [s, s + width) for each of ascending `starts`; NaN where no base has a value.

        ``max`` and ``mean`` are of the bases that have a value, ``centre`` is the value of base s + width // 2. Means
        are rounded to single precision. With `zeros`, bases without a value count as 0.

        Raises:
            DataError: the file proves damaged, or holds an infinite value.
        """
        if name not in self._own or not len(starts):
            return np.full(len(starts), 0 if zeros else np.nan, np.float32)
        first, last = int(starts[0]), int(starts[-1])
        step = gcd(*(int(step) for step in np.unique(np.diff(starts)))) or 1
        values = finite_values(self._reader, self._own[name], first, last + width)
        if zeros:
            values = np.nan_to_num(values, nan=0.0)
        return grid_scores(values, step, width, statistic)[(starts - first) // step]

    def close(self) -> None:
        """Release the file. Closing twice is fine."""
        self._reader.close()

    def __enter__(self) -> TrackScores:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def grid_scores(values: NDArray[np.float32], step: int, width: int, statistic: Statistic) -> NDArray[np.float32]:
    """Scores of all bins that start at multiples of `step` in float32[(k - 1) * step + width] values: float32[k].

    Work is shared between bins that overlap; every sum still adds its own values alone, in one order wherever a piece
    of genome begins.
    """
    number = (len(values) - width) // step + 1
    if statistic == "centre":
        return values[width // 2 :: step][:number]
    unit = gcd(step, width)
    units = values[: len(values) // unit * unit].reshape(-1, unit)
    missing = np.isnan(units)
    if statistic == "max":
        highest = np.where(missing, np.float32(-np.inf), units).max(1)
        found = sliding(highest, width // unit, np.maximum)[:: step // unit][:number]
        return np.where(np.isneginf(found), np.float32(np.nan), found).astype(np.float32)
    sums = np.where(missing, 0.0, units.astype(np.float64)).sum(1)
    counts = (~missing).sum(1).astype(np.float64)
    total, bases = (sliding(part, width // unit)[:: step // unit][:number] for part in (sums, counts))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(bases > 0, total / bases, np.nan), np.float32)
