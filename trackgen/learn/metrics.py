"""Figures of classifiers: one-vs-all curves, confusion, and calls against sites on the genome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CallTable", "Matches", "auprc", "auroc", "call_peaks", "confusion", "one_vs_all", "recall_at", "softmax",
]  # fmt: skip

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Probabilities of float[n, K] logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted.astype(np.float64))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), dtype=np.float64)


def auroc(truth: NDArray[np.bool_], score: Floats) -> float:
    """Area under the receiver operating characteristic; NaN where one side is empty."""
    if not truth.any() or truth.all():
        return float("nan")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, score))


def auprc(truth: NDArray[np.bool_], score: Floats) -> float:
    """Area under the precision-recall curve, as average precision; NaN where nothing is true."""
    if not truth.any():
        return float("nan")
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, score))


def recall_at(truth: NDArray[np.bool_], score: Floats, false_share: float) -> float:
    """The largest recall at which no more than `false_share` of what is called is false; 0 where there is none."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, score)
    return float(recall[precision >= 1 - false_share].max())


def one_vs_all(labels: Ints, probabilities: Floats, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """AUROC, AUPRC and prevalence of each class against all others."""
    figures = {}
    for index, name in enumerate(classes):
        truth = labels == index
        score = probabilities[:, index]
        figures[name] = {
            "auroc": auroc(truth, score), "auprc": auprc(truth, score), "prevalence": float(truth.mean()),
        }  # fmt: skip
    return figures


def confusion(labels: Ints, predicted: Ints, number: int) -> list[list[int]]:
    """Counts by true class (rows) and predicted class (columns)."""
    counts = np.bincount(labels * number + predicted, minlength=number * number)
    return [[int(count) for count in row] for row in counts.reshape(number, number)]


def call_peaks(score: Floats, distance: int) -> Ints:
    """Positions whose score is the largest, first on ties, among all positions within `distance` bp.

    Args:
        score: float[n], one value a base.
        distance: bases to either side.

    Returns:
        Sorted int64 positions.
    """
    from scipy.ndimage import maximum_filter1d

    highest = maximum_filter1d(score, 2 * distance + 1, mode="constant", cval=-np.inf)
    called = score == highest
    if distance:
        # An equal before it within reach comes first, whether or not that one is a call itself.
        previous = np.concatenate([[-np.inf], score])[:-1]
        before = maximum_filter1d(previous, distance, origin=(distance - 1) // 2, mode="constant", cval=-np.inf)
        called &= score > before
    return np.asarray(np.flatnonzero(called), dtype=np.int64)


@dataclass(frozen=True)
class Matches:
    """How calls at a threshold agree with the true sites.

    Attributes:
        threshold: smallest score of a call.
        calls, true_calls: calls made, and those with a site within the distance.
        sites, found_sites: true sites, and those with a call within the distance.
    """

    threshold: float
    calls: int
    true_calls: int
    sites: int
    found_sites: int

    @property
    def precision(self) -> float:
        """Share of calls that are right; NaN without calls."""
        return self.true_calls / self.calls if self.calls else float("nan")

    @property
    def recall(self) -> float:
        """Share of sites that are found; NaN without sites."""
        return self.found_sites / self.sites if self.sites else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where either is undefined."""
        if not self.calls or not self.sites or not (self.true_calls and self.found_sites):
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    def to_dict(self) -> dict[str, float]:
        """For a JSON report."""
        return {
            "threshold": self.threshold, "precision": self.precision, "recall": self.recall, "f1": self.f1,
            "calls": self.calls, "sites": self.sites,
        }  # fmt: skip


@dataclass(frozen=True)
class CallTable:
    """All candidate calls of a track and the sites they should hit, for one tolerance.

    Attributes:
        scores: float[c], score of each candidate call.
        right: bool[c], a site lies within the tolerance.
        found: float[s], best score of a call within the tolerance of each site, -inf where there is none.
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    found: NDArray[np.float64]

    @classmethod
    def of(cls, calls: Ints, scores: Floats, sites: Ints, tolerance: int) -> CallTable:
        """Of one strand: sorted call positions with their scores, and sorted site positions; tolerance in bp."""
        low, high = np.searchsorted(sites, calls - tolerance), np.searchsorted(sites, calls + tolerance, side="right")
        found = np.full(len(sites), -np.inf)
        for call in np.flatnonzero(high > low):
            window = slice(low[call], high[call])
            found[window] = np.maximum(found[window], scores[call])
        return cls(np.asarray(scores, dtype=np.float64), np.asarray(high > low), found)

    @classmethod
    def join(cls, tables: Sequence[CallTable]) -> CallTable:
        """The calls and sites of several strands together."""
        return cls(
            np.concatenate([table.scores for table in tables]),
            np.concatenate([table.right for table in tables]),
            np.concatenate([table.found for table in tables]),
        )

    def at(self, threshold: float) -> Matches:
        """Agreement of the calls that score at least `threshold`."""
        made = self.scores >= threshold
        return Matches(
            float(threshold), int(made.sum()), int((made & self.right).sum()),
            len(self.found), int((self.found >= threshold).sum()),
        )  # fmt: skip

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(thresholds, precision, recall), one entry for each distinct score, from the highest."""
        order = np.argsort(-self.scores, kind="stable")
        scores, right = self.scores[order], np.cumsum(self.right[order])
        last = np.flatnonzero(np.diff(scores, append=-np.inf) != 0)
        found = np.searchsorted(np.sort(-self.found), -scores[last], side="right")
        return scores[last], right[last] / (last + 1), found / max(len(self.found), 1)

    def area(self) -> float:
        """Area under the precision-recall curve of calls (steps in recall times precision)."""
        _, precision, recall = self.curve()
        return float(np.sum(np.diff(recall, prepend=0.0) * precision))

    def best(self) -> Matches:
        """Agreement at the threshold of the highest F1."""
        thresholds, precision, recall = self.curve()
        both = precision + recall
        f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
        return self.at(float(thresholds[int(np.argmax(f1))]))
