"""Records of a file as places to be scored, and what becomes of those that can't be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from trackgen.card import Card
from trackgen.errors import DataError
from trackgen.genome import Edit, Genome, decode
from trackgen.genome.annotation_starts import Start
from trackgen.genome.variants import ParsedVariant
from trackgen.score.options import Unfit
from trackgen.score.survey import Survey, bed_rows, vcf_lines
from trackgen.score.vcf import VcfLine
from trackgen.score.windows import Place, bin_of_region

__all__ = ["LEADING", "Reader", "Record"]

LEADING = {
    "bed": (),
    "gtf": ("gene",),
    "gff3": ("gene",),
    "vcf": ("ref", "alt"),
}
"""Columns of the table behind the six of BED, by kind."""
BASES = re.compile(r"[ACGTNacgtn]+")
SHOWN = 30
SKIP = "--unfit skip leaves such records out"


class Record(NamedTuple):
    """A line of the file, and what is to be scored of it.

    Attributes:
        place: None where there is nothing to score.
        rows: the leading cells of its rows in the table.
        windows: of each row, which window of `place` it is about: 0 for the genome's, n for that of the n-th edit.
        strand: of a transcript.
        line: of a VCF: as it stands in the file.
        alleles: of a VCF: of each alternative the number of its edit from 1, 0 where it is not scored.
    """

    place: Place | None
    rows: tuple[tuple[str, ...], ...] = ()
    windows: tuple[int, ...] = ()
    strand: str = "."
    line: bytes = b""
    alleles: tuple[int, ...] = ()


class Reader:
    """Reads the records of a file in its order.

    Args:
        names: the file's names of sequences -> the genome's.
        unfit: what becomes of a record that can't be scored.

    Attributes:
        left_out: why records or alleles were left out -> how many.
    """

    def __init__(self, survey: Survey, genome: Genome, names: Mapping[str, str], card: Card, unfit: Unfit) -> None:
        self._survey, self._genome, self._names, self._card = survey, genome, names, card
        self._lengths = dict(genome.lengths)
        self._unfit = unfit
        self.left_out: Counter[str] = Counter()

    @property
    def _path(self) -> Path:
        return self._survey.path

    def records(self) -> Iterator[Record]:
        """The records; lines of a VCF that hold none come with nothing to score.

        Raises:
            DataError: one can't be scored and unfit ones are refused, naming file and line.
        """
        if self._survey.variant is not None:
            yield self._in_words(self._survey.variant)
        elif self._survey.kind == "vcf":
            for number, line, parsed in vcf_lines(self._path):
                yield Record(None, line=line) if parsed is None else self._variant(number, line, parsed)
        elif self._survey.kind == "bed":
            for number, fields in bed_rows(self._path):
                yield from self._region(number, fields)
        else:
            for start in self._survey.starts:
                yield from self._start(start)

    def _in_words(self, variant: ParsedVariant) -> Record:
        """One variant, in the window about the first base that it changes."""
        name = self._name("variant", variant.name, variant.end)
        assert name is not None, "without a sequence of the genome it was refused"
        bases = decode(self._genome.fetch(name, variant.start, variant.end))
        edit = variant._replace(name=name).edit(bases)
        cells = (variant.name, str(variant.start), str(variant.end), ".", ".", ".", bases or "-", edit.sequence or "-")
        first = bin_of_region(self._card, variant.start, variant.start + 1)
        return Record(Place(name, first, (edit,)), (cells,), (1,))

    def _region(self, number: int, fields: list[str]) -> Iterator[Record]:
        start, end = int(fields[1]), int(fields[2])
        name = self._name(f"line {number:,}", fields[0], end)
        if name is not None:
            cells = (*fields[:3], *((fields[index] if len(fields) > index else "") or "." for index in (3, 4, 5)))
            yield Record(Place(name, bin_of_region(self._card, start, end)), (cells,), (0,))

    def _start(self, start: Start) -> Iterator[Record]:
        name = self._name(f"line {start.line:,}", start.sequence, start.end)
        if name is None:
            return
        if start.strand not in ("+", "-"):
            self._leave_out(
                DataError(
                    "the transcript has no strand, so no start",
                    path=self._path,
                    place=f"line {start.line:,}",
                    found=start.name,
                    wanted="+ or -",
                    remedy=SKIP,
                )
            )
            return
        base = start.position
        cells = (start.sequence, str(base), str(base + 1), start.name, ".", start.strand, start.gene)
        yield Record(Place(name, bin_of_region(self._card, base, base + 1)), (cells,), (0,), start.strand)

    def _name(self, place: str, name: str, end: int) -> str | None:
        """The genome's name of a sequence that reaches to `end`; None where the record is left out."""
        known = self._names.get(name)
        if known is None:
            # Without --unfit skip this was refused before the first record.
            self.left_out[f"the {self._survey.title} names a sequence that the genome does not have"] += 1
            return None
        if end > self._lengths[known]:
            self._leave_out(
                DataError(
                    "the record ends beyond its sequence",
                    path=self._path,
                    place=place,
                    found=f"{name} to base {end:,}",
                    wanted=f"at most {self._lengths[known]:,}, the length of {known}",
                    remedy="check that the file and the genome are of one assembly",
                )
            )
            return None
        return known

    def _leave_out(self, error: DataError) -> None:
        if self._unfit == "refuse":
            raise error
        self.left_out[error.what] += 1

    def _variant(self, number: int, line: bytes, parsed: VcfLine) -> Record:
        none = Record(None, line=line)
        if not parsed.alternatives:
            return none
        place = f"line {number:,}"
        name = self._name(place, parsed.name, parsed.position + len(parsed.reference))
        if name is None:
            return none
        wrong = self._wrong_reference(place, name, parsed)
        if wrong is not None:
            self._leave_out(wrong)
            return none
        end = parsed.position + len(parsed.reference)
        edits: list[Edit] = []
        alleles: list[int] = []
        rows = []
        for allele in parsed.alternatives:
            unfit = self._wrong_allele(place, parsed, allele)
            if unfit is not None:
                self._leave_out(unfit)
                alleles.append(0)
                continue
            edits.append(Edit(name, parsed.position, end, allele.upper()))
            alleles.append(len(edits))
            span = (str(parsed.position), str(end))
            rows.append((parsed.name, *span, parsed.identifier, ".", ".", parsed.reference, allele))
        if not edits:
            return none
        first = bin_of_region(self._card, parsed.position, parsed.position + 1)
        windows = tuple(range(1, len(edits) + 1))
        return Record(Place(name, first, tuple(edits)), tuple(rows), windows, ".", line, tuple(alleles))

    def _wrong_reference(self, place: str, name: str, parsed: VcfLine) -> DataError | None:
        """What is wrong with where a variant stands, and what it says stands there."""
        if parsed.position < 0:
            what = "the position is before its sequence"
            return DataError(what, path=self._path, place=place, found=0, wanted="1 or more", remedy=SKIP)
        if not BASES.fullmatch(parsed.reference):
            return self._other_letters(place, "reference", parsed.reference)
        there = decode(self._genome.fetch(name, parsed.position, parsed.position + len(parsed.reference)))
        if there == parsed.reference.upper():
            return None
        return DataError(
            "the variant's reference is not what stands in the genome",
            path=self._path,
            place=place,
            found=f"{_short(parsed.reference)} at {parsed.name}:{parsed.position + 1:,}",
            wanted=f"{_short(there)}, which stands there",
            remedy="check that the VCF and the genome are of one assembly, and see bcftools norm --check-ref",
        )

    def _wrong_allele(self, place: str, parsed: VcfLine, allele: str) -> DataError | None:
        if BASES.fullmatch(allele):
            return None
        if re.search(r"[<>*\[\]]", allele) or allele == ".":
            return DataError(
                "the allele is symbolic: it says no bases",
                path=self._path,
                place=place,
                found=f"{_short(allele)} at {parsed.name}:{parsed.position + 1:,}",
                wanted="A, C, G, T or N",
                remedy="--unfit skip leaves such alleles out",
            )
        return self._other_letters(place, "alternative", allele)

    def _other_letters(self, place: str, which: str, allele: str) -> DataError:
        what = f"the {which} allele has letters that are no bases"
        found = repr(_short(allele))
        return DataError(what, path=self._path, place=place, found=found, wanted="A, C, G, T or N", remedy=SKIP)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} letters)"
