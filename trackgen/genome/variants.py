"""A variant as people write it: ``chr:pos ref>alt``, as HGVS writes changes of a genome, or a line of VCF.

::

    chrI:1,234 A>G    chrI:1234A>G    chrI:g.1234A>G    chrI:g.5_7del    chrI:g.5_7delACG    chrI:g.5_6insACG
    chrI:g.5_7delinsTT    chrI:g.5_7dup    chrI:g.5_7inv    chrI 1234 . A G

Positions count from 1 in text, as HGVS and VCF have them. The page reads the same forms (plugins/igv); both are held
against plugins/protocol/variants.json.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, NoReturn

from trackgen.errors import DataError, UsageError
from trackgen.genome.codes import decode, encode, reverse_complement
from trackgen.genome.edits import Edit

__all__ = ["ParsedVariant", "parse_variant"]

FORMS = "chrI:1234 A>G, chrI:g.1234A>G, g.5_7del, g.5_6insACG, g.5_7delinsTT, g.5_7dup, g.5_7inv, or a line of VCF"
LARGEST_POSITION = 2**32 - 1
"""What a BigWig, and so a browser, can hold."""
QUOTED = 60
BLANKS = " \t\r\n"
BASES = re.compile(r"[ACGTNacgtn]+")
POSITION = re.compile(r"[0-9]+|[0-9]{1,3}(,[0-9]{3})+")
SYMBOLIC = re.compile(r"[<*\[\]]")
NUMBER = r"(?P<first>[0-9][0-9,]*)"
SPAN = rf"{NUMBER}(_(?P<last>[0-9][0-9,]*))?"
CHANGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{NUMBER}[ \t]*(?P<old>[a-z]+)[ \t]*>[ \t]*(?P<new>[a-z,]+)",
        rf"{SPAN}del(?P<old>[a-z]*?)ins(?P<new>[a-z]+)",
        rf"{SPAN}(?P<kind>del|dup|inv)(?P<old>[a-z]*)",
        rf"{SPAN}(?P<kind>ins)(?P<new>[a-z]+)",
    )
)
"""What may stand behind the name of the sequence; each match has a first position."""


class ParsedVariant(NamedTuple):
    """What a text says: bases [start, end) of a sequence, 0-based half-open, are replaced by `sequence`.

    Attributes:
        sequence: upper case; None where it is made of the bases that stand there: twice them where `operation` is
            ``dup``, their reverse complement where it is ``inv``.
        reference: what the text says stands there, upper case; None where it says nothing.
    """

    name: str
    start: int
    end: int
    sequence: str | None
    reference: str | None
    operation: Literal["", "dup", "inv"] = ""

    def edit(self, bases: str) -> Edit:
        """The edit of a genome that has `bases` over [start, end).

        Raises:
            DataError: the text says that other bases stand there.
        """
        if self.reference is not None and self.reference != bases:
            raise DataError(
                "the variant's reference is not what stands in the genome",
                place=f"{self.name}:{self.start + 1:,}",
                found=self.reference,
                wanted=f"{bases}, which stands there",
                remedy="check that the variant and the genome are of one assembly",
            )
        return Edit(self.name, self.start, self.end, self.sequence or _made(self.operation, bases))


def parse_variant(text: str, chr: str | None = None) -> ParsedVariant:
    """The variant that a text means.

    Args:
        text: one of the forms above; bases in either case, positions with thousands commas or without.
        chr: the sequence that is meant where the text names none.

    Raises:
        UsageError: it is none of these forms, symbolic, several alleles, no bases, or positions out of order.
    """
    text = text.strip(BLANKS)
    if not text:
        _refuse("the variant is empty", "")
    strange = next((letter for letter in text if not (" " <= letter <= "~" or letter in BLANKS)), None)
    if strange is not None:
        _refuse("the variant has a character that is none of a variant's", f"U+{ord(strange):04X}")
    if "\n" in text or "\r" in text:
        _refuse("there is more than one line", text, "one variant at a time")
    fields = _vcf_fields(text)
    return _from_vcf(fields, text) if fields else _from_words(text, chr)


def _vcf_fields(text: str) -> list[str]:
    """The columns where the text is a line of VCF; else none."""
    columns = [field.strip(" ") for field in text.split("\t")]
    if len(columns) >= 5:
        return columns
    words = text.replace("\t", " ").split()
    return words if len(words) >= 5 and POSITION.fullmatch(words[1]) else []


def _from_vcf(fields: list[str], text: str) -> ParsedVariant:
    name, position, _, old, new = fields[:5]
    if name.startswith("#") or not name:
        _refuse("this line of VCF names no sequence", text)
    if not POSITION.fullmatch(position):
        _refuse("the position is not a whole number", position)
    if new in ("", "."):
        _refuse("the line of VCF has no alternative allele", text)
    return _replacement(name, position, old, new)


def _from_words(text: str, chr: str | None) -> ParsedVariant:
    name, colon, change = text.rpartition(":")
    # An allele such as <INS:ME> has a colon; a sequence may have an asterisk, as those of HLA genes.
    if SYMBOLIC.search(text.replace("*", "")) or "*" in change:
        _refuse("the variant is symbolic", text, "bases")
    if not colon and chr is None:
        _refuse("the variant names no sequence", text)
    name = name if colon else chr or ""
    if not name or re.search(r"[ \t]", name):
        _refuse("the variant names no sequence", text)
    prefix = re.match(r"([a-z])\.", change, re.IGNORECASE)
    if prefix and prefix[1].lower() not in "gm":
        _refuse("the variant is not one of genomic coordinates", text, "g.")
    change = change[2:] if prefix else change
    match = next(filter(None, (pattern.fullmatch(change) for pattern in CHANGES)), None)
    if match is None:
        _refuse("the variant has none of the forms that are read", text)
    return _changed(name, match.groupdict(), text)


def _changed(name: str, parts: dict[str, str | None], text: str) -> ParsedVariant:
    """The variant of a match of `CHANGES`."""
    if "last" not in parts:
        return _replacement(name, parts["first"] or "", parts["old"] or "", parts["new"] or "")
    first = _position(parts["first"] or "")
    last = _position(parts["last"]) if parts["last"] else first
    if last < first:
        _refuse("the positions are out of order", text, "first <= last")
    old = _bases(parts.get("old") or "", text)
    new = _bases(parts.get("new") or "", text)
    kind = (parts.get("kind") or "").lower()
    if kind == "ins":
        if last != first + 1:
            _refuse("an insertion stands between two neighbours", text, f"g.{first}_{first + 1}ins{new}")
        return ParsedVariant(name, first, first, new, None)
    if old and len(old) != last - first + 1:
        _refuse("the bases are not as many as the positions", text, f"{last - first + 1} bases")
    if kind in ("dup", "inv"):
        operation: Literal["dup", "inv"] = "dup" if kind == "dup" else "inv"
        if not old:
            return ParsedVariant(name, first - 1, last, None, None, operation)
        new = _made(operation, old)
    if old and old == new:
        _refuse("the variant changes nothing", text)
    return ParsedVariant(name, first - 1, last, new, old or None)


def _replacement(name: str, position: str, old: str, new: str) -> ParsedVariant:
    """REF and ALT at a position, as in VCF."""
    shown = f"{old}>{new}"
    if SYMBOLIC.search(shown):
        _refuse("the variant is symbolic", shown, "bases")
    if "," in new:
        _refuse("there are several alternatives", shown, "one allele at a time")
    start = _position(position) - 1
    old, new = _bases(old, shown), _bases(new, shown)
    if not old or not new:
        _refuse("an allele has no bases", shown, "A, C, G, T or N")
    if old == new:
        _refuse("the variant changes nothing", shown)
    return ParsedVariant(name, start, start + len(old), new, old)


def _position(text: str) -> int:
    if not POSITION.fullmatch(text):
        _refuse("the position is not a whole number", text, "digits, with commas between thousands or without")
    # More digits than any position has: int() of many thousands would itself be refused.
    position = int(text.replace(",", "").lstrip("0")[:20] or 0)
    if not 1 <= position <= LARGEST_POSITION:
        _refuse("the position is on no sequence", text, f"1 to {LARGEST_POSITION}; positions count from 1")
    return position


def _bases(text: str, shown: str) -> str:
    if text and not BASES.fullmatch(text):
        _refuse("an allele has letters that are no bases", shown, "A, C, G, T or N")
    return text.upper()


def _made(operation: str, bases: str) -> str:
    """What an operation puts in the place of bases; nothing where there is none."""
    if operation == "dup":
        return bases + bases
    return decode(reverse_complement(encode(bases.encode()))) if operation == "inv" else ""


def _refuse(what: str, found: str, wanted: str = FORMS) -> NoReturn:
    shown = found if len(found) <= QUOTED else f"{found[:QUOTED]}..."
    raise UsageError(what, place="variant", found=repr(shown) if found else None, wanted=wanted)
