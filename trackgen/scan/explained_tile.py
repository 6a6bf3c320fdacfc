"""Contributions in one tile: which windows are run, what each counts, and the tracks' values.

::

                    tile.start              tile.end
         |<-- L -->|<-------- core -------->|<-- L -->|       windows that hold a base of the core
    |<distance>|                                 |<distance>|  windows that a call there must be larger than
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome.tiling import Grid, Tile
from trackgen.scan.centred import own_windows
from trackgen.scan.contributions import ContributionSums, DenseExplainer, empty_sums
from trackgen.scan.dense_occlusion import DenseOcclusion
from trackgen.scan.explained_plan import Explanation
from trackgen.scan.gaps import VALUE
from trackgen.scan.inputs import Stretch
from trackgen.scan.readings import Reading, classes_as_read
from trackgen.scan.single_windows import WindowSums, total_of, windows_as_read
from trackgen.scan.telling import TellShare
from trackgen.scan.tracks import ValuesKey
from trackgen.scan.weights import called_windows, joined_ranges, weight_at_bases

__all__ = [
    "ExplainedReading",
    "ExplainedTile",
    "Explainers",
    "every_window",
    "whole_blocks",
    "windows_over",
    "windows_to_read",
]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Probabilities = Callable[[int, Int64], Float32]
"""(slot, windows) -> what the model predicts of each window, -inf where nobody asked it."""


def windows_over(grid: Grid, start: int, end: int, length: int) -> range:
    """The windows of a sequence of `length` bp that hold, on any strand, a base of [start, end)."""
    pad, tail = sorted((grid.pad, grid.tail))
    first = (start + pad - grid.window) // grid.stride + 1
    every = grid.windows(length)
    return range(max(every.start, first), max(every.start, min(every.stop, -(-(end + tail) // grid.stride))))


def every_window(grids: Sequence[Grid], length: int) -> range:
    """All windows of a sequence, whichever output has them."""
    return joined_ranges([grid.windows(length) for grid in grids])


def windows_to_read(explanation: Explanation, grids: Sequence[Grid], tile: Tile, items: range) -> range:
    """All windows that a tile may run, those of its `items` among them."""
    needed = joined_ranges([*(windows_over(grid, tile.start, tile.end, tile.length) for grid in grids), items])
    if explanation.together or not explanation.weighed or not needed:
        return needed
    reach, block = explanation.calls_reach(grids[0].stride), explanation.block
    every = every_window(grids, tile.length)
    first, stop = (needed.start - reach) // block * block, -(-(needed.stop + reach) // block) * block
    return range(max(every.start, first), min(every.stop, stop))


def whole_blocks(windows: Int64, reach: int, block: int, every: range) -> list[Int64]:
    """The windows within `reach` of any of `windows`, and the rest of their blocks: one array for each block.

    What is predicted of a window may depend, in the last digit, on the windows run with it. Whole blocks, whose borders
    are the same in every tile and run, make it the same everywhere: so a call of one tile is a call of the next.
    """
    first = np.unique((windows - reach) // block)
    last = np.unique((windows + reach) // block)
    numbers = np.unique(np.concatenate([first, last, windows // block]))
    if reach > block:
        numbers = np.unique(np.concatenate([np.arange(f, e + 1) for f, e in zip(first, last, strict=False)]))
    found = []
    for number in numbers.tolist():
        begin, stop = max(every.start, number * block), min(every.stop, (number + 1) * block)
        if begin < stop:
            found.append(np.arange(begin, stop, dtype=np.int64))
    return found


class Source(NamedTuple):
    """The genome under a tile and its halo, as contributions need it."""

    tile: Tile
    start: int
    stretch: Stretch
    state: NDArray[np.uint8]
    references: Sequence[Codes]
    """Of live references, each (T,)."""


@dataclass(frozen=True)
class Explainers:
    """What explains a model on a device.

    Attributes:
        dense: runs the graph of a tile; None where there is none.
        windows: explains windows one by one.
    """

    dense: DenseExplainer | DenseOcclusion | None
    windows: WindowSums


class ExplainedReading(NamedTuple):
    """What one reading of a tile's windows gave, as the run's check needs it.

    Attributes:
        slots: numbers of the slots that the rows are of.
        starts: (N,) first bases of the windows, counted in the stretch.
        classes: (Q,) as read.
        tracks: per input (Q, bases of the core), NaN where no window has weight.
    """

    reading: Reading
    slots: tuple[int, ...]
    starts: Int64
    classes: Int64
    sums: ContributionSums
    tracks: Mapping[str | None, Float64]
    dense: bool


class ExplainedTile:
    """Contributions of one model in one tile.

    Args:
        explanation: of the model.
        grids: per output of its card.
        explainers: of the model.
        source: the tile.
    """

    def __init__(self, explanation: Explanation, grids: Sequence[Grid], explainers: Explainers, source: Source) -> None:
        self._explanation, self._grids, self._explainers, self._source = explanation, grids, explainers, source
        self._stride, self._window = grids[0].stride, grids[0].window
        tile = source.tile
        over = [windows_over(grid, tile.start, tile.end, tile.length) for grid in grids]
        core = source.state[tile.start - source.start : tile.end - source.start]
        self.windows = joined_ranges(over) if (core == VALUE).any() else range(0)
        """Those that hold a base of the core; none where no base of it gets a value."""

    def needed(self, readings: Sequence[Reading]) -> Int64:
        """The windows that hold a base of the core that gets a value."""
        tile, source = self._source.tile, self._source
        low, high = tile.start - source.start, tile.end - source.start
        total = np.concatenate([[0], np.cumsum(source.state[low:high] == VALUE)])
        windows = np.arange(self.windows.start, self.windows.stop, dtype=np.int64)
        found = np.zeros(len(windows), np.bool_)
        for origin in {reading.origin for reading in readings}:
            begin = windows * self._stride + origin - tile.start
            ends = np.clip(np.stack([begin, begin + self._window]), 0, high - low)
            found |= total[ends[1]] > total[ends[0]]
        return windows[found]

    def weights(self, slots: Sequence[int], windows: Int64, needed: Int64, probabilities: Probabilities) -> Float64:
        """What each window counts, (Q, N); 0 where it is not `needed`.

        Args:
            windows: (N,) neighbours.
        """
        explanation, length = self._explanation, self._source.tile.length
        weights = np.zeros((len(slots), len(windows)))
        for row, number in enumerate(slots):
            slot = explanation.slots[number]
            own = self._grids[slot.output].windows(length)
            counts = np.isin(windows, needed) & (windows >= own.start) & (windows < own.stop)
            if slot.weight == "uniform":
                weights[row] = counts
            elif slot.weight == "probability":
                weights[row, counts] = probabilities(number, windows[counts])
            else:
                reach = explanation.calls_reach(self._stride)
                near = np.arange(windows[0] - reach, windows[-1] + reach + 1)
                inside = (near >= own.start) & (near < own.stop)
                values = np.full(len(near), -np.inf, np.float32)
                values[inside] = probabilities(number, near[inside])
                assert slot.threshold is not None
                called = called_windows(values, slot.threshold, reach)
                weights[row] = counts & called[reach : reach + len(windows)]
        return weights

    def run(
        self,
        reading: Reading,
        slots: Sequence[int],
        windows: Int64,
        weights: Float64,
        tell_share: TellShare,
    ) -> ExplainedReading:
        """Explain `windows` (neighbours) for some slots, in one reading."""
        explanation, source = self._explanation, self._source
        starts = windows * self._stride + reading.origin - source.start
        classes = classes_as_read(
            explanation.card, [explanation.classes[slot] for slot in slots], reverse=reading.reverse
        )
        dense = bool(explanation.dense_slots) and tuple(slots) == explanation.dense_slots
        explainers = self._explainers
        explainer: DenseExplainer | DenseOcclusion | WindowSums | None
        explainer = explainers.dense if dense else explainers.windows
        assert explainer is not None
        sums = explainer.run(
            source.stretch,
            starts,
            [explanation.slots[slot].output for slot in slots],
            classes,
            weights,
            reverse=reading.reverse,
            references=source.references,
            tell_share=tell_share,
        )
        tracks = self._tracks(sums, int(starts[0]))
        return ExplainedReading(reading, tuple(slots), starts, classes, sums, tracks, dense)

    def run_centred(self, reading: Reading, centres: Int64, tell_share: TellShare) -> ExplainedReading:
        """Explain the window about each of `centres` (of the whole sequence, ascending), in one reading."""
        explanation, source, slots = self._explanation, self._source, range(len(self._explanation.slots))
        own = own_windows(centres, self._grids[0], reading.origin)
        tile, singly = source.tile, self._explainers.windows
        near = np.flatnonzero((own.low < tile.end) & (own.high > tile.start))
        starts = own.starts[near] - source.start
        references: Sequence[Codes] = source.references
        if explanation.reference.kind == "shuffle":
            read = windows_as_read(source.stretch.codes, starts, self._window, reverse=reading.reverse)
            references = explanation.reference.window_codes(read, tile.name, own.starts[near])
        classes = classes_as_read(explanation.card, explanation.classes, reverse=reading.reverse)
        sums = empty_sums(explanation.inputs, tile.bases, np.ones((len(slots), len(near))))
        tracks = {name: np.full((len(slots), tile.bases), np.nan) for name in explanation.inputs}
        for slot in slots if len(near) else ():
            one = singly.explain(
                source.stretch, starts, explanation.slots[slot].output, int(classes[slot]), reading.reverse, references
            )
            sums.totals[slot], sums.deltas[slot] = total_of(one), one.deltas
            for name in explanation.inputs:
                values = singly.at_bases(name, one, reading.reverse)
                for row, window in enumerate(near.tolist()):
                    low, high = max(own.low[window], tile.start), min(own.high[window], tile.end)
                    first = own.starts[window]
                    tracks[name][slot, low - tile.start : high - tile.start] = values[row, low - first : high - first]
            tell_share(1 / len(slots))
        return ExplainedReading(reading, tuple(slots), starts, classes, sums, tracks, False)

    def _tracks(self, sums: ContributionSums, first: int) -> dict[str | None, Float64]:
        """Weighted means at the bases of the core, NaN where no window has weight."""
        source = self._source
        low, high = source.tile.start - source.start, source.tile.end - source.start
        weight = weight_at_bases(sums.weights, first, self._stride, self._window, low, high)
        weighed = np.where(weight > 0, weight, np.nan)
        return {name: values[:, low:high] / weighed for name, values in sums.bases.items()}

    def values(self, found: Sequence[ExplainedReading]) -> dict[ValuesKey, Float32]:
        """The tracks' values from all readings and slots: per key (bases of the core, Q)."""
        explanation = self._explanation
        shape = (self._source.tile.bases, len(explanation.slots))
        values: dict[ValuesKey, Float32] = {}
        for strand in dict.fromkeys(entry.reading.strand for entry in found):
            mine = [entry for entry in found if entry.reading.strand == strand]
            readings = len({entry.reading for entry in mine})
            for name in explanation.inputs:
                total = np.zeros(shape)
                for entry in mine:
                    total[:, list(entry.slots)] += entry.tracks[name].T / readings
                values[ValuesKey(None, strand, name)] = total.astype(np.float32)
        return values
