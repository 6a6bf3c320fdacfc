"""Seconds, memory and disk of a scan, before it starts, from a short probe on its own tiles."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

import numpy as np

from trackgen.genome import open_genome
from trackgen.progress import NullProgress, Progress
from trackgen.runtime import device_kind
from trackgen.scan.job import TileWork, tiles_of
from trackgen.scan.modes import choose_threading
from trackgen.scan.options import ScanOptions
from trackgen.scan.pipeline import in_order
from trackgen.scan.plan import ScanPlan, make_plan, refuse_swapped
from trackgen.scan.report import peak_memory
from trackgen.scan.runners import open_runners
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tile import ModelValues, TileInput, read_tile, track_values

__all__ = ["Estimate", "estimate_scan"]

PROBE_SECONDS = 3.0
PROBE_TILE = 8_192
ENCODE_SECONDS_PER_VALUE = 1 / 20e6
TRACK_MEMORY = 4 << 20
"""Bytes that one open track holds: the section being filled, its histogram, zoom buffers."""
SIGNAL_BYTES = 12
"""Memory of one base of a signal: its float32 value, and while it is read its float64 value."""


@dataclass(frozen=True)
class Estimate:
    """What a scan will need."""

    seconds: float
    memory: int
    """Bytes of memory at the peak."""
    disk: int
    """Bytes of all tracks."""
    bases: int
    tracks: int
    device: str


def estimate_scan(options: ScanOptions, progress: Progress | None = None) -> Estimate:
    """Run a few tiles, spread over what is asked for, and scale up; nothing is written.

    Raises:
        As `run_scan`, but for what concerns the output folder, which is not looked at.
    """
    refuse_swapped(options)
    with contextlib.ExitStack() as stack:
        genome = stack.enter_context(open_genome(options.genome, tmp_dir=options.temporary_folder))
        plan = make_plan(options, genome)
        signals = stack.enter_context(SignalFiles(plan.signals))
        tiles = tiles_of(plan, min(plan.tile, PROBE_TILE))
        threads = choose_threading(device_kind(options.device), options.threads, len(tiles))
        runners = open_runners(plan, options, threads, progress or NullProgress())
        order = [tiles[int(index)] for index in np.random.default_rng(0).permutation(len(tiles))]
        work = TileWork(plan, runners, tiles, NullProgress())
        probe = _Probe(plan)
        # The first tile also pays for the first call of every kernel: leave it out where there are more.
        first = read_tile(genome, signals, plan, order[0])
        began = time.perf_counter()
        results = work(first)
        if len(order) == 1:
            probe.add(first, results)
        else:
            began = time.perf_counter()
        sources = (read_tile(genome, signals, plan, tile) for tile in order[1:])
        for source, results in in_order(sources, work, threads.tiles_at_once):
            probe.add(source, results)
            if time.perf_counter() - began > PROBE_SECONDS:
                break
        seconds = time.perf_counter() - began
    factor = sum(tile.bases for tile in tiles) / probe.bases
    return _scale(plan, probe.fills, seconds, factor, runners[0].main.session.device)


class _Probe:
    """What a probe's tiles gave: bases, and values per track."""

    def __init__(self, plan: ScanPlan) -> None:
        self._plan = plan
        self.bases = 0
        self.fills = {track.file: 0 for model in plan.models for track in model.tracks}

    def add(self, source: TileInput, results: list[ModelValues]) -> None:
        self.bases += source.tile.bases
        for model, values in zip(self._plan.models, results, strict=True):
            for track in model.tracks:
                self.fills[track.file] += int(np.isfinite(track_values(track, source, values).values).sum())


def _scale(plan: ScanPlan, fills: dict[str, int], seconds: float, factor: float, device: str) -> Estimate:
    tracks = [track for model in plan.models for track in model.tracks]
    values = {track.file: fills[track.file] * factor for track in tracks}
    disk = sum(values[track.file] * _bytes_per_value(track.rounding) for track in tracks)
    tile_memory = sum(plan.tile // track.grid.step * 4 * 4 for track in tracks)
    tile_memory += plan.tile * SIGNAL_BYTES * len(plan.signals)
    return Estimate(
        seconds=seconds * factor + sum(values.values()) * ENCODE_SECONDS_PER_VALUE,
        memory=peak_memory() + tile_memory + TRACK_MEMORY * len(tracks),
        disk=int(disk),
        bases=plan.bases,
        tracks=len(tracks),
        device=device,
    )


def _bytes_per_value(rounding: int | str | None) -> float:
    """Compressed BigWig bytes of one value, zoom levels included: measured on random float32 values."""
    if rounding is None:
        return 3.7
    return 2.5 if isinstance(rounding, str) else 2.0
