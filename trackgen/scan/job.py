"""The main job: plan -> read -> run -> encode -> commit, tile after tile.

A base travels one way: genome -> codes -> windows -> values -> rounded values -> BigWig. Nothing appears under its
final name before everything is done.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trackgen.bigwig import BigWigWriter, TrackStatistics
from trackgen.bigwig.rounding import round_values
from trackgen.errors import DISK_ERRORS, ResourceError
from trackgen.genome import Genome, intersect, open_genome, total
from trackgen.genome.tiling import Tile, cut_into_tiles
from trackgen.progress import NullProgress, Progress
from trackgen.runtime import device_kind
from trackgen.scan.checks import WindowCheck
from trackgen.scan.folder import RUN_FILE, SKIPPED_FILE, OutputFolder
from trackgen.scan.gaps import SkippedBases
from trackgen.scan.modes import choose_threading
from trackgen.scan.options import ScanOptions
from trackgen.scan.pipeline import in_order
from trackgen.scan.plan import ScanPlan, TrackPlan, make_plan, refuse_swapped
from trackgen.scan.report import RunRecord, write_run_file
from trackgen.scan.runners import ModelRunner, open_runners
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tile import ModelValues, TileInput, read_tile, run_model, track_values

__all__ = ["ScanResult", "TileWork", "list_outputs", "run_scan", "tiles_of"]

TILES_CHECKED = 16


@dataclass(frozen=True)
class ScanResult:
    """What a scan leaves behind."""

    folder: Path
    tracks: tuple[str, ...]
    skipped: bool
    """True where the folder already held this very run, and nothing was done."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each stage, and in total."""


@dataclass
class _Clock:
    """Seconds spent in each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


class _TileShares:
    """Progress inside a tile, so that a slow model is not silent for minutes: shares of work as whole bases."""

    def __init__(self, bases: int, models: int) -> None:
        self._bases, self._models = bases, models
        self._share = 0.0
        self._told = 0

    def add(self, share: float) -> int:
        """Bases done since the last call, when `share` of one model's work on the tile is done."""
        self._share += share / self._models
        return self._until(min(self._bases, int(self._bases * self._share)))

    def finish(self) -> int:
        """The bases that are left."""
        return self._until(self._bases)

    def _until(self, bases: int) -> int:
        done, self._told = bases - self._told, bases
        return done


def list_outputs(options: ScanOptions) -> list[str]:
    """The files that a scan would write into OUT."""
    refuse_swapped(options)
    with open_genome(options.genome, tmp_dir=options.temporary_folder) as genome:
        plan = make_plan(options, genome)
    return [*(track.file for model in plan.models for track in model.tracks), RUN_FILE, SKIPPED_FILE]


def tiles_of(plan: ScanPlan, bases: int) -> list[Tile]:
    """The tiles that hold anything asked for, in genome order."""
    tiles = []
    for name, spans in plan.wanted.items():
        for tile in cut_into_tiles(name, plan.lengths[name], bases):
            if ((spans[:, 0] < tile.end) & (spans[:, 1] > tile.start)).any():
                tiles.append(tile)
    return tiles


def run_scan(options: ScanOptions, progress: Progress | None = None) -> ScanResult:
    """Scan a genome with one or more models and write tracks into ``options.output``.

    Returns:
        What was written. Running the same scan again on a finished folder does nothing.

    Raises:
        UsageError, DataError, ModelError: bad options, genome or regions, models or cards.
        SelfCheckError: the model's windows influence each other.
        ResourceError: memory or disk ran out.
    """
    progress = progress or NullProgress()
    began = time.perf_counter()
    refuse_swapped(options)
    with open_genome(options.genome, tmp_dir=options.temporary_folder) as genome:
        plan = make_plan(options, genome)
        files = tuple(track.file for model in plan.models for track in model.tracks)
        folder = OutputFolder(options.output, plan.summary(), files, overwrite=options.overwrite)
        if folder.finished:
            return ScanResult(folder.path, files, skipped=True)
        folder.begin()
        try:
            with _machine_errors(options.output), SignalFiles(plan.signals) as signals:
                record = _run_tiles(options, plan, genome, signals, folder, progress)
                record.seconds["total"] = time.perf_counter() - began
                write_run_file(folder.work / RUN_FILE, record)
        except BaseException:
            folder.abandon()
            raise
        with _machine_errors(options.output):
            folder.commit()
    return ScanResult(folder.path, files, skipped=False, seconds=record.seconds)


class TileWork:
    """What is done with one tile on any thread: every model is run, a sample of windows is checked.

    Args:
        tiles: all tiles of the run.
        progress: told of the bases that are done, from any thread.
        check: where a sample of windows is checked; None for no check.
    """

    def __init__(
        self,
        plan: ScanPlan,
        runners: list[ModelRunner],
        tiles: list[Tile],
        progress: Progress,
        check: WindowCheck | None = None,
    ) -> None:
        self._plan, self._runners, self._progress, self._check = plan, runners, progress, check
        every = max(1, len(tiles) // TILES_CHECKED)
        self._checked = {(tile.name, tile.start) for tile in tiles[::every]}
        self._lock = threading.Lock()
        self._stopped = False
        self.seconds = 0.0
        """Spent here so far, summed over all threads."""

    def __call__(self, source: TileInput) -> list[ModelValues]:
        """The values of each model's items, as `run_model` gives them."""
        began = time.perf_counter()
        tile = source.tile
        check = self._check if (tile.name, tile.start) in self._checked else None
        shares = _TileShares(_bases_asked(self._plan, tile), len(self._runners))
        results = []
        for model, runner in zip(self._plan.models, self._runners, strict=True):
            results.append(run_model(model, runner, source, check, lambda share: self._tell(shares.add(share))))
        self._tell(shares.finish())
        with self._lock:
            self.seconds += time.perf_counter() - began
        return results

    def stop(self) -> None:
        """Let tiles that are being run end at their next batch: nobody waits for them any more."""
        self._stopped = True

    def _tell(self, bases: int) -> None:
        if self._stopped:
            raise Stopped
        with self._lock:
            self._progress.advance(bases)


class Stopped(Exception):
    """The run is over: another tile failed, or the user interrupted it."""


def _run_tiles(
    options: ScanOptions,
    plan: ScanPlan,
    genome: Genome,
    signals: SignalFiles,
    folder: OutputFolder,
    progress: Progress,
) -> RunRecord:
    """Run every tile and close the tracks, written in order, in the work folder."""
    clock, check, tiles = _Clock(), WindowCheck(), tiles_of(plan, plan.tile)
    threads = choose_threading(device_kind(options.device), options.threads, len(tiles))
    runners = open_runners(plan, options, threads, progress)
    work = TileWork(plan, runners, tiles, progress, check)
    progress.start("scan", plan.bases, "bases")
    with contextlib.ExitStack() as stack:
        skipped = SkippedBases(stack.enter_context(open(folder.work / SKIPPED_FILE, "w", encoding="utf-8")))
        writers = _open_writers(plan, folder, stack)
        stack.callback(progress.finish)
        stack.callback(work.stop)
        sources = _read_tiles(plan, genome, signals, tiles, clock)
        for source, results in in_order(sources, work, threads.tiles_at_once, work.stop):
            with clock.stage("encode"):
                for model, values in zip(plan.models, results, strict=True):
                    for track in model.tracks:
                        _write(writers[track.file], track, source, values)
            with clock.stage("commit"):
                skipped.add(source.tile.name, source.tile.start, source.core_state)
        with clock.stage("assemble"):
            skipped.close()
            statistics = {file: _close(writer) for file, writer in writers.items()}
    clock.seconds["run"] = work.seconds / threads.tiles_at_once
    return RunRecord(options, plan, runners[0].main.session, statistics, clock.seconds, check, folder.work)


def _read_tiles(
    plan: ScanPlan, genome: Genome, signals: SignalFiles, tiles: list[Tile], clock: _Clock
) -> Iterator[TileInput]:
    for tile in tiles:
        with clock.stage("read"):
            source = read_tile(genome, signals, plan, tile)
        yield source


def _open_writers(plan: ScanPlan, folder: OutputFolder, stack: contextlib.ExitStack) -> dict[str, BigWigWriter]:
    return {
        track.file: stack.enter_context(
            BigWigWriter(folder.work / track.file, plan.lengths, stride=track.grid.step, offset=track.grid.offset)
        )
        for model in plan.models
        for track in model.tracks
    }


def _write(writer: BigWigWriter, track: TrackPlan, source: TileInput, values: ModelValues) -> None:
    part = track_values(track, source, values)
    if len(part.values):
        writer.add(source.tile.name, part.first, round_values(part.values, track.rounding), part.gaps)


def _close(writer: BigWigWriter) -> TrackStatistics:
    writer.close()
    return writer.statistics


def _bases_asked(plan: ScanPlan, tile: Tile) -> int:
    return total(intersect(plan.wanted[tile.name], np.array([[tile.start, tile.end]], np.int64)))


@contextlib.contextmanager
def _machine_errors(output: Path) -> Iterator[None]:
    """Say a full disk and exhausted memory as what they are."""
    try:
        yield
    except MemoryError as error:
        raise ResourceError(
            "memory ran out", found=str(error) or None, remedy="use a smaller --tile or --batch-size"
        ) from error
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        raise ResourceError(
            "the output can't be written",
            path=output,
            found=error.strerror,
            remedy="free space and run the same command again",
        ) from error
