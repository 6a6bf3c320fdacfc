"""Contributions of random windows, before any genome is read: how large are deltas, and is the dense form true?

A run that found out after hours that its sums are rounded too roughly would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import ModelError, UsageError
from trackgen.graph import CompilerFault
from trackgen.runtime import open_session
from trackgen.scan.attribution_check import LEAST_LARGEST, TRACK_BAR, share_of_largest
from trackgen.scan.bars import allowed_differences
from trackgen.scan.contributions import ContributionSums, DenseExplainer
from trackgen.scan.explained_plan import Explanation, Planned, untuned
from trackgen.scan.explaining import WindowExplainer
from trackgen.scan.inputs import Stretch
from trackgen.scan.samples import random_inputs
from trackgen.scan.single_windows import WindowSums
from trackgen.scan.trial import LONGEST, ROOM

__all__ = ["try_explanation"]

Codes = NDArray[np.uint8]
Float64 = NDArray[np.float64]
WINDOWS = 32


class _Sample:
    """Neighbouring windows of random sequence, explained one by one."""

    def __init__(self, model: Planned, explanation: Explanation) -> None:
        self.model, self.explanation, self.card = model, explanation, explanation.card
        count = max(2, min(WINDOWS, LONGEST // model.stride))
        self.starts = np.arange(count, dtype=np.int64) * model.stride
        random = np.random.default_rng(0)
        length = int(self.starts[-1]) + self.card.window
        self.stretch, _ = random_inputs(self.card, length, random)
        self.references: Sequence[Codes] = ()
        if explanation.reference.live:
            self.references = [random.integers(0, 4, length).astype(np.uint8)]
        self.classes = np.array([slot.class_index for slot in explanation.slots], np.int64)
        self.outputs = [slot.output for slot in explanation.slots]
        self.windows = WindowSums(
            self.card,
            {output: self._explainer(output) for output in self.outputs},
            model.vectors,
            hypothetical=explanation.hypothetical,
        )

    def _explainer(self, output: int) -> WindowExplainer:
        explanation, spec = self.explanation, self.card.outputs[output]
        assert explanation.graph_attribution is not None
        target = explanation.profile_target if spec.resolution is not None else None
        return WindowExplainer(
            self.model.path, self.card, spec.name, attribution=explanation.graph_attribution, profile_target=target
        )

    def singly(self, weights: Float64, slots: Sequence[int]) -> ContributionSums:
        """The sums over the windows, each explained by itself."""
        return self.windows.run(
            self.stretch, self.starts, [self.outputs[slot] for slot in slots], self.classes[list(slots)], weights,
            reverse=False, references=self.references,
        )  # fmt: skip

    def densely(self, explanation: Explanation) -> ContributionSums:
        """The same by the graph of a tile, with the weights that it gives itself."""
        assert explanation.dense is not None
        data = explanation.dense.model.SerializeToString()
        session = open_session(data, device="cpu", threads=1, path_for_messages=self.model.path)
        explainer = DenseExplainer(self.card, explanation.dense, session, self.model.vectors)
        slots = list(explanation.dense_slots)
        weights: Float64 = np.ones((len(slots), len(self.starts)))
        return explainer.run(
            self.stretch, self.starts, [self.outputs[slot] for slot in slots], self.classes[slots], weights,
            reverse=False, references=self.references,
        )  # fmt: skip


def try_explanation(model: Planned, explanation: Explanation, device: str) -> Explanation:
    """The explanation with a form that rounds well enough, and the largest deltas seen.

    Raises:
        UsageError: an output is the same for every sequence, so that there is nothing to explain.
        NotExplained: an operator has no rule.
        ModelError: the graph can't be run.
    """
    _refuse_constant(explanation)
    if explanation.graph_attribution is None:
        return explanation
    sample = _Sample(model, explanation)
    every = range(len(explanation.slots))
    found = sample.singly(np.ones((len(every), len(sample.starts))), every)
    largest = np.abs(found.deltas).max(axis=1)
    explanation = replace(explanation, largest=tuple(largest.tolist()))
    return explanation if explanation.dense is None or device != "cpu" else _true_form(sample, explanation)


def _refuse_constant(explanation: Explanation) -> None:
    """Refuse what is certain to be constant. That random windows give what the reference gives is not: detectors of a
    rare motif do so."""
    for slot in explanation.slots:
        spec = explanation.card.outputs[slot.output]
        if spec.activation == "softmax" and len(spec.classes) == 1 and spec.resolution is None:
            raise UsageError(
                f"there is nothing to explain of class {spec.classes[0].name} of {explanation.card.name}",
                place="--contrib",
                found="a softmax over one class, which is constant: 1 for every sequence",
                wanted="an output that differs from sequence to sequence",
                remedy="leave the class out of --contrib, or export the model with a sigmoid or a second class",
            )


def _true_form(sample: _Sample, explanation: Explanation) -> Explanation:
    """The dense form as written for speed, else with plain sums, else windows."""
    share = float("inf")
    for form in _forms(sample, explanation):
        share = min(share, _share_of_bar(sample, form))
        if share <= ROOM:
            return form
    reason = f"{explanation.card.name} is explained window by window: sums over a tile differ by "
    reason += f"{share:.0%} of what a run may differ by" if share < 10 else "far more than a run may differ by"
    return replace(explanation, dense=None, dense_slots=(), most_windows=None, reason=reason)


def _forms(sample: _Sample, explanation: Explanation) -> Iterator[Explanation]:
    yield explanation
    if explanation.dense is not None and explanation.dense.tuned:
        yield untuned(sample.model.path, explanation, sample.model.stride, "cpu")


def _share_of_bar(sample: _Sample, explanation: Explanation) -> float:
    """The largest difference from windows one by one as a share of what is allowed; infinite where it can't run."""
    try:
        dense = sample.densely(explanation)
    except (ModelError, CompilerFault):
        return float("inf")
    wanted = sample.singly(dense.weights, explanation.dense_slots)
    shares = []
    for name, values in wanted.bases.items():
        for row, again, weights in zip(dense.bases[name], values, dense.weights, strict=True):
            largest = max(float(np.abs(again).max()), LEAST_LARGEST * float(weights.sum()))
            shares.append(share_of_largest(row, again, largest) / TRACK_BAR)
    if explanation.together:
        shares += _prediction_shares(sample.stretch, explanation.card, dense, sample)
    return max(share if np.isfinite(share) else float("inf") for share in shares)


def _prediction_shares(stretch: Stretch, card: Card, dense: ContributionSums, sample: _Sample) -> list[float]:
    """Of the predictions that the same graph gives."""
    one = sample.windows.explain(stretch, sample.starts, sample.outputs[0], int(sample.classes[0]), False)
    bars = allowed_differences(card.outputs, one.predictions)
    return [
        float(np.abs(found - wanted).max()) / bar
        for found, wanted, bar in zip(dense.predictions, one.predictions, bars, strict=True)
    ]
