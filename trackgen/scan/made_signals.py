"""Signals that are made of reads by a model's recipe: once for a run, whole or not at all, for all of its processes.

A made signal is a BigWig file in a folder that every process of the run sees. Beside it lie facts on it, as JSON,
which are written first: where the BigWig file is, they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trackgen.card import Card
from trackgen.errors import UsageError
from trackgen.progress import Progress
from trackgen.scan.durable import write_durably
from trackgen.scan.lock import Lock, living_holder, scheduler_job
from trackgen.scan.sources import NamedFiles, SignalFiles, SignalPlan, plan_signals
from trackgen.signals import Recipe, SignalSummary, make_signal

__all__ = ["facts_of", "make_signals", "opened_signals"]

LOOK_EVERY = 0.5
"""Seconds between looks at whether another process has made a signal."""


def make_signals(plans: Sequence[SignalPlan], lengths: Mapping[str, int], progress: Progress, threads: int = 1) -> None:
    """Make what is not there yet of the signals that are made of reads, and tell what became of the reads.

    Several processes may ask for the same: one makes it, the others wait.

    Args:
        lengths: sequences of the genome.
        threads: cores to use.

    Raises:
        DataError: the reads can't be used; see `trackgen.genome.fragments.open_fragments`.
        ResourceError: the disk is full.
    """
    for plan in plans:
        if plan.recipe is not None and not plan.path.is_file():
            plan.path.parent.mkdir(parents=True, exist_ok=True)
            with _only_one(plan.path, progress) as mine:
                if mine:
                    _make(plan, plan.recipe, lengths, progress, threads)


def facts_of(made: Path) -> dict[str, Any]:
    """What is known of a made signal: fragments, depth, factor, mean, what was left out, warnings."""
    facts: dict[str, Any] = json.loads(_facts_file(made).read_text(encoding="utf-8"))
    return facts


@contextlib.contextmanager
def opened_signals(
    files: NamedFiles, card: Card, lengths: Mapping[str, int], wanted: Sequence[str], progress: Progress
) -> Iterator[SignalFiles]:
    """The signals of one model, open; what has to be made of reads lies in a temporary folder meanwhile.

    Args:
        files: keys and files.
        wanted: the names of the sequences that are read.

    Raises:
        As `plan_signals` and `make_signals`.
    """
    with tempfile.TemporaryDirectory(prefix="trackgen-signals-") as folder:
        plans, notes = plan_signals(files, lengths, wanted, [card], Path(folder))
        for text in notes:
            progress.note(text)
        make_signals(plans, lengths, progress)
        with SignalFiles(plans) as signals:
            yield signals


@contextlib.contextmanager
def _only_one(target: Path, progress: Progress) -> Iterator[bool]:
    """Whether this process is to make a file: False once another one has."""
    path, job = target.with_suffix(".lock"), scheduler_job()
    told = False
    while True:
        holder = living_holder(path, job)
        if holder is None:
            try:
                lock = Lock(path, job)
                break
            except UsageError:  # another one was faster
                continue
        if not told:
            progress.note(f"waiting for {holder}, which makes {target.name}")
            told = True
        time.sleep(LOOK_EVERY)
    try:
        yield not target.is_file()
    finally:
        lock.release()


def _make(plan: SignalPlan, recipe: Recipe, lengths: Mapping[str, int], progress: Progress, threads: int) -> None:
    mark = f"{os.uname().nodename}-{os.getpid()}"
    temporary = plan.path.with_name(f"{plan.path.stem}.{mark}.tmp")
    progress.note(f"signal {plan.key}: {recipe.measure} of {plan.source.name}, as {plan.model} reads it")
    try:
        summary = make_signal(plan.source, lengths, temporary, recipe, progress, threads=threads)
        warnings = _warnings(plan, recipe, summary)
        for text in warnings:
            progress.note(f"WARNING: {text}")
        facts = {**_summary(summary), "unit": recipe.unit, "warnings": warnings}
        unnamed = _facts_file(temporary)
        try:
            write_durably(unnamed, json.dumps(facts, indent=1) + "\n")
            os.replace(unnamed, _facts_file(plan.path))
        finally:
            unnamed.unlink(missing_ok=True)
        os.replace(temporary, plan.path)
    finally:
        temporary.unlink(missing_ok=True)
    told = "" if summary.counts is None else f" ({summary.counts})"
    progress.note(f"signal {plan.key}: {summary.depth:.3g} fragments over a base, times {summary.factor:.4g}{told}")


def _facts_file(made: Path) -> Path:
    return made.with_name(f"{made.name}.json")


def _summary(summary: SignalSummary) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(summary, name) for name in ("fragments", "depth", "factor", "mean")}
    return facts if summary.counts is None else {**facts, "records": asdict(summary.counts)}


def _warnings(plan: SignalPlan, recipe: Recipe, summary: SignalSummary) -> list[str]:
    """Of a depth that the model was not trained for."""
    if recipe.depth is None or recipe.depth[0] <= summary.depth <= recipe.depth[1]:
        return []
    low, high = recipe.depth
    remedy = "more reads are needed"
    if summary.depth > high:
        fraction = high / summary.depth
        remedy = f"thin it with `trackgen signal --fraction {fraction:.2g}`, or take it as it is"
    return [
        f"signal {plan.key}: {plan.source.name} has {summary.depth:.3g} fragments over a base, and {plan.model} was "
        f"trained for {low:.3g} to {high:.3g}: what it predicts may be far off; {remedy}"
    ]
