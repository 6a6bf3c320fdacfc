"""Explains windows one by one and adds them up: for models that are not dense, for calls, and for the run's check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.genome import reverse_complement
from trackgen.scan.contributions import ContributionSums, empty_sums
from trackgen.scan.explaining import ExplainedWindows, all_hypothetical, first_sequence
from trackgen.scan.inputs import Stretch, base_table, tensor_encoders
from trackgen.scan.telling import TellShare, tell_nobody
from trackgen.scan.tracks import BASES, base_of, explained_inputs
from trackgen.scan.weights import add_windows
from trackgen.scan.windows import default_batch_size

__all__ = ["Scorer", "WindowSums", "mean_of", "reference_tensors", "total_of", "windows_as_read"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


class Scorer(Protocol):
    """Explains windows one by one; `trackgen.scan.explaining.WindowExplainer` is one."""

    def run(
        self,
        inputs: Mapping[str, Float32],
        classes: Int64,
        reference: Mapping[str, Float32] | None = None,
        *,
        multipliers: bool = ...,
        tell_share: TellShare = ...,
    ) -> ExplainedWindows:
        """Contributions of the windows in `inputs`, each to its class."""


class WindowSums:
    """Explains windows one by one and adds them up.

    Args:
        card: the model's card.
        scorers: per output of the card, by its index: what explains it.
        vectors: the values of vector inputs; the card's default where a name is absent.
        hypothetical: also what each base would contribute; the scorers give multipliers.
    """

    def __init__(
        self,
        card: Card,
        scorers: Mapping[int, Scorer],
        vectors: Mapping[str, Float32],
        *,
        hypothetical: bool = False,
    ) -> None:
        self.card, self.scorers = card, scorers
        self._hypothetical = hypothetical
        self._encoders = tensor_encoders(card, vectors)
        self._inputs = explained_inputs(card, hypothetical=hypothetical)
        self._resolutions = {entry.name: entry.resolution for entry in card.inputs if entry.kind == "signal"}
        self._at_once = default_batch_size(card)
        self.vectors = {entry.name: entry.length for entry in card.inputs if entry.kind == "vector"}
        """Of vector inputs: their lengths."""

    def run(
        self,
        stretch: Stretch,
        starts: Int64,
        outputs: Sequence[int],
        classes: Int64,
        weights: Float64,
        *,
        reverse: bool,
        references: Sequence[Codes] = (),
        tell_share: TellShare = tell_nobody,
    ) -> ContributionSums:
        """As `DenseExplainer.run`, each row of one of the `outputs`; windows whose weight is 0 are not looked at."""
        slots = len(outputs)
        result = empty_sums(self._inputs, len(stretch.codes), weights)
        for slot, output in enumerate(outputs):
            chosen = np.flatnonzero(weights[slot])
            for part in np.array_split(chosen, max(1, -(-len(chosen) // self._at_once))):
                if len(part):
                    one = self.explain(stretch, starts[part], output, int(classes[slot]), reverse, references)
                    self._add(result, slot, starts[part], one, weights[slot, part], reverse)
                    result.deltas[slot, part] = one.deltas
                    result.totals[slot, part] = total_of(one)
                    for name, length in self.vectors.items():
                        sums = result.vectors.setdefault(name, np.zeros((slots, length)))
                        sums[slot] += weights[slot, part] @ one.contributions.get(name, np.zeros((len(part), length)))
                    tell_share(len(part) / len(chosen) / slots)
            if not len(chosen):
                tell_share(1 / slots)
        return result

    def explain(
        self,
        stretch: Stretch,
        starts: Int64,
        output: int,
        class_index: int,
        reverse: bool,
        references: Sequence[Codes] = (),
    ) -> ExplainedWindows:
        """The contributions of single windows, averaged over the references, in the windows' own orientation.

        Args:
            references: (T,) each, references of the whole stretch, or (N, L) each, of every window as it is read.
        """
        tensors = self.tensors(stretch, starts, reverse)
        classes = np.full(len(starts), class_index, np.int64)
        if not len(references):
            return self._score(output, tensors, classes, None)
        found = []
        for codes in references:
            read = codes if codes.ndim == 2 else windows_as_read(codes, starts, self.card.window, reverse=reverse)
            found.append(self._score(output, tensors, classes, reference_tensors(self.card, tensors, read)))
        return mean_of(found)

    def _score(
        self, output: int, tensors: Mapping[str, Float32], classes: Int64, reference: Mapping[str, Float32] | None
    ) -> ExplainedWindows:
        """What the scorer says, multipliers turned into hypothetical scores where those are asked for."""
        found = self.scorers[output].run(tensors, classes, reference, multipliers=self._hypothetical)
        if not self._hypothetical:
            return found
        scores = all_hypothetical(self.card, found.multipliers, reference)
        return replace(found, multipliers={}, hypothetical=scores)

    def tensors(self, stretch: Stretch, starts: Int64, reverse: bool) -> dict[str, Float32]:
        """The graph's inputs for windows."""
        return {
            encoder.name: encoder.take(encoder.windows(stretch, starts, reverse=reverse), slice(None))
            for encoder in self._encoders
        }

    def _add(
        self,
        result: ContributionSums,
        slot: int,
        starts: Int64,
        one: ExplainedWindows,
        weights: Float64,
        reverse: bool,
    ) -> None:
        for name in self._inputs:
            values = self.at_bases(name, one, reverse)
            add_windows(result.bases[name][slot], starts, values, weights)

    def at_bases(self, name: str | None, one: ExplainedWindows, reverse: bool) -> Float32:
        """The contributions of one of `explained_inputs` at each base of N windows, in forward order: (N, L)."""
        sequence, base = first_sequence(self.card), base_of(name)
        if base is not None:
            # What stands complemented on the strand that is read: T, G, C, A in the order A, C, G, T.
            values = one.hypothetical[:, (BASES[::-1] if reverse else BASES).index(base)]
        elif name is None:
            assert sequence is not None
            values = one.contributions[sequence.name]
        else:
            assert name is not None
            values = np.repeat(one.contributions[name], self._resolutions[name], axis=1)
        return values[:, ::-1] if reverse else values


def mean_of(found: Sequence[ExplainedWindows]) -> ExplainedWindows:
    """The mean over several references of what the same windows say."""
    count = np.float32(len(found))
    names, tensors = found[0].contributions, found[0].multipliers
    return ExplainedWindows(
        {name: np.asarray(sum(one.multipliers[name] for one in found) / count) for name in tensors},
        {name: np.asarray(sum(one.contributions[name] for one in found) / count) for name in names},
        np.asarray(sum(one.deltas for one in found) / count),
        found[0].predictions,
        np.asarray(sum(one.hypothetical for one in found) / count, np.float32),
    )


def total_of(one: ExplainedWindows) -> Float64:
    """The sum of all contributions of each window, (N,): what is to equal its delta."""
    parts = [values.sum(axis=1, dtype=np.float64) for values in one.contributions.values()]
    return np.asarray(sum(parts), np.float64)


def windows_as_read(codes: Codes, starts: Int64, window: int, *, reverse: bool) -> Codes:
    """The codes of windows of a stretch, each as its reverse complement for `reverse`: (N, L)."""
    found = codes[starts[:, None] + np.arange(window)]
    return reverse_complement(found) if reverse else found


def reference_tensors(card: Card, tensors: Mapping[str, Float32], codes: Codes) -> dict[str, Float32]:
    """The tensors of a reference: another sequence for each window, and the constants of signals and vectors.

    Args:
        tensors: of the windows themselves.
        codes: (N, L) of the reference, as the windows are read.
    """
    made = {}
    for name, members in card.tensors:
        values = np.empty_like(tensors[name])
        last = any(entry.layout == "NLC" for entry in members)
        first = 0
        for entry in members:
            size = 4 if entry.kind == "sequence" else entry.length or max(1, len(entry.channels))
            part = values[:, :, first : first + size] if last else values[:, first : first + size]
            if entry.kind == "sequence":
                one_hot = base_table(entry)[codes]
                part[...] = one_hot if last else one_hot.transpose(0, 2, 1)
            else:
                part[...] = np.asarray(entry.default, np.float32) if entry.kind == "vector" else entry.reference
            first += size
        made[name] = values
    return made
