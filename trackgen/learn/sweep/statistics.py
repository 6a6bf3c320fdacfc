"""The statistics of a sweep's report: analysis of variance, clustering, regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.stats import f as f_distribution

__all__ = ["Effect", "r_squared", "two_way_anova", "ward"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """One row of an analysis of variance.

    Attributes:
        name: of the factor, ``interaction`` or ``residual``.
        squares: sum of squares.
        freedom: degrees of freedom.
        f, p: of the effect against the residual; None for the residual, and where it has no freedom.
        eta_squared: share of the total sum of squares about the mean.
    """

    name: str
    squares: float
    freedom: int
    f: float | None
    p: float | None
    eta_squared: float


def two_way_anova(
    values: Sequence[float], first: Sequence[str], second: Sequence[str], names: tuple[str, str]
) -> list[Effect]:
    """Two factors and their interaction, with type II sums of squares; cells may differ in size, or be empty.

    Type II (Fox, Applied Regression Analysis, 8.2): what a factor explains beside the other one, and the interaction
    beside both. Where all cells are of one size these are the classical sums.

    Args:
        values: one an observation.
        first, second: their levels.
        names: of the factors.

    Returns:
        `names`, ``interaction`` and ``residual``.
    """
    observed = np.asarray(values, dtype=np.float64)
    one = np.ones((len(observed), 1))
    a, b = _indicators(first), _indicators(second)
    both = (a[:, :, None] * b[:, None, :]).reshape(len(observed), -1)
    left = {
        "a": _left(observed, one, a), "b": _left(observed, one, b), "a+b": _left(observed, one, a, b),
        "a*b": _left(observed, both),
    }  # fmt: skip
    total = float(((observed - observed.mean()) ** 2).sum())
    freedom = len(observed) - left["a*b"][1]
    residual = left["a*b"][0] / freedom if freedom else 0.0
    rows = [
        _effect(name, left[without], left[with_], residual, freedom, total)
        for name, without, with_ in (
            (names[0], "b", "a+b"), (names[1], "a", "a+b"), ("interaction", "a+b", "a*b"),
        )
    ]  # fmt: skip
    share = left["a*b"][0] / total if total else 0.0
    return [*rows, Effect("residual", left["a*b"][0], freedom, None, None, share)]


def _indicators(levels: Sequence[str]) -> Floats:
    """float64[n, levels]: 1 where an observation has the level."""
    found, index = np.unique(np.asarray(levels), return_inverse=True)
    return np.eye(len(found))[index]


def _left(observed: Floats, *columns: Floats) -> tuple[float, int]:
    """What a linear model leaves: sum of squared residuals, and the model's rank."""
    design = np.hstack(columns)
    solution, _, rank, _ = np.linalg.lstsq(design, observed, rcond=None)
    return float(((observed - design @ solution) ** 2).sum()), int(rank)


def _effect(
    name: str, without: tuple[float, int], with_: tuple[float, int], residual: float, freedom: int, total: float
) -> Effect:
    squares, own = max(without[0] - with_[0], 0.0), with_[1] - without[1]
    f = squares / own / residual if own and residual > 0 else None
    p = float(f_distribution.sf(f, own, freedom)) if f is not None else None
    return Effect(name, squares, own, f, p, squares / total if total else 0.0)


def ward(rows: Floats) -> tuple[Floats | None, list[int]]:
    """Ward's clustering of rows by Euclidean distance: (scipy's linkage, the leaves from left to right).

    None and the only row where there is one.
    """
    if len(rows) < 2:
        return None, list(range(len(rows)))
    tree: Floats = linkage(rows, method="ward", optimal_ordering=True)
    return tree, [int(leaf) for leaf in leaves_list(tree)]


def r_squared(x: Sequence[float], y: Sequence[float]) -> float | None:
    """Share of the variance of y that a line on x explains; None for fewer than 3 points or no spread."""
    if len(x) < 3 or min(np.ptp(x), np.ptp(y)) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1] ** 2)
