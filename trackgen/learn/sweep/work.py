"""A piece of a sweep in a process: from the sweep's folder to a record, nothing written but the journal of a search."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from trackgen.learn.datasets.sequences import Parts, SequenceSet
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.sweep.plan import Recipe, SweepFolder
from trackgen.learn.sweep.space import Setting
from trackgen.learn.sweep.study import run_search
from trackgen.learn.sweep.training import Manner, at_most, bound_scores, cut_down, train_once
from trackgen.learn.sweep.units import Pair, Piece, draws_of

__all__ = ["Task", "make"]


@dataclass(frozen=True)
class Task:
    """A piece, and what it needs to be made elsewhere."""

    folder: Path
    recipe: Recipe
    piece: Piece


def make(task: Task) -> dict[str, Any]:
    """The record of a piece: of a search, or of a trained model.

    Raises:
        DataError: the set can't be read, or can't be learned from.
        UsageError: the journal of the search is of another one.
    """
    return _search(task) if task.piece.seed is None else _training(task)


def _search(task: Task) -> dict[str, Any]:
    pair, recipe = task.piece.pair, task.recipe
    parts = _parts(task, recipe.seed)
    manner = Manner(recipe.search_steps, recipe.searched_every, recipe.batch_size, recipe.seed)

    def train(setting: Setting) -> float:
        return train_once(pair.architecture, setting, parts, manner).auroc

    journal = task.folder / "searches" / f"{pair.label.replace(' ', '.')}.log"
    outcome = run_search(journal, draws_of(pair, recipe), train)
    return _named(task) | {
        "draws": outcome.draws, "distinct_draws": outcome.distinct, "search_steps": recipe.search_steps,
        "seed": recipe.seed, "hyper": outcome.best.to_dict(), "validation_auroc": outcome.value,
        "values": list(outcome.values),
    }  # fmt: skip


def _training(task: Task) -> dict[str, Any]:
    piece, recipe = task.piece, task.recipe
    assert piece.seed is not None
    assert piece.setting is not None
    parts = _parts(task, piece.seed)
    manner = Manner(recipe.train_steps, recipe.trained_every, recipe.batch_size, piece.seed)
    trained = train_once(piece.pair.architecture, piece.setting, parts, manner)
    figures: dict[str, Any] = {"test_auroc": None, "test_auprc": None}
    if trained.net is not None:
        scores, bound = bound_scores(trained.net, parts.test), parts.test.labels == 1
        figures = {"test_auroc": auroc(bound, scores), "test_auprc": auprc(bound, scores)}
    draws = draws_of(piece.pair, recipe)
    return _named(task) | {
        "seed": piece.seed, "train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test),
        "positives": sum(int((part.labels == 1).sum()) for part in (parts.train, parts.validation, parts.test)),
        "draws": recipe.draws, "distinct_draws": len(set(draws)), "search_steps": recipe.search_steps,
        "train_steps": recipe.train_steps, "hyper": piece.setting.to_dict(), "best_step": trained.best_step,
        "validation_auroc": trained.auroc, **figures, "seconds_per_500k": trained.seconds,
    }  # fmt: skip


def _named(task: Task) -> dict[str, Any]:
    pair = task.piece.pair
    return {
        "task": task.recipe.task, "set": pair.set, "family": pair.family, "architecture": pair.architecture,
        "digest": pair.digest, "fraction": pair.positives,
    }  # fmt: skip


def _parts(task: Task, seed: int) -> Parts:
    parts = _opened(task.folder, task.piece.pair).parts(seed)
    return Parts(parts.train, at_most(task.recipe.validation, parts.validation, seed), parts.test)


@lru_cache(maxsize=2)
def _opened(folder: Path, pair: Pair) -> SequenceSet:
    """The pair's set, cut down where it is to be; pieces of a pair follow one another."""
    sequences = SweepFolder(folder).load_set(pair.set)
    return sequences if pair.positives is None else cut_down(sequences, pair.positives)
