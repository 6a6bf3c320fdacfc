"""Which family a factor is of: from a table, or from the comments of JASPAR's TRANSFAC files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trackgen.errors import DataError

__all__ = ["families_of", "read_families"]

FAMILY = "CC tf_family:"


def read_families(path: Path) -> dict[str, str]:
    """Name of a factor, in capitals -> its family.

    Args:
        path: name and family between tabs, one factor a line (``#`` begins a comment), or a file in TRANSFAC's format
            whose comments name families, as JASPAR 2024 has it: ``ID CTCF``, ``CC tf_family:More than 3 adjacent zinc
            fingers``.

    Raises:
        DataError: missing, or neither of these.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise DataError("the file does not exist", path=path) from error
    except UnicodeDecodeError as error:
        raise DataError("this is no text", path=path, wanted="names and families") from error
    transfac = any(line.startswith(FAMILY) for line in lines)
    found = _of_transfac(lines) if transfac else _of_table(path, lines)
    if not found:
        raise DataError("no factor has a family here", path=path, wanted="NAME<tab>FAMILY, one a line")
    return found


def _of_transfac(lines: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        if line.startswith("ID "):
            name = line[3:].strip().upper()
        elif line.startswith(FAMILY) and name:
            found.setdefault(name, line.removeprefix(FAMILY).strip())
    return found


def _of_table(path: Path, lines: Iterable[str]) -> dict[str, str]:
    found = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, tab, family = line.partition("\t")
        if not (tab and name.strip() and family.strip()):
            raise DataError(
                "the line does not name a family", path=path, place=f"line {number}", found=line[:60],
                wanted="NAME<tab>FAMILY",
            )  # fmt: skip
        found[name.strip().upper()] = family.strip()
    return found


def families_of(sets: Iterable[str], file: Path | None, named: dict[str, str]) -> dict[str, str]:
    """Set -> family: as `named`, else as the file has it for the set's name up to its first ``_``, ``-`` or ``.``."""
    known = read_families(file) if file is not None else {}
    found = {}
    for name in sets:
        factor = name.replace("-", "_").replace(".", "_").split("_")[0].upper()
        family = named.get(name) or known.get(name.upper()) or known.get(factor)
        if family:
            found[name] = family
    return found
