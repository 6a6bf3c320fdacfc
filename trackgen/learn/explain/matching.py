"""Motifs against a database: tomtom (Gupta et al. 2007), through memelite."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError

__all__ = ["Match", "MotifDatabase", "match_motifs", "read_motifs", "write_motifs"]

Matrix = NDArray[np.float64]

SHOWN = 3
"""Best matches that a report names."""
LARGEST_E_VALUE = 0.1
"""A match is named when fewer than this are expected by chance among the database's motifs."""
FEWEST_MOTIFS = 25
"""With fewer in the database tomtom's p-values depend on which they are, so that memelite warns."""


@dataclass(frozen=True)
class MotifDatabase:
    """Motifs by name: (4, W) probabilities of A, C, G, T."""

    path: Path
    motifs: Mapping[str, Matrix]


@dataclass(frozen=True)
class Match:
    """A motif of the database that resembles a query.

    Attributes:
        name: of the motif.
        p_value: tomtom's, of the best alignment on either strand.
        e_value: `p_value` times the number of motifs in the database.
        reverse: whether the reverse complement of the database's motif matches.
    """

    name: str
    p_value: float
    e_value: float
    reverse: bool


def read_motifs(path: Path) -> MotifDatabase:
    """The motifs of a MEME file (minimal or full text format).

    Raises:
        DataError: the file is missing, no MEME file, or holds no motif.
    """
    from memelite.io import read_meme

    try:
        with open(path, encoding="utf-8") as file:
            head = file.readline()
        motifs = read_meme(os.fspath(path)) if head.startswith("MEME version") else {}
    except FileNotFoundError:
        raise DataError("the motif file does not exist", path=path) from None
    except (ValueError, IndexError, AttributeError, UnicodeDecodeError) as error:
        raise DataError("the motif file can't be read", path=path, found=error, wanted="a MEME file") from error
    if not motifs:
        raise DataError(
            "the file holds no motif", path=path, found=repr(head.strip()[:60]),
            wanted="a MEME file: `MEME version 4`, and a letter-probability matrix for each motif",
            remedy="the MEME suite's tools transfac2meme and jaspar2meme turn other formats into this one",
        )  # fmt: skip
    return MotifDatabase(path, {_short(name): _checked(matrix, name, path) for name, matrix in motifs.items()})


def _short(name: str) -> str:
    """An identifier and another name, which databases write as NA where there is none."""
    return " ".join(word for word in name.split() if word != "NA")


def _checked(matrix: Matrix, name: str, path: Path) -> Matrix:
    sums = matrix.sum(axis=0)
    if not matrix.size or not np.isfinite(matrix).all() or (matrix < 0).any() or (sums <= 0).any():
        raise DataError(
            "a motif's rows are not probabilities", path=path, place=f"motif {name}",
            found=f"a row that sums to {float(sums.min()) if matrix.size else 0:g}", wanted="rows that sum to 1",
        )  # fmt: skip
    return np.asarray(matrix / sums, dtype=np.float64)


def write_motifs(path: Path, motifs: Mapping[str, Matrix]) -> None:
    """Write (4, W) probabilities as a MEME file, names without spaces."""
    from memelite.io import write_meme

    write_meme(os.fspath(path), {name.replace(" ", "_"): matrix for name, matrix in motifs.items()})


def match_motifs(queries: Sequence[Matrix], database: MotifDatabase) -> list[list[Match]]:
    """For each of (4, W) `queries` the best motifs of the database, at most `SHOWN`, best first."""
    if not queries:
        return []
    import warnings

    import memelite

    names = list(database.motifs)
    with warnings.catch_warnings():
        # Said in words in the report (`FEWEST_MOTIFS`), instead of on stderr.
        warnings.simplefilter("ignore")
        p_values, _, _, _, strands, indices = memelite.tomtom(
            [np.asarray(query, dtype=np.float64) for query in queries],
            list(database.motifs.values()),
            n_nearest=min(SHOWN, len(names)),
            n_jobs=1,
        )
    found = []
    for row in range(len(queries)):
        matches = [
            Match(names[int(index)], float(p), float(p) * len(names), bool(strand))
            for p, strand, index in zip(p_values[row], strands[row], indices[row], strict=True)
        ]
        found.append([match for match in matches if match.e_value <= LARGEST_E_VALUE])
    return found
