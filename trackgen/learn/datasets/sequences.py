"""Labelled sequences of one length: what a classifier of whole windows learns from, wherever they came from.

The test sequences of a set never change: they are those that the set brings along, or else one in five of each class,
drawn by the content of the set alone. Validation is one in eight of the others, drawn by a seed, as Zeng 2016 has it
(doi:10.1093/bioinformatics/btw255).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import reverse_complement

__all__ = ["FEWEST_OF_A_CLASS", "Parts", "SequenceSet"]

TEST_SHARE = 1 / 5
VALIDATION_SHARE = 1 / 8
FEWEST_OF_A_CLASS = 50
"""With fewer sequences of either class there is not one of it in every batch, nor a figure that means anything."""


@dataclass(frozen=True)
class SequenceSet:
    """Sequences and their classes.

    Attributes:
        name: of the set, for reports.
        codes: uint8[n, L] codes.
        labels: int64[n], 1 for bound, 0 for not.
        test: bool[n], the sequences that the set itself holds back for testing; all False where it holds back none.
        places: n texts ``chr:start-end`` (1-based closed) where they are known, else none.
        validation: bool[n], the sequences that the set itself keeps for validation, or None where a seed draws them.
        notes: sentences on how the set came about, for people: what was left out, what looks wrong.
    """

    name: str
    codes: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test: NDArray[np.bool_]
    places: tuple[str, ...] = ()
    validation: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.codes), len(self.labels), len(self.test)} | ({len(self.places)} if self.places else set())
        if len(lengths) != 1:
            raise DataError(
                "sequences and labels do not match", path=self.name, found=f"{len(self.codes)} sequences, "
                f"{len(self.labels)} labels, {len(self.test)} marks of the part, {len(self.places)} places",
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def window(self) -> int:
        """L, bases."""
        return int(self.codes.shape[1])

    @property
    def digest(self) -> str:
        """SHA-256 of sequences, labels and the part they are in, 16 hexadecimal digits: which data a figure is of."""
        state = hashlib.sha256(str(self.codes.shape).encode())
        marks = (self.test,) if self.validation is None else (self.test, self.validation)
        for array in (self.codes, self.labels.astype("<i8"), *marks):
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()[:16]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> SequenceSet:
        """The sequences of an index or mask array."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        places = tuple(self.places[row] for row in rows) if self.places else ()
        validation = None if self.validation is None else self.validation[rows]
        return SequenceSet(
            self.name, self.codes[rows], self.labels[rows], self.test[rows], places, validation, self.notes
        )  # fmt: skip

    def require_classes(self, fewest: int = FEWEST_OF_A_CLASS) -> None:
        """Refuse a set that nothing can be learned from.

        Raises:
            DataError: fewer than `fewest` sequences of a class.
        """
        for label, word in ((1, "bound"), (0, "unbound")):
            found = int((self.labels == label).sum())
            if found < fewest:
                raise DataError(
                    f"there are too few {word} sequences", path=self.name, found=found, wanted=f"{fewest} or more",
                    remedy="give more peaks, or lower the score from which one counts",
                )  # fmt: skip

    def parts(self, seed: int) -> Parts:
        """Training, validation and test sequences; `seed` draws validation, and leaves the test sequences alone.

        Sequences that are the same as one for testing, on either strand, are in neither of the other two.
        """
        test = self.test if self.test.any() else self._draw(~self.test, TEST_SHARE, int(self.digest, 16))
        kept = self.validation
        validation = self._draw(~test, VALIDATION_SHARE, seed) if kept is None or not kept.any() else kept & ~test
        repeated = ~test & _among(self.codes, self.codes[test])
        return Parts(self.take(~(test | validation | repeated)), self.take(validation & ~repeated), self.take(test))

    def _draw(self, among: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.bool_]:
        """Mask of a share of each class, rounded, of the sequences in `among`."""
        random = np.random.default_rng(seed)
        drawn = np.zeros(len(self), dtype=np.bool_)
        for label in (0, 1):
            rows = np.flatnonzero(among & (self.labels == label))
            drawn[random.permutation(rows)[: round(share * len(rows))]] = True
        return drawn


@dataclass(frozen=True)
class Parts:
    """What trains, what chooses, and what judges."""

    train: SequenceSet
    validation: SequenceSet
    test: SequenceSet

    def require_classes(self) -> None:
        """Refuse parts of which nothing can be learned or told.

        Raises:
            DataError: one of them has no sequence of a class.
        """
        for name, part in vars(self).items():
            for label, word in ((1, "bound"), (0, "unbound")):
                if not (part.labels == label).any():
                    raise DataError(
                        f"there is no {word} sequence to {_PURPOSE[name]}", path=part.name, found=f"{len(part)} others",
                        wanted="some of both classes", remedy="give more data, or other sequences for each part",
                    )  # fmt: skip


_PURPOSE = {"train": "train on", "validation": "choose by", "test": "test on"}


def _among(codes: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Mask of the sequences uint8[n, L] that are one of the others, or the reverse complement of one."""
    turned = np.concatenate([others, reverse_complement(others)])
    return np.isin(_as_items(codes), _as_items(turned))


def _as_items(codes: NDArray[np.uint8]) -> NDArray[np.void]:
    """One item for each row, of all of its bytes."""
    return np.ascontiguousarray(codes).view(np.dtype((np.void, codes.shape[1]))).reshape(-1)
