"""What a net for many factors is worth: each factor calibrated and given its threshold, kept or left out, and judged.

Two questions are asked of every factor. Peaks: do windows around its peaks score above windows from anywhere? That is
how motifs are judged, and does not depend on how rare sites are. Genome: how well does it find its sites among the
windows at every 10th base, nearly all of which are unbound?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.learn.architectures.rc_multitask import POOL, FactorLogits, RcMultitask
from trackgen.learn.calibration import Calibration, prior_shift
from trackgen.learn.datasets.factors import BOUND, UNBOUND, FactorData, no_nearer_than
from trackgen.learn.factors_counts import APART, with_kmer_counts
from trackgen.learn.factors_training import score_along, score_sites
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.thresholds import best_threshold
from trackgen.progress import Progress

__all__ = ["Judged", "against_anywhere", "judge", "peak_scores", "score_matrix"]

ANYWHERE = 5000
"""Windows from anywhere that peaks are held against."""
FEWEST_VALIDATION_PEAKS = 3
"""A factor with fewer is not kept: its calibration and threshold would stand on nothing."""
STREAM = 11
NEWTON_STEPS = 50
NEWTON_END = 1e-9
"""Gain of log-likelihood, in nats over all windows, that is none."""

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """What came of it.

    Attributes:
        net: the plain net of the factors that are kept, calibrated.
        kept: their names.
        left_out: names of the others -> why.
        figures: of every kept factor.
    """

    net: FactorLogits
    kept: tuple[str, ...]
    left_out: dict[str, str]
    figures: dict[str, dict[str, Any]]


def judge(net: RcMultitask, data: FactorData, least_auroc: float, seed: int, progress: Progress) -> Judged:
    """Choose factors, calibrate and set thresholds on validation, then evaluate there and on test.

    Args:
        net: trained.
        data: of all its factors.
        least_auroc: of peaks against windows from anywhere on validation; factors below it are left out.
        seed: of the windows from anywhere.
        progress: told about the steps.

    Raises:
        DataError: no factor is good enough.
    """
    plain = with_kmer_counts(net.plain(), data, seed)
    aurocs = against_anywhere(plain, data, data.factors, "validation", seed)
    left_out = _left_out(data, aurocs, least_auroc)
    kept = tuple(name for name in data.factors if name not in left_out)
    if not kept:
        raise DataError(
            "no factor is good enough", wanted=f"an AUROC of {least_auroc:g} or more on validation, and "
            f"{FEWEST_VALIDATION_PEAKS} peaks there",
            found=", ".join(f"{name}: {why}" for name, why in list(left_out.items())[:5]),
            remedy="train for more epochs, lower --min-auroc, or choose larger validation sequences",
        )  # fmt: skip
    progress.note(f"{len(kept)} factors are kept, {len(left_out)} left out")
    columns = [data.factors.index(name) for name in kept]
    logits, labels = _every_window(plain, data, "validation", columns)
    fitted = [_calibration(logits[:, i], labels[:, i]) for i in range(len(kept))]
    scale, shift = [one.scale for one in fitted], [one.shift[1] for one in fitted]
    calibrated = plain.chosen(columns, scale, shift)
    values = logits * np.array(scale, np.float32) + np.array(shift, np.float32)
    thresholds = []
    for i in range(len(kept)):
        known = labels[:, i] != 0
        thresholds.append(best_threshold(labels[known, i] == BOUND, _probability(values[known, i])))
    on_test, test_labels = _every_window(calibrated, data, "test", range(len(kept)), columns)
    test_aurocs = against_anywhere(calibrated, data, kept, "test", seed)
    figures: dict[str, dict[str, Any]] = {}
    for i, name in enumerate(kept):
        figures[name] = {
            "threshold": thresholds[i], "scale": scale[i], "shift": shift[i],
            "peaks": {part: len(data.peaks(name, part)) for part in ("train", "validation", "test")},
            "validation": _genome_figures(labels[:, i], values[:, i], thresholds[i]) | {"peak_auroc": aurocs[name]},
            "test": _genome_figures(test_labels[:, i], on_test[:, i], thresholds[i])
            | {"peak_auroc": test_aurocs[name]},
        }  # fmt: skip
    return Judged(calibrated, kept, left_out, figures)


def against_anywhere(
    net: FactorLogits, data: FactorData, factors: Sequence[str], part: str, seed: int, *, seen: int | None = None
) -> dict[str, float]:
    """AUROC of windows around each factor's peaks against windows from anywhere in the part; NaN without peaks.

    Args:
        net: whose logits are those of `factors`, in order.
        data: peaks and genome.
        factors: names.
        part: of the split.
        seed: of the windows from anywhere.
        seen: see `score_sites`.
    """
    anywhere = data.anywhere(part, ANYWHERE, [seed, STREAM])
    others = score_sites(net, data.genome, anywhere, seen)
    own = peak_scores(net, data, factors, part, seen=seen)
    found = {}
    for column, name in enumerate(factors):
        apart = no_nearer_than(anywhere, data.centres[name]) > APART
        bound, unbound = own[name][:, column], others[apart, column]
        truth = np.repeat([True, False], [len(bound), len(unbound)])
        found[name] = auroc(truth, np.concatenate([bound, unbound]))
    return found


def peak_scores(
    net: FactorLogits, data: FactorData, factors: Sequence[str], part: str, *, seen: int | None = None
) -> dict[str, Scores]:
    """Logits of all of the net's factors on the windows around the peaks of each of `factors`: float32[n, factors]."""
    return {name: score_sites(net, data.genome, data.peaks(name, part), seen) for name in factors}


def score_matrix(
    net: FactorLogits, data: FactorData, factors: Sequence[str], seed: int, *, seen: int | None = None
) -> NDArray[np.float64]:
    """float64[k, k]: AUROC of the score of factor i on test windows around peaks of factor j, against anywhere.

    The windows from anywhere of a row are those that no peak of factor i is near.
    """
    anywhere = data.anywhere("test", ANYWHERE, [seed, STREAM])
    others = score_sites(net, data.genome, anywhere, seen)
    own = peak_scores(net, data, factors, "test", seen=seen)
    table = np.full((len(factors), len(factors)), np.nan)
    for i, scored in enumerate(factors):
        unbound = others[no_nearer_than(anywhere, data.centres[scored]) > APART, i]
        for j, peaks in enumerate(factors):
            bound = own[peaks][:, i]
            truth = np.repeat([True, False], [len(bound), len(unbound)])
            table[i, j] = auroc(truth, np.concatenate([bound, unbound]))
    return table


def _left_out(data: FactorData, aurocs: Mapping[str, float], least: float) -> dict[str, str]:
    """Name -> why."""
    why = {}
    for name in data.factors:
        peaks = len(data.peaks(name, "validation"))
        if peaks < FEWEST_VALIDATION_PEAKS:
            why[name] = f"{peaks} peaks on validation"
        elif not aurocs[name] >= least:
            why[name] = f"AUROC {aurocs[name]:.2f} on validation"
    return why


def _every_window(
    net: FactorLogits, data: FactorData, part: str, columns: Sequence[int], of_data: Sequence[int] | None = None
) -> tuple[Scores, NDArray[np.int8]]:
    """Logits and labels of the windows at every 10th base of a part that are not excluded: (n, columns) each.

    Args:
        net: scores them.
        data: labels them.
        part: of the split.
        columns: of the net's logits.
        of_data: the same factors among those of `data`; the same columns where None.
    """
    wanted = list(columns if of_data is None else of_data)
    scores, labels = [], []
    for name in getattr(data.split, part):
        every = data.every(name, POOL)
        scores.append(score_along(net, data.genome, name)[every.position // POOL][:, list(columns)])
        labels.append(data.labels(every)[:, wanted])
    return np.concatenate(scores), np.concatenate(labels)


def _calibration(logits: Scores, labels: NDArray[np.int8]) -> Calibration:
    """Scale and shift of the highest likelihood over the windows that are bound or unbound, by Newton's steps.

    The same optimum as `fit_calibration`'s, whose general search takes a hundred times as long for one factor.
    """
    known = labels != 0
    truth, score = labels[known] == BOUND, logits[known].astype(np.float64)
    point = np.array([1.0, prior_shift(np.array([1, 1]), np.bincount(truth, minlength=2)).shift[1]])
    best = _log_likelihood(point, score, truth)
    for _ in range(NEWTON_STEPS):
        probability = _probability(point[0] * score + point[1])
        rest, weight = truth - probability, probability * (1 - probability)
        slope = np.array([rest @ score, rest.sum()])
        bend = np.array([[weight @ score**2, weight @ score], [weight @ score, weight.sum()]])
        step = np.linalg.solve(bend + 1e-9 * np.eye(2), slope)
        while _log_likelihood(point + step, score, truth) < best and np.abs(step).max() > NEWTON_END:
            step /= 2
        point, before = point + step, best
        best = _log_likelihood(point, score, truth)
        if best - before < NEWTON_END:
            break
    return Calibration(float(point[0]), (0.0, float(point[1])))


def _log_likelihood(point: NDArray[np.float64], score: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    logit = point[0] * score + point[1]
    return float(logit[truth].sum() - np.logaddexp(0, logit).sum())


def _genome_figures(labels: NDArray[np.int8], logits: Scores, threshold: float) -> dict[str, Any]:
    known = labels != 0
    truth, probability = labels[known] == BOUND, _probability(logits[known])
    called = probability >= threshold
    right = int((called & truth).sum())
    return {
        "windows": int(known.sum()), "bound": int(truth.sum()), "unbound": int((labels == UNBOUND).sum()),
        "auroc": auroc(truth, probability), "auprc": auprc(truth, probability), "called": int(called.sum()),
        "precision": right / max(int(called.sum()), 1), "recall": right / max(int(truth.sum()), 1),
        "sum": float(probability.sum()),
    }  # fmt: skip


def _probability(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64))))
