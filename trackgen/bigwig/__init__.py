"""Writing BigWig files: fixed-step sections on a grid, zoom levels, indexes, an exact summary; and bigBed files."""

from trackgen.bigwig.big_bed import BigBedRow, write_big_bed
from trackgen.bigwig.rename import copy_renamed
from trackgen.bigwig.statistics import TrackStatistics
from trackgen.bigwig.writer import BigWigWriter

__all__ = ["BigBedRow", "BigWigWriter", "TrackStatistics", "copy_renamed", "write_big_bed"]
