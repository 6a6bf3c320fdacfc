"""What windows say of each base, added up; and the graph that does so in one walk back over a stretch of genome.

`DenseExplainer` gets the sum over all windows of a run from one backward pass; `trackgen.scan.single_windows` explains
each window by itself and lays one over the other. Both give `ContributionSums`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.errors import ResourceError
from trackgen.graph import ContributionGraph
from trackgen.runtime import OutOfMemory, Session
from trackgen.scan.dense import runs_of_windows
from trackgen.scan.feeding import TileFeed
from trackgen.scan.inputs import Stretch
from trackgen.scan.telling import TellShare, share_of, tell_nobody
from trackgen.scan.tracks import BASES, base_of, explained_inputs
from trackgen.scan.weights import add_elements

__all__ = ["ContributionSums", "DenseExplainer", "empty_sums"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

SCALE = np.float32(2.0**30)
"""What weights are multiplied by where the graph multiplies them by probabilities: those may be so small that float32
had no digits left for their products. A power of two changes no digit, and cancels out."""


@dataclass
class ContributionSums:
    """Weighted sums over N windows of a stretch, in forward coordinates.

    Attributes:
        bases: per input (None: the sequence) (Q, T) sums at each base of the stretch, for Q classes.
        weights: (Q, N) as they were used.
        deltas: (Q, N) explained scalar less the reference's; NaN where a window was not looked at.
        totals: (Q, N) sum of a window's contributions; NaN where only the sum over windows is known.
        vectors: per vector input (Q, length) weighted sums over the windows; empty where only bases are known.
        predictions: per output of the card (N, K), or (N, K, M): classes and positions as the graph gives them; empty
            where nobody asked.
    """

    bases: dict[str | None, Float64]
    weights: Float64
    deltas: Float64
    totals: Float64
    predictions: list[Float32] = field(default_factory=list)
    vectors: dict[str, Float64] = field(default_factory=dict)


def empty_sums(inputs: Sequence[str | None], bases: int, weights: Float64) -> ContributionSums:
    """No windows added up yet, over so many bases."""
    unknown = np.full(weights.shape, np.nan)
    sums = {name: np.zeros((len(weights), bases), np.float64) for name in inputs}
    return ContributionSums(sums, weights, unknown, unknown.copy())


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
        self._inputs = explained_inputs(card, hypothetical=graph.hypothetical)
        self._names_of = [output.name for output in card.outputs]
        self._slots = list(dict.fromkeys(graph.slots))
        self._signals = {entry.card_input: entry for entry in graph.inputs if entry.kind == "signal"}

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
        """Sums over windows that start at `starts`.

        Args:
            stretch: a stretch of genome, with the signals that the model needs.
            starts: (N,) first bases of the windows, counted in `stretch`; neighbours are a stride apart.
            outputs: (Q,) index of the output that each row is of.
            classes: (Q,) the class that it explains, as the windows are read.
            weights: (Q, N) of the windows; multiplied by their probabilities where the graph is weighted.
            reverse: read each window as its reverse complement.
            references: (T,) each: genomes that contributions are measured against and averaged over, where the graph
                is live.
            tell_share: called after each run with its share of the work.

        Raises:
            ResourceError: not even one window fits into memory.
        """
        result = empty_sums(self._inputs, len(stretch.codes), np.zeros((len(outputs), len(starts))))
        for rows in self._batches(outputs):
            places = [place for place in rows if place is not None]
            share = len(places) / len(outputs)
            here = _Asked(np.zeros(len(rows), np.int64), np.zeros((len(rows), len(starts))), reverse, references)
            taken = [row for row, place in enumerate(rows) if place is not None]
            here.classes[taken], here.weights[taken] = classes[places], weights[places]
            part = self._run_rows(stretch, starts, here, share_of(tell_share, share))
            for name in self._inputs:
                result.bases[name][places] = part.bases[name][taken]
            result.weights[places], result.deltas[places] = part.weights[taken], part.deltas[taken]
            result.predictions = result.predictions or part.predictions
        return result

    def _batches(self, outputs: Sequence[int]) -> Iterator[list[int | None]]:
        """Which of the places of `outputs` each slot of the graph takes, run after run; None for none."""
        names = [self._names_of[output] for output in outputs]
        left = {name: [place for place, entry in enumerate(names) if entry == name] for name in self._slots}
        while any(left.values()):
            yield [left[name].pop(0) if left[name] else None for name in self.graph.slots]

    def _run_rows(self, stretch: Stretch, starts: Int64, asked: _Asked, tell_share: TellShare) -> ContributionSums:
        """As many classes as the graph has slots."""
        result = empty_sums(self._inputs, len(stretch.codes), np.zeros(asked.weights.shape))
        parts: list[list[Float32]] = []
        begin = 0
        for part in runs_of_windows(starts, self.graph.stride, self.graph.window, self._most_windows):
            here = slice(begin, begin + len(part))
            parts += self._run_part(stretch, starts, here, asked, result)
            begin = here.stop
            tell_share(len(part) / len(starts))
        result.predictions = [np.concatenate(values) for values in zip(*parts, strict=True)]
        return result

    def _run_part(
        self,
        stretch: Stretch,
        starts: Int64,
        here: slice,
        asked: _Asked,
        result: ContributionSums,
    ) -> list[list[Float32]]:
        """Run the windows `here` at once, or in halves where memory runs out; their predictions, in order."""
        first, last = int(starts[here.start]), int(starts[here.stop - 1]) + self.graph.window
        cut = _Cut(stretch.cut(first, last), [codes[first:last] for codes in asked.references])
        try:
            found = [self._run(cut, number, asked, here) for number in range(cut.runs)]
        except OutOfMemory as error:
            if here.stop - here.start == 1:
                raise ResourceError(
                    f"model {self._card.name} can't be explained in this memory even one window at a time",
                    found=str(error),
                    remedy="free memory, or use a machine or device with more",
                ) from error
            middle = (here.start + here.stop) // 2
            halves = [slice(here.start, middle), slice(middle, here.stop)]
            return [part for half in halves for part in self._run_part(stretch, starts, half, asked, result)]
        for name in self._inputs:
            # In place: a tile's windows come in several runs whose bases overlap.
            result.bases[name][:, first:last] += sum(one.bases[name] for one in found) / len(found)
        result.weights[:, here] = found[0].weights
        result.deltas[:, here] = sum(one.deltas for one in found) / len(found)
        return [found[0].predictions]

    def _run(self, cut: _Cut, reference: int, asked: _Asked, here: slice) -> ContributionSums:
        """One run of the graph against one reference."""
        weights, reverse = asked.weights[:, here], asked.reverse
        graph, count = self.graph, weights.shape[1]
        filled = max(count, self._windows_at_once or 0)
        scale = SCALE if graph.weighted else np.float32(1)
        given = np.zeros((len(weights), filled), np.float32)
        given[:, :count] = (weights[:, ::-1] if reverse else weights) * scale
        inputs = self._feed.inputs(cut.stretch, count, filled, reverse=reverse)
        inputs |= {"classes": asked.classes, "weights": given}
        if graph.live:
            inputs["reference.codes"] = self._feed.codes(cut.references[reference], filled, reverse=reverse)
        names = self._names()
        results = dict(zip(names, self.session.run(inputs, names), strict=True))

        def rows(name: str, end: str = "") -> Float64:
            values = np.stack([results[f"{name}.{slot}{end}"] for slot in range(len(weights))])
            return values.astype(np.float64)

        bases, every = {}, rows("hypothetical") if graph.hypothetical else np.zeros(0)
        for name in self._inputs:
            base = base_of(name)
            if base is None:
                summed = rows("contributions", f".{name}" if name else "")
            else:
                # What stands complemented on the strand that is read: T, G, C, A in the order A, C, G, T.
                summed = every[:, (BASES[::-1] if reverse else BASES).index(base)]
            values = self._at_bases(name, summed, count, len(cut.stretch.codes))
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
            if base_of(name) is None:
                names += [f"contributions.{slot}" + (f".{name}" if name else "") for slot in slots]
        names += [f"hypothetical.{slot}" for slot in slots if self.graph.hypothetical]
        return [*names, *(f"{kind}.{slot}" for kind in ("weights", "deltas") for slot in slots)]

    def _at_bases(self, name: str | None, values: Float64, count: int, bases: int) -> Float64:
        """Sums at a signal's points as sums at bases; the sequence's are that already."""
        if name not in self._signals:
            return values[:, :bases]
        assert name is not None
        entry = self._signals[name]
        return add_elements(values[:, : self._feed.points(entry, count)], entry.step, entry.resolution, bases)


class _Asked(NamedTuple):
    """What is asked of the slots of a graph: classes (G,), weights (G, N), the reading and the references."""

    classes: Int64
    weights: Float64
    reverse: bool
    references: Sequence[Codes]


class _Cut(NamedTuple):
    """The bases of one run, and those of each reference."""

    stretch: Stretch
    references: list[Codes]

    @property
    def runs(self) -> int:
        return max(1, len(self.references))
