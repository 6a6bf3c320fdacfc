"""Linear models that a net has to beat: on k-mer counts of the window, and on the base at each position.

The first does not know where in the window a k-mer stands, the second knows nothing else. Both are multinomial
logistic regressions on the very windows that the net is trained on; k and the penalty are chosen on validation.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "KmerModel", "PositionalModel", "fit_kmer_model", "fit_positional_model", "kmer_indices",
    "reversed_kmers",
]  # fmt: skip

Windows = tuple[NDArray[np.uint8], NDArray[np.int64]]
PENALTIES = (0.001, 0.01, 0.1)
"""Inverse strengths C of the L2 penalty that are tried."""
LENGTHS = (4, 5, 6)
ITERATIONS = 60


def kmer_indices(codes: NDArray[np.uint8], k: int) -> NDArray[np.int32]:
    """Index of the k-mer that starts at each position of the last axis, 4**k where it holds an unknown base."""
    length = codes.shape[-1] - k + 1
    index = np.zeros((*codes.shape[:-1], length), dtype=np.int32)
    unknown = np.zeros(index.shape, dtype=np.bool_)
    for offset in range(k):
        base = codes[..., offset : offset + length]
        unknown |= base > 3
        index = index * 4 + np.minimum(base, 3)
    index[unknown] = 4**k
    return index


@dataclass(frozen=True)
class KmerModel:
    """Logits linear in the counts of k-mers.

    Attributes:
        k: length of the k-mers.
        window: L, bases.
        weights: float64[4**k + 1, K]; the last row, of k-mers with unknown bases, is 0. Of two classes there is one
            column, the logit of the second.
        bias: float64[K].
        penalty: the C it was fitted with.
    """

    k: int
    window: int
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    penalty: float

    def logits(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """float64[n, K] logits of uint8[n, L] windows."""
        return np.asarray(self.weights[kmer_indices(codes, self.k)].sum(axis=1) + self.bias)

    def along(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, K] logits of all windows along uint8[n + L - 1] codes."""
        sums = np.cumsum(self.weights[kmer_indices(codes, self.k)], axis=0)
        width = self.window - self.k + 1
        first = np.concatenate([np.zeros((1, sums.shape[1])), sums[:-width]])
        return np.asarray(sums[width - 1 :] - first + self.bias, dtype=np.float32)


@dataclass(frozen=True)
class PositionalModel:
    """Logits linear in the one-hot window: weights float64[L, 5, K] (row 4, unknown, is 0), bias float64[K]."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    penalty: float

    @property
    def window(self) -> int:
        """L, bases."""
        return len(self.weights)

    def logits(self, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """float64[n, K] logits of uint8[n, L] windows."""
        total = np.tile(self.bias, (len(codes), 1))
        for position in range(self.window):
            total += self.weights[position][codes[:, position]]
        return total

    def along(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32[n, K] logits of all windows along uint8[n + L - 1] codes."""
        number = len(codes) - self.window + 1
        total = np.tile(self.bias, (number, 1))
        for position in range(self.window):
            total += self.weights[position][codes[position : position + number]]
        return total.astype(np.float32)


def fit_kmer_model(
    train: Windows, validation: Windows, *, lengths: Sequence[int] = LENGTHS, both_strands: bool = False,
    penalties: Sequence[float] = PENALTIES,
) -> KmerModel:  # fmt: skip
    """The k-mer model with the lowest cross entropy on `validation`.

    Args:
        train, validation: windows and their classes.
        lengths: values of k that are tried.
        both_strands: k-mers of either strand are counted, so that a window and its reverse complement score alike.
        penalties: values of C that are tried.
    """
    tried = []
    for k in lengths:
        features = [_kmer_counts(codes, k) for codes, _ in (train, validation)]
        if both_strands:
            features = [counts + counts[:, reversed_kmers(k)] for counts in features]
        loss, penalty, model = _best_regression(features[0], train[1], features[1], validation[1], penalties)
        tried.append((loss, k, penalty, model))
    _, k, penalty, model = min(tried, key=lambda entry: entry[0])
    columns = model.coef_.T
    if both_strands:
        # what a k-mer and its reverse complement add together, so that one strand has to be read
        columns = columns + columns[reversed_kmers(k)]
    weights = np.vstack([columns, np.zeros((1, columns.shape[1]))])
    return KmerModel(k, train[0].shape[1], weights, model.intercept_, penalty)


def reversed_kmers(k: int) -> NDArray[np.int64]:
    """Index of the reverse complement of every k-mer: int64[4**k]."""
    index, result = np.arange(4**k), np.zeros(4**k, dtype=np.int64)
    for place in range(k):
        result = result * 4 + (3 - ((index >> (2 * place)) & 3))
    return result


def fit_positional_model(train: Windows, validation: Windows) -> PositionalModel:
    """The positional model with the lowest cross entropy on `validation`."""
    features = [_one_hot_rows(codes) for codes, _ in (train, validation)]
    _, penalty, model = _best_regression(features[0], train[1], features[1], validation[1])
    weights = np.zeros((train[0].shape[1], 5, len(model.classes_)))
    weights[:, :4] = model.coef_.T.reshape(-1, 4, len(model.classes_))
    return PositionalModel(weights, model.intercept_, penalty)


def _kmer_counts(codes: NDArray[np.uint8], k: int) -> Any:
    """Sparse (n, 4**k) counts."""
    from scipy.sparse import csr_matrix

    index = kmer_indices(codes, k)
    rows = np.repeat(np.arange(len(codes)), index.shape[1])
    counts = csr_matrix((np.ones(index.size), (rows, index.ravel())), shape=(len(codes), 4**k + 1))
    return counts[:, : 4**k].tocsr()


def _one_hot_rows(codes: NDArray[np.uint8]) -> Any:
    """Sparse (n, 4 L) one-hot, zeros for unknown bases."""
    from scipy.sparse import csr_matrix

    rows, positions = np.nonzero(codes < 4)
    columns = positions * 4 + codes[rows, positions]
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(codes), 4 * codes.shape[1]))


def _best_regression(
    features: Any, labels: NDArray[np.int64], held_out: Any, truth: NDArray[np.int64],
    penalties: Sequence[float] = PENALTIES,
) -> Any:  # fmt: skip
    """(cross entropy on the held-out examples, C, model) of the best of `penalties`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    tried = []
    for penalty in penalties:
        model = LogisticRegression(C=penalty, max_iter=ITERATIONS)
        with warnings.catch_warnings():
            # stopping early is a penalty of its own, and the best model is chosen on held-out examples anyway
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features, labels)
        tried.append((float(log_loss(truth, model.predict_proba(held_out), labels=model.classes_)), penalty, model))
    return min(tried, key=lambda entry: entry[0])
