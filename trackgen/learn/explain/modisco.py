"""Motifs from contributions: tfmodisco-lite (Shrikumar et al. 2018; Schreiber), through its own command.

It runs in a process of its own: it forks helpers, which a process with threads of other libraries should not do, and
it reads from files what `trackgen scan --hypothetical` writes too, so that both ways are one.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.learn.explain.needs import require
from trackgen.learn.programs import run_program
from trackgen.progress import NullProgress, Progress

__all__ = ["Pattern", "Seqlets", "core_starts", "fit_for_modisco", "read_patterns", "run_modisco", "write_arrays"]

Float32 = NDArray[np.float32]

MODISCO = "from modiscolite.cli import cli; cli()"
TRIM = 0.3
"""A pattern's core begins and ends where its contributions reach this share of the largest: tfmodisco's own rule."""
PAD = 4
"""Bases to either side of the core, for comparisons: as in tfmodisco's own report."""
SILENT = 1e-6
"""Contributions of positions without any, as a share of the largest."""
REMEDY = "give more or other regions (it needs some hundred windows with clear contributions), or fewer --seqlets"
LONGEST_MINUTES = 120
"""Usual runs take minutes; on some inputs tfmodisco-lite 3.0 merges the same two patterns for ever."""
SHORTEST_WINDOW = 50
"""Seqlets of 30 bases with flanks of 10 to either side must fit, bp."""


@dataclass(frozen=True)
class Seqlets:
    """The stretches of windows that make up a pattern; 0-based half-open in their window."""

    window: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    reverse: NDArray[np.bool_]
    contribution: NDArray[np.float64]
    """Summed over the seqlet's bases."""

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Pattern:
    """A motif that tfmodisco found; matrices are (4, W).

    Attributes:
        name: such as ``positive_0``.
        frequencies: of the bases in its seqlets.
        contributions: their mean contributions, zero for bases that are not there.
        seqlets: where it was found.
        core: first and last + 1 of its columns that matter.
    """

    name: str
    frequencies: NDArray[np.float64]
    contributions: NDArray[np.float64]
    seqlets: Seqlets
    core: tuple[int, int]

    @property
    def motif(self) -> NDArray[np.float64]:
        """The frequencies of the core and `PAD` bases to either side: for comparison with other motifs."""
        first, last = self.core
        return self.frequencies[:, max(0, first - PAD) : last + PAD]


def fit_for_modisco(one_hot: Float32, hypothetical: Float32) -> tuple[Float32, Float32]:
    """Copies of (N, 4, L) arrays on which tfmodisco-lite does not divide by zero.

    A seqlet whose bases contribute exactly nothing has no direction that it could be compared by (tfmodisco-lite's
    issue 12): where a pool leaves positions out, in half of a window maybe. Such positions get contributions of a
    millionth of the largest, of random signs. A base without a letter has no frequency (issue 10): it becomes a
    random one, with such contributions.
    """
    random = np.random.default_rng(0)
    unknown = np.asarray((one_hot == 0).all(axis=1))
    silent = np.asarray((hypothetical == 0).all(axis=1)) | unknown
    noise = random.normal(0, SILENT * float(np.abs(hypothetical).max() or 1.0), hypothetical.shape)
    letters = np.eye(4, dtype=np.float32)[random.integers(0, 4, unknown.shape)].transpose(0, 2, 1)
    return (
        np.where(unknown[:, None, :], letters, one_hot).astype(np.float32),
        np.where(silent[:, None, :], noise, hypothetical).astype(np.float32),
    )


def write_arrays(prefix: Path, one_hot: Float32, hypothetical: Float32) -> tuple[Path, Path]:
    """``PREFIX.ohe.npz`` and ``PREFIX.attr.npz`` of (N, 4, L) arrays, as `modisco motifs` reads them."""
    paths = (prefix.with_name(f"{prefix.name}.ohe.npz"), prefix.with_name(f"{prefix.name}.attr.npz"))
    for path, values in zip(paths, (one_hot, hypothetical), strict=True):
        np.savez(path, np.asarray(values, dtype=np.float32))
    return paths


def run_modisco(
    sequences: Path,
    attributions: Path,
    output: Path,
    *,
    window: int,
    largest: int,
    threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Run ``modisco motifs`` on the two files.

    Args:
        output: the HDF5 file to write.
        window: bases of each sequence that are used, around its centre.
        largest: seqlets that are used at most, of either sign.
        threads: cores to use.
        progress: is told every minute that it still runs.

    Raises:
        DataError: the windows are too short for it.
        TrackgenError: tfmodisco failed.
    """
    require(("modiscolite", "h5py"))
    if window < SHORTEST_WINDOW:
        raise DataError(
            "the windows are too short for tfmodisco", found=f"{window} bp", wanted=f"at least {SHORTEST_WINDOW} bp"
        )
    words = ["motifs", "-s", sequences, "-a", attributions, "-n", largest, "-w", window, "-o", output]
    numbers = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    run_program(
        [sys.executable, "-c", MODISCO, *words], name="tfmodisco-lite", remedy=REMEDY, longest_minutes=LONGEST_MINUTES,
        progress=progress or NullProgress(), environment=numbers, made=output,
    )  # fmt: skip


def read_patterns(path: Path) -> list[Pattern]:
    """The patterns of tfmodisco's HDF5 file: positive ones first, each kind by number of seqlets."""
    import h5py

    patterns = []
    with h5py.File(path, "r") as file:
        for group, sign in (("pos_patterns", "positive"), ("neg_patterns", "negative")):
            entries = file.get(group, {})
            for number, name in enumerate(sorted(entries, key=lambda text: int(text.rpartition("_")[2]))):
                patterns.append(_pattern(entries[name], f"{sign}_{number}"))
    return patterns


def _pattern(entry: Any, name: str) -> Pattern:
    seqlets = entry["seqlets"]
    contributions = np.asarray(entry["contrib_scores"], dtype=np.float64).T
    frequencies = np.asarray(entry["sequence"], dtype=np.float64).T
    strength = np.abs(contributions.sum(axis=0))
    strong = np.flatnonzero(strength >= TRIM * strength.max())
    return Pattern(
        name, frequencies / np.maximum(frequencies.sum(axis=0), 1e-9), contributions,
        Seqlets(
            np.asarray(seqlets["example_idx"], dtype=np.int64), np.asarray(seqlets["start"], dtype=np.int64),
            np.asarray(seqlets["end"], dtype=np.int64), np.asarray(seqlets["is_revcomp"], dtype=np.bool_),
            np.asarray(seqlets["contrib_scores"], dtype=np.float64).sum(axis=(1, 2)),
        ),
        (int(strong[0]), int(strong[-1]) + 1),
    )  # fmt: skip


def core_starts(pattern: Pattern) -> NDArray[np.int64]:
    """Where the core of each seqlet begins in its window."""
    first, last = pattern.core
    seqlets = pattern.seqlets
    return np.where(seqlets.reverse, seqlets.end - last, seqlets.start + first)
