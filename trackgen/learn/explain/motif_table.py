"""Patterns of tfmodisco as rows of a report, with their matches in a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.datasets.motif_files import MotifDatabase
from trackgen.learn.explain.logos import information
from trackgen.learn.explain.matching import Match, match_motifs
from trackgen.learn.explain.modisco import Pattern, fit_for_modisco, read_patterns, run_modisco, write_arrays
from trackgen.learn.explain.page import Cell, Picture
from trackgen.learn.explain.pictures import logo
from trackgen.progress import Progress

__all__ = ["NamedPattern", "find_patterns", "match_text", "named", "pattern_pictures"]

Float32 = NDArray[np.float32]

SHORTEST_COMPARED = 4
"""Shorter cores, such as the two bases of an initiator, resemble a part of many motifs and are none of them."""


@dataclass(frozen=True)
class NamedPattern:
    """A pattern and the motifs of the database that it resembles, best first."""

    pattern: Pattern
    matches: list[Match]

    @property
    def title(self) -> str:
        """The pattern's name, with that of its best match where there is one."""
        best = f" {self.matches[0].name}" if self.matches else ""
        return f"{self.pattern.name}{best}"


def find_patterns(
    one_hot: Float32, hypothetical: Float32, *, largest: int, threads: int, progress: Progress, keep: Path | None = None
) -> list[Pattern]:
    """Patterns of (N, 4, L) windows and their hypothetical contributions.

    Args:
        largest: seqlets that are used at most, of either sign.
        keep: where to leave tfmodisco's own file.

    Raises:
        TrackgenError: tfmodisco failed.
    """
    progress.note(f"tfmodisco-lite on {len(one_hot):,} windows (the first run on a machine compiles it: a minute more)")
    with TemporaryDirectory(prefix="trackgen-modisco-") as folder:
        sequences, attributions = write_arrays(Path(folder, "windows"), *fit_for_modisco(one_hot, hypothetical))
        output = Path(folder, "patterns.h5")
        run_modisco(
            sequences, attributions, output,
            window=one_hot.shape[2], largest=largest, threads=threads, progress=progress,
        )  # fmt: skip
        patterns = read_patterns(output)
        if keep is not None:
            keep.write_bytes(output.read_bytes())
    return patterns


def named(patterns: Sequence[Pattern], database: MotifDatabase | None) -> list[NamedPattern]:
    """The patterns with their matches; without a database, without."""
    if database is None:
        return [NamedPattern(pattern, []) for pattern in patterns]
    compared = [pattern for pattern in patterns if pattern.core[1] - pattern.core[0] >= SHORTEST_COMPARED]
    found = match_motifs([pattern.motif for pattern in compared], database)
    matches = {pattern.name: entry for pattern, entry in zip(compared, found, strict=True)}
    return [NamedPattern(pattern, matches.get(pattern.name, [])) for pattern in patterns]


def match_text(matches: Sequence[Match], database: MotifDatabase | None) -> Cell:
    """Matches in words, for a cell."""
    if database is None:
        return "–"
    return "; ".join(f"{match.name} (E {match.e_value:.1g})" for match in matches) or "none"


def pattern_pictures(pattern: Pattern, background: NDArray[np.float64]) -> tuple[Picture, Picture]:
    """The logo of contributions and that of the frequencies (bits), of the core with a base to either side."""
    first, last = max(pattern.core[0] - 1, 0), min(pattern.core[1] + 1, pattern.frequencies.shape[1])
    part = slice(first, last)
    return (
        logo(pattern.contributions[:, part], f"{pattern.name}, contributions"),
        logo(information(pattern.frequencies[:, part], background), f"{pattern.name}, frequencies"),
    )
