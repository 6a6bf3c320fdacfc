"""The main job: plan -> read -> run -> encode -> commit, tile after tile.

A base travels one way: genome -> codes -> windows -> values -> rounded values -> BigWig. Nothing appears under its
final name before everything is done.
"""

from __future__ import annotations

import contextlib
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
from trackgen.runtime import open_session
from trackgen.scan.checks import WindowCheck
from trackgen.scan.folder import RUN_FILE, SKIPPED_FILE, OutputFolder
from trackgen.scan.gaps import SkippedBases
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ScanPlan, TrackPlan, make_plan, refuse_swapped
from trackgen.scan.report import RunRecord, write_run_file
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tile import TileInput, read_tile, run_model, track_values
from trackgen.scan.windows import WindowRunner, default_batch_size

__all__ = ["ScanResult", "list_outputs", "run_scan", "tiles_of"]

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
    """Progress inside a tile, so that a slow model is not silent for minutes."""

    def __init__(self, progress: Progress, bases: int, models: int) -> None:
        self._progress, self._bases, self._models = progress, bases, models
        self._share = 0.0
        self._told = 0

    def add(self, share: float) -> None:
        """`share` of one model's work on the tile is done."""
        self._share += share / self._models
        self._tell(min(self._bases, int(self._bases * self._share)))

    def finish(self) -> None:
        self._tell(self._bases)

    def _tell(self, bases: int) -> None:
        self._progress.advance(bases - self._told)
        self._told = bases


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
        runners = open_runners(plan, options, progress)
        folder.begin()
        try:
            with _machine_errors(options.output), SignalFiles(plan.signals) as signals:
                record = _run_tiles(options, plan, genome, signals, runners, folder, progress)
                record.seconds["total"] = time.perf_counter() - began
                write_run_file(folder.work / RUN_FILE, record)
        except BaseException:
            folder.abandon()
            raise
        with _machine_errors(options.output):
            folder.commit()
    return ScanResult(folder.path, files, skipped=False, seconds=record.seconds)


def open_runners(plan: ScanPlan, options: ScanOptions, progress: Progress) -> list[WindowRunner]:
    """Load the plan's models onto the device, and say once which device it is and why."""
    runners = []
    for model in plan.models:
        session = open_session(model.path, device=options.device, threads=options.threads)
        size = options.batch_size or default_batch_size(model.card)
        runners.append(WindowRunner(model.card, session, size, progress.note, model.vectors))
    for note in plan.notes:
        progress.note(note)
    session = runners[0].session
    progress.note(f"device: {session.device} ({session.reason})")
    return runners


def _run_tiles(
    options: ScanOptions,
    plan: ScanPlan,
    genome: Genome,
    signals: SignalFiles,
    runners: list[WindowRunner],
    folder: OutputFolder,
    progress: Progress,
) -> RunRecord:
    """Run every tile in order and close the tracks in the work folder."""
    clock, check = _Clock(), WindowCheck()
    tiles = tiles_of(plan, options.tile)
    check_every = max(1, len(tiles) // TILES_CHECKED)
    progress.start("scan", plan.bases, "bases")
    with contextlib.ExitStack() as stack:
        skipped = SkippedBases(stack.enter_context(open(folder.work / SKIPPED_FILE, "w", encoding="utf-8")))
        writers = _open_writers(plan, folder, stack)
        stack.callback(progress.finish)
        for number, tile in enumerate(tiles):
            with clock.stage("read"):
                source = read_tile(genome, signals, plan, tile)
            shares = _TileShares(progress, _bases_asked(plan, tile), len(plan.models))
            for model, runner in zip(plan.models, runners, strict=True):
                with clock.stage("run"):
                    checked = check if number % check_every == 0 else None
                    values = run_model(model, runner, source, checked, shares.add)
                with clock.stage("encode"):
                    for track in model.tracks:
                        _write(writers[track.file], track, source, values)
            with clock.stage("commit"):
                skipped.add(tile.name, tile.start, source.core_state)
            shares.finish()
        with clock.stage("assemble"):
            skipped.close()
            statistics = {file: _close(writer) for file, writer in writers.items()}
    return RunRecord(options, plan, runners[0].session, statistics, clock.seconds, check, folder.work)


def _open_writers(plan: ScanPlan, folder: OutputFolder, stack: contextlib.ExitStack) -> dict[str, BigWigWriter]:
    return {
        track.file: stack.enter_context(
            BigWigWriter(folder.work / track.file, plan.lengths, stride=track.grid.step, offset=track.grid.offset)
        )
        for model in plan.models
        for track in model.tracks
    }


def _write(
    writer: BigWigWriter, track: TrackPlan, source: TileInput, values: Mapping[tuple[int, str | None], object]
) -> None:
    part = track_values(track, source, values)  # type: ignore[arg-type]
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
