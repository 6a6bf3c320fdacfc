"""Files of one JSON object a line that grow while others read them, and outlive a process that is killed.

A record is one line in one write. A kill in its midst leaves a line without an end, which counts as absent and is cut
off before the next one is written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.errors import DataError

__all__ = ["append_record", "cut_torn_line", "read_records"]


def read_records(path: Path) -> list[dict[str, Any]]:
    """All whole records of a file, in order; none where there is no file.

    Raises:
        DataError: a line is no JSON object.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last line break was torn off
    return [_parsed(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise _damaged(path, number, line) from error
    if not isinstance(record, dict):
        raise _damaged(path, number, line)
    return record


def _damaged(path: Path, number: int, line: bytes) -> DataError:
    return DataError(
        "the line is no record", path=path, place=f"line {number}", found=line[:60].decode(errors="replace"),
        wanted="a JSON object", remedy="delete the line: what it stood for is made again",
    )  # fmt: skip


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record, and return when the disk has it."""
    cut_torn_line(path)
    with open(path, "ab", buffering=0) as file:
        file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
        os.fsync(file.fileno())


def cut_torn_line(path: Path) -> None:
    """Remove what follows the last line break of a file; without effect where nothing does."""
    if not path.exists():
        return
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        if not size:
            return
        file.seek(size - 1)
        if file.read(1) == b"\n":
            return
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
