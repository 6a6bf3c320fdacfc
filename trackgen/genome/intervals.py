"""Intervals of a bigBed file over a stretch: through pyBigWig, or pybigtools where that has no wheel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from trackgen.errors import DataError, UsageError
from trackgen.genome.regions import Interval
from trackgen.genome.signals import BIGBED_MAGIC

__all__ = ["BigBedItem", "read_big_bed"]


class BigBedItem(NamedTuple):
    """One item, 0-based half-open; `columns` are those of BED from the fourth on."""

    start: int
    end: int
    columns: tuple[str, ...]


def read_big_bed(path: Path, locus: Interval) -> list[BigBedItem]:
    """The items that overlap `locus`, sorted.

    Raises:
        DataError: the file is missing, damaged or no bigBed.
        UsageError: neither pyBigWig nor pybigtools is installed.
    """
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise DataError("the bigBed file can't be read", path=path, found=error.strerror) from error
    if magic not in BIGBED_MAGIC:
        raise DataError("this is not a bigBed file", path=path, found=magic.hex(" ") or "an empty file")
    try:
        rows = _rows(path, locus)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise DataError(f"the bigBed file is damaged ({error})", path=path, remedy="get the file again") from error
    # pybigtools gives items that only touch the stretch, too.
    overlapping = (row for row in rows if row[0] < locus.end and row[1] > locus.start)
    return sorted(BigBedItem(start, end, tuple(rest.split("\t"))) for start, end, rest in overlapping)


def _rows(path: Path, locus: Interval) -> list[tuple[int, int, str]]:
    try:
        import pyBigWig
    except ImportError:
        return _rows_of_pybigtools(path, locus)
    with pyBigWig.open(os.fspath(path)) as reader:
        if locus.name not in reader.chroms():
            return []
        # None where there is nothing.
        return list(reader.entries(locus.name, locus.start, locus.end) or ())


def _rows_of_pybigtools(path: Path, locus: Interval) -> list[tuple[int, int, str]]:
    try:
        import pybigtools
    except ImportError:
        raise UsageError(
            "no library that reads bigBed is installed",
            path=path,
            wanted="pyBigWig or pybigtools",
            remedy="install one: pip install pybigtools",
        ) from None
    with open(path, "rb") as file:
        reader = pybigtools.open(file)
        if locus.name not in reader.chroms():
            return []
        items = reader.records(locus.name, locus.start, locus.end)
        return [(int(start), int(end), "\t".join(map(str, rest))) for start, end, *rest in items]
