"""Pairs of shallow and deep tracks of yeast's ATAC-seq, their peaks, and figures of tracks against them.

Every track is a BigWig file that trackgen wrote: the input by `trackgen.signals.make_signal` from thinned fragments,
the truth from those that the thinning left out (the paper's own pairing: from all), both as fold over the mean.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from processes import data_file

from trackgen.evaluate import EvaluateOptions, Evaluation, evaluate_tracks
from trackgen.genome import Interval, open_genome
from trackgen.genome.fragments import FragmentOptions, load_fragments
from trackgen.learn.datasets.peak_calling import call_peaks
from trackgen.progress import NullProgress
from trackgen.signals import Recipe, make_signal

__all__ = [
    "BINS", "DEPTHS", "FIGURES", "FRAGMENTS", "GENOME", "PAIRINGS", "RECORDS", "TEST", "VALIDATION", "Pair",
    "digest_of", "figures_of", "genome_lengths", "masks", "pairs",
]  # fmt: skip

RECORDS = Path(__file__).parent.parent / "docs" / "benchmarks" / "denoise"
"""Folder of the runs' records, of which ``report`` makes docs/benchmarks/denoise.md."""
GENOME = "genome_yeast/sacCer3.2bit"
FRAGMENTS = "yeast_atac/yeast_500k_SRR1822137.bedpe.gz"
SECOND_LABELS = "yeast_atac/hmmratac_yeast500k_accessible_regions.narrowPeak"
MITOCHONDRION = "chrM"
RIBOSOMAL = ("chrXII", 450_999, 469_500)
"""rDNA, on which 38 % of the fragments lie; with the mitochondrion masked where peaks are called."""
DEPTHS = (0.01, 0.05, 0.1, 0.25, 0.5)
PAIRINGS = ("rest", "all")
"""What the truth is made of: the fragments that the input lacks, or all, as in the paper."""
BINS = 25


class Split(NamedTuple):
    """Sequences, and the seeds of thinning that belong to them."""

    chroms: tuple[str, ...]
    seeds: tuple[int, ...]


VALIDATION = Split(("chrVII",), (500, 501, 502))
TEST = Split(("chrIV", "chrXVI"), (1001, 1002, 1003))
FIGURES = {
    "mse": "MSE", "pearson": "Pearson", "spearman": "Spearman", "covered_mse": "MSE, covered",
    "covered_pearson": "Pearson, covered", "covered_spearman": "Spearman, covered",
    "auroc": "AUROC, MACS3 peaks", "auprc": "AUPRC, MACS3 peaks", "second_auroc": "AUROC, HMMRATAC",
    "second_auprc": "AUPRC, HMMRATAC",
}  # fmt: skip
"""Figure -> what it is, in the order of the report."""


def genome_lengths() -> dict[str, int]:
    """Bases of yeast's sequences."""
    with open_genome(data_file(GENOME)) as genome:
        return dict(genome.lengths)


def masks(lengths: Mapping[str, int]) -> list[Interval]:
    """What no table counts."""
    return [Interval(MITOCHONDRION, 0, lengths[MITOCHONDRION]), Interval(*RIBOSOMAL)]


class Pair:
    """A shallow track, and the truth of both pairings with its peaks; files are made where they are missing.

    Args:
        folder: where they lie.
        depth: share of the fragments that the input has.
        seed: of the draw.
    """

    def __init__(self, folder: Path, depth: float, seed: int) -> None:
        self.depth, self.seed = depth, seed
        self.folder = folder / f"{100 * depth:g}-percent-{seed}"
        self._whole = folder / "whole"
        self._lengths = genome_lengths()
        for path in (self.folder, self._whole):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def name(self) -> str:
        """For people."""
        return f"{100 * self.depth:g} %, seed {self.seed}"

    def input(self) -> Path:
        """The shallow track."""
        return self._signal(self.folder / "input.bw", self._options(complement=False))

    def truth(self, pairing: str) -> Path:
        """The deep track."""
        if pairing == "all":
            return self._signal(self._whole / "truth.bw", FragmentOptions())
        return self._signal(self.folder / "truth.bw", self._options(complement=True))

    def peaks(self, pairing: str) -> Path:
        """Peaks of the truth's fragments, by MACS3 at the threshold of ``trackgen train denoise``.

        There are about as many as HMMRATAC found by other means; the paper's low threshold is for inputs, not for
        truth.
        """
        whole = pairing == "all"
        path = (self._whole if whole else self.folder) / "peaks-1e-4.narrowPeak"
        if not path.is_file():
            # It imports PyTorch, which a report does without.
            from trackgen.learn.denoise_task import PEAK_THRESHOLD

            options = FragmentOptions() if whole else self._options(complement=True)
            fragments = load_fragments(data_file(FRAGMENTS), self._lengths, options)
            call_peaks(fragments, self._lengths, path, threshold=PEAK_THRESHOLD, excluded=masks(self._lengths))
        return path

    def _options(self, complement: bool) -> FragmentOptions:
        return FragmentOptions(fraction=self.depth, seed=self.seed, complement=complement)

    def _signal(self, path: Path, options: FragmentOptions) -> Path:
        if not path.is_file():
            recipe = Recipe(measure="coverage", scale="mean", fragments=options)
            make_signal(data_file(FRAGMENTS), self._lengths, path, recipe, NullProgress())
        return path


def pairs(folder: Path, split: Split, depths: Sequence[float] = DEPTHS) -> Iterator[Pair]:
    """The pairs of a split."""
    for depth in depths:
        for seed in split.seeds:
            yield Pair(folder, depth, seed)


def figures_of(
    tracks: Sequence[Path], pair: Pair, pairings: Sequence[str], chroms: Sequence[str]
) -> list[dict[str, dict[str, float | None]]]:
    """Each track's `FIGURES` by pairing, over bins side by side; None for what is not defined."""
    if not tracks:
        return []
    shared: dict[str, Any] = {"tracks": tuple(tracks), "chroms": tuple(chroms), "width": BINS, "bootstrap": 0}
    second = evaluate_tracks(
        EvaluateOptions(**shared, stride=BINS, statistic="mean", labels=data_file(SECOND_LABELS)), NullProgress()
    )
    result: list[dict[str, dict[str, float | None]]] = [{} for _ in tracks]
    for pairing in pairings:
        options = EvaluateOptions(**shared, signal=pair.truth(pairing), labels=pair.peaks(pairing))
        first = evaluate_tracks(options, NullProgress())
        for entry, one, other in zip(result, first, second, strict=True):
            entry[pairing] = _figures(one, other)
    return result


def _figures(first: Evaluation, second: Evaluation) -> dict[str, float | None]:
    assert first.comparison is not None
    every, covered = first.comparison.every, first.comparison.covered
    pairs_and_others = every.bins + first.comparison.left_out
    found = {
        "mse": every.mse, "pearson": every.pearson, "spearman": every.spearman,
        "covered_mse": covered.mse, "covered_pearson": covered.pearson, "covered_spearman": covered.spearman,
        "auroc": first.figures.auroc, "auprc": first.figures.auprc,
        "second_auroc": second.figures.auroc, "second_auprc": second.figures.auprc,
        "left_out": first.comparison.left_out / pairs_and_others,
    }  # fmt: skip
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def digest_of(path: Path) -> str:
    """The first 12 digits of a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
