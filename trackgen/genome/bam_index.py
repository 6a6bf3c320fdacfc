"""The index of a BAM file: found, or made beside the file, or in the temporary folder where that can't be written."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pysam

from trackgen.errors import DISK_ERRORS, DataError, ResourceError

__all__ = ["bam_index", "mapped_reads"]

SUFFIXES = (".bai", ".csi")
LONGEST_FOR_BAI = 1 << 29
"""bp: longer sequences need a CSI index. SAM specification, section 5.2."""


def mapped_reads(path: Path) -> int | None:
    """Mapped records of a BAM file, by its index; one is made where there is none.

    Returns:
        None where the file can't be indexed, since it is unsorted or damaged: reading it says where.

    Raises:
        DataError: the file can't be read.
        ResourceError: the disk is full.
    """
    with bam_index(path) as index, _quiet():
        if index is None:
            return None
        file = pysam.AlignmentFile(os.fspath(path), index_filename=os.fspath(index))
        with file:
            return int(file.mapped)


@contextlib.contextmanager
def bam_index(path: Path) -> Iterator[Path | None]:
    """The index of a BAM file, None where it can't be indexed.

    One that is older than its file, or damaged, is made again. One in the temporary folder is removed at the end.

    Raises:
        DataError: the file can't be read.
        ResourceError: the disk is full.
    """
    present = _present(path)
    if present is not None:
        yield present
        return
    with contextlib.ExitStack() as stack:
        target = path.with_name(path.name + ".bai")
        if not os.access(path.parent, os.W_OK):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="trackgen-index-"))
            target = Path(folder) / target.name
        yield _make(path, target)


def _present(path: Path) -> Path | None:
    newest = path.stat().st_mtime
    for suffix in SUFFIXES:
        for candidate in (path.with_name(path.name + suffix), path.with_suffix(suffix)):
            if candidate.is_file() and candidate.stat().st_mtime >= newest and _readable(path, candidate):
                return candidate
    return None


def _readable(path: Path, index: Path) -> bool:
    """Whether an index can be loaded: one whose copying broke off can't."""
    try:
        with _quiet(), pysam.AlignmentFile(os.fspath(path), index_filename=os.fspath(index)) as file:
            return bool(file.has_index())
    except (OSError, ValueError):
        return False


def _make(path: Path, target: Path) -> Path | None:
    with _quiet(), pysam.AlignmentFile(os.fspath(path)) as file:
        long = max(file.lengths, default=0) > LONGEST_FOR_BAI
    target = target.with_suffix(".csi") if long else target
    # Several processes may make it at once.
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with _quiet():
            pysam.index(*(["-c"] if long else ["-b"]), "-o", os.fspath(temporary), os.fspath(path))  # type: ignore[attr-defined,unused-ignore]
        os.replace(temporary, target)
    except pysam.utils.SamtoolsError:
        return None
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise ResourceError("the index can't be written", path=target, found=error.strerror) from error
        raise DataError(f"the BAM file can't be indexed ({error.strerror})", path=path) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """htslib writes to stderr what comes as an error anyway."""
    before = pysam.set_verbosity(0)
    try:
        yield
    finally:
        pysam.set_verbosity(before)
