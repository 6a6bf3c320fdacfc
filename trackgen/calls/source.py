"""What calls are made of: tracks, and what is known of the class that they show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trackgen.card import Card
from trackgen.errors import DataError, UsageError
from trackgen.genome import open_signal

__all__ = ["CallSource", "Method", "StrandTrack", "plain_sources", "validation_of"]

Method = Literal["stretches", "maxima"]
STRANDS = {"plus": "+", "minus": "-"}


@dataclass(frozen=True)
class StrandTrack:
    """One BigWig file; `strand` is ``+``, ``-`` or ``.``, `sha256` empty where nobody wrote it down."""

    path: Path
    strand: str
    sha256: str = ""


@dataclass(frozen=True)
class CallSource:
    """One class of one model, on one strand or both.

    Attributes:
        tracks: its files.
        model: empty where no run tells it.
        lengths: of the genome's sequences, bp, in the order of the files to be written.
        bin, resolution: what a prediction is about, and what a value stands on, bp.
        distance: between calls of single bases, bp.
        threshold: of the model's card; None where it gives none.
        validation: what the card says of that threshold, see `validation_of`.
    """

    tracks: tuple[StrandTrack, ...]
    class_name: str
    lengths: Mapping[str, int]
    model: str = ""
    label: str = ""
    assembly: str = ""
    bin: int | None = None
    resolution: int = 1
    distance: int = 50
    threshold: float | None = None
    validation: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """What its files' names begin with."""
        return f"{self.model}.{self.class_name}" if self.model else self.class_name


def validation_of(card: Card, class_name: str, threshold: float | None) -> dict[str, Any] | None:
    """Precision and recall of a class's threshold on what it was set on, as `training.thresholds` of a card says them.

    Returns:
        ``precision``, ``recall``, and where the card has them ``chosen_on`` (sequences) and ``within`` (bp); None where
        it does not say, or speaks of another threshold.
    """
    thresholds = card.training.get("thresholds")
    entry = thresholds.get(class_name) if isinstance(thresholds, Mapping) else None
    if not isinstance(thresholds, Mapping) or not isinstance(entry, Mapping):
        return None
    figures = entry.get("validation", entry)
    if entry.get("threshold", threshold) != threshold or not isinstance(figures, Mapping):
        return None
    found: dict[str, Any] = {key: figures.get(key) for key in ("precision", "recall")}
    if not all(isinstance(value, int | float) for value in found.values()):
        return None
    where, within = thresholds.get("chosen_on"), thresholds.get("within")
    if isinstance(where, str | list):
        found["chosen_on"] = [where] if isinstance(where, str) else [str(name) for name in where]
    return found | ({"within": within} if isinstance(within, int) else {})


def plain_sources(paths: Sequence[Path], strand: str | None) -> list[CallSource]:
    """Sources of BigWig files that nothing else is known of.

    Two files whose names end in ``.plus.bw`` and ``.minus.bw`` are one source.

    Args:
        strand: of all files; None takes it from their names, ``.`` where they do not say.

    Raises:
        DataError: a file is no BigWig, or two strands of one name have different sequences.
        UsageError: two files of one name.
    """
    found: dict[str, list[tuple[StrandTrack, dict[str, int]]]] = {}
    for path in paths:
        stem = re.sub(r"\.(bw|bigwig)$", "", path.name, flags=re.IGNORECASE)
        base, _, end = stem.rpartition(".")
        own = STRANDS.get(end.lower(), "") if base else ""
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", base if own else stem)
        with open_signal(path) as reader:
            lengths = dict(reader.lengths)
        found.setdefault(name, []).append((StrandTrack(path, strand or own or "."), lengths))
    sources = []
    for name, rows in found.items():
        tracks = tuple(track for track, _ in rows)
        if len({track.strand for track in tracks}) < len(tracks):
            raise UsageError(
                "two tracks have one name and one strand", path=tracks[1].path, found=name,
                remedy="rename one, or call them one by one",
            )  # fmt: skip
        if any(lengths != rows[0][1] for _, lengths in rows):
            raise DataError(
                "the two strands stand on different sequences", path=tracks[1].path,
                wanted=f"those of {tracks[0].path.name}",
            )  # fmt: skip
        sources.append(CallSource(tracks, name, rows[0][1]))
    return sources
