"""Small files to score, and the table that comes of them."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from trackgen.errors import DataError
from trackgen.progress import NullProgress
from trackgen.score import ScoreOptions, run_score

VCF_HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

GTF = """#!genome-build x
chrI\ts\tgene\t21\t80\t.\t+\t.\tgene_id "g1"; gene_name "ABC1";
chrI\ts\ttranscript\t21\t80\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; gene_name "ABC1";
chrI\ts\texon\t21\t80\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; gene_name "ABC1";
chrI\ts\ttranscript\t31\t90\t.\t-\t.\tgene_id "g1"; transcript_id "t2"; gene_name "ABC1";
chrII\ts\tgene\t5\t9\t.\t-\t.\tgene_id "g2";
chrII\ts\texon\t40\t50\t.\t-\t.\tgene_id "g3"; transcript_id "t3";
chrII\ts\texon\t20\t30\t.\t-\t.\tgene_id "g3"; transcript_id "t3";
"""


class Told(NullProgress):
    """Remembers what is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def write_vcf(path: Path, records: Iterable[tuple[str, int, str, str]], head: str = VCF_HEAD) -> Path:
    """Of (sequence, position from 1, REF, ALT)."""
    lines = [f"{name}\t{position}\t.\t{old}\t{new}\t.\t.\t.\n" for name, position, old, new in records]
    path.write_text(head + "".join(lines))
    return path


def write_bed(path: Path, rows: Iterable[tuple[object, ...]]) -> Path:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def score_table(model: Path | str, genome: Path, file: Path, **options: Any) -> list[dict[str, str]]:
    """The rows of the table by column."""
    stream = io.BytesIO()
    run_score(ScoreOptions(str(model), genome, file, device="cpu", **options), NullProgress(), stream)
    head, *lines = stream.getvalue().decode().splitlines()
    assert head.startswith("#chrom\tstart\tend\tname\tscore\tstrand")
    return [dict(zip(head[1:].split("\t"), line.split("\t"), strict=True)) for line in lines]


def number(text: str) -> float:
    return float("nan") if text == "NA" else float(text)


def bases_at(sequences: dict[str, str], name: str, position: int, length: int = 1) -> str:
    return sequences[name][position - 1 : position - 1 + length]


def other(base: str) -> str:
    return "ACGT"["ACGT".index(base) - 1]


def refused(model: Path | str, genome: Path, file: Path, **options: Any) -> str:
    """The message of a refusal for the data."""
    with pytest.raises(DataError) as caught:
        score_table(model, genome, file, **options)
    assert caught.value.exit_status == 3
    return str(caught.value)
