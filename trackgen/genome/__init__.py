"""Genomes and what stands on them: sequence as codes, names, intervals, signals. Coordinates are 0-based half-open."""

from trackgen.genome.aliases import describe, reconcile
from trackgen.genome.codes import UNKNOWN, decode, encode, reverse_complement
from trackgen.genome.edits import Aligned, Edit, EditedGenome
from trackgen.genome.names import assembly_name
from trackgen.genome.regions import (
    BedFile,
    Interval,
    intersect,
    merge,
    parse_region,
    parse_regions,
    read_bed,
    spans_by_name,
    subtract,
    total,
)
from trackgen.genome.renaming import rename_sequences, unused_names
from trackgen.genome.sequence import Genome, genome_digest, open_genome
from trackgen.genome.shuffles import block_span, shuffle_in_place, shuffle_windows
from trackgen.genome.signals import SignalReader, open_signal
from trackgen.genome.twobit import write_twobit

__all__ = [
    "UNKNOWN",
    "Aligned",
    "BedFile",
    "Edit",
    "EditedGenome",
    "Genome",
    "Interval",
    "SignalReader",
    "assembly_name",
    "block_span",
    "decode",
    "describe",
    "encode",
    "genome_digest",
    "intersect",
    "merge",
    "open_genome",
    "open_signal",
    "parse_region",
    "parse_regions",
    "read_bed",
    "reconcile",
    "rename_sequences",
    "reverse_complement",
    "shuffle_in_place",
    "shuffle_windows",
    "spans_by_name",
    "subtract",
    "total",
    "unused_names",
    "write_twobit",
]
