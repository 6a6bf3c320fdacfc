"""Bases as numbers: A 0, C 1, G 2, T 3, anything else 4; lower case reads like upper case."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNKNOWN", "decode", "encode", "first_other_letter", "reverse_complement"]

UNKNOWN = 4
"""The code of anything that is not A, C, G or T: N, IUPAC letters, U, and what lies outside a chromosome."""

LETTERS = b"ACGTN"


def _code_of_each_byte() -> NDArray[np.uint8]:
    table = np.full(256, UNKNOWN, np.uint8)
    for code, letter in enumerate(b"ACGT"):
        table[letter] = table[ord(chr(letter).lower())] = code
    return table


_CODES = _code_of_each_byte()
_COMPLEMENTS = np.array([3, 2, 1, 0, UNKNOWN], np.uint8)
_LETTERS = np.frombuffer(LETTERS, np.uint8)

# IUPAC's letters for nucleotides, X for a masked one, and gaps of alignments.
_OTHER = np.ones(256, np.bool_)
_OTHER[list(b"ACGTURYSWKMBDHVNXacgturyswkmbdhvnx-.*")] = False


def encode(ascii: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes of letters.

    Args:
        ascii: n bytes, or uint8[n], one ASCII letter each.

    Returns:
        uint8[n]: a new array of codes.
    """
    letters = np.frombuffer(ascii, np.uint8) if isinstance(ascii, bytes) else ascii
    return _CODES[letters]


def decode(codes: NDArray[np.uint8]) -> str:
    """The letters A, C, G, T, N of codes, uint8[n]."""
    return _LETTERS[codes].tobytes().decode("ascii")


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The other strand, read 5' to 3': uint8[..., n], reversed along the last axis; unknown stays unknown."""
    return _COMPLEMENTS[codes[..., ::-1]]


def first_other_letter(letters: bytes) -> int | None:
    """Where `letters` first holds a byte that FASTA has no use for in a nucleotide sequence; None where nowhere."""
    wrong = _OTHER[np.frombuffer(letters, np.uint8)]
    return int(np.argmax(wrong)) if wrong.any() else None
