"""Files that survive a power cut: what is renamed or counted on later is on the disk before."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["sync_folder", "write_durably"]


def write_durably(path: Path, text: str) -> None:
    """Write a text file, and return when the disk has it."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Let the disk have a folder's names; without effect where the system can't."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse it for folders.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
