"""What a binding net is trained on: labelled bins, signals, and regions of one cell type or more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.card import InputSpec
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, Interval, open_signal, parse_regions
from trackgen.learn.binding_options import BindingOptions, CellFiles
from trackgen.learn.datasets.bed import BedRow, read_peaks
from trackgen.learn.datasets.binding import BIN, UNBOUND_PER_BOUND, BindingData, Peak, widen
from trackgen.learn.datasets.dream import OTHERS, Ambiguous, CellPeaks, DreamCell
from trackgen.learn.datasets.regions import RegionBatches
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.tracks import SignalBatches, Track
from trackgen.learn.datasets.windows import Sites
from trackgen.learn.fit import BatchSource
from trackgen.learn.tss_task import whole_sequences

__all__ = ["PREDICTED_AT_ONCE", "Regions", "Source", "load_data", "load_source", "open_track", "region_classes"]

PREDICTED_AT_ONCE = 1024
TRAIN, VALIDATION = range(2)
"""Streams of random numbers."""
_REGIONS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Regions:
    """The bins that overlap peaks of a signal, and some others.

    Attributes:
        train: of the training part, a cell type each, the main one first.
        validation: of the validation part, in the main cell type.
        tracks: signal of each cell type.
    """

    train: tuple[DreamCell, ...]
    validation: DreamCell
    tracks: Mapping[str, Track] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Labelled bins and the signal beside them, None where there is none.

    Attributes:
        data: bins of every part; what is judged, and what is trained on where there are no regions.
        track: the signal.
        regions: what is trained on instead.
    """

    data: BindingData
    track: Track | None
    regions: Regions | None = None

    def training(self, window: int, batch_size: int, seed: int) -> BatchSource:
        """Batches to learn from, for windows of `window` bp."""
        if self.regions is not None:
            return RegionBatches(
                self.data.genome, self.regions.train, window, batch_size, seed, tracks=self.regions.tracks
            )

        def draw(epoch: int) -> tuple[Sites, NDArray[np.float32]]:
            return self.data.draw("train", (seed, TRAIN, epoch))

        return SignalBatches(self.data.genome, self.track, draw, window, BIN, batch_size)

    def validation(self, window: int, seed: int) -> BatchSource:
        """Batches to choose the best epoch by, drawn as those to learn from are."""
        if self.regions is not None:
            return RegionBatches(
                self.data.genome, (self.regions.validation,), window, PREDICTED_AT_ONCE, None,
                tracks=self.regions.tracks,
            )  # fmt: skip

        def draw(_: int) -> tuple[Sites, NDArray[np.float32]]:
            return self.data.draw("validation", (seed, VALIDATION))

        return SignalBatches(self.data.genome, self.track, draw, window, BIN, PREDICTED_AT_ONCE)

    def classes(self) -> NDArray[np.int64]:
        """int64[2]: unbound and bound examples that a net learns from, up to a factor."""
        if self.regions is None:
            return np.array([UNBOUND_PER_BOUND, 1])
        return np.asarray(np.sum([region_classes(cell) for cell in self.regions.train], axis=0))


def region_classes(cell: DreamCell) -> NDArray[np.int64]:
    """int64[2]: how many regions of a cell type are unbound, and bound."""
    bound = 0
    for start in range(0, len(cell), _REGIONS_AT_ONCE):
        index = np.arange(start, min(start + _REGIONS_AT_ONCE, len(cell)))
        bound += int(cell.sites(index)[1].sum())
    return np.array([len(cell) - bound, bound])


def load_source(options: BindingOptions, genome: Genome, stack: ExitStack) -> Source:
    """Everything to train on and to judge by; signals stay open as long as `stack`.

    Raises:
        DataError, UsageError: as `load_data`; a signal is missing or of another genome; no region is bound, or unbound.
    """
    data = load_data(options, genome)
    track = None
    if options.signal is not None:
        track = open_track(options.signal[1], options.signal[0], genome, stack)
    if options.regions is None:
        return Source(data, track)
    own = CellFiles(str(options.regions), options.peaks, options.relaxed, regions=options.regions)
    others = OTHERS if options.others is None else options.others
    peaks = [_cell_peaks(cell, options, genome) for cell in (own, *options.cell)]

    def cell(entry: CellPeaks, part: str) -> DreamCell:
        try:
            return DreamCell(
                genome, getattr(data.split, part), entry, others=others, ambiguous=_ambiguous(options),
                excluded=data.excluded, seed=options.seed,
            )  # fmt: skip
        except DataError as error:
            raise error.at(f"{part} part") from None

    train = tuple(cell(entry, "train") for entry in peaks)
    tracks = {}
    if track is not None and options.signal is not None:
        tracks[own.name] = track
        for further in options.cell:
            assert further.signal is not None  # see `checked`
            tracks[further.name] = open_track(further.signal, options.signal[0], genome, stack)
    return Source(data, track, Regions(train, cell(peaks[0], "validation"), tracks))


def open_track(path: Path, name: str, genome: Genome, stack: ExitStack) -> Track:
    """The BigWig `path` as the input `name` of a net: log(1 + value), open as long as `stack`."""
    reader = stack.enter_context(open_signal(path))
    return Track(InputSpec(name, "signal", transform=(("log1p", ()),)), reader, genome.lengths)


def load_data(options: BindingOptions, genome: Genome) -> BindingData:
    """Peaks, split and exclusions as the options say; relaxed peaks, and those below the least score, are weak ones.

    Raises:
        DataError: files are missing, malformed or of another assembly; no strong peak is left.
        UsageError: no width of peaks, or no such split.
    """
    strong, weak = _read_peaks(options.peaks, options.relaxed, options, genome)
    if options.peak_width < 1:
        raise UsageError("peaks have a width", found=options.peak_width, wanted="1 or more")
    peaks: dict[str, list[Peak]] = {}
    for rows, is_strong in ((strong, True), (weak, False)):
        for row in rows:
            peaks.setdefault(row.name, []).append(Peak(row.start, row.end, is_strong))
    excluded = [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
    left_out = whole_sequences(excluded, genome.lengths)
    split = Split.of(genome.names, validation=options.validation, test=options.test, left_out=left_out)
    return BindingData(
        genome, peaks, split, excluded=excluded, peak_width=options.peak_width, ambiguous=_ambiguous(options)
    )


def _ambiguous(options: BindingOptions) -> Ambiguous:
    if options.ambiguous_as not in ("left-out", "unbound"):
        raise UsageError("unknown use of ambiguous bins", found=options.ambiguous_as, wanted="left-out or unbound")
    return "unbound" if options.ambiguous_as == "unbound" else "left out"


def _read_peaks(
    path: Path, relaxed: Path | None, options: BindingOptions, genome: Genome
) -> tuple[list[BedRow], list[BedRow]]:
    """Strong and weak peaks."""
    rows = read_peaks(path, genome.lengths)
    strong = [row for row in rows if row.score >= options.min_score]
    if not strong:
        raise DataError("no peak is left", path=path, remedy="lower --min-score")
    weak = [row for row in rows if row.score < options.min_score]
    return strong, weak if relaxed is None else weak + read_peaks(relaxed, genome.lengths)


def _cell_peaks(cell: CellFiles, options: BindingOptions, genome: Genome) -> CellPeaks:
    """What is known in one cell type, narrow peaks widened as everywhere else."""
    strong, weak = _read_peaks(cell.peaks, cell.relaxed, options, genome)
    strong, weak = (_widened(rows, options.peak_width) for rows in (strong, weak))
    accessible: Sequence[BedRow | Interval] = strong + weak
    if cell.regions is not None:
        accessible = read_peaks(cell.regions, genome.lengths)
    return CellPeaks(cell.name, strong, weak, accessible)


def _widened(rows: Sequence[BedRow], width: int) -> list[BedRow]:
    spans = (widen(row.start, row.end, width) for row in rows)
    return [replace(row, start=start, end=end) for row, (start, end) in zip(rows, spans, strict=True)]
