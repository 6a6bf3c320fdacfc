"""Writes an ``.npz`` file of one array, ``arr_0``, piece by piece: it may be larger than memory."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NpzStream"]

MOMENT = (1980, 1, 1, 0, 0, 0)
"""The same inputs give the same bytes, whatever the clock."""


class NpzStream:
    """One array on its way into a file, which appears under its name when it is whole; used in a ``with`` statement.

    Args:
        path: the file.
        shape: of the whole array.
        dtype: of its elements.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        self._path, self._temporary = path, path.with_name(f"{path.name}.{os.getpid()}.tmp")
        self._dtype = np.dtype(dtype)
        self._zip = zipfile.ZipFile(self._temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        entry = zipfile.ZipInfo("arr_0.npy", MOMENT)
        entry.compress_type = zipfile.ZIP_DEFLATED
        self._member: IO[bytes] = self._zip.open(entry, "w", force_zip64=True)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(self._member, header)

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
