"""Motifs that tell two sets of sequences apart, found in the sequences alone, without the model.

STREME of the MEME suite (Bailey 2021) where its program is on the PATH: no Python package carries it. Else the finder
that `trackgen train binding` measures its nets against, several times over, what was found masked before the next.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import TrackgenError
from trackgen.learn.datasets.motif_files import read_motifs
from trackgen.learn.motif import Motif, find_motif
from trackgen.progress import Progress

__all__ = ["Discovery", "discover"]

Codes = NDArray[np.uint8]

NUMBER = 5
"""Motifs that are looked for: as many as Table 11 of ten Dijke 2017 shows for each class."""
MASKED_SHARE = 0.05
"""A hit is masked when it scores as only this share of the background's sequences do."""
UNKNOWN = 4
LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


@dataclass(frozen=True)
class Discovery:
    """Motifs by name, (4, W) probabilities, and what found them."""

    method: str
    motifs: dict[str, NDArray[np.float64]]


def discover(windows: Codes, background: Codes, progress: Progress) -> Discovery:
    """Motifs of (N, L) `windows` against (M, L) `background`.

    Raises:
        TrackgenError: STREME failed.
    """
    program = shutil.which("streme")
    if program is not None:
        progress.note("discriminative motifs: STREME")
        return Discovery("STREME", _streme(program, windows, background))
    found = {}
    progress.start("discriminative motifs", NUMBER, "motifs")
    masked, other = windows.copy(), background.copy()
    for number in range(NUMBER):
        motif = find_motif(masked, other)
        found[f"motif {number + 1}"] = _probabilities(motif, other)
        least = np.quantile(motif.best(other)[0], 1 - MASKED_SHARE)
        masked, other = _mask(motif, masked, least), _mask(motif, other, least)
        progress.advance(1)
    progress.finish()
    return Discovery("the most enriched 7-mer, refined to a matrix", found)


def _probabilities(motif: Motif, background: Codes) -> NDArray[np.float64]:
    """The probabilities behind a motif's log-odds, which are against the background's bases on both strands."""
    count = np.bincount(background.ravel(), minlength=5)[:4] + 1.0
    both = (count + count[::-1]) / (2 * count.sum())
    raised = np.exp(motif.log_odds).T * both[:, None]
    return np.asarray(raised / raised.sum(axis=0), dtype=np.float64)


def _mask(motif: Motif, codes: Codes, least: float) -> Codes:
    """A copy in which the best hit of each sequence, where it reaches `least`, has no letters."""
    score, place = motif.best(codes)
    masked = codes.copy()
    rows = np.flatnonzero(score >= least)
    first = place[rows] % (codes.shape[1] - motif.width + 1)
    masked[rows[:, None], first[:, None] + np.arange(motif.width)] = UNKNOWN
    return masked


def _streme(program: str, windows: Codes, background: Codes) -> dict[str, NDArray[np.float64]]:
    with TemporaryDirectory(prefix="trackgen-streme-") as folder:
        files = [Path(folder, name) for name in ("class.fa", "background.fa")]
        for file, codes in zip(files, (windows, background), strict=True):
            file.write_text("".join(f">{n}\n{LETTERS[row].tobytes().decode()}\n" for n, row in enumerate(codes)))
        words = ["--p", files[0], "--n", files[1], "--dna", "--nmotifs", NUMBER, "--oc", Path(folder, "streme")]
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise TrackgenError(
                "STREME failed", path=program, found=said[-1][:300] if said else f"exit status {done.returncode}",
                remedy="take it off the PATH to use the finder that trackgen brings",
            )  # fmt: skip
        return dict(read_motifs(Path(folder, "streme", "streme.txt")).motifs)
