"""Every run's check of itself: a sample of windows is run again, alone, and must give the same values."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import OutputSpec
from trackgen.errors import SelfCheckError
from trackgen.scan.attribution_check import ContributionCheck
from trackgen.scan.bars import allowed_differences
from trackgen.scan.inputs import Stretch
from trackgen.scan.plan import ModelPlan
from trackgen.scan.windows import WindowRunner

__all__ = ["WindowCheck"]


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


WINDOWS_CHECKED = 8
"""Windows of a tile and strand that are run again."""


class WindowCheck:
    """Compares sampled windows of a run with the same windows run one at a time; any thread may add to it.

    A dense graph that is nearly right, and a model whose windows influence each other (a batch size frozen inside,
    batch statistics left in training mode), pass every other test and are caught here.
    """

    def __init__(self) -> None:
        self.contributions = ContributionCheck()
        self.windows = 0
        self.largest_difference = 0.0
        self._lock = threading.Lock()

    def add(
        self,
        model: ModelPlan,
        windows: WindowRunner,
        source: Source,
        starts: NDArray[np.int64],
        raw: list[NDArray[np.float32]],
        *,
        reverse: bool,
    ) -> None:
        """Check some windows of a tile, the first and the last among them.

        Args:
            windows: runs single windows.
            source: the stretch that was run.
            starts: (N,) first bases of its windows, counted in the stretch.
            raw: per output (N, K[, M]), as the run gave them.

        Raises:
            SelfCheckError: a value differs by more than its bar.
        """
        card = model.card
        bars = allowed_differences(card.outputs, raw, model.mode.largest)
        for index in np.unique(np.linspace(0, len(starts) - 1, WINDOWS_CHECKED).astype(int)):
            start = int(starts[index])
            alone = windows.run(source.stretch.cut(start, start + card.window), np.zeros(1, np.int64), reverse=reverse)
            for output, together, single, bar in zip(card.outputs, raw, alone, bars, strict=True):
                difference = float(np.abs(together[index] - single[0]).max())
                self._count(difference)
                if not difference <= bar:
                    place = f"window that begins at {source.name}:{source.start + start + 1:,}"
                    raise _wrong(model, output, place, difference, bar)
            with self._lock:
                self.windows += 1

    def _count(self, difference: float) -> None:
        with self._lock:
            self.largest_difference = max(self.largest_difference, difference)


def _wrong(model: ModelPlan, output: OutputSpec, place: str, difference: float, bar: float) -> SelfCheckError:
    dense = model.mode.name == "dense"
    what = "comes out differently in dense mode" if dense else "depends on the other windows of its batch"
    return SelfCheckError(
        f"output {output.name} of model {model.card.name} {what}",
        path=model.path,
        place=place,
        found=f"a difference of {difference:.3g}",
        wanted=f"at most {bar:.3g}",
        remedy="run it with `--mode window`, and report the model"
        if dense
        else "export the model in evaluation mode with an open batch axis",
    )
