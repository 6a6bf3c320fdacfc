"""Which dense form a model gets: the fastest one whose rounding stays well below the run's own bar.

Two orders of adding float32 numbers differ in the last digits, and a model that is very sure of itself turns them into
differences of probability. A run that found that out after hours would be lost, so windows of random sequence are run
each way while the run is planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, load_model
from trackgen.errors import ModelError
from trackgen.graph import DenseModel, compile_dense
from trackgen.runtime import open_session
from trackgen.scan.bars import allowed_differences
from trackgen.scan.dense import DenseRunner
from trackgen.scan.inputs import Stretch
from trackgen.scan.modes import Asked, Mode
from trackgen.scan.samples import random_inputs
from trackgen.scan.windows import WindowRunner

__all__ = ["choose_form"]

Float32 = NDArray[np.float32]
WINDOWS = 64
LONGEST = 200_000
"""Bases of the stretch that is run, at most."""
FAULT = 10
"""Times the bar from which a difference is no rounding."""
ROOM = 1 / 3
"""Of the bar, at most: a genome holds larger differences than a sample does."""


def choose_form(mode: Mode, path: Path, card: Card, asked: Asked, vectors: Mapping[str, Float32]) -> Mode:
    """The dense form to run on a CPU: as written for speed, else as plain sums, else windows.

    Args:
        mode: as `choose_mode` gave it.
        asked: where dense mode was asked for, the form with the smallest difference is taken in any case.

    Raises:
        ModelError: the model can't be run.
    """
    if mode.dense is None:
        return mode
    stride = mode.dense.stride
    count = max(2, min(WINDOWS, LONGEST // stride))
    starts = np.arange(count, dtype=np.int64) * stride
    stretch, _ = random_inputs(card, int(starts[-1]) + card.window, np.random.default_rng(0))
    windows = WindowRunner(card, open_session(path, device="cpu", threads=1), count, lambda text: None, vectors)
    wanted = windows.run(stretch, starts, reverse=False)
    largest = tuple(float(np.abs(values).max()) for values in wanted)
    found: list[tuple[float, DenseModel]] = []
    for compiled in _forms(mode.dense, path, card):
        share = _share_of_bar(compiled, card, path, vectors, stretch, starts, wanted)
        if share <= ROOM:
            return Mode(compiled, largest=largest)
        found.append((share, compiled))
    share, best = min(found, key=lambda entry: entry[0])
    if asked == "dense":
        return Mode(best, largest=largest)
    return Mode(None, f"{card.name} runs window by window: {_reason(share)}")


def _reason(share: float) -> str:
    """Why no dense form will do, by its share of the bar."""
    if share > FAULT:
        return "its dense form gives other values than windows; please report that with the model"
    return f"sums in another order change its values by up to {share:.0%} of what a run may differ by, too near to it"


def _forms(compiled: DenseModel, path: Path, card: Card) -> Iterator[DenseModel]:
    """The form that was compiled, then that of plain sums if it is another one."""
    yield compiled
    if compiled.tuned:
        yield compile_dense(load_model(path), card, compiled.stride, tuned=False)


def _share_of_bar(
    compiled: DenseModel,
    card: Card,
    path: Path,
    vectors: Mapping[str, Float32],
    stretch: Stretch,
    starts: NDArray[np.int64],
    wanted: list[Float32],
) -> float:
    """The largest difference from windows as a share of what is allowed; infinite where the form can't run."""
    data = compiled.model.SerializeToString()
    try:
        session = open_session(data, device="cpu", threads=1, path_for_messages=path)
        values = DenseRunner(card, compiled, session, vectors).run(stretch, starts, reverse=False)
    except ModelError:
        return float("inf")
    shares = [
        float(np.abs(dense - window).max()) / bar
        for dense, window, bar in zip(values, wanted, allowed_differences(card.outputs, wanted), strict=True)
    ]
    return max(share if np.isfinite(share) else float("inf") for share in shares)
