"""What contribution graphs give on windows and on tiles, beside the oracle's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from tests.graph.contribution_oracle import Explained, constant_reference, explain_window
from tests.graph.dense_oracle import Sample, on_runtime, tile_feed, window_feed
from trackgen.card import Card, InputSpec
from trackgen.graph import ContributionGraph

__all__ = ["LIVE", "Case", "by_input", "run_tile", "run_windows", "wanted_of_tile", "wanted_of_windows"]

LIVE = "reference."


@dataclass(frozen=True)
class Case:
    """What is explained.

    Attributes:
        reference: None for the card's, else the sample that is one.
    """

    model: onnx.ModelProto
    card: Card
    output: str
    class_index: int
    profile_target: str | int | None = None
    reference: Sample | None = None
    gradient: bool = False
    wrong_rule: str | None = None

    def explain(self, sample: Sample, starts: list[int]) -> Explained:
        """The oracle's numbers of windows that begin at `starts`."""
        feed = window_feed(self.card, sample, starts)
        reference = constant_reference(self.card, feed)
        if self.reference is not None:
            live = window_feed(self.card, self.reference, starts)
            reference = {name: self._sequence_only(name, live[name], reference[name]) for name in feed}
        return explain_window(
            self.model, self.card, self.output, self.class_index, feed, reference,
            constant_reference=self.reference is None, profile_target=self.profile_target,
            gradient=self.gradient, wrong_rule=self.wrong_rule,
        )  # fmt: skip

    def _sequence_only(self, name: str, live: np.ndarray, constant: np.ndarray) -> np.ndarray:
        """A live reference of sequences; signals and vectors keep their constant one."""
        members = dict(self.card.tensors)[name]
        if members[0].kind == "vector":
            return constant
        made, low = np.array(constant, np.float64), 0
        axis = 2 if any(spec.layout == "NLC" for spec in members) else 1
        for spec in members:
            high = low + _channels(spec)
            if spec.kind == "sequence":
                index = (slice(None),) * axis + (slice(low, high),)
                made[index] = live[index]
            low = high
        return made


def by_input(card: Card, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Per tensor (N, C, n) -> "" for all sequences and a name for every other input: (N, n), or (N, length)."""
    found: dict[str, np.ndarray] = {}
    for tensor, members in card.tensors:
        whole, low = values[tensor], 0
        for spec in members:
            high = low + _channels(spec)
            if spec.kind == "vector":
                found[spec.name] = whole[:, low:high]
            elif any(entry.layout == "NLC" for entry in members):
                part = whole[:, :, low:high].sum(axis=2)
            else:
                part = whole[:, low:high].sum(axis=1)
            if spec.kind == "sequence":
                found[""] = found.get("", 0.0) + part
            elif spec.kind == "signal":
                found[spec.name] = part
            low = high
    return found


def _channels(spec: InputSpec) -> int:
    if spec.kind == "vector":
        return spec.length
    return 4 if spec.kind == "sequence" else max(1, len(spec.channels))


def run_windows(case: Case, graph: ContributionGraph, sample: Sample, starts: list[int]) -> dict[str, np.ndarray]:
    """Every output of a window graph."""
    feed = window_feed(case.card, sample, starts)
    if graph.live:
        assert case.reference is not None
        live, constant = window_feed(case.card, case.reference, starts), constant_reference(case.card, feed)
        for name in list(live):
            feed[LIVE + name] = case._sequence_only(name, live[name], constant[name]).astype(np.float32)
    feed["classes"] = np.full(len(starts), case.class_index, np.int64)
    names = [entry.name for entry in graph.model.graph.output]
    given = {entry.name for entry in graph.model.graph.input}
    values = on_runtime(graph.model)({name: value for name, value in feed.items() if name in given}, names)
    return dict(zip(names, values, strict=True))


def wanted_of_windows(case: Case, sample: Sample, starts: list[int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The oracle's contributions by input, and deltas."""
    explained = case.explain(sample, starts)
    return by_input(case.card, explained.contributions), explained.delta


def run_tile(
    case: Case, graph: ContributionGraph, sample: Sample, first: int, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Every output of a dense graph with one slot."""
    feed = tile_feed(case.card, sample, first, len(weights), graph.stride)
    if graph.live:
        assert case.reference is not None
        live = tile_feed(case.card, case.reference, first, len(weights), graph.stride)
        if "codes" in live:
            feed[LIVE + "codes"] = live["codes"]
    feed["classes"] = np.array([case.class_index], np.int64)
    feed["weights"] = weights[None].astype(np.float32)
    names = [entry.name for entry in graph.model.graph.output]
    given = {entry.name for entry in graph.model.graph.input}
    values = on_runtime(graph.model)({name: value for name, value in feed.items() if name in given}, names)
    return dict(zip(names, values, strict=True))


def wanted_of_tile(
    case: Case, graph: ContributionGraph, sample: Sample, first: int, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """The oracle's contributions, weighted and added up where they lie on the tile."""
    stride, window = graph.stride, case.card.window
    starts = [first + number * stride for number in range(len(weights))]
    single, deltas = wanted_of_windows(case, sample, starts)
    total = {"deltas": deltas}
    if "" in single:
        total[""] = np.zeros((len(weights) - 1) * stride + window)
    for number, weight in enumerate(weights if "" in single else ()):
        total[""][number * stride : number * stride + window] += weight * single[""][number]
    for entry in graph.inputs:
        if entry.kind != "signal":
            continue
        assert entry.card_input is not None
        ratio, elements = entry.resolution // entry.step, window // entry.resolution
        points = np.zeros((len(weights) - 1) * stride // entry.step + (elements - 1) * ratio + 1)
        for number, weight in enumerate(weights):
            low = number * stride // entry.step
            points[low : low + (elements - 1) * ratio + 1 : ratio] += weight * single[entry.card_input][number]
        total[entry.card_input] = points
    return total
