"""What happens to one tile: run -> values per track. No files and no order: any thread may do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import UNKNOWN
from trackgen.genome.tiling import Grid
from trackgen.scan.checks import WindowCheck
from trackgen.scan.explained_run import ItemWindows, run_explained
from trackgen.scan.gaps import VALUE, runs_of
from trackgen.scan.passes import predict
from trackgen.scan.plan import ModelPlan
from trackgen.scan.runners import ModelRunner
from trackgen.scan.stretches import NO_SPANS
from trackgen.scan.tile_input import ModelTile, TileInput
from trackgen.scan.tracks import TrackPlan, ValuesKey

__all__ = [
    "ModelValues",
    "TrackValues",
    "fill_items",
    "item_gaps",
    "run_model",
    "track_values",
]

Float32 = NDArray[np.float32]
ModelValues = Mapping[ValuesKey, Float32]
"""Values of a tile: (items, K), or of contributions (bases, Q)."""


class TrackValues(NamedTuple):
    """What one track gets from one tile: values of items from `first` on, less the bases in `gaps`."""

    first: int
    values: Float32
    gaps: NDArray[np.int64]


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
        Of predictions (items, K) float32 in the card's order of classes, NaN where an item has no base that gets a
        value; outputs without an item in the tile are absent. Of contributions (bases of the core, Q), NaN where no
        window has weight.

    Raises:
        ModelError: the model yields NaN or infinity, with the window's interval.
    """
    part = ModelTile.of(model, source.tile)
    grids = [model.grid(output) for output in model.card.outputs]
    needed_items = [_needed_items(source, grid, items) for grid, items in zip(grids, part.items, strict=True)]
    indices = _needed_windows(part, grids, needed_items)
    results: dict[ValuesKey, Float32] = {}
    # The last digit of a value may depend on how many windows a dense run has: all of the tile's that are not gaps,
    # whatever regions are asked for, so that a base's value is the same in every run.
    run = indices if model.mode.dense is None else _windows_with_bases(part, grids, source)
    if model.explanation is not None:
        predicted, results = run_explained(model, runner, source, ItemWindows(indices, run), check, tell_share)
    elif len(indices):
        predicted = predict(model, runner, source, [run], np.isin(run, indices), check, tell_share)
    if not len(indices):
        return results
    for strand, values in predicted.strands.items():
        for number, (grid, items) in enumerate(zip(grids, part.items, strict=True)):
            if not items:
                continue
            # Outputs of one model may have different windows: a profile has none before the chromosome.
            own = grid.windows_of_items(items, source.tile.length)
            mine = (indices >= own.start) & (indices < own.stop)
            places = np.searchsorted(predicted.windows, indices[mine])
            filled = fill_items(values[number][places], indices[mine], grid, items)
            filled[~needed_items[number]] = np.nan
            results[ValuesKey(number, strand)] = filled
    return results


def track_values(track: TrackPlan, source: TileInput, values: ModelValues) -> TrackValues:
    """What `track` gets from a tile; values are not rounded."""
    columns = values.get(track.key)
    if columns is None:
        return TrackValues(0, np.zeros(0, np.float32), NO_SPANS)
    first, gaps = item_gaps(track, source)
    return TrackValues(first, columns[:, track.column], gaps)


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


def fill_items(values: Float32, indices: NDArray[np.int64], grid: Grid, items: range) -> Float32:
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
