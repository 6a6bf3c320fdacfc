"""The task ``nash``: from deep data to the best net that a hill climb finds, exported, with its tree.

``OUT/`` ends with ``model.onnx``, ``README.md``, ``model.pt`` (the trained net, for ``trackgen export``), ``report/``
(figures as JSON and pictures), and the search itself (`trackgen.learn.nash.folder`), with which the same command goes
on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from trackgen.errors import DataError, UsageError
from trackgen.learn.architectures.layered import NetSpec, named_spec, spec_from_json
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.stretch_data import StretchSet
from trackgen.learn.datasets.stretches import BINS, CENTRE
from trackgen.learn.denoise_paper_task import StretchOptions, finish_stretch_net, load_stretch_data, search_data
from trackgen.learn.nash.folder import SearchFolder
from trackgen.learn.nash.morphisms import KINDS, Net
from trackgen.learn.nash.neighbours import Bounds
from trackgen.learn.nash.pictures import plot_search_loss, plot_search_tree
from trackgen.learn.nash.report import nash_section, search_figures
from trackgen.learn.nash.search import Budget, Recipe, Sources, search
from trackgen.learn.stepping import FitOptions, annealed, refuse_device
from trackgen.progress import Progress

__all__ = ["NashOptions", "train_nash"]


@dataclass(frozen=True)
class NashOptions(StretchOptions):
    """What to search on, and how; see ``trackgen train nash --help`` for the meaning of each."""

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
        UsageError: an unknown net, sequence, device or setting; an output folder with another search, or in use.
        DataError: genome or fragments are missing or malformed; records or weights are damaged.
        TrackgenError: the training of the start diverged.
        ModelError: the exported graph does not reproduce the net.
    """
    refuse_device(options.device)
    recipe = options.recipe
    torch.set_num_threads(options.threads)
    folder = SearchFolder(options.output)
    data, split = load_stretch_data(options, progress)
    with folder.held(recipe.to_json() | search_data(options, data)):
        sources = Sources(data.train, data.validation, data.test)
        budget = Budget(options.steps, options.final_epochs)
        net = search(folder, recipe, budget, sources, progress, options.device)
        return _finished(folder, net, data, split, options, progress)


def _finished(
    folder: SearchFolder, net: Net, data: StretchSet, split: Split, options: NashOptions, progress: Progress
) -> Path:
    """Export the best net, and tell how it was found."""
    records = folder.records()
    report = folder.path / "report"
    report.mkdir(exist_ok=True)
    plot_search_tree(records, report / "tree.png")
    plot_search_loss(records, report / "loss.png")
    told = {"search": search_figures(records)}
    summary = f"{net.spec}, found by hill climbing over network morphisms"
    return finish_stretch_net(
        net.build().eval(), net.spec, summary, data, split, options, told, nash_section, progress
    )  # fmt: skip
