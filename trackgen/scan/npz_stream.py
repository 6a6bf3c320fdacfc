"""Writes an ``.npz`` file of one array, ``arr_0``, piece by piece: it may be larger than memory."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NpzStream", "read_stamp"]

MOMENT = (1980, 1, 1, 0, 0, 0)
"""The same inputs give the same bytes, whatever the clock."""


class NpzStream:
    """One array on its way into a file, which appears under its name when it is whole; used in a ``with`` statement.

    Args:
        path: the file.
        shape: of the whole array.
        dtype: of its elements.
        stamp: says what the array was made from; kept as the zip file's comment, which readers of arrays pass over.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str, stamp: str = "") -> None:
        self._path, self._temporary = path, _temporary(path)
        self._dtype = np.dtype(dtype)
        self._zip = zipfile.ZipFile(self._temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._zip.comment = stamp.encode()
        entry = zipfile.ZipInfo("arr_0.npy", MOMENT)
        entry.compress_type = zipfile.ZIP_DEFLATED
        self._member: IO[bytes] = self._zip.open(entry, "w", force_zip64=True)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(self._member, header)

    @staticmethod
    def try_out(path: Path) -> None:
        """See whether a file could be written, and leave nothing.

        Raises:
            OSError: no.
        """
        _temporary(path).touch()
        _temporary(path).unlink()

    def write(self, rows: NDArray[Any]) -> None:
        """The next rows of the array."""
        self._member.write(np.ascontiguousarray(rows, self._dtype).data)

    def __enter__(self) -> NpzStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._member.close()
            self._zip.close()
            if kind is None:
                os.replace(self._temporary, self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")


def read_stamp(path: Path) -> str | None:
    """The stamp of an ``.npz`` file; None where there is no file, or none that is whole."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.comment.decode(errors="replace")
    except (OSError, zipfile.BadZipFile):
        return None
