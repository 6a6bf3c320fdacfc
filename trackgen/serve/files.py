"""Which file of a folder an address names, and none outside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["INDEX", "find_file", "media_type"]

# Said here, not guessed from the machine's tables, which differ; compressed data must never be called an encoding.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".sizes": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}
BINARY = "application/octet-stream"
INDEX = "index.html"


def find_file(root: Path, address: str) -> Path | None:
    """The regular file below `root` that the decoded path `address` names, or None.

    A folder's address, ending in a slash, names its index.html. Refused are parent and hidden parts, empty parts,
    absolute paths, backslashes, control characters, links that lead out of `root`, and files that can't be read.
    """
    if not address.startswith("/") or "\\" in address or not address.isprintable():
        return None
    parts = address[1:].split("/")
    if parts[-1] == "":
        parts[-1] = INDEX
    if any(not part or part.startswith(".") for part in parts):
        return None
    try:
        base = root.resolve(strict=True)
        path = base.joinpath(*parts).resolve(strict=True)
        inside = path.is_relative_to(base) and stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.R_OK)
    except (OSError, ValueError, RuntimeError):
        return None
    return path if inside else None


def media_type(path: Path) -> str:
    """The media type of a file, by its suffix; data files are plain bytes."""
    return MEDIA_TYPES.get(path.suffix.lower(), BINARY)
