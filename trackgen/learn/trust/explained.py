"""DeepLIFT of called windows against the card's frequencies and against shuffled sequences.

`trackgen.genome.shuffles` gives every seed random numbers of its own, so seeds may be neighbours. (In tangermeme,
random states nearer than the number of shuffles share shuffles.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card
from trackgen.genome import Genome, reverse_complement
from trackgen.genome.codes import UNKNOWN
from trackgen.genome.shuffles import shuffle_windows
from trackgen.learn.trust.calls import Call, grid_of
from trackgen.scan.explaining import WindowExplainer, first_sequence
from trackgen.scan.inputs import Stretch
from trackgen.scan.readings import Reading, classes_as_read, readings_of
from trackgen.scan.references import ReferencePlan
from trackgen.scan.single_windows import WindowSums, reference_tensors
from trackgen.scan.sources import SignalFiles

__all__ = ["FREQUENCIES", "REFERENCES", "STANDARD", "USUAL_SHUFFLES", "CallExplainer", "Shuffles", "Sources"]

Codes = NDArray[np.uint8]
Float32 = NDArray[np.float32]

FREQUENCIES, IN_PLACE, OWN, OTHER, STANDARD = "frequencies", "in_place", "own", "other", "standard"
REFERENCES = (FREQUENCIES, IN_PLACE, OWN, OTHER, STANDARD)
"""The card's frequencies; the genome shuffled in place; the window shuffled by itself, as often; and by itself much
oftener, twice, each time by shuffles that nothing else uses."""


class Shuffles(NamedTuple):
    """How many shuffled sequences a reference is made of."""

    few: int = 20
    """What is advised for papers."""
    many: int = 200
    """The standard that the others are held against."""


USUAL_SHUFFLES = Shuffles()


@dataclass(frozen=True)
class Sources:
    """What windows are read from.

    Attributes:
        genome, signals: open.
        vectors: the values of vector inputs, by name.
    """

    genome: Genome
    signals: SignalFiles
    vectors: Mapping[str, Float32]


class CallExplainer:
    """What the bases of called windows contribute to a class of one output: in forward order, NaN where none is known.

    Args:
        path, card: the model.
        output: index of the output.
        shuffles: how many.
        seed: of the windows' own shuffles.
        threads: to run on.
    """

    def __init__(
        self, path: Path, card: Card, output: int, sources: Sources, shuffles: Shuffles, seed: int, threads: int
    ) -> None:
        self._card, self._output, self._sources, self._shuffles, self._seed = card, output, sources, shuffles, seed
        self._explainer = WindowExplainer(path, card, card.outputs[output].name, threads=threads)
        self._reader = WindowSums(card, {}, sources.vectors)
        self._readings = readings_of(card, grid_of(card, card.outputs[output]))
        self._in_place = ReferencePlan("shuffle", shuffles=shuffles.few)
        sequence = first_sequence(card)
        assert sequence is not None
        self._sequence = sequence.name

    def against_frequencies(self, call: Call, class_index: int) -> Float32:
        """(L,) contributions against the card's frequencies."""
        rows = [self._run(call, class_index, reading, None)[0] for reading in self._readings_of(call)]
        return self._known(call, np.mean(rows, axis=0))

    def against_all(self, call: Call, class_index: int) -> dict[str, Float32]:
        """(L,) contributions against each of `REFERENCES`."""
        means: list[dict[str, Float32]] = []
        few, many = self._shuffles
        borders = np.cumsum([few, few, many])
        for reading in self._readings_of(call):
            rows = self._run(call, class_index, reading, self._references(call, reading))
            parts = np.split(rows, borders)
            means.append({name: part.mean(axis=0) for name, part in zip(REFERENCES[1:], parts, strict=True)})
        found = {name: self._known(call, np.mean([row[name] for row in means], axis=0)) for name in means[0]}
        return {FREQUENCIES: self.against_frequencies(call, class_index)} | found

    def _codes(self, call: Call) -> Codes:
        """(L,) of the forward strand, 4 beyond the sequence."""
        return self._sources.genome.fetch(call.name, call.start, call.start + self._card.window)

    def _known(self, call: Call, values: NDArray[np.floating]) -> Float32:
        return np.where(self._codes(call) < UNKNOWN, values, np.nan).astype(np.float32)

    def _readings_of(self, call: Call) -> list[Reading]:
        return [reading for reading in self._readings if reading.strand == call.strand]

    def _run(self, call: Call, class_index: int, reading: Reading, references: Codes | None) -> Float32:
        """(R, L) contributions of one window against each of (R, L) references, or (1, L) against the card's."""
        stretch = Stretch(
            self._codes(call), self._sources.signals.read(call.name, call.start, call.start + self._card.window)
        )
        tensors = self._reader.tensors(stretch, np.zeros(1, np.int64), reading.reverse)
        classes = classes_as_read(self._card, [(self._output, class_index)], reverse=reading.reverse)
        other = None
        if references is not None:
            tensors = {name: np.repeat(values, len(references), axis=0) for name, values in tensors.items()}
            other = reference_tensors(self._card, tensors, references)
            classes = np.repeat(classes, len(references))
        rows = self._explainer.run(tensors, classes, other, multipliers=False).contributions[self._sequence]
        return rows[:, ::-1] if reading.reverse else rows

    def _references(self, call: Call, reading: Reading) -> Codes:
        """(R, L) shuffled sequences, as the window is read: `few` in place, `few` of the window, `many`, `many`."""
        end = call.start + self._card.window
        low, high = self._in_place.span(call.start, end)
        genomes = self._in_place.codes(self._sources.genome.fetch(call.name, low, high), call.name, low, None)
        in_place = np.stack([codes[call.start - low : end - low] for codes in genomes])
        window = self._codes(call)
        if reading.reverse:
            in_place, window = reverse_complement(in_place), reverse_complement(window)
        count = self._shuffles.few + 2 * self._shuffles.many
        digest = hashlib.blake2b(f"{self._seed} {call} {reading.reverse}".encode(), digest_size=8).digest()
        # Wraps around: any numbers do, if only they differ.
        seeds = np.uint64(int.from_bytes(digest, "little")) + np.arange(count, dtype=np.uint64)
        return np.concatenate([in_place, shuffle_windows(np.tile(window, (count, 1)), seeds)])
