"""Rules for genomes of UCSC: whether a genome's name can be one of its assemblies, and sequences by other names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from trackgen.genome.assemblies import ASSEMBLIES
from trackgen.hub.check.findings import Findings
from trackgen.hub.check.hub_files import Genome

__all__ = ["check_genome_name", "check_own_sequence", "chromosomes_of", "foreign_names", "listed"]

UCSC_NAME = re.compile(r"[A-Za-z]+[0-9]+|GC[AF]_[0-9]{9}\.[0-9]+|mpxvRivers")
"""An organism and a number, or an accession of the archive of genomes; and UCSC's one exception."""
CHROMOSOME = re.compile(
    r"(?:chr(?:omosome)?[ _.]?)?(?:[0-9]{1,2}[LR]?|[IVX]{1,6}|[WXYZM]|mt|mito|mitochondri(?:on|a))", re.IGNORECASE
)
"""A whole chromosome in any style; unplaced sequences have longer names."""
MOST_NAMES = 5


def listed(names: list[str], most: int = MOST_NAMES) -> str:
    """The first of `names`, and how many more there are."""
    text = ", ".join(names[:most])
    return text if len(names) <= most else f"{text} and {len(names) - most:,} more"


def chromosomes_of(assembly: str) -> dict[str, int]:
    """Name -> bp of the chromosomes of an assembly of UCSC; empty where they are not known."""
    return {f"chr{row.label}": row.length for row in ASSEMBLIES.get(assembly, ())}


def foreign_names(names: Mapping[str, int | None], chromosomes: Mapping[str, int]) -> list[str]:
    """Those of `names` that mean chromosomes but are none of `chromosomes`.

    Unplaced sequences, which `chromosomes` leaves out, are not foreign: these have names of their own, and no length of
    a chromosome.
    """
    missing = {length for name, length in chromosomes.items() if name not in names}
    return [
        name
        for name, length in names.items()
        if name not in chromosomes and (CHROMOSOME.fullmatch(name) or length in missing)
    ]


def check_genome_name(genome: Genome, findings: Findings) -> None:
    """A genome without a sequence of its own must be one that UCSC has."""
    if genome.name and not genome.is_assembly and not UCSC_NAME.fullmatch(genome.name):
        what = "no assembly of UCSC has such a name, and the hub has no sequence of its own"
        remedy = "name the assembly as UCSC does, or add the genome's sequence with twoBitPath"
        wanted = "a name such as hg38 or GCF_000146045.2"
        findings.add("GENOME-UNKNOWN", genome.stanza.place(), what, found=genome.name, wanted=wanted, remedy=remedy)


def check_own_sequence(genome: Genome, lengths: Mapping[str, int | None], findings: Findings) -> None:
    """A hub's own sequence must not go by the name of an assembly whose chromosomes are called otherwise."""
    chromosomes = chromosomes_of(genome.name)
    foreign = foreign_names(lengths, chromosomes) if genome.is_assembly and chromosomes else []
    if foreign:
        what = f"UCSC shows its own {genome.name}, whose chromosomes have other names than the hub's"
        wanted = f"names such as {listed(list(chromosomes), 3)}"
        remedy = "give the genome another name, or its sequences the names that UCSC uses"
        findings.add("GENOME-TAKEN", genome.stanza.place(), what, found=listed(foreign), wanted=wanted, remedy=remedy)
