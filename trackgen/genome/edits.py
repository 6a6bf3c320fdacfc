"""A genome with some bases changed: what would be read if the edits were in its sequence.

::

    reference   ...ACGTACGT...     edit [4, 6) -> TTT
    edited      ...ACGTTTTGT...    aligned: [0, 4) at 0, [4, 6) at 4 (the first two of three), [6, ...) at 7

Of an edit that replaces n bases by m, the first min(n, m) stand over each other; what is left was deleted or inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.codes import encode
from trackgen.genome.sequence import Genome, unknown_sequence

__all__ = ["Aligned", "Edit", "EditedGenome"]

Codes = NDArray[np.uint8]
LETTERS = frozenset("ACGTN")


@dataclass(frozen=True, order=True)
class Edit:
    """Bases [start, end) of a sequence of the reference, 0-based half-open, replaced by `sequence` (A, C, G, T, N).

    An insertion has ``start == end`` and stands before base `start`; a deletion has no `sequence`.
    """

    name: str
    start: int
    end: int
    sequence: str

    @property
    def grows(self) -> int:
        """Bases that the sequence gains, negative where it loses."""
        return len(self.sequence) - (self.end - self.start)

    @property
    def text(self) -> str:
        """The edit for people: 1-based, closed."""
        place = f"{self.name}:{self.start + 1}"
        return (
            f"{place}-{self.end} -> {self.sequence or 'nothing'}"
            if self.end > self.start
            else f"{place} + {self.sequence}"
        )


class Aligned(NamedTuple):
    """`length` bases of the reference from `reference` on that stand over those of the edited genome from `edited`."""

    reference: int
    edited: int
    length: int


class _Piece(NamedTuple):
    """Bases [start, end) of the edited sequence: those of the reference from `source` on, or `codes`."""

    start: int
    end: int
    source: int
    codes: Codes | None


class EditedGenome:
    """`genome` with `edits` in it; a `trackgen.genome.Genome` whose coordinates are those of the edited sequences.

    Closing it leaves `genome` open.

    Raises:
        DataError: an edit reaches beyond its sequence, overlaps another, or has other letters than A, C, G, T, N.
    """

    def __init__(self, genome: Genome, edits: Sequence[Edit]) -> None:
        self._genome = genome
        self._edits: dict[str, list[Edit]] = {}
        for edit in sorted(edits):
            self._edits.setdefault(edit.name, []).append(edit)
        lengths = genome.lengths
        for name, some in self._edits.items():
            if name not in lengths:
                raise unknown_sequence(genome.path, name, lengths)
            _refuse_unfit(genome.path, some, lengths[name])
        self._pieces = {name: _pieces(some, lengths[name]) for name, some in self._edits.items()}
        self._lengths = {name: self._pieces[name][-1].end if name in self._pieces else n for name, n in lengths.items()}

    @property
    def reference(self) -> Genome:
        """The genome that is edited."""
        return self._genome

    @property
    def edits(self) -> tuple[Edit, ...]:
        """The edits, in order."""
        return tuple(edit for some in self._edits.values() for edit in some)

    @property
    def path(self) -> Path:
        """The file of the genome that is edited."""
        return self._genome.path

    @property
    def names(self) -> tuple[str, ...]:
        """Sequence names in the order of the file."""
        return self._genome.names

    @property
    def lengths(self) -> dict[str, int]:
        """Bases of each sequence after the edits."""
        return dict(self._lengths)

    def fetch(self, name: str, start: int, end: int) -> Codes:
        """Codes of [start, end) of the edited sequence, as `Genome.fetch` gives them."""
        if name not in self._pieces:
            return self._genome.fetch(name, start, end)
        result = np.full(max(0, end - start), 4, np.uint8)
        for piece in self._pieces[name]:
            low, high = max(start, piece.start), min(end, piece.end)
            if low >= high:
                continue
            first = low - piece.start
            if piece.codes is None:
                result[low - start : high - start] = self._genome.fetch(
                    name, piece.source + first, piece.source + first + high - low
                )
            else:
                result[low - start : high - start] = piece.codes[first : first + high - low]
        return result

    def span(self, name: str, start: int, end: int) -> tuple[int, int]:
        """Where [start, end) of the reference lies on the edited sequence; insertions at its ends are inside."""
        return self._at(name, start, after=False), self._at(name, end, after=True)

    def _at(self, name: str, position: int, *, after: bool) -> int:
        """The border before base `position` on the edited sequence, before or `after` what is inserted there."""
        grown = 0
        for edit in self._edits.get(name, []):
            if edit.start < edit.end <= position or edit.start == edit.end < position + after:
                grown += edit.grows
            elif edit.start < position < edit.end:
                # Inside the edit: before the first base that stands over nothing yet, or behind what came in.
                grown += edit.grows if after else 0
                grown += edit.end - position if after else min(0, len(edit.sequence) - (position - edit.start))
        return position + grown

    def aligned(self, name: str, start: int, end: int) -> list[Aligned]:
        """Pieces of [start, end) of the reference that have a base of the edited sequence over each of their own."""
        found: list[Aligned] = []
        at, edited = 0, 0
        for edit in [*self._edits.get(name, []), None]:
            stop = self._genome.lengths[name] if edit is None else edit.start
            found.append(Aligned(at, edited, stop - at))
            if edit is None:
                break
            found.append(Aligned(edit.start, edited + stop - at, min(edit.end - edit.start, len(edit.sequence))))
            at, edited = edit.end, edited + stop - at + len(edit.sequence)
        cut = [_cut(piece, start, end) for piece in found]
        return _joined([piece for piece in cut if piece.length > 0])

    def close(self) -> None:
        """Nothing: the genome that is edited belongs to whoever opened it."""

    def __enter__(self) -> EditedGenome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _refuse_unfit(path: Path, edits: Sequence[Edit], length: int) -> None:
    """Refuse edits of one sequence of `length` bp that can't be made.

    Raises:
        DataError: naming the edit.
    """
    for number, edit in enumerate(edits):
        if not 0 <= edit.start <= edit.end <= length:
            raise DataError(
                "an edit reaches beyond its sequence", path=path, place=edit.text, wanted=f"{edit.name}:1-{length}"
            )
        if not set(edit.sequence) <= LETTERS:
            raise DataError(
                "an edit puts in what is no base",
                path=path,
                place=edit.text,
                found=edit.sequence,
                wanted="A, C, G, T or N",
            )
        before = edits[number - 1] if number else None
        if before is not None and (edit.start < before.end or edit.start == before.start):
            raise DataError(
                "two edits overlap", path=path, place=edit.text, found=before.text, remedy="write them as one edit"
            )


def _pieces(edits: Sequence[Edit], length: int) -> list[_Piece]:
    """The edited sequence, piece by piece."""
    pieces: list[_Piece] = []
    source, at = 0, 0
    for edit in edits:
        for codes, count in ((None, edit.start - source), (encode(edit.sequence.encode()), len(edit.sequence))):
            pieces.append(_Piece(at, at + count, source, codes))
            at += count
        source = edit.end
    pieces.append(_Piece(at, at + length - source, source, None))
    return pieces


def _cut(piece: Aligned, start: int, end: int) -> Aligned:
    low = max(piece.reference, start)
    return Aligned(low, piece.edited + low - piece.reference, min(piece.reference + piece.length, end) - low)


def _joined(pieces: Sequence[Aligned]) -> list[Aligned]:
    """Neighbours that go on where the last one ended, as one."""
    found: list[Aligned] = []
    for piece in pieces:
        last = found[-1] if found else None
        if last and last.reference + last.length == piece.reference and last.edited + last.length == piece.edited:
            found[-1] = Aligned(last.reference, last.edited, last.length + piece.length)
        else:
            found.append(piece)
    return found
