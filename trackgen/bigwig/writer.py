"""One BigWig file from values that come in order: for tracks that no scan makes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.assembly import Chromosomes, Layout, assemble, complete
from trackgen.bigwig.buffer import ItemBuffer
from trackgen.bigwig.grid import Grid
from trackgen.bigwig.percentiles import Histogram, count_bins
from trackgen.bigwig.pieces import CutItems, cut_items
from trackgen.bigwig.sections import EncodedSections, encode_sections
from trackgen.bigwig.spool import Spool
from trackgen.bigwig.statistics import Totals, TrackStatistics
from trackgen.bigwig.workers import OrderedCalls
from trackgen.errors import ResourceError, TrackgenError

__all__ = ["BigWigWriter"]


class _Encoded(NamedTuple):
    """What the writer's threads make: sections, and the histogram of their values."""

    chromosome: int
    sections: EncodedSections
    bins: NDArray[np.int64]
    bases: NDArray[np.int64]


class BigWigWriter:
    """Writes one BigWig file.

    Use it in a ``with`` statement: at its end the file appears under its name, whole; where an error ends it, nothing
    is left of the file, and one of the same name that was there before stays. Memory does not grow with the length of
    chromosomes, but for 16 bytes a section of 8192 items.

    The same values give the same bytes, in whatever order chromosomes come and however items are spread over calls.
    """

    def __init__(
        self, path: Path, chromosomes: Mapping[str, int], *, stride: int, offset: int = 0, threads: int = 1
    ) -> None:
        """Start a file.

        Args:
            path: the file that will appear.
            chromosomes: name -> length (bases) of all sequences of the genome, in any order.
            stride: bases per item.
            offset: start of item 0 on each chromosome, bp; item k covers [offset + k * stride, offset + (k + 1) *
                stride), cut to the chromosome.
            threads: cores that compress; the same bytes for any number.

        Raises:
            TrackgenError: no chromosome, or a length or stride that the format cannot hold.
            ResourceError: the folder cannot be written.
        """
        self._path = Path(path)
        self._temporary = self._path.with_name(self._path.name + ".tmp")
        self._grid = Grid(stride, offset)
        self._grid.check()
        self._chromosomes = Chromosomes.of(chromosomes, self._path)
        self._ids = {name.decode(): place for place, name in enumerate(self._chromosomes.names)}
        self._lengths = dict(chromosomes)
        self._histogram = Histogram()
        self._statistics: TrackStatistics | None = None
        self._current: str | None = None
        self._finished: set[str] = set()
        self._end = 0
        self._open = True
        self._buffer = ItemBuffer(self._grid)
        self._layout = Layout.of(self._chromosomes, self._grid, empty=False)
        with self._disk_errors():
            # Sections go where they will stand, as long as chromosomes come in the order of the file.
            self._file: BinaryIO = open(self._temporary, "wb+", buffering=0)  # noqa: SIM115
            try:
                self._layout.begin(self._file)
                self._spool = Spool(self._file, self._path.parent)
            except BaseException:
                self._file.close()
                self._temporary.unlink(missing_ok=True)
                raise
        self._threads = threads
        self._calls = OrderedCalls[_Encoded](threads, self._take)

    def add(self, name: str, first: int, values: NDArray[np.float32], gaps: NDArray[np.int64]) -> None:
        """Add items ``first``.. of a chromosome.

        Items of one chromosome come in ascending order, each at most once; chromosomes come in any order, one after the
        other.

        Args:
            name: the chromosome.
            first: number of the first item; negative where the first item starts before ``offset``.
            values: float32[n]; NaN where there is no value. The array is copied.
            gaps: int64[m, 2], sorted disjoint intervals to cut out of these items, bp, 0-based half-open. They may
                reach past the items.

        Raises:
            TrackgenError: an infinite value; items out of order or wholly outside the chromosome; unsorted gaps.
            ResourceError: the disk is full or fails.
        """
        # Adding zero copies, and turns -0.0 into 0.0: two spellings of one value would give two files.
        values = np.asarray(values, np.float32).reshape(-1) + np.float32(0)
        gaps = np.asarray(gaps, np.int64).reshape(-1, 2)
        self._check(name, first, values, gaps)
        if not len(values):
            return
        with self._disk_errors():
            if name != self._current:
                self._finish_chromosome()
                self._current = name
            self._end = first + len(values)
            cut = cut_items(self._grid, first, values, gaps, self._lengths[name])
            for begin, items in self._buffer.add(first, cut):
                self._encode(begin, items)

    def close(self) -> None:
        """Put the file together and give it its name; without effect where that is done.

        Raises:
            ResourceError: the disk is full or fails; nothing is left of the file.
        """
        if not self._open:
            return
        try:
            with self._disk_errors():
                self._finish_chromosome()
                self._calls.finish()
                totals = self._complete()
                os.replace(self._temporary, self._path)
        except BaseException:
            self.abort()
            raise
        self._statistics = TrackStatistics.of(totals, self._histogram)
        self._open = False
        self._release()

    def _complete(self) -> Totals:
        """Make the temporary file a whole one."""
        chromosomes, grid, spool, folder = self._chromosomes, self._grid, self._spool, self._path.parent
        if spool.in_order and len(spool.extents()):
            return complete(self._file, self._layout, chromosomes, grid, spool, folder, self._threads)
        ordered = self._temporary.with_name(self._temporary.name + ".ordered")
        try:
            with open(ordered, "wb", buffering=0) as file:
                totals = assemble(file, chromosomes, grid, spool, folder, self._threads)
            os.replace(ordered, self._temporary)
        except BaseException:
            ordered.unlink(missing_ok=True)
            raise
        return totals

    def _release(self) -> None:
        self._calls.close()
        self._spool.close()
        self._file.close()

    def abort(self) -> None:
        """Give up: remove what was written; without effect on a file that is finished."""
        if self._open:
            self._open = False
            self._release()
            self._temporary.unlink(missing_ok=True)

    @property
    def statistics(self) -> TrackStatistics:
        """Statistics of the finished track.

        Raises:
            TrackgenError: the track is not finished.
        """
        if self._statistics is None:
            raise TrackgenError("the track is not finished", path=self._path)
        return self._statistics

    def __enter__(self) -> BigWigWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _check(self, name: str, first: int, values: NDArray[np.float32], gaps: NDArray[np.int64]) -> None:
        if not self._open:
            raise TrackgenError("the track is finished", path=self._path)
        if name not in self._lengths:
            raise TrackgenError("values for an unknown chromosome", path=self._path, found=name)
        if name in self._finished or (name == self._current and first < self._end):
            wanted = f"{self._end} or later" if name == self._current else "chromosomes one after the other"
            raise TrackgenError("items are out of order", path=self._path, place=name, found=first, wanted=wanted)
        length = self._lengths[name]
        if len(values) and (self._grid.start(first + 1) <= 0 or self._grid.start(first + len(values) - 1) >= length):
            span = f"{name}:{self._grid.start(first)}-{self._grid.start(first + len(values))}"
            raise TrackgenError("items outside the chromosome", path=self._path, found=span, wanted=f"0-{length}")
        if (gaps[:, 0] > gaps[:, 1]).any() or (gaps[1:, 0] < gaps[:-1, 1]).any():
            raise TrackgenError("gaps are not sorted and disjoint", path=self._path, place=name)
        infinite = np.isinf(values)
        if infinite.any():
            item = int(np.argmax(infinite))
            start, end = self._grid.start(first + item), self._grid.start(first + item + 1)
            # People read intervals 1-based and closed.
            place = f"{name}:{max(start, 0) + 1}-{min(end, length)}"
            raise TrackgenError("an infinite value", path=self._path, place=place, found=values[item])

    def _finish_chromosome(self) -> None:
        for begin, items in self._buffer.flush():
            self._encode(begin, items)
        if self._current is not None:
            self._finished.add(self._current)
        self._current = None
        self._buffer = ItemBuffer(self._grid)

    def _encode(self, first: int, items: CutItems) -> None:
        assert self._current is not None
        chromosome = self._ids[self._current]
        grid = self._grid
        self._calls.call(
            lambda: _Encoded(
                chromosome, encode_sections(chromosome, grid, first, items), *count_bins(items, grid.stride)
            )
        )

    def _take(self, encoded: _Encoded) -> None:
        self._spool.append(encoded.chromosome, encoded.sections)
        self._histogram.add_bins(encoded.bins, encoded.bases)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            remedy = "free space and run the same command again"
            raise ResourceError("the track cannot be written", path=self._path, found=reason, remedy=remedy) from error
