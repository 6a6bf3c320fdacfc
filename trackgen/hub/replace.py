"""A hub's folder appears whole or not at all: it is built beside its place, and then takes it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from trackgen.errors import ResourceError, UsageError

__all__ = ["replacing"]

NEW, OLD = ".new", ".old"


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """A new folder beside `output`, which takes its place on success and is removed on any error.

    What a killed build left there is removed first; where it was killed between taking the old folder away and putting
    the new one in its place, the old one comes back.

    Raises:
        UsageError: the folder cannot be made.
        ResourceError: the file system fails on the way.
    """
    target = output.resolve()
    folder = target.with_name(f".{target.name}.{os.getpid()}{NEW}")
    old = folder.with_suffix(OLD)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear(target)
        folder.mkdir()
    except OSError as error:
        raise UsageError(
            "the hub's folder cannot be made", path=output, found=error.strerror, remedy="choose another with -o"
        ) from error
    # Held until the end, even of a killed process: by it others know that the folder is in use.
    lock = _locked(folder)
    try:
        yield folder
        if target.exists():
            target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    except OSError as error:
        raise ResourceError("the hub could not be written", path=error.filename, found=error.strerror) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _clear(target: Path) -> None:
    """Remove or bring back what builds left beside `target` that have not come to an end and never will."""
    for folder in sorted(target.parent.glob(f".{escape(target.name)}.*[0-9]{NEW}")):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    for folder in sorted(target.parent.glob(f".{escape(target.name)}.*[0-9]{OLD}")):
        if folder.with_suffix(NEW).exists():
            continue
        if target.exists():
            shutil.rmtree(folder, ignore_errors=True)
        else:
            with suppress(OSError):
                folder.rename(target)


def _locked(folder: Path) -> int | None:
    """An open folder that nobody else may lock until it is closed; None where somebody has, or nobody can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
