"""A synthetic genome of human size as 2bit: real names and lengths, the sequence of a worm over and over.

    TRACKGEN_DATA=... python benchmarks/synthetic_genome.py OUT.2bit [--scale 0.01] [--seed 1] [--source GENOME]

It is there to measure time and memory at 3.1 Gb without a download. Every copy of the worm is changed at about 1 base
in 100 at random, so that copies differ. Chromosomes begin and end with N, and have a run of N in the middle, as real
ones do. The same arguments give the same bytes. A few MB are in memory at a time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import UNKNOWN, Genome, open_genome, write_twobit

LENGTHS = {
    "chr1": 248_956_422, "chr2": 242_193_529, "chr3": 198_295_559, "chr4": 190_214_555, "chr5": 181_538_259,
    "chr6": 170_805_979, "chr7": 159_345_973, "chr8": 145_138_636, "chr9": 138_394_717, "chr10": 133_797_422,
    "chr11": 135_086_622, "chr12": 133_275_309, "chr13": 114_364_328, "chr14": 107_043_718, "chr15": 101_991_189,
    "chr16": 90_338_345, "chr17": 83_257_441, "chr18": 80_373_285, "chr19": 58_617_616, "chr20": 64_444_167,
    "chr21": 46_709_983, "chr22": 50_818_468, "chrX": 156_040_895, "chrY": 57_227_415, "chrM": 16_569,
}  # fmt: skip
"""Bases of the assembled molecules of hg38 (GRCh38), from UCSC:
https://hgdownload.soe.ucsc.edu/goldenPath/hg38/bigZips/hg38.chrom.sizes"""
TELOMERE = 10_000
"""Bases of N at both ends of a chromosome, as in hg38."""
CENTROMERE = 3_000_000
"""Bases of N in the middle of a chromosome, about the size of hg38's modelled centromeres."""
WITHOUT_GAPS = frozenset({"chrM"})
"""A circle has neither ends nor a centromere."""
BASES_PER_CHANGE = 100
BLOCK = 1 << 20
"""Bases whose changes are drawn together; a block's changes depend on nothing but its place and the seed."""
SOURCE = Path("genome_worm") / "ce10.2bit"

Codes = NDArray[np.uint8]


class SyntheticGenome:
    """Sequences of given lengths, made from a source genome when they are read; a `trackgen.genome.Genome`.

    The source's sequences, joined end to end into a circle, are read from a place of their own for every sequence.
    """

    def __init__(self, source: Genome, *, scale: float = 1.0, seed: int = 1) -> None:
        """
        Args:
            source: where the bases come from.
            scale: lengths and gaps are those of hg38 times this.
            seed: of the places in the source, and of the changes.
        """
        self.path = source.path
        self.lengths = {name: max(1, round(length * scale)) for name, length in LENGTHS.items()}
        self.names = tuple(self.lengths)
        self._source = source
        self._starts = [0, *accumulate(source.lengths.values())]
        self._seed = seed
        places = np.random.default_rng(seed).integers(0, self._starts[-1], len(self.names)).tolist()
        self._places = dict(zip(self.names, places, strict=True))
        self._gaps = {name: gaps(name, length, scale) for name, length in self.lengths.items()}

    def fetch(self, name: str, start: int, end: int) -> Codes:
        """Codes of [start, end), 0-based half-open, within the sequence."""
        if name not in self.lengths or not 0 <= start <= end <= self.lengths[name]:
            raise DataError("no such stretch", path=self.path, place=f"sequence {name}", found=f"[{start}, {end})")
        codes = self._circle(self._places[name] + start, end - start)
        for block in range(start // BLOCK, -(-end // BLOCK)):
            self._change(codes, start, name, block)
        for first, last in self._gaps[name]:
            codes[max(0, first - start) : max(0, last - start)] = UNKNOWN
        return codes

    def close(self) -> None:
        """The source stays open: whoever opened it closes it."""

    def __enter__(self) -> SyntheticGenome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _circle(self, position: int, size: int) -> Codes:
        """`size` bases of the source from `position` of the circle on."""
        codes = np.empty(size, np.uint8)
        names, filled = tuple(self._source.names), 0
        while filled < size:
            place = (position + filled) % self._starts[-1]
            index = bisect_right(self._starts, place) - 1
            first = place - self._starts[index]
            count = min(size - filled, self._starts[index + 1] - place)
            codes[filled : filled + count] = self._source.fetch(names[index], first, first + count)
            filled += count
        return codes

    def _change(self, codes: Codes, start: int, name: str, block: int) -> None:
        """Make the changes of one block in `codes`, which begin at base `start`."""
        random = np.random.default_rng([self._seed, self.names.index(name), block])
        # The last block of a sequence is drawn whole too: what lies past its end is left out.
        positions = random.integers(0, BLOCK, BLOCK // BASES_PER_CHANGE) + (block * BLOCK - start)
        steps = random.integers(1, 4, len(positions), dtype=np.uint8)
        inside = (positions >= 0) & (positions < len(codes))
        positions, steps = positions[inside], steps[inside]
        before = codes[positions]
        codes[positions] = np.where(before == UNKNOWN, UNKNOWN, (before + steps) & 3)


def gaps(name: str, length: int, scale: float) -> list[tuple[int, int]]:
    """Runs of N of a sequence: (start, end), 0-based half-open, sorted."""
    if name in WITHOUT_GAPS:
        return []
    telomere, centromere = round(TELOMERE * scale), round(CENTROMERE * scale)
    middle = (length - centromere) // 2
    runs = [(0, telomere), (middle, middle + centromere), (length - telomere, length)]
    return [(start, end) for start, end in runs if start < end]


def make(path: Path, source: Path, *, scale: float = 1.0, seed: int = 1) -> None:
    """Write the synthetic genome to `path` as 2bit; it appears under its name when it is whole."""
    with open_genome(source) as genome:
        write_twobit(SyntheticGenome(genome, scale=scale, seed=seed), path)


def default_source() -> Path:
    """The worm's genome in the data folder."""
    data = os.environ.get("TRACKGEN_DATA")
    if not data:
        sys.exit("set TRACKGEN_DATA to the folder that holds genome_worm, or give --source")
    return Path(data) / SOURCE


def main() -> None:
    """Write the genome and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--scale", type=float, default=1.0, help="lengths as a share of hg38's")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", type=Path, help="where the bases come from (default: the worm's genome)")
    options = parser.parse_args()
    began = time.perf_counter()
    make(options.output, options.source or default_source(), scale=options.scale, seed=options.seed)
    seconds = time.perf_counter() - began
    with open_genome(options.output) as genome:
        bases = sum(genome.lengths.values())
    print(f"{bases:,} bases, {options.output.stat().st_size:,} bytes, {seconds:.0f} seconds")


if __name__ == "__main__":
    main()
