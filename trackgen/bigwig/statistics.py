"""What a finished track holds, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from trackgen.bigwig.percentiles import Histogram

__all__ = ["Totals", "TrackStatistics"]


@dataclass(frozen=True)
class TrackStatistics:
    """Statistics of the values written to a track, each weighed by the bases it covers.

    Attributes:
        min, max: smallest and largest value, exact; None where the track is empty.
        values: bases covered.
        sum: sum over the covered bases, in float64.
        percentiles: by name ("0.05", "1", "50", "99", "99.9", "99.95"), to 1/128 of the value; None where the track is
            empty.
    """

    min: float | None
    max: float | None
    values: int
    sum: float
    percentiles: dict[str, float] | None

    @staticmethod
    def of(totals: Totals, histogram: Histogram) -> TrackStatistics:
        """The statistics of a track with this summary and histogram."""
        if not totals.covered:
            return TrackStatistics(None, None, 0, 0.0, None)
        percentiles = histogram.percentiles(totals.minimum, totals.maximum)
        return TrackStatistics(totals.minimum, totals.maximum, totals.covered, totals.sum, percentiles)


@dataclass(frozen=True)
class Totals:
    """The exact summary that stands in the file; all zero where the track is empty."""

    covered: int = 0
    minimum: float = 0.0
    maximum: float = 0.0
    sum: float = 0.0
    sum_squares: float = 0.0

    @staticmethod
    def of(summaries: NDArray[Any]) -> Totals:
        """The totals of SUMMARY[n]; sums are rounded once, so the order of records does not matter."""
        if not len(summaries):
            return Totals()
        return Totals(
            int(summaries["covered"].sum()),
            float(summaries["minimum"].min()),
            float(summaries["maximum"].max()),
            math.fsum(summaries["sum"].tolist()),
            math.fsum(summaries["sum_squares"].tolist()),
        )
