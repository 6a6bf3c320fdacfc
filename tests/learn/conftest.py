"""A small genome with clusters whose every property is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from trackgen.genome import Genome, open_genome

pytest.importorskip("torch")

LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
INITIATOR = "GCTATATAAGGCTCA"
"""Stands around every planted TSS, so that small nets have something to learn; the TSS is its element 7."""


@dataclass(frozen=True)
class Planted:
    """A planted cluster: where it is, and where its highest count is."""

    name: str
    start: int
    end: int
    strand: str
    dominant: int
    count: int


@dataclass(frozen=True)
class World:
    """Files of a made-up genome, and what they hold."""

    folder: Path
    sequences: dict[str, str]
    planted: tuple[Planted, ...]

    @property
    def genome(self) -> Path:
        return self.folder / "genome.fa"

    def write(self, name: str, lines: list[str]) -> Path:
        path = self.folder / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def clusters(self) -> Path:
        rows = [f"{p.name}\t{p.start}\t{p.end}\t.\t{p.count}\t{p.strand}" for p in self.planted]
        return self.write("clusters.bed", rows)

    def counts(self) -> Path:
        rows = []
        for p in self.planted:
            rows.append(f"{p.name}\t{p.dominant}\t{p.dominant + 1}\t.\t{p.count - 2}\t{p.strand}")
            rows += [f"{p.name}\t{edge}\t{edge + 1}\t.\t1\t{p.strand}" for edge in (p.start, p.end - 1)]
        return self.write("counts.bed", rows)

    def cage(self) -> Path:
        """FANTOM5's form: nine columns, TPM as score, thickStart at the representative position."""
        rows = [
            f"{p.name}\t{p.start}\t{p.end}\t{p.name}:{p.start}..{p.end},{p.strand}\t{p.count / 4}\t{p.strand}"
            f"\t{p.dominant}\t{p.dominant + 1}\t255,0,0"
            for p in self.planted
        ]
        return self.write("cage.bed", rows)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three sequences of 20 kb with 30 clusters each, sharp and broad, on both strands; two runs of N."""
    random = np.random.default_rng(20)
    sequences, planted = {}, []
    for name in ("one", "two", "three"):
        letters = LETTERS[random.integers(0, 4, 20_000)].tobytes().decode()
        for i in range(30):
            dominant, strand = 500 + 640 * i, "+-"[i % 2]
            inside = INITIATOR if strand == "+" else INITIATOR.translate(COMPLEMENT)[::-1]
            letters = letters[: dominant - 7] + inside + letters[dominant + 8 :]
            half = 3 if i % 3 else 20
            planted.append(Planted(name, dominant - half, dominant + half + 1, strand, dominant, 40))
        sequences[name] = letters[:300] + "N" * 60 + letters[360:1000] + "n" + letters[1001:]
    folder = tmp_path_factory.mktemp("world")
    text = "".join(f">{name}\n{letters}\n" for name, letters in sequences.items())
    (folder / "genome.fa").write_text(text)
    return World(folder, {name: letters.upper() for name, letters in sequences.items()}, tuple(planted))


@pytest.fixture
def genome(world: World) -> Iterator[Genome]:
    with open_genome(world.genome) as opened:
        yield opened
