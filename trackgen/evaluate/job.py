"""Tracks against labels, genome-wide: what ``trackgen evaluate`` does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trackgen.errors import DataError, UsageError
from trackgen.evaluate.bootstrap import BlockCounts, Intervals
from trackgen.evaluate.curve import Figures, figures
from trackgen.evaluate.labels import Batch, Labels, LabelTable, PeakLabels, is_table, read_peak_files
from trackgen.evaluate.scores import Statistic, TrackScores
from trackgen.evaluate.tally import Tally, score_keys
from trackgen.genome import Genome, describe, open_genome
from trackgen.genome.bins import AMBIGUOUS, BIN, BOUND, STRIDE, Peak
from trackgen.progress import Progress
from trackgen.scan.stretches import add_note, excluded_stretches, wanted_stretches

__all__ = ["EvaluateOptions", "Evaluation", "evaluate_tracks"]

BLOCKS = 200
"""Blocks that a genome is cut into where none is asked for."""
SMALLEST_BLOCK = 20_000
FEW_BLOCKS = 20
MOST_BLOCKS = 10_000


@dataclass(frozen=True)
class EvaluateOptions:
    """What to evaluate, and against what; see ``trackgen evaluate --help`` for the meaning of each."""

    tracks: tuple[Path, ...]
    labels: Path
    ambiguous: Path | None = None
    column: str | None = None
    genome: Path | None = None
    regions: tuple[str, ...] = ()
    chroms: tuple[str, ...] = ()
    exclude: tuple[Path, ...] = ()
    width: int = BIN
    stride: int = STRIDE
    peak_width: int | None = None
    statistic: Statistic = "max"
    ambiguous_as: str = "unbound"
    thresholds: tuple[float, ...] = ()
    bootstrap: int = 1000
    block: int | None = None
    seed: int = 1
    temporary_folder: Path | None = None


@dataclass(frozen=True)
class Evaluation:
    """One track against the labels.

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
    _check(options)
    notes: list[str] = []
    with ExitStack() as stack:
        genome = None
        if options.genome is not None and not _is_sizes(options.genome):
            genome = stack.enter_context(open_genome(options.genome, tmp_dir=options.temporary_folder))
        space = _space(options, genome)
        labels = _labels(options, space, genome, notes)
        tracks = [stack.enter_context(TrackScores(path, space.lengths)) for path in options.tracks]
        for track in tracks:
            add_note(notes, describe(track.mapping))
            lacking = [name for name in track.lacking if name in _wanted_names(labels)]
            if lacking:
                add_note(notes, f"{track.path.name} lists no {', '.join(lacking[:5])}: bins there score lowest")
        for note in notes:
            progress.note(note)
        told = len(notes)
        found = []
        for track in tracks:
            found.append(_evaluate(track, labels, space.lengths, options, progress))
        for note in notes[told:]:
            progress.note(note)
    return found


def _check(options: EvaluateOptions) -> None:
    if not options.tracks:
        raise UsageError("no track is given", wanted="BigWig files")
    for name, value in (("--bins", options.width), ("--stride", options.stride), ("--peak-width", options.peak_width)):
        if value is not None and value < 1:
            raise UsageError("this must be 1 or more", place=name, found=value)
    if options.block is not None and options.block < 1:
        raise UsageError("a block has bases", place="--block", found=options.block, wanted="1 or more")
    if options.seed < 0:
        raise UsageError("this must be 0 or more", place="--seed", found=options.seed)
    for threshold in options.thresholds:
        if not math.isfinite(threshold):
            raise UsageError("this is no value of a track", place="--threshold", found=threshold, wanted="a number")


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
    if is_table(options.labels):
        for place, given in (("--ambiguous", options.ambiguous), ("--exclude", options.exclude)):
            if given:
                raise UsageError("a table says for each bin what it is", place=place, remedy="leave the option out")
        return LabelTable(options.labels, space.lengths, wanted, options.column, notes)
    if options.column is not None:
        raise UsageError("peaks have no columns of labels", path=options.labels, place="--column", found=options.column)
    peaks = read_peak_files(options.labels, options.ambiguous, space.lengths, notes)
    return PeakLabels(
        peaks=peaks, lengths=space.lengths,
        wanted=wanted, excluded=excluded_stretches(options, space, notes), genome=genome,
        width=options.width, stride=options.stride, peak_width=options.peak_width or _peak_width(peaks, options, notes),
    )  # fmt: skip


def _peak_width(peaks: Mapping[str, Sequence[Peak]], options: EvaluateOptions, notes: list[str]) -> int:
    """Peaks count as they are, as in the challenge; but those that could bind no bin, being too narrow, do not."""
    widths = [peak.end - peak.start for rows in peaks.values() for peak in rows if peak.strong]
    if 2 * float(np.median(widths)) >= options.width:
        return 1
    narrow = f"{options.labels.name}: most peaks are narrower than half a bin, so those narrower than a bin"
    add_note(notes, f"{narrow} are widened to {options.width} bp around their centre (--peak-width)")
    return options.width


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
    track: TrackScores, labels: Labels, lengths: Mapping[str, int], options: EvaluateOptions, progress: Progress
) -> Evaluation:  # fmt: skip
    block = _block(labels, options)
    counts = _Counts(options, block, lengths)
    progress.start(f"evaluate {track.path.name}", labels.bases, "bases")
    with Tally(options.temporary_folder) as tally:
        without = 0
        for batch in labels.batches():
            scores = track.scores(batch.name, batch.starts, labels.width, options.statistic)
            without += int(np.isnan(scores).sum())
            tally.add(scores, batch.labels)
            counts.add(batch, scores)
            progress.advance(int(batch.starts[-1] - batch.starts[0]) + labels.width)
        numbers = dict(zip(("unbound", "bound", "ambiguous"), map(int, tally.totals), strict=True))
        _refuse_nothing(numbers, options)
        ambiguous = options.ambiguous_as == "unbound"
        main = figures(tally.levels, ambiguous=ambiguous, at=options.thresholds)
        other = figures(tally.levels, ambiguous=not ambiguous, at=options.thresholds)
    progress.finish()
    number = counts.blocks.number
    if number < FEW_BLOCKS and options.bootstrap:
        where = f"{number} blocks" if number > 1 else "one block"
        what = "intervals are rough" if number > 1 else "there are no intervals"
        progress.note(f"the bins lie in {where} of {block:,} bp: {what}; --block N or --regions makes more of them")
    return Evaluation(
        track=track.path, labels=numbers, without_value=without, figures=main, other=other,
        intervals=counts.blocks.intervals(options.bootstrap, options.seed) if number > 1 else None,
        blocks=counts.blocks.number, block=block,
        peak_width=labels.peak_width if isinstance(labels, PeakLabels) else None,
        # Of the 23 bits of a float32's mantissa.
        told_apart=2.0 ** (counts.blocks.shift - 23) if counts.blocks.shift else 0.0,
    )  # fmt: skip


def _refuse_nothing(numbers: Mapping[str, int], options: EvaluateOptions) -> None:
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

    def add(self, batch: Batch, scores: Any) -> None:
        if not self._options.bootstrap:
            return
        own = batch.starts // self._block
        first = self._first[batch.name]
        kept = np.ones(len(own), np.bool_)
        if self._options.ambiguous_as != "unbound":
            kept = batch.labels != AMBIGUOUS
        self.blocks.add((first + own)[kept], score_keys(scores)[kept], (batch.labels == BOUND)[kept])


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
