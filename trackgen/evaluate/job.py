"""Tracks against labels and against a true signal, genome-wide: what ``trackgen evaluate`` does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.evaluate.agreement import Comparison, Pairs
from trackgen.evaluate.bootstrap import BlockCounts, Intervals
from trackgen.evaluate.curve import Figures, figures
from trackgen.evaluate.labels import Batch, Labels, LabelTable, PeakLabels, is_table, read_peak_files
from trackgen.evaluate.options import EvaluateOptions, check_options
from trackgen.evaluate.scores import TrackScores
from trackgen.evaluate.tally import Tally, score_keys
from trackgen.genome import Genome, describe, open_genome
from trackgen.genome.bins import AMBIGUOUS, BOUND, Peak
from trackgen.progress import Progress
from trackgen.scan.stretches import add_note, excluded_stretches, wanted_stretches

__all__ = ["EvaluateOptions", "Evaluation", "evaluate_tracks"]

BLOCKS = 200
"""Blocks that a genome is cut into where none is asked for."""
SMALLEST_BLOCK = 20_000
FEW_BLOCKS = 20
MOST_BLOCKS = 10_000
MUCH_LEFT_OUT = 0.1
FAR_MEANS = 1.5
"""Means of two tracks, one above the other, from which their units are unlikely to be the same."""


@dataclass(frozen=True)
class Evaluation:
    """One track against the labels, the true signal, or both.

    Attributes:
        track: the file.
        labels: number of unbound, bound and ambiguous bins, by name.
        without_value: bins of which no base has a value; they score lowest.
        figures: ambiguous bins as the options say.
        other: the same with ambiguous bins the other way.
        intervals: of `figures`; None where none were asked for.
        blocks: that the intervals come from, and `block`, bp.
        peak_width: narrower peaks were widened to this, bp; None for a table.
        told_apart: the relative difference of two scores that the intervals may take for equal; 0: they are exact.
        comparison: with the true signal; None where there is none. Without labels no bin is bound, and figures are NaN.
    """

    track: Path
    labels: Mapping[str, int]
    without_value: int
    figures: Figures
    other: Figures
    intervals: Intervals | None
    blocks: int
    block: int
    peak_width: int | None
    told_apart: float
    comparison: Comparison | None = None


@dataclass(frozen=True)
class _Space:
    """A genome, as far as lengths go."""

    path: Path
    lengths: Mapping[str, int]

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.lengths)


def evaluate_tracks(options: EvaluateOptions, progress: Progress) -> list[Evaluation]:
    """Figures of each track on every bin, at the labels' own prevalence; exact.

    Raises:
        UsageError: an option that cannot be honoured.
        DataError: a track, the labels or the genome are missing or malformed, or of different assemblies; or no bin, or
            no bound one, is left.
        ResourceError: the disk of temporary files is full.
    """
    check_options(options)
    notes: list[str] = []
    with ExitStack() as stack:
        genome = None
        if options.genome is not None and not _is_sizes(options.genome):
            genome = stack.enter_context(open_genome(options.genome, tmp_dir=options.temporary_folder))
        space = _space(options, genome)
        labels = _labels(options, space, genome, notes)
        tracks = [stack.enter_context(TrackScores(path, space.lengths)) for path in options.tracks]
        truth = stack.enter_context(TrackScores(options.signal, space.lengths)) if options.signal else None
        for track in [*tracks, *([truth] if truth else [])]:
            add_note(notes, describe(track.mapping))
            lacking = [name for name in track.lacking if name in _wanted_names(labels)]
            if lacking:
                what = "have no value" if options.signal else "score lowest"
                add_note(notes, f"{track.path.name} lists no {', '.join(lacking[:5])}: bins there {what}")
        for note in notes:
            progress.note(note)
        told = len(notes)
        found = []
        for track in tracks:
            found.append(_evaluate(track, truth, labels, space.lengths, options, progress))
        for note in notes[told:]:
            progress.note(note)
    return found


def _is_sizes(path: Path) -> bool:
    return path.name.lower().endswith((".sizes", ".fai", ".chrom.sizes"))


def _space(options: EvaluateOptions, genome: Genome | None) -> _Space:
    """Where bins are: the genome, or what the first track lists."""
    if genome is not None:
        return _Space(genome.path, genome.lengths)
    if options.genome is not None:
        return _Space(options.genome, _read_sizes(options.genome))
    with TrackScores(options.tracks[0]) as track:
        return _Space(track.path, track.lengths)


def _read_sizes(path: Path) -> dict[str, int]:
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        lengths = {row[0]: int(row[1]) for row in rows}
    except OSError as error:
        raise DataError("the lengths cannot be read", path=path, found=error.strerror) from None
    except (ValueError, IndexError):
        lengths = {}
    if not lengths or min(lengths.values()) < 1:
        raise DataError("these are no lengths of sequences", path=path, wanted="lines NAME<TAB>BASES")
    return lengths


def _labels(options: EvaluateOptions, space: _Space, genome: Genome | None, notes: list[str]) -> Labels:
    wanted = wanted_stretches(options, space, notes)
    if options.labels is not None and is_table(options.labels):
        for place, given in (("--ambiguous", options.ambiguous), ("--exclude", options.exclude)):
            if given:
                raise UsageError("a table says for each bin what it is", place=place, remedy="leave the option out")
        return LabelTable(options.labels, space.lengths, wanted, options.column, notes)
    if options.column is not None:
        raise UsageError("peaks have no columns of labels", path=options.labels, place="--column", found=options.column)
    peaks, peak_width = {}, options.peak_width or 1
    if options.labels is not None:
        peaks = read_peak_files(options.labels, options.ambiguous, space.lengths, notes)
        peak_width = options.peak_width or _peak_width(options.labels, peaks, options, notes)
    return PeakLabels(
        peaks=peaks, lengths=space.lengths,
        wanted=wanted, excluded=excluded_stretches(options, space, notes), genome=genome,
        width=options.bin_width, stride=options.bin_stride, peak_width=peak_width,
    )  # fmt: skip


def _peak_width(
    path: Path, peaks: Mapping[str, Sequence[Peak]], options: EvaluateOptions, notes: list[str]
) -> int:  # fmt: skip
    """Peaks count as they are, as in the challenge; but those that could bind no bin, being too narrow, do not."""
    widths = [peak.end - peak.start for rows in peaks.values() for peak in rows if peak.strong]
    if 2 * float(np.median(widths)) >= options.bin_width:
        return 1
    narrow = f"{path.name}: most peaks are narrower than half a bin, so those narrower than a bin"
    add_note(notes, f"{narrow} are widened to {options.bin_width} bp around their centre (--peak-width)")
    return options.bin_width


def _wanted_names(labels: Labels) -> set[str]:
    return set(getattr(labels, "wanted", ()))


def _block(labels: Labels, options: EvaluateOptions) -> int:
    """Bases of a block that is drawn again."""
    if options.block and options.bootstrap and labels.bases > MOST_BLOCKS * options.block:
        raise UsageError(
            "there would be too many blocks to draw from", place="--block", found=f"{options.block:,}",
            wanted=f"{math.ceil(labels.bases / MOST_BLOCKS):,} or more, for {labels.bases:,} bases",
        )  # fmt: skip
    return options.block or max(SMALLEST_BLOCK, math.ceil(labels.bases / BLOCKS))


def _evaluate(
    track: TrackScores, truth: TrackScores | None, labels: Labels, lengths: Mapping[str, int],
    options: EvaluateOptions, progress: Progress,
) -> Evaluation:  # fmt: skip
    block = _block(labels, options)
    counts = _Counts(options, block, lengths)
    progress.start(f"evaluate {track.path.name}", labels.bases, "bases")
    with Tally(options.temporary_folder) as tally, _Versus(truth, options) as versus:
        without = 0
        for batch in labels.batches():
            scores = track.scores(
                batch.name, batch.starts, labels.width, options.bin_statistic, zeros=options.zeros
            )  # fmt: skip
            without += int(np.isnan(scores).sum())
            tally.add(scores, batch.labels)
            counts.add(batch, scores)
            versus.add(batch, counts.of(batch), scores, labels.width)
            progress.advance(int(batch.starts[-1] - batch.starts[0]) + labels.width)
        numbers = dict(zip(("unbound", "bound", "ambiguous"), map(int, tally.totals), strict=True))
        _refuse_nothing(numbers, options)
        comparison = versus.comparison(track.path, progress)
        ambiguous = options.ambiguous_as == "unbound"
        levels = tally.levels if options.labels is not None else lambda: iter(())
        main = figures(levels, ambiguous=ambiguous, at=options.thresholds)
        other = figures(levels, ambiguous=not ambiguous, at=options.thresholds)
    progress.finish()
    number = counts.number
    if number < FEW_BLOCKS and options.bootstrap:
        where = f"{number} blocks" if number > 1 else "one block"
        what = "intervals are rough" if number > 1 else "there are no intervals"
        progress.note(f"the bins lie in {where} of {block:,} bp: {what}; --block N or --regions makes more of them")
    return Evaluation(
        track=track.path, labels=numbers, without_value=without, figures=main, other=other,
        intervals=counts.blocks.intervals(options.bootstrap, options.seed) if counts.blocks.number > 1 else None,
        blocks=number, block=block, peak_width=labels.peak_width if isinstance(labels, PeakLabels) else None,
        # Of the 23 bits of a float32's mantissa.
        told_apart=2.0 ** (counts.blocks.shift - 23) if counts.blocks.shift else 0.0, comparison=comparison,
    )  # fmt: skip


class _Versus:
    """The track against the true signal, where there is one."""

    def __init__(self, truth: TrackScores | None, options: EvaluateOptions) -> None:
        self._truth, self._options = truth, options
        self._pairs = Pairs(options.temporary_folder)
        self._left_out = 0

    def add(self, batch: Batch, blocks: NDArray[np.int64], scores: NDArray[np.float32], width: int) -> None:
        """Take the bins of a batch: the block of each, and the track's value."""
        if self._truth is None:
            return
        options = self._options
        truth = self._truth.scores(batch.name, batch.starts, width, options.bin_statistic, zeros=options.zeros)
        kept = ~(np.isnan(truth) | np.isnan(scores))
        self._left_out += int((~kept).sum())
        self._pairs.add(blocks[kept], truth[kept], scores[kept])

    def comparison(self, track: Path, progress: Progress) -> Comparison | None:
        """The figures; None without a true signal.

        Raises:
            DataError: no bin has a value in both.
        """
        if self._truth is None:
            return None
        count, names = self._pairs.count, f"{track.name} and {self._truth.path.name}"
        if not count:
            raise DataError(
                "no bin has a value in both tracks", path=track, found=f"{self._left_out:,} bins",
                wanted=f"values where {self._truth.path.name} has some", remedy="check --regions, or --missing zero",
            )  # fmt: skip
        if self._left_out > MUCH_LEFT_OUT * (count + self._left_out):
            progress.note(
                f"{names}: {self._left_out:,} of {count + self._left_out:,} bins have no value in one of the two and "
                "are left out; where that means 0, say --missing zero"
            )
        replicates, seed = self._options.bootstrap, self._options.seed
        found = Comparison(
            self._truth.path, self._left_out, self._pairs.every(replicates, seed), self._pairs.covered(replicates, seed)
        )
        low, high = sorted((found.every.truth_mean, found.every.track_mean))
        if low > 0 and high > FAR_MEANS * low:
            progress.note(
                f"{names}: their means are {found.every.track_mean:.4g} and {found.every.truth_mean:.4g}; the error "
                "compares values as they are, so both should be on one scale (trackgen signal --scale mean)"
            )
        return found

    def __enter__(self) -> _Versus:
        return self

    def __exit__(self, *error: object) -> None:
        self._pairs.close()


def _refuse_nothing(numbers: Mapping[str, int], options: EvaluateOptions) -> None:
    if options.labels is None:
        return
    for label in ("bound", "unbound"):
        if not numbers[label]:
            raise DataError(
                f"there is no {label} bin", path=options.labels,
                found=", ".join(f"{count:,} {name}" for name, count in numbers.items()),
                remedy="check --regions and --chroms, and that labels and track are of one assembly",
            )  # fmt: skip


class _Counts:
    """Counts for intervals, of the bins that count."""

    def __init__(self, options: EvaluateOptions, block: int, lengths: Mapping[str, int]) -> None:
        self._options, self._block = options, block
        self._first = _first_blocks(lengths, block)
        self.blocks = BlockCounts()
        self._seen: set[int] = set()

    @property
    def number(self) -> int:
        """Blocks with a bin."""
        return len(self._seen)

    def of(self, batch: Batch) -> NDArray[np.int64]:
        """The block of each bin."""
        return self._first[batch.name] + batch.starts // self._block

    def add(self, batch: Batch, scores: NDArray[np.float32]) -> None:
        if not self._options.bootstrap:
            return
        blocks = self.of(batch)
        kept = np.ones(len(blocks), np.bool_)
        if self._options.ambiguous_as != "unbound":
            kept = batch.labels != AMBIGUOUS
        self._seen |= set(np.unique(blocks[kept]).tolist())
        if self._options.labels is not None:
            self.blocks.add(blocks[kept], score_keys(scores)[kept], (batch.labels == BOUND)[kept])


def _first_blocks(lengths: Mapping[str, int], block: int) -> dict[str, int]:
    """The number of the block that each sequence begins with; neighbours shorter than a block share one."""
    first: dict[str, int] = {}
    following, shared, filled = 0, 0, block
    for name, length in lengths.items():
        if length >= block:
            first[name], following = following, following + math.ceil(length / block)
            continue
        if filled + length > block:
            shared, filled, following = following, 0, following + 1
        first[name], filled = shared, filled + length
    return first
