"""How far a track agrees with one that is taken for true: mean squared error, Pearson's r, Spearman's rho.

Figures are of pairs of bins, over all of them, and over the **covered** ones, whose true value is not 0: which bins are
covered depends on no track, so that tracks stand on the same ones.

Pairs go to a temporary file (held in memory while they are few), values are counted on the way as scores are
(`trackgen.evaluate.tally`), so that the second pass knows means and ranks. Ranks are exact, ties share the mean of
theirs; sums are of double precision about the mean. Memory is bounded: a piece of pairs, and the distinct values as
far as `trackgen.evaluate.tally.MOST_ROWS`; the file takes 12 bytes a bin.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import ResourceError
from trackgen.evaluate.bootstrap import Interval95, percentiles, replicate_weights
from trackgen.evaluate.tally import MOST_ROWS, Tally, score_keys

__all__ = ["MEASURES", "Agreement", "Comparison", "Pairs"]

MEASURES = ("mse", "pearson", "spearman")
PAIR = np.dtype([("block", "<i4"), ("truth", "<f4"), ("track", "<f4")])
PAIRS_AT_ONCE = 1 << 21
BYTES_HELD = 1 << 26
"""Of pairs; more of them go to the disk."""
CONSTANT = 1e-12
"""A variance that is smaller than this share of the mean square is rounding: the values are all the same."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Figures over some bins; NaN where there is none, or, of correlations, where one side does not vary.

    Attributes:
        bins: pairs of values.
        truth_mean, track_mean: of both sides, in their own units: an error compares values as they are.
        intervals: by measure, from blocks of the genome; None where none were asked for. Spearman's keeps the ranks
            that values have among all bins.
    """

    bins: int
    truth_mean: float
    track_mean: float
    mse: float
    pearson: float
    spearman: float
    intervals: dict[str, Interval95] | None

    def interval(self, measure: str) -> Interval95 | None:
        """Of one of `MEASURES`, where there is one."""
        return self.intervals[measure] if self.intervals else None


@dataclass(frozen=True)
class Comparison:
    """A track against the true one.

    Attributes:
        truth: the file.
        left_out: bins in which one of the two has no value.
        every: over all other bins.
        covered: over those whose true value is not 0.
    """

    truth: Path
    left_out: int
    every: Agreement
    covered: Agreement


class Sums(NamedTuple):
    """Sums of R sets of pairs, float64 (R,) each: values about their means, ranks about the middle one."""

    number: Float64
    truth: Float64
    track: Float64
    truth_squared: Float64
    track_squared: Float64
    product: Float64
    error: Float64
    truth_rank: Float64
    track_rank: Float64
    truth_rank_squared: Float64
    track_rank_squared: Float64
    rank_product: Float64


def measures(sums: Sums) -> dict[str, Float64]:
    """The figures of R sets of pairs, by `MEASURES`."""
    ranks = (
        sums.number,
        sums.truth_rank,
        sums.track_rank,
        sums.truth_rank_squared,
        sums.track_rank_squared,
        sums.rank_product,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "mse": sums.error / sums.number,
            "pearson": _correlation(*sums[:6]),
            "spearman": _correlation(*ranks),
        }


def _correlation(
    count: Float64, first: Float64, second: Float64, first_squared: Float64, second_squared: Float64, product: Float64
) -> Float64:
    spreads = [
        np.where(spread > CONSTANT * squared, spread, np.nan)
        for spread, squared in (
            (first_squared - first**2 / count, first_squared),
            (second_squared - second**2 / count, second_squared),
        )
    ]
    found = (product - first * second / count) / (np.sqrt(spreads[0]) * np.sqrt(spreads[1]))
    return np.asarray(np.clip(found, -1, 1), np.float64)


class _Marginals:
    """How often each value occurs on either side, among some of the pairs."""

    def __init__(self, stack: ExitStack, folder: Path | None, most_rows: int) -> None:
        self._tallies = [stack.enter_context(Tally(folder, most_rows)) for _ in range(2)]
        self._totals = [0.0, 0.0]
        self._held: list[tuple[NDArray[np.uint32], NDArray[np.int64]] | None] = [None, None]
        self.count = 0

    def add(self, pairs: NDArray[np.void]) -> None:
        self.count += len(pairs)
        for side, name in enumerate(("truth", "track")):
            values = pairs[name]
            self._tallies[side].add(values, np.zeros(len(values), np.int8))
            self._totals[side] += float(values.sum(dtype=np.float64))

    def mean(self, side: int) -> float:
        return self._totals[side] / self.count if self.count else float("nan")

    def ranks(self, side: int, values: NDArray[np.float32]) -> Float64:
        """Twice the distance of each value's rank from the middle one: 2 rank - count - 1, a whole number."""
        keys = score_keys(values)
        found = np.empty(len(keys), np.float64)
        for known, ranks in self._levels(side):
            place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            here = known[place] == keys
            found[here] = ranks[place[here]]
        return found

    def _levels(self, side: int) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.int64]]]:
        """Ascending keys and their doubled ranks, in pieces; kept where one piece holds all."""
        held = self._held[side]
        if held is not None:
            yield held
            return
        above, pieces = 0, 0
        for level in self._tallies[side].levels():
            counts = level.counts[:, 0]
            if not len(counts):
                continue
            ranks = self.count - 2 * (above + np.cumsum(counts)) + counts
            above, pieces = above + int(counts.sum()), pieces + 1
            piece = score_keys(level.scores)[::-1], ranks[::-1]
            if above == self.count and pieces == 1:
                self._held[side] = piece
            yield piece


class Pairs:
    """Collects pairs of values; use it in a ``with`` statement, which removes its temporary files.

    Args:
        folder: where temporary files may go; None for the system's place.
        most_rows: distinct values held in memory, of each side.
    """

    def __init__(self, folder: Path | None = None, most_rows: int = MOST_ROWS) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(
            tempfile.SpooledTemporaryFile(max_size=BYTES_HELD, dir=str(folder) if folder else None)  # noqa: SIM115
        )
        self._every = _Marginals(self._stack, folder, most_rows)
        self._covered = _Marginals(self._stack, folder, most_rows)
        self._blocks = 0

    @property
    def count(self) -> int:
        """Pairs so far."""
        return self._every.count

    def add(self, blocks: NDArray[np.int64], truth: NDArray[np.float32], track: NDArray[np.float32]) -> None:
        """Take pairs: the block of each, and two finite values.

        Raises:
            ResourceError: the disk is full or fails.
        """
        if not len(blocks):
            return
        pairs = np.empty(len(blocks), PAIR)
        pairs["block"], pairs["truth"], pairs["track"] = blocks, truth, track
        self._every.add(pairs)
        self._covered.add(pairs[truth != 0])
        self._blocks = max(self._blocks, int(blocks.max()) + 1)
        try:
            self._file.write(pairs.tobytes())
        except OSError as error:
            raise ResourceError(
                "the pairs of values do not fit on the disk of temporary files",
                found=error.strerror,
                remedy="free space, or choose another place with TMPDIR",
            ) from error

    def every(self, replicates: int, seed: int) -> Agreement:
        """Over all pairs, with intervals from so many replicates; 0: none."""
        return self._agreement(self._every, False, replicates, seed)

    def covered(self, replicates: int, seed: int) -> Agreement:
        """Over those whose true value is not 0."""
        return self._agreement(self._covered, True, replicates, seed)

    def _pieces(self) -> Iterator[NDArray[np.void]]:
        self._file.seek(0)
        while True:
            data = self._file.read(PAIRS_AT_ONCE * PAIR.itemsize)
            if not data:
                return
            yield np.frombuffer(data, PAIR)

    def _agreement(self, marginals: _Marginals, only_covered: bool, replicates: int, seed: int) -> Agreement:
        sums = np.zeros((len(Sums._fields), self._blocks))
        for pairs in self._pieces():
            chosen = pairs[pairs["truth"] != 0] if only_covered else pairs
            if len(chosen):
                sums += _block_sums(chosen, marginals, self._blocks)
        total = measures(Sums(*sums.sum(axis=1, keepdims=True)))
        sums = sums[:, sums[0] > 0]
        found: dict[str, Any] = {name: float(value[0]) for name, value in total.items()}
        intervals = None
        if replicates and sums.shape[1] > 1:
            parts = [measures(Sums(*(sums @ w.T))) for w in replicate_weights(sums.shape[1], replicates, seed)]
            intervals = {name: percentiles([part[name] for part in parts]) for name in MEASURES}
        return Agreement(
            marginals.count, marginals.mean(0), marginals.mean(1), **found, intervals=intervals
        )  # fmt: skip

    def close(self) -> None:
        """Remove temporary files. Closing twice is fine."""
        self._stack.close()

    def __enter__(self) -> Pairs:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _block_sums(pairs: NDArray[np.void], marginals: _Marginals, blocks: int) -> Float64:
    """`Sums` of each block, (12, blocks)."""
    truth, track = (pairs[name].astype(np.float64) for name in ("truth", "track"))
    x, y = truth - marginals.mean(0), track - marginals.mean(1)
    u, v = marginals.ranks(0, pairs["truth"]), marginals.ranks(1, pairs["track"])
    columns = (None, x, y, x * x, y * y, x * y, (truth - track) ** 2, u, v, u * u, v * v, u * v)
    return np.stack([np.bincount(pairs["block"], column, minlength=blocks) for column in columns]).astype(np.float64)
