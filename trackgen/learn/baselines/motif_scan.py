"""The best known motif: a matrix out of a database, scored by the highest log-odds in a sequence, on either strand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.learn.datasets.motif_files import Matrix, MotifDatabase
from trackgen.learn.metrics import auroc
from trackgen.learn.motif import Motif

__all__ = ["KnownMotif", "best_known_motif", "known_motif", "log_odds"]

Codes = NDArray[np.uint8]

PSEUDOCOUNT = 0.01
"""Added to every probability, so that one base a motif never had does not rule a site out."""
SAMPLE = 1000
"""Training sequences of either class by which the best motif is chosen."""


@dataclass(frozen=True)
class KnownMotif:
    """A motif of a database.

    Attributes:
        name: in its database.
        database: the file's name.
        motif: its log-odds against equal bases.
        training_auroc: by which it was chosen.
        tried: motifs that it was chosen from.
    """

    name: str
    database: str
    motif: Motif
    training_auroc: float
    tried: int

    def scores(self, codes: Codes) -> NDArray[np.float64]:
        """float64[n]: the best place in each of uint8[n, L] sequences, natural log-odds."""
        return self.motif.best(codes)[0]


def log_odds(matrix: Matrix, pseudocount: float = PSEUDOCOUNT) -> Motif:
    """The motif of float64[4, w] probabilities: log((p + pseudocount) / (1 + 4 pseudocounts) / (1/4))."""
    return Motif(np.log((matrix.T + pseudocount) / (1 + 4 * pseudocount) * 4))


def known_motif(
    databases: Sequence[MotifDatabase], factor: str, codes: Codes, labels: NDArray[np.int64], *, seed: int = 0
) -> KnownMotif:
    """Of a factor's motifs in the databases the one that tells training sequences apart best.

    Args:
        databases: those that have no motif of the factor are passed over.
        factor: as `MotifDatabase.find` has it.
        codes, labels: uint8[n, L] training sequences and their classes.
        seed: draws the sample by which it is chosen.

    Raises:
        DataError: no database has a motif of the factor.
    """
    found: dict[tuple[str, str], Matrix] = {}
    missing: DataError | None = None
    for database in databases:
        try:
            own = database.find(factor)
        except DataError as error:
            missing = error
            continue
        found |= {(database.path.name, name): matrix for name, matrix in own.items()}
    if not found and missing is not None:
        raise missing
    return _best(found, codes, labels, seed)


def best_known_motif(
    databases: Sequence[MotifDatabase], codes: Codes, labels: NDArray[np.int64], *, seed: int = 0
) -> KnownMotif:
    """As `known_motif`, of all motifs of the databases, whatever their factor."""
    every = {(base.path.name, name): matrix for base in databases for name, matrix in base.motifs.items()}
    return _best(every, codes, labels, seed)


def _best(
    motifs: Mapping[tuple[str, str], Matrix], codes: Codes, labels: NDArray[np.int64], seed: int
) -> KnownMotif:  # fmt: skip
    random = np.random.default_rng(seed)
    rows = np.concatenate([random.permutation(np.flatnonzero(labels == label))[:SAMPLE] for label in (0, 1)])
    sample, truth = codes[rows], labels[rows] == 1
    fitting = {key: log_odds(matrix) for key, matrix in motifs.items() if matrix.shape[1] <= codes.shape[1]}
    if not fitting:
        raise DataError(
            "no motif fits into the sequences", found=f"{len(motifs)} motifs, sequences of {codes.shape[1]} bp",
            wanted="a motif that is no wider than a sequence",
        )  # fmt: skip
    tried = {key: auroc(truth, motif.best(sample)[0]) for key, motif in fitting.items()}
    key = max(tried, key=lambda one: tried[one])
    return KnownMotif(key[1], key[0], fitting[key], tried[key], len(fitting))
