"""A first look at the whole file: what it is, how much there is, which sequences it names, whether all of it is sound.

What is wrong with a line is told before anything is run, and a file that was cut off before anything is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trackgen.errors import DataError
from trackgen.genome.aliases import UnknownSequence, reconcile
from trackgen.genome.annotation_lines import LineError, bed_lines, feature_rows, sniff
from trackgen.genome.annotation_starts import Start, transcript_starts
from trackgen.genome.sequence import quote
from trackgen.genome.text_lines import text_lines
from trackgen.genome.variants import ParsedVariant, parse_variant
from trackgen.score.vcf import COLUMNS, Header, VcfLine, parse_line

__all__ = ["Kind", "Survey", "bed_rows", "look_over", "placed_errors", "raw_lines", "sequence_names", "vcf_lines"]

Kind = Literal["bed", "gtf", "gff3", "vcf"]
WHAT = "BED, GTF, GFF3 or VCF file"
KINDS = "BED, GTF, GFF3 or VCF, plain or gzip, with tabs"
TITLES = {"bed": "BED file", "gtf": "annotation", "gff3": "annotation", "vcf": "VCF file"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
IN_WORDS = re.compile(r":([gm]\.)?[0-9]|^[^/\s]+\s+[0-9][0-9,]*\s")
"""What stands in a variant, and seldom in the name of a file."""
LEAST_OF_VCF = 5
"""Columns of a line that looks like VCF: CHROM to ALT."""


@dataclass
class Survey:
    """What a file holds.

    Attributes:
        records: lines with a record; transcripts of an annotation.
        places: the sequences that records stand on, each with the line where it stands first.
        ordered: whether the records of each sequence stand together and their positions ascend.
        header: of a VCF.
        starts: of an annotation.
        variant: what was given in words instead of a file.
    """

    path: Path
    kind: Kind
    records: int = 0
    places: dict[str, str] = field(default_factory=dict)
    ordered: bool = True
    header: Header = field(default_factory=Header)
    starts: list[Start] = field(default_factory=list)
    variant: ParsedVariant | None = None

    @property
    def title(self) -> str:
        """The file in words."""
        return "variant" if self.variant else TITLES[self.kind]

    def add(self, number: int, name: str) -> bool:
        """Count a record; returns whether its sequence is a new one."""
        self.records += 1
        if name in self.places:
            return False
        self.places[name] = f"line {number:,}"
        return True


def look_over(path: Path) -> Survey:
    """Read a file once from end to end; a text that names none may be a variant in words, such as ``chrI:1234 A>G``.

    Raises:
        DataError: it is missing, damaged, truncated or empty, none of the four kinds, or a line of it is malformed.
        UsageError: a variant that can't be read.
    """
    words = os.fspath(path)
    if IN_WORDS.search(words) and not path.exists():
        variant = parse_variant(words)
        return Survey(path, "vcf", 1, {variant.name: "variant"}, variant=variant)
    survey = Survey(path, _kind(path))
    with placed_errors(path):
        if survey.kind == "vcf":
            _look_over_vcf(survey)
        elif survey.kind == "bed":
            for number, fields in bed_rows(path):
                survey.add(number, fields[0])
        else:
            survey.starts = transcript_starts(survey.kind, feature_rows(_texts(path)))
            for start in survey.starts:
                survey.add(start.line, start.sequence)
    if survey.kind != "vcf" and not survey.records:
        raise DataError("the annotation has no transcript and no gene", path=path, wanted="lines of either")
    return survey


def bed_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number, columns) of the intervals of a BED file."""
    return bed_lines(_texts(path))


def raw_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number, line with its end) of a VCF."""
    return text_lines(path, WHAT)


def vcf_lines(path: Path) -> Iterator[tuple[int, bytes, VcfLine | None]]:
    """(number, line with its end, record) of a VCF; the record is None for the header and for empty lines.

    Without the byte-order mark that some programs of Windows begin a file with: readers of VCF take it for a part of
    the first line.

    Raises:
        LineError: a malformed line.
    """
    for number, line in raw_lines(path):
        line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        is_record = not line.startswith(b"#") and bool(line.strip())
        yield number, line, parse_line(number, line) if is_record else None


@contextmanager
def placed_errors(path: Path) -> Iterator[None]:
    """Turn a malformed line into an error that names the file."""
    try:
        yield
    except LineError as error:
        place = f"line {error.number:,}" if error.number else None
        raise DataError(error.what, path=path, place=place, found=error.found, wanted=error.wanted) from None


def sequence_names(survey: Survey, lengths: Mapping[str, int], *, skip: bool) -> dict[str, str]:
    """The genome's name of each name in the file.

    Args:
        lengths: the genome's sequences.
        skip: leave out names that the genome does not have, as long as it has any.

    Raises:
        DataError: a name is unknown, with the line, or has another length than the genome's sequence.
    """
    listed = survey.header.lengths
    own = {name: listed.get(name) for name in survey.places}
    try:
        mapping = _reconciled(survey, {**own, **listed}, lengths)
    except DataError:
        # What the header lists beside them may be of another assembly, or be there twice.
        mapping = _reconciled(survey, own, lengths)
    for name in survey.places:
        if name not in mapping and not (skip and mapping):
            mapping |= reconcile({name: None}, lengths, path=survey.path, what=survey.title, places=survey.places)
    return mapping


def _reconciled(survey: Survey, names: Mapping[str, int | None], lengths: Mapping[str, int]) -> dict[str, str]:
    """As `sequence_names`, less the unknown ones; none where all are."""
    try:
        return reconcile(names, lengths, path=survey.path, what=survey.title, places=survey.places, allow_unknown=True)
    except UnknownSequence:
        return {}


def _kind(path: Path) -> Kind:
    """What a file is, by its first lines."""
    texts = _texts(path)
    first = next(texts, None)
    if first is None:
        raise DataError("the file is empty", path=path, wanted=KINDS)
    line = first[1]
    if line.startswith(("##fileformat=VCF", COLUMNS.decode())):
        return "vcf"
    if line.startswith(">"):
        raise DataError(
            "this looks like a genome, not like records on one",
            path=path,
            wanted=KINDS,
            remedy="MODEL comes first, then GENOME, then the records: were they swapped",
        )
    try:
        kind, _ = sniff(iter([first, *texts]))
    except LineError as error:
        raise _of_no_kind(path, error) from None
    return "bed" if kind == "bed" else "gtf" if kind == "gtf" else "gff3"


def _of_no_kind(path: Path, error: LineError) -> DataError:
    place = f"line {error.number:,}" if error.number else None
    if not error.number:
        return DataError("the file has no record", path=path, found=error.found, wanted=KINDS)
    line = next(text for number, text in _texts(path) if number == error.number)
    fields = line.split("\t")
    if len(fields) >= LEAST_OF_VCF and fields[1].isdigit() and fields[3].isalpha():
        return DataError(
            "this looks like VCF without its header",
            path=path,
            place=place,
            found=quote(line.encode()),
            wanted="##fileformat=VCFv4.2 in line 1, and the line #CHROM POS ID ... before the records",
            remedy="write the header before it: bcftools view -h OF_THE_SAME_CALLS.vcf > new.vcf; cat FILE >> new.vcf",
        )
    spaces = "; its columns are separated by spaces" if "\t" not in line and len(line.split()) >= 3 else ""
    return DataError(
        f"this is neither BED, GTF, GFF3 nor VCF{spaces}", path=path, place=place, found=error.found, wanted=KINDS
    )


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text without its end) of every line.

    Raises:
        DataError: the file is no text.
    """
    for number, line in text_lines(path, WHAT):
        line = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        try:
            text = "\0" if number == 1 and line.startswith(b"BCF") else line.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            binary = "BCF, the binary form of VCF" if line.startswith(b"BCF") else "not a text file"
            remedy = "bcftools view FILE.bcf > FILE.vcf" if line.startswith(b"BCF") else None
            raise DataError(f"this is {binary}", path=path, place=f"line {number:,}", wanted=KINDS, remedy=remedy)
        yield number, text


def _look_over_vcf(survey: Survey) -> None:
    last: tuple[str, int] = ("", 0)
    for number, line, record in vcf_lines(survey.path):
        if record is None:
            if not survey.records:
                survey.header.add(line)
            continue
        if not survey.header.whole:
            raise LineError(
                number,
                "a record stands before the line of columns",
                quote(line),
                "#CHROM POS ID REF ALT QUAL ..., by tabs",
            )
        new = survey.add(number, record.name)
        survey.ordered &= new if record.name != last[0] else record.position >= last[1]
        last = record.name, record.position
    if not survey.header.whole:
        raise LineError(0, "the VCF has no line of columns", "none", "#CHROM POS ID REF ALT QUAL FILTER INFO, by tabs")
