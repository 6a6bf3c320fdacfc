"""What a sweep is to do, and the folder that it is done in.

```
FOLDER/plan.json        the recipe and the data sets; a folder holds the figures of one recipe
FOLDER/sets/NAME.npz    a data set: codes, labels, test, and validation where the set has its own
FOLDER/searches/*.log   the draws of each search so far, an Optuna journal
FOLDER/searches.jsonl   the outcome of each search
FOLDER/results.jsonl    each trained model
```
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trackgen.errors import DataError, UsageError
from trackgen.learn.datasets.sequences import SequenceSet
from trackgen.learn.sweep.space import SPACE

__all__ = ["Plan", "Recipe", "SweepFolder"]

FORMAT = "trackgen sweep 1"
PART = ".tmp"
"""Behind the name of a file that is being written."""


@dataclass(frozen=True)
class Recipe:
    """What figures depend on, beside the data set, the architecture and the seed of a training.

    Attributes:
        task: what the sets ask: discovery, occupancy, free.
        draws: settings tried for each pair of set and architecture.
        search_steps, train_steps: mini-batches of one draw and of one training.
        search_every, train_every: mini-batches between two looks at validation (Zeng 2016, 4.1: 100 and 500).
        batch_size: sequences in a mini-batch (Zeng 2016, 4.4: 100).
        validation: at most so many sequences validate, drawn by the seed; the paper has no such bound.
        seed: of draws and searches; training `i` has seed + i, from 1.
    """

    task: str = "discovery"
    draws: int = 30
    search_steps: int = 1000
    train_steps: int = 5000
    search_every: int = 100
    train_every: int = 500
    batch_size: int = 100
    validation: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        for phase in ("search", "train"):
            steps, every = getattr(self, f"{phase}_steps"), getattr(self, f"{phase}_every")
            if steps % min(every, steps):
                raise UsageError(
                    "the last look at validation would not be at the end", place=f"--{phase}-steps", found=steps,
                    wanted=f"a multiple of {every}, or less",
                )  # fmt: skip

    @property
    def searched_every(self) -> int:
        """Mini-batches between two looks at validation in a search: one look at least."""
        return min(self.search_every, self.search_steps)

    @property
    def trained_every(self) -> int:
        """The same in a training."""
        return min(self.train_every, self.train_steps)


@dataclass(frozen=True)
class Plan:
    """All that is to be done, in the order that matters.

    Attributes:
        sets: names, those that matter first.
        architectures: names in `SEQUENCE_NETS`.
        seeds: trainings of each pair.
        positives: bound sequences that training sets are cut down to, beside the whole sets.
        families: set -> family of its factor.
    """

    recipe: Recipe
    sets: tuple[str, ...]
    architectures: tuple[str, ...]
    seeds: int = 5
    positives: tuple[int, ...] = ()
    families: Mapping[str, str] = field(default_factory=dict)


class SweepFolder:
    """Where a sweep is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plan_file, self.lock = path / "plan.json", path / "sweep.lock"
        self.results, self.searches = path / "results.jsonl", path / "searches.jsonl"

    def prepare(self, recipe: Recipe, sets: Sequence[SequenceSet]) -> None:
        """Make the folder, or see that it is of the same recipe and the same data; sets may come to it.

        Raises:
            UsageError: the folder is of another recipe, or holds something else; a set has the name of another.
        """
        known = self._known(recipe)
        for sequences in sets:
            entry = _described(sequences)
            if known.setdefault(sequences.name, entry)["digest"] != entry["digest"]:
                raise UsageError(
                    f"the sweep has another set called {sequences.name}", path=self.plan_file, found=entry["digest"],
                    wanted=known[sequences.name]["digest"], remedy="choose another name, or another folder with -o",
                )  # fmt: skip
        self.path.mkdir(parents=True, exist_ok=True)
        # the plan comes first: a folder that was left before its sets were written is a sweep's already
        plan = {"format": FORMAT, "recipe": asdict(recipe), "space": SPACE, "sets": known}
        _replace(self.plan_file, (json.dumps(plan, indent=1) + "\n").encode())
        for name in ("sets", "searches"):
            (self.path / name).mkdir(exist_ok=True)
        for sequences in sets:
            if not self.set_file(sequences.name).exists():
                _write_set(self.set_file(sequences.name), sequences)

    def _known(self, recipe: Recipe) -> dict[str, dict[str, Any]]:
        """The sets that the folder has already."""
        if not self.plan_file.exists():
            own = (self.lock.name, self.plan_file.name + PART)  # what a run leaves that is killed before its plan
            if self.path.exists() and any(not entry.name.endswith(own) for entry in self.path.iterdir()):
                raise UsageError("the folder holds something else than a sweep", path=self.path, wanted="a new folder")
            return {}
        plan = self.read()
        for name, value in asdict(recipe).items():
            if plan["recipe"].get(name) != value:
                raise UsageError(
                    f"the sweep in this folder has another {name}", path=self.plan_file, found=plan["recipe"].get(name),
                    wanted=value, remedy="give the same options, or another folder with -o",
                )  # fmt: skip
        sets: dict[str, dict[str, Any]] = plan["sets"]
        return sets

    def read(self) -> dict[str, Any]:
        """The plan as it was written.

        Raises:
            DataError: there is none, or it is damaged.
        """
        try:
            plan = json.loads(self.plan_file.read_text())
            if plan["format"] != FORMAT or not isinstance(plan["recipe"], dict) or not isinstance(plan["sets"], dict):
                raise ValueError(plan["format"])
        except FileNotFoundError as error:
            raise DataError("there is no sweep", path=self.path, wanted="a folder of `trackgen sweep`") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("this is no plan of a sweep", path=self.plan_file, found=error, wanted=FORMAT) from error
        found: dict[str, Any] = plan
        return found

    def set_file(self, name: str) -> Path:
        """Where a data set is kept."""
        return self.path / "sets" / f"{name}.npz"

    def load_set(self, name: str) -> SequenceSet:
        """A data set of the sweep.

        Raises:
            DataError: its file is missing or damaged.
        """
        path = self.set_file(name)
        try:
            with np.load(path) as arrays:
                kept = arrays.get("validation")
                return SequenceSet(name, arrays["codes"], arrays["labels"], arrays["test"], validation=kept)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(
                "a set of the sweep can't be read", path=path, found=error,
                remedy="delete the file: the same command makes it again",
            ) from error  # fmt: skip


def _described(sequences: SequenceSet) -> dict[str, Any]:
    return {
        "digest": sequences.digest, "length": sequences.window, "sequences": len(sequences),
        "bound": int((sequences.labels == 1).sum()), "held_back": int(sequences.test.sum()),
    }  # fmt: skip


def _write_set(path: Path, sequences: SequenceSet) -> None:
    kept: dict[str, Any] = {} if sequences.validation is None else {"validation": sequences.validation}
    part = path.with_name(path.name + PART)
    with open(part, "wb") as file:
        np.savez_compressed(file, codes=sequences.codes, labels=sequences.labels, test=sequences.test, **kept)
    os.replace(part, path)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + PART)
    part.write_bytes(content)
    os.replace(part, path)
