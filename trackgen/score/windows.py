"""Single windows of a genome and of its alleles, in batches through ONNX Runtime.

The window of a bin is the one that `trackgen scan` reads at stride 1 for the bin's middle base, on the edited sequence
for an allele. A stretch holds one bin and, on both sides, what the windows of either strand reach::

        |<---- margin ---->|<- bin ->|<---- margin ---->|     margin = the longer one of pad and tail
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import ModelError
from trackgen.genome import UNKNOWN, Edit, Genome, encode
from trackgen.genome.tiling import Grid
from trackgen.runtime import Session
from trackgen.scan.inputs import Stretch
from trackgen.scan.readings import combine_strands, forward_order, readings_of
from trackgen.scan.sources import SignalFiles
from trackgen.scan.windows import WindowRunner, default_batch_size
from trackgen.score.columns import Column, column_values

__all__ = ["Place", "WindowScorer", "bin_of_region"]

Float32 = NDArray[np.float32]

MOST_WINDOWS = 256
"""Of a batch: as fast on a CPU as more, and on a device no slower than reading; a third of the memory of 1,024."""


class Place(NamedTuple):
    """A bin of a sequence, and what is changed there: one window for the genome, and one for each edit by itself.

    Attributes:
        first: the first base of the bin; may lie before the sequence.
        edits: none begins before the bin's window.
    """

    name: str
    first: int
    edits: tuple[Edit, ...] = ()


def bin_of_region(card: Card, start: int, end: int) -> int:
    """The first base of the bin in the middle of [start, end), of the right one where two are.

    Of a single base it is the bin whose value `trackgen scan` writes there at stride 1; of a region as long as a bin,
    the region itself.
    """
    return start + (end - start - card.bin + 1) // 2


class WindowScorer:
    """What a model gives for windows of a genome.

    Args:
        path: the model's file, for messages.
        session: the loaded model.
        vectors: the values of vector inputs, (length,) each.
        tell: called with a sentence when the batch size was halved.

    Attributes:
        batch: windows that are worth running at a time.
    """

    def __init__(
        self,
        card: Card,
        path: Path,
        session: Session,
        columns: Sequence[Column],
        genome: Genome,
        signals: SignalFiles,
        vectors: Mapping[str, Float32],
        tell: Callable[[str], None],
    ) -> None:
        self._card, self._path, self._columns = card, path, columns
        self._genome, self._signals = genome, signals
        self.batch = min(default_batch_size(card), MOST_WINDOWS)
        self._runner = WindowRunner(card, session, self.batch, tell, vectors)
        grid = Grid(card.window, card.bin, 1)
        self._readings = readings_of(card, grid)
        self._margin = max(grid.pad, grid.tail)
        self._span = card.bin + 2 * self._margin
        self._middle = self._margin + (card.bin - 1) // 2

    def values(self, places: Sequence[Place]) -> list[Float32]:
        """Per place (1 + edits, columns) float32: the genome's row, then one for each edit.

        A window is NaN where the base that its value stands on is not known.

        Raises:
            DataError: the genome or a signal file proves damaged.
            ModelError: the model yields NaN or infinity, with the place.
        """
        if not places:
            return []
        rows = [row for place in places for row in self._rows(place)]
        stretch = Stretch(
            np.concatenate([row.codes for row in rows]),
            {key: np.concatenate([row.signals[key] for row in rows]) for key in rows[0].signals},
        )
        found = self._run(stretch, len(rows), places)
        middle = stretch.codes.reshape(len(rows), self._span)[:, self._middle]
        found[middle == UNKNOWN] = np.nan
        ends = np.cumsum([1 + len(place.edits) for place in places])
        return np.split(found, ends[:-1])

    def _rows(self, place: Place) -> list[Stretch]:
        """The stretches of a place: the genome's, then one with each edit."""
        low = place.first - self._margin
        reach = max((edit.end - edit.start for edit in place.edits), default=0)
        codes = self._genome.fetch(place.name, low, low + self._span + reach)
        signals = self._signals.read(place.name, low, low + self._span + reach)
        whole = Stretch(codes, signals)
        return [whole.cut(0, self._span), *(_edited(whole, edit, low, self._span) for edit in place.edits)]

    def _run(self, stretch: Stretch, count: int, places: Sequence[Place]) -> Float32:
        """The columns (count, columns) of stretches that lie side by side in one."""
        bins = np.arange(count, dtype=np.int64) * self._span + self._margin
        results = []
        for reading in self._readings:
            values = self._runner.run(stretch, bins + reading.origin, reverse=reading.reverse)
            self._refuse_not_finite(values, places)
            if reading.reverse:
                values = [forward_order(*pair) for pair in zip(self._card.outputs, values, strict=True)]
            results.append(values)
        return column_values(self._columns, combine_strands(self._readings, results))

    def _refuse_not_finite(self, outputs: Sequence[Float32], places: Sequence[Place]) -> None:
        for output, values in zip(self._card.outputs, outputs, strict=True):
            bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
            if bad.any():
                owners = [place for place in places for _ in range(1 + len(place.edits))]
                place = owners[int(np.argmax(bad))]
                raise ModelError(
                    f"output {output.name} of model {self._card.name} is not a number or infinite",
                    path=self._path,
                    place=f"the window about {place.name}:{place.first + (self._card.bin - 1) // 2 + 1:,}",
                    found=values[np.argmax(bad)].ravel()[:4].tolist(),
                    wanted="finite numbers",
                )


def _edited(whole: Stretch, edit: Edit, low: int, span: int) -> Stretch:
    """The first `span` bases of a stretch that begins at base `low`, with an edit in it.

    A signal goes on over the bases that stand over each other; inserted ones have no value.
    """
    start, end = edit.start - low, edit.end - low
    kept = min(end - start, len(edit.sequence))
    inserted = np.full(len(edit.sequence) - kept, np.nan, np.float32)
    codes = [whole.codes[:start], encode(edit.sequence.encode()), whole.codes[end:]]
    return Stretch(
        np.concatenate(codes)[:span],
        {
            key: np.concatenate([values[: start + kept], inserted, values[end:]])[:span]
            for key, values in whole.signals.items()
        },
    )
