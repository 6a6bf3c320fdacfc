"""The grid of a track: which bases an item covers, and where sections and zoom records begin.

All borders are counted from one origin per chromosome, the start of item 0, and never from a tile or a shard, so the
same values give the same sections whoever computed them. Coordinates are bp, 0-based half-open::

    item k             [offset + k * stride, offset + (k + 1) * stride)       cut to the chromosome
    section            items [j * 8192, (j + 1) * 8192)
    record, level 1    items [m * 32, (m + 1) * 32)
    record, level i    the four records of level i - 1 whose numbers give m when divided by 4

Item numbers may be negative: with an offset, the first item of a chromosome starts before the origin.
"""

from __future__ import annotations

from typing import NamedTuple

from trackgen.errors import TrackgenError

__all__ = ["ITEMS_PER_RECORD", "ITEMS_PER_SECTION", "LONGEST", "RECORDS_PER_GROUP", "Grid"]

# 32 KB of float32 a section, the window of deflate: smaller blocks take longer (a fifth at 16 KB), larger ones gain
# nothing and make readers fetch more than they show.
ITEMS_PER_SECTION = 8192
ITEMS_PER_RECORD = 32
RECORDS_PER_GROUP = 4
# Zoom levels are added until one of them spans the longest chromosome in at most this many records.
TOP_RECORDS = 512
MOST_LEVELS = 10
# Positions are unsigned 32-bit numbers in the file.
LONGEST = 2**32 - 1


class Grid(NamedTuple):
    """Where the items of a track stand.

    Attributes:
        stride: bases per item, at least 1.
        offset: start of item 0 on each chromosome, bp.
    """

    stride: int
    offset: int = 0

    def check(self) -> None:
        """Raise TrackgenError where the stride is not positive or a position would not fit the file format."""
        if not 1 <= self.stride <= LONGEST:
            raise TrackgenError("the stride of a track is out of range", found=self.stride, wanted=f"1 to {LONGEST}")
        if abs(self.offset) > LONGEST:
            raise TrackgenError("the offset of a track is out of range", found=self.offset)

    def start(self, item: int) -> int:
        """First base of an item, bp, before it is cut to the chromosome."""
        return self.offset + item * self.stride

    def reductions(self, longest: int) -> list[int]:
        """Bases per record of each zoom level, for a genome whose longest chromosome has ``longest`` bases.

        The first level is 32 x the stride and each higher one 4 x the one below, up to the first that spans the
        longest chromosome in at most 512 records; at least one level (IGV cannot open a file without, pyBigWig issue
        89) and at most ten.
        """
        reductions = [self.stride * ITEMS_PER_RECORD]
        while reductions[-1] * TOP_RECORDS < longest and len(reductions) < MOST_LEVELS:
            reductions.append(reductions[-1] * RECORDS_PER_GROUP)
        return reductions
