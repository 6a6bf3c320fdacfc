"""Which numbers a model gives of one window: a class of an output, on each strand that it has a track on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, OutputSpec
from trackgen.errors import UsageError
from trackgen.scan.slots import unknown_class
from trackgen.scan.tracks import strands_of

__all__ = ["Column", "allele_numbers", "choose_columns", "column_values", "numbers_of"]

Float32 = NDArray[np.float32]

SMALLEST, LARGEST = 2.0**-126, 1 - 2.0**-24
"""Where probabilities are held before their odds are taken: the smallest normal float32, and the largest below 1."""


class Column(NamedTuple):
    """One number of a window. Indices count in the card's order."""

    output: int
    class_index: int
    strand: str | None
    """``plus``, ``minus``, or None for the strands ``forward`` and ``average``."""
    class_name: str
    title: str
    unit: str
    odds: bool
    """Whether it is a probability, which has odds."""

    @property
    def name(self) -> str:
        """As tracks are named: ``sharp.plus``."""
        return ".".join(part for part in (self.class_name, self.strand) if part)


def choose_columns(card: Card, classes: Sequence[str]) -> list[Column]:
    """The columns of the classes asked for; of none, those of every class that has a track.

    Raises:
        UsageError: no such class, or none that has a track.
    """
    known = [entry.name for entry in card.classes]
    for name in classes:
        if name not in known:
            raise unknown_class("--classes", name, known)
    columns = [
        Column(number, index, strand, entry.name, entry.title, output.unit, _has_odds(output))
        for number, output in enumerate(card.outputs)
        for index, entry in enumerate(output.classes)
        if (entry.name in classes if classes else entry.track)
        for strand in strands_of(card)
    ]
    if not columns:
        raise UsageError(
            f"no class of model {card.name} has a track", place="--classes", wanted="one of " + ", ".join(known)
        )
    return columns


def _has_odds(output: OutputSpec) -> bool:
    return output.role == "probability" and output.activation != "none" and output.resolution is None


def column_values(columns: Sequence[Column], strands: Mapping[str | None, list[Float32]]) -> Float32:
    """The columns (N, columns) of N windows; of a profile the sum over its positions.

    Args:
        strands: per strand, per output of the card (N, K), or (N, K, M) for a profile.
    """
    found = []
    for column in columns:
        values = strands[column.strand][column.output][:, column.class_index]
        found.append(values if values.ndim == 1 else values.sum(axis=1, dtype=np.float64).astype(np.float32))
    return np.stack(found, axis=1)


def numbers_of(column: Column) -> tuple[str, ...]:
    """What is told of an allele: of the reference, with the allele, their difference, the log of their odds ratio."""
    return ("ref", "alt", "delta", "logodds") if column.odds else ("ref", "alt", "delta")


def allele_numbers(columns: Sequence[Column], reference: Float32, alternative: Float32) -> Float32:
    """The `numbers_of` each column, one behind the other: (N, numbers).

    Args:
        reference, alternative: (N, columns) of N alleles.
    """
    odds = _log_odds(alternative) - _log_odds(reference)
    found = []
    for place, column in enumerate(columns):
        before, after = reference[:, place], alternative[:, place]
        found += [before, after, after - before]
        if column.odds:
            found.append(odds[:, place].astype(np.float32))
    return np.stack(found, axis=1)


def _log_odds(values: Float32) -> NDArray[np.float64]:
    """The natural logarithm of the odds of probabilities."""
    held = np.clip(values.astype(np.float64), SMALLEST, LARGEST)
    return np.asarray(np.log(held) - np.log1p(-held))
