"""Writing bigBed files with pybigtools, which keeps to itself or panics over what fails."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from trackgen.bigwig.rename import MAGICS, copy_renamed
from trackgen.errors import ResourceError, UsageError

__all__ = ["BigBedRow", "write_big_bed"]

BigBedRow = tuple[str, int, int, str]
"""Sequence, start, end (0-based half-open), and the columns after them between tabs."""


def write_big_bed(path: Path, rows: Iterable[BigBedRow], lengths: Mapping[str, int], auto_sql: str) -> None:
    """Write the new file `path`, its names of sequences before its data, where old JBrowse looks for them.

    A second file of its size stands in the same folder meanwhile.

    Args:
        rows: at least one, by name of the sequence and start.
        lengths: of the sequences, bp.
        auto_sql: names and types of all columns.

    Raises:
        UsageError: pybigtools is not installed.
        ResourceError: the disk is full or fails.
        Exception: whatever `rows` raises.
    """
    try:
        import pybigtools
    except ImportError:
        raise UsageError(
            "no library that writes bigBed is installed",
            wanted="pybigtools",
            remedy="run `pip install 'trackgen[genes]'` (in a checkout: `pip install '.[genes]'`)",
        ) from None
    failed: list[Exception] = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".bigbed-") as folder:
        made = Path(folder) / "made.bb"
        try:
            pybigtools.open(os.fspath(made), "w").write(dict(lengths), _watched(rows, failed), auto_sql)
        except BaseException as error:
            # A panic in its Rust arrives as a class outside Exception that can't be imported.
            if type(error).__name__ != "PanicException":
                raise
        if failed:
            raise failed[0]
        if not _is_whole(made):
            raise ResourceError(
                "the bigBed file cannot be written", path=path, found=os.strerror(errno.ENOSPC),
                wanted="room for two such files", remedy="free space, or choose another folder",
            )  # fmt: skip
        copy_renamed(made, path, {})


def _watched(rows: Iterable[BigBedRow], failed: list[Exception]) -> Iterator[BigBedRow]:
    """The rows; what stops them is kept, as the library only prints it."""
    try:
        yield from rows
    except Exception as error:
        failed.append(error)
        raise


def _is_whole(path: Path) -> bool:
    """Whether the header is there, which is written last."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return int.from_bytes(file.read(4), "little") in MAGICS
