"""The hill climb: children of the best net by morphisms, each trained for a few epochs, and the best of them again.

A step draws children of the best net so far, changes it without changing what it computes, and trains each child with
a learning rate that starts high again and is annealed to its end (a warm restart). The net with the smallest error on
validation is the next step's parent; the parent itself, as it is, is among the candidates, so that the error never
grows. The test error of the best is told at every step, and chooses nothing.

A child is a function of the recipe, its parent, and the numbers of its step and of itself alone. What is finished is a
line in a file, written behind its weights; a search that was killed goes on after it, to the same tree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch.nn import functional

from trackgen.errors import TrackgenError, UsageError
from trackgen.learn.architectures.layered import LayeredNet, NetSpec, spec_from_json, spec_to_json
from trackgen.learn.fit import BatchSource, FitOptions, FitResult, fit, predict_with_targets, seed_everything
from trackgen.learn.nash.folder import SearchFolder
from trackgen.learn.nash.morphisms import Change, Net, change_net
from trackgen.learn.nash.neighbours import Bounds, draw_children
from trackgen.progress import Progress

__all__ = ["Budget", "Recipe", "Sources", "search"]

DRAW, APPLY = range(2)
"""Streams of random numbers of a step."""


@dataclass(frozen=True)
class Recipe:
    """What a tree depends on, beside the data and the number of steps.

    Attributes:
        start: the net that the search starts from.
        children: of a step (Elsken 2017 and the paper: 8).
        changes: morphisms that make a child.
        start_epochs: that the start is trained for (the paper: 20).
        epochs: that a child is trained for (17, after Elsken; the paper's text also says ten).
        optimizer, learning_rate, final_rate, schedule: see `FitOptions`. The paper: SGD, from .05 to 0, by cosine.
        noise: see `change_net`.
        bounds: of size, cost and kinds of changes.
        seed: of weights, changes and order.

    Raises:
        UsageError: the start is beyond the bounds.
    """

    start: NetSpec
    children: int = 8
    changes: int = 1
    start_epochs: int = 20
    epochs: int = 17
    optimizer: str = "sgd"
    learning_rate: float = 0.05
    final_rate: float = 0.0
    schedule: str = "cosine"
    noise: float = 0.0
    bounds: Bounds = field(default_factory=Bounds)
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.bounds.hold(self.start):
            found = f"{self.start.parameters:,} weights, {self.start.multiplications:,} multiplications"
            raise UsageError(
                "the start is beyond the bounds of the search", found=found, remedy="give it larger bounds"
            )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Every value, for the plan."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        bounds = {name: getattr(self.bounds, name) for name in ("weights", "multiplications")}
        return values | {"start": spec_to_json(self.start), "bounds": bounds | {"kinds": list(self.bounds.kinds)}}


@dataclass(frozen=True)
class Budget:
    """How far to go: a later run in the same folder may go further.

    Attributes:
        steps: of the climb.
        final_epochs: that the best net is trained for at the end (the paper: up to 100); 0 for none.
    """

    steps: int = 60
    final_epochs: int = 100


@dataclass(frozen=True)
class Sources:
    """Batches ((float32[n, 1, window],), float32[n, 1, outputs]) of each part; training asks for epochs in order."""

    train: BatchSource
    validation: BatchSource
    test: BatchSource


@dataclass(frozen=True)
class _Later:
    """Batches that begin with those of a later epoch: a child does not see again what its parent saw."""

    source: BatchSource
    first: int

    def batches(self, epoch: int) -> Iterator[Any]:
        return self.source.batches(self.first + epoch)


def search(
    folder: SearchFolder, recipe: Recipe, budget: Budget, sources: Sources, progress: Progress, device: str = "cpu"
) -> Net:
    """Climb as far as the budget goes, on from what is in the folder; returns the best net.

    Args:
        folder: prepared for this recipe, and held by this process.
        recipe: what makes the tree.
        budget: how far.
        sources: the data.
        progress: told about every net.
        device: where to train.

    Raises:
        DataError: damaged records, or weights that are missing.
        TrackgenError: the start's error became NaN or infinite.
        ResourceError: the device was lost, or memory ran out.
    """
    climb = _Climb(folder, recipe, sources, progress, device)
    # a tree that is there already is not cut back: weights of its earlier nets are gone
    budget = replace(budget, steps=max(budget.steps, *climb.steps, 0))
    climb.begin(budget)
    for step in range(budget.steps + 1):
        if step not in climb.steps:
            climb.step(step)
    best = climb.last(budget)
    progress.finish()
    return best


class _Climb:
    """The moving parts of one call of `search`."""

    def __init__(self, folder: SearchFolder, recipe: Recipe, sources: Sources, progress: Progress, device: str) -> None:
        self.folder, self.recipe, self.sources = folder, recipe, sources
        self.progress, self.device = progress, device
        records = folder.records()
        self.nets = {record["net"]: record for record in records if record["kind"] == "net"}
        self.steps = {record["step"]: record for record in records if record["kind"] == "step"}

    def begin(self, budget: Budget) -> None:
        """Tell how much there is to do, and what is done."""
        recipe = self.recipe
        total = recipe.start_epochs + budget.steps * recipe.children * recipe.epochs + budget.final_epochs
        self.progress.start("search", total, "epochs")
        if self.nets:
            self.progress.note(f"going on after {len(self.nets)} nets, from {self.folder.records_file}")
        self.progress.advance(sum(len(record["history"]) for record in self.nets.values()))

    def step(self, step: int) -> None:
        """One step: its children, and the best of them and their parent. Step 0 is the start alone."""
        if not step:
            candidates = [self.nets.get("0.0") or self._start()]
            if candidates[0]["validation"] is None:
                raise TrackgenError("the training of the start diverged", remedy="lower the learning rate")
        else:
            parent = self.nets[self.steps[step - 1]["best"]]
            candidates = [parent, *self._children(step, parent)]
        # the parent comes first, and stays where no child is better
        best = min(candidates, key=lambda record: math.inf if record["validation"] is None else record["validation"])
        record = {
            "kind": "step", "step": step, "best": best["net"], "validation": best["validation"],
            "test": self._error(self._weights(best), self.sources.test),
        }  # fmt: skip
        self.folder.append(record)
        self.steps[step] = record
        self.folder.keep_weights([best["net"]])
        self.progress.note(
            f"step {step}: best is {best['net']} ({best['spec_text']}), validation {best['validation']:.5g}, "
            f"test {record['test']:.5g}"
        )

    def _children(self, step: int, parent: Mapping[str, Any]) -> list[dict[str, Any]]:
        recipe = self.recipe
        drawn = draw_children(
            spec_from_json(parent["spec"]), recipe.children, recipe.changes, recipe.bounds,
            np.random.default_rng([recipe.seed, step, DRAW]),
        )  # fmt: skip
        for child, changes in enumerate(drawn, start=1):
            if f"{step}.{child}" in self.nets:
                continue
            first = drawn.index(changes) + 1
            if first < child and all(change.kind != "wider" for change in changes):
                self._repeated(self.nets[f"{step}.{first}"], child)
            else:
                self._child(parent, step, child, changes)
        return [self.nets[f"{step}.{child}"] for child in range(1, recipe.children + 1)]

    def _start(self) -> dict[str, Any]:
        seed_everything(self.recipe.seed)
        net = Net.of(LayeredNet(self.recipe.start))
        return self._trained(net, {"net": "0.0", "step": 0, "child": 0, "parent": None, "changes": []})

    def _child(self, parent: Mapping[str, Any], step: int, child: int, changes: tuple[Change, ...]) -> None:
        net = self._weights(parent)
        random = np.random.default_rng([self.recipe.seed, step, APPLY, child])
        for change in changes:
            net = change_net(net, change, random, self.recipe.noise)
        told = {"net": f"{step}.{child}", "step": step, "child": child, "parent": parent["net"]}
        self._trained(net, told | {"changes": [change.to_json() for change in changes]})

    def _repeated(self, first: Mapping[str, Any], child: int) -> None:
        """A child that is what a sibling is: without copies to draw, its training would be the same, too."""
        record = {**first, "net": f"{first['step']}.{child}", "child": child, "same_as": first["net"], "seconds": 0.0}
        self.folder.append(record)
        self.nets[record["net"]] = record
        self.progress.advance(len(first["history"]))

    def last(self, budget: Budget) -> Net:
        """The best net, trained on where the budget has that, and better so."""
        best = self.nets[self.steps[budget.steps]["best"]]
        if not budget.final_epochs:
            return self._weights(best)
        name = f"final.{budget.steps}.{budget.final_epochs}"
        if name not in self.nets:
            told = {"net": name, "step": budget.steps, "child": 0, "parent": best["net"], "changes": []}
            self._trained(self._weights(best), told, budget.final_epochs)
        final = self.nets[name]
        if final["validation"] is None or final["validation"] >= best["validation"]:
            return self._weights(best)
        return self._weights(final)

    def _trained(self, net: Net, told: dict[str, Any], epochs: int | None = None) -> dict[str, Any]:
        """Train a net and keep it: its weights, then its record."""
        recipe, step = self.recipe, told["step"]
        epochs = epochs or (recipe.epochs if step else recipe.start_epochs)
        first = 0 if told["parent"] is None else recipe.start_epochs + (step - (told["child"] > 0)) * recipe.epochs
        options = FitOptions(
            epochs=epochs, patience=epochs, optimizer=recipe.optimizer, learning_rate=recipe.learning_rate,
            final_rate=recipe.final_rate, schedule=recipe.schedule, seed=recipe.seed, device=self.device,
        )  # fmt: skip
        module = net.build()
        # of all threads of the process: what else the machine does can't add much to it
        began = time.process_time()
        result = self._fit(module, options, _Later(self.sources.train, first))
        seconds = time.process_time() - began
        record = {"kind": "net", **told, **_figures(net.spec, result), "seconds": round(seconds, 2)}
        if record["validation"] is not None:
            self.folder.save_weights(told["net"], Net.of(module).weights)
        self.folder.append(record)
        self.nets[told["net"]] = record
        self.progress.advance(epochs)
        return record

    def _fit(self, module: LayeredNet, options: FitOptions, train: BatchSource) -> FitResult | None:
        """None where the error became NaN or infinite."""
        try:
            result = fit(module, functional.mse_loss, train, self.sources.validation, options)
        except TrackgenError as error:
            if type(error) is not TrackgenError:  # only a loss that is no number raises the base class
                raise
            return None
        whole = all(bool(value.isfinite().all()) for value in module.state_dict().values())
        return result if whole and math.isfinite(result.best) else None

    def _weights(self, record: Mapping[str, Any]) -> Net:
        return Net(spec_from_json(record["spec"]), self.folder.load_weights(record["net"]))

    def _error(self, net: Net, source: BatchSource) -> float:
        module = net.build().to(self.device)
        return float(functional.mse_loss(*predict_with_targets(module, source, self.device)))


def _figures(spec: NetSpec, result: FitResult | None) -> dict[str, Any]:
    """What a record says of a net; of one that diverged the errors are None and there is no history."""
    figures: dict[str, Any] = {
        "spec": spec_to_json(spec), "spec_text": str(spec), "parameters": spec.parameters,
        "multiplications": spec.multiplications, "train": None, "validation": None, "best_epoch": None, "history": [],
    }  # fmt: skip
    if result is None:
        return figures
    rows = [[float(f"{row[name]:.6g}") for name in ("train_loss", "loss")] for row in result.history]
    best = result.history[result.best_epoch]
    return figures | {
        "train": best["train_loss"], "validation": result.best, "best_epoch": result.best_epoch, "history": rows,
    }  # fmt: skip
