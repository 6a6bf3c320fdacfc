"""Tiles of tracks, kept while there is room: what a person has looked at is there at once when they come back."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping

from trackgen.scan.tile import TrackValues

__all__ = ["Stop", "TileCache", "Withdrawn"]

OVERHEAD = 400
"""Bytes of a track of a tile beside its values, about."""

TileTracks = Mapping[str, TrackValues]


class Withdrawn(Exception):
    """Whoever asked has gone, so the work ends."""


class Stop:
    """Ends the work on one question from another thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def withdraw(self) -> None:
        """Nobody waits for the answer any more."""
        self._event.set()

    @property
    def is_withdrawn(self) -> bool:
        """Whether that was said."""
        return self._event.is_set()

    def check(self, _share: float = 0) -> None:
        """End the work where it is withdrawn; to be called often, between pieces of it.

        Raises:
            Withdrawn: it is.
        """
        if self._event.is_set():
            raise Withdrawn


class TileCache:
    """Tiles by key, within so many bytes: the one that was asked for the longest ago goes first.

    Args:
        most: bytes of all tiles together; one larger tile is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._tiles: OrderedDict[Hashable, tuple[TileTracks, int]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable) -> TileTracks | None:
        """The tile, or None."""
        found = self._tiles.get(key)
        if found is None:
            return None
        self._tiles.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, tile: TileTracks) -> None:
        """Keep a tile, in the place of older ones."""
        size = sum(track.values.nbytes + track.gaps.nbytes + OVERHEAD for track in tile.values())
        if size > self._most or key in self._tiles:
            return
        self._tiles[key] = tile, size
        self.bytes += size
        while self.bytes > self._most:
            _, (_, freed) = self._tiles.popitem(last=False)
            self.bytes -= freed

    def __len__(self) -> int:
        return len(self._tiles)
