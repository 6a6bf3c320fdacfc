"""Contributions without rules: what a window loses without each of its elements. Any model that runs can be asked.

``occlusion``: a base is replaced by zeros, an element of a signal by its reference; ``substitution``: a base by the
worst of the three others. A value is the explained scalar of the window less that of the changed window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec, load_model
from trackgen.errors import ModelError
from trackgen.graph.deeplift.target import add_targets
from trackgen.runtime import open_session
from trackgen.scan.explaining import ExplainedWindows, ProfileTarget
from trackgen.scan.halving import run_or_halve
from trackgen.scan.telling import TellShare, tell_nobody
from trackgen.scan.windows import default_batch_size

__all__ = ["Occlusion"]

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]


class _Place(NamedTuple):
    """Where an input of the card stands in its tensor: channels [first, first + size) on `axis`."""

    tensor: str
    axis: int
    first: int
    size: int

    def element(self, values: Float32, position: int) -> Float32:
        """A view of one position of all windows: (N, size)."""
        channels = slice(self.first, self.first + self.size)
        return values[:, channels, position] if self.axis == 1 else values[:, position, channels]


class Occlusion:
    """Explains windows by running them changed, one change at a time: L times, or 3 L times.

    Args:
        path: the model's file.
        card: its card.
        output: the name of the output.
        kind: what is done to bases.
        profile_target: for a profile: ``sum``, ``centre`` or a position.
        device, threads: as for `open_session`.
        batch_size: windows run at a time; chosen by the window where None, halved by itself when memory runs out.
        tell: called with a sentence when the batch size was halved.
    """

    def __init__(
        self,
        path: Path,
        card: Card,
        output: str,
        kind: Literal["occlusion", "substitution"],
        *,
        profile_target: ProfileTarget = None,
        device: str = "cpu",
        threads: int = 1,
        batch_size: int | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._card, self._kind, self._tell = card, kind, tell
        try:
            model, _, targets = add_targets(load_model(path), card, [output], profile_target)
        except ModelError as error:
            raise error.in_file(path) from None
        self._target = targets[output]
        self._session = open_session(model.SerializeToString(), device=device, threads=threads, path_for_messages=path)
        self.batch_size = batch_size or default_batch_size(card)
        self._places = {entry.name: _place(card, entry) for entry in card.inputs if entry.kind != "vector"}

    def run(
        self,
        inputs: Mapping[str, Float32],
        classes: Int64,
        reference: Mapping[str, Float32] | None = None,
        *,
        multipliers: bool = False,
        tell_share: TellShare = tell_nobody,
    ) -> ExplainedWindows:
        """Explain N windows; there are neither references nor multipliers, and deltas are not known."""
        tensors = {name: np.asarray(values, np.float32) for name, values in inputs.items()}
        sequences = [entry for entry in self._card.inputs if entry.kind == "sequence"]
        jobs: list[tuple[str, Sequence[InputSpec]]] = [(sequences[0].name, sequences)] if sequences else []
        jobs += [(entry.name, [entry]) for entry in self._card.inputs if entry.kind == "signal"]
        found = {name: np.zeros((len(classes), self._length(entries[0])), np.float32) for name, entries in jobs}
        predictions = []
        for window in range(len(classes)):
            one = {name: values[window : window + 1] for name, values in tensors.items()}
            own, results = self._scalars(one, int(classes[window]))
            predictions.append(results)
            for name, entries in jobs:
                found[name][window] = self._losses(one, entries, int(classes[window]), float(own[0]))
            tell_share(1 / len(classes))
        joined = [np.concatenate(values) for values in zip(*predictions, strict=True)]
        return ExplainedWindows({}, found, np.full(len(classes), np.nan, np.float32), joined)

    def _length(self, entry: InputSpec) -> int:
        return self._card.window // entry.resolution

    def _losses(self, one: Mapping[str, Float32], entries: Sequence[InputSpec], index: int, own: float) -> Float32:
        """What one window loses at each element of an input: (elements,)."""
        length = self._length(entries[0])
        losses = np.full(length, -np.inf)
        for choice in self._choices(one, entries):
            for begin in range(0, length, self.batch_size):
                positions = range(begin, min(begin + self.batch_size, length))
                changed = {name: np.repeat(values, len(positions), axis=0) for name, values in one.items()}
                for row, position in enumerate(positions):
                    for entry, values in choice:
                        place = self._places[entry.name]
                        place.element(changed[place.tensor][row : row + 1], position)[...] = values[position]
                scalars, _ = self._scalars(changed, index)
                losses[begin : positions.stop] = np.maximum(losses[begin : positions.stop], own - scalars)
        return losses.astype(np.float32)

    def _choices(
        self, one: Mapping[str, Float32], entries: Sequence[InputSpec]
    ) -> Iterator[list[tuple[InputSpec, Float32]]]:
        """For each kind of change, what is put at each position of each input: (positions, channels)."""
        length = self._length(entries[0])
        if entries[0].kind == "signal":
            size = self._places[entries[0].name].size
            yield [(entries[0], np.full((length, size), entries[0].reference, np.float32))]
        elif self._kind == "occlusion":
            yield [(entry, np.zeros((length, 4), np.float32)) for entry in entries]
        else:
            for step in (1, 2, 3):
                yield [(entry, self._others(one, entry, step)) for entry in entries]

    def _others(self, one: Mapping[str, Float32], entry: InputSpec, step: int) -> Float32:
        """At each position another base, the `step`-th after the one that is there; what is no base stays."""
        place = self._places[entry.name]
        here = np.stack([place.element(one[place.tensor], position)[0] for position in range(self._length(entry))])
        order = [entry.bases.index(base) for base in "ACGT"]
        turned = np.empty_like(here)
        turned[:, order] = np.roll(here[:, order], step, axis=1)
        return turned

    def _smaller(self, size: int) -> None:
        self.batch_size = size
        self._tell(f"memory ran out: batch size of {self._card.name} is now {size}")

    def _scalars(self, tensors: Mapping[str, Float32], index: int) -> tuple[NDArray[np.float64], list[Float32]]:
        """The explained scalar of each window, (N,), and the card's outputs."""
        names = list(dict.fromkeys([*(output.name for output in self._card.outputs), self._target.logits]))
        too_large = f"model {self._card.name} does not fit into memory even with one window at a time"
        values = run_or_halve(self._session, tensors, names, too_large, self._smaller)
        results = dict(zip(names, values, strict=True))
        logits = results[self._target.logits].astype(np.float64)
        scalars = logits[:, index] - (logits.mean(axis=1) if self._target.centred else 0.0)
        return scalars, [results[output.name] for output in self._card.outputs]


def _place(card: Card, entry: InputSpec) -> _Place:
    (members,) = (members for name, members in card.tensors if name == entry.graph_name)
    sizes = [4 if member.kind == "sequence" else max(1, len(member.channels)) for member in members]
    number = members.index(entry)
    last = any(member.layout == "NLC" for member in members)
    return _Place(entry.graph_name, 2 if last else 1, sum(sizes[:number]), sizes[number])
