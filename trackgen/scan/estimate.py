"""Seconds, memory and disk of a scan, before it starts, from a short probe on its own tiles."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trackgen.genome import Genome, open_genome
from trackgen.genome.tiling import Tile
from trackgen.progress import NullProgress, Progress
from trackgen.runtime import available_memory
from trackgen.scan.machinery import Machinery, choose_room, open_machinery
from trackgen.scan.made_signals import make_signals
from trackgen.scan.options import ScanOptions
from trackgen.scan.pipeline import Stage, run_threaded
from trackgen.scan.plan import ScanPlan, make_plan, refuse_swapped
from trackgen.scan.report import peak_memory
from trackgen.scan.shards import Piece, cut_into_shards
from trackgen.scan.sources import SignalFiles
from trackgen.scan.space import bytes_per_value
from trackgen.scan.tile import ModelValues, track_values
from trackgen.scan.tile_input import TileInput, read_tile
from trackgen.scan.work import TileRunner

__all__ = ["Estimate", "estimate_scan"]

PROBE_SECONDS = 3.0
PROBE_TILE = 8_192
ENCODE_SECONDS_PER_VALUE = 1 / 20e6
"""On one core: rounding, encoding, zoom levels, assembly."""


@dataclass(frozen=True)
class Estimate:
    """What a scan will need."""

    seconds: float
    memory: int
    """Bytes of memory at the peak: the program with its models loaded and run, and the slots."""
    slots: int
    """Chunks of the genome that are in memory at a time..."""
    chunk: int
    """... and the bases of each."""
    slots_memory: int
    """Bytes that all slots and open tracks take together."""
    disk: int
    """Bytes of all tracks; while a run works it needs twice as much."""
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
        made = stack.enter_context(tempfile.TemporaryDirectory(prefix="trackgen-", dir=options.temporary_folder))
        plan = make_plan(options, genome, signal_folder=Path(made))
        make_signals(plan.signals, plan.lengths, progress or NullProgress())
        signals = stack.enter_context(SignalFiles(plan.signals, plan.reference.path))
        tile = min(plan.tile, PROBE_TILE)
        shards = cut_into_shards(plan.reached, plan.lengths, tile, max(plan.shard // tile, 1) * tile)
        pieces = [piece for shard in shards for piece in shard.pieces]
        machinery = open_machinery(plan, options, sum(shard.tiles for shard in shards), progress or NullProgress())
        probe = _Probe(plan, genome, signals, machinery, pieces, tile)
        seconds = probe.run()
    factor = sum(piece.bases(tile) for piece in pieces) / probe.bases
    return _scale(plan, probe.fills, seconds, factor, machinery, options)


class _Probe:
    """Runs tiles in random order for a while, and counts what they gave: bases, and values per track."""

    def __init__(
        self,
        plan: ScanPlan,
        genome: Genome,
        signals: SignalFiles,
        machinery: Machinery,
        pieces: list[Piece],
        tile: int,
    ) -> None:
        self._plan, self._genome, self._signals, self._machinery = plan, genome, signals, machinery
        self._pieces, self._tile = pieces, tile
        self._runner = TileRunner(plan, NullProgress())
        self._began = time.perf_counter()
        self.bases = 0
        self.fills = {track.file: 0 for model in plan.models for track in model.tracks}

    def run(self) -> float:
        """The seconds that it took."""
        stages = [
            Stage("read", lambda tile, _: self._read(tile), self._machinery.reading),
            Stage(
                "run",
                lambda source, runners: (source, self._runner.run(source, runners, None)),
                self._machinery.runners,
            ),
            Stage("count", lambda ran, _: self._add(*ran), ordered=True),
        ]
        order = self._tiles()
        # The first tile also pays for the first call of every kernel: leave it out where there are more.
        first = next(order)
        run_threaded([first], stages, 1, pulse=self._runner.pulse)
        rest = next(order, None)
        if rest is None:
            return time.perf_counter() - self._began
        self.bases, self.fills = 0, dict.fromkeys(self.fills, 0)
        self._began = time.perf_counter()
        run_threaded(
            self._for_a_while(rest, order),
            stages,
            self._machinery.at_once + 1,
            stop=self._runner.stop,
            pulse=self._runner.pulse,
        )
        return time.perf_counter() - self._began

    def _tiles(self) -> Iterator[Tile]:
        ends = np.cumsum([len(piece.tiles) for piece in self._pieces])
        for place in np.random.default_rng(0).permutation(int(ends[-1])):
            piece = int(np.searchsorted(ends, place, side="right"))
            yield self._pieces[piece].tile(int(place - ends[piece]), self._tile)

    def _for_a_while(self, first: Tile, rest: Iterator[Tile]) -> Iterator[Tile]:
        yield first
        for tile in rest:
            if time.perf_counter() - self._began > PROBE_SECONDS:
                return
            yield tile

    def _read(self, tile: Tile) -> TileInput:
        return read_tile(self._genome, self._signals, self._plan, tile)

    def _add(self, source: TileInput, results: list[ModelValues]) -> None:
        self.bases += source.tile.bases
        for model, values in zip(self._plan.models, results, strict=True):
            for track in model.tracks:
                self.fills[track.file] += int(np.isfinite(track_values(track, source, values).values).sum())


def _scale(
    plan: ScanPlan, fills: dict[str, int], seconds: float, factor: float, machinery: Machinery, options: ScanOptions
) -> Estimate:
    tracks = [track for model in plan.models for track in model.tracks]
    values = {track.file: fills[track.file] * factor for track in tracks}
    disk = sum(values[track.file] * bytes_per_value(track.rounding) for track in tracks)
    room = choose_room(plan, machinery.working, options.memory or available_memory() // 2)
    return Estimate(
        seconds=seconds * factor + sum(values.values()) * ENCODE_SECONDS_PER_VALUE / machinery.working,
        memory=peak_memory() + room.memory,
        slots=room.slots,
        chunk=room.chunk,
        slots_memory=room.memory,
        disk=int(disk),
        bases=plan.bases,
        tracks=len(tracks),
        device=machinery.facts["used"],
    )
