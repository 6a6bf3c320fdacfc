"""Areas, recalls and thresholds of a track from counts of bins by score.

AUROC counts ties as one half (Mann and Whitney's U). AUPRC is average precision: the sum over distinct scores of
precision times the recall that the score adds, without interpolation (as scikit-learn's ``average_precision_score``).
Recall at a false discovery rate f is the largest recall at which precision is 1 - f or more, 0 where there is none, as
in ENCODE-DREAM.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.evaluate.tally import Levels

__all__ = ["FALSE_SHARES", "Areas", "Figures", "Point", "areas", "figures"]

FALSE_SHARES = (0.1, 0.5)
"""False discovery rates at which recall is given, as in ENCODE-DREAM."""
POINTS = 2_000
"""Steps of recall that a curve is thinned to."""

Counts = NDArray[Any]


class Areas(NamedTuple):
    """Figures of R sets of counts, float64 (R,) each; NaN where one side is empty. `recalls`: by `FALSE_SHARES`."""

    auroc: NDArray[np.float64]
    auprc: NDArray[np.float64]
    recalls: tuple[NDArray[np.float64], ...]


class Point(NamedTuple):
    """The bins that score at least `score`: how many are called, and how many of those are bound."""

    score: float
    called: int
    right: int


class _Sums(NamedTuple):
    """What a piece of the curve adds."""

    area: Counts
    precision: Counts
    reached: tuple[Counts, ...]
    right: Counts
    wrong: Counts


def _sums(bound: Counts, unbound: Counts, right: Counts, wrong: Counts) -> _Sums:
    """Of counts (..., L) from the highest score, after `right` and `wrong` bins (...) that score higher."""
    hits = right[..., None] + bound.cumsum(-1)
    misses = wrong[..., None] + unbound.cumsum(-1)
    precision = hits / np.maximum(hits + misses, 1)
    # Pairs of a bound and an unbound bin, doubled: whole numbers, also where scores are equal.
    area = (unbound * (2 * hits - bound)).sum(-1)
    reached = tuple(np.where(precision >= 1 - share, hits, 0).max(-1, initial=0) for share in FALSE_SHARES)
    last_hits = hits[..., -1] if hits.shape[-1] else right
    last_misses = misses[..., -1] if misses.shape[-1] else wrong
    return _Sums(area, (bound * precision).sum(-1), reached, last_hits, last_misses)


def areas(bound: Counts, unbound: Counts) -> Areas:
    """Figures of R sets of counts by score, (R, L) from the highest score: bound bins, and the others."""
    none = np.zeros(len(bound), bound.dtype)
    sums = _sums(bound, unbound, none, none)
    return _areas([sums])


def _areas(pieces: list[_Sums]) -> Areas:
    """Figures of curves that come in pieces, from the highest score."""
    right, wrong = pieces[-1].right.astype(np.float64), pieces[-1].wrong.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Whole numbers beyond 2 ** 53 lose their last digits here, and nowhere before.
        auroc = sum(piece.area.astype(np.float64) for piece in pieces) / (2 * right * wrong)
        auprc = sum(piece.precision for piece in pieces) / right
        recalls = tuple(
            np.maximum.reduce([piece.reached[index] for piece in pieces]) / right for index in range(len(FALSE_SHARES))
        )
    return Areas(np.asarray(auroc), np.asarray(auprc), recalls)


@dataclass(frozen=True)
class Figures:
    """Figures of one track against labels; NaN where there is no bound or no other bin.

    Attributes:
        bound, others: bins.
        recalls: largest recall by false discovery rate.
        thresholds: by ``fdr_10`` and the like, and ``f1`` (the highest F1): the lowest score called; where no score
            keeps to the rate, there is none.
        at: the bins called at thresholds that were asked for.
        curve: thinned to `POINTS` steps of recall, from the highest score.
    """

    bound: int
    others: int
    auroc: float
    auprc: float
    recalls: Mapping[float, float]
    thresholds: Mapping[str, Point]
    at: tuple[Point, ...]
    curve: tuple[Point, ...]

    @property
    def prevalence(self) -> float:
        """Share of bound bins; NaN without any bin."""
        return self.bound / (self.bound + self.others) if self.bound + self.others else math.nan


def figures(levels: Callable[[], Iterable[Levels]], *, ambiguous: bool, at: tuple[float, ...] = ()) -> Figures:
    """The figures of a track, exact.

    Args:
        levels: gives all distinct scores from the highest; asked twice.
        ambiguous: whether ambiguous bins count, as unbound; else they are left out.
        at: thresholds whose calls are wanted.
    """
    pieces: list[_Sums] = []
    right = wrong = np.zeros(1, np.int64)
    for _, bound, unbound in _split(levels(), ambiguous):
        pieces.append(_sums(bound[None], unbound[None], right, wrong))
        right, wrong = pieces[-1].right, pieces[-1].wrong
    total, others = int(right[0]), int(wrong[0])
    nothing = np.full(1, np.nan)
    found = _areas(pieces) if pieces else Areas(nothing, nothing, (nothing,) * len(FALSE_SHARES))
    keeper = _Keeper(total, at)
    for scores, bound, unbound in _split(levels(), ambiguous):
        keeper.add(scores, bound, unbound)
    return Figures(
        bound=total, others=others, auroc=float(found.auroc[0]), auprc=float(found.auprc[0]),
        recalls={share: float(found.recalls[index][0]) for index, share in enumerate(FALSE_SHARES)},
        thresholds=keeper.thresholds, at=tuple(keeper.at), curve=keeper.curve,
    )  # fmt: skip


def _split(
    levels: Iterable[Levels], ambiguous: bool
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
    """(scores, bound, others) of each piece."""
    for scores, counts in levels:
        others = counts[:, 0] + counts[:, 2] if ambiguous else counts[:, 0]
        some = (counts[:, 1] + others) > 0
        yield scores[some], counts[some, 1], others[some]


class _Keeper:
    """Points of a curve worth keeping, found on the way down."""

    def __init__(self, total: int, at: tuple[float, ...]) -> None:
        self._total = total
        self._called = self._right = 0
        self._best = -1.0
        self._step = 0
        self.thresholds: dict[str, Point] = {}
        self.at = [Point(threshold, 0, 0) for threshold in at]
        self._curve: list[Point] = []
        self._last: Point | None = None

    @property
    def curve(self) -> tuple[Point, ...]:
        """The points at which recall rises, and the last of all."""
        end = [self._last] if self._last is not None and self._curve[-1:] != [self._last] else []
        return (*self._curve, *end)

    def add(self, scores: NDArray[np.float32], bound: NDArray[np.int64], others: NDArray[np.int64]) -> None:
        """The next scores, from the highest."""
        if not len(scores):
            return
        right = self._right + np.cumsum(bound)
        called = self._called + np.cumsum(bound + others)

        def point(index: int) -> Point:
            return Point(float(scores[index]), int(called[index]), int(right[index]))

        precision = right / called
        for share in FALSE_SHARES:
            kept = np.flatnonzero((precision >= 1 - share) & (right > 0))
            if len(kept):
                self.thresholds[f"fdr_{100 * share:g}"] = point(int(kept[-1]))
        f1 = 2 * right / (called + self._total)
        best = int(np.argmax(f1))
        if f1[best] > self._best and right[best]:
            self._best, self.thresholds["f1"] = float(f1[best]), point(best)
        for number, asked in enumerate(self.at):
            reached = np.flatnonzero(scores >= np.float32(asked.score))
            if len(reached):
                last = point(int(reached[-1]))
                self.at[number] = last._replace(score=asked.score)
        steps = right * POINTS // max(self._total, 1)
        new = np.flatnonzero(np.diff(steps, prepend=self._step) > 0)
        self._curve += [point(int(index)) for index in new]
        self._last = point(len(scores) - 1)
        self._right, self._called, self._step = int(right[-1]), int(called[-1]), int(steps[-1])
