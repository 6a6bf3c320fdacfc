"""What one tile reads: the windows and items of each model there, and the genome and signals under them.

::

            lo                tile.start         tile.end            hi
             |<---- halo ---->|<----- core ----->|<---- halo ---->|
    windows of the items that begin in the core reach into the halo; items never do, but for the last one's end
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Genome
from trackgen.genome.tiling import Tile
from trackgen.scan.explained_tile import windows_to_read
from trackgen.scan.gaps import classify
from trackgen.scan.inputs import SignalValues, Stretch
from trackgen.scan.plan import ModelPlan, ScanPlan
from trackgen.scan.stretches import NO_SPANS

__all__ = ["ModelTile", "TileInput", "TileSignals", "read_tile"]

Float32 = NDArray[np.float32]


class TileSignals(Protocol):
    """Open signal files, as `trackgen.scan.sources.SignalFiles` has them."""

    reference: Genome | None

    def read(self, name: str, start: int, end: int) -> SignalValues:
        """Raw values of the bases [start, end) of the genome's sequence `name`, NaN where there is none, by key."""


@dataclass(frozen=True)
class ModelTile:
    """The windows and items of one model in one tile."""

    windows: range
    items: tuple[range, ...]
    """Per output of the card: the items that begin in the core."""

    @staticmethod
    def of(model: ModelPlan, tile: Tile) -> ModelTile:
        grids = [model.grid(output) for output in model.card.outputs]
        items = tuple(grid.items(tile.start, tile.end) for grid in grids)
        windows = [grid.windows_of_items(part, tile.length) for grid, part in zip(grids, items, strict=True) if part]
        if not windows:
            return ModelTile(range(0), items)
        return ModelTile(range(min(w.start for w in windows), max(w.stop for w in windows)), items)


@dataclass(frozen=True)
class TileInput:
    """The genome under one tile and its halo; element 0 stands at `start`, which may be negative."""

    tile: Tile
    start: int
    stretch: Stretch
    state: NDArray[np.uint8]
    """Per base, as `trackgen.scan.gaps.classify` gives it."""
    other: NDArray[np.uint8] | None = None
    """(T,) codes of the genome that contributions are measured against, where there is one."""
    centres: NDArray[np.int64] | None = None
    """The middles of regions near the tile that have one window each; None where all windows of the grid count."""

    @property
    def name(self) -> str:
        return self.tile.name

    @property
    def tile_start(self) -> int:
        """Where the core begins, counted in the stretch."""
        return self.tile.start - self.start

    @property
    def codes(self) -> NDArray[np.uint8]:
        """(T,) codes."""
        return self.stretch.codes

    @property
    def signals(self) -> Mapping[str, Float32]:
        """Per signal file, by its key NAME or NAME.CHANNEL: (T,) raw values, NaN where there is none."""
        return self.stretch.signals

    @property
    def core_state(self) -> NDArray[np.uint8]:
        return self.state[self.tile.start - self.start : self.tile.end - self.start]


def read_tile(genome: Genome, signals: TileSignals, plan: ScanPlan, tile: Tile) -> TileInput:
    """Read the codes and signals that any model needs for `tile`, and say which bases get a value.

    Raises:
        DataError: the genome or a signal file proves damaged; a signal's value is infinite.
    """
    low, high = tile.start, tile.end
    for model in plan.models:
        part = ModelTile.of(model, tile)
        grids = [model.grid(output) for output in model.card.outputs]
        for grid, items in zip(grids, part.items, strict=True):
            if items:
                high = max(high, grid.item_span(items[-1], tile.length)[1])
        windows = part.windows
        if model.explanation is not None and plan.centres is not None:
            # Windows about any base that hold a base of the core.
            low, high = min(low, tile.start - model.card.window), max(high, tile.end + model.card.window)
        elif model.explanation is not None:
            windows = windows_to_read(model.explanation, grids, tile, windows)
        if windows:
            first, last, window = windows[0], windows[-1], model.card.window
            grid = grids[0]  # windows begin at the same places for every output
            low = min(low, grid.plus_start(first), grid.minus_start(first))
            high = max(high, grid.plus_start(last) + window, grid.minus_start(last) + window)
    low, high = plan.reference.span(low, high)
    codes = genome.fetch(tile.name, low, high)
    wanted, excluded = plan.wanted.get(tile.name, NO_SPANS), plan.excluded.get(tile.name, NO_SPANS)
    stretch = Stretch(codes, signals.read(tile.name, low, high))
    other = None if signals.reference is None else signals.reference.fetch(tile.name, low, high)
    centres = None if plan.centres is None else plan.centres.get(tile.name, np.zeros(0, np.int64))
    return TileInput(tile, low, stretch, classify(codes, low, wanted, excluded), other, centres)
