"""A figure as files: PNG, SVG or PDF by suffix, all of them whole or none at all, the same bytes every time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trackgen.errors import MACHINE_ERRORS, ResourceError, UsageError
from trackgen.plot.style import FORMATS

__all__ = ["check_outputs", "save_figure"]

LARGEST_SIDE = 32_000
"""Pixels of a PNG."""
# Neither dates nor versions of libraries.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None},
}


def check_outputs(outputs: Sequence[Path]) -> None:
    """Refuse what cannot be written before anything is read.

    Raises:
        UsageError: no file, an unknown suffix, the same file twice, a folder, or one that is missing or not writable.
    """
    if not outputs:
        raise UsageError("no file is named for the figure", place="-o", wanted="a name that ends in .png, .svg or .pdf")
    for path in outputs:
        if path.suffix.lower() not in FORMATS:
            raise UsageError(
                "the suffix says no kind of picture",
                path=path,
                place="-o",
                found=path.suffix or "none",
                wanted=", ".join(FORMATS),
            )
        if list(map(os.path.abspath, outputs)).count(os.path.abspath(path)) > 1:
            raise UsageError("the same file is named twice", path=path, place="-o")
        if path.is_dir():
            raise UsageError("this is a folder, not a file", path=path, place="-o")
        if not path.parent.is_dir():
            raise UsageError("the folder of the figure does not exist", path=path, place="-o", remedy="make it first")
        if not os.access(path.parent, os.W_OK):
            raise UsageError("the folder of the figure is not writable", path=path, place="-o")


def save_figure(figure: Any, outputs: Sequence[Path], dpi: int, title: str) -> None:
    """Write `figure` to every path of `outputs`.

    Raises:
        UsageError: the picture would have more pixels than a PNG can.
        ResourceError: the disk is full or fails.
    """
    width, height = figure.get_size_inches() * dpi
    if any(FORMATS[path.suffix.lower()] == "png" for path in outputs) and max(width, height) > LARGEST_SIDE:
        raise UsageError(
            "the picture would be too large",
            found=f"{width:,.0f} x {height:,.0f} pixels",
            wanted=f"at most {LARGEST_SIDE:,} a side",
            remedy="lower --dpi, --width or --height, draw fewer --tracks, or write SVG or PDF",
        )
    temporary = [path.with_name(f".{os.getpid()}.{number}.tmp.{path.name}") for number, path in enumerate(outputs)]
    try:
        for path, part in zip(outputs, temporary, strict=True):
            kind = FORMATS[path.suffix.lower()]
            figure.savefig(part, format=kind, dpi=dpi, metadata={**METADATA[kind], "Title": title})
        for path, part in zip(outputs, temporary, strict=True):
            part.replace(path)
    except OSError as error:
        # What failed is a temporary file beside the one that is meant.
        named = {str(part): path for path, part in zip(outputs, temporary, strict=True)}
        place = named.get(str(error.filename), outputs[0])
        if error.errno in MACHINE_ERRORS:
            raise ResourceError("the figure could not be written", path=place, found=error.strerror) from error
        raise UsageError("the figure could not be written", path=place, found=error.strerror) from error
    finally:
        for part in temporary:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
