"""Slow references, written from the definitions in docs/file-formats.md and sharing no code with the package.

They work on Python strings and on one base or one window at a time, in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


class Window(NamedTuple):
    """The geometry of a model: window, bin and stride in bp; resolution of a profile, or None."""

    length: int
    bin: int
    stride: int
    resolution: int | None = None


def read_window(sequence: str, start: int, length: int) -> str:
    """`length` letters from `start` on; what lies outside the sequence, or is no base, reads N."""
    letters = []
    for position in range(start, start + length):
        letter = sequence[position].upper() if 0 <= position < len(sequence) else "N"
        letters.append(letter if letter in COMPLEMENT else "N")
    return "".join(letters)


def reverse_complement(letters: str) -> str:
    return "".join(COMPLEMENT.get(letter, "N") for letter in reversed(letters))


def one_hot(letters: str, bases: str = "ACGT") -> np.ndarray:
    """(4, L) float64."""
    matrix = np.zeros((4, len(letters)))
    for position, letter in enumerate(letters):
        if letter in bases:
            matrix[bases.index(letter), position] = 1.0
    return matrix


def track_at_every_base(
    sequence: str, geometry: Window, model: Callable[[str], np.ndarray], class_index: int, strand: str, partner: int
) -> np.ndarray:
    """The value of a track at every base of a sequence, NaN where the base has no known letter.

    Args:
        model: window letters -> (K,) or (K, M).
        strand: ``plus``, ``minus`` or ``average``.
        partner: the class that takes the place of `class_index` on a reverse complement.
    """
    at_window: dict[int, np.ndarray] = {}
    length, bin_, stride, _ = geometry
    pad = (length - bin_) // 2
    tail = length - pad - bin_

    def value(index: int) -> np.ndarray:
        """(positions,) the values of window `index`, in forward order."""
        if index not in at_window:
            plus = read_window(sequence, index * stride - pad, length)
            minus = reverse_complement(read_window(sequence, index * stride - tail, length))
            if strand == "plus":
                result = np.atleast_1d(model(plus)[class_index])
            elif strand == "minus":
                result = np.atleast_1d(model(minus)[partner])[::-1]
            else:
                there = np.atleast_1d(model(plus)[class_index])
                back = np.atleast_1d(model(reverse_complement(plus))[partner])[::-1]
                result = (there + back) / 2
            at_window[index] = result
        return at_window[index]

    return np.array([_value_at(sequence, position, geometry, value) for position in range(len(sequence))])


def _value_at(sequence: str, position: int, geometry: Window, value: Callable[[int], np.ndarray]) -> float:
    if sequence[position].upper() not in COMPLEMENT:
        return float("nan")
    _, bin_, stride, resolution = geometry
    if resolution is None:
        offset = max(0, (bin_ - stride) // 2)
        return float(value((position - offset) // stride)[0])
    # Every window i >= 0 with its bin [i * stride, i * stride + bin) over this base.
    last = (len(sequence) - 1) // stride
    values = [
        value(index)[(position - index * stride) // resolution]
        for index in range(last + 1)
        if index * stride <= position < index * stride + bin_
    ]
    return float(np.mean(values))


def gap_spans(sequence: str) -> list[tuple[int, int]]:
    """Maximal runs of letters that are not A, C, G or T."""
    spans: list[tuple[int, int]] = []
    for position, letter in enumerate(sequence):
        if letter.upper() not in COMPLEMENT:
            if spans and spans[-1][1] == position:
                spans[-1] = (spans[-1][0], position + 1)
            else:
                spans.append((position, position + 1))
    return spans


def softmax(logits: Sequence[float] | np.ndarray) -> np.ndarray:
    shifted = np.exp(np.asarray(logits, float) - np.max(logits))
    return np.asarray(shifted / shifted.sum())
