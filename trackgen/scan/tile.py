"""What happens to one tile: read -> run -> values per track. No files and no order: any thread may do it.

::

            lo                tile.start         tile.end            hi
             |<---- halo ---->|<----- core ----->|<---- halo ---->|
    windows of the items that begin in the core reach into the halo; items never do, but for the last one's end
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import OutputSpec
from trackgen.errors import ModelError
from trackgen.genome import UNKNOWN, Genome
from trackgen.genome.tiling import Grid, Tile
from trackgen.scan.checks import WindowCheck
from trackgen.scan.gaps import VALUE, classify, runs_of
from trackgen.scan.inputs import Stretch
from trackgen.scan.plan import ModelPlan, ScanPlan, TrackPlan
from trackgen.scan.runners import ModelRunner
from trackgen.scan.sources import SignalFiles

__all__ = [
    "ModelTile",
    "ModelValues",
    "TileInput",
    "TrackValues",
    "item_gaps",
    "read_tile",
    "run_model",
    "track_values",
]

Float32 = NDArray[np.float32]
ModelValues = Mapping[tuple[int, str | None], Float32]
"""(output index, strand) -> (items, K) values of a tile."""
NO_SPANS = np.zeros((0, 2), np.int64)


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

    @property
    def name(self) -> str:
        return self.tile.name

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


class TrackValues(NamedTuple):
    """What one track gets from one tile: values of items from `first` on, less the bases in `gaps`."""

    first: int
    values: Float32
    gaps: NDArray[np.int64]


def read_tile(genome: Genome, signals: SignalFiles, plan: ScanPlan, tile: Tile) -> TileInput:
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
        if part.windows:
            first, last, window = part.windows[0], part.windows[-1], model.card.window
            grid = grids[0]  # windows begin at the same places for every output
            low = min(low, grid.plus_start(first), grid.minus_start(first))
            high = max(high, grid.plus_start(last) + window, grid.minus_start(last) + window)
    codes = genome.fetch(tile.name, low, high)
    wanted, excluded = plan.wanted.get(tile.name, NO_SPANS), plan.excluded.get(tile.name, NO_SPANS)
    stretch = Stretch(codes, signals.read(tile.name, low, high))
    return TileInput(tile, low, stretch, classify(codes, low, wanted, excluded))


def run_model(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    check: WindowCheck | None = None,
    tell_share: Callable[[float], None] = lambda share: None,
) -> ModelValues:
    """The values of all items that get one, per output and strand.

    Args:
        check: where a sample of windows is checked; None for no check.
        tell_share: called with the share of the tile's work that was just done; the shares sum to 1.

    Returns:
        (output index, strand) -> (items, K) float32 in the card's order of classes, NaN where an item has no base
        that gets a value. Outputs without an item in the tile are absent.

    Raises:
        ModelError: the model yields NaN or infinity, with the window's interval.
    """
    part = ModelTile.of(model, source.tile)
    grids = [model.grid(output) for output in model.card.outputs]
    needed_items = [_needed_items(source, grid, items) for grid, items in zip(grids, part.items, strict=True)]
    indices = _needed_windows(part, grids, needed_items)
    results: dict[tuple[int, str | None], Float32] = {}
    if not len(indices):
        return results
    # The last digit of a value may depend on how many windows a dense run has: all of the tile's that are not gaps,
    # whatever regions are asked for, so that a base's value is the same in every run.
    run = indices if model.mode.dense is None else _windows_with_bases(part, grids, source)
    asked = np.isin(run, indices)
    for strand, values in _passes(model, runner, source, run, asked, check, tell_share).items():
        for number, (grid, items) in enumerate(zip(grids, part.items, strict=True)):
            if not items:
                continue
            # Outputs of one model may have different windows: a profile has none before the chromosome.
            own = grid.windows_of_items(items, source.tile.length)
            mine = (indices >= own.start) & (indices < own.stop)
            filled = _fill_items(values[number][mine], indices[mine], grid, items)
            filled[~needed_items[number]] = np.nan
            results[number, strand] = filled
    return results


def track_values(track: TrackPlan, source: TileInput, values: ModelValues) -> TrackValues:
    """What `track` gets from a tile; values are not rounded."""
    column = values.get((track.output, track.strand))
    if column is None:
        return TrackValues(0, np.zeros(0, np.float32), NO_SPANS)
    first, gaps = item_gaps(track, source)
    return TrackValues(first, column[:, track.class_index], gaps)


def item_gaps(track: TrackPlan, source: TileInput) -> tuple[int, NDArray[np.int64]]:
    """The first of the items that begin in a tile, and the bases of them that get no value; there is at least one."""
    items = track.grid.items(source.tile.start, source.tile.end)
    begin, _ = track.grid.item_span(items[0], source.tile.length)
    _, end = track.grid.item_span(items[-1], source.tile.length)
    state = source.state[begin - source.start : end - source.start]
    return items.start, runs_of(state != VALUE, begin)


def _windows_with_bases(part: ModelTile, grids: list[Grid], source: TileInput) -> NDArray[np.int64]:
    """The windows that fill any item with a base that is known."""
    known = source.codes != UNKNOWN
    items = [_items_with(known, source, grid, items) for grid, items in zip(grids, part.items, strict=True)]
    return _needed_windows(part, grids, items)


def _needed_items(source: TileInput, grid: Grid, items: range) -> NDArray[np.bool_]:
    """Which of `items` hold at least one base that gets a value."""
    return _items_with(source.state == VALUE, source, grid, items)


def _items_with(wanted: NDArray[np.bool_], source: TileInput, grid: Grid, items: range) -> NDArray[np.bool_]:
    """Which of `items` hold at least one of the `wanted` bases of the stretch."""
    total = np.concatenate([[0], np.cumsum(wanted)])
    starts = np.arange(items.start, items.stop, dtype=np.int64) * grid.step + grid.offset - source.start
    ends = np.clip(starts + grid.step, 0, len(wanted))
    return np.asarray(total[ends] > total[np.clip(starts, 0, len(wanted))])


def _needed_windows(part: ModelTile, grids: list[Grid], needed_items: list[NDArray[np.bool_]]) -> NDArray[np.int64]:
    """The windows that fill any needed item, ascending."""
    windows = np.arange(part.windows.start, part.windows.stop, dtype=np.int64)
    needed = np.zeros(len(windows), np.bool_)
    for grid, items, mask in zip(grids, part.items, needed_items, strict=True):
        total = np.concatenate([[0], np.cumsum(mask)])
        first = windows * (grid.stride // grid.step) - items.start
        needed |= total[np.clip(first + grid.positions, 0, len(mask))] > total[np.clip(first, 0, len(mask))]
    return windows[needed]


def _passes(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    indices: NDArray[np.int64],
    asked: NDArray[np.bool_],
    check: WindowCheck | None,
    tell_share: Callable[[float], None],
) -> dict[str | None, list[Float32]]:
    """Values per strand of the windows `asked` for, (N, K[, M]) per output, classes and positions in forward order."""
    card = model.card
    grid = model.grid(card.outputs[0])
    plus = indices * grid.stride + grid.plus_start(0) - source.start
    minus = indices * grid.stride + grid.minus_start(0) - source.start
    passes = 1 if card.strands == "forward" else 2

    def run(starts: NDArray[np.int64], reverse: bool) -> list[Float32]:
        raw = runner.main.run(
            source.stretch, starts, reverse=reverse, tell_share=lambda share: tell_share(share / passes)
        )
        if not asked.all():
            raw, starts = [values[asked] for values in raw], starts[asked]
        _refuse_not_finite(model, raw, starts + source.start, source.tile)
        if check is not None:
            check.add(model, runner.windows, source, starts, raw, reverse=reverse)
        return [_forward_order(o, v) for o, v in zip(card.outputs, raw, strict=True)] if reverse else raw

    if card.strands == "both":
        return {"plus": run(plus, False), "minus": run(minus, True)}
    if card.strands == "average":
        pairs = zip(run(plus, False), run(plus, True), strict=True)
        # Halved first: the sum of two finite numbers may be none.
        return {None: [there / np.float32(2) + back / np.float32(2) for there, back in pairs]}
    return {None: run(plus, False)}


def _forward_order(output: OutputSpec, values: Float32) -> Float32:
    """Results of reverse-complemented windows with classes and positions as on the forward strand."""
    values = values[:, [output.partner(index) for index in range(len(output.classes))]]
    return values if output.resolution is None else values[:, :, ::-1]


def _fill_items(values: Float32, indices: NDArray[np.int64], grid: Grid, items: range) -> Float32:
    """Window values -> item values (items, K); a profile's overlapping positions are averaged, in float64."""
    filled = np.full((len(items), values.shape[1]), np.nan, np.float32)
    if grid.resolution is None:
        filled[indices - items.start] = values
        return filled
    sums = np.zeros(filled.shape, np.float64)
    counts = np.zeros(len(items), np.int64)
    first = indices * (grid.stride // grid.step) - items.start
    for position in range(grid.positions):
        target = first + position
        inside = (target >= 0) & (target < len(items))
        # One window has each position once, so no target repeats.
        sums[target[inside]] += values[inside, :, position]
        counts[target[inside]] += 1
    covered = counts > 0
    filled[covered] = sums[covered] / counts[covered, None]
    return filled


def _refuse_not_finite(model: ModelPlan, raw: list[Float32], starts: NDArray[np.int64], tile: Tile) -> None:
    for output, values in zip(model.card.outputs, raw, strict=True):
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if bad.any():
            start = int(starts[np.argmax(bad)])
            first, last = max(0, start) + 1, min(tile.length, start + model.card.window)
            raise ModelError(
                f"output {output.name} of model {model.card.name} is not a number or infinite",
                path=model.path,
                place=f"window at {tile.name}:{first:,}-{last:,}",
                found=values[np.argmax(bad)].ravel()[:4].tolist(),
                wanted="finite numbers",
                remedy="`trackgen model check` runs it on random windows: is it the model or this place",
            )
