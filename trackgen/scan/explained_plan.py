"""How the classes of one model are explained: by which graph, against what, with which weights. Part of the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, load_model
from trackgen.errors import ModelError
from trackgen.graph import CompilerFault, ContributionGraph, DenseModel, NotDense, compile_dense_contributions
from trackgen.scan.dense_occlusion import DenseTargets, can_be_blanked, compile_targets
from trackgen.scan.modes import Mode, choose_run
from trackgen.scan.options import Attribution, ScanOptions
from trackgen.scan.references import ReferencePlan
from trackgen.scan.slots import Slot, profile_target_of
from trackgen.scan.tracks import base_of, explained_inputs

__all__ = ["ROUNDING", "Explanation", "ProfileTarget", "plan_explanation"]

Float32 = NDArray[np.float32]
ProfileTarget = str | int | None

NO_GRAPH = ("occlusion", "substitution")
"""Attributions that run the model itself, again and again, on changed genomes or windows."""
MANY_DOUBLINGS = 5
"""From maxima over more than 16 elements on, runs half as long as predictions' took three quarters of the time."""
RUN_FACTOR = 2
"""Times the windows of a run of predictions: what a run reads twice at its ends is gone over there and back."""
MOST_SLOTS = 8
"""Of one output in one graph: each is a way back of its own, and graphs of thousands of nodes take minutes to load."""
BLOCK_OF_WINDOWS = 4
"""Predictions that calls are chosen from are run in blocks as long as so many windows, at least..."""
SMALLEST_BLOCK = 2048
"""... or so many bases."""
ROUNDING = 16 * float(np.finfo(np.float32).eps)
"""Deltas of logits up to so much may be nothing but rounding: a few of the last digits of a logit of about 1."""


@dataclass(frozen=True)
class Explanation:
    """How a model is explained.

    Attributes:
        slots: the explained classes.
        inputs: what has tracks, as `explained_inputs` names it.
        card: the model's, with the reference of this run.
        profile_target: what of profiles is explained; None where no slot is one.
        distance: bp between bins within which only the largest window is a call.
        dense: the graph of a tile; None where windows are explained one by one.
        repeated: the tile graph that is run on changed bases, for attributions without a graph of their own; None
            where windows are changed one by one.
        dense_slots: the slots that either explains, in its order; empty where there is neither.
        most_windows: of one run of it; None for whole tiles.
        reason: why windows one by one, a sentence for the user; empty where dense or where nobody expects it.
        largest: per slot the largest absolute delta of the windows tried before the run; empty for none.
        block: windows of a block of predictions that weights are taken from.
    """

    slots: tuple[Slot, ...]
    inputs: tuple[str | None, ...]
    card: Card
    reference: ReferencePlan
    attribution: Attribution
    profile_target: ProfileTarget
    distance: int
    dense: ContributionGraph | None = None
    repeated: DenseTargets | None = None
    dense_slots: tuple[int, ...] = ()
    most_windows: int | None = None
    reason: str = ""
    largest: tuple[float, ...] = ()
    block: int = 1

    @property
    def classes(self) -> tuple[tuple[int, int], ...]:
        """(output, class) of each slot."""
        return tuple((slot.output, slot.class_index) for slot in self.slots)

    @property
    def hypothetical(self) -> bool:
        """Whether there are tracks of what each base would contribute."""
        return any(base_of(name) for name in self.inputs)

    @property
    def graph_attribution(self) -> Literal["deeplift", "gradient"] | None:
        """What the graphs compute; None where the model itself is run."""
        if self.attribution in NO_GRAPH:
            return None
        return "deeplift" if self.attribution == "deeplift" else "gradient"

    @property
    def together(self) -> bool:
        """Whether the dense graph gives the predictions, too."""
        return self.dense is not None and _together(self.card, self.slots)

    @property
    def notes(self) -> list[str]:
        """What a user should know of it before the run."""
        notes = [self.reason] if self.reason else []
        for slot, delta in zip(self.slots, self.largest, strict=False):
            if delta <= ROUNDING:
                name = self.card.outputs[slot.output].classes[slot.class_index].name
                size = f"no more than rounding, {delta:.1g}" if delta else "nothing"
                notes.append(
                    f"random windows differ from the reference by {size}: class {name} of {self.card.name} either "
                    "answers to something rare, or hardly to anything; else choose another --reference"
                )
        return notes

    @property
    def weighed(self) -> tuple[int, ...]:
        """The slots whose windows are weighted by what the model predicts of them."""
        return tuple(number for number, slot in enumerate(self.slots) if slot.weight != "uniform")

    def calls_reach(self, stride: int) -> int:
        """Windows on each side that a call has to be larger than; 0 where no slot has calls."""
        return self.distance // stride if any(slot.weight == "calls" for slot in self.slots) else 0

    def summary(self) -> dict[str, Any]:
        """All that can change a value, JSON-ready."""
        row = {
            "classes": [self._slot_row(slot) for slot in self.slots],
            "reference": self.reference.summary(self.card),
            "attribution": self.attribution,
            "profile_target": self.profile_target,
            "distance": self.distance,
            "form": "dense" if self.dense_slots else "windows",
            "tuned": bool(self.dense and self.dense.tuned),
            "most_windows": self.most_windows,
            "block": self.block,
        }
        return row | {"hypothetical": True} if self.hypothetical else row

    def _slot_row(self, slot: Slot) -> list[Any]:
        name = self.card.outputs[slot.output].classes[slot.class_index].name
        return [name, slot.weight] if slot.threshold is None else [name, slot.weight, slot.threshold]


def _together(card: Card, slots: Sequence[Slot]) -> bool:
    """Whether one run of a dense graph can weigh all windows by itself."""
    kinds = {slot.weight for slot in slots}
    # The weight of a window that is read both ways is the mean of both readings' probabilities.
    return kinds == {"uniform"} or (kinds == {"probability"} and card.strands != "average")


class Planned(Protocol):
    """A model of the plan that is being made."""

    @property
    def path(self) -> Path:
        """Its file."""

    @property
    def card(self) -> Card:
        """What it says of itself."""

    @property
    def stride(self) -> int:
        """Bases between windows."""

    @property
    def mode(self) -> Mode:
        """How its predictions are run."""

    @property
    def vectors(self) -> Mapping[str, Float32]:
        """The values of vector inputs."""


def plan_explanation(
    model: Planned,
    slots: tuple[Slot, ...],
    reference: ReferencePlan,
    options: ScanOptions,
    device: str,
    settled: Mapping[str, Any] | None = None,
) -> Explanation:
    """Compile what explains a model.

    Args:
        slots: the explained classes, at least one.
        device: ``cpu`` or ``cuda``.
        settled: the `Explanation.summary` of a run that this one goes on with: its form is taken over.

    Raises:
        NotExplained: a node without a rule.
        ModelError: a broken model.
    """
    path, card, stride, mode = model.path, model.card, model.stride, model.mode
    profiles = [card.outputs[slot.output] for slot in slots if card.outputs[slot.output].resolution is not None]
    target = profile_target_of(card, profiles[0], options.profile_target) if profiles else None
    inputs = explained_inputs(card, hypothetical=options.hypothetical_tracks)
    plain = Explanation(
        slots, inputs, reference.on_card(card), reference, options.attribution, target, card.contributions.distance
    )
    bases = max(SMALLEST_BLOCK, BLOCK_OF_WINDOWS * card.window)
    plain = dataclasses.replace(plain, block=max(1, bases // stride))
    dense_slots = tuple(number for number, slot in enumerate(slots) if slot.weight != "calls")
    form = settled.get("form") if settled else None
    if form == "windows" or not dense_slots or options.centred or options.attribution == "saliency":
        return plain
    if mode.dense is None:
        return plain  # its reason is told for the predictions already
    if options.attribution in NO_GRAPH:
        return _repeated(path, plain, stride, dense_slots, device, settled)
    tuned = bool(settled.get("tuned")) if settled else True
    try:
        graph = _compile(path, plain, stride, dense_slots, device, tuned)
    except (NotDense, CompilerFault) as error:
        return dataclasses.replace(plain, reason=f"{card.name} is explained window by window: {error.why}")
    except ModelError as error:
        raise error.in_file(path) from None
    most = settled.get("most_windows") if settled else _longest_run(mode.dense, graph, device)
    return dataclasses.replace(plain, dense=graph, dense_slots=dense_slots, most_windows=most)


def _longest_run(predictions: DenseModel, graph: ContributionGraph, device: str) -> int | None:
    """Most windows of one run: more than of predictions, but where long maxima keep a mask of each doubling."""
    most = choose_run(predictions, device)
    doublings = sum(node.op_type == "GreaterOrEqual" for node in graph.model.graph.node)
    return most and (RUN_FACTOR * most if doublings < MANY_DOUBLINGS else max(1, most // 2))


def _repeated(
    path: Path,
    plain: Explanation,
    stride: int,
    dense_slots: tuple[int, ...],
    device: str,
    settled: Mapping[str, Any] | None,
) -> Explanation:
    """The explanation by passes over changed genomes, where the model can be run so."""
    if not can_be_blanked(plain.card):
        return plain
    outputs = [plain.slots[number].output for number in dense_slots]
    try:
        targets = compile_targets(path, plain.card, stride, outputs, plain.profile_target, device)
    except (NotDense, CompilerFault) as error:
        return dataclasses.replace(plain, reason=f"{plain.card.name} is explained window by window: {error.why}")
    except ModelError as error:
        raise error.in_file(path) from None
    most = settled.get("most_windows") if settled else choose_run(targets.compiled, device)
    return dataclasses.replace(plain, repeated=targets, dense_slots=dense_slots, most_windows=most)


def _compile(
    path: Path, plain: Explanation, stride: int, dense_slots: Sequence[int], device: str, tuned: bool
) -> ContributionGraph:
    assert plain.graph_attribution is not None
    weighted = _together(plain.card, plain.slots) and plain.slots[0].weight == "probability"
    return compile_dense_contributions(
        load_model(path),
        plain.card,
        stride,
        _graph_slots([plain.card.outputs[plain.slots[number].output].name for number in dense_slots]),
        live=plain.reference.live,
        weighted=weighted,
        attribution=plain.graph_attribution,
        profile_target=plain.profile_target,
        hypothetical=plain.hypothetical,
        device=device,
        tuned=tuned,
    )


def _graph_slots(outputs: Sequence[str]) -> list[str]:
    """Slots of a graph: a few of each output serve any number of classes, one run after another."""
    return [name for name in dict.fromkeys(outputs) for _ in range(min(outputs.count(name), MOST_SLOTS))]


def untuned(path: Path, explanation: Explanation, stride: int, device: str) -> Explanation:
    """The same with plain sums in its graph."""
    graph = _compile(path, explanation, stride, explanation.dense_slots, device, tuned=False)
    return dataclasses.replace(explanation, dense=graph)
