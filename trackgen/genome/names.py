"""What a sequence name says: ``chrII``, ``II``, ``2``, ``chr02`` and ``NC_001134.8`` taken apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from trackgen.genome.assemblies import ACCESSIONS, ASSEMBLIES

__all__ = ["Numbering", "accession_lengths", "assembly_name", "bare", "label", "roman", "roman_value"]

PREFIX = re.compile(r"chr(omosome)?[ _.]?(?=.)", re.IGNORECASE)
REFSEQ = re.compile(r"(NC_\d{6})(\.\d+)?")
CONTIG = re.compile(r"(?:chr\w+?_)?([a-z]{2}\d{6})(?:v\d+|\.\d+)?(?:_random|_alt|_fix)?", re.IGNORECASE)
"""Unplaced sequences: ``chr1_KI270706v1_random``, ``KI270706.1``, ``chrUn_gl000211``, ``GL000211.1``."""
MITOCHONDRION = frozenset({"m", "mt", "mito", "mtdna", "mitochondrion", "mitochondria"})
MITOCHONDRION_LABEL = "m"

LARGEST_NUMERAL = 50
"""More chromosomes than any genome that is numbered in Roman."""

_LABEL_OF_ACCESSION = {accession.split(".")[0]: row.label.lower() for accession, row in ACCESSIONS.items()}


def roman(number: int) -> str:
    """The Roman numeral of 1 to 50, in lower case."""
    text = ""
    for value, numeral in ((50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")):
        text += numeral * (number // value)
        number %= value
    return text


_VALUE_OF_NUMERAL = {roman(number): number for number in range(1, LARGEST_NUMERAL + 1)}


def roman_value(text: str) -> int | None:
    """The number that a lower-case Roman numeral stands for; None where it is none."""
    return _VALUE_OF_NUMERAL.get(text)


def bare(name: str) -> str:
    """`name` in lower case without ``chr`` and leading zeros: ``chrII`` -> ``ii``, ``chr02`` -> ``2``."""
    text = PREFIX.sub("", name, count=1).lower() if PREFIX.match(name) else name.lower()
    return str(int(text)) if text.isascii() and text.isdigit() else text


def label(name: str) -> str:
    """What `name` means whatever its style: equal for ``chrM``, ``MT`` and ``NC_012920.1``; see also `Numbering`."""
    accession = REFSEQ.fullmatch(name)
    if accession and accession[1] in _LABEL_OF_ACCESSION:
        text = _LABEL_OF_ACCESSION[accession[1]]
    elif contig := CONTIG.fullmatch(name):
        return contig[1].lower()
    else:
        text = bare(name)
    return MITOCHONDRION_LABEL if text in MITOCHONDRION else text


def accession_lengths(name: str) -> frozenset[int] | None:
    """The lengths, bp, that `name` can have because it is a known accession; None where that is unknown.

    An accession with its version names one sequence of one assembly; without it, one chromosome of several.
    """
    if name in ACCESSIONS:
        return frozenset({ACCESSIONS[name].length})
    match = REFSEQ.fullmatch(name)
    if match is None or match[2] or match[1] not in _LABEL_OF_ACCESSION:
        return None
    return frozenset(row.length for text, row in ACCESSIONS.items() if text.startswith(match[1] + "."))


class Numbering:
    """How the labels of one set of names are numbered.

    ``X`` is 10 in yeast and a sex chromosome in worm and man. So Roman numerals count only where the names show that
    they are numerals: in an unbroken run from I, or, in a file that need not name every chromosome, beside others of
    two letters or more.
    """

    def __init__(self, labels: Collection[str]) -> None:
        present = set(labels)
        self.has_arabic = any(text.isdigit() for text in present)
        self.roman_run = 0
        """The largest N for which I to N are all there; 0 where there are arabic numbers."""
        while not self.has_arabic and roman(self.roman_run + 1) in present:
            self.roman_run += 1
        self.speaks_roman = not self.has_arabic and any(
            len(text) > 1 and roman_value(text) is not None for text in present
        )


def assembly_name(lengths: Mapping[str, int]) -> str | None:
    """UCSC's name of the assembly that these sequences belong to, in any naming; None where that is not certain.

    A part of an assembly, such as one chromosome, is recognised too. Names and lengths decide: at least one
    chromosome other than the mitochondrion must agree, and none may contradict.

    Args:
        lengths: bases of each sequence.
    """
    labels = {name: label(name) for name in lengths}
    numbering = Numbering(labels.values())
    found = []
    for assembly, chromosomes in ASSEMBLIES.items():
        wanted: dict[str, set[int]] = {}
        run = Numbering([row.label.lower() for row in chromosomes]).roman_run if numbering.has_arabic else 0
        for row in chromosomes:
            number = roman_value(row.label.lower())
            key = str(number) if number is not None and number <= run else label(row.label)
            wanted.setdefault(key, set()).add(row.length)
        agree = {text: lengths[name] in wanted[text] for name, text in labels.items() if text in wanted}
        if all(agree.values()) and set(agree) - {MITOCHONDRION_LABEL}:
            found.append(assembly)
    return found[0] if len(found) == 1 else None
