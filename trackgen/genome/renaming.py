"""Gives a genome's sequences the names that a browser or an annotation uses: UCSC's, Ensembl's, or a table's.

UCSC writes ``chr1``, ``chrM`` and ``chrUn_KI270302v1``; Ensembl writes ``1``, ``MT`` and ``KI270302.1``. Where the
assembly is known, its own table decides; else the names alone do, and a name of neither kind stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from trackgen.errors import DataError, UsageError
from trackgen.genome.aliases import reconcile
from trackgen.genome.assemblies import ASSEMBLIES
from trackgen.genome.names import CONTIG, MITOCHONDRION, assembly_name, bare

__all__ = ["STYLES", "rename_sequences", "unused_names"]

STYLES = ("ucsc", "ensembl")
FIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What every browser takes for a sequence's name; ``+`` and ``|`` mean other things in addresses."""

# Ensembl's name of the mitochondrion, by UCSC's name of the assembly without its number; MT for all others.
ENSEMBL_MITOCHONDRION = {"sacCer": "Mito", "ce": "MtDNA", "dm": "mitochondrion_genome"}
YORUBA_MITOCHONDRION = 16_571
"""bp; the chrM of UCSC's hg19 (NC_001807) is another sequence than the MT of every Ensembl assembly."""
PLACED = re.compile(r"chr\w*?_(?P<contig>[A-Za-z]{2}\d{6})v(?P<version>\d+)(_random|_alt|_fix)?")
UNPLACED_GL = re.compile(r"chr\w*?_(?P<contig>gl\d{6})(_random)?", re.IGNORECASE)
NUMERAL = re.compile(r"\d+|[IVXL]+|[WXYZMU]|\d+[LR]|2[ab]|2micron", re.IGNORECASE)
"""What a chromosome is called after ``chr``: names of contigs are longer."""


def rename_sequences(lengths: Mapping[str, int], style: str) -> dict[str, str]:
    """The new name of each sequence, in the genome's order.

    Args:
        lengths: the genome's names and lengths, bp.
        style: ``ucsc``, ``ensembl``, or a file with a line ``OLD<TAB>NEW`` for each sequence that changes its name.

    Raises:
        UsageError: `style` is neither.
        DataError: the file is malformed, or two sequences would have one name.
    """
    if style in STYLES:
        wanted = _to_ucsc(lengths) if style == "ucsc" else _to_ensembl(lengths)
        path = None
    else:
        path = Path(style)
        if not path.is_file():
            raise UsageError(
                "this is no way to name sequences", place="--names", found=style, wanted="ucsc, ensembl or a file"
            )
        wanted = _read_table(path)
        if not wanted.keys() & lengths.keys():
            raise DataError(
                "the table names none of the genome's sequences",
                path=path,
                found=", ".join(list(wanted)[:3]) or "no names",
                wanted="old names such as " + ", ".join(list(lengths)[:3]),
            )
    result = {name: wanted.get(name, name) for name in lengths}
    _refuse_repeated(result, path)
    return result


def unused_names(style: str, names: Collection[str]) -> tuple[str, ...]:
    """The old names in the table `style` that no sequence has, in the table's order; none for another style.

    One table may serve several genomes, so such a line is no error, but a person should hear of it: it may be a typo.

    Args:
        style: as in `rename_sequences`.
        names: those of all genomes that the table serves.

    Raises:
        DataError: the file is malformed.
    """
    if style in STYLES:
        return ()
    return tuple(old for old in _read_table(Path(style)) if old not in names)


def _to_ucsc(lengths: Mapping[str, int]) -> dict[str, str]:
    known = _by_assembly(lengths)
    return {name: known.get(name) or _ucsc_name(name) for name in lengths}


def _to_ensembl(lengths: Mapping[str, int]) -> dict[str, str]:
    known = _by_assembly(lengths)
    mitochondrion = ENSEMBL_MITOCHONDRION.get((assembly_name(lengths) or "").rstrip("0123456789"), "MT")
    return {
        name: name if length == YORUBA_MITOCHONDRION else _ensembl_name(known.get(name, name), mitochondrion)
        for name, length in lengths.items()
    }


def _by_assembly(lengths: Mapping[str, int]) -> dict[str, str]:
    """UCSC's names of the chromosomes of an assembly that we know; nothing where it is another."""
    assembly = assembly_name(lengths)
    if assembly is None:
        return {}
    chromosomes = {f"chr{row.label}": row.length for row in ASSEMBLIES[assembly]}
    own = {name: length for name, length in lengths.items() if length in chromosomes.values()}
    return reconcile(own, chromosomes, path=None, what="genome", allow_unknown=True)


def _ucsc_name(name: str) -> str:
    text = bare(name)
    if text in MITOCHONDRION:
        return "chrM"
    if name.startswith("chr") or not NUMERAL.fullmatch(name):
        return name
    return f"chr{name}"


def _ensembl_name(name: str, mitochondrion: str) -> str:
    if bare(name) in MITOCHONDRION:
        return mitochondrion
    if placed := PLACED.fullmatch(name):
        return f"{placed['contig'].upper()}.{placed['version']}"
    if unplaced := UNPLACED_GL.fullmatch(name):
        return f"{unplaced['contig'].upper()}.1"
    if CONTIG.fullmatch(name) or not name.startswith("chr"):
        return name
    return name.removeprefix("chr") or name


def _read_table(path: Path) -> dict[str, str]:
    result: dict[str, str] = {}
    try:
        # Editors on Windows begin a file with a byte order mark, which would be part of the first name.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the table of names cannot be read", path=path, found=error) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) != 2 or not FIT.fullmatch(fields[1]):
            raise DataError(
                "this is no line of a table of names",
                path=path,
                place=f"line {number}",
                found=repr(line[:80]),
                wanted="the old name, a tab, and a new name of letters, digits, '.', '_', '-'",
            )
        if result.get(fields[0], fields[1]) != fields[1]:
            raise DataError(
                "a sequence has two new names",
                path=path,
                place=f"line {number}",
                found=f"{fields[0]}: {fields[1]}",
                wanted=result[fields[0]],
            )
        result[fields[0]] = fields[1]
    return result


def _refuse_repeated(names: Mapping[str, str], path: Path | None) -> None:
    seen: dict[str, str] = {}
    for old, new in names.items():
        if new in seen:
            raise DataError(
                "two sequences would have one name",
                path=path,
                place=f"sequences {seen[new]} and {old}",
                found=new,
                remedy="give each its own with --names FILE, a line OLD<TAB>NEW for each",
            )
        seen[new] = old
