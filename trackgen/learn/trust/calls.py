"""The calls of a finished scan, by the rule of contribution tracks with the weight ``calls``, and tracks over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, ClassSpec, OutputSpec
from trackgen.genome import open_signal
from trackgen.genome.tiling import Grid
from trackgen.scan.readings import readings_of
from trackgen.scan.tracks import track_file
from trackgen.scan.weights import called_windows

__all__ = ["Call", "called_on", "find_calls", "grid_of", "track_rows"]

Float32 = NDArray[np.float32]


class Call(NamedTuple):
    """A called window.

    Attributes:
        name: of its sequence.
        strand: ``plus``, ``minus``, or None for a model whose tracks have no strand.
        start: its first base on the forward strand; may lie before the sequence.
    """

    name: str
    strand: str | None
    start: int


def grid_of(card: Card, output: OutputSpec) -> Grid:
    """The windows of an output at the card's stride."""
    return Grid(card.window, card.bin, card.stride, output.resolution)


def find_calls(
    run: Path, card: Card, output: OutputSpec, entry: ClassSpec, lengths: Sequence[tuple[str, int]]
) -> list[Call]:
    """The calls of a class on some sequences.

    Args:
        run: folder of a scan with its predictions not rounded.
        entry: the class; it has a threshold.
        lengths: names and lengths of the sequences.

    Raises:
        DataError: a track is missing or damaged.
    """
    assert entry.threshold is not None
    grid = grid_of(card, output)
    found = []
    origins = {reading.strand: reading.origin for reading in readings_of(card, grid)}
    for strand, origin in origins.items():
        with open_signal(run / track_file(card, entry.name, strand)) as reader:
            for name, length in lengths:
                values = reader.values(name, 0, length)
                windows = called_on(values, grid, entry.threshold, card.contributions.distance)
                found += [Call(name, strand, origin + int(window) * grid.stride) for window in windows]
    return found


def called_on(track: Float32, grid: Grid, threshold: float, distance: int) -> NDArray[np.int64]:
    """The windows that are calls, where a track holds every window's probability.

    Args:
        track: (n,) of a whole sequence, NaN in gaps.
        distance: bp; a call is the largest of all windows whose bins begin so near.
    """
    windows = grid.windows(len(track))
    # A window whose value stands before the sequence's first base is seen there, as far as it is seen.
    places = np.maximum(np.arange(windows.start, windows.stop) * grid.stride + grid.offset, 0)
    values = np.where(np.isnan(track[places]), -np.inf, track[places]).astype(np.float32)
    called = called_windows(values, threshold, distance // grid.stride)
    return np.flatnonzero(called).astype(np.int64) + windows.start


def track_rows(run: Path, card: Card, class_name: str, calls: Sequence[Call]) -> Float32:
    """What the contribution track of a class holds over the windows of calls: (N, L), NaN beyond ends and in gaps."""
    rows = np.full((len(calls), card.window), np.nan, np.float32)
    for strand in sorted({call.strand for call in calls}, key=str):
        with open_signal(run / track_file(card, class_name, strand, "contrib")) as reader:
            lengths = reader.lengths
            for row, call in zip(rows, calls, strict=True):
                if call.strand == strand:
                    low, high = max(call.start, 0), min(call.start + card.window, lengths[call.name])
                    row[low - call.start : high - call.start] = reader.values(call.name, low, high)
    return rows
