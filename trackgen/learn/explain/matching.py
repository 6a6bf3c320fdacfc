"""Motifs against a database: tomtom (Gupta et al. 2007), through memelite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trackgen.learn.datasets.motif_files import Matrix, MotifDatabase

__all__ = ["FEWEST_MOTIFS", "Match", "match_motifs"]

SHOWN = 3
"""Best matches that a report names."""
LARGEST_E_VALUE = 0.1
"""A match is named when fewer than this are expected by chance among the database's motifs."""
FEWEST_MOTIFS = 25
"""With fewer in the database tomtom's p-values depend on which they are, so that memelite warns."""


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
