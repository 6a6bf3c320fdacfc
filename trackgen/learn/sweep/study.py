"""One search: its draws trained in turn, each kept in an Optuna journal as it ends.

A draw enters the journal whole or not at all, so that a search which is killed goes on with the draw that it was in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from trackgen.errors import UsageError
from trackgen.learn.sweep.records import cut_torn_line
from trackgen.learn.sweep.space import Setting, distributions, first_of_each, quiet

__all__ = ["Outcome", "run_search"]

DRAW = "draw"
SAME_AS = "same_as"


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes:
        best: the setting with the highest value, the first drawn among equals.
        value: its validation AUROC.
        draws, distinct: drawn, and trained, since repeats take over the value of their first.
        values: of each draw.
    """

    best: Setting
    value: float
    draws: int
    distinct: int
    values: tuple[float, ...]


def run_search(journal: Path, settings: Sequence[Setting], train: Callable[[Setting], float]) -> Outcome:
    """Try each setting that the journal does not have yet, and say which was best.

    Args:
        journal: of this search; one process at a time.
        settings: the draws, in order.
        train: a setting -> validation AUROC.

    Raises:
        UsageError: the journal is of other draws.
    """
    with quiet():
        study = _opened(journal)
        done = _values(study, settings, journal)
        for number, first in enumerate(first_of_each(settings)):
            if number in done:
                continue
            done[number] = done[first] if first < number else train(settings[number])
            study.add_trial(_trial(settings[number], done[number], number, first))
    values = tuple(done[number] for number in range(len(settings)))
    best = max(range(len(settings)), key=lambda number: values[number])
    return Outcome(settings[best], values[best], len(settings), len(set(settings)), values)


def _opened(journal: Path) -> optuna.Study:
    """The study of a journal, mended where a process was killed in the midst of a line or while it held the lock."""
    cut_torn_line(journal)
    for suffix in (".lock", ".lock.rename"):
        journal.with_name(journal.name + suffix).unlink(missing_ok=True)
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return optuna.create_study(
        storage=storage, study_name=journal.stem, direction="maximize", load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(0),
    )  # fmt: skip


def _values(study: optuna.Study, settings: Sequence[Setting], journal: Path) -> dict[int, float]:
    """Draw -> value, of the draws that the study has."""
    values: dict[int, float] = {}
    for trial in study.get_trials(deepcopy=False):
        number = trial.user_attrs.get(DRAW, -1)
        if not 0 <= number < len(settings) or Setting(**trial.params) != settings[number] or trial.value is None:
            raise UsageError(
                "the journal is of another search", path=journal, place=f"trial {trial.number}", found=trial.params,
                remedy="delete the file: the search begins anew",
            )  # fmt: skip
        values[number] = trial.value
    return values


def _trial(setting: Setting, value: float, number: int, first: int) -> Any:
    attributes = {DRAW: number} | ({SAME_AS: first} if first < number else {})
    return optuna.trial.create_trial(
        params=setting.to_dict(), distributions=distributions(), value=value, user_attrs=attributes
    )
