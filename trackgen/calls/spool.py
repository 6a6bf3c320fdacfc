"""Calls of all sequences, on the disk until all are known: what calls there are does not grow in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from trackgen.calls.stretches import CALL, Calls
from trackgen.errors import ResourceError

__all__ = ["CallSpool"]


class _Place(NamedTuple):
    offset: int
    number: int
    before: int


class CallSpool:
    """Calls by sequence; use it in a ``with`` statement, which removes its temporary file.

    Args:
        folder: where the file may go; None for the system's place.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._places: dict[str, _Place] = {}
        self.number = 0
        self.bases = 0
        self.largest = 0.0

    def add(self, name: str, calls: Calls) -> None:
        """All calls of one sequence, sorted; sequences come in the order in which calls are numbered.

        Raises:
            ResourceError: the disk is full or fails.
        """
        try:
            offset = self._file.seek(0, 2)
            self._file.write(calls.tobytes())
            self._file.flush()
        except OSError as error:
            raise ResourceError(
                "the calls do not fit on the disk of temporary files", found=error.strerror,
                remedy="free space, choose another place with TMPDIR, or raise --threshold",
            ) from error  # fmt: skip
        self._places[name] = _Place(offset, len(calls), self.number)
        self.number += len(calls)
        self.bases += int((calls["end"] - calls["start"]).sum())
        self.largest = max(self.largest, float(calls["value"].max(initial=0.0)))

    def __iter__(self) -> Iterator[tuple[str, int, Calls]]:
        """(sequence, number of its first call from 1, calls), in the order of `add`."""
        return (self._read(name) for name in self._places)

    def by_name(self) -> Iterator[tuple[str, int, Calls]]:
        """The same in the order of the sequences' names, as bigBed files want it."""
        return (self._read(name) for name in sorted(self._places))

    def _read(self, name: str) -> tuple[str, int, Calls]:
        place = self._places[name]
        self._file.seek(place.offset)
        data = self._file.read(place.number * CALL.itemsize)
        return name, place.before + 1, np.frombuffer(data, CALL)

    def __enter__(self) -> CallSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
