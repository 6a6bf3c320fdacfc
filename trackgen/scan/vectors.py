"""Reads the TSV file of a vector input: one ``name<TAB>value`` line per element, in the card's order."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.sequence import near_files

__all__ = ["read_vector"]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
"""Neither NaN nor infinity, nor what only Python takes for a number."""
LONGEST_QUOTE = 60


def read_vector(path: Path) -> NDArray[np.float32]:
    """The values of a vector file, in the order of its lines: (length,) float32.

    Raises:
        DataError: the file is missing or can't be read; a line is not ``name<TAB>value``, repeats a name, or holds
            something that is not a finite float32.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError("the vector file does not exist", path=path, remedy=near_files(path)) from None
    except UnicodeDecodeError as error:
        raise DataError("the vector file is not text in UTF-8", path=path, wanted="name<TAB>value lines") from error
    except OSError as error:
        raise DataError(f"the vector file can't be read ({error.strerror})", path=path) from error
    values: list[float] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.rstrip("\r\n").split("\n"), 1):
        name, value = _parse(line.rstrip("\r"), path, number)
        if name in seen:
            raise DataError(
                "a name of the vector file stands twice",
                path=path,
                place=f"line {number}",
                found=f"{name}, which line {seen[name]} has too",
                wanted="a name of its own for each element",
            )
        seen[name] = number
        values.append(value)
    return np.array(values, np.float32)


def _parse(line: str, path: Path, number: int) -> tuple[str, float]:
    """Name and value of one line."""
    parts = line.split("\t")
    if len(parts) != 2 or not parts[0].strip():
        raise DataError(
            "a line of the vector file is not a name and a value",
            path=path,
            place=f"line {number}",
            found=repr(line[:LONGEST_QUOTE]),
            wanted="name<TAB>value",
            remedy="leave out headers, comments and blank lines",
        )
    text = parts[1].strip()
    if not NUMBER.fullmatch(text) or not _fits_float32(float(text)):
        raise DataError(
            "a value of the vector file is not a finite number",
            path=path,
            place=f"line {number}, {parts[0].strip()}",
            found=repr(text[:LONGEST_QUOTE]),
            wanted="a number such as 0.25 or -1e-3",
        )
    return parts[0].strip(), float(text)


def _fits_float32(value: float) -> bool:
    """Beyond the largest float32 a number becomes infinity."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.float32(value)))
