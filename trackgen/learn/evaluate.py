"""How good a TSS model is: on the windows of the split, and at every base of both strands of whole sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.calibration import Calibration, reliability
from trackgen.learn.datasets.tss import CLASSES, TssData, TssExamples, class_labels
from trackgen.learn.every_base import StrandScores
from trackgen.learn.metrics import CallTable, Matches, auprc, auroc, call_peaks, confusion, one_vs_all, softmax
from trackgen.learn.thresholds import rounded_down

__all__ = ["CALL_DISTANCE", "SITE_CLASSES", "THRESHOLD_TOLERANCE", "TOLERANCES", "EveryBase", "evaluate_windows"]

CALL_DISTANCE = 50
"""A call has the largest probability among all bases within this distance on its strand, bp."""
TOLERANCES = (0, 10, 50)
"""A call is right when a site of its class lies within so many bp on its strand."""
THRESHOLD_TOLERANCE = 10
SITE_CLASSES = (*CLASSES[1:], "tss")
"""Classes of sites; ``tss`` is a TSS of either class, its score the probability of not being background."""


def evaluate_windows(logits: NDArray[np.floating], examples: TssExamples) -> dict[str, Any]:
    """Figures on labelled windows, as trained (without calibration).

    Returns:
        ``classes``: AUROC, AUPRC and prevalence of each class against all others; ``confusion``: counts by true and
        most probable class; ``near`` and ``far``: AUROC and AUPRC of the TSS classes against that half of the
        background alone.
    """
    probabilities = softmax(logits)
    result: dict[str, Any] = {
        "examples": len(examples),
        "classes": one_vs_all(examples.labels, probabilities, CLASSES),
        "confusion": confusion(examples.labels, probabilities.argmax(axis=1), len(CLASSES)),
    }
    background = examples.labels == 0
    for half, members in (("near", examples.near), ("far", background & ~examples.near)):
        rows = ~background | members
        result[half] = {
            name: _curve_areas(_is_class(examples.labels[rows], name), _class_score(probabilities[rows], name))
            for name in SITE_CLASSES
        }
    return result


def _curve_areas(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> dict[str, float]:
    return {"auroc": auroc(truth, score), "auprc": auprc(truth, score), "prevalence": float(truth.mean())}


def _is_class(labels: NDArray[np.integer], name: str) -> NDArray[np.bool_]:
    return np.asarray(labels > 0 if name == "tss" else labels == CLASSES.index(name))


def _class_score(probabilities: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    return 1.0 - probabilities[:, 0] if name == "tss" else probabilities[:, CLASSES.index(name)]


@dataclass(frozen=True)
class _Strand:
    """One strand of one sequence: int8[n] labels (-1 where a base is excluded or unknown), float32[n, K] logits."""

    labels: NDArray[np.int8]
    logits: NDArray[np.float32]


class EveryBase:
    """A model's logits at every base of both strands of one part of a split, with the truth beside them.

    Truth is the dominant TSS of each kept cluster, by class; every other base with a known letter outside exclusions
    is background, bases of clusters below the minimum count too.
    """

    def __init__(self, data: TssData, part: str, scores: Sequence[StrandScores]) -> None:
        clusters = data.part(part)
        labels = class_labels(clusters)
        self._strands = []
        for strand in scores:
            index = data.split.names.index(strand.name)
            here = (clusters.sites.chromosome == index) & (clusters.sites.minus == strand.minus)
            truth = np.where(data.usable_bases(strand.name), 0, -1).astype(np.int8)
            truth[clusters.sites.position[here]] = labels[here]
            self._strands.append(_Strand(truth, strand.logits))
        self.labels = np.concatenate([strand.labels[strand.labels >= 0] for strand in self._strands]).astype(np.int64)
        self.logits = np.concatenate([strand.logits[strand.labels >= 0] for strand in self._strands])

    @property
    def counts(self) -> NDArray[np.int64]:
        """Bases of each class, K of them."""
        return np.bincount(self.labels, minlength=len(CLASSES))

    def calls(self, calibration: Calibration, name: str) -> dict[int, CallTable]:
        """Candidate calls of a class against its sites, by tolerance."""
        tables: dict[int, list[CallTable]] = {tolerance: [] for tolerance in TOLERANCES}
        for strand in self._strands:
            score = _class_score(calibration.apply(strand.logits), name)
            score[strand.labels < 0] = -np.inf
            positions = call_peaks(score, CALL_DISTANCE)
            positions = positions[strand.labels[positions] >= 0]
            sites = np.flatnonzero(_is_class(np.maximum(strand.labels, 0), name))
            for tolerance, found in tables.items():
                found.append(CallTable.of(positions, score[positions], sites, tolerance))
        return {tolerance: CallTable.join(found) for tolerance, found in tables.items()}

    def best_threshold(self, calibration: Calibration, name: str) -> float:
        """The threshold of the highest F1 within `THRESHOLD_TOLERANCE` bp, `rounded_down`."""
        return rounded_down(self.calls(calibration, name)[THRESHOLD_TOLERANCE].best().threshold)

    def evaluate(self, calibration: Calibration, thresholds: dict[str, float]) -> dict[str, Any]:
        """Figures at natural prevalence.

        Returns:
            ``bases``; ``classes``: one-vs-all AUROC and AUPRC of the exact base; ``calls``: for each class of sites
            and tolerance, the area under the calls' precision-recall curve, and precision and recall at the
            threshold; ``sums``: the calibrated track's sum against the true number of sites; ``reliability``.
        """
        probabilities = calibration.apply(self.logits)
        return {
            "bases": len(self.labels),
            "classes": one_vs_all(self.labels, probabilities, CLASSES),
            "calls": {name: self._call_figures(calibration, name, thresholds[name]) for name in SITE_CLASSES},
            "sums": self.sums(calibration),
            "reliability": {
                name: reliability(_class_score(probabilities, name), _is_class(self.labels, name))
                for name in SITE_CLASSES
            },
        }  # fmt: skip

    def sums(self, calibration: Calibration) -> dict[str, dict[str, float]]:
        """For each class of sites, the sum of its probability over all bases, and the number of sites."""
        probabilities = calibration.apply(self.logits)
        return {
            name: {
                "sum": float(_class_score(probabilities, name).sum()), "sites": int(_is_class(self.labels, name).sum())
            }
            for name in SITE_CLASSES
        }  # fmt: skip

    def curves(self, calibration: Calibration) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """For each class of sites, (recall, precision) of calls within `THRESHOLD_TOLERANCE` bp."""
        curves = {}
        for name in SITE_CLASSES:
            _, precision, recall = self.calls(calibration, name)[THRESHOLD_TOLERANCE].curve()
            curves[name] = (recall, precision)
        return curves

    def _call_figures(self, calibration: Calibration, name: str, threshold: float) -> dict[str, Any]:
        figures: dict[str, Any] = {"threshold": threshold}
        for tolerance, table in self.calls(calibration, name).items():
            matches: Matches = table.at(threshold)
            figures[f"within_{tolerance}"] = {"auprc": table.area(), **matches.to_dict()}
        return figures
