"""The task ``nash``: from deep data to the best net that a hill climb finds, exported, with its tree.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``net.json`` (the layers), ``report/`` (figures as JSON and pictures),
and the search itself (`trackgen.learn.nash.folder`), with which the same command goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, open_genome
from trackgen.genome.regions import parse_regions
from trackgen.learn.architectures.layered import NetSpec, named_spec, spec_from_json
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.stretch_data import PairOptions, StretchSet, load_stretches
from trackgen.learn.datasets.stretches import BINS, CENTRE, StretchBatches
from trackgen.learn.nash.folder import SearchFolder
from trackgen.learn.nash.morphisms import KINDS
from trackgen.learn.nash.neighbours import Bounds
from trackgen.learn.nash.search import Budget, Recipe, Sources, search
from trackgen.learn.stepping import FitOptions, annealed
from trackgen.learn.tss_task import whole_sequences
from trackgen.progress import Progress

__all__ = ["NashOptions", "train_nash"]


@dataclass(frozen=True)
class NashOptions:
    """What to search on, and how; see ``trackgen train nash --help`` for the meaning of each."""

    deep: Path
    genome: Path
    output: Path
    validation: tuple[str, ...]
    test: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    fraction: float = 0.1
    pairing: str = "complement"
    reads: str = "coverage"
    tells: str = "coverage"
    thinnings: int = 1
    examples: int = 9265
    validation_examples: int = 488
    test_examples: int = 972
    new_examples: bool = False
    batch_size: int = 32
    start: str = "hilbert-start"
    steps: int = 60
    children: int = 8
    changes: int = 1
    kinds: tuple[str, ...] = KINDS
    start_epochs: int = 20
    epochs: int = 17
    final_epochs: int = 100
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    final_rate: float = 0.0
    annealing: str = "cosine"
    noise: float = 0.0
    most_weights: int | None = 20_000_000
    most_multiplications: int | None = None
    name: str = "nash"
    title: str = "Denoised ATAC-seq"
    data: str = ""
    license: str = ""
    seed: int = 1
    threads: int = 2
    device: str = "cpu"
    command: str = ""

    @property
    def pairs(self) -> PairOptions:
        """How the two depths are made."""
        return PairOptions(
            self.fraction, self.pairing, self.reads, self.tells, thinnings=self.thinnings, seed=self.seed
        )  # fmt: skip

    @property
    def recipe(self) -> Recipe:
        """What makes the tree.

        Raises:
            UsageError: an unknown start, kind of change or schedule; a start that is no net.
        """
        recipe = Recipe(
            start_spec(self.start), self.children, self.changes, self.start_epochs, self.epochs, self.optimizer,
            self.learning_rate, self.final_rate, self.annealing, self.noise,
            Bounds(self.most_weights, self.most_multiplications, self.kinds), self.seed,
        )  # fmt: skip
        annealed(FitOptions(schedule=recipe.schedule), 0)
        return recipe


def start_spec(text: str) -> NetSpec:
    """The net of a name, or of a JSON file.

    Raises:
        UsageError: it is neither, or no net for stretches of 4,096 bins.
    """
    path = Path(text)
    if path.suffix != ".json":
        return named_spec(text)
    try:
        spec = spec_from_json(path.read_text())
    except OSError as error:
        raise DataError("the net can't be read", path=path, found=error.strerror) from error
    except UsageError as error:
        raise error.in_file(path) from None
    if (spec.window, spec.outputs) != (BINS, CENTRE):
        raise UsageError(
            "the net is for other data", path=path, found=f"{spec.window} bins in, {spec.outputs} out",
            wanted=f"{BINS} bins in, {CENTRE} out",
        )  # fmt: skip
    return spec


def train_nash(options: NashOptions, progress: Progress) -> Path:
    """Search, and export the best net; returns the path of the exported model.

    The same options in the same folder go on where a run was stopped, to the same tree; with more steps, beyond it.

    Raises:
        UsageError: an unknown net, sequence or setting; an output folder with another search, or in use.
        DataError: genome or fragments are missing or malformed; records or weights are damaged.
        TrackgenError: the training of the start diverged.
        ModelError: the exported graph does not reproduce the net.
    """
    recipe, pairs = options.recipe, options.pairs
    torch.set_num_threads(options.threads)
    with open_genome(options.genome) as genome:
        stretches = _stretches(options, pairs, genome, progress)
    plan = recipe.to_json() | _data(options, stretches)
    folder = SearchFolder(options.output)
    with folder.held(plan):
        sources = Sources(stretches.train, stretches.validation, stretches.test)
        budget = Budget(options.steps, options.final_epochs)
        search(folder, recipe, budget, sources, progress, options.device)
    return folder.path


def _stretches(options: NashOptions, pairs: PairOptions, genome: Genome, progress: Progress) -> StretchSet:
    lengths = genome.lengths
    excluded = [region for text in options.exclude for region in parse_regions(text, lengths).intervals]
    split = Split.of(
        genome.names, validation=options.validation, test=options.test, left_out=whole_sequences(excluded, lengths)
    )
    return load_stretches(
        options.deep, lengths, split, pairs, excluded=excluded,
        examples=(options.examples, options.validation_examples, options.test_examples),
        batch_size=options.batch_size, anew=options.new_examples, progress=progress,
    )  # fmt: skip


def _data(options: NashOptions, stretches: StretchSet) -> dict[str, Any]:
    """What a tree depends on beside its recipe: how examples are drawn, and a digest of all values they hold."""
    parts = {name: getattr(stretches, name) for name in ("train", "validation", "test")}
    settings: dict[str, Any] = {name: getattr(options, name) for name in ("fraction", "pairing", "reads", "tells")}
    return settings | {
        "examples": [part.number for part in parts.values()], "batch_size": options.batch_size,
        "new_examples": options.new_examples, "digest": _digest(parts),
    }  # fmt: skip


def _digest(parts: Mapping[str, StretchBatches]) -> str:
    """Of all values, and of where stretches may lie."""
    content = hashlib.sha256()
    for name, part in parts.items():
        content.update(name.encode() + part.places.runs.tobytes())
        for pair in part.pairs:
            for values in (pair.noisy, pair.deep):
                for sequence in sorted(values):
                    content.update(sequence.encode() + np.ascontiguousarray(values[sequence]).tobytes())
    return content.hexdigest()[:16]
