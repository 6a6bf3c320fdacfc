"""The one motif that tells bound sequences from others best: a simple model to beat, and filters to start from.

The most enriched k-mer is the seed. All its occurrences in bound sequences, one mismatch allowed, on either strand,
give a first matrix of log-odds; twice, the best hits of the matrix in the bound sequences give the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import reverse_complement

__all__ = ["Motif", "find_motif"]

SEED_LENGTH = 7
WIDTH = 15
ROUNDS = 2
FALSE_HITS = 0.05
"""Share of unbound sequences whose best hit may reach the score that a hit in a bound one must have."""
PSEUDOCOUNT = 2.0
_CHUNK = 4096
"""Sequences that are scored at a time."""

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class Motif:
    """Natural log-odds of each base at each place: float64[w, 4]; a place with an unknown base counts 0."""

    log_odds: NDArray[np.float64]

    @property
    def width(self) -> int:
        """w, bases."""
        return len(self.log_odds)

    @property
    def consensus(self) -> str:
        """The likeliest base at each place, in lower case where it is not even twice as likely as by chance."""
        letters = ("ACGT"[int(row.argmax())] for row in self.log_odds)
        strong = self.log_odds.max(axis=1) >= np.log(2)
        return "".join(a if b else a.lower() for a, b in zip(letters, strong, strict=True))

    def best(self, codes: Codes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Score of the best hit in each of uint8[n, L] sequences, either strand, and its place.

        Returns:
            float64[n] scores, and int64[n]: the first base of the hit, plus L - w + 1 where it is on the minus strand.
        """
        scores, places = [], []
        for start in range(0, len(codes), _CHUNK):
            every = np.concatenate([_along(table, codes[start : start + _CHUNK]) for table in self._strands()], axis=1)
            places.append(every.argmax(axis=1))
            scores.append(every.max(axis=1))
        return np.concatenate(scores), np.concatenate(places)

    def _strands(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.log_odds, self.log_odds[::-1, ::-1]


def _along(table: NDArray[np.float64], codes: Codes) -> NDArray[np.float64]:
    """Score at every place: float64[n, L - w + 1]."""
    rows = np.hstack([table, np.zeros((len(table), 1))])
    number = codes.shape[1] - len(table) + 1
    total = np.zeros((len(codes), number))
    for place, row in enumerate(rows):
        total += row[codes[:, place : place + number]]
    return total


def find_motif(bound: Codes, unbound: Codes) -> Motif:
    """The motif of uint8[n, L] bound sequences against uint8[m, L] unbound ones."""
    background = np.bincount(unbound.ravel(), minlength=5)[:4] + 1.0
    background = (background + background[::-1]) / (2 * background.sum())
    seed = _seed(bound, unbound)
    flank = (WIDTH - SEED_LENGTH) // 2
    hits = [_near(seed, strand, flank) for strand in (bound, _reverse(bound))]
    motif = _motif(np.concatenate(hits), background)
    for _ in range(ROUNDS):
        least = np.quantile(motif.best(unbound)[0], 1 - FALSE_HITS)
        score, place = motif.best(bound)
        found = _cut(bound[score > least], place[score > least], WIDTH)
        if not len(found):
            break
        motif = _motif(found, background)
    return motif


def _reverse(codes: Codes) -> Codes:
    return reverse_complement(codes.ravel()).reshape(codes.shape)[::-1]


def _seed(bound: Codes, unbound: Codes) -> NDArray[np.uint8]:
    """The k-mer that stands in more bound sequences than the unbound ones let expect, in standard deviations."""
    shares = []
    for codes in (bound, unbound):
        count = np.zeros(4**SEED_LENGTH + 1)
        for strand in (codes, _reverse(codes)):
            present = np.sort(_kmers(strand), axis=1)
            first = np.diff(present, axis=1, prepend=-1) != 0
            count += np.bincount(present[first], minlength=len(count))
        shares.append(count[:-1] / len(codes))
    expected = np.maximum(shares[1] * len(bound), 1.0)
    best = int(np.argmax((shares[0] * len(bound) - expected) / np.sqrt(expected)))
    return np.array([best // 4**power % 4 for power in range(SEED_LENGTH - 1, -1, -1)], dtype=np.uint8)


def _kmers(codes: Codes) -> NDArray[np.int32]:
    from trackgen.learn.kmer import kmer_indices

    return kmer_indices(codes, SEED_LENGTH)


def _near(seed: NDArray[np.uint8], codes: Codes, flank: int) -> Codes:
    """uint8[m, k + 2 flank]: each occurrence of the seed with at most one mismatch, with bases to either side."""
    windows = np.lib.stride_tricks.sliding_window_view(codes, len(seed) + 2 * flank, axis=1)
    near = (windows[:, :, flank : flank + len(seed)] != seed).sum(axis=2) <= 1
    return np.ascontiguousarray(windows[near])


def _cut(codes: Codes, place: NDArray[np.int64], width: int) -> Codes:
    """The hits at `place`, as `Motif.best` gives it, in the motif's own direction."""
    number = codes.shape[1] - width + 1
    start = np.where(place < number, place, place - number)
    hits = np.take_along_axis(codes, start[:, None] + np.arange(width), axis=1)
    minus = place >= number
    hits[minus] = _reverse(hits[minus])[::-1]
    return hits


def _motif(hits: Codes, background: NDArray[np.float64]) -> Motif:
    counts = np.stack([(hits == base).sum(axis=0) for base in range(4)], axis=1) + PSEUDOCOUNT * background
    return Motif(np.log(counts / counts.sum(axis=1, keepdims=True) / background))
