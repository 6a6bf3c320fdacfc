"""How much one question may ask for, and how a person's region becomes bases of a sequence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from trackgen.live.questions import Place
from trackgen.live.refused import Refused

__all__ = ["MOST_FEATURES", "Limits", "Region", "refuse_large", "refuse_many_values", "region_of", "unknown"]

MOST_VALUES = 4_000_000
"""Of one answer: some 40 MB of JSON, which are in memory for as long as they are sent."""

MOST_FEATURES = 250_000
"""Of one answer: each is an object of four names."""


@dataclass(frozen=True)
class Limits:
    """The largest question of each kind, in bases of the reference; `edits` in edits."""

    predictions: int = 1_000_000
    contributions: int = 200_000
    whatif: int = 50_000
    mutagenesis: int = 400
    edits: int = 100

    def to_dict(self) -> dict[str, int]:
        """As the description has it."""
        return asdict(self)


@dataclass(frozen=True)
class Region:
    """Bases [start, end) of the sequence `name`, of `length` bp; at least one."""

    name: str
    start: int
    end: int
    length: int


def region_of(place: Place, lengths: Mapping[str, int], most: int, kind: str) -> Region:
    """The bases that a question is about: whole ones, cut to the sequence.

    Raises:
        Refused: there is no such sequence (404), the region is empty, reversed or beside the sequence (400), or larger
            than `most` bases (413).
    """
    if place.chr not in lengths:
        raise unknown("sequence", "chr", place.chr, lengths)
    length = lengths[place.chr]
    if place.start >= place.end:
        what = "the region is reversed" if place.start > place.end else "the region is empty"
        raise Refused(400, what, place="start, end", found=f"{place.start:.12g}, {place.end:.12g}")
    if place.start >= length or place.end <= 0:
        found = f"{place.start:.12g} to {place.end:.12g}"
        raise Refused(400, f"the region lies beside {place.chr}", found=found, wanted=f"bases of 0 to {length}")
    start, end = max(0, math.floor(place.start)), min(length, math.ceil(place.end))
    refuse_large(end - start, most, kind)
    return Region(place.chr, start, end, length)


def refuse_large(bases: int, most: int, kind: str) -> None:
    """Refuse more than `most` bases.

    Raises:
        Refused: with status 413.
    """
    if bases > most:
        raise Refused(
            413,
            f"the region is too large for {kind}",
            found=f"{bases:,} bases",
            wanted=f"at most {most:,}",
            remedy="zoom in, or scan it with trackgen scan --regions",
        )


def refuse_many_values(count: int, most: int | None = None) -> None:
    """Refuse an answer of more than `most` values, MOST_VALUES where None.

    Raises:
        Refused: with status 413.
    """
    most = MOST_VALUES if most is None else most
    if count > most:
        raise Refused(
            413,
            "the answer is too long",
            found=f"{count:,} values",
            wanted=f"at most {most:,}",
            remedy="ask for fewer classes, or for a value each few bases with step",
        )


def unknown(noun: str, place: str, found: str, known: Collection[str]) -> Refused:
    """What to say of a name that nobody has, with the nearest that there are."""
    near = difflib.get_close_matches(found, known, 3, cutoff=0.6)
    some = near or list(known)[:5]
    wanted = ", ".join(some) + ("" if near or len(known) <= 5 else ", ...")
    return Refused(404, f"there is no {noun} of this name", place=place, found=found[:100], wanted=wanted or "none")
