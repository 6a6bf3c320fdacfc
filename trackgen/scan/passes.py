"""Predictions of a tile's windows, in every reading and on every strand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ModelError
from trackgen.genome.tiling import Tile
from trackgen.scan.checks import WindowCheck
from trackgen.scan.plan import ModelPlan
from trackgen.scan.readings import Reading, combine_strands, forward_order, readings_of
from trackgen.scan.runners import ModelRunner
from trackgen.scan.telling import TellShare, share_of
from trackgen.scan.tile_input import TileInput

__all__ = ["Predicted", "finish_reading", "model_readings", "predict"]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


class Predicted(NamedTuple):
    """What was predicted of N windows.

    Attributes:
        windows: (N,) ascending.
        strands: per strand, per output (N, K), or (N, K, M) for a profile: classes and positions in forward order.
    """

    windows: Int64
    strands: Mapping[str | None, list[Float32]]


def model_readings(model: ModelPlan) -> tuple[Reading, ...]:
    """The ways in which a model reads its windows, which begin at the same places for every output."""
    return readings_of(model.card, model.grid(model.card.outputs[0]))


def predict(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    runs: Sequence[Int64],
    asked: NDArray[np.bool_] | None,
    check: WindowCheck | None,
    tell_share: TellShare,
) -> Predicted:
    """Run windows in every reading.

    Args:
        runs: the windows of each run, ascending, and so are the runs.
        asked: which of all windows are wanted; None for all.
        check: where a sample of them is checked; None for no check.
        tell_share: called with the share of this work that was just done.

    Raises:
        ModelError: the model yields NaN or infinity, with the window's interval.
    """
    if not runs:
        return Predicted(np.zeros(0, np.int64), {})
    windows = np.concatenate(runs)
    readings = model_readings(model)
    found = []
    for reading in readings:
        parts = [
            runner.main.run(
                source.stretch,
                run * model.stride + reading.origin - source.start,
                reverse=reading.reverse,
                tell_share=share_of(tell_share, len(run) / len(windows) / len(readings)),
            )
            for run in runs
        ]
        raw = parts[0] if len(parts) == 1 else [np.concatenate(values) for values in zip(*parts, strict=True)]
        if asked is not None and not asked.all():
            raw = [values[asked] for values in raw]
        chosen = windows if asked is None else windows[asked]
        found.append(finish_reading(model, runner, source, reading, chosen, raw, check))
    return Predicted(windows if asked is None else windows[asked], combine_strands(readings, found))


def finish_reading(
    model: ModelPlan,
    runner: ModelRunner,
    source: TileInput,
    reading: Reading,
    windows: Int64,
    raw: list[Float32],
    check: WindowCheck | None,
) -> list[Float32]:
    """What one reading gave for `windows`, looked at and in forward order."""
    starts = windows * model.stride + reading.origin - source.start
    _refuse_not_finite(model, raw, starts + source.start, source.tile)
    if check is not None:
        check.add(model, runner.windows, source, starts, raw, reverse=reading.reverse)
    if not reading.reverse:
        return raw
    return [forward_order(output, values) for output, values in zip(model.card.outputs, raw, strict=True)]


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
