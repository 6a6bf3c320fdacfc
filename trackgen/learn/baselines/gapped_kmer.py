"""The gapped k-mer support vector machine (Ghandi 2014, doi:10.1371/journal.pcbi.1003711), in the space of l-mers.

Its kernel compares every l-mer of one sequence with every l-mer of another, on either strand, and counts a pair with m
mismatches c_m, so that K(x, y) = x' C y for the l-mer counts x and y of the sequences, with C[u, v] = c_m of the l-mers
u and v. Nobody has to compare sequences: C is diagonal after a change of basis at each of the l places (it belongs to
the Hamming scheme, whose eigenvalues are Krawtchouk polynomials), so multiplying by it takes 20 l 4^l operations,
however many sequences there are, and a trained machine is one weight for each l-mer. The answer is the one that
comparing all pairs gives; only the offset differs from LIBSVM's, being a constant feature with a penalty of its own.

c is gkmSVM's default, the truncated filter. The full filter w_m estimates the count of an l-mer from the counts of all
gapped k-mers: it is the projection on the functions of at most k places, w_m = 4^-l sum of K_j(m) over j <= k.
Truncated, it is 0 from the first m on where it is not positive; c is that filter applied twice, up to `mismatches`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import UsageError
from trackgen.learn.kmer import kmer_indices, reversed_kmers

__all__ = ["GappedKmerMachine", "fit_gapped_kmer_machine", "mismatch_weights"]

Codes = NDArray[np.uint8]
Floats = NDArray[np.float64]

LENGTH = 10
INFORMATIVE = 6
MISMATCHES = 3
COST = 1.0
"""gkmSVM's defaults: l, k, the most mismatches that count, and C."""
MOST_POSITIVES = 5000
"""Zeng 2016 gave gkm-SVM no more positives than this, and neither do we."""
STEPS = 400
TOLERANCE = 1e-3
"""Largest violation of the optimality conditions at which the solver stops, as LIBSVM's; and the most steps."""
_CHUNK = 64
"""Sequences whose l-mers are compared with themselves at a time."""
BASIS = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2
"""Orthonormal and its own inverse: the mean of a place's four values, and three contrasts."""


def krawtchouk(length: int, order: int, mismatches: int) -> int:
    """K_order(mismatches) of l = `length` places with 4 letters: how a contrast of `order` places adds up."""
    return sum(
        (-1) ** shared * 3 ** (order - shared) * comb(mismatches, shared) * comb(length - mismatches, order - shared)
        for shared in range(order + 1)
    )


def mismatch_weights(length: int, informative: int, mismatches: int) -> Floats:
    """c_m of the module's text, float64[l + 1], with c_0 = 1.

    Args:
        length: l, places of an l-mer.
        informative: k of them that a gapped k-mer fixes.
        mismatches: c_m is 0 for more.
    """
    places = range(length + 1)
    full = [sum(krawtchouk(length, order, m) for order in range(informative + 1)) for m in places]
    end = next((m for m in places if full[m] <= 0), length + 1)
    filtered = [value / 4**length if m < end else 0.0 for m, value in enumerate(full)]
    twice = _from_eigenvalues(_eigenvalues(np.array(filtered)) ** 2)
    twice[mismatches + 1 :] = 0
    return np.asarray(twice / twice[0])


def _eigenvalues(weights: Floats) -> Floats:
    """Of the matrix with entry weights[m] for two l-mers with m mismatches: float64[l + 1], by number of contrasts."""
    length = len(weights) - 1
    # the number of l-mers at m mismatches, each times the value of the contrast there
    table = [[krawtchouk(length, m, order) for m in range(length + 1)] for order in range(length + 1)]
    return np.asarray(np.array(table, dtype=np.float64) @ weights)


def _from_eigenvalues(values: Floats) -> Floats:
    """The inverse of `_eigenvalues`: the table of the Krawtchouk polynomials is its own inverse up to 4^l."""
    return _eigenvalues(values) / 4.0 ** (len(values) - 1)


@cache
def _contrasts(length: int) -> NDArray[np.int8]:
    """How many places of each basis function are contrasts: int8[4^l]."""
    index = np.arange(4**length)
    number = np.zeros(4**length, dtype=np.int8)
    for place in range(length):
        number += (index >> (2 * place)) & 3 > 0
    return number


def _rotated(values: Floats, length: int) -> Floats:
    """Change to the basis of contrasts, and back: l times a product with a 4 x 4 matrix, the places taking turns."""
    for _ in range(length):
        values = np.matmul(BASIS, values.reshape(-1, 4).T)
    return np.asarray(values.ravel())


class _Kernel:
    """x' C y for sparse l-mer counts, and what it takes to normalise it."""

    def __init__(self, length: int, weights: Floats) -> None:
        self.length, self.weights = length, weights
        self.spectrum = _eigenvalues(weights)[_contrasts(length)]
        self.reverse = reversed_kmers(length)

    def spread(self, counts: Floats) -> Floats:
        """C (y + y of the other strand): float64[4^l] from the counts y of one strand."""
        both = counts + counts[self.reverse]
        return np.asarray(_rotated(_rotated(both, self.length) * self.spectrum, self.length))

    def norms(self, index: NDArray[np.int32]) -> Floats:
        """The square root of K(x, x) of each row of l-mer indices, as `kmer_indices` gives them."""
        pair = self.weights[_contrasts(self.length)]
        known = np.append(np.ones(4**self.length, dtype=np.bool_), False)
        totals = []
        for start in range(0, len(index), _CHUNK):
            rows = index[start : start + _CHUNK]
            real = known[rows]
            own = np.where(real, rows, 0)
            both = np.concatenate([own, self.reverse[own]], axis=1)
            value = pair[own[:, :, None] ^ both[:, None, :]]
            value *= real[:, :, None] & np.concatenate([real, real], axis=1)[:, None, :]
            totals.append(value.sum(axis=(1, 2)))
        return np.asarray(np.sqrt(np.maximum(np.concatenate(totals), 1e-12)))


@dataclass(frozen=True)
class GappedKmerMachine:
    """A trained machine.

    Attributes:
        length, informative, mismatches: see `mismatch_weights`.
        weights: float64[4^l + 1] of each l-mer; the last, of l-mers with unknown bases, is 0.
        offset: added to every score.
        positives, negatives: sequences it was trained on.
        support: how many of them have a weight.
    """

    length: int
    informative: int
    mismatches: int
    weights: Floats
    offset: float
    positives: int
    negatives: int
    support: int

    def scores(self, codes: Codes) -> Floats:
        """float64[n] decision values of uint8[n, L] sequences: above 0 is called bound."""
        kernel = _Kernel(self.length, mismatch_weights(self.length, self.informative, self.mismatches))
        index = kmer_indices(codes, self.length)
        return np.asarray(self.weights[index].sum(axis=1) / kernel.norms(index) + self.offset)


def fit_gapped_kmer_machine(
    codes: Codes,
    labels: NDArray[np.int64],
    *,
    length: int = LENGTH,
    informative: int = INFORMATIVE,
    mismatches: int = MISMATCHES,
    cost: float = COST,
    most: int = MOST_POSITIVES,
    seed: int = 0,
) -> GappedKmerMachine:
    """Train on uint8[n, L] sequences with labels 1 (bound) and 0.

    Args:
        codes, labels: the training part.
        length: l; memory is some ten times 4^l x 8 bytes.
        informative: k.
        mismatches: the most that count.
        cost: C, the penalty of an error.
        most: of either class no more than this many, drawn by `seed`.
        seed: see `most`.

    Raises:
        UsageError: l, k and the mismatches do not go together, or one of the classes is absent.
    """
    if not 1 <= informative <= length <= min(12, codes.shape[1]) or not 0 <= mismatches <= length:
        raise UsageError(
            "these are no gapped k-mers", found=f"l {length}, k {informative}, {mismatches} mismatches",
            wanted=f"1 <= k <= l <= {min(12, codes.shape[1])}, and 0 to l mismatches",
        )  # fmt: skip
    rows = _drawn(labels, most, seed)
    sign = np.where(labels[rows] == 1, 1.0, -1.0)
    kernel = _Kernel(length, mismatch_weights(length, informative, mismatches))
    index = kmer_indices(codes[rows], length)
    dual = _solve(kernel, index, sign, cost)
    weights = np.append(kernel.spread(_gathered(index, dual * sign / kernel.norms(index), length)), 0.0)
    positives = int((sign > 0).sum())
    return GappedKmerMachine(
        length, informative, mismatches, weights, float(dual @ sign), positives, len(sign) - positives,
        int((dual > 0).sum()),
    )  # fmt: skip


def _drawn(labels: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """Rows of at most `most` sequences of either class."""
    random = np.random.default_rng(seed)
    drawn = []
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        if not len(rows):
            raise UsageError("one of the classes is absent", found=f"no sequence with label {label}", wanted="both")
        drawn.append(np.sort(random.permutation(rows)[:most]))
    return np.concatenate(drawn)


def _gathered(index: NDArray[np.int32], share: Floats, length: int) -> Floats:
    """Sum of the l-mer counts of all sequences, each times its share: float64[4^l]."""
    each = np.repeat(share, index.shape[1])
    sums = np.bincount(index.ravel(), weights=each, minlength=4**length + 1)
    return np.asarray(sums[: 4**length], dtype=np.float64)


def _solve(kernel: _Kernel, index: NDArray[np.int32], sign: Floats, cost: float) -> Floats:
    """The dual of the machine with the normalised kernel plus 1: a box, and a quadratic of which C gives the gradient.

    Minimises a' Q a / 2 - sum a over 0 <= a <= cost, with Q[i, j] = sign_i sign_j (K(i, j) + 1).
    """
    from scipy.optimize import minimize

    scale = sign / kernel.norms(index)

    def value_and_gradient(dual: Floats) -> tuple[float, Floats]:
        weights = np.append(kernel.spread(_gathered(index, dual * scale, kernel.length)), 0.0)
        product = weights[index].sum(axis=1) * scale + sign * float(dual @ sign)
        return float(dual @ product) / 2 - float(dual.sum()), product - 1

    found = minimize(
        value_and_gradient, np.full(len(sign), cost / 2), jac=True, method="L-BFGS-B", bounds=[(0, cost)] * len(sign),
        options={"maxiter": STEPS, "gtol": TOLERANCE, "ftol": 0, "maxcor": 30},
    )  # fmt: skip
    return np.asarray(found.x)
