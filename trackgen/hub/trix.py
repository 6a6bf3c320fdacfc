"""JBrowse's text search: the files ``.ix`` and ``.ixx`` that its own ``jbrowse text-index`` writes (trix, of UCSC).

``.ix`` has one line a word, sorted: the word in lower case, then each record that has it, as ``RECORD,NUMBER``. A
record is a JSON list of percent-encoded texts with ``|`` for commas: locus (1-based closed), track, name, other names.
``.ixx`` says where in ``.ix`` the words of a prefix begin: the prefix, then ten hexadecimal digits.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote

__all__ = ["search_index"]

BIN = 1 << 16
"""Bytes of ``.ix`` that a reader gets at a time, at least."""
PREFIXES = range(5, 41)
UNRESERVED = "-_.!~*'()"
"""What JavaScript's encodeURIComponent leaves as it is, beside letters and digits."""


def search_index(entries: Iterable[tuple[str, Sequence[str]]], track: str) -> tuple[bytes, bytes]:
    """The contents of ``.ix`` and ``.ixx``.

    Args:
        entries: for each feature its locus (``chrI:1..100``) and its names, no two alike.
        track: the track's id in config.json.
    """
    words: dict[str, list[str]] = {}
    for locus, names in entries:
        for name in names:
            # JBrowse goes at once to what is asked for only where that is the first name of the record.
            texts = (locus, track, name, *(other for other in names if other != name))
            record = json.dumps([quote(text, safe=UNRESERVED) for text in texts], separators=("|", ":"))
            for word in dict.fromkeys(name.lower().split()):
                words.setdefault(word, []).append(record)
    lines = []
    for word in sorted(words):
        records = (f"{record},{number}" for number, record in enumerate(sorted(words[word]), 1))
        lines.append((word, f"{word} {' '.join(records)}\n".encode()))
    index = b"".join(text for _, text in lines)
    sizes = [(word, len(text)) for word, text in lines]
    bins: list[tuple[str, int]] = []
    for length in PREFIXES:
        bins = _bins(sizes, length)
        if _is_fine(bins, len(index)):
            break
    return index, "".join(f"{prefix}{position:010X}\n" for prefix, position in bins).encode()


def _bins(lines: Sequence[tuple[str, int]], length: int) -> list[tuple[str, int]]:
    """(prefix, where its words begin), at least `BIN` bytes apart."""
    found: list[tuple[str, int]] = []
    position = begins = 0
    written = -BIN
    last = None
    for word, size in lines:
        prefix = word[:length].ljust(length)
        if prefix != last:
            begins = position
        if position - written >= BIN and (not found or prefix != found[-1][0]):
            found.append((prefix, begins))
            written = position
        last = prefix
        position += size
    return found


def _is_fine(bins: Sequence[tuple[str, int]], total: int) -> bool:
    """Whether no search must read much more than a bin."""
    steps = [after[1] - before[1] for before, after in itertools.pairwise(bins)]
    if not steps:
        return total <= BIN
    return sum(steps) <= 3 * BIN * len(steps) and max(steps) <= 10 * BIN
