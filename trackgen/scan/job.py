"""The main job: plan -> shards -> tracks.

Planning is fixed in a file before the first shard; a shard appears whole or not at all; tracks are put together from
shards. So a run goes on where it stopped, and any number of processes can have a part in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trackgen.errors import UsageError
from trackgen.genome import Genome, intersect, open_genome, total
from trackgen.progress import NullProgress, Progress
from trackgen.runtime import all_cuda_devices
from trackgen.scan.assembly import assemble_shards, finished_shards, missing_shards
from trackgen.scan.cluster import make_on_cluster
from trackgen.scan.dask_client import check_address
from trackgen.scan.folder import RUN_FILE, SKIPPED_FILE, OutputFolder, machine_errors
from trackgen.scan.hypothetical import (
    holds_hypothetical,
    refuse_hypothetical,
    refuse_unusable_prefix,
    write_hypothetical,
)
from trackgen.scan.lock import living_holder, scheduler_job
from trackgen.scan.made_signals import make_signals
from trackgen.scan.making import ShardMaker
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ScanPlan, make_plan, refuse_swapped
from trackgen.scan.record import PlanRecord
from trackgen.scan.shards import Shard, cut_into_shards, share_of
from trackgen.scan.space import bytes_needed, tell_space
from trackgen.scan.spread import make_on_devices

__all__ = ["ScanResult", "list_outputs", "run_scan"]

EVERY_DEVICE = "cuda:all"


@dataclass(frozen=True)
class ScanResult:
    """What a scan leaves behind."""

    folder: Path
    tracks: tuple[str, ...]
    skipped: bool
    """True where the folder already held this very run, and nothing was done."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each stage, and in total."""
    shards: int = 0
    """Of the whole run."""
    assembled: bool = True
    """False where only the plan was made, or only a share of the shards."""


def list_outputs(options: ScanOptions) -> list[str]:
    """The files that a scan would write into OUT."""
    refuse_swapped(options)
    with open_genome(options.genome, tmp_dir=options.temporary_folder) as genome:
        plan = make_plan(options, genome)
    return [*_all_files(plan), RUN_FILE, SKIPPED_FILE]


def run_scan(options: ScanOptions, progress: Progress | None = None) -> ScanResult:
    """Scan a genome with one or more models and write tracks into ``options.output``.

    Returns:
        What was written. Running the same scan again goes on where it stopped; on a finished folder it does nothing.

    Raises:
        UsageError, DataError, ModelError: bad options, genome or regions, models or cards.
        SelfCheckError: the model's windows influence each other.
        ResourceError: memory or disk ran out, a device was lost, a stage stalled.
    """
    progress = progress or NullProgress()
    began = time.perf_counter()
    refuse_swapped(options)
    _refuse_contradictions(options)
    with open_genome(options.genome, tmp_dir=options.temporary_folder) as genome:
        folder = OutputFolder(options.output, overwrite=options.overwrite)
        plan, finished = _settle(options, genome, folder)
        refuse_hypothetical(options, plan.models)
        if finished:
            _write_hypothetical(options, plan, genome, progress)
            return ScanResult(folder.path, _files(plan), skipped=True)
        new = folder.record is None
        record = folder.begin(PlanRecord.of(options, plan, folder.finished_tracks()), bytes_needed(plan, folder))
        if record.values["shard"] != plan.shard or not folder.record_is(plan.summary()):
            # Another process fixed a plan in between.
            plan, _ = _settle(options, genome, folder)
        result = ScanResult(folder.path, _files(plan), False, shards=record.shards, assembled=False)
        if options.plan_only:
            return result
        run = _Run(options, plan, record, folder, genome, progress, began)
        try:
            with machine_errors(folder.path, lambda: bytes_needed(plan, folder)):
                result = run.carry_out(result)
            if result.assembled:
                _write_hypothetical(options, plan, genome, progress)
            return result
        except BaseException as error:
            if new and options.share is None:
                folder.abandon()
            run.tell_rest(error)
            raise


def _write_hypothetical(options: ScanOptions, plan: ScanPlan, genome: Genome, progress: Progress) -> None:
    """Write what motif discovery reads, beside the tracks and after them, unless this very plan's is there."""
    prefix = options.hypothetical
    if prefix is None or (not options.overwrite and holds_hypothetical(options, plan, genome)):
        return
    with machine_errors(prefix.parent):
        write_hypothetical(options, plan, genome, progress)


def _settle(options: ScanOptions, genome: Genome, folder: OutputFolder) -> tuple[ScanPlan, bool]:
    """The plan, with the choices of the run that the folder holds, and whether that run is this one and finished."""
    plan = make_plan(options, genome, None if options.overwrite else folder.settled)
    return plan, folder.holds(plan.summary(), _all_files(plan))


def _files(plan: ScanPlan) -> tuple[str, ...]:
    return tuple(track.file for model in plan.models for track in model.tracks)


def _all_files(plan: ScanPlan) -> tuple[str, ...]:
    """The tracks, and the signals that are made of reads."""
    made = dict.fromkeys(signal.kept_as for signal in plan.signals if signal.recipe is not None)
    return (*_files(plan), *made)


def _refuse_contradictions(options: ScanOptions) -> None:
    """Options that can't be honoured together."""
    share, several = options.share, options.cluster is not None or options.device == EVERY_DEVICE
    if share is not None and not 1 <= share[0] <= share[1]:
        raise UsageError(
            "no such share", place="--shard", found=f"{share[0]}/{share[1]}", wanted="K/N with K from 1 to N"
        )
    if share is not None and options.overwrite:
        raise UsageError(
            "each of several processes would remove what the others made",
            place="--shard and --overwrite",
            remedy="run it once with --plan-only --overwrite, then each share without --overwrite",
        )
    if share is not None and several:
        raise UsageError(
            "a share of the shards is made by one process on one device",
            place="--shard",
            found="--cluster" if options.cluster else f"--device {EVERY_DEVICE}",
            wanted="one of them",
        )
    if options.cluster is not None:
        check_address(options.cluster)
    refuse_unusable_prefix(options)


@dataclass
class _Run:
    """One process' part in a run whose plan is fixed."""

    options: ScanOptions
    plan: ScanPlan
    record: PlanRecord
    folder: OutputFolder
    genome: Genome
    progress: Progress
    began: float

    def carry_out(self, result: ScanResult) -> ScanResult:
        """Make the shards that are missing, and put all together unless others make the rest."""
        plan, record, folder = self.plan, self.record, self.folder
        shards = cut_into_shards(plan.reached, plan.lengths, plan.tile, plan.shard)
        wanted = range(len(shards)) if self.options.share is None else share_of(len(shards), *self.options.share)
        facts, _ = finished_shards(folder, record, wanted)
        missing = [shards[number] for number in wanted if number not in facts]
        self._refuse_held(missing)
        since = self.began
        if missing:
            if len(missing) < len(wanted):
                done = len(wanted) - len(missing)
                self.progress.note(f"{done} of {len(wanted)} shards are done already: going on with the others")
            tell_space(plan, folder, self.progress)
            since = self._make(missing)
        if self.options.share is not None:
            return result
        made, damaged = finished_shards(folder, record, (shard.number for shard in missing))
        facts |= made
        if len(facts) < record.shards:
            raise missing_shards(folder, record, facts, damaged)
        known = [facts[number] for number in wanted]
        seconds = assemble_shards(folder, record, known, self.options.threads, self.progress, since)
        return ScanResult(result.folder, result.tracks, False, seconds, result.shards)

    def _make(self, shards: Sequence[Shard]) -> float:
        """Make shards; the moment up to which they count their seconds."""
        options, progress = self.options, self.progress
        make_signals(self.plan.signals, self.plan.lengths, progress, options.threads)
        bases = [sum(piece.bases(self.plan.tile) for piece in shard.pieces) for shard in shards]
        if options.cluster is None and options.device != EVERY_DEVICE:
            return self._make_here(shards)
        devices = [] if options.cluster else all_cuda_devices()
        progress.start("scan", sum(bases), "bases")
        try:
            if options.cluster is not None:
                make_on_cluster(options, shards, bases, progress)
            else:
                make_on_devices(options, devices, shards, bases, progress)
        finally:
            progress.finish()
        return time.perf_counter()

    def _make_here(self, shards: Sequence[Shard]) -> float:
        job = scheduler_job()
        with ShardMaker(
            self.options, self.plan, self.record, self.genome, shards, self.progress, job, self.began
        ) as maker:
            self.progress.start("scan", _bases_asked(self.plan, shards), "bases")
            try:
                return maker.make(shards)
            finally:
                self.progress.finish()

    def _refuse_held(self, shards: Sequence[Shard]) -> None:
        """Say at once that another process is at work on the same shards."""
        job = scheduler_job()
        for shard in shards:
            path = self.folder.shard(shard.number).with_suffix(".lock")
            holder = living_holder(path, job)
            if holder is not None:
                raise UsageError(
                    "another run is writing into this folder",
                    path=path,
                    found=str(holder),
                    wanted="one run at a time on a shard",
                    remedy="wait for it, choose another folder with -o, or delete this file if that process is gone",
                )

    def tell_rest(self, error: BaseException) -> None:
        """Attach to an interruption how much is done and how to go on."""
        if isinstance(error, Exception):
            return
        done = sum(1 for _ in self.folder.shards.glob("*.shard"))
        if done:
            text = f"{done} of {self.record.shards} shards are done: run the same command again, it goes on from there"
            error.remedy = text  # type: ignore[attr-defined]


def _bases_asked(plan: ScanPlan, shards: Sequence[Shard]) -> int:
    """Bases asked for in some shards."""
    return sum(
        total(intersect(plan.wanted[piece.name], piece.spans(plan.tile))) for shard in shards for piece in shard.pieces
    )
