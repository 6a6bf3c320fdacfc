"""One model in one tile where contributions are asked for: predictions too, in the same run where that can be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.scan.checks import WindowCheck
from trackgen.scan.explained_plan import Explanation
from trackgen.scan.explained_tile import ExplainedReading, ExplainedTile, Source, every_window, whole_blocks
from trackgen.scan.passes import Predicted, finish_reading, model_readings, predict
from trackgen.scan.plan import ModelPlan
from trackgen.scan.readings import combine_strands
from trackgen.scan.runners import ModelRunner
from trackgen.scan.telling import TellShare, share_of
from trackgen.scan.tile_input import TileInput
from trackgen.scan.tracks import ValuesKey

__all__ = ["ItemWindows", "run_explained"]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

PREDICTING = 0.3
"""Share of the work that predictions are, where they are run by themselves, about."""
NO_WINDOWS = np.zeros(0, np.int64)


class ItemWindows(NamedTuple):
    """The windows that fill a tile's items: those that are wanted, and those that are run with them."""

    wanted: Int64
    run: Int64


def run_explained(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    items: ItemWindows,
    check: WindowCheck | None,
    tell_share: TellShare,
) -> tuple[Predicted, dict[ValuesKey, Float32]]:
    """Predictions of the windows of `items`, perhaps of others too, and the values of contribution tracks.

    Raises:
        ModelError: the model yields NaN or infinity, with the window's interval.
        SelfCheckError: a sample of the contributions fails the run's check.
    """
    explanation, explainers = model.explanation, runner.explainers
    assert explanation is not None
    assert explainers is not None
    grids = [model.grid(output) for output in model.card.outputs]
    reference = explanation.reference
    # Single windows of regions are shuffled each by itself.
    alone = source.centres is not None and reference.kind == "shuffle"
    references = [] if alone else reference.codes(source.codes, source.name, source.start, source.other)
    tile = ExplainedTile(
        explanation, grids, explainers, Source(source.tile, source.start, source.stretch, source.state, references)
    )
    if not tile.windows and not len(items.wanted):
        return Predicted(NO_WINDOWS, {}), {}
    if source.centres is not None:
        predicted, found = _run_centred(model, runner, source, items, tile, check, tell_share)
    else:
        run = _run_together if explanation.together else _run_apart
        predicted, found = run(model, runner, source, items, tile, check, tell_share)
    if check is not None:
        for entry in found:
            check.contributions.add(model, explainers.windows, source, references, entry)
    return predicted, tile.values(found)


def _run_together(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    items: ItemWindows,
    tile: ExplainedTile,
    check: WindowCheck | None,
    tell_share: TellShare,
) -> tuple[Predicted, list[ExplainedReading]]:
    """One run of the dense graph gives both."""
    explanation = model.explanation
    assert explanation is not None
    ends = [*tile.windows[:1], *tile.windows[-1:], *items.wanted[:1].tolist(), *items.wanted[-1:].tolist()]
    windows = np.arange(min(ends), max(ends) + 1, dtype=np.int64)
    readings = model_readings(model)
    # A window that no base of the core lies in counts all the same: so a base's sum is the same for all regions.
    weights = tile.weights(explanation.dense_slots, windows, windows, _ones)
    found, predicted = [], []
    for reading in readings:
        entry = tile.run(reading, explanation.dense_slots, windows, weights, share_of(tell_share, 1 / len(readings)))
        found.append(entry)
        predicted.append(finish_reading(model, runner, source, reading, windows, entry.sums.predictions, check))
    return Predicted(windows, combine_strands(readings, predicted)), found if tile.windows else []


def _ones(slot: int, windows: Int64) -> Float32:
    """The graph itself multiplies by the probability."""
    return np.ones(len(windows), np.float32)


def _run_apart(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    items: ItemWindows,
    tile: ExplainedTile,
    check: WindowCheck | None,
    tell_share: TellShare,
) -> tuple[Predicted, list[ExplainedReading]]:
    """Predictions first, then the contributions of the windows that count."""
    explanation = model.explanation
    assert explanation is not None
    readings = model_readings(model)
    every = np.arange(tile.windows.start, tile.windows.stop, dtype=np.int64)
    needed = tile.needed(readings) if tile.windows else every
    # One walk back takes all windows of a tile; passes over changed genomes are too dear for any that nobody needs.
    wanted = every if explanation.dense is not None else needed
    tell = share_of(tell_share, PREDICTING)
    if explanation.weighed:
        runs = _blocks(model, explanation, np.union1d(items.wanted, wanted), source)
        predicted = predict(model, runner, source, runs, None, check, tell)
    else:
        predicted = _predict_items(model, runner, source, items, check, tell)
    found: list[ExplainedReading] = []
    others = tuple(slot for slot in range(len(explanation.slots)) if slot not in explanation.dense_slots)
    groups = [(explanation.dense_slots, wanted), (others, needed)] if tile.windows else []
    groups = [(group, counting) for group, counting in groups if group]
    for group, counting in groups:
        for reading in readings:
            probabilities = _Probabilities(explanation, predicted, reading.strand)
            weights = tile.weights(group, every, counting, probabilities)
            tell = share_of(tell_share, (1 - PREDICTING) / len(readings) / len(groups))
            found.append(tile.run(reading, group, every, weights, tell))
    return predicted, found


def _run_centred(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    items: ItemWindows,
    tile: ExplainedTile,
    check: WindowCheck | None,
    tell_share: TellShare,
) -> tuple[Predicted, list[ExplainedReading]]:
    """Predictions as ever, and the contributions of one window for each region."""
    predicted = _predict_items(model, runner, source, items, check, share_of(tell_share, PREDICTING))
    assert source.centres is not None
    readings = model_readings(model)
    tell = share_of(tell_share, (1 - PREDICTING) / len(readings))
    return predicted, [tile.run_centred(reading, source.centres, tell) for reading in readings]


def _predict_items(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    items: ItemWindows,
    check: WindowCheck | None,
    tell_share: TellShare,
) -> Predicted:
    """What a tile without contributions predicts."""
    if not len(items.wanted):
        return Predicted(NO_WINDOWS, {})
    asked = np.isin(items.run, items.wanted)
    return predict(model, runner, source, [items.run], asked, check, tell_share)


def _blocks(model: ModelPlan, explanation: Explanation, windows: Int64, source: TileInput) -> list[Int64]:
    grids = [model.grid(output) for output in model.card.outputs]
    every = every_window(grids, source.tile.length)
    return whole_blocks(windows, explanation.calls_reach(model.stride), explanation.block, every)


class _Probabilities:
    """What was predicted of windows, by slot, on one strand."""

    def __init__(self, explanation: Explanation, predicted: Predicted, strand: str | None) -> None:
        self._explanation, self._predicted, self._strand = explanation, predicted, strand

    def __call__(self, slot: int, windows: Int64) -> Float32:
        """Of each window, -inf where it was not run."""
        entry, known = self._explanation.slots[slot], self._predicted.windows
        places = np.searchsorted(known, windows).clip(0, max(0, len(known) - 1))
        found = np.full(len(windows), -np.inf, np.float32)
        if len(known):
            there = known[places] == windows
            found[there] = self._predicted.strands[self._strand][entry.output][places[there], entry.class_index]
        return found
