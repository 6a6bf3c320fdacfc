"""Random tracks: chromosomes, grids, gaps and the way they are handed to the writer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.bigwig.oracle import place_items
from trackgen.bigwig import BigWigWriter


@dataclass
class Chromosome:
    """What is written to one chromosome: runs of items, each with its first number, and gaps."""

    length: int
    runs: list[tuple[int, np.ndarray]]
    gaps: np.ndarray


@dataclass
class Track:
    """A whole track."""

    stride: int
    offset: int
    chromosomes: dict[str, Chromosome]
    _values: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def lengths(self) -> dict[str, int]:
        """Bases by name."""
        return {name: chromosome.length for name, chromosome in self.chromosomes.items()}

    def values(self, name: str) -> np.ndarray:
        """What every base should hold: float32[length], NaN for nothing."""
        if name not in self._values:
            chromosome = self.chromosomes[name]
            values = self._values[name] = np.full(chromosome.length, np.nan, np.float32)
            for first, items in chromosome.runs:
                place_items(values, self.stride, self.offset, first, items, chromosome.gaps)
        return self._values[name]

    def write(self, path: Path, random: np.random.Generator | None = None) -> BigWigWriter:
        """Write it: run by run, or, with a generator, cut up at random and chromosomes shuffled."""
        names = list(self.chromosomes)
        if random is not None:
            random.shuffle(names)
        with BigWigWriter(path, self.lengths, stride=self.stride, offset=self.offset) as writer:
            for name in names:
                chromosome = self.chromosomes[name]
                for first, items in chromosome.runs:
                    for place, part in self._parts(first, items, random):
                        writer.add(name, place, part, chromosome.gaps)
        return writer

    @staticmethod
    def _parts(first: int, items: np.ndarray, random: np.random.Generator | None) -> list[tuple[int, np.ndarray]]:
        if random is None:
            return [(first, items)]
        cuts = np.unique(random.integers(0, len(items) + 1, random.integers(0, 5)))
        borders = [0, *cuts.tolist(), len(items)]
        return [(first + begin, items[begin:end]) for begin, end in itertools.pairwise(borders)]


@st.composite
def tracks(draw: st.DrawFn) -> Track:
    """Any track: one to four chromosomes, from one base to a few sections."""
    stride = draw(st.sampled_from([1, 1, 2, 3, 7, 50]))
    offset = draw(st.sampled_from([0, 0, 1, stride // 2, 75, 4 * stride + 1]))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = draw(st.lists(st.sampled_from(["chr1", "chr10", "chr2", "a", "Z", "chrÜ"]), min_size=1, unique=True))
    chromosomes = {}
    for name in names:
        length = draw(st.one_of(st.integers(1, 300), st.sampled_from([1, 31, 32, 33, 8191, 8192, 8193, 30_000])))
        chromosomes[name] = Chromosome(length, _runs(draw, random, stride, offset, length), _gaps(draw, random, length))
    return Track(stride, offset, chromosomes)


def _runs(
    draw: st.DrawFn, random: np.random.Generator, stride: int, offset: int, length: int
) -> list[tuple[int, np.ndarray]]:
    first, last = -offset // stride, (length - 1 - offset) // stride
    if first > last:
        return []
    borders = np.unique(random.integers(first, last + 2, 2 * draw(st.integers(0, 3))))
    if draw(st.booleans()):
        borders = np.array([first, last + 1])
    return [
        (int(begin), _values(draw, random, int(end - begin)))
        for begin, end in zip(borders[::2], borders[1::2], strict=False)
    ]


def _values(draw: st.DrawFn, random: np.random.Generator, count: int) -> np.ndarray:
    values = random.normal(0, 10 ** float(draw(st.integers(-6, 6))), count).astype(np.float32)
    if draw(st.booleans()):
        values = np.round(np.abs(values), 1)
    if draw(st.booleans()):
        values[random.random(count) < draw(st.sampled_from([0.01, 0.5, 0.99]))] = np.nan
    values[random.random(count) < 0.05] = -0.0
    return values


def _gaps(draw: st.DrawFn, random: np.random.Generator, length: int) -> np.ndarray:
    borders = np.unique(random.integers(0, length + 1, 2 * draw(st.sampled_from([0, 0, 1, 3, 10]))))
    borders = borders[: len(borders) // 2 * 2]
    return borders.reshape(-1, 2).astype(np.int64)
