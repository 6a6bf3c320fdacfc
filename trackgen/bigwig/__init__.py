"""Writing BigWig files: fixed-step sections on a grid, zoom levels, indexes, an exact summary."""

from trackgen.bigwig.rename import copy_renamed
from trackgen.bigwig.statistics import TrackStatistics
from trackgen.bigwig.writer import BigWigWriter

__all__ = ["BigWigWriter", "TrackStatistics", "copy_renamed"]
