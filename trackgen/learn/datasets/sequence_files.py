"""Files of labelled sequences: FASTA, Zeng's FASTA with a ``.target`` beside it, DeepBind's ``.seq``; plain or gzip.

A letter that is not A, C, G or T reads as unknown (code 4). All sequences of a set have one length.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome.codes import UNKNOWN, encode, first_other_letter

__all__ = ["Labelled", "Record", "is_fasta", "read_deepbind", "read_fasta", "read_zeng", "stacked"]

_SHUFFLED = "_shuf"
"""What Zeng's negatives carry behind the place that they were shuffled from."""
_PLACE = re.compile(r"\S+:\d+-\d+")
_TARGETS = {("1", "0"): 1, ("0", "1"): 0, ("1",): 1, ("0",): 0}
"""Zeng's two neurons, the first for bound; or one column, 1 for bound."""


class Record(NamedTuple):
    """A sequence of a file; `line` is where it begins, from 1."""

    name: str
    letters: str
    line: int


class Labelled(NamedTuple):
    """Sequences of one length with their classes.

    Attributes:
        codes: uint8[n, L].
        labels: int64[n], 1 for bound, 0 for not.
        places: n texts ``chr:start-end`` where the file has them, else none.
    """

    codes: NDArray[np.uint8]
    labels: NDArray[np.int64]
    places: tuple[str, ...]


def read_fasta(path: Path) -> list[Record]:
    """Every sequence of a FASTA, its name without what stands behind white space.

    Raises:
        DataError: the file is missing, can't be read, is no FASTA, or holds no sequence.
    """
    records: list[Record] = []
    name, first, parts = "", 0, list[str]()
    for number, line in _lines(path):
        if line.startswith(">"):
            records += [Record(name, "".join(parts), first)] if first else []
            name, first, parts = (line[1:].split() or [""])[0], number, []
        elif first:
            parts.append(line.strip())
        elif line.strip():
            raise DataError(
                "this is no FASTA", path=path, place=f"line {number}", found=repr(line[:40]),
                wanted="a line that begins with '>'",
            )  # fmt: skip
    records += [Record(name, "".join(parts), first)] if first else []
    return _some(records, path)


def stacked(path: Path, records: Sequence[Record], window: int | None = None) -> NDArray[np.uint8]:
    """Codes uint8[n, L] of sequences of one length; `window` is L where it is known from another file.

    Raises:
        DataError: two lengths, a letter that no nucleotide has, or a sequence without a known base.
    """
    length = len(records[0].letters) if window is None else window
    for record in records:
        if len(record.letters) != length:
            raise DataError(
                "the sequences are not of one length", path=path, place=_place(record),
                found=f"{len(record.letters)} bases", wanted=f"{length}, as the others have",
                remedy="cut all sequences to one length around their centres",
            )  # fmt: skip
    if not length:
        raise DataError("a sequence has no bases", path=path, place=_place(records[0]))
    text = "".join(record.letters for record in records).encode("utf-8", "replace")
    wrong = first_other_letter(text)
    if wrong is not None or len(text) != length * len(records):
        raise _wrong_letter(path, records)
    codes = encode(text).reshape(-1, length)
    unknown = np.flatnonzero((codes == UNKNOWN).all(axis=1))
    if len(unknown):
        raise DataError(
            "a sequence has no known base", path=path, place=_place(records[unknown[0]]), found=f"{length} x N",
            remedy=f"remove such sequences ({len(unknown)} in this file)",
        )  # fmt: skip
    return codes


def _wrong_letter(path: Path, records: Sequence[Record]) -> DataError:
    for record in records:
        letters = record.letters.encode("utf-8", "replace")
        at = first_other_letter(letters)
        if at is not None:
            return DataError(
                "a letter stands for no nucleotide", path=path, place=f"{_place(record)}, base {at + 1}",
                found=repr(chr(letters[at])), wanted="A, C, G, T or N",
            )  # fmt: skip
    raise AssertionError("no letter is wrong")


def read_zeng(path: Path) -> Labelled:
    """The format of Zeng 2016 (doi:10.1093/bioinformatics/btw255).

    Either a FASTA with a ``.target`` beside it (``1<tab>0`` on the line of a bound sequence, ``0<tab>1`` on that of one
    that is not), or lines of ``>chr:start-end<tab>sequence<tab>label``. Negatives carry ``_shuf`` behind the place of
    the peak that they were shuffled from.

    Raises:
        DataError: as `read_fasta` and `stacked`; labels that are none, or that do not match the sequences.
    """
    with_tabs = _in_columns(path)
    records = [record for record, _ in with_tabs] or read_fasta(path)
    labels = [label for _, label in with_tabs] or _targets(_target_beside(path), path, len(records))
    for record, label in zip(records, labels, strict=True):
        if label and record.name.endswith(_SHUFFLED):
            raise DataError(
                "labels and sequences do not match", path=path, place=_place(record),
                found=f"label 1 (bound) for {record.name}", wanted=f"0, as the name ends in {_SHUFFLED}",
                remedy="give the .target that was written with this FASTA",
            )  # fmt: skip
    places = tuple(record.name.removesuffix(_SHUFFLED) for record in records)
    known = all(_PLACE.fullmatch(place) for place in places)
    return Labelled(stacked(path, records), np.array(labels, dtype=np.int64), places if known else ())


def _in_columns(path: Path) -> list[tuple[Record, int]]:
    """Records and labels of lines ``>place<tab>sequence<tab>label``; none where the file's first line is no such."""
    found: list[tuple[Record, int]] = []
    for number, line in _lines(path):
        fields = line.split("\t")
        if number == 1 and (len(fields) != 3 or not line.startswith(">")):
            return []
        if line.strip():
            if len(fields) != 3 or fields[2].strip() not in ("0", "1"):
                raise DataError(
                    "a line is not `>place<tab>sequence<tab>label`", path=path, place=f"line {number}",
                    found=repr(line[-20:]), wanted="three columns, the label 0 or 1",
                )  # fmt: skip
            found.append((Record(fields[0].strip("> "), fields[1].strip(), number), int(fields[2])))
    return found


def _target_beside(path: Path) -> Path:
    """``x.target`` beside ``x.fa.gz``, where x may hold dots."""
    return path.with_name(re.sub(r"(\.(fa|fasta|fna))?(\.gz)?$", "", path.name) + ".target")


def _targets(path: Path, fasta: Path, number: int) -> list[int]:
    labels = []
    for line, text in _lines(path):
        if text.strip():
            label = _TARGETS.get(tuple(text.split()))
            if label is None:
                raise DataError(
                    "this is no label", path=path, place=f"line {line}", found=repr(text[:40]),
                    wanted="1<tab>0 for a bound sequence, 0<tab>1 for another",
                )  # fmt: skip
            labels.append(label)
    if len(labels) != number:
        raise DataError(
            "labels and sequences do not match", path=path, found=f"{len(labels)} labels",
            wanted=f"{number}, one for each sequence of {fasta.name}",
            remedy="give the .target that was written with this FASTA",
        )  # fmt: skip
    return labels


def read_deepbind(path: Path) -> Labelled:
    """DeepBind's sequence files (Alipanahi 2015, doi:10.1038/nbt.3300): columns FoldID, EventID, seq, Bound.

    Raises:
        DataError: the file can't be read, lacks a column, holds no line, a label that is not 0 or 1; as `stacked`.
    """
    columns: list[str] = []
    records, labels = [], []
    for number, line in _lines(path):
        fields = line.split("\t")
        if not columns:
            columns = _deepbind_columns(path, fields)
        elif line.strip():
            values = dict(zip(columns, fields, strict=False))
            if values.get("Bound", "").strip() not in ("0", "1"):
                raise DataError(
                    "this is no label", path=path, place=f"line {number}", found=repr(values.get("Bound", "")),
                    wanted="0 or 1 in the column Bound",
                )  # fmt: skip
            records.append(Record(values.get("EventID", ""), values["seq"].strip(), number))
            labels.append(int(values["Bound"]))
    return Labelled(stacked(path, _some(records, path)), np.array(labels, dtype=np.int64), ())


def _deepbind_columns(path: Path, fields: Sequence[str]) -> list[str]:
    names = [field.strip() for field in fields]
    if not {"seq", "Bound"} <= set(names):
        raise DataError(
            "these are no sequences in DeepBind's format", path=path, place="line 1", found=repr(names)[:80],
            wanted="columns FoldID, EventID, seq, Bound",
        )  # fmt: skip
    return names


def is_fasta(path: Path) -> bool:
    """Whether the first line of a text file begins as one of a FASTA does."""
    return next((line.startswith(">") for _, line in _lines(path)), False)


def _some(records: list[Record], path: Path) -> list[Record]:
    if not records:
        raise DataError("the file holds no sequence", path=path)
    return records


def _place(record: Record) -> str:
    return f"line {record.line}" + (f", sequence {record.name}" if record.name else "")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, line without its end) of a text file, plain or gzip."""
    try:
        with _open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                yield number, line.rstrip("\r\n")
    except FileNotFoundError:
        raise DataError("the file does not exist", path=path) from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read ({error})", path=path) from error


def _open_text(path: Path) -> IO[str]:
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8") if zipped else open(path, encoding="utf-8")
