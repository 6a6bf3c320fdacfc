"""What a scan is asked to do: every option of ``trackgen scan`` in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ScanOptions"]


@dataclass(frozen=True)
class ScanOptions:
    """The options of one scan; names and meanings are those of the command line.

    Args:
        models: model files or names of shipped models, in order.
        genome: FASTA (plain or bgzip) or 2bit file.
        output: the folder OUT.
        classes: only these classes; empty means every class that its card gives a track.
        regions: a BED file or ``chr:a-b`` (1-based closed) texts; empty means the whole genome.
        chroms: only these sequences, or ``main``; empty means all.
        exclude: BED files of stretches that get no value.
        signals: (NAME or NAME.CHANNEL, BigWig file) for every signal input; a name holds for all models that have it.
        vectors: (NAME, TSV file) for vector inputs; the card's default stands in for a file.
        stride: overrides the cards' stride, bp.
        digits: decimals that every track is rounded to; ``full`` for none; None for the role's default.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        threads: cores to use.
        batch_size: windows run at a time; None chooses by window length.
        tile: bases of one tile; None chooses by model and device.
        mode: ``dense`` refuses a model that can't run so, ``window`` runs every window by itself, ``auto`` chooses.
        overwrite: replace another run in ``output``.
        command: the command line, for run.json (file names only).
    """

    models: tuple[str, ...]
    genome: Path
    output: Path
    classes: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    chroms: tuple[str, ...] = ()
    exclude: tuple[Path, ...] = ()
    signals: tuple[tuple[str, Path], ...] = ()
    vectors: tuple[tuple[str, Path], ...] = ()
    stride: int | None = None
    digits: int | Literal["full"] | None = None
    device: str = "auto"
    threads: int = 1
    batch_size: int | None = None
    tile: int | None = None
    mode: Literal["auto", "dense", "window"] = "auto"
    overwrite: bool = False
    temporary_folder: Path | None = None
    command: tuple[str, ...] = ()
