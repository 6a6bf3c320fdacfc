"""Encoding of items as sections: pure functions, for any thread or machine.

A section is a run of values on consecutive spans of equal length (fixed step, type 3), one compressed block of the
file. Whole items are grouped into one section as far as a run of them goes, but never across the section borders of
the grid; a piece is a section of its own with its true span.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.blocks import EXTENT, Blocks, compress
from trackgen.bigwig.grid import ITEMS_PER_RECORD, ITEMS_PER_SECTION, Grid
from trackgen.bigwig.pieces import CutItems
from trackgen.bigwig.zooms import summarise

__all__ = ["EncodedSections", "encode_sections"]

# Header of a section (Kent et al. 2010, supplementary table 13); 24 bytes.
SECTION_HEADER = np.dtype(
    [
        ("chromosome", "<u4"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("step", "<u4"),
        ("span", "<u4"),
        ("type", "u1"),
        ("reserved", "u1"),
        ("items", "<u2"),
    ]
)
_FIXED_STEP = 3


class EncodedSections(NamedTuple):
    """A run of sections of one chromosome.

    Attributes:
        blocks: the compressed sections.
        summaries: SUMMARY[r], their first zoom level.
    """

    blocks: Blocks
    summaries: NDArray[Any]


def encode_sections(chromosome: int, grid: Grid, first: int, items: CutItems) -> EncodedSections:
    """Encode items.

    Args:
        chromosome: its id.
        grid: where items stand.
        first: number of the first item, a multiple of 8192, so that sections and records are whole.
        items: whole items and the pieces among them, ascending.

    Returns:
        Sections ascending by start, and the summaries of the same items.
    """
    values, pieces = items
    begins, ends = _runs(values)
    headers = np.zeros(len(begins) + len(pieces), SECTION_HEADER)
    headers["chromosome"], headers["type"] = chromosome, _FIXED_STEP
    whole, cut = headers[: len(begins)], headers[len(begins) :]
    whole["start"] = grid.start(first) + begins * grid.stride
    whole["end"] = grid.start(first) + ends * grid.stride
    whole["step"] = whole["span"] = grid.stride
    whole["items"] = ends - begins
    cut["start"], cut["end"], cut["items"] = pieces["start"], pieces["end"], 1
    cut["step"] = cut["span"] = pieces["end"] - pieces["start"]
    if len(pieces):
        # Values of pieces stand behind those of whole items; sections go by start.
        values = np.concatenate([values, pieces["value"]])
        begins = np.concatenate([begins, np.arange(len(values) - len(pieces), len(values))])
        order = np.argsort(headers["start"], kind="stable")
        headers, begins = headers[order], begins[order]
    blocks = _compress(headers, values, begins)
    missing = -len(items.values) % ITEMS_PER_RECORD
    padded = np.append(items.values, np.full(missing, np.nan, np.float32)) if missing else items.values
    return EncodedSections(blocks, summarise(chromosome, grid, first, padded, pieces))


def _runs(values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where runs without NaN begin and end among values[1 or more], cut at section borders: two int64[r]."""
    present = ~np.isnan(values)
    is_border = np.zeros(len(values), np.bool_)
    is_border[::ITEMS_PER_SECTION] = True
    is_border[1:] |= present[1:] != present[:-1]
    begins = np.flatnonzero(is_border)
    ends = np.append(begins[1:], len(values))
    filled = present[begins]
    return begins[filled], ends[filled]


def _compress(headers: NDArray[Any], values: NDArray[np.float32], begins: NDArray[np.int64]) -> Blocks:
    header_size, value_size = SECTION_HEADER.itemsize, values.itemsize
    header_view, value_view = memoryview(headers.tobytes()), values.view(np.uint8).data
    places = zip(begins.tolist(), headers["items"].tolist(), strict=True)
    data = [
        compress(
            header_view[place * header_size : (place + 1) * header_size],
            value_view[begin * value_size : (begin + count) * value_size],
        )
        for place, (begin, count) in enumerate(places)
    ]
    extents = np.empty(len(headers), EXTENT)
    for name in ("chromosome", "start", "end"):
        extents[name] = headers[name]
    extents["size"] = [len(block) for block in data]
    largest = header_size + value_size * int(headers["items"].max()) if len(headers) else 0
    return Blocks(data, extents, largest)
