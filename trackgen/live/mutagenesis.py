"""What every change of a single base does to a track: windows of many changed stretches, run together.

A window's value depends on its own bases alone. So the windows that hold a changed base are run on a short stretch with
the change in it, and many such stretches stand one behind the other in one run::

    |<-- windows over base p -->|..|<-- windows over base p, with another letter -->|..|<-- over base p + 1 ...
                                  fill, so that windows begin at multiples of the stride

Windows across a border are run and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ModelError
from trackgen.genome import UNKNOWN, Genome
from trackgen.genome.tiling import Grid
from trackgen.live.limits import Region
from trackgen.live.tiles import Stop
from trackgen.scan.inputs import Stretch
from trackgen.scan.passes import model_readings
from trackgen.scan.prepared import Prepared
from trackgen.scan.readings import Reading, forward_order
from trackgen.scan.runners import Runner
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tile import fill_items
from trackgen.scan.tracks import TrackPlan

__all__ = ["Changes", "changes_of"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
LETTERS = 4
BASES_AT_ONCE = 1 << 16
"""Of stretches that are run together: between two such runs the work can end."""

NEAR = 4096
"""Bases read about a stretch."""


class Changes(NamedTuple):
    """What the changes of the bases of a region do.

    Attributes:
        reference: the value at the base that is watched; NaN where it has none, or none is watched.
        deltas: (4, bases) by A, C, G, T: the change of the value; NaN where the genome has N, 0 for its own letter.
    """

    reference: float
    deltas: Float32


class _Block(NamedTuple):
    """The windows that a base at `place` reaches, and the items that they fill; `code` stands there instead."""

    place: int
    code: int
    windows: range
    items: range


def changes_of(
    prepared: Prepared, track: TrackPlan, genome: Genome, signals: SignalFiles, region: Region, at: int | None,
    stop: Stop,
) -> Changes:  # fmt: skip
    """All changes of single bases of a region, in a track's unit.

    Args:
        prepared: what predicts.
        track: a track of predictions.
        at: the base whose value is watched; None for the change of largest size among all that hold the changed base in
            a window, the first of equals.
        stop: ends the work between runs.

    Raises:
        ModelError: the model yields NaN or infinity.
    """
    runs = _Runs(prepared, track, genome, signals, region.name, region.length, at is not None)
    own = genome.fetch(region.name, region.start, region.end)
    deltas = np.full((LETTERS, len(own)), np.nan, np.float32)
    known = np.flatnonzero(own != UNKNOWN)
    deltas[:, known] = 0
    watched = None if at is None else (at - track.grid.offset) // track.grid.step
    reference = float("nan")
    if at is not None:
        if genome.fetch(region.name, at, at + 1)[0] == UNKNOWN:
            return Changes(reference, np.full_like(deltas, np.nan))
        assert watched is not None
        (values,) = runs.values([runs.block(at, UNKNOWN, watched, changed=False)], stop)
        reference = float(values[0])
    blocks = []
    for index in known.tolist():
        place = region.start + index
        for code in range(LETTERS):
            block = runs.block(place, code, watched)
            if code != own[index] and block.windows:
                blocks.append(block)
    if not blocks:
        return Changes(reference, deltas)
    whole = runs.reference(blocks, stop)
    for block, values in zip(blocks, runs.values(blocks, stop), strict=True):
        change = values - whole[block.items.start - runs.first : block.items.stop - runs.first]
        size = np.where(np.isnan(change), -1, np.abs(change))
        deltas[block.code, block.place - region.start] = change[size.argmax()] if size.max() >= 0 else 0
    return Changes(reference, deltas)


class _Runs:
    """Runs blocks of windows for one track."""

    def __init__(
        self, prepared: Prepared, track: TrackPlan, genome: Genome, signals: SignalFiles, name: str, length: int,
        singly: bool,
    ) -> None:  # fmt: skip
        model = prepared.model
        self._model, self._track, self._name, self._length = model, track, name, length
        self._genome, self._signals = genome, signals
        self._grid: Grid = track.grid
        self._readings = [entry for entry in model_readings(model) if entry.strand == track.strand]
        # One window of each change is no work to share.
        self._runner: Runner = prepared.runner.windows if singly else prepared.runner.main
        self._near, self._from = Stretch(np.zeros(0, np.uint8)), 0
        self.first = 0
        """The first item of `reference`."""

    def block(self, place: int, code: int, watched: int | None, *, changed: bool = True) -> _Block:
        """What base `place` reaches, or of that the item `watched` alone; no windows where it does not reach it."""
        grid, every = self._grid, self._grid.windows(self._length)
        per_stride = grid.stride // grid.step
        if watched is not None:
            windows = grid.windows_of_items(range(watched, watched + 1), self._length)
            if changed and not any(self._holds(entry, windows, place) for entry in self._readings):
                windows = range(0)
            return _Block(place, code, windows, range(watched, watched + 1))
        origins = [entry.origin for entry in self._readings]
        first = -((max(origins) + grid.window - 1 - place) // grid.stride)
        last = (place - min(origins)) // grid.stride
        reached = range(max(every.start, first), min(every.stop, last + 1))
        if not reached:
            return _Block(place, code, range(0), range(0))
        items = range(reached.start * per_stride, (reached.stop - 1) * per_stride + grid.positions)
        return _Block(place, code, grid.windows_of_items(items, self._length), items)

    def _holds(self, reading: Reading, windows: range, place: int) -> bool:
        first = windows.start * self._grid.stride + reading.origin
        last = (windows.stop - 1) * self._grid.stride + reading.origin
        return bool(windows) and first <= place < last + self._grid.window

    def reference(self, blocks: Sequence[_Block], stop: Stop) -> Float32:
        """The values of all items of the blocks on the genome as it is, NaN where no base of one gets a value."""
        items = range(min(entry.items.start for entry in blocks), max(entry.items.stop for entry in blocks))
        windows = self._grid.windows_of_items(items, self._length)
        self.first = items.start
        (values,) = self.values([_Block(-1, UNKNOWN, windows, items)], stop)
        grid = self._grid
        begin = items.start * grid.step + grid.offset
        known = self._genome.fetch(self._name, begin, begin + len(items) * grid.step) != UNKNOWN
        values[~known.reshape(len(items), grid.step).any(axis=1)] = np.nan
        return values

    def values(self, blocks: Sequence[_Block], stop: Stop) -> Iterator[Float32]:
        """Of each block the values of its items, (items,)."""
        at_once: list[_Block] = []
        bases = 0
        for block in blocks:
            at_once.append(block)
            bases += self._bases(block)
            if bases >= BASES_AT_ONCE:
                yield from self._together(at_once, stop)
                at_once, bases = [], 0
        if at_once:
            yield from self._together(at_once, stop)

    def _bases(self, block: _Block) -> int:
        """Of a block's stretch, filled up to a multiple of the stride."""
        stride, bases = self._grid.stride, (len(block.windows) - 1) * self._grid.stride + self._grid.window
        return -(-bases // stride) * stride

    def _together(self, blocks: Sequence[_Block], stop: Stop) -> list[Float32]:
        """The blocks' values, from one run for each reading."""
        rows = [self._read(reading, blocks, stop) for reading in self._readings]
        if len(rows) == 1:
            return rows[0]
        # As `combine_strands`: halved first, since the sum of two finite numbers may be none.
        return [there / np.float32(2) + back / np.float32(2) for there, back in zip(*rows, strict=True)]

    def _read(self, reading: Reading, blocks: Sequence[_Block], stop: Stop) -> list[Float32]:
        stop.check()
        grid, card, track = self._grid, self._model.card, self._track
        parts = [self._stretch(reading, block) for block in blocks]
        begins = np.cumsum([0, *(len(part.codes) for part in parts)])
        starts = np.concatenate(
            [begin + np.arange(len(block.windows)) * grid.stride for begin, block in zip(begins, blocks, strict=False)]
        )
        keys = parts[0].signals.keys()
        joined = Stretch(
            np.concatenate([part.codes for part in parts]),
            {key: np.concatenate([part.signals[key] for part in parts]) for key in keys},
        )
        raw = self._runner.run(joined, starts, reverse=reading.reverse, tell_share=stop.check)
        output = card.outputs[track.output]
        values = raw[track.output]
        values = forward_order(output, values) if reading.reverse else values
        values = values[:, track.class_index : track.class_index + 1]
        if not np.isfinite(values).all():
            raise ModelError(
                f"output {output.name} of model {card.name} is not a number or infinite",
                path=self._model.path,
                place=f"a changed base near {self._name}:{blocks[0].place + 1:,}",
                wanted="finite numbers",
            )
        found, begin = [], 0
        for block in blocks:
            indices = np.arange(block.windows.start, block.windows.stop, dtype=np.int64)
            mine = values[begin : begin + len(indices)]
            found.append(fill_items(mine, indices, grid, block.items)[:, 0])
            begin += len(indices)
        return found

    def _stretch(self, reading: Reading, block: _Block) -> Stretch:
        """The bases that a block's windows read, with its change, and what fills them up."""
        low = block.windows.start * self._grid.stride + reading.origin
        high = low + (len(block.windows) - 1) * self._grid.stride + self._grid.window
        filled = low + self._bases(block)
        part = self._bases_of(low, filled)
        codes = part.codes.copy()
        if low <= block.place < high and block.code != UNKNOWN:
            codes[block.place - low] = block.code
        return Stretch(codes, part.signals)

    def _bases_of(self, low: int, high: int) -> Stretch:
        """The genome's bases [low, high), which are read with many about them: the next stretch is near."""
        if not self._from <= low <= high <= self._from + len(self._near.codes):
            self._from, end = low - NEAR, high + NEAR
            signals = self._signals.read(self._name, self._from, end)
            self._near = Stretch(self._genome.fetch(self._name, self._from, end), signals)
        return self._near.cut(low - self._from, high - self._from)
