"""Arguments of Python calls, which come in any type: as the options of a scan, or refused in words."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from trackgen.errors import UsageError

__all__ = ["FilePath", "Files", "as_files", "as_named_files", "as_names", "as_path"]

FilePath = str | os.PathLike[str]
Files = FilePath | Iterable[FilePath]


def _wrong(option: str, value: object, wanted: str) -> UsageError:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    return UsageError(
        "the option has a wrong type", place=option, found=f"{shown}, of type {type(value).__name__}", wanted=wanted
    )


def as_names(option: str, value: Files) -> tuple[str, ...]:
    """One text or several; what is a file keeps its spelling."""
    return tuple(os.fspath(item) for item in _several(option, value, "a str or a list of str"))


def as_files(option: str, value: Files) -> tuple[Path, ...]:
    """One file or several."""
    return tuple(Path(item) for item in _several(option, value, "a path or a list of paths"))


def _several(option: str, value: Files, wanted: str) -> list[FilePath]:
    if isinstance(value, str | os.PathLike):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise _wrong(option, value, wanted)
    items = list(value)
    for item in items:
        if not isinstance(item, str | os.PathLike):
            raise _wrong(option, item, wanted)
    return items


def as_path(option: str, value: FilePath, wanted: str = "a path") -> Path:
    if not isinstance(value, str | os.PathLike):
        raise _wrong(option, value, wanted)
    return Path(value)


def as_named_files(option: str, value: Mapping[str, FilePath] | None, kind: str) -> tuple[tuple[str, Path], ...]:
    """The file of each name."""
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise _wrong(option, value, f"a dict of names and paths, each of {kind}")
    return tuple((name, as_path(f"{option}, {name}", path, f"the path of {kind}")) for name, path in value.items())
