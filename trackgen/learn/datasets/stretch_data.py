"""Pairs of depths of one sample, for nets of stretches: which fragments a net reads, and what it is to tell.

The noisy data is a share of the fragments, drawn by a seed. The deep data is the fragments that the draw left out, so
that input and target share none (the default), or all fragments, as in the paper. Either is binned coverage, as fold
over its own mean, or the signal of peaks that MACS3 calls on it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import UsageError
from trackgen.genome import Interval
from trackgen.genome.fragments import FragmentOptions, Fragments, kept, load_fragments
from trackgen.learn.datasets.peak_calling import LOW_THRESHOLD, call_peaks, macs3, peak_bins
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.stretches import RESOLUTION, Pair, Places, StretchBatches, binned
from trackgen.progress import Progress
from trackgen.signals import coverage_bins, usual_depth

__all__ = ["PairOptions", "StretchSet", "load_stretches", "make_pair", "thinned"]

VALUES = ("coverage", "peaks")
PAIRINGS = ("complement", "all")
SEEDS = {"validation": 500, "test": 1001}
"""Of the draw of fragments; training takes those from its own seed on, below the first of these."""

FragmentsByName = Mapping[str, Fragments]


@dataclass(frozen=True)
class PairOptions:
    """How two depths are made of one sample.

    Attributes:
        fraction: share of the fragments that a net reads.
        pairing: ``complement``: the target is of the other fragments; ``all``: of all, the paper's way.
        reads, tells: values of input and target: ``coverage`` or ``peaks``.
        thinnings: draws of training fragments; the paper has one.
        threshold: p-value of the weakest peaks.
        seed: of draws; validation and test have their own.

    Raises:
        UsageError: a value that cannot be.
    """

    fraction: float = 0.1
    pairing: str = "complement"
    reads: str = "coverage"
    tells: str = "coverage"
    thinnings: int = 1
    threshold: float = LOW_THRESHOLD
    seed: int = 1

    def __post_init__(self) -> None:
        known = (("pairing", self.pairing, PAIRINGS), ("input", self.reads, VALUES), ("target", self.tells, VALUES))
        for what, value, allowed in known:
            if value not in allowed:
                raise UsageError(f"unknown {what}", found=value, wanted=" or ".join(allowed))
        if not 0 < self.fraction < 1:
            raise UsageError("a net is to read a share of the fragments", found=self.fraction, wanted="between 0 and 1")
        if not 0 <= self.seed <= self.seed + self.thinnings - 1 < SEEDS["validation"]:
            raise UsageError(
                "seeds of training would be those of validation or test",
                found=f"seed {self.seed}, {self.thinnings} thinnings", wanted=f"seeds below {SEEDS['validation']}",
            )  # fmt: skip


@dataclass(frozen=True)
class StretchSet:
    """Examples of every part, and how deep its noisy fragments lie.

    Attributes:
        train, validation, test: batches, each of its own draws of fragments.
        depth: mean coverage by the noisy fragments of validation over the usual genome.
        fragments: all there are of the sample.
    """

    train: StretchBatches
    validation: StretchBatches
    test: StretchBatches
    depth: float
    fragments: int


def load_stretches(
    deep: Path,
    lengths: Mapping[str, int],
    split: Split,
    options: PairOptions,
    *,
    excluded: Sequence[Interval] = (),
    examples: tuple[int, int, int] = (9265, 488, 972),
    batch_size: int = 32,
    anew: bool = False,
    progress: Progress,
) -> StretchSet:
    """Stretches of a sample at two depths.

    Args:
        deep: its fragments: BAM, BED, BEDPE or 10x fragments.
        lengths: of the sequences of the genome, bp.
        split: which sequences are whose.
        options: how the two depths are made.
        excluded: bins that touch these are in no stretch.
        examples: of training, validation and test in an epoch; the default is the paper's.
        batch_size: of training and of the others.
        anew: training examples are drawn anew every epoch.
        progress: told how far it is.

    Raises:
        DataError: as `load_fragments`; no stretch fits on a part.
        UsageError: MACS3 is wanted and not installed.
    """
    if "peaks" in (options.reads, options.tells):
        macs3()
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    places = {part: Places.of(lengths, names, excluded) for part, names in parts.items()}
    fragments = load_fragments(deep, lengths, FragmentOptions())
    seeds = {"train": range(options.seed, options.seed + options.thinnings)}
    seeds |= {part: range(seed, seed + 1) for part, seed in SEEDS.items()}
    progress.start("binning both depths", sum(map(len, seeds.values())), "pairs")
    made = {}
    for part, (part_name, number) in enumerate(zip(parts, examples, strict=True)):
        pairs = []
        for seed in seeds[part_name]:
            pairs.append(make_pair(fragments, lengths, parts[part_name], options, seed, excluded))
            progress.advance(1)
        train = part_name == "train"
        made[part_name] = StretchBatches(
            pairs, places[part_name], number, batch_size, options.seed * 3 + part, shuffled=train, anew=anew and train
        )
    progress.finish()
    depth = usual_depth(thinned(fragments, options.fraction, SEEDS["validation"])[0], lengths)
    total = sum(len(own.start) for own in fragments.values())
    return StretchSet(made["train"], made["validation"], made["test"], depth, total)


def thinned(fragments: FragmentsByName, fraction: float, seed: int) -> tuple[FragmentsByName, FragmentsByName]:
    """The fragments that a draw keeps, and those that it leaves out; the draw is that of `FragmentOptions`."""
    chosen = {name: kept(len(own.start), fraction, seed, name) for name, own in fragments.items()}
    return (
        {name: own.take(chosen[name]) for name, own in fragments.items()},
        {name: own.take(~chosen[name]) for name, own in fragments.items()},
    )


def make_pair(
    fragments: FragmentsByName,
    lengths: Mapping[str, int],
    names: Sequence[str],
    options: PairOptions,
    seed: int,
    excluded: Sequence[Interval] = (),
) -> Pair:
    """Bins of some sequences at two depths.

    Args:
        fragments: of all sequences: means and peaks are those of the whole sample.
        lengths: of all sequences, bp.
        names: sequences whose bins are kept.
        options: how.
        seed: of the draw of fragments.
        excluded: where no peaks are called.
    """
    noisy, rest = thinned(fragments, options.fraction, seed)
    deep = rest if options.pairing == "complement" else fragments
    return Pair(
        _bins(noisy, lengths, names, options.reads, options.threshold, excluded),
        _bins(deep, lengths, names, options.tells, options.threshold, excluded),
    )


def _bins(
    fragments: FragmentsByName, lengths: Mapping[str, int], names: Sequence[str], values: str, threshold: float,
    excluded: Sequence[Interval],
) -> dict[str, NDArray[np.float32]]:  # fmt: skip
    if values == "peaks":
        with tempfile.TemporaryDirectory(prefix="trackgen-peaks-") as folder:
            peaks = call_peaks(
                fragments, lengths, Path(folder, "called.narrowPeak"), threshold=threshold, excluded=excluded
            )
        bins = peak_bins(peaks, lengths, RESOLUTION)
        return {name: bins[name] for name in names}
    mean = np.float32(usual_depth(fragments, lengths))
    result = {}
    for name in names:
        own = fragments[name]
        result[name] = binned(coverage_bins(own.start, own.end, lengths[name], RESOLUTION) / mean, lengths[name])
    return result
