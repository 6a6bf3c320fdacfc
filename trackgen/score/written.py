"""The two forms of a result: a table, and the VCF itself with INFO fields. Missing values are NA, and a dot in VCF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.score.columns import Column, allele_numbers, numbers_of
from trackgen.score.records import LEADING, Record
from trackgen.score.survey import Survey
from trackgen.score.vcf import COLUMNS, InfoField, add_info

__all__ = ["Table", "Variants", "Writer"]

Float32 = NDArray[np.float32]
BED_COLUMNS = ("#chrom", "start", "end", "name", "score", "strand")


class Writer(Protocol):
    """Turns scored records into the bytes of a file."""

    def head(self) -> bytes:
        """What stands before the first record."""

    def text(self, records: Sequence[Record], values: Sequence[Float32]) -> bytes:
        """Records in order; `values` of those that have a place, (1 + edits, columns) each."""


class Table:
    """Tab-separated values, one row for each region, start or allele; its first six columns are those of BED."""

    def __init__(self, survey: Survey, columns: Sequence[Column]) -> None:
        self._kind = survey.kind
        self._columns = columns
        self._stranded = any(column.strand for column in columns)

    def head(self) -> bytes:
        names = [name for column in self._columns for name in self._names(column)]
        return ("\t".join([*BED_COLUMNS, *LEADING[self._kind], *names]) + "\n").encode()

    def _names(self, column: Column) -> list[str]:
        if self._kind == "vcf":
            return [f"{column.name}.{kind}" for kind in numbers_of(column)]
        if self._kind == "bed" or not self._stranded:
            return [column.name]
        return [f"{column.class_name}.{'sense' if column.strand == 'plus' else 'antisense'}"]

    def text(self, records: Sequence[Record], values: Sequence[Float32]) -> bytes:
        scored = [record for record in records if record.place is not None]
        if not scored:
            return b""
        cells = [row for record in scored for row in record.rows]
        shown = texts(self._numbers(scored, values), "NA")
        return "".join("\t".join([*row, *line]) + "\n" for row, line in zip(cells, shown, strict=True)).encode()

    def _numbers(self, records: Sequence[Record], values: Sequence[Float32]) -> Float32:
        """The numbers of all rows (rows, numbers)."""
        if self._kind == "vcf":
            return _of_alleles(self._columns, values)
        found = np.concatenate(values)
        if self._stranded:
            # Plus and minus of a class are neighbours, and change places for a transcript on minus.
            pairs = found.reshape(len(found), -1, 2)
            minus = np.array([record.strand == "-" for record in records])
            pairs[minus] = pairs[minus][:, :, ::-1]
        return found


def _of_alleles(columns: Sequence[Column], values: Sequence[Float32]) -> Float32:
    """The numbers of all alleles in order (alleles, numbers)."""
    references = np.concatenate([np.repeat(found[:1], len(found) - 1, axis=0) for found in values])
    return allele_numbers(columns, references, np.concatenate([found[1:] for found in values]))


def texts(values: Float32, missing: str) -> list[list[str]]:
    """Each value in the fewest digits that read back as the same float32."""
    found: list[list[str]] = np.where(np.isnan(values), missing, values.astype(np.str_)).tolist()
    return found


class Variants:
    """The lines of a VCF, with new fields in its header and its INFO; all else byte for byte."""

    def __init__(
        self, fields: Sequence[InfoField], header: Sequence[bytes], columns: Sequence[Column], path: Path
    ) -> None:
        self._fields, self._header, self._columns, self._path = fields, header, columns, path

    def head(self) -> bytes:
        """Nothing: the file's own lines come first."""
        return b""

    def text(self, records: Sequence[Record], values: Sequence[Float32]) -> bytes:
        shown = iter(texts(_of_alleles(self._columns, values), ".") if values else [])
        lines = []
        for record in records:
            if record.place is not None:
                alleles = [next(shown) for _ in record.place.edits]
                lines.append(add_info(record.line, self._entries(record, alleles), self._path))
            elif record.line.startswith(COLUMNS):
                end = b"\r\n" if record.line.endswith(b"\r\n") else b"\n"
                lines += [*(line + end for line in self._header), record.line]
            else:
                lines.append(record.line)
        return b"".join(lines)

    def _entries(self, record: Record, shown: Sequence[Sequence[str]]) -> list[str]:
        """KEY=VALUE of every field; of those of alleles, by commas, a dot for one that is not scored.

        Args:
            shown: per scored allele the texts of all fields.
        """
        entries = []
        for place, field in enumerate(self._fields):
            value = shown[0][place]
            if field.kind != "ref":
                value = ",".join(shown[allele - 1][place] if allele else "." for allele in record.alleles)
            entries.append(f"{field.name}={value}")
        return entries
