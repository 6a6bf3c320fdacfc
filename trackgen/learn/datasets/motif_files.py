"""Motifs of a database file: MEME's text format, TRANSFAC's and JASPAR's, told apart by the first line."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError

__all__ = ["Matrix", "MotifDatabase", "read_motifs", "write_motifs"]

Matrix = NDArray[np.float64]
"""float64[4, w]: probabilities of A, C, G, T at each place."""

_WANTED = (
    "a MEME file (`MEME version 4`, and a letter-probability matrix for each motif), a TRANSFAC file (lines AC or ID, "
    "`PO A C G T`, a row for each place, //) or a JASPAR file (`>ID NAME`, and rows A, C, G, T)"
)


@dataclass(frozen=True)
class MotifDatabase:
    """Motifs by name: (4, W) probabilities of A, C, G, T."""

    path: Path
    motifs: Mapping[str, Matrix]

    def find(self, text: str) -> dict[str, Matrix]:
        """Motifs of a factor: the one of this very name, else those that have it as a word of theirs, in any case.

        Of a word such as ``CTCF.H12CORE.0.P.B`` or ``CTCF_f1`` the part before the first ``.`` or ``_`` counts too.

        Raises:
            DataError: no motif has this name.
        """
        if text in self.motifs:
            return {text: self.motifs[text]}
        wanted = text.upper()
        found = {name: matrix for name, matrix in self.motifs.items() if wanted in _words(name)}
        if not found:
            near = difflib.get_close_matches(wanted, [word for name in self.motifs for word in _words(name)], 3)
            some = ", ".join(dict.fromkeys(near)) or f"one of {len(self.motifs):,}, such as {next(iter(self.motifs))}"
            raise DataError(
                "no motif has this name", path=self.path, found=text, wanted=some,
            )  # fmt: skip
        return found


def _words(name: str) -> set[str]:
    words = name.upper().split()
    return {*words, *(re.split(r"[._]", word)[0] for word in words)}


def read_motifs(path: Path) -> MotifDatabase:
    """The motifs of a file in MEME's, TRANSFAC's or JASPAR's format; counts become probabilities.

    A motif is called by its identifier and its other name where there is one, as ``MA0363.3 REB1``.

    Raises:
        DataError: the file is missing, of another format, damaged, or holds no motif.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError("the motif file does not exist", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the motif file can't be read", path=path, found=error, wanted=_WANTED) from error
    lines = text.splitlines()
    head = next((line.strip() for line in lines if line.strip()), "")
    try:
        motifs = _parse(head, lines, path)
    except (ValueError, IndexError, AttributeError) as error:
        raise DataError("the motif file can't be read", path=path, found=error, wanted=_WANTED) from error
    if not motifs:
        raise DataError("the file holds no motif", path=path, found=repr(head[:60]), wanted=_WANTED)
    return MotifDatabase(path, {_short(name): _checked(matrix, name, path) for name, matrix in motifs.items()})


def _parse(head: str, lines: Sequence[str], path: Path) -> Mapping[str, Matrix]:
    if head.startswith("MEME version"):
        from memelite.io import read_meme

        found: Mapping[str, Matrix] = read_meme(os.fspath(path))
        return found
    if head.startswith(">"):
        return _jaspar(lines) if any(re.search(r"\d", line) for line in lines if not line.startswith(">")) else {}
    return _transfac(lines) if re.match(r"(AC|ID|VV|DE|NA|XX)(\s|$)", head) else {}


def _transfac(lines: Sequence[str]) -> dict[str, Matrix]:
    """Entries end in ``//``; rows of counts, A C G T, follow ``PO`` or ``P0``."""
    found: dict[str, Matrix] = {}
    fields: dict[str, str] = {}
    rows: list[list[float]] = []
    for line in [*lines, "//"]:
        key, _, value = line.strip().partition(" ") if "\t" not in line else line.strip().partition("\t")
        if key == "//":
            if rows:
                found[_entry_name(fields)] = np.array(rows).T
            fields, rows = {}, []
        elif key.isdigit():
            rows.append([float(number) for number in value.split()[:4]])
            if len(rows[-1]) != 4:
                raise ValueError(line)
        elif key in ("AC", "ID", "NA"):
            fields[key] = value.strip()
    return found


def _entry_name(fields: Mapping[str, str]) -> str:
    return " ".join(dict.fromkeys(fields[key] for key in ("AC", "ID", "NA") if fields.get(key))) or "motif"


def _jaspar(lines: Sequence[str]) -> dict[str, Matrix]:
    """``>ID NAME`` above four rows of counts, with or without the base and brackets around them."""
    found: dict[str, list[list[float]]] = {}
    name = ""
    for line in lines:
        if line.startswith(">"):
            name = line[1:].strip() or "motif"
            found[name] = []
        elif line.strip():
            found[name].append([float(number) for number in re.findall(r"[\d.]+(?:[eE][-+]?\d+)?", line)])
    for name, rows in found.items():
        if len(rows) != 4:
            raise ValueError(f"{name} has {len(rows)} rows")
    return {name: np.array(rows) for name, rows in found.items()}


def _short(name: str) -> str:
    """An identifier and another name, which databases write as NA where there is none."""
    return " ".join(word for word in name.split() if word != "NA")


def _checked(matrix: Matrix, name: str, path: Path) -> Matrix:
    sums = matrix.sum(axis=0)
    if not matrix.size or not np.isfinite(matrix).all() or (matrix < 0).any() or (sums <= 0).any():
        raise DataError(
            "a motif's rows are not probabilities", path=path, place=f"motif {name}",
            found=f"a row that sums to {float(sums.min()) if matrix.size else 0:g}", wanted="rows that sum to 1",
        )  # fmt: skip
    return np.asarray(matrix / sums, dtype=np.float64)


def write_motifs(path: Path, motifs: Mapping[str, Matrix]) -> None:
    """Write (4, W) probabilities as a MEME file, names without spaces."""
    from memelite.io import write_meme

    write_meme(os.fspath(path), {name.replace(" ", "_"): matrix for name, matrix in motifs.items()})
