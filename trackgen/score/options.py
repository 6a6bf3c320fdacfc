"""What scoring is asked to do: every option of ``trackgen score`` in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ScoreOptions", "Unfit"]

Unfit = Literal["refuse", "skip"]


@dataclass(frozen=True)
class ScoreOptions:
    """The options of one run; names and meanings are those of the command line.

    Args:
        model: a model file or the name of a shipped model.
        genome: FASTA (plain or bgzip) or 2bit file.
        file: BED, GTF, GFF3 or VCF, plain, gzip or bgzip; what it is, is told by its content.
        output: a ``.tsv``, or for a VCF a ``.vcf`` or ``.vcf.gz``; None for TSV on the standard output.
        classes: only these classes; empty means every class that its card gives a track.
        signals: (NAME or NAME.CHANNEL, file) for every signal input.
        vectors: (NAME, TSV file) for vector inputs; the card's default stands in for a file.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        threads: cores to use.
        unfit: a record that can't be scored ends the run (``refuse``) or is left out and counted (``skip``).
        prefix: what the names of INFO fields begin with.
    """

    model: str
    genome: Path
    file: Path
    output: Path | None = None
    classes: tuple[str, ...] = ()
    signals: tuple[tuple[str, Path], ...] = ()
    vectors: tuple[tuple[str, Path], ...] = ()
    device: str = "auto"
    threads: int = 1
    unfit: Unfit = "refuse"
    prefix: str = "TG"
