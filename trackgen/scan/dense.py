"""Dense mode: one run of a tile graph gives every window of a stretch.

Windows that nobody asked for lie between those that somebody did: a run covers them too where that costs less than
beginning anew, since every run reads L - 1 bases beyond its windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import ResourceError
from trackgen.graph import DenseModel
from trackgen.runtime import OutOfMemory, Session
from trackgen.scan.feeding import TileFeed
from trackgen.scan.inputs import Stretch

__all__ = ["DenseRunner", "runs_of_windows"]

Float32 = NDArray[np.float32]


class DenseRunner:
    """Runs a compiled model on stretches of genome; gives what `WindowRunner` gives.

    Args:
        card: the model's card.
        compiled: its tile graph.
        session: the tile graph, loaded.
        vectors: the values of vector inputs, (length,) each; the card's default where a name is absent.
        windows_at_once: None, or the number of windows that every run is filled up to, so that a device that plans
            its kernels by shape sees one shape only.
        most_windows: None, or the most windows of one run, so that what it computes stays in a core's cache.
    """

    def __init__(
        self,
        card: Card,
        compiled: DenseModel,
        session: Session,
        vectors: Mapping[str, Float32] | None = None,
        windows_at_once: int | None = None,
        most_windows: int | None = None,
    ) -> None:
        self.session = session
        self._card = card
        self._compiled = compiled
        self._feed = TileFeed(card, compiled, vectors or {})
        self._windows_at_once = windows_at_once
        self._most_windows = most_windows

    def run(
        self,
        stretch: Stretch,
        starts: NDArray[np.int64],
        *,
        reverse: bool,
        tell_share: Callable[[float], None] = lambda share: None,
    ) -> list[Float32]:
        """The outputs for windows that start at `starts`, in the order of `WindowRunner.run`.

        Args:
            stretch: a stretch of genome, with the signals that the model needs.
            starts: (N,) first bases of the windows, counted in `stretch`; ascending, multiples of the stride apart.
            reverse: read each window as its reverse complement.
            tell_share: called after each run with its share of the windows.

        Returns:
            One array per output of the card: (N, K), or (N, K, M) for a profile.

        Raises:
            ResourceError: not even one window fits into memory.
        """
        if not len(starts):
            return [np.zeros((0,), np.float32) for _ in self._compiled.outputs]
        parts: list[list[Float32]] = []
        for part in runs_of_windows(starts, self._compiled.stride, self._compiled.window, self._most_windows):
            parts.append(self._run_filled(stretch, part, reverse))
            tell_share(len(part) / len(starts))
        return parts[0] if len(parts) == 1 else [np.concatenate(values) for values in zip(*parts, strict=True)]

    def _run_filled(self, stretch: Stretch, starts: NDArray[np.int64], reverse: bool) -> list[Float32]:
        """One run over all windows from the first to the last, of which those that were asked for are kept."""
        first, stride = int(starts[0]), self._compiled.stride
        count = (int(starts[-1]) - first) // stride + 1
        try:
            values = self._run(stretch.cut(first, int(starts[-1]) + self._compiled.window), count, reverse)
        except OutOfMemory as error:
            if len(starts) == 1:
                raise ResourceError(
                    f"model {self._card.name} does not fit into memory even with one window",
                    found=str(error),
                    remedy="free memory, or use a machine or device with more",
                ) from error
            half = len(starts) // 2
            pairs = [self._run_filled(stretch, part, reverse) for part in (starts[:half], starts[half:])]
            return [np.concatenate(pair) for pair in zip(*pairs, strict=True)]
        if count == len(starts):
            return values
        kept = (starts - first) // stride
        return [value[kept] for value in values]

    def _run(self, stretch: Stretch, count: int, reverse: bool) -> list[Float32]:
        """The values of `count` windows, the first of which begins with the stretch."""
        filled = max(count, self._windows_at_once or 0)
        inputs = self._feed.inputs(stretch, count, filled, reverse=reverse)
        results = self.session.run(inputs, self._compiled.outputs)
        return self._feed.predictions(results, count, filled, reverse=reverse)


def runs_of_windows(
    starts: NDArray[np.int64], stride: int, window: int, most: int | None
) -> Iterator[NDArray[np.int64]]:
    """`starts` cut where so many windows are missing that a new run is cheaper, and into runs of at most `most`."""
    gaps = np.flatnonzero(np.diff(starts) - stride > window) + 1
    for part in np.split(starts, gaps):
        yield from np.array_split(part, -(-len(part) // most)) if most else [part]
