"""Windows of a genome labelled for many factors at once, from the centres of their peaks.

A window is **bound** by a factor where a peak's centre lies at most `near` bases from the window's middle; **unknown**
where one lies farther but at most `far` bases away, since what a window of a hundred bases shows there is half a site;
else **unbound**. All of a training epoch's windows are drawn anew: one around every base that is the centre of some
factor's peak, moved at random by up to `near` bases, and windows from anywhere. A site of one factor is thereby an
unbound example of most others, and a hard one: it lies in the same promoters.
But sites are a hundred times as frequent in a draw as on the genome, and a net that learns from them as they come takes
promoters for unlikely places: of the unbound labels of sites only a share counts, drawn anew each time, and the rest
are unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Genome, Interval
from trackgen.learn.datasets.bed import BedRow
from trackgen.learn.datasets.intervals import spans_by_name
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import Sites, concatenate_sites, one_hot, read_windows

__all__ = ["BOUND", "FACTOR_PARTS", "UNBOUND", "UNKNOWN", "FactorBatches", "FactorData", "centres_by_factor",
           "no_nearer_than"]  # fmt: skip

UNKNOWN, UNBOUND, BOUND = range(3)
"""Labels; the three nodes of `trackgen.learn.architectures.multitask`."""
FACTOR_PARTS = ("train", "validation", "test")
Centres = Mapping[str, Mapping[str, NDArray[np.int64]]]
"""Factor -> sequence -> sorted positions."""


def centres_by_factor(rows: Iterable[BedRow], *, least: int = 1) -> dict[str, dict[str, NDArray[np.int64]]]:
    """Sorted distinct centres of the peaks of each factor (column 4) that has `least` peaks or more.

    Returns:
        factor, in alphabetical order -> sequence -> int64[n].
    """
    found: dict[str, dict[str, set[int]]] = {}
    for row in rows:
        found.setdefault(row.label, {}).setdefault(row.name, set()).add(row.centre)
    enough = sorted(name for name, own in found.items() if sum(map(len, own.values())) >= least)
    return {
        name: {sequence: np.array(sorted(own), dtype=np.int64) for sequence, own in sorted(found[name].items())}
        for name in enough
    }


@dataclass(frozen=True)
class FactorData:
    """Where each factor binds, and where it may be looked at.

    Attributes:
        genome: of the bases.
        centres: of the peaks.
        split: sequences of each part.
        excluded: no window has its middle there.
        near, far: see the module's text, bp.
    """

    genome: Genome
    centres: Centres
    split: Split
    excluded: tuple[Interval, ...] = ()
    near: int = 25
    far: int = 100

    @property
    def factors(self) -> tuple[str, ...]:
        """Their names, in the order of labels and logits."""
        return tuple(self.centres)

    def peaks(self, factor: str, part: str) -> Sites:
        """The centres of one factor's peaks in a part, less those on excluded stretches."""
        return self._usable(_sites(self.split.names, {n: self.centres[factor].get(n) for n in self._names(part)}))

    def sites(self, part: str) -> Sites:
        """Every base of a part that is the centre of some factor's peak, once."""
        every = {
            name: np.unique(np.concatenate([own.get(name, np.zeros(0, np.int64)) for own in self.centres.values()]))
            for name in self._names(part)
        }
        return self._usable(_sites(self.split.names, every))

    def anywhere(self, part: str, number: int, seed: Sequence[int]) -> Sites:
        """`number` bases of a part that are not excluded, each with equal chances, on the plus strand.

        Raises:
            DataError: all of the part is excluded.
        """
        random = np.random.default_rng(list(seed))
        names = self._names(part)
        lengths = np.array([self.genome.lengths[name] for name in names])
        drawn: list[Sites] = []
        for _ in range(100):
            which = random.choice(len(names), number, p=lengths / lengths.sum())
            position = (random.random(number) * lengths[which]).astype(np.int64)
            numbers = np.array([self.split.names.index(name) for name in names], dtype=np.int32)
            found = Sites(self.split.names, numbers[which], position, np.zeros(number, dtype=np.bool_))
            drawn.append(self._usable(found))
            if sum(map(len, drawn)) >= number:
                return concatenate_sites(drawn).take(np.arange(number))
        raise DataError(f"(nearly) all of the {part} part is excluded", remedy="exclude less")

    def every(self, name: str, stride: int) -> Sites:
        """Every `stride`-th base of one sequence, from 0 on, that is not excluded."""
        position = np.arange(0, self.genome.lengths[name], stride, dtype=np.int64)
        return self._usable(_sites(self.split.names, {name: position}))

    def labels(self, sites: Sites) -> NDArray[np.int8]:
        """int8[n, factors] of windows with these middles: `UNKNOWN`, `UNBOUND` or `BOUND`."""
        labels = np.full((len(sites), len(self.centres)), UNBOUND, dtype=np.int8)
        for column, own in enumerate(self.centres.values()):
            distance = no_nearer_than(sites, own)
            labels[distance <= self.far, column] = UNKNOWN
            labels[distance <= self.near, column] = BOUND
        return labels

    def draw(
        self, part: str, per_site: float, seed: Sequence[int], *, at_sites: float = 1.0
    ) -> tuple[Sites, NDArray[np.int8]]:
        """The windows of an epoch, shuffled, and their labels: one at every site, and `per_site` times as many others.

        Args:
            part: ``train``, ``validation`` or ``test``.
            per_site: windows from anywhere for each site.
            seed: the same gives the same.
            at_sites: share of the unbound labels of windows at sites that stays; the rest become unknown.
        """
        random = np.random.default_rng([*seed, 0])
        sites = self.sites(part)
        lengths = np.array([self.genome.lengths[name] for name in self.split.names])[sites.chromosome]
        moved = np.clip(sites.position + random.integers(-self.near, self.near + 1, len(sites)), 0, lengths - 1)
        others = self.anywhere(part, max(1, round(per_site * len(sites))), [*seed, 1])
        both = concatenate_sites([Sites(sites.names, sites.chromosome, moved, sites.minus), others])
        labels = self.labels(both)
        hard = labels[: len(sites)]
        hard[(hard == UNBOUND) & (random.random(hard.shape) >= at_sites)] = UNKNOWN
        order = random.permutation(len(both))
        return both.take(order), labels[order]

    def _names(self, part: str) -> tuple[str, ...]:
        names: tuple[str, ...] = getattr(self.split, part)
        return names

    def _usable(self, sites: Sites) -> Sites:
        gaps = spans_by_name(self.excluded, self.genome.lengths)
        bad = np.zeros(len(sites), dtype=np.bool_)
        for number, name in enumerate(sites.names):
            if len(gaps[name]):
                here = sites.chromosome == number
                at = np.searchsorted(gaps[name][:, 0], sites.position[here], side="right") - 1
                bad[here] = (at >= 0) & (sites.position[here] < gaps[name][at, 1])
        return sites.take(~bad)


def no_nearer_than(sites: Sites, centres: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """int64[n]: bases from each site to the nearest centre on its sequence; 2**62 where that has none.

    Args:
        sites: n of them.
        centres: sequence -> sorted positions.
    """
    distance = np.full(len(sites), 1 << 62, dtype=np.int64)
    for number, name in enumerate(sites.names):
        own = centres.get(name)
        here = sites.chromosome == number
        if own is None or not len(own) or not here.any():
            continue
        position = sites.position[here]
        after = np.searchsorted(own, position)
        right = np.abs(own[np.minimum(after, len(own) - 1)] - position)
        left = np.abs(own[np.maximum(after - 1, 0)] - position)
        distance[here] = np.minimum(left, right)
    return distance


@dataclass(frozen=True)
class FactorBatches:
    """Batches ((float32[n, 4, L] one-hot,), int64[n, factors] labels), drawn anew every epoch.

    Attributes:
        data: of the windows.
        part: that they are drawn from.
        window: L, bases.
        per_site: windows from anywhere for each site.
        batch_size: windows in a batch.
        seed: of the draws.
        at_sites: see `FactorData.draw`.
        redraw: False for the windows of epoch 0 in every epoch.
    """

    data: FactorData
    part: str
    window: int
    per_site: float
    batch_size: int
    seed: int
    at_sites: float = 1.0
    redraw: bool = True

    def batches(self, epoch: int) -> Iterator[tuple[tuple[NDArray[np.float32], ...], NDArray[np.int64]]]:
        drawn = epoch if self.redraw else 0
        seed = [self.seed, FACTOR_PARTS.index(self.part), drawn]
        sites, labels = self.data.draw(self.part, self.per_site, seed, at_sites=self.at_sites)
        group = 64 * self.batch_size
        for start in range(0, len(sites), group):
            rows = np.arange(start, min(start + group, len(sites)))
            codes = read_windows(self.data.genome, sites.take(rows), self.window)
            for first in range(0, len(rows), self.batch_size):
                some = slice(first, first + self.batch_size)
                yield (one_hot(codes[some]),), labels[rows[some]].astype(np.int64)


def _sites(names: tuple[str, ...], positions: Mapping[str, NDArray[np.int64] | None]) -> Sites:
    parts = [
        Sites(names, np.full(len(own), names.index(name), np.int32), own, np.zeros(len(own), dtype=np.bool_))
        for name, own in positions.items() if own is not None
    ]  # fmt: skip
    empty = Sites(names, np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, dtype=np.bool_))
    return concatenate_sites([empty, *parts])
