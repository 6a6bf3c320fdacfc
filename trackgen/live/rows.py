"""Rows of values of a region, put together of tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import Edit, EditedGenome, Genome
from trackgen.genome.tiling import Tile
from trackgen.live.limits import Region
from trackgen.live.models import LiveModel, Pass
from trackgen.live.tiles import Stop, TileCache, TileTracks
from trackgen.scan.prepared import EditedSignals, lay

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


class Rows:
    """Runs tiles, and keeps them.

    Args:
        cache_bytes: of the tiles that are kept.
    """

    def __init__(self, cache_bytes: int) -> None:
        self.cache = TileCache(cache_bytes)

    def of(
        self, model: LiveModel, one: Pass, names: Sequence[str], region: Region, view: View, stop: Stop
    ) -> Iterator[tuple[str, Float32]]:
        """The row of each of some tracks of a pass: float32 (bases of the region,), NaN in gaps."""
        tiles = [self._tile(model, one, tile, view, stop) for tile in _tiles(model, one, region)]
        for name in names:
            stop.check()
            row = np.full(region.end - region.start, np.nan, np.float32)
            for tile in tiles:
                lay(row, region.start, one.tracks[name], tile[name])
            yield name, row

    def _tile(self, model: LiveModel, one: Pass, tile: Tile, view: View, stop: Stop) -> TileTracks:
        genome, edits = view.genome, view.edits
        if isinstance(genome, EditedGenome) and view.is_reference(tile, one.reach):
            genome, edits = genome.reference, ()
            tile = Tile(tile.name, tile.start, tile.end, genome.lengths[tile.name])
        key = (*one.key, edits, tile.name, tile.start)
        found = self.cache.get(key)
        if found is None:
            stop.check()
            signals = EditedSignals(model.files, genome) if isinstance(genome, EditedGenome) else model.files
            parts = one.prepared.run_tile(genome, signals, tile, tell_share=stop.check)
            # Copies: a view of one class would keep those of all.
            found = {name: parts[name]._replace(values=parts[name].values.copy()) for name in one.tracks}
            self.cache.put(key, found)
        return found


def _tiles(model: LiveModel, one: Pass, region: Region) -> list[Tile]:
    """The tiles with the items that give the region's bases their values."""
    begin = max(0, region.start - one.prepared.begins_before) // model.tile * model.tile
    starts = range(begin, region.end, model.tile)
    return [Tile(region.name, low, min(region.length, low + model.tile), region.length) for low in starts]
