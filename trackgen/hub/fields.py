"""JSON objects whose fields are checked as they are read: what a scan and an explanation left, as a hub reads them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from trackgen.errors import DataError

__all__ = ["Fields", "finite", "genome_lengths", "read_json"]


def read_json(path: Path) -> Any:
    """The values in a JSON file that others may have written.

    Raises:
        FileNotFoundError: there is no such file.
        DataError: it cannot be read, is no JSON, is nested too deeply, or has half characters, which no file can hold.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        json.dumps(values, ensure_ascii=False).encode()
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("the file cannot be read as JSON", path=path, found=error) from error
    return values


class Fields:
    """A JSON object that names the field in every complaint."""

    def __init__(self, values: Any, path: Path, place: str = "") -> None:
        if not isinstance(values, dict):
            raise DataError("a JSON object is missing", path=path, place=place or None, found=type(values).__name__)
        self.values, self.path, self.place = values, path, place

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        """The value of `key`; null and absent give the default, and without a default are an error."""
        value = self.values.get(key)
        if value is None:
            value = default
        if kind is float and isinstance(value, int) and not isinstance(value, bool) and _is_finite(value):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise DataError(
                "the description has a missing or wrong field",
                path=self.path,
                place=self.place + key,
                found=value,
                wanted=kind.__name__,
            )
        return value

    def number(self, key: str) -> float | None:
        """A finite number, or None where it is null or absent."""
        if self.values.get(key) is None:
            return None
        value: float = self.get(key, float)
        return value if math.isfinite(value) else None

    def inner(self, key: str) -> Fields:
        return Fields(self.values.get(key), self.path, f"{self.place}{key}.")

    def inners(self, key: str) -> list[Fields]:
        entries = self.get(key, list)
        return [Fields(entry, self.path, f"{self.place}{key}[{index}].") for index, entry in enumerate(entries)]


def genome_lengths(genome: Fields) -> dict[str, int]:
    """Names to lengths, held as two lists side by side."""
    names = genome.get("names", list)
    lengths = genome.get("lengths", list)
    if len(names) != len(lengths) or not names:
        raise DataError(
            "a genome has as many sequence names as lengths, and at least one",
            path=genome.path,
            place="genome",
            found=f"{len(names)} names, {len(lengths)} lengths",
        )
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or name.split() != [name]:
            raise DataError(
                "this is no name of a sequence",
                path=genome.path,
                place=f"{genome.place}names",
                found=repr(name),
                wanted="a name without spaces",
            )
    return {name: int(finite(genome, length)) for name, length in zip(names, lengths, strict=True)}


def _is_finite(value: float) -> bool:
    """Whether `value` is finite and a float can hold it, which a whole number of 400 digits is not."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def finite(place: Fields, value: Any) -> float:
    """`value`, made sure to be a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        raise DataError(
            "the description holds something that is no number",
            path=place.path,
            place=place.place,
            found=repr(value),
            wanted="numbers",
        )
    return value
