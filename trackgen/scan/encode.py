"""From values to what a shard file holds: rounding, cutting, gathering into sections, encoding.

Values of a tile are cut on any thread; gathering passes tile after tile, since a section may need several; what it
gives out is encoded on any thread again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.buffer import ITEMS_AT_ONCE, ItemBuffer
from trackgen.bigwig.grid import ITEMS_PER_SECTION, Grid
from trackgen.bigwig.percentiles import count_bins
from trackgen.bigwig.pieces import CutItems, cut_items
from trackgen.bigwig.rounding import round_values
from trackgen.bigwig.seams import LooseItems, Owned, split_at_seams
from trackgen.bigwig.sections import EncodedSections, encode_sections
from trackgen.scan.plan import ScanPlan
from trackgen.scan.shards import Piece, Shard
from trackgen.scan.tile import ModelValues, item_gaps
from trackgen.scan.tile_input import TileInput
from trackgen.scan.tracks import TrackPlan, ValuesKey

__all__ = ["CutTrack", "Encoded", "Gathered", "Gatherer", "bigwig_grids", "chromosome_ids", "cut_tile", "encode"]

MANY_VALUES = 1 << 22
"""Values that all tracks together may hold back before sections are encoded one by one instead of several at once."""


class CutTrack(NamedTuple):
    """What one track gets from one tile: items from `first` on."""

    track: int
    first: int
    items: CutItems


class Gathered(NamedTuple):
    """Sections of a track that are complete; or, if loose, items of one of which another shard holds the rest."""

    track: int
    name: str
    first: int
    items: CutItems
    loose: bool


class Encoded(NamedTuple):
    """What a shard file gets.

    Attributes:
        part: sections, or items that stay as they are.
        bins, bases: the histogram of its values: bins that are not empty, and the bases in each.
    """

    track: int
    name: str
    part: EncodedSections | LooseItems
    bins: NDArray[np.int64]
    bases: NDArray[np.int64]


def cut_tile(plan: ScanPlan, source: TileInput, results: Sequence[ModelValues]) -> list[CutTrack]:
    """The rounded items of every track, less gaps, chromosome ends and values below the smallest that is kept."""
    numbers = itertools.count()
    cut: list[CutTrack] = []
    for model, values in zip(plan.models, results, strict=True):
        alike: dict[ValuesKey, list[tuple[int, TrackPlan]]] = {}
        for track in model.tracks:
            alike.setdefault(track.key, []).append((next(numbers), track))
        for key, tracks in alike.items():
            if key in values:
                cut += _cut_alike(tracks, source, values[key])
    return cut


def _cut_alike(
    tracks: Sequence[tuple[int, TrackPlan]], source: TileInput, values: NDArray[np.float32]
) -> Iterator[CutTrack]:
    """Tracks of one array of values, which differ in nothing but the class: a model may have hundreds."""
    like = tracks[0][1]
    first, gaps = item_gaps(like, source)
    rows = round_values(values.T[[track.column for _, track in tracks]], like.rounding)
    if like.min_value is not None:
        # What a reader sees counts: the value as it is written, and the bound as a float32.
        rows[rows < np.float32(like.min_value)] = np.nan
    grid, length = _grid(like), source.tile.length
    for (number, _), row in zip(tracks, rows, strict=True):
        yield CutTrack(number, first, cut_items(grid, first, row, gaps, length))


def _grid(track: TrackPlan) -> Grid:
    return Grid(track.grid.step, track.grid.offset)


class Gatherer:
    """Gathers the items of one shard into sections, for all tracks; tiles come in order."""

    def __init__(self, plan: ScanPlan, shard: Shard) -> None:
        self._tracks = [track for model in plan.models for track in model.tracks]
        self._pieces = {piece.name: piece for piece in shard.pieces}
        self._tile = plan.tile
        self._name = ""
        self._owned: list[Owned] = []
        self._wait_for = min(ITEMS_AT_ONCE, max(ITEMS_PER_SECTION, MANY_VALUES // len(self._tracks)))
        self._buffers: list[ItemBuffer] = []

    def add(self, name: str, cut: Sequence[CutTrack]) -> Iterator[Gathered]:
        """Take in a tile of sequence `name`; give out what is complete now."""
        if name != self._name:
            yield from self.finish()
            self._name = name
            self._owned = [self._own(track, self._pieces[name]) for track in self._tracks]
            self._buffers = [ItemBuffer(_grid(track), self._wait_for) for track in self._tracks]
        for part in cut:
            for first, items in self._buffers[part.track].add(part.first, part.items):
                yield from self._split(part.track, first, items)

    def finish(self) -> Iterator[Gathered]:
        """Give out what is left: nothing of the shard follows."""
        for track, buffer in enumerate(self._buffers):
            for first, items in buffer.flush():
                yield from self._split(track, first, items)
        self._buffers = []

    def _own(self, track: TrackPlan, piece: Piece) -> Owned:
        return piece.owned(track.grid, self._tile)

    def _split(self, track: int, first: int, items: CutItems) -> Iterator[Gathered]:
        grid = _grid(self._tracks[track])
        for begin, part, loose in split_at_seams(grid, first, items, self._owned[track]):
            yield Gathered(track, self._name, begin, part, loose)


def encode(gathered: Gathered, grid: Grid, chromosome: int) -> Encoded:
    """Encode sections; loose items stay as they are. A pure function, for any thread."""
    items = gathered.items
    part: Any = LooseItems(gathered.first, items)
    if not gathered.loose:
        part = encode_sections(chromosome, grid, gathered.first, items)
    bins, bases = count_bins(items, grid.stride)
    return Encoded(gathered.track, gathered.name, part, bins, bases)


def bigwig_grids(plan: ScanPlan) -> list[Grid]:
    """Where the items of each track stand."""
    return [_grid(track) for model in plan.models for track in model.tracks]


def chromosome_ids(lengths: Mapping[str, int]) -> dict[str, int]:
    """The id of each sequence in a BigWig file: its place when names are sorted bytewise."""
    return {name: place for place, name in enumerate(sorted(lengths, key=str.encode))}
