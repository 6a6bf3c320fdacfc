"""What contribution graphs give on windows and on tiles, beside the oracle's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from tests.graph.contribution_oracle import Explained, constant_reference, explain_window
from tests.graph.contribution_ties import undetermined
from tests.graph.dense_oracle import Sample, on_runtime, tile_feed, window_feed
from trackgen.card import Card, InputSpec
from trackgen.graph import ContributionGraph

__all__ = [
    "LIVE",
    "Case",
    "Truth",
    "assert_tile",
    "assert_windows",
    "by_input",
    "run_tile",
    "run_windows",
    "wanted_of_tile",
    "wanted_of_windows",
]

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

    def feeds(self, sample: Sample, starts: Sequence[int]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Windows that begin at `starts`, and their reference."""
        feed = window_feed(self.card, sample, starts)
        reference = constant_reference(self.card, feed)
        if self.reference is not None:
            live = window_feed(self.card, self.reference, starts)
            reference = {name: self._sequence_only(name, live[name], reference[name]) for name in feed}
        return feed, reference

    def explain(self, sample: Sample, starts: Sequence[int]) -> Explained:
        """The oracle's numbers of windows that begin at `starts`."""
        return explain_window(
            self.model, self.card, self.output, self.class_index, *self.feeds(sample, starts),
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


def run_windows(case: Case, graph: ContributionGraph, sample: Sample, starts: Sequence[int]) -> dict[str, np.ndarray]:
    """Every output of a window graph."""
    feed, reference = case.feeds(sample, starts)
    if graph.live:
        assert case.reference is not None
        feed |= {LIVE + name: value.astype(np.float32) for name, value in reference.items()}
    feed["classes"] = np.full(len(starts), case.class_index, np.int64)
    names = [entry.name for entry in graph.model.graph.output]
    given = {entry.name for entry in graph.model.graph.input}
    values = on_runtime(graph.model)({name: value for name, value in feed.items() if name in given}, names)
    return dict(zip(names, values, strict=True))


def wanted_of_windows(case: Case, sample: Sample, starts: Sequence[int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
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
    starts = [first + number * graph.stride for number in range(len(weights))]
    single, deltas = wanted_of_windows(case, sample, starts)
    return {"deltas": deltas, **added_up(case, graph, single, weights)}


def added_up(
    case: Case, graph: ContributionGraph, single: Mapping[str, np.ndarray], weights: np.ndarray
) -> dict[str, np.ndarray]:
    """What each window gives, by input, times its weight, where it lies on the tile; vectors are left out."""
    stride, window = graph.stride, case.card.window
    total = {}
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


@dataclass(frozen=True)
class Truth:
    """What the oracle says of windows that begin at `starts`.

    Attributes:
        hanging: by input, which contributions hang on a difference that float32 can't tell.
    """

    case: Case
    sample: Sample
    starts: Sequence[int]
    explained: Explained
    hanging: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, case: Case, sample: Sample, starts: Sequence[int]) -> Truth:
        """Raises `Refused` where a node has no rule."""
        explained = case.explain(sample, starts)
        found = undetermined(
            case.model, case.card, case.output, case.class_index, *case.feeds(sample, starts),
            explained.contributions, constant_reference=case.reference is None, profile_target=case.profile_target,
            gradient=case.gradient,
        )  # fmt: skip
        counted = by_input(case.card, {name: 1.0 * entry for name, entry in found.items()})
        return cls(case, sample, starts, explained, {name: entry > 0 for name, entry in counted.items()})

    @property
    def contributions(self) -> dict[str, np.ndarray]:
        return by_input(self.case.card, self.explained.contributions)

    @property
    def share_hanging(self) -> float:
        return float(np.mean(np.concatenate([entry.ravel() for entry in self.hanging.values()])))


def assert_windows(truth: Truth, graph: ContributionGraph, *, within: float, sums: float | None) -> None:
    """Hold a window graph against the oracle.

    Args:
        within: of the largest contribution.
        sums: what the contributions of a window may sum up to beside its delta, of the largest delta; None where
            they are not the same.
    """
    wanted, made = truth.contributions, run_windows(truth.case, graph, truth.sample, truth.starts)
    found = {name: made[f"contributions.{name}" if name else "contributions"] for name in wanted}
    assert set(graph.explained) == set(wanted) - {""}
    assert_close(found, wanted, truth.hanging, within)
    assert_deltas(made["deltas"], truth.explained)
    if sums is not None:
        off = np.abs(sum(part.sum(axis=1, dtype=np.float64) for part in found.values()) - made["deltas"]).max()
        bound = sums * np.abs(made["deltas"]).max() + _rounding(truth.explained)
        assert off <= bound, f"contributions sum to {off:.3g} beside their delta, allowed {bound:.3g}"


def assert_tile(truth: Truth, graph: ContributionGraph, weights: np.ndarray, *, within: float) -> None:
    """Hold a dense graph of one slot against the weighted sum of the oracle's windows, a stride apart."""
    case = truth.case
    hanging = added_up(case, graph, truth.hanging, np.sign(weights))
    wanted = added_up(case, graph, truth.contributions, weights)
    made = run_tile(case, graph, truth.sample, truth.starts[0], weights)
    found = {name: made[f"contributions.0.{name}" if name else "contributions.0"] for name in wanted}
    assert set(graph.explained) == set(wanted) - {""}
    assert_close(found, wanted, {name: value > 0 for name, value in hanging.items()}, within)
    assert_deltas(made["deltas.0"], truth.explained)
    assert np.array_equal(made["weights.0"], weights.astype(np.float32))


NOTHING = 1e-7
"""A digit of float32 of a number of order 1, as logits are: what is left where multipliers of classes cancel."""


def assert_close(
    found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], hanging: Mapping[str, np.ndarray], within: float
) -> None:
    """Equal but for what hangs on a choice, `within` of the largest of all inputs."""
    bound = within * max(float(np.abs(entry).max(initial=0)) for entry in wanted.values()) + NOTHING
    for name, value in wanted.items():
        assert found[name].shape == value.shape, (name, found[name].shape, value.shape)
        assert np.isfinite(found[name]).all()
        off = np.where(hanging[name], 0, np.abs(found[name] - value))
        worst = np.unravel_index(off.argmax(), off.shape)
        assert off[worst] <= bound, (
            f"contributions of {name or 'the sequence'} differ by {off[worst]:.3g}, allowed {bound:.3g}, "
            f"at {worst}: {found[name][worst]:.6g} for {value[worst]:.6g}"
        )


def assert_deltas(found: np.ndarray, explained: Explained) -> None:
    """Forward numbers, as float32 has them."""
    off = np.abs(found - explained.delta).max()
    bound = 1e-4 * np.abs(explained.delta).max() + _rounding(explained)
    assert off <= bound, f"deltas differ by {off:.3g}, allowed {bound:.3g}"


def _rounding(explained: Explained) -> float:
    """What is left of a delta far smaller than what it is the difference of: float32 knows each to some 1e-7."""
    parts = sum(np.abs(entry).reshape(len(entry), -1).sum(axis=1) for entry in explained.contributions.values())
    return NOTHING + 2e-6 * float(np.maximum(parts, np.abs(explained.target)).max())
