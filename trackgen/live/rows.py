"""Rows of values of a region, put together of tiles."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Edit, EditedGenome, Genome
from trackgen.genome.tiling import Tile
from trackgen.live.limits import Region
from trackgen.live.models import LiveModel, Pass
from trackgen.live.tiles import Stop, TileCache, TileTracks
from trackgen.scan.prepared import EditedSignals, lay
from trackgen.scan.tile import TrackValues
from trackgen.scan.tile_input import TileInput

__all__ = ["Rows", "View"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """The genome as one question reads it: the reference, or one with `edits`."""

    genome: Genome
    edits: tuple[Edit, ...] = ()

    def is_reference(self, tile: Tile, reach: int) -> bool:
        """Whether all that the tile's values depend on lies before the first edit."""
        return all(tile.end + reach <= edit.start for edit in self.edits)


class _Wanted(NamedTuple):
    """A tile that is asked for, on the genome that it is run on."""

    key: Hashable
    tile: Tile
    genome: Genome


class Rows:
    """Runs tiles, and keeps them.

    Args:
        cache_bytes: of the tiles that are kept.
        at_once: tiles that are run at a time, each in a thread of its own: small ones leave a second core of one run
            with nothing to do.
    """

    def __init__(self, cache_bytes: int, at_once: int = 1) -> None:
        self.cache = TileCache(cache_bytes)
        self._at_once = at_once

    def of(
        self, model: LiveModel, one: Pass, names: Sequence[str], region: Region, view: View, stop: Stop
    ) -> Iterator[tuple[str, Float32]]:
        """The row of each of some tracks of a pass: float32 (bases of the region,), NaN in gaps."""
        tiles = self._tiles(model, one, [_wanted(one, tile, view) for tile in _tiles(model, one, region)], stop)
        for name in names:
            stop.check()
            row = np.full(region.end - region.start, np.nan, np.float32)
            for tile in tiles:
                lay(row, region.start, one.tracks[name], tile[name])
            yield name, row

    def _tiles(self, model: LiveModel, one: Pass, wanted: Sequence[_Wanted], stop: Stop) -> list[TileTracks]:
        """The tiles, in order; those that were made stay, also where the work then ends."""
        found: dict[Hashable, TileTracks | None] = {entry.key: self.cache.get(entry.key) for entry in wanted}
        missing = [entry for entry in wanted if found[entry.key] is None]
        for entry, parts in zip(missing, self._run(model, one, missing, stop), strict=True):
            # Copies: a view of one class would keep those of all.
            made = {name: parts[name]._replace(values=parts[name].values.copy()) for name in one.tracks}
            found[entry.key] = made
            self.cache.put(entry.key, made)
        return [tile for entry in wanted if (tile := found[entry.key]) is not None]

    def _run(
        self, model: LiveModel, one: Pass, missing: Sequence[_Wanted], stop: Stop
    ) -> Iterator[dict[str, TrackValues]]:
        """What each tile gives, in order. Files are read in this thread alone."""
        sources = (_source(model, one, entry, stop) for entry in missing)
        if self._at_once == 1:
            for source in sources:
                yield one.prepared.run(source, stop.check)
            return
        waiting: deque[Future[dict[str, TrackValues]]] = deque()
        with ThreadPoolExecutor(self._at_once) as pool:
            try:
                for source in sources:
                    waiting.append(pool.submit(one.prepared.run, source, stop.check))
                    if len(waiting) > self._at_once:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def _source(model: LiveModel, one: Pass, entry: _Wanted, stop: Stop) -> TileInput:
    """What a tile is run on."""
    stop.check()
    genome, files = entry.genome, model.files
    signals = EditedSignals(files, genome) if isinstance(genome, EditedGenome) else files
    return one.prepared.read(genome, signals, entry.tile)


def _wanted(one: Pass, tile: Tile, view: View) -> _Wanted:
    """The tile as `view` reads it; as the reference does, where no edit reaches it."""
    genome, edits = view.genome, view.edits
    if isinstance(genome, EditedGenome) and view.is_reference(tile, one.reach):
        genome, edits = genome.reference, ()
        tile = Tile(tile.name, tile.start, tile.end, genome.lengths[tile.name])
    return _Wanted((*one.key, edits, tile.name, tile.start), tile, genome)


def _tiles(model: LiveModel, one: Pass, region: Region) -> list[Tile]:
    """The tiles with the items that give the region's bases their values."""
    begin = max(0, region.start - one.prepared.begins_before) // model.tile * model.tile
    starts = range(begin, region.end, model.tile)
    return [Tile(region.name, low, min(region.length, low + model.tile), region.length) for low in starts]
