"""A sweep from its plan to its records: what comes first and is ready is made first, what is there not again."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackgen.errors import UsageError
from trackgen.learn.architectures.sequence_nets import sequence_net
from trackgen.learn.datasets.sequences import FEWEST_OF_A_CLASS, SequenceSet
from trackgen.learn.sweep.plan import Plan, SweepFolder
from trackgen.learn.sweep.pools import Pool, open_pool
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.learn.sweep.space import Setting
from trackgen.learn.sweep.units import Key, Pair, Piece, key_of, pairs_of, search_steps, steps_of
from trackgen.learn.sweep.work import Task
from trackgen.progress import Progress
from trackgen.scan.dask_client import check_address
from trackgen.scan.lock import Lock, scheduler_job

__all__ = ["Makers", "sweep"]


@dataclass(frozen=True)
class Makers:
    """Who makes the pieces: so many processes here, or the workers of a Dask cluster."""

    processes: int = 1
    cluster: str | None = None


def sweep(plan: Plan, sets: Sequence[SequenceSet], output: Path, makers: Makers, progress: Progress) -> Path:
    """Do what a plan says and is not done yet; returns the file of results.

    Args:
        plan: what is wanted.
        sets: the data of `plan.sets`.
        output: the sweep's folder, new or of the same recipe.
        makers: see there.
        progress: told about every piece.

    Raises:
        UsageError: unknown architecture, or a folder of another recipe or in use.
        DataError: a set with too few sequences of a class; damaged records.
        ResourceError: a process or the cluster failed: the same command goes on.
    """
    _check(plan, sets)
    if makers.cluster is not None:
        check_address(makers.cluster)
    folder = SweepFolder(output)
    known = {one.name: {"digest": one.digest, "trainable": _trainable(one)} for one in sets}
    pairs, notes = pairs_of(plan, known)
    _require_names(pairs)
    output.mkdir(parents=True, exist_ok=True)
    lock = Lock(folder.lock, scheduler_job())
    try:
        folder.prepare(plan.recipe, sets)
        for note in notes:
            progress.note(note)
        job = _Job(plan, folder, pairs, progress)
        if job.left:
            with open_pool(makers.processes, makers.cluster, progress) as pool:
                job.run(pool)
    finally:
        lock.release()
    progress.finish()
    return folder.results


def _check(plan: Plan, sets: Iterable[SequenceSet]) -> None:
    for architecture in plan.architectures:
        sequence_net(architecture)
    for number in plan.positives:
        if number < FEWEST_OF_A_CLASS:
            raise UsageError(
                "too few bound sequences to learn from", place="--positives", found=number,
                wanted=f"{FEWEST_OF_A_CLASS} or more",
            )  # fmt: skip
    for sequences in sets:
        sequences.require_classes()
        sequences.parts(plan.recipe.seed).require_classes()


def _require_names(pairs: Iterable[Pair]) -> None:
    """Refuse two searches of one name: a set called A-1000, and the set A cut down to 1,000."""
    labels = [pair.label for pair in pairs]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError("two pieces of the sweep would have one name", found=twice, remedy="rename the set")


def _trainable(sequences: SequenceSet) -> int:
    """Bound sequences outside the test part."""
    parts = sequences.parts(0)
    return sum(int((part.labels == 1).sum()) for part in (parts.train, parts.validation))


class _Job:
    """What is left of a sweep."""

    def __init__(self, plan: Plan, folder: SweepFolder, pairs: Sequence[Pair], progress: Progress) -> None:
        self.plan, self.folder, self.progress = plan, folder, progress
        searches = {key_of(record): record for record in read_records(folder.searches)}
        trained = {(key_of(record), record["seed"]) for record in read_records(folder.results)}
        self._trained: set[tuple[Key, int]] = trained
        self.left: list[tuple[tuple[int, int], Piece]] = []
        for pair in pairs:
            if pair.key in searches:
                self._add_trainings(pair, searches[pair.key])
            else:
                self._add(Piece(pair))
        progress.start("sweep", steps_of(pairs, plan, set(searches), trained), "mini-batches")

    def run(self, pool: Pool) -> None:
        """Make all that is left."""
        given = 0
        while self.left or given:
            while self.left and pool.free():
                pool.give(Task(self.folder.path.absolute(), self.plan.recipe, heapq.heappop(self.left)[1]))
                given += 1
            done = pool.take()
            if done is None:
                self.progress.advance(0)  # a line a minute, also while pieces take longer
                continue
            given -= 1
            self._keep(done[0].piece, done[1])

    def _keep(self, piece: Piece, record: dict[str, Any]) -> None:
        recipe = self.plan.recipe
        if piece.seed is None:
            append_record(self.folder.searches, record)
            self.progress.note(
                f"{piece.pair.label}: best of {record['draws']} draws ({record['distinct_draws']} distinct) is "
                f"{Setting(**record['hyper'])}, validation AUROC {record['validation_auroc']:.4f}"
            )
            self._add_trainings(piece.pair, record)
            self.progress.advance(search_steps(piece.pair, recipe))
        else:
            append_record(self.folder.results, record)
            self.progress.note(_sentence(piece, record))
            self.progress.advance(recipe.train_steps)

    def _add_trainings(self, pair: Pair, search: dict[str, Any]) -> None:
        """The trainings of a pair whose search is done, but for those that are done too."""
        for seed in range(self.plan.recipe.seed + 1, self.plan.recipe.seed + self.plan.seeds + 1):
            if (pair.key, seed) not in self._trained:
                self._add(Piece(pair, seed, Setting(**search["hyper"])))

    def _add(self, piece: Piece) -> None:
        heapq.heappush(self.left, (piece.rank, piece))


def _sentence(piece: Piece, record: dict[str, Any]) -> str:
    name = f"{piece.pair.label} seed {piece.seed}"
    if record["test_auroc"] is None:
        return f"{name}: training diverged"
    return f"{name}: test AUROC {record['test_auroc']:.4f}, AUPRC {record['test_auprc']:.4f}, at {record['best_step']}"
