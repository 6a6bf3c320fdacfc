"""How good a classifier of sequences is: its calibration, its threshold, and figures beside those of simple models.

Without more, all of it is of the set's own balance of classes. With a prevalence P, unbound sequences weigh
(1 - P) / P times what bound ones do in sum: probabilities, threshold, precision and the area under the precision-recall
curve are then those of a genome of which the share P of windows is bound. Logits are moved there by the difference of
the log-odds of both shares (Saerens 2002, doi:10.1162/089976602753284446). With a genome, its own windows are the
unbound sequences of that: a shuffle is easier to tell than what a scan meets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from trackgen.genome import open_genome, parse_regions, reverse_complement
from trackgen.learn.calibration import Calibration, fit_calibration, reliability
from trackgen.learn.datasets.background import background_windows, bound_intervals
from trackgen.learn.datasets.batches import FixedWindows
from trackgen.learn.datasets.importers import SetOptions
from trackgen.learn.datasets.near import near_identical
from trackgen.learn.datasets.sequences import Parts, SequenceSet
from trackgen.learn.fit import predict
from trackgen.learn.metrics import auprc, auroc
from trackgen.learn.motif import Motif, find_motif
from trackgen.learn.thresholds import best_threshold

__all__ = [
    "Judged", "Judgement", "calibration_at", "genome_parts", "in_order", "judge", "log_odds",
    "training_motif",
]  # fmt: skip

PREDICTED_AT_ONCE = 1000


@dataclass(frozen=True)
class Judgement:
    """The net's calibration, figures of it and of simple models, and (recall, precision) on the test sequences."""

    calibration: Calibration
    figures: dict[str, Any]
    curves: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


@dataclass(frozen=True)
class Judged:
    """A net, and how it is read.

    Attributes:
        device: where it runs.
        turned: whether a value is the mean over a sequence and its reverse complement.
    """

    net: nn.Module
    device: str = "cpu"
    turned: bool = True

    def logits(self, part: SequenceSet) -> NDArray[np.float32]:
        """float32[strands, n, 2]: of the sequences, and, where `turned`, of their reverse complements."""
        strands = [part.codes, reverse_complement(part.codes)] if self.turned else [part.codes]
        return np.stack([predict(self.net, in_order(codes, part.labels), device=self.device) for codes in strands])


def in_order(codes: NDArray[np.uint8], labels: NDArray[np.int64]) -> FixedWindows:
    """Batches for a net that is not trained."""
    return FixedWindows((codes, labels), PREDICTED_AT_ONCE)


def log_odds(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """float64[n] of float[n, 2] logits; 0, what no sequence tells, where a weight is no number any more."""
    odds = logits[:, 1].astype(np.float64) - logits[:, 0]
    return odds if np.isfinite(odds).all() else np.zeros(len(odds))


def genome_parts(found: SequenceSet, parts: Parts, options: SetOptions, seed: int) -> Parts:
    """Validation and test with windows of the genome in place of their unbound sequences; all as it is without one.

    Windows lie on the sequences that validation and test have to themselves, where there are such, else on all, and do
    not touch bound or excluded ones.

    Raises:
        DataError: there are too few.
    """
    if options.genome is None:
        return parts
    with open_genome(options.genome) as genome:
        shut_out = bound_intervals(found, genome)
        shut_out += [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
        others = [name for name in genome.names if name not in options.test] or list(genome.names)

        def turned_over(part: SequenceSet, names: Sequence[str], stream: int) -> SequenceSet:
            bound = part.codes[part.labels == 1]
            unbound = background_windows(genome, names, found.window, shut_out, 2 * seed + stream)
            labels = np.repeat([1, 0], [len(bound), len(unbound)]).astype(np.int64)
            return SequenceSet(part.name, np.concatenate([bound, unbound]), labels, labels < 0)

        validation = turned_over(parts.validation, options.validation or others, 0)
        return Parts(parts.train, validation, turned_over(parts.test, options.test or genome.names, 1))


def judge(judged: Judged, parts: Parts, prevalence: float | None, scanned: Parts) -> Judgement:
    """Calibrate and choose the threshold on validation, then judge there and on test; motif and k-mers beside it.

    Args:
        judged: see there.
        parts: of the set: areas under curves, and all figures where there is no prevalence, are of these.
        prevalence: share of bound sequences that probabilities and precision are for; None for that of the set.
        scanned: the same, or with what a scan meets as unbound sequences (see `genome_parts`): calibration, threshold
            and its figures are of these.
    """
    logits = [judged.logits(part) for part in (scanned.validation, scanned.test)]
    truths = [part.labels == 1 for part in (scanned.validation, scanned.test)]
    weights = [_weights(truth, prevalence) for truth in truths]
    calibration = calibration_at(logits[0], truths[0], prevalence)
    probability = [np.mean([calibration.apply(strand)[:, 1] for strand in both], axis=0) for both in logits]
    threshold = best_threshold(truths[0], probability[0], weights[0])
    net: dict[str, Any] = {
        part: _figures(truth, values, weight, threshold)
        for part, truth, values, weight in zip(("validation", "test"), truths, probability, weights, strict=True)
    }
    own = parts.test.labels
    both = logits[1] if scanned.test is parts.test else judged.logits(parts.test)
    score = np.mean([calibration.apply(strand)[:, 1] for strand in both], axis=0)
    net["test"] |= {"auroc_of_one_strand": auroc(own == 1, log_odds(both[0])), **_near(parts, score)}
    net |= {"threshold": threshold, "prevalence": prevalence}
    net["calibration"] = {"scale": calibration.scale, "shift": calibration.shift[1]}
    scores = {"net": score, **_simple_scores(parts)}
    simple = {n: {"auroc": auroc(own == 1, values), "auprc": auprc(own == 1, values)} for n, values in scores.items()}
    curves = {name: _curve(own, values) for name, values in scores.items()}
    return Judgement(calibration, {"net": net, "compared": simple}, curves)


def calibration_at(
    logits: NDArray[np.floating], truth: NDArray[np.bool_], prevalence: float | None
) -> Calibration:  # fmt: skip
    """The likeliest scale and shift, moved to a prevalence.

    Args:
        logits: float[strands, n, 2].
        truth: bool[n].
        prevalence: see `judge`.
    """
    labels = np.tile(truth.astype(np.int64), len(logits))
    found = fit_calibration(logits.reshape(-1, 2), labels, Calibration(1.0, (0.0, 0.0)))
    if prevalence is None:
        return found
    share = float(truth.mean())
    by = math.log(prevalence / (1 - prevalence)) - math.log(share / (1 - share))
    return Calibration(found.scale, (0.0, found.shift[1] + by))


def _weights(truth: NDArray[np.bool_], prevalence: float | None) -> NDArray[np.float64]:
    """float64[n]: 1 for bound sequences, and for the others what makes bound ones the share `prevalence` of all."""
    bound = int(truth.sum())
    other = 1.0 if prevalence is None else (1 - prevalence) / prevalence * bound / (len(truth) - bound)
    return np.where(truth, 1.0, other)


def _figures(
    truth: NDArray[np.bool_], probability: NDArray[np.float64], weight: NDArray[np.float64], threshold: float
) -> dict[str, Any]:
    from sklearn.metrics import average_precision_score

    called = probability >= threshold
    right, all_called = float(weight[called & truth].sum()), float(weight[called].sum())
    return {
        "sequences": len(truth), "bound": int(truth.sum()), "auroc": auroc(truth, probability),
        "auprc": float(average_precision_score(truth, probability, sample_weight=weight)),
        "called": int(called.sum()), "precision": right / all_called if all_called else 0.0,
        "recall": right / max(int(truth.sum()), 1), "reliability": reliability(probability, truth, weight),
    }  # fmt: skip


def _near(parts: Parts, score: NDArray[np.float64]) -> dict[str, Any]:
    """How many test sequences are nearly in the training ones, and the figure without them."""
    near = near_identical(parts.test.codes, parts.train.codes)
    apart = parts.test.labels[~near] == 1
    area = auroc(apart, score[~near]) if len(np.unique(apart)) > 1 else None
    return {"near_training": int(near.sum()), "auroc_apart": area}


def _curve(labels: NDArray[np.int64], score: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(labels == 1, score)
    return recall[::-1], precision[::-1]


def _simple_scores(parts: Parts) -> dict[str, NDArray[np.float64]]:
    """Of the test sequences, by the best motif of the training sequences and by a regression on their k-mers."""
    from trackgen.learn.kmer import fit_kmer_model

    train, chosen = ((part.codes, part.labels) for part in (parts.train, parts.validation))
    kmers = fit_kmer_model(train, chosen).logits(parts.test.codes)
    # two classes: scikit-learn keeps one row of weights, the log-odds of the second
    return {"motif": training_motif(parts.train).best(parts.test.codes)[0], "kmers": kmers[:, -1]}


def training_motif(train: SequenceSet) -> Motif:
    """The motif that tells the bound training sequences from the others best."""
    return find_motif(train.codes[train.labels == 1], train.codes[train.labels == 0])
