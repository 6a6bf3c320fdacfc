"""A BigWig track as the source of a signal: checked, binned, and divided by its usual mean."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome import SignalReader, describe, open_signal, reconcile
from trackgen.genome.signals import finite_values
from trackgen.progress import Progress
from trackgen.signals.recipe import Recipe
from trackgen.signals.sweep import BASES_PER_PIECE, Values
from trackgen.signals.usual import UsualDepth

__all__ = ["refuse_no_counts", "track_values"]


def track_values(
    path: Path, lengths: Mapping[str, int], recipe: Recipe, resolution: int, statistic: str, progress: Progress
) -> tuple[float, float, Iterator[Values]]:
    """Usual mean, factor, and the track's values in bins; bases without a value count as 0.

    Raises:
        DataError: no BigWig, damaged; sequences of another genome; a negative, infinite or NaN value; scale ``mean``,
            and nothing lies on the usual part of the genome.
        UsageError: the recipe needs single fragments: thinning, or counts per million.
    """
    if recipe.fragments.fraction < 1 or recipe.scale == "cpm":
        asked = "counts per million" if recipe.scale == "cpm" else f"a fraction of {recipe.fragments.fraction:g}"
        raise UsageError(
            "a BigWig track holds no fragments that could be counted or drawn", path=path, found=asked,
            remedy="start from the BAM or fragments file",
        )  # fmt: skip
    with open_signal(path) as reader:
        own = {target: name for name, target in _mapping(reader, lengths, progress).items()}
    usual = UsualDepth(lengths, recipe.excluded)
    progress.start("reading the track", sum(lengths.values()), "bases")
    missing = 0
    for part, absent in _read(path, lengths, own, 1, "mean"):
        usual.add_values(part.name, part.first, part.values)
        missing += absent
        progress.advance(len(part.values))
    progress.finish()
    if missing:
        progress.note(f"{missing:,} bases without a value count as 0")
    try:
        depth = usual.depth() if recipe.scale == "mean" or usual.any() else 0.0
    except DataError as error:
        raise error.in_file(path) from None
    values = (part for part, _ in _read(path, lengths, own, resolution, statistic))
    return depth, 1 / depth if recipe.scale == "mean" else 1.0, values


def _mapping(reader: SignalReader, lengths: Mapping[str, int], progress: Progress) -> dict[str, str]:
    refuse_no_counts(reader.path)
    mapping = reconcile(reader.lengths, lengths, path=reader.path, what="signal", allow_unknown=True)
    told = describe(mapping)
    if told:
        progress.note(told)
    return mapping


def _read(
    path: Path, lengths: Mapping[str, int], own: Mapping[str, str], resolution: int, statistic: str
) -> Iterator[tuple[Values, int]]:
    """Bins of every sequence, and how many of their bases have no value."""
    bins = max(1, BASES_PER_PIECE // resolution)
    with open_signal(path) as reader:
        for name, length in lengths.items():
            for first in range(0, -(-length // resolution), bins):
                start, end = first * resolution, min((first + bins) * resolution, length)
                if name not in own:
                    yield Values(name, first, np.zeros(-(-(end - start) // resolution))), end - start
                    continue
                values = finite_values(reader, own[name], start, end)
                _refuse_negative(reader, own[name], start, values)
                absent = np.isnan(values)
                binned = _binned(np.where(absent, 0, values).astype(np.float64), resolution, statistic)
                yield Values(name, first, binned), int(absent.sum())


def _binned(values: NDArray[np.float64], resolution: int, statistic: str) -> NDArray[np.float64]:
    edges = np.arange(0, len(values), resolution)
    if statistic == "max":
        return np.maximum.reduceat(values, edges)
    means: NDArray[np.float64] = np.add.reduceat(values, edges) / np.diff(edges, append=len(values))
    return means


def _refuse_negative(reader: SignalReader, name: str, start: int, values: NDArray[np.float32]) -> None:
    negative = values < 0
    if negative.any():
        row = int(negative.argmax())
        raise DataError(
            "the track holds a negative value, where counts are wanted", path=reader.path,
            place=f"{name}:{start + row + 1:,}", found=f"{values[row]:g}", wanted="0 or more",
            remedy="give the track before logarithms, ratios or subtraction",
        )  # fmt: skip


SUMMARY_OFFSET = 44
"""Where a BigWig's header says where its summary is: covered bases, minimum, maximum, sum, sum of squares."""


def refuse_no_counts(path: Path) -> None:
    """Refuse a BigWig that, by the summary in its header, holds NaN or negative values.

    Readers give NaN for bases without a value, so that NaN that was written shows nowhere else.

    Raises:
        DataError: it does.
    """
    with open(path, "rb") as file:
        head = file.read(SUMMARY_OFFSET + 8)
        order = "<" if head[:1] == b"\x26" else ">"
        (offset,) = struct.unpack_from(order + "Q", head, SUMMARY_OFFSET)
        file.seek(offset)
        summary = file.read(40) if offset else b""
    if len(summary) < 40:
        return
    _, smallest, largest, total, _ = struct.unpack(order + "Q4d", summary)
    if any(math.isnan(value) for value in (smallest, largest, total)):
        raise DataError(
            "the track holds values that are no number (NaN)", path=path, place="summary in the header",
            wanted="numbers; bases without a value are left out of a BigWig file",
            remedy="write the track again without them",
        )  # fmt: skip
