"""The pieces that a sweep is made of, the order in which they are made, and which of them are left.

A search is one piece, each training another that waits for its search. Pieces are ordered by pair, those of the whole
sets before those of sets that are cut down; what is ready and comes first is made first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackgen.learn.sweep.plan import Plan, Recipe
from trackgen.learn.sweep.space import Setting, draw_settings

__all__ = ["Key", "Pair", "Piece", "draws_of", "key_of", "pairs_of", "steps_of"]

Key = tuple[str, int | None, str]
"""(set, bound sequences that it is cut down to or None, architecture)."""


@dataclass(frozen=True)
class Pair:
    """A data set, whole or cut down, and an architecture.

    Attributes:
        number: its place in the order.
        digest: of the whole set.
        positives: bound sequences that the training set is cut down to; None for the whole set.
        family: of the set's factor.
    """

    number: int
    set: str
    digest: str
    positives: int | None
    architecture: str
    family: str = ""

    @property
    def key(self) -> Key:
        """Which pair it is, whatever the order."""
        return (self.set, self.positives, self.architecture)

    @property
    def label(self) -> str:
        """For people, and for file names."""
        cut = "" if self.positives is None else f"-{self.positives}"
        return f"{self.set}{cut} {self.architecture}"


@dataclass(frozen=True)
class Piece:
    """One piece of work: a search (`seed` None), or a training with the setting that the search chose."""

    pair: Pair
    seed: int | None = None
    setting: Setting | None = None

    @property
    def rank(self) -> tuple[int, int]:
        """Pieces of a lower rank come first."""
        return (self.pair.number, -1 if self.seed is None else self.seed)


def key_of(record: Mapping[str, Any]) -> Key:
    """The pair that a record is of."""
    return (record["set"], record["fraction"], record["architecture"])


def pairs_of(plan: Plan, sets: Mapping[str, Mapping[str, Any]]) -> tuple[list[Pair], list[str]]:
    """The pairs of a plan in order, and sentences on what it can't do.

    Args:
        plan: what is wanted.
        sets: name -> ``digest`` and ``trainable``, the bound sequences outside the test part.
    """
    pairs: list[Pair] = []
    notes: list[str] = []
    for positives in (None, *sorted(set(plan.positives), reverse=True)):
        for name in plan.sets:
            trainable = sets[name]["trainable"]
            if positives is not None and positives > trainable:
                notes.append(f"{name} has {trainable:,} bound sequences to learn from: not cut down to {positives:,}")
                continue
            for architecture in plan.architectures:
                family = plan.families.get(name, "")
                pairs.append(Pair(len(pairs), name, sets[name]["digest"], positives, architecture, family))
    return pairs, notes


def draws_of(pair: Pair, recipe: Recipe) -> tuple[Setting, ...]:
    """The draws of a pair's search: a function of the recipe, the data and the architecture alone."""
    return draw_settings(recipe.draws, recipe.seed, pair.digest, pair.positives, pair.architecture)


def steps_of(pairs: Sequence[Pair], plan: Plan, searched: set[Key], trained: set[tuple[Key, int]]) -> int:
    """Mini-batches of all that is left."""
    recipe, steps = plan.recipe, 0
    for pair in pairs:
        if pair.key not in searched:
            steps += search_steps(pair, recipe)
        missing = [i for i in range(1, plan.seeds + 1) if (pair.key, recipe.seed + i) not in trained]
        steps += len(missing) * recipe.train_steps
    return steps


def search_steps(pair: Pair, recipe: Recipe) -> int:
    """Mini-batches of a search: draws that are the same are trained once."""
    return len(set(draws_of(pair, recipe))) * recipe.search_steps
