"""Values along a genome, from users' BigWig tracks: through pyBigWig, or pybigtools where that has no wheel."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError, UsageError
from trackgen.genome.sequence import inside, near_files, unknown_sequence

__all__ = ["SignalReader", "finite_values", "open_signal"]

BIGWIG_MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
BIGBED_MAGIC = (b"\xeb\xf2\x89\x87", b"\x87\x89\xf2\xeb")
"""Little endian and big endian; this and the header as in Kent et al. 2010, doi:10.1093/bioinformatics/btq351."""
HEADER_BYTES = 64
ZOOM_HEADER_BYTES = 24
TREE_HEADER_BYTES = 32
COUNT_BYTES = 8
"""The chromosome tree's; that of the data's index is larger still."""
SUFFIXES = (".bw", ".bigwig")
"""What pybigtools wants a path to end in; it knows an open file by its content."""


class SignalReader(Protocol):
    """An open signal. One object serves one thread."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def lengths(self) -> dict[str, int]:
        """Bases of each sequence that the file lists."""

    def values(self, name: str, start: int, end: int) -> NDArray[np.float32]:
        """Values of [start, end), 0-based half-open: float32[end - start], NaN where there is none.

        Both ends may lie outside [0, length); bases there read as NaN.

        Raises:
            DataError: the file lists no sequence of this name, or proves damaged.
        """

    def summary(self, name: str, start: int, end: int, bins: int, statistic: str) -> NDArray[np.float64]:
        """One number for each of `bins` equal parts of [start, end), from the summaries that the file carries.

        Args:
            statistic: ``mean``, ``min`` or ``max``, of the bases that have a value.

        Returns:
            float64[bins], NaN where no base has a value. A part's edges may be a summary off.

        Raises:
            DataError: the file lists no sequence of this name, or proves damaged.
        """

    def close(self) -> None:
        """Release the file. Closing twice is fine."""

    def __enter__(self) -> SignalReader: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def open_signal(path: str | os.PathLike[str]) -> SignalReader:
    """Open a BigWig track.

    Raises:
        DataError: the file is missing, unreadable, damaged or no BigWig.
        UsageError: neither pyBigWig nor pybigtools is installed.
    """
    path = Path(path)
    indexed = _check_head(path)
    try:
        import pyBigWig
    except ImportError:
        return _PybigtoolsSignal(path, indexed)
    return _PyBigWigSignal(path, indexed, pyBigWig)


def finite_values(reader: SignalReader, name: str, start: int, end: int) -> NDArray[np.float32]:
    """`SignalReader.values`, none of them infinite.

    Raises:
        DataError: one is; or the file lists no sequence of this name, or proves damaged.
    """
    values = reader.values(name, start, end)
    infinite = np.isinf(values)
    if infinite.any():
        place = f"{name}:{start + int(infinite.argmax()) + 1:,}"
        raise DataError("the track holds an infinite value", path=reader.path, place=place, wanted="finite values")
    return values


def _check_head(path: Path) -> bool:
    """Refuse what the libraries can't: they crash, print, or name no file when a header is wrong or cut off.

    Returns:
        Whether the file has an index of its data. pyBigWig writes files without any value that have none, which
        pybigtools does not read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEADER_BYTES)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise DataError("the signal file does not exist", path=path, remedy=near_files(path)) from None
    except OSError as error:
        raise DataError(f"the signal file can't be read ({error.strerror})", path=path) from error
    magic = head[:4]
    if magic in BIGBED_MAGIC:
        raise DataError("this is a bigBed file, which holds intervals, not values", path=path, wanted="a BigWig file")
    if magic not in BIGWIG_MAGIC:
        raise DataError(
            "this is not a BigWig file",
            path=path,
            place="first bytes",
            found=magic.hex(" ") or "an empty file",
            wanted=BIGWIG_MAGIC[0].hex(" "),
        )
    order = "<" if magic == BIGWIG_MAGIC[0] else ">"
    needed, index = HEADER_BYTES, 0
    if len(head) == HEADER_BYTES:
        zooms, names, data, index = struct.unpack_from(order + "H3Q", head, 6)
        ends = (names + TREE_HEADER_BYTES, data + COUNT_BYTES, index + TREE_HEADER_BYTES)
        needed = max(HEADER_BYTES + ZOOM_HEADER_BYTES * zooms, *ends)
    if size < needed:
        raise DataError(
            "the BigWig file is truncated",
            path=path,
            found=f"{size:,} bytes",
            wanted=f"at least {needed:,}",
            remedy="get the file again",
        )
    return bool(index)


class _Signal:
    """What both readers share: limits, overhangs, errors."""

    def __init__(self, path: Path, indexed: bool) -> None:
        self.path = path
        self._indexed = indexed
        self._reader: Any = None
        try:
            with self._guard():
                self._reader, self.lengths = self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> tuple[Any, dict[str, int]]:
        raise NotImplementedError

    def _read(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        raise NotImplementedError

    def _summarise(self, name: str, start: int, end: int, bins: int, statistic: str) -> NDArray[np.floating[Any]]:
        raise NotImplementedError

    def values(self, name: str, start: int, end: int) -> NDArray[np.float32]:
        if name not in self.lengths:
            raise unknown_sequence(self.path, name, self.lengths)
        values = np.full(max(0, end - start), np.nan, np.float32)
        first, last = inside(self.lengths[name], start, end)
        if first < last and self._indexed:
            with self._guard():
                values[first - start : last - start] = self._read(name, first, last)
        return values

    def summary(self, name: str, start: int, end: int, bins: int, statistic: str) -> NDArray[np.float64]:
        if name not in self.lengths:
            raise unknown_sequence(self.path, name, self.lengths)
        if not self._indexed:
            return np.full(bins, np.nan)
        with self._guard():
            return np.asarray(self._summarise(name, start, end, bins, statistic), np.float64)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn what the libraries raise for a damaged file into our error."""
        try:
            yield
        except (RuntimeError, OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(error) from error
        except BaseException as error:
            # A panic in pybigtools' Rust arrives as a class outside Exception that can't be imported; its own error
            # can be only where it is installed.
            if type(error).__name__ not in ("PanicException", "BBIReadError"):
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: BaseException) -> DataError:
        return DataError(f"the BigWig file is damaged ({error})", path=self.path, remedy="get the file again")

    def __enter__(self) -> SignalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _PyBigWigSignal(_Signal):
    def __init__(self, path: Path, indexed: bool, library: Any) -> None:
        self._library = library
        super().__init__(path, indexed)

    def _open(self) -> tuple[Any, dict[str, int]]:
        reader = self._library.open(os.fspath(self.path))
        return reader, dict(reader.chroms())

    def _read(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        values: NDArray[np.float32] = np.asarray(self._reader.values(name, start, end, numpy=True), np.float32)
        # Of a file without any value the library gives no values at all, not even missing ones.
        return values if len(values) else np.full(end - start, np.nan, np.float32)

    def _summarise(self, name: str, start: int, end: int, bins: int, statistic: str) -> NDArray[np.floating[Any]]:
        values = self._reader.stats(name, start, end, type=statistic, nBins=bins)
        return np.array([np.nan if value is None else value for value in values])


class _PybigtoolsSignal(_Signal):
    _file: BinaryIO | None = None

    def _open(self) -> tuple[Any, dict[str, int]]:
        try:
            import pybigtools
        except ImportError:
            raise UsageError(
                "no library that reads BigWig is installed",
                path=self.path,
                wanted="pyBigWig or pybigtools",
                remedy="install one: pip install pybigtools",
            ) from None
        if self.path.suffix.lower() not in SUFFIXES:
            self._file = open(self.path, "rb")  # noqa: SIM115 - closed with the reader
        reader = pybigtools.open(self._file or os.fspath(self.path))
        return reader, dict(reader.chroms())

    def _read(self, name: str, start: int, end: int) -> NDArray[np.floating[Any]]:
        try:
            values = self._reader.values(name, start, end, fillna=None)
        except TypeError:
            # Before version 0.3 bases without a value read as 0 unless told otherwise, by another name.
            values = self._reader.values(name, start, end, missing=float("nan"))
        return np.asarray(values, np.float32)

    def _summarise(self, name: str, start: int, end: int, bins: int, statistic: str) -> NDArray[np.floating[Any]]:
        options: dict[str, Any] = {"bins": bins, "summary": statistic, "exact": False}
        try:
            values = self._reader.values(name, start, end, **options, fillna=None)
        except TypeError:
            values = self._reader.values(name, start, end, **options, missing=float("nan"))
        return np.asarray(values)

    def close(self) -> None:
        super().close()
        if self._file is not None:
            self._file.close()
