"""Splits of a genome by chromosome, so that no test base was ever near a training base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import UsageError

__all__ = ["Split"]


@dataclass(frozen=True)
class Split:
    """Which sequences train, choose (validation) and test.

    Attributes:
        names: sequence names of the genome, file order.
        train, validation, test: names of each part; a name in none of them is left out altogether.
    """

    names: tuple[str, ...]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @classmethod
    def of(
        cls, names: Sequence[str], *, validation: Sequence[str], test: Sequence[str], left_out: Sequence[str] = ()
    ) -> Split:
        """Everything that is not validation, test or left out trains.

        Raises:
            UsageError: a name that the genome lacks, a name in two parts, or an empty part.
        """
        for part, asked in (("validation", validation), ("test", test)):
            for name in asked:
                if name not in names:
                    raise UsageError(f"the {part} sequence {name} is not in the genome", wanted=", ".join(names))
        twice = sorted(set(validation) & set(test))
        if twice:
            raise UsageError("a sequence cannot be validation and test at once", found=", ".join(twice))
        used = {*validation, *test, *left_out}
        train = tuple(name for name in names if name not in used)
        split = cls(tuple(names), train, tuple(validation), tuple(test))
        for part in ("train", "validation", "test"):
            if not getattr(split, part):
                raise UsageError(f"no sequence is left for {part}", remedy="choose other --validation and --test")
        return split

    def rows(self, part: str, chromosome: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Mask of those entries of `chromosome` (indices into `names`) that belong to `part`."""
        wanted = np.array([name in getattr(self, part) for name in self.names])
        return np.asarray(wanted[chromosome], dtype=np.bool_)
