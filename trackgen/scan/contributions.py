"""Runs contribution graphs on stretches of genome and adds up what their windows say of each base.

`DenseExplainer` gets the sum over all windows of a run from one backward pass; `WindowSums` explains each window by
itself and lays one over the other. Both give `ContributionSums`, so that runs of any windows can be added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import ResourceError
from trackgen.graph import ContributionGraph
from trackgen.runtime import OutOfMemory, Session
from trackgen.scan.dense import runs_of_windows
from trackgen.scan.explaining import ExplainedWindows, first_sequence
from trackgen.scan.feeding import TileFeed
from trackgen.scan.inputs import Stretch, TensorEncoder, tensor_encoders
from trackgen.scan.tracks import explained_inputs
from trackgen.scan.weights import add_elements, add_windows
from trackgen.scan.windows import default_batch_size

__all__ = ["ContributionSums", "DenseExplainer", "Scorer", "WindowSums"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
TellShare = Callable[[float], None]

SCALE = np.float32(2.0**30)
"""What weights are multiplied by where the graph multiplies them by probabilities: those may be so small that float32
had no digits left for their products. A power of two changes no digit, and cancels out."""


def tell_nobody(share: float) -> None:
    """No progress."""


@dataclass
class ContributionSums:
    """Weighted sums over N windows of a stretch, in forward coordinates.

    Attributes:
        bases: per input (None: the sequence) (Q, T) sums at each base of the stretch, for Q classes.
        weights: (Q, N) as they were used.
        deltas: (Q, N) explained scalar less the reference's; NaN where a window was not looked at.
        totals: (Q, N) sum of a window's contributions; NaN where only the sum over windows is known.
        predictions: per output of the card (N, K), or (N, K, M): classes and positions as the graph gives them; empty
            where nobody asked.
    """

    bases: dict[str | None, Float64]
    weights: Float64
    deltas: Float64
    totals: Float64
    predictions: list[Float32] = field(default_factory=list)


def empty_sums(inputs: Sequence[str | None], bases: int, weights: Float64) -> ContributionSums:
    """No windows added up yet, over so many bases."""
    unknown = np.full(weights.shape, np.nan)
    sums = {name: np.zeros((len(weights), bases), np.float64) for name in inputs}
    return ContributionSums(sums, weights, unknown, unknown.copy())


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


class DenseExplainer:
    """Runs a dense contribution graph.

    Args:
        card: the model's card.
        graph: the graph.
        session: the graph, loaded.
        vectors: the values of vector inputs, (length,) each; the card's default where a name is absent.
        windows_at_once: None, or the number of windows that every run is filled up to.
        most_windows: None, or the most windows of one run.
    """

    def __init__(
        self,
        card: Card,
        graph: ContributionGraph,
        session: Session,
        vectors: Mapping[str, Float32],
        windows_at_once: int | None = None,
        most_windows: int | None = None,
    ) -> None:
        self.session, self.graph = session, graph
        self._card = card
        self._feed = TileFeed(card, graph, vectors)
        self._windows_at_once, self._most_windows = windows_at_once, most_windows
        self._inputs = explained_inputs(card)
        self._signals = {entry.card_input: entry for entry in graph.inputs if entry.kind == "signal"}

    def run(
        self,
        stretch: Stretch,
        starts: Int64,
        classes: Int64,
        weights: Float64,
        *,
        reverse: bool,
        references: Sequence[Codes] = (),
        tell_share: TellShare = tell_nobody,
    ) -> ContributionSums:
        """Sums over windows that start at `starts`.

        Args:
            stretch: a stretch of genome, with the signals that the model needs.
            starts: (N,) first bases of the windows, counted in `stretch`; neighbours are a stride apart.
            classes: (Q,) the class that each slot of the graph explains, as the windows are read.
            weights: (Q, N) of the windows; multiplied by their probabilities where the graph is weighted.
            reverse: read each window as its reverse complement.
            references: (T,) each: genomes that contributions are measured against and averaged over, where the graph
                is live.
            tell_share: called after each run with its share of the windows.

        Raises:
            ResourceError: not even one window fits into memory.
        """
        result = empty_sums(self._inputs, len(stretch.codes), np.zeros((len(self.graph.slots), len(starts))))
        parts: list[list[Float32]] = []
        begin = 0
        for part in runs_of_windows(starts, self.graph.stride, self.graph.window, self._most_windows):
            here = slice(begin, begin + len(part))
            parts += self._run_part(stretch, starts, here, classes, weights, reverse, references, result)
            begin = here.stop
            tell_share(len(part) / len(starts))
        result.predictions = [np.concatenate(values) for values in zip(*parts, strict=True)]
        return result

    def _run_part(
        self,
        stretch: Stretch,
        starts: Int64,
        here: slice,
        classes: Int64,
        weights: Float64,
        reverse: bool,
        references: Sequence[Codes],
        result: ContributionSums,
    ) -> list[list[Float32]]:
        """Run the windows `here` at once, or in halves where memory runs out; their predictions, in order."""
        first, last = int(starts[here.start]), int(starts[here.stop - 1]) + self.graph.window
        cut = _Cut(stretch.cut(first, last), [codes[first:last] for codes in references])
        try:
            found = [self._run(cut, number, classes, weights[:, here], reverse) for number in range(cut.runs)]
        except OutOfMemory as error:
            if here.stop - here.start == 1:
                raise ResourceError(
                    f"model {self._card.name} can't be explained in this memory even one window at a time",
                    found=str(error),
                    remedy="free memory, or use a machine or device with more",
                ) from error
            middle = (here.start + here.stop) // 2
            halves = [slice(here.start, middle), slice(middle, here.stop)]
            rest = (classes, weights, reverse, references, result)
            return [part for half in halves for part in self._run_part(stretch, starts, half, *rest)]
        for name in self._inputs:
            # In place: a tile's windows come in several runs whose bases overlap.
            result.bases[name][:, first:last] += sum(one.bases[name] for one in found) / len(found)
        result.weights[:, here] = found[0].weights
        result.deltas[:, here] = sum(one.deltas for one in found) / len(found)
        return [found[0].predictions]

    def _run(self, cut: _Cut, reference: int, classes: Int64, weights: Float64, reverse: bool) -> ContributionSums:
        """One run of the graph against one reference."""
        graph, count = self.graph, weights.shape[1]
        filled = max(count, self._windows_at_once or 0)
        scale = SCALE if graph.weighted else np.float32(1)
        given = np.zeros((len(weights), filled), np.float32)
        given[:, :count] = (weights[:, ::-1] if reverse else weights) * scale
        inputs = self._feed.inputs(cut.stretch, count, filled, reverse=reverse)
        inputs |= {"classes": classes, "weights": given}
        if graph.live:
            inputs["reference.codes"] = self._feed.codes(cut.references[reference], filled, reverse=reverse)
        names = self._names()
        results = dict(zip(names, self.session.run(inputs, names), strict=True))

        def rows(name: str, end: str = "") -> Float64:
            values = np.stack([results[f"{name}.{slot}{end}"] for slot in range(len(weights))])
            return values.astype(np.float64)

        bases = {}
        for name in self._inputs:
            values = self._at_bases(
                name, rows("contributions", f".{name}" if name else ""), count, len(cut.stretch.codes)
            )
            bases[name] = (values[:, ::-1] if reverse else values) / float(scale)
        used, deltas = (rows(name)[:, :count] for name in ("weights", "deltas"))
        if reverse:
            used, deltas = used[:, ::-1], deltas[:, ::-1]
        predicted = self._feed.predictions([results[name] for name in graph.outputs], count, filled, reverse=reverse)
        return ContributionSums(bases, used / float(scale), deltas, np.full(deltas.shape, np.nan), predicted)

    def _names(self) -> list[str]:
        slots = range(len(self.graph.slots))
        names = list(self.graph.outputs)
        for name in self._inputs:
            names += [f"contributions.{slot}" + (f".{name}" if name else "") for slot in slots]
        return [*names, *(f"{kind}.{slot}" for kind in ("weights", "deltas") for slot in slots)]

    def _at_bases(self, name: str | None, values: Float64, count: int, bases: int) -> Float64:
        """Sums at a signal's points as sums at bases; the sequence's are that already."""
        if name is None:
            return values[:, :bases]
        entry = self._signals[name]
        return add_elements(values[:, : self._feed.points(entry, count)], entry.step, entry.resolution, bases)


class _Cut(NamedTuple):
    """The bases of one run, and those of each reference."""

    stretch: Stretch
    references: list[Codes]

    @property
    def runs(self) -> int:
        return max(1, len(self.references))


class WindowSums:
    """Explains windows one by one and adds them up.

    Args:
        card: the model's card.
        scorers: per output of the card, by its index: what explains it.
        vectors: the values of vector inputs; the card's default where a name is absent.
    """

    def __init__(self, card: Card, scorers: Mapping[int, Scorer], vectors: Mapping[str, Float32]) -> None:
        self.card, self.scorers = card, scorers
        self._encoders = tensor_encoders(card, vectors)
        self._inputs = explained_inputs(card)
        self._resolutions = {entry.name: entry.resolution for entry in card.inputs if entry.kind == "signal"}
        self._at_once = default_batch_size(card)

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
        """The contributions of single windows, averaged over the references, in the windows' own orientation."""
        scorer = self.scorers[output]
        tensors = self.tensors(stretch, starts, reverse)
        classes = np.full(len(starts), class_index, np.int64)
        if not references:
            return scorer.run(tensors, classes, multipliers=False)
        found = []
        for codes in references:
            other = self.reference_tensors(tensors, codes, starts, reverse)
            found.append(scorer.run(tensors, classes, other, multipliers=False))
        return mean_of(found)

    def tensors(self, stretch: Stretch, starts: Int64, reverse: bool) -> dict[str, Float32]:
        """The graph's inputs for windows."""
        return {
            encoder.name: encoder.take(encoder.windows(stretch, starts, reverse=reverse), slice(None))
            for encoder in self._encoders
        }

    def reference_tensors(
        self, tensors: Mapping[str, Float32], codes: Codes, starts: Int64, reverse: bool
    ) -> dict[str, Float32]:
        """The same tensors of a reference: another sequence, and the constants of signals and vectors."""
        made = {}
        for name, members in self.card.tensors:
            values = np.empty_like(tensors[name])
            axis = 2 if any(entry.layout == "NLC" for entry in members) else 1
            first = 0
            for entry in members:
                size = entry.length if entry.kind == "vector" else max(1, len(entry.channels))
                size = 4 if entry.kind == "sequence" else size
                part: Float32 | float = entry.reference
                if entry.kind == "sequence":
                    encoder = TensorEncoder(name, [entry], self.card.window, {})
                    part = encoder.take(encoder.windows(Stretch(codes), starts, reverse=reverse), slice(None))
                elif entry.kind == "vector":
                    part = np.asarray(entry.default, np.float32)
                place = [slice(None)] * values.ndim
                place[axis] = slice(first, first + size)
                values[tuple(place)] = part
                first += size
            made[name] = values
        return made

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
        """The contributions of an input (None: the sequence) at each base of N windows, in forward order: (N, L)."""
        sequence = first_sequence(self.card)
        if name is None:
            assert sequence is not None
            values = one.contributions[sequence.name]
        else:
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
    )


def total_of(one: ExplainedWindows) -> Float64:
    """The sum of all contributions of each window, (N,): what is to equal its delta."""
    parts = [values.sum(axis=1, dtype=np.float64) for values in one.contributions.values()]
    return np.asarray(sum(parts), np.float64)
