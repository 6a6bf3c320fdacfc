"""The file of one shard: everything that its tiles add to the tracks, whole and checked.

::

    magic                            8 bytes
    parts                            one after the other, as they came
    index                            ROW[n], by track
    first row of each track          uint64[tracks + 2]
    facts                            JSON, UTF-8
    end                              offsets and sizes of the above, CRC-32 of all that is before, the magic again

A part is a run of encoded sections with their extents and first zoom level, items of a section that another shard
shares, a histogram, or lines of skipped.bed.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.blocks import EXTENT, checksum
from trackgen.bigwig.percentiles import Histogram
from trackgen.bigwig.pieces import PIECE, CutItems
from trackgen.bigwig.seams import LooseItems
from trackgen.bigwig.sections import EncodedSections
from trackgen.bigwig.spool import read_exactly, write_all
from trackgen.bigwig.zooms import SUMMARY
from trackgen.scan.durable import sync_folder

__all__ = [
    "HISTOGRAM",
    "LOOSE",
    "SECTIONS",
    "SKIP",
    "SKIPS",
    "DamagedShard",
    "ShardReader",
    "ShardWriter",
    "verify_shard",
]

MAGIC = b"TGSHARD1"
SECTIONS, LOOSE, HISTOGRAM, SKIPS = range(4)
# size: bytes of the part. Of sections: their bytes, sections their number, summaries that of their zoom records,
# largest the bytes of the largest before compression. Of loose items: sections their number, summaries that of pieces.
ROW = np.dtype(
    [
        ("track", "<u4"),
        ("chromosome", "<u4"),
        ("kind", "<u4"),
        ("largest", "<u4"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("sections", "<u4"),
        ("summaries", "<u4"),
        ("first", "<i8"),
    ]
)
_ROW = struct.Struct("<IIIIQQIIq")
# A line of skipped.bed: chromosome in the genome's order; reason as `trackgen.scan.gaps` numbers them.
SKIP = np.dtype([("chromosome", "<u4"), ("start", "<u4"), ("end", "<u4"), ("reason", "<u4")])
_BIN = np.dtype([("bin", "<u4"), ("bases", "<u8")])
_END = struct.Struct("<QQQQI8s")
_READ_SIZE = 1 << 20


class DamagedShard(Exception):
    """A shard file is not what was written, or of another plan; the message says how it was found."""


class ShardWriter:
    """Writes one shard file under a temporary name; it appears under its own when it is whole.

    Args:
        path: the file that will appear.
        temporary: its name until then, in the same folder.
        tracks: number of tracks.
    """

    def __init__(self, path: Path, temporary: Path, tracks: int) -> None:
        self._path, self._temporary, self._tracks = path, temporary, tracks
        # Packed: a shard of hundreds of tracks has hundreds of thousands.
        self._rows = bytearray()
        self._size = self._crc = 0
        self._file: BinaryIO = open(temporary, "wb", buffering=0)  # noqa: SIM115
        self._write(MAGIC)

    def check_name(self) -> None:
        """See that the file still has its name: what is written into a folder that was removed is lost.

        Raises:
            FileNotFoundError: it has not.
        """
        os.stat(self._temporary)

    def add_sections(self, track: int, chromosome: int, sections: EncodedSections) -> None:
        """Sections of a track, behind those that it has on that chromosome."""
        blocks, summaries = sections
        if not blocks.data:
            return
        data = b"".join(blocks.data)
        row = (len(data), len(blocks.data), len(summaries), 0, blocks.largest)
        self._add(SECTIONS, track, chromosome, row, data, blocks.extents.tobytes(), summaries.tobytes())

    def add_loose(self, track: int, chromosome: int, loose: LooseItems) -> None:
        """Items of a section that another shard shares."""
        values, pieces = loose.items.values.tobytes(), loose.items.pieces.tobytes()
        row = (len(values) + len(pieces), len(loose.items.values), len(loose.items.pieces), loose.first, 0)
        self._add(LOOSE, track, chromosome, row, values, pieces)

    def add_skips(self, skips: NDArray[Any]) -> None:
        """SKIP[n], in genome order."""
        if len(skips):
            self._add(SKIPS, self._tracks, 0, (skips.nbytes, len(skips), 0, 0, 0), skips.tobytes())

    def finish(self, histograms: list[Histogram], facts: Mapping[str, Any]) -> None:
        """Write the index, let the disk have all of it, and give the file its name."""
        for track, histogram in enumerate(histograms):
            bins = np.empty(np.count_nonzero(histogram.counts), _BIN)
            bins["bin"] = np.flatnonzero(histogram.counts)
            bins["bases"] = histogram.counts[bins["bin"]]
            self._add(HISTOGRAM, track, 0, (bins.nbytes, len(bins), 0, 0, 0), bins.tobytes())
        rows = np.frombuffer(self._rows, ROW)
        rows = rows[np.argsort(rows["track"], kind="stable")]
        starts = np.searchsorted(rows["track"], np.arange(self._tracks + 2)).astype("<u8")
        text = json.dumps(facts).encode()
        offset = self._size
        self._write(rows.tobytes() + starts.tobytes() + text)
        write_all(self._file, _END.pack(offset, len(rows), len(starts), len(text), self._crc, MAGIC))
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self._path)
        sync_folder(self._path.parent)

    def abort(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _add(self, kind: int, track: int, chromosome: int, row: tuple[int, ...], *data: bytes) -> None:
        size, sections, summaries, first, largest = row
        self._rows += _ROW.pack(track, chromosome, kind, largest, self._size, size, sections, summaries, first)
        self._write(b"".join(data))

    def _write(self, data: bytes) -> None:
        write_all(self._file, data)
        self._size += len(data)
        self._crc = checksum(data, self._crc)


class _End(NamedTuple):
    offset: int
    rows: int
    starts: int
    facts: int
    crc: int


def _read_end(file: BinaryIO) -> _End:
    size = os.fstat(file.fileno()).st_size
    if size < len(MAGIC) + _END.size:
        raise DamagedShard(f"{size} bytes are too few for a shard")
    *numbers, magic = _END.unpack(read_exactly(file, size - _END.size, _END.size))
    end = _End(*numbers)
    if magic != MAGIC or end.offset + end.rows * ROW.itemsize + end.starts * 8 + end.facts + _END.size != size:
        raise DamagedShard("its end is missing")
    return end


def verify_shard(path: Path) -> dict[str, Any]:
    """Read a whole shard file and check it.

    Returns:
        Its facts.

    Raises:
        DamagedShard: it is not what was written.
        OSError: it can't be read.
    """
    with open(path, "rb", buffering=0) as file:
        end = _read_end(file)
        left = os.fstat(file.fileno()).st_size - _END.size
        crc = 0
        while left:
            data = file.read(min(left, _READ_SIZE))
            if not data:
                raise DamagedShard("it ends early")
            crc, left = checksum(data, crc), left - len(data)
        if crc != end.crc:
            raise DamagedShard(f"its checksum is {crc:08x}, and {end.crc:08x} was written")
        try:
            facts: dict[str, Any] = json.loads(read_exactly(file, _facts_offset(end), end.facts))
        except ValueError:
            raise DamagedShard("its end is damaged") from None
    return facts


def _facts_offset(end: _End) -> int:
    return end.offset + end.rows * ROW.itemsize + end.starts * 8


class ShardReader:
    """Reads parts of a shard file that was verified."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = open(path, "rb", buffering=0)  # noqa: SIM115
        end = _read_end(self._file)
        self._rows_offset = end.offset
        starts = read_exactly(self._file, end.offset + end.rows * ROW.itemsize, end.starts * 8)
        self._starts = np.frombuffer(starts, "<u8")
        self.file = self._file

    def rows(self, track: int) -> NDArray[Any]:
        """ROW[n] of a track, as they came; those of skipped.bed stand behind the last track."""
        begin, end = int(self._starts[track]), int(self._starts[track + 1])
        offset = self._rows_offset + begin * ROW.itemsize
        return np.frombuffer(read_exactly(self._file, offset, (end - begin) * ROW.itemsize), ROW)

    def extents(self, row: Any) -> NDArray[Any]:
        """EXTENT[s] of a part of sections."""
        size = int(row["sections"]) * EXTENT.itemsize
        return np.frombuffer(read_exactly(self._file, int(row["offset"] + row["size"]), size), EXTENT)

    def summaries(self, row: Any) -> NDArray[Any]:
        """SUMMARY[r] of a part of sections."""
        offset = int(row["offset"] + row["size"]) + int(row["sections"]) * EXTENT.itemsize
        return np.frombuffer(read_exactly(self._file, offset, int(row["summaries"]) * SUMMARY.itemsize), SUMMARY)

    def loose(self, row: Any) -> LooseItems:
        data, count = self._data(row), int(row["sections"])
        items = CutItems(np.frombuffer(data, "<f4", count), np.frombuffer(data[count * 4 :], PIECE))
        return LooseItems(int(row["first"]), items)

    def add_histogram(self, row: Any, histogram: Histogram) -> None:
        """Add a part's counts to a histogram."""
        bins = np.frombuffer(self._data(row), _BIN)
        histogram.counts[bins["bin"]] += bins["bases"].astype(np.int64)

    def skips(self, row: Any) -> NDArray[Any]:
        return np.frombuffer(self._data(row), SKIP)

    def close(self) -> None:
        self._file.close()

    def _data(self, row: Any) -> bytes:
        return read_exactly(self._file, int(row["offset"]), int(row["size"]))
