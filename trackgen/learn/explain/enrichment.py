"""What a motif tells of a class: how much better its best hits are in the class' windows, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.explain.logos import probabilities
from trackgen.learn.metrics import auroc
from trackgen.learn.motif import Motif

__all__ = ["Enrichment", "enrichment"]

Codes = NDArray[np.uint8]

BACKGROUND_HITS = 0.05
"""Share of background windows that have a hit, by the choice of the threshold."""
SITES = 100.0
"""Sequences that a matrix of frequencies counts as, for its pseudocount."""


@dataclass(frozen=True)
class Enrichment:
    """A motif in windows of a class, against background windows.

    Attributes:
        auroc: of the best hit's score, class against background; .5 for nothing.
        share: of the class' windows with a hit that only `BACKGROUND_HITS` of the background windows have.
        places: int64, the first base of each such hit in its window.
    """

    auroc: float
    share: float
    places: NDArray[np.int64]


def enrichment(
    frequencies: NDArray[np.float64], windows: Codes, background: Codes, frequencies_of_bases: NDArray[np.float64]
) -> Enrichment:
    """How a motif of (4, W) frequencies is enriched in (N, L) `windows` against (M, L) `background`, either strand."""
    raised = probabilities(frequencies * SITES, frequencies_of_bases)
    motif = Motif(np.log(raised / frequencies_of_bases[:, None]).T)
    score, place = motif.best(windows)
    other, _ = motif.best(background)
    truth = np.repeat([True, False], [len(score), len(other)])
    hit = score > np.quantile(other, 1 - BACKGROUND_HITS)
    number = windows.shape[1] - motif.width + 1
    return Enrichment(auroc(truth, np.concatenate([score, other])), float(hit.mean()), place[hit] % number)
