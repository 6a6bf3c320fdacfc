"""Making shards in this process: whoever hands them out, this is what computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import trackgen
from trackgen.errors import UsageError
from trackgen.genome import Genome, open_genome
from trackgen.progress import NullProgress, Progress
from trackgen.scan.folder import OutputFolder, machine_errors
from trackgen.scan.lock import Lock
from trackgen.scan.machinery import open_machinery
from trackgen.scan.made_signals import make_signals
from trackgen.scan.options import ScanOptions
from trackgen.scan.pipeline import run_serial, run_threaded
from trackgen.scan.plan import ScanPlan, make_plan
from trackgen.scan.record import PlanRecord
from trackgen.scan.shards import Shard, cut_into_shards
from trackgen.scan.sources import SignalFiles
from trackgen.scan.space import bytes_needed
from trackgen.scan.work import ShardWork

__all__ = ["ShardMaker", "join_run"]


class ShardMaker:
    """Makes shards of one plan, with models that are loaded once; used in a ``with`` statement.

    Args:
        genome: open.
        shards: those that will be made, so that few tiles are spread over all threads.
        job: how the scheduler names this job, for locks.
        began: moment (`time.perf_counter`) from which the first shard counts its seconds.
    """

    def __init__(
        self,
        options: ScanOptions,
        plan: ScanPlan,
        record: PlanRecord,
        genome: Genome,
        shards: Sequence[Shard],
        progress: Progress,
        job: str,
        began: float | None = None,
        made: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._plan, self._progress, self._job = plan, progress, job
        self._folder = OutputFolder(options.output)
        self._stack = ExitStack()
        self._signals = self._stack.enter_context(SignalFiles(plan.signals, plan.reference.path))
        self._machinery = open_machinery(plan, options, sum(shard.tiles for shard in shards), progress)

        def new_work() -> ShardWork:
            return ShardWork(
                plan,
                genome,
                self._signals,
                self._machinery,
                self._folder.shard,
                self._lock,
                record.hash,
                progress,
                made,
                began,
            )

        self._new_work = new_work

    def make(self, shards: Sequence[Shard], *, serial: bool = False) -> float:
        """Make some shards; what is unfinished when an error ends it is removed.

        Args:
            serial: in a plain loop on this thread, instead of on threads.

        Returns:
            The moment (`time.perf_counter`) up to which the shards count their seconds.

        Raises:
            UsageError: another process is making one of them.
            SelfCheckError, ModelError, DataError, ResourceError: as `run_scan`.
        """
        work = self._new_work()
        loads, stages = work.loads(shards), work.stages()
        with machine_errors(self._folder.path, lambda: bytes_needed(self._plan, self._folder)):
            try:
                if serial:
                    run_serial(loads, stages)
                else:
                    run_threaded(loads, stages, self._machinery.slots, stop=work.tiles.stop, pulse=work.tiles.pulse)
            except BaseException:
                work.abandon()
                raise
        return work.since

    def _lock(self, path: Path) -> Lock:
        return Lock(path, self._job)

    @property
    def on_cpu(self) -> bool:
        used: str = self._machinery.facts["used"]
        return used == "cpu"

    def __enter__(self) -> ShardMaker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()


class JoinedRun:
    """A run that another process planned, as seen by a process that makes shards of it when it is told to."""

    def __init__(self, options: ScanOptions, job: str) -> None:
        record = OutputFolder(options.output).record
        if record is None:
            raise UsageError(
                "the folder holds no plan to join", path=options.output, wanted="the OUT of a running scan"
            )
        self._genome = open_genome(options.genome, tmp_dir=options.temporary_folder)
        plan = make_plan(options, self._genome, record.settled)
        if not record.ours:
            raise UsageError(
                "the run was planned by another version of trackgen",
                path=options.output,
                found=f"trackgen {trackgen.__version__}",
                wanted=f"trackgen {record.version}",
            )
        if not OutputFolder(options.output).record_is(plan.summary()):
            raise UsageError(
                "this process sees other files than the one that planned the run",
                path=options.output,
                wanted="the same models, genome and signals on all machines",
            )
        make_signals(plan.signals, plan.lengths, NullProgress(), options.threads)
        self.shards = cut_into_shards(plan.reached, plan.lengths, plan.tile, plan.shard)
        self._maker = ShardMaker(options, plan, record, self._genome, self.shards, NullProgress(), job)

    def make(self, number: int) -> int:
        """Make one shard; its number again."""
        # Beside a device, threads read and write while it runs; on cores other tasks do.
        self._maker.make([self.shards[number]], serial=self._maker.on_cpu)
        return number


def join_run(options: ScanOptions, job: str) -> JoinedRun:
    """Join a run that another process planned in ``options.output``.

    Raises:
        UsageError: there is none, or it is of other files.
    """
    return JoinedRun(options, job)
