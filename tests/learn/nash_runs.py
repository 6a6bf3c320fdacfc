"""A small search, here or in a process that is killed: ``python -m tests.learn.nash_runs FOLDER KILL_AT HOW``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trackgen.learn.architectures.layered import Conv2d, Dense, Flatten, Hilbert, NetSpec, Relu
from trackgen.learn.nash.folder import SearchFolder
from trackgen.learn.nash.morphisms import Net
from trackgen.learn.nash.search import Budget, Recipe, Sources, search
from trackgen.progress import NullProgress

START = NetSpec((Hilbert(), Conv2d(2, 3), Relu(), Flatten(), Dense(6), Relu(), Dense(4)), window=16)
RECIPE = Recipe(START, children=3, start_epochs=2, epochs=2, learning_rate=0.02)
BUDGET = Budget(steps=3, final_epochs=2)


@dataclass(frozen=True)
class Smoothing:
    """Windows of 16 values, whose centre 4 are to be smoothed; other ones every epoch where `anew`."""

    seed: int
    anew: bool = False
    number: int = 40

    def batches(self, epoch: int) -> Iterator[Any]:
        values = np.random.default_rng([self.seed, epoch if self.anew else 0]).exponential(1.0, (self.number, 1, 16))
        smooth = (values[:, :, 5:9] + values[:, :, 6:10] + values[:, :, 7:11]) / 3
        for start in range(0, self.number, 8):
            rows = slice(start, start + 8)
            yield (values[rows].astype(np.float32),), smooth[rows].astype(np.float32)


SOURCES = Sources(Smoothing(0, anew=True), Smoothing(1), Smoothing(2))


def run(folder: Path, recipe: Recipe = RECIPE, budget: Budget = BUDGET, sources: Sources = SOURCES) -> Net:
    """A search in a folder."""
    torch.set_num_threads(1)
    search_folder = SearchFolder(folder)
    with search_folder.held(recipe.to_json()):
        return search(search_folder, recipe, budget, sources, NullProgress())


def tree(folder: Path) -> list[dict[str, Any]]:
    """The records of a folder without what differs from run to run."""
    return [
        {name: value for name, value in record.items() if name != "seconds"}
        for record in SearchFolder(folder).records()
    ]


class _Killed(SearchFolder):
    """A folder whose process is killed at its n-th record: before it is written, or in its midst."""

    left = 0
    tear = False

    def append(self, record: Any) -> None:
        self.left -= 1
        if not self.left:
            if self.tear:
                with open(self.records_file, "ab") as file:
                    file.write(json.dumps(record).encode()[:40])
            os.kill(os.getpid(), signal.SIGKILL)
        super().append(record)


if __name__ == "__main__":
    torch.set_num_threads(1)
    killed = _Killed(Path(sys.argv[1]))
    killed.left, killed.tear = int(sys.argv[2]), sys.argv[3] == "tear"
    with killed.held(RECIPE.to_json()):
        search(killed, RECIPE, BUDGET, SOURCES, NullProgress())
