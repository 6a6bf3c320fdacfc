"""How a scan is cut: tiles into shards, which are kept and handed out, and shards into chunks, which a slot holds.

A shard is a run of tiles: a stretch of one long chromosome, or several short ones together. Its borders depend on the
plan alone. Chunks depend on nothing that matters: any number of tiles of one shard.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.grid import ITEMS_PER_SECTION
from trackgen.bigwig.seams import EVERYTHING, Owned
from trackgen.genome.tiling import Grid, Tile

__all__ = ["Chunk", "Piece", "Shard", "choose_shard", "chunks_of", "cut_into_shards", "share_of"]

LARGEST_SHARD, SMALLEST_SHARD = 1 << 22, 1 << 18
"""Bases of a shard: what a crash may cost, against files and their ends."""
LEAST_SHARDS = 16
"""A genome has at least so many shards, so that several machines find work."""
LOOKS_A_SHARD = 4
"""Tiles of a shard whose windows are checked, the first among them."""


@dataclass(frozen=True)
class Piece:
    """Tiles of one sequence.

    Attributes:
        name, length: the sequence, and its bases.
        tiles: (n,) numbers of the tiles, ascending.
        first, last: whether the sequence has no tile before and none behind these.
    """

    name: str
    length: int
    tiles: NDArray[np.int64]
    first: bool
    last: bool

    def tile(self, place: int, bases: int) -> Tile:
        start = int(self.tiles[place]) * bases
        return Tile(self.name, start, min(self.length, start + bases), self.length)

    def bases(self, tile: int) -> int:
        """Of all its tiles together, where a tile has `tile` bases."""
        return int((np.minimum((self.tiles + 1) * tile, self.length) - self.tiles * tile).sum())

    def spans(self, tile: int) -> NDArray[np.int64]:
        """The stretches that the tiles cover, (n, 2), sorted and disjoint."""
        breaks = np.flatnonzero(np.diff(self.tiles) > 1)
        first = self.tiles[np.concatenate([[0], breaks + 1])]
        last = self.tiles[np.concatenate([breaks, [len(self.tiles) - 1]])]
        return np.stack([first * tile, np.minimum((last + 1) * tile, self.length)], axis=1)

    def owned(self, grid: Grid, tile: int) -> Owned:
        """The items of a track that these tiles, and no others, hold."""
        items = [grid.items(part.start, part.end) for part in (self.tile(0, tile), self.tile(-1, tile))]
        return Owned(EVERYTHING.low if self.first else items[0].start, EVERYTHING.high if self.last else items[1].stop)


@dataclass(frozen=True)
class Shard:
    """A run of tiles. `number` counts from 0."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def tiles(self) -> int:
        return sum(len(piece.tiles) for piece in self.pieces)


@dataclass(frozen=True)
class Chunk:
    """Consecutive tiles of one shard, which one slot works on.

    Attributes:
        checked: per tile, whether a sample of its windows is checked.
        last: nothing of the shard follows.
    """

    shard: Shard
    tiles: tuple[Tile, ...]
    checked: tuple[bool, ...]
    last: bool


def choose_shard(bases: int, tile: int, steps: Sequence[int]) -> int:
    """Bases of a shard for a scan of `bases`: whole tiles, and where that fits whole sections of all tracks.

    Args:
        tile: bases of a tile.
        steps: bases of an item of each track.
    """
    wanted = min(max(bases // LEAST_SHARDS, SMALLEST_SHARD), LARGEST_SHARD)
    unit = math.lcm(tile, *(step * ITEMS_PER_SECTION for step in steps))
    if unit > 2 * wanted:
        unit = tile
    return max(1, round(wanted / unit)) * unit


def cut_into_shards(
    wanted: Mapping[str, NDArray[np.int64]], lengths: Mapping[str, int], tile: int, shard: int
) -> list[Shard]:
    """All shards of a scan, in genome order.

    Args:
        wanted: per sequence the stretches to run, (n, 2), ascending.
        lengths: bases of each sequence.
        tile, shard: bases of each; a shard is whole tiles.
    """
    shards: list[Shard] = []
    group: list[Piece] = []
    held = 0

    def close() -> None:
        nonlocal held
        if group:
            shards.append(Shard(len(shards), tuple(group)))
            group.clear()
        held = 0

    for name, spans in wanted.items():
        whole = Piece(name, lengths[name], _tiles(spans, tile), True, True)
        bases = whole.bases(tile)
        if held + bases > shard:
            close()
        if bases > shard:
            shards += [Shard(len(shards) + count, (part,)) for count, part in enumerate(_parts(whole, shard // tile))]
            continue
        group.append(whole)
        held += bases
    close()
    return shards


def _tiles(spans: NDArray[np.int64], tile: int) -> NDArray[np.int64]:
    """The numbers of the tiles that hold anything of the spans."""
    first, last = spans[:, 0] // tile, (spans[:, 1] - 1) // tile
    counts = last - first + 1
    before = np.cumsum(counts) - counts
    return np.unique(np.repeat(first - before, counts) + np.arange(counts.sum()))


def _parts(whole: Piece, tiles_each: int) -> Iterator[Piece]:
    """A long sequence, cut where it is asked for: borders are multiples of a shard on the sequence."""
    shard = whole.tiles // tiles_each
    borders = [0, *(np.flatnonzero(np.diff(shard)) + 1).tolist(), len(shard)]
    for begin, end in itertools.pairwise(borders):
        yield Piece(whole.name, whole.length, whole.tiles[begin:end], begin == 0, end == len(shard))


def chunks_of(shard: Shard, tile: int, bases: int) -> Iterator[Chunk]:
    """A shard's tiles, in order, so many together that they have about `bases`."""
    every = max(1, shard.tiles // LOOKS_A_SHARD)
    gathered: list[Tile] = []
    done = held = 0
    for piece in shard.pieces:
        for place in range(len(piece.tiles)):
            part = piece.tile(place, tile)
            if gathered and held + part.bases > bases:
                yield _chunk(shard, gathered, done, every)
                done, held, gathered = done + len(gathered), 0, []
            gathered.append(part)
            held += part.bases
    yield _chunk(shard, gathered, done, every)


def _chunk(shard: Shard, tiles: Sequence[Tile], done: int, every: int) -> Chunk:
    checked = tuple((done + place) % every == 0 for place in range(len(tiles)))
    return Chunk(shard, tuple(tiles), checked, done + len(tiles) == shard.tiles)


def share_of(shards: int, share: int, shares: int) -> range:
    """The shards that share number `share` (from 1) of `shares` computes: neighbours, as evenly as can be."""
    return range((share - 1) * shards // shares, share * shards // shares)
