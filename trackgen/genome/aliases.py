"""Matches the sequence names of a file with the genome's: ``chr1``, ``1``, ``I`` and ``NC_001133.9`` are one.

A name is matched, in this order: as it is written; without regard to ``chr``, case and leading zeros; as a known
alias (mitochondrion, RefSeq accession, unplaced sequence); as a Roman for an arabic number or the reverse; by length
alone. A later way counts only where the earlier ones find nothing, and where lengths are known they must agree.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Mapping

from trackgen.errors import DataError
from trackgen.genome.names import Numbering, accession_lengths, assembly_name, bare, label, roman, roman_value

__all__ = ["UnknownSequence", "describe", "reconcile"]

SHORTEST_BY_LENGTH = 10_000
"""bp; shorter sequences may have one length by chance."""
PAIRS_SHOWN = 3


class UnknownSequence(DataError):
    """A file names a sequence that the genome does not have."""


def reconcile(
    names: Mapping[str, int | None],
    lengths: Mapping[str, int],
    *,
    path: str | os.PathLike[str] | None,
    what: str,
    places: Mapping[str, str] | None = None,
    allow_unknown: bool = False,
) -> dict[str, str]:
    """The genome's name of each name in a file.

    Args:
        names: the file's names with their lengths, bp, None where the file does not say.
        lengths: the genome's names and lengths.
        path: the file, for messages.
        what: what the file is, for messages: ``BED file``.
        places: where in the file each name stands first, for messages.
        allow_unknown: leave out names that the genome does not have, as long as it has any. For files whose header
            lists every sequence of an assembly, whether or not there is data on it.

    Raises:
        DataError: a name is unknown, means several sequences, has another length than the genome's sequence, or two
            names mean the same sequence.
    """
    matcher = _Matcher(names, lengths)
    mapping: dict[str, str] = {}
    for name in names:
        candidates = matcher.candidates(name)
        possible = [target for target in candidates if matcher.length_fits(name, target)]
        place = (places or {}).get(name)
        if len(possible) > 1:
            raise DataError(
                f"a sequence name of the {what} may mean several sequences of the genome",
                path=path,
                place=place,
                found=name,
                wanted="one of " + ", ".join(possible),
                remedy="use the genome's own names",
            )
        if possible:
            mapping[name] = possible[0]
        elif candidates:
            raise _length_error(names, lengths, name, candidates[0], path, place, what)
        elif not allow_unknown:
            raise _unknown_error(lengths, name, path, place, what)
    if names and not mapping:
        raise _unknown_error(lengths, next(iter(names)), path, None, what)
    _refuse_two_for_one(mapping, path, what)
    return mapping


def describe(mapping: Mapping[str, str]) -> str | None:
    """A sentence that tells how names are read; None where every name stands for itself."""
    changed = [(name, target) for name, target in mapping.items() if name != target]
    if not changed:
        return None
    shown = ", ".join(f"{name} as {target}" for name, target in changed[:PAIRS_SHOWN])
    rest = f" and {len(changed) - PAIRS_SHOWN} more" if len(changed) > PAIRS_SHOWN else ""
    return f"sequence names: {shown}{rest}"


class _Matcher:
    """Finds the sequences of a genome that a foreign name may mean."""

    def __init__(self, names: Mapping[str, int | None], lengths: Mapping[str, int]) -> None:
        self._names = names
        self._lengths = lengths
        self._by_bare = _grouped({target: bare(target) for target in lengths})
        self._by_label = _grouped({target: label(target) for target in lengths})
        self._own_numbering = Numbering(self._by_label)
        self._foreign_numbering = Numbering([label(name) for name in names])
        self._length_counts = Counter(lengths.values())
        self._foreign_length_counts = Counter(names.values())

    def candidates(self, name: str) -> list[str]:
        """Targets of the first way of matching that finds any."""
        if name in self._lengths:
            return [name]
        numbered = self._numbered(name)
        for found in (self._by_bare.get(bare(name), []), self._by_label.get(label(name), [])):
            if found:
                # Among Roman numerals X may be ten, however well it fits a sex chromosome.
                return list(dict.fromkeys(found + numbered)) if self._foreign_numbering.speaks_roman else found
        return numbered or self._by_length(name)

    def length_fits(self, name: str, target: str) -> bool:
        length = self._names[name]
        known = accession_lengths(name) if length is None else {length}
        return known is None or self._lengths[target] in known

    def _numbered(self, name: str) -> list[str]:
        """The sequence with the same number in the other numerals."""
        text = label(name)
        if text.isdigit():
            number = int(text)
            return self._by_label[roman(number)] if 1 <= number <= self._own_numbering.roman_run else []
        value = roman_value(text)
        if value is None or not self._own_numbering.has_arabic or not self._foreign_numbering.speaks_roman:
            return []
        return self._by_label.get(str(value), [])

    def _by_length(self, name: str) -> list[str]:
        """The one sequence of this length, where no other on either side has it."""
        length = self._names[name]
        if length is None or length < SHORTEST_BY_LENGTH:
            return []
        if self._length_counts[length] != 1 or self._foreign_length_counts[length] != 1:
            return []
        return [target for target, own in self._lengths.items() if own == length]


def _grouped(keys: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, key in keys.items():
        groups.setdefault(key, []).append(name)
    return groups


def _unknown_error(
    lengths: Mapping[str, int], name: str, path: str | os.PathLike[str] | None, place: str | None, what: str
) -> UnknownSequence:
    near = difflib.get_close_matches(name, lengths, 3, cutoff=0.5)
    some = near or list(lengths)[:5]
    return UnknownSequence(
        f"the {what} names a sequence that the genome does not have",
        path=path,
        place=place,
        found=name,
        wanted=("a name such as " if near else "one of ") + ", ".join(some) + ("" if len(some) < 5 else ", ..."),
        remedy="use the genome's names; aliases (chr1, 1, I, NC_...) are matched where they can mean one sequence only",
    )


def _length_error(
    names: Mapping[str, int | None],
    lengths: Mapping[str, int],
    name: str,
    target: str,
    path: str | os.PathLike[str] | None,
    place: str | None,
    what: str,
) -> DataError:
    length = names[name]
    known = sorted(accession_lengths(name) or ()) if length is None else [length]
    theirs = assembly_name({name: known[0]}) if len(known) == 1 else None
    ours = assembly_name(lengths)
    hint = f"the {what} seems to be of {theirs}" if theirs else f"the {what} may be of another assembly"
    return DataError(
        f"a sequence of the {what} has another length than in the genome",
        path=path,
        place=place,
        found=f"{name} of {' or '.join(f'{value:,}' for value in known)} bp",
        wanted=f"{lengths[target]:,} bp, as {target} in the genome",
        remedy=f"{hint}, the genome is {ours}" if ours else hint,
    )


def _refuse_two_for_one(mapping: Mapping[str, str], path: str | os.PathLike[str] | None, what: str) -> None:
    for target, names in _grouped(mapping).items():
        if len(names) > 1:
            raise DataError(
                f"two sequence names of the {what} mean the same sequence of the genome",
                path=path,
                found=" and ".join(names),
                wanted=f"one name for {target}",
                remedy="use the genome's own names",
            )
