"""What a scan is asked to do: every option of ``trackgen scan`` in one frozen object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["SIGNAL_FOLDER", "WORK_FOLDER", "Attribution", "ContributionWeight", "ScanOptions"]

WORK_FOLDER = ".trackgen"
"""In OUT: work in progress."""
SIGNAL_FOLDER = "signals"
"""In the work folder: signals that are made of reads."""

ContributionWeight = Literal["uniform", "probability", "calls"]
Attribution = Literal["deeplift", "gradient", "saliency", "occlusion", "substitution"]


@dataclass(frozen=True)
class ScanOptions:
    """The options of one scan; names and meanings are those of the command line.

    Args:
        models: model files or names of shipped models, in order.
        genome: FASTA (plain or bgzip) or 2bit file.
        output: the folder OUT.
        classes: only these classes; empty means every class that its card gives a track.
        ensemble: the name of all models as one, whose tracks are their mean and deviation; None for tracks of each.
        contrib: contribution tracks of these classes; ``all`` for every class that has a prediction track.
        contrib_weight: how the windows over a base are weighted; None for the card's way.
        reference: what contributions are measured against: ``frequencies`` (the card's), four numbers with commas
            between them, ``shuffle:N``, or a genome file; None for ``frequencies``.
        attribution: ``deeplift``; ``gradient`` times (input - reference); ``saliency``, the size of the gradient;
            ``occlusion`` or ``substitution`` of each base, with regions alone.
        profile_target: what of a profile is explained: ``sum``, ``centre`` or a position.
        centred: contributions of one window for each region, about its middle.
        hypothetical: PREFIX of the two files that motif discovery reads; with `centred` alone.
        hypothetical_tracks: also tracks of what each of the four bases would contribute, wherever another stands.
        regions: a BED file or ``chr:a-b`` (1-based closed) texts; empty means the whole genome.
        chroms: only these sequences, or ``main``; empty means all.
        exclude: BED files of stretches that get no value.
        signals: (NAME or NAME.CHANNEL, file) for every signal input: BigWig, or reads (BAM, BED, BEDPE, fragments)
            where the card says how they are counted; a name holds for all models that have it.
        vectors: (NAME, TSV file) for vector inputs; the card's default stands in for a file.
        stride: overrides the cards' stride, bp.
        digits: decimals that every track is rounded to; ``full`` for none; None for the role's default.
        device: ``auto``, ``cpu``, ``cuda[:N]``, or ``cuda:all`` for a process on each CUDA device.
        threads: cores to use.
        batch_size: windows run at a time; None chooses by window length.
        tile: bases of one tile; None chooses by model and device.
        mode: ``dense`` refuses a model that can't run so, ``window`` runs every window by itself, ``auto`` chooses.
        min_value: smaller values are left out of the tracks; None keeps all.
        overwrite: replace another run in ``output``.
        shard_size: bases of a shard, about; None chooses by the genome.
        share: (K, N): only the K-th of N shares of the shards, K from 1, without assembly; None for all.
        plan_only: write plan.json, and stop.
        cluster: the address of a Dask scheduler, or ``local:N`` for N processes here; None for this process.
        memory: bytes that the run may take; None for what the machine gives.
        command: the command line, for run.json (file names only).
    """

    models: tuple[str, ...]
    genome: Path
    output: Path
    classes: tuple[str, ...] = ()
    ensemble: str | None = None
    contrib: tuple[str, ...] = ()
    contrib_weight: ContributionWeight | None = None
    reference: str | None = None
    attribution: Attribution = "deeplift"
    profile_target: str | None = None
    centred: bool = False
    hypothetical: Path | None = None
    hypothetical_tracks: bool = False
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
    min_value: float | None = None
    overwrite: bool = False
    shard_size: int | None = None
    share: tuple[int, int] | None = None
    plan_only: bool = False
    cluster: str | None = None
    memory: int | None = None
    temporary_folder: Path | None = None
    command: tuple[str, ...] = ()
