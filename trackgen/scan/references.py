"""What contributions are measured against: base frequencies, the genome shuffled in place, or a second genome."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, ReferenceSpec
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, open_genome
from trackgen.genome.shuffles import block_span, shuffle_in_place, shuffle_windows
from trackgen.scan.digest import file_sha256

__all__ = ["FREQUENCIES", "ReferencePlan", "plan_reference"]

Codes = NDArray[np.uint8]
OPTION = "--reference"
WANTED = "frequencies, shuffle:N, four numbers such as 0.3,0.2,0.2,0.3, or a FASTA or 2bit file"
PIECE = 1 << 20
"""Bases compared at a time."""
SUM_TOLERANCE = 1e-3
"""As for the card's own frequencies."""
MOST_SHUFFLES = 1000


@dataclass(frozen=True)
class ReferencePlan:
    """What contributions are measured against.

    Attributes:
        kind: ``frequencies``: the same at every position; ``shuffle``: the genome shuffled in place; ``genome``:
            another genome with the same sequences.
        values: frequencies of A, C, G, T; None for those of each model's card.
        shuffles: number of shuffled genomes.
        path: of the other genome.
    """

    kind: Literal["frequencies", "shuffle", "genome"] = "frequencies"
    values: tuple[float, float, float, float] | None = None
    shuffles: int = 0
    path: Path | None = None

    @property
    def live(self) -> bool:
        """Whether it differs from position to position."""
        return self.kind != "frequencies"

    @functools.cached_property
    def sha256(self) -> str:
        """Of the other genome's file."""
        assert self.path is not None
        return file_sha256(self.path)

    def on_card(self, card: Card) -> Card:
        """The card with these frequencies."""
        if self.values is None:
            return card
        return dataclasses.replace(card, reference=ReferenceSpec("frequencies", self.values))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch to read where [start, end) is to be explained."""
        return block_span(start, end) if self.kind == "shuffle" else (start, end)

    def codes(self, codes: Codes, name: str, start: int, other: Codes | None) -> list[Codes]:
        """The references of a stretch, each (T,); empty for frequencies.

        Args:
            codes: (T,) the stretch, as `span` gives it.
            name, start: its sequence and first base.
            other: (T,) the same stretch of the other genome.
        """
        if self.kind == "shuffle":
            return [shuffle_in_place(codes, name, start, number) for number in range(self.shuffles)]
        if self.kind == "genome":
            assert other is not None
            return [other]
        return []

    def window_codes(self, windows: Codes, name: str, starts: NDArray[np.int64]) -> list[Codes]:
        """References of windows that each are shuffled by themselves, (N, L) each; empty where none are.

        Args:
            windows: (N, L) codes, as the windows are read.
            name, starts: their sequence and first bases, of which seeds are made.
        """
        if self.kind != "shuffle":
            return []
        digest = hashlib.blake2b(f"windows {name}".encode(), digest_size=8).digest()
        first = np.uint64(int.from_bytes(digest, "little"))
        found = []
        for number in range(self.shuffles):
            # Wraps around: any numbers do, if only they differ.
            seeds = starts.astype(np.uint64) * np.uint64(MOST_SHUFFLES) + np.uint64(number) + first
            found.append(shuffle_windows(windows, seeds))
        return found

    def summary(self, card: Card) -> Any:
        """What a plan says of it."""
        if self.kind == "shuffle":
            return {"kind": "shuffle", "n": self.shuffles}
        if self.kind == "genome":
            assert self.path is not None
            return {"kind": "genome", "file": self.path.name, "sha256": self.sha256}
        return {"kind": "frequencies", "values": list(self.on_card(card).reference.values)}


FREQUENCIES = ReferencePlan()


def plan_reference(text: str | None, genome: Genome) -> ReferencePlan:
    """What ``--reference`` says.

    Raises:
        UsageError: it is none of the known ones, or frequencies that do not sum to 1.
        DataError: a file that is missing or malformed, or has other sequences than the genome.
    """
    if text is None or text == "frequencies":
        return FREQUENCIES
    if text.partition(":")[0] == "shuffle":
        return ReferencePlan("shuffle", shuffles=_shuffles(text))
    if re.fullmatch(r"[-+.,\deE\s]+", text) and "," in text and not Path(text).exists():
        return ReferencePlan(values=_frequencies(text))
    return ReferencePlan("genome", path=_same_sequences(Path(text), genome))


def _shuffles(text: str) -> int:
    match = re.fullmatch(r"shuffle:(\d{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= MOST_SHUFFLES:
        raise UsageError(
            "the number of shuffled genomes is missing or out of range",
            place=OPTION,
            found=text,
            wanted=f"shuffle:N with N from 1 to {MOST_SHUFFLES}",
            remedy="20 are advised for papers",
        )
    return int(match[1])


def _frequencies(text: str) -> tuple[float, float, float, float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4 or not all(0 <= value <= 1 for value in values) or abs(sum(values) - 1) > SUM_TOLERANCE:
        raise UsageError(
            "the frequencies of A, C, G, T do not sum to 1",
            place=OPTION,
            found=f"{text} (sum {sum(values):.6g})" if values else text,
            wanted="four numbers of 0 to 1 that sum to 1, such as 0.3,0.2,0.2,0.3",
        )
    return values[0], values[1], values[2], values[3]


def _same_sequences(path: Path, genome: Genome) -> Path:
    """The path of a genome that has the sequences of `genome`, and is not `genome` itself."""
    if not path.exists():
        raise UsageError(
            "there is no such reference, nor a file of this name", place=OPTION, found=str(path), wanted=WANTED
        )
    with open_genome(path) as other:
        lengths = dict(other.lengths)
        for name, length in genome.lengths.items():
            if lengths.get(name) != length:
                raise DataError(
                    "the reference is not aligned to the genome",
                    path=path,
                    place=name,
                    found=f"{lengths[name]:,} bases" if name in lengths else "no such sequence",
                    wanted=f"{length:,} bases, as in {genome.path.name}",
                    remedy="give a genome with the same sequences, base for base",
                )
        if path.samefile(genome.path) or _same_bases(genome, other):
            raise UsageError(
                "the reference is the genome itself: no base would contribute anything",
                place=OPTION,
                found=str(path),
                wanted=WANTED,
            )
    return path


def _same_bases(genome: Genome, other: Genome) -> bool:
    """Whether every base of the genome is the other's too, however their files are written.

    Two individuals differ within the first stretch; only what is nearly the same, or the same, is read for long.
    """
    for name, length in sorted(genome.lengths.items(), key=lambda item: -item[1]):
        for start in range(0, length, PIECE):
            end = min(length, start + PIECE)
            if not np.array_equal(genome.fetch(name, start, end), other.fetch(name, start, end)):
                return False
    return True
