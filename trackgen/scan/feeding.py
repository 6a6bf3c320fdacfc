"""What goes into a tile graph and what comes out of it, for a run of windows: dense mode and dense contributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec, OutputSpec
from trackgen.genome import UNKNOWN, reverse_complement
from trackgen.graph import Form, TileInput
from trackgen.scan.inputs import Stretch, stretch_points, vector_values

__all__ = ["TileFeed", "TileGraph", "fill"]

Float32 = NDArray[np.float32]


class TileGraph(Protocol):
    """A compiled graph over a tile."""

    @property
    def window(self) -> int:
        """L, bp."""

    @property
    def stride(self) -> int:
        """Bases between windows."""

    @property
    def inputs(self) -> tuple[TileInput, ...]:
        """Inputs that the genome and the vectors fill."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """Of each output of the card."""


class TileFeed:
    """Fills the inputs of a tile graph and reads its predictions.

    Args:
        card: the model's card.
        graph: the tile graph.
        vectors: the values of vector inputs, (length,) each; the card's default where a name is absent.
    """

    def __init__(self, card: Card, graph: TileGraph, vectors: Mapping[str, Float32]) -> None:
        self._card, self._graph, self._vectors = card, graph, vectors
        self._specs = {spec.name: spec for spec in card.inputs}

    def inputs(self, stretch: Stretch, count: int, filled: int, *, reverse: bool) -> dict[str, NDArray[np.generic]]:
        """All inputs for `count` windows, the first of which begins with the stretch, filled up for `filled`."""
        return {entry.name: self._input(entry, stretch, count, filled, reverse) for entry in self._graph.inputs}

    def codes(self, codes: NDArray[np.uint8], filled: int, *, reverse: bool) -> NDArray[np.generic]:
        """A sequence as the graph reads it, filled up for `filled` windows: (1, T)."""
        codes = reverse_complement(codes) if reverse else codes
        return fill(codes, (filled - 1) * self._graph.stride + self._graph.window, UNKNOWN)[None]

    def points(self, entry: TileInput, count: int) -> int:
        """Points of a signal that `count` windows read."""
        reach = (self._graph.window // entry.resolution - 1) * entry.resolution // entry.step + 1
        return (count - 1) * self._graph.stride // entry.step + reach

    def _input(self, entry: TileInput, stretch: Stretch, count: int, filled: int, reverse: bool) -> NDArray[np.generic]:
        if entry.kind == "vector":
            spec = self._spec(entry)
            return self._vectors.get(spec.name, vector_values(spec))[None]
        if entry.kind == "codes":
            return self.codes(stretch.codes, filled, reverse=reverse)
        points = stretch_points(self._spec(entry), stretch, 0, entry.step, self.points(entry, count))
        points = points[:, ::-1] if reverse else points
        return np.ascontiguousarray(fill(points, self.points(entry, filled), 0)[None])

    def _spec(self, entry: TileInput) -> InputSpec:
        assert entry.card_input is not None
        return self._specs[entry.card_input]

    def predictions(self, results: list[Float32], count: int, filled: int, *, reverse: bool) -> list[Float32]:
        """The card's outputs of a run, per window: (count, K), or (count, K, M) for a profile."""
        values = [
            self._by_window(result, form, spec, filled)[:count]
            for result, form, spec in zip(results, self._graph.forms, self._card.outputs, strict=True)
        ]
        # On the reverse complement the last window comes first.
        return [value[::-1] for value in values] if reverse else values

    def _by_window(self, result: Float32, form: Form, spec: OutputSpec, filled: int) -> Float32:
        if form == "windows":
            return np.asarray(result[0].T)
        if form == "profiles":
            return np.asarray(result[0].transpose(2, 0, 1))
        assert spec.resolution is not None
        length = self._card.bin // spec.resolution
        views = np.lib.stride_tricks.sliding_window_view(result[0], length, axis=1)  # (K, positions, M)
        return views[:, :: self._graph.stride // spec.resolution].transpose(1, 0, 2)[:filled]


def fill(values: NDArray[Any], length: int, filling: int) -> NDArray[Any]:
    """`values` with the last axis filled up to `length`."""
    missing = length - values.shape[-1]
    if missing <= 0:
        return values
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, missing)], constant_values=filling)
