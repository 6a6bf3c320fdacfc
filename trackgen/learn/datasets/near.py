"""Test windows that the training windows hold almost letter by letter: transposons, subtelomeres, overlapping peaks.

A split by chromosome keeps no repeat apart. A window is near-identical to another where that one holds, on either
strand and at any place, half or more of its different 12-mers: for 101 bp that is about 95 % of identical bases over
the whole window, or identity over little more than half of it. Two windows drawn at random share one in ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import reverse_complement
from trackgen.learn.kmer import kmer_indices

__all__ = ["LENGTH", "SHARE", "canonical_kmers", "near_identical", "shared_with_one"]

LENGTH = 12
"""Bases of the words that are compared: long enough to be rare in a window, short enough to lie between differences."""
SHARE = 0.5
_WINDOWS_AT_ONCE = 1 << 15
"""Training windows of which an index is held; with 101 bp it takes 50 MB."""
_PAIRS_AT_ONCE = 1 << 22

_Codes = NDArray[np.uint8]
_Words = NDArray[np.int64]


def near_identical(test: _Codes, train: _Codes, *, share: float = SHARE, length: int = LENGTH) -> NDArray[np.bool_]:
    """Mask of the test windows of which one training window holds at least `share` of the different words.

    Args:
        test: uint8[n, L] codes.
        train: uint8[m, M] codes; the lengths may differ.
        share: above 0, at most 1.
        length: of a word, bases, at most 15.

    Returns:
        bool[n]; a window without a whole known word is near nothing.
    """
    return shared_with_one(test, train, length=length, least=share) >= share


def shared_with_one(test: _Codes, train: _Codes, *, length: int = LENGTH, least: float = 0.0) -> NDArray[np.float64]:
    """The largest share of each test window's different words that a single training window holds.

    Args:
        test: uint8[n, L] codes.
        train: uint8[m, M] codes.
        length: of a word, bases.
        least: where a share is certain to be below this, 0 may be given for it, which is faster.

    Returns:
        float64[n].
    """
    words = canonical_kmers(test, length)
    number = np.maximum((words >= 0).sum(axis=1), 1)
    best = np.zeros(len(test), dtype=np.int64)
    for first in range(0, len(train), _WINDOWS_AT_ONCE):
        index = _Index(canonical_kmers(train[first : first + _WINDOWS_AT_ONCE], length))
        # No single window holds more words than all of them together do.
        held = index.holds(words).sum(axis=1)
        rows = np.flatnonzero((held >= least * number) & (held > best))
        best[rows] = np.maximum(best[rows], index.most_in_one(words[rows]))
    return np.asarray(best / number)


def canonical_kmers(codes: _Codes, length: int) -> _Words:
    """The different words of each window, a word and its reverse complement being one.

    Args:
        codes: uint8[n, L].
        length: k, bases, at most 15.

    Returns:
        int64[n, max(L - k + 1, 0)], sorted; -1 for words with an unknown base and for a word's second occurrence.
    """
    if codes.shape[1] < length:
        return np.zeros((len(codes), 0), dtype=np.int64)
    forward = kmer_indices(codes, length).astype(np.int64)
    backward = kmer_indices(reverse_complement(codes), length)[:, ::-1]
    words = np.minimum(forward, backward)
    words[words == 4**length] = -1
    words.sort(axis=1)
    words[:, 1:][np.diff(words, axis=1) == 0] = -1
    return words


class _Index:
    """In which windows each word stands."""

    def __init__(self, words: _Words) -> None:
        window, column = np.nonzero(words >= 0)
        word = words[window, column]
        order = np.argsort(word, kind="stable")
        self._words, starts = np.unique(word[order], return_index=True)
        self._starts = np.append(starts, len(order))
        self._windows = window[order].astype(np.int64)

    def holds(self, words: _Words) -> NDArray[np.bool_]:
        """Which of the words, of any shape, stand in a window."""
        return self._find(words)[1]

    def _find(self, words: _Words) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Place of each word among those of the index, and whether it is there."""
        if not len(self._words):
            return np.zeros(words.shape, np.int64), np.zeros(words.shape, np.bool_)
        at = np.minimum(np.searchsorted(self._words, words), len(self._words) - 1)
        return at, np.asarray(self._words[at] == words)

    def most_in_one(self, words: _Words) -> NDArray[np.int64]:
        """The largest number of the words of each row, int64[r, w], that one window holds: int64[r]."""
        at, there = self._find(words)
        copies = np.where(there, self._starts[at + 1] - self._starts[at], 0)
        most = np.zeros(len(words), dtype=np.int64)
        for rows in _pieces(copies.sum(axis=1)):
            row, column = np.nonzero(there[rows])
            number, place = copies[rows][row, column], self._starts[at[rows][row, column]]
            pair = np.repeat(np.arange(len(number)), number)
            rank = np.arange(len(pair)) - np.repeat(np.cumsum(number) - number, number)
            window = self._windows[place[pair] + rank]
            key, count = np.unique(row[pair] * (self._windows.max() + 1) + window, return_counts=True)
            np.maximum.at(most, rows.start + key // (self._windows.max() + 1), count)
        return most


def _pieces(sizes: NDArray[np.int64]) -> Iterator[slice]:
    """Stretches of rows whose sizes sum to at most `_PAIRS_AT_ONCE`, or of one row."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        yield slice(start, end)
        start = end
