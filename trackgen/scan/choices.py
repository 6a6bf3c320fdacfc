"""Choices that an earlier plan made by itself, taken over by whoever goes on with it.

The last digit of a value may depend on them, so a node with another device, or another version of the machine that
chooses, computes what the plan says and not what it would have chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from trackgen.card import Card, load_model
from trackgen.graph import compile_dense
from trackgen.scan.modes import Asked, Mode

__all__ = ["Choices"]


class Planned(Protocol):
    """A model of the new plan."""

    @property
    def card(self) -> Card:
        """What it says of itself."""

    @property
    def sha256(self) -> str:
        """Of its file."""


class Choices:
    """The choices of an earlier plan; empty where there is none.

    Args:
        settled: a plan's summary, with the bases of a shard and the largest values seen where those are known.
    """

    def __init__(self, settled: Mapping[str, Any]) -> None:
        self._settled = settled
        rows = settled.get("models")
        entries = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        self._models = {str(row.get("name")): row for row in entries}

    def mode(self, path: Path, card: Card, sha256: str, stride: int, asked: Asked, device: str) -> Mode | None:
        """How the earlier plan ran this very model at this stride; None where it did not, or where `asked` differs.

        Raises:
            NotDense, ModelError: it ran densely, and can't any more.
        """
        row = self._models.get(card.name)
        if row is None or row.get("sha256") != sha256 or row.get("stride") != stride:
            return None
        name = row.get("mode")
        if name not in ("dense", "window") or asked not in ("auto", name):
            return None
        if name == "window":
            return Mode(None)
        compiled = compile_dense(load_model(path), card, stride, device, tuned=bool(row.get("tuned")))
        largest = self._settled.get("largest") or {}
        return Mode(compiled, largest=tuple(largest.get(card.name) or ()))

    def most_windows(self, card: Card) -> int | None:
        """The most windows of one run of a model."""
        most: int | None = self._models[card.name].get("most_windows")
        return most

    def contributions(self, card: Card) -> Mapping[str, Any] | None:
        """How the earlier plan explained a model, its `Explanation.summary`; None where it did not."""
        row = self._models.get(card.name, {}).get("contributions")
        return row if isinstance(row, dict) else None

    def largest_deltas(self, card: Card) -> tuple[float, ...]:
        """The largest deltas that were seen while the earlier plan was made, where those are known."""
        found = self._settled.get("largest_deltas") or {}
        return tuple(found.get(card.name) or ())

    def tile(self, models: Sequence[Planned]) -> int | None:
        """Bases of a tile, where the models are the same."""
        files = {model.card.name: model.sha256 for model in models}
        if not self._models or files != {name: row.get("sha256") for name, row in self._models.items()}:
            return None
        tile: int | None = self._settled.get("tile")
        return tile

    def shard(self, models: Sequence[Planned], tile: int) -> int | None:
        """Bases of a shard, where models and tiles are the same."""
        shard: int | None = self._settled.get("shard") if self.tile(models) == tile else None
        return shard
