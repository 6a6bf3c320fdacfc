"""Motif hits on the genome: the seqlets of each pattern, as BED, as bigBed, and as JSON that tells what they are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trackgen import __version__
from trackgen.bigwig.big_bed import write_big_bed
from trackgen.card import Card
from trackgen.learn.datasets.windows import Sites
from trackgen.learn.explain.modisco import core_starts
from trackgen.learn.explain.motif_table import NamedPattern
from trackgen.learn.explain.window_reader import window_starts

__all__ = ["Hit", "genome_hits", "write_hits"]

AUTO_SQL = """table motifHits
"Stretches of sequence that contribute to a model's prediction, by motif"
(
string chrom; "Sequence"
uint chromStart; "First base, 0-based"
uint chromEnd; "Last base + 1"
string name; "Motif"
uint score; "Contribution, 1000 for the largest of the file"
char[1] strand; "Strand of the motif"
uint thickStart; "First base"
uint thickEnd; "Last base + 1"
uint reserved; "Colour"
float contribution; "Summed contribution, logit"
)
"""
COLORS = ("200,30,30", "30,30,200", "30,110,60", "150,80,160", "200,138,30", "30,130,140", "110,110,110")
SCHEMA_VERSION = 1


@dataclass(frozen=True, order=True)
class Hit:
    """The core of one seqlet; `sequence` is the index of the genome's sequence. 0-based half-open."""

    sequence: int
    start: int
    end: int
    name: str
    minus: bool
    contribution: float
    pattern: int


def genome_hits(
    patterns: Sequence[NamedPattern], card: Card, sites: Sites, lengths: Mapping[str, int]
) -> list[Hit]:  # fmt: skip
    """The seqlets of all patterns, on the genome: sorted, each place once, without what overhangs a sequence."""
    starts = window_starts(card, sites)
    found: dict[tuple[int, int, int, int, bool], Hit] = {}
    for number, entry in enumerate(patterns):
        seqlets, (low, high) = entry.pattern.seqlets, entry.pattern.core
        first = core_starts(entry.pattern)
        window = seqlets.window
        # A window of the minus strand was read from its other end.
        on_plus = np.where(
            sites.minus[window], starts[window] + card.window - first - (high - low), starts[window] + first
        )
        minus = seqlets.reverse != sites.minus[window]
        for index in range(len(seqlets)):
            sequence, start = int(sites.chromosome[window[index]]), int(on_plus[index])
            end = start + high - low
            if start < 0 or end > lengths[sites.names[sequence]]:
                continue
            hit = Hit(sequence, start, end, entry.title, bool(minus[index]), float(seqlets.contribution[index]), number)
            key = (sequence, start, end, number, hit.minus)
            # Windows that overlap show the same place several times: the one that it contributes most to stays.
            if key not in found or abs(hit.contribution) > abs(found[key].contribution):
                found[key] = hit
    return sorted(found.values())


def write_hits(
    prefix: Path, hits: Sequence[Hit], patterns: Sequence[NamedPattern], card: Card, class_name: str,
    lengths: Mapping[str, int],
) -> list[Path]:  # fmt: skip
    """``PREFIX.bed`` and, where there is a hit, ``PREFIX.bb`` (bigBed 9 +) and ``PREFIX.json``.

    Returns:
        The files written.
    """
    names = list(lengths)
    largest = max((abs(hit.contribution) for hit in hits), default=1.0) or 1.0
    rows = [(names[hit.sequence], hit.start, hit.end, _rest(hit, largest)) for hit in hits]
    written = [_beside(prefix, ".bed")]
    text = "".join(f"{name}\t{start}\t{end}\t{rest}\n" for name, start, end, rest in rows)
    _replace(written[0], lambda path: path.write_text(text, encoding="utf-8"))
    if rows:
        # A bigBed file without items is no valid one.
        written += [_beside(prefix, ".bb"), _beside(prefix, ".json")]
        _replace(written[1], lambda path: write_big_bed(path, sorted(rows), lengths, AUTO_SQL))
        described = json.dumps(_description(written[1].name, hits, patterns, card, class_name, lengths), indent=1)
        _replace(written[2], lambda path: path.write_text(described + "\n", encoding="utf-8"))
    return written


def _rest(hit: Hit, largest: float) -> str:
    score = round(1000 * abs(hit.contribution) / largest)
    strand = "-" if hit.minus else "+"
    name = hit.name.replace(" ", "_")
    return f"{name}\t{score}\t{strand}\t{hit.start}\t{hit.end}\t{_color(hit.pattern)}\t{hit.contribution:.5g}"


def _color(pattern: int) -> str:
    return COLORS[pattern % len(COLORS)]


def _description(
    file: str, hits: Sequence[Hit], patterns: Sequence[NamedPattern], card: Card, class_name: str,
    lengths: Mapping[str, int],
) -> dict[str, Any]:  # fmt: skip
    counts = [0] * len(patterns)
    for hit in hits:
        counts[hit.pattern] += 1
    return {
        "schema_version": SCHEMA_VERSION, "trackgen": __version__, "kind": "motif hits", "file": file,
        "type": "bigBed 9 +", "model": card.name, "class": class_name,
        "label": f"motifs of {next(c.title for c in card.classes if c.name == class_name)}",
        "genome": {"names": list(lengths), "lengths": list(lengths.values())}, "hits": len(hits),
        "patterns": [
            {
                "name": entry.pattern.name, "hits": count, "color": _color(number),
                "matches": [match.name for match in entry.matches],
            }
            for number, (entry, count) in enumerate(zip(patterns, counts, strict=True))
        ],
    }  # fmt: skip


def _beside(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _replace(path: Path, write: Any) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{os.getpid()}.tmp.{path.name}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
