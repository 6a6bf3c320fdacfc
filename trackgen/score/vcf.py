"""VCF: its header, its records, and the INFO fields that are added. Lines stay byte for byte but for INFO.

The format: https://samtools.github.io/hts-specs/VCFv4.3.pdf, sections 1.4 and 1.6; POS counts from 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import trackgen
from trackgen.errors import DataError, UsageError
from trackgen.genome.annotation_lines import MOST_DIGITS, LineError
from trackgen.score.columns import Column

__all__ = [
    "COLUMNS",
    "Header",
    "InfoField",
    "VcfLine",
    "add_info",
    "field_of_others",
    "info_fields",
    "info_lines",
    "parse_line",
]

COLUMNS = b"#CHROM\tPOS"
QUOTED = 60
CONTIG = re.compile(rb"##contig=<(?:.*?[,<])?ID=([^,>]+)(?:.*?,length=([0-9]+))?", re.IGNORECASE)
INFO_ID = re.compile(rb"##INFO=<ID=([^,>]+)")
PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_.]")


class Header:
    """What is known from the lines before the records.

    Attributes:
        lengths: the sequences that it lists; None where it gives no length.
        fields: the INFO fields that it declares.
        whole: whether the line of columns has come.
    """

    def __init__(self) -> None:
        self.lengths: dict[str, int | None] = {}
        self.fields: set[str] = set()
        self.whole = False

    def add(self, line: bytes) -> None:
        """The next line."""
        contig = CONTIG.match(line)
        if contig:
            self.lengths[contig[1].decode(errors="replace")] = int(contig[2]) if contig[2] else None
        info = INFO_ID.match(line)
        if info:
            self.fields.add(info[1].decode(errors="replace"))
        self.whole |= line.startswith(COLUMNS)


class VcfLine(NamedTuple):
    """The columns of a record that a score needs; `position` 0-based."""

    name: str
    position: int
    identifier: str
    reference: str
    alternatives: tuple[str, ...]


def parse_line(number: int, line: bytes) -> VcfLine:
    """A record.

    Raises:
        LineError: fewer than eight columns, or a position that is no whole number.
    """
    fields = line.rstrip(b"\r\n").split(b"\t", 8)
    if len(fields) < 8:
        shown = f"{len(fields)}: {line[:QUOTED]!r}"
        raise LineError(number, "the line of the VCF has too few columns", shown, "eight or more, by tabs")
    if not fields[1].isdigit() or len(fields[1]) > MOST_DIGITS:
        shown = repr(fields[1][:QUOTED])[1:]
        raise LineError(number, "the position is not a whole number", shown, f"digits, {MOST_DIGITS} at most")
    try:
        name, _, identifier, reference, alternatives = (field.decode() for field in fields[:5])
    except UnicodeDecodeError:
        raise LineError(number, "the line is not text in UTF-8", repr(line[:QUOTED]), "text") from None
    alleles = () if alternatives in (".", "") else tuple(alternatives.split(","))
    return VcfLine(name, int(fields[1]) - 1, identifier or ".", reference, alleles)


class InfoField(NamedTuple):
    """A field of INFO: one of the numbers of a column."""

    name: str
    column: int
    kind: str
    """``ref``, which a record has one of; ``alt``, ``delta`` or ``logodds``, which each of its alleles has."""
    text: str


def info_fields(columns: Sequence[Column], model: str, prefix: str) -> list[InfoField]:
    """The fields for a model's columns; names hold only what VCF lets them.

    Raises:
        UsageError: no name can begin with `prefix`.
    """
    if not PREFIX.fullmatch(prefix):
        raise UsageError(
            "no name of an INFO field begins so", place="--prefix", found=prefix, wanted="letters, digits, _ and ."
        )
    found: list[InfoField] = []
    for number, column in enumerate(columns):
        base = NOT_IN_A_KEY.sub("_", f"{prefix}_{column.name.replace('.', '_')}")
        taken = sum(field.name in (f"{base}_ref", f"{base}_{number}_ref") for field in found)
        base = f"{base}_{number}" if taken else base
        strand = f" on the {column.strand} strand" if column.strand else ""
        unit = f" ({column.unit})" if column.unit else ""
        title = re.sub(r'["\\]', "'", f"{column.title}{strand} by {model}")
        texts = {
            "ref": f"{title}, of the window about POS{unit}: reference",
            "alt": f"{title}, of the window about POS{unit}: with the allele",
            "delta": f"{title}, of the window about POS{unit}: with the allele, less the reference",
        }
        if column.odds:
            texts["logodds"] = f"{title}, of the window about POS: natural logarithm of the odds ratio, allele over "
            texts["logodds"] += "reference"
        found += [InfoField(f"{base}_{kind}", number, kind, text) for kind, text in texts.items()]
    return found


def info_lines(fields: Sequence[InfoField], header: Header, path: Path) -> list[bytes]:
    """The header's lines for new fields, without their ends.

    Raises:
        DataError: the file has one of them.
    """
    for field in fields:
        if field.name in header.fields:
            raise field_of_others(path, "INFO", field.name)
    source = f'Source="trackgen",Version="{trackgen.__version__}"'
    return [
        f"##INFO=<ID={field.name},Number={'1' if field.kind == 'ref' else 'A'},Type=Float,"
        f'Description="{field.text}",{source}>'.encode()
        for field in fields
    ]


def field_of_others(path: Path, place: str, name: str) -> DataError:
    """The error for a VCF that has a field of the name of a new one."""
    return DataError(
        "the VCF has a field of this name already",
        path=path,
        place=place,
        found=name,
        wanted="names of its own",
        remedy="take another --prefix, or remove it: bcftools annotate -x INFO/" + name,
    )


def add_info(line: bytes, entries: Sequence[str], path: Path) -> bytes:
    """The line with `entries`, KEY=VALUE each, behind what its INFO holds.

    Args:
        path: the file that it is of.

    Raises:
        DataError: it holds one of them, which the header does not say.
    """
    text = line.rstrip(b"\r\n")
    fields = text.split(b"\t", 8)
    # Some callers end it with a semicolon, behind which another would make an entry without a name.
    before = fields[7].rstrip(b";")
    held = [] if before in (b".", b"") else [before]
    keys = {entry.partition(b"=")[0] for entry in before.split(b";")}
    for name in (entry.partition("=")[0] for entry in entries):
        if name.encode() in keys:
            raise field_of_others(path, f"INFO at {fields[0].decode()}:{int(fields[1]):,}", name)
    fields[7] = b";".join([*held, *(entry.encode() for entry in entries)])
    return b"\t".join(fields) + line[len(text) :]
