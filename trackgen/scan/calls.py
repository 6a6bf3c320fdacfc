"""``trackgen.scan(...)`` in Python: the command's options as keyword arguments."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from trackgen.errors import UsageError
from trackgen.progress import Progress
from trackgen.runtime import default_threads
from trackgen.scan.arguments import FilePath, Files, as_files, as_named_files, as_names, as_path
from trackgen.scan.job import ScanResult, run_scan
from trackgen.scan.options import Attribution, ContributionWeight, ScanOptions

__all__ = ["scan_genome"]

Names = str | Sequence[str]
NEAREST = 3
"""Known options named beside an unknown one."""


def scan_genome(
    models: Files,
    genome: FilePath,
    output: FilePath,
    *,
    classes: Names = (),
    ensemble: str | None = None,
    contrib: Names = (),
    contrib_weight: ContributionWeight | None = None,
    reference: FilePath | None = None,
    attribution: Attribution = "deeplift",
    profile_target: str | int | None = None,
    centred: bool = False,
    hypothetical: FilePath | None = None,
    hypothetical_tracks: bool = False,
    regions: Files = (),
    chroms: Names = (),
    exclude: Files = (),
    signals: Mapping[str, FilePath] | None = None,
    vectors: Mapping[str, FilePath] | None = None,
    stride: int | None = None,
    digits: int | Literal["full"] | None = None,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int | None = None,
    tile: int | None = None,
    mode: Literal["auto", "dense", "window"] = "auto",
    min_value: float | None = None,
    memory: int | None = None,
    overwrite: bool = False,
    shard_size: int | None = None,
    share: tuple[int, int] | None = None,
    plan_only: bool = False,
    cluster: str | None = None,
    temporary_folder: FilePath | None = None,
    progress: Progress | None = None,
    **unknown: Any,
) -> ScanResult:
    """Scan a genome and write BigWig tracks into a folder, as the command `trackgen scan` does.

    Where several names, regions or files can be given, one by itself is taken too.

    Args:
        models (file, name, or a list of them): ONNX files with a card inside, or names of shipped models.
        genome (file): FASTA (plain or bgzip) or 2bit.
        output (folder): the folder to write.
        classes (str or a list of str; default: all that their cards give a track): only these classes.
        ensemble (str): name of all models as one, such as the folds of one training: tracks of their mean and their
            standard deviation.
        contrib (str or a list of str; default: none): contribution tracks of these classes, or ``all``.
        contrib_weight (str; default: the card's): "uniform", "probability" or "calls": how windows over a base count.
        reference (str or file; default: "frequencies"): what contributions are measured against: "frequencies",
            "shuffle:N", "0.3,0.2,0.2,0.3", or a genome file with the same sequences.
        attribution (str; default: "deeplift"): or "gradient", "saliency", "occlusion", "substitution".
        profile_target (str or int): what of a profile is explained: "sum", "centre" or a position.
        centred (bool; default: False): contributions of one window for each region, about its middle.
        hypothetical (path): prefix of the files that motif discovery reads; with `centred`.
        hypothetical_tracks (bool; default: False): beside `contrib`, four tracks of what A, C, G and T would contribute
            at every base.
        regions (str or a list of str; default: the whole genome): ``chr:a-b``, 1-based, both ends included, or BED
            files.
        chroms (str or a list of str; default: all): only these sequences; ``main`` leaves out unplaced pieces and
            mitochondria.
        exclude (file or a list of files; default: none): BED files of stretches that get no value.
        signals (dict of str to file; default: none): BigWig file of each signal input, by NAME or NAME.CHANNEL.
        vectors (dict of str to file; default: the card's values): TSV file of vector inputs, by NAME.
        stride (int; default: the cards'): distance between windows, bp.
        digits (int or "full"; default: by the tracks' role): decimals that every track is rounded to; "full" for none.
        device (str; default: "auto"): "auto", "cpu", "cuda[:N]" or "cuda:all".
        threads (int; default: all that this process may use): cores to use.
        batch_size (int; default: by window length): windows run at a time.
        tile (int; default: by model and device): bases of one tile.
        mode (str; default: "auto"): "dense" shares the work of neighbouring windows, and refuses a model that can't run
            so; "window" runs every window by itself; "auto" chooses.
        min_value (float; default: none): leave smaller values out of the tracks.
        memory (int; default: a few chunks a core): bytes that stretches of genome and tracks may take beside models.
        overwrite (bool; default: False): replace another run in `output`.
        shard_size (int; default: by the genome): bases of one shard, which is what a crash can cost.
        share (two ints K, N; default: all): make only the K-th of N shares of the shards, from 1.
        plan_only (bool; default: False): write the plan into `output`, and stop.
        cluster (str; default: none): address of a Dask scheduler, or "local:N" for N processes here.
        temporary_folder (folder; default: $TMPDIR): where temporary files go.
        progress (trackgen.progress.Progress; default: none): told of the bases that are done.
        unknown: refused.

    Returns:
        The folder, its tracks, and the seconds of each stage.

    Raises:
        UsageError: an option that does not exist, or a value that can't be honoured.
        DataError, ModelError, SelfCheckError, ResourceError: as the command's exit statuses 3, 4, 1, 75.
    """
    given = {name: value for name, value in locals().items() if name not in ("unknown", "progress")}
    _refuse_unknown(unknown)
    return run_scan(_as_options(given), progress)


def _as_options(given: Mapping[str, Any]) -> ScanOptions:
    """The arguments of a call as the options of a scan."""
    values = {name: TAKEN[name](name, value) if name in TAKEN else value for name, value in given.items()}
    if values["threads"] is None:
        values["threads"] = default_threads()
    return ScanOptions(**values)


def _as_text(option: str, value: FilePath | int | None) -> str | None:
    return None if value is None else str(value)


def _as_path_or_none(option: str, value: FilePath | None) -> Path | None:
    return None if value is None else as_path(option, value)


def _as_prefix_or_none(option: str, value: FilePath | None) -> Path | None:
    if isinstance(value, str) and (not value or value.endswith("/")):  # which `Path` would drop
        raise UsageError("not the beginning of files' names", place=option, found=value, wanted="such as FOLDER/motifs")
    return _as_path_or_none(option, value)


TAKEN: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("models", "classes", "contrib", "regions", "chroms"), as_names),
    **dict.fromkeys(("genome", "output"), as_path),
    "temporary_folder": _as_path_or_none,
    "hypothetical": _as_prefix_or_none,
    **dict.fromkeys(("reference", "profile_target"), _as_text),
    "exclude": as_files,
    "signals": lambda option, value: as_named_files(option, value, "a BigWig file"),
    "vectors": lambda option, value: as_named_files(option, value, "a TSV file"),
}
"""How arguments that come in several types are taken."""


def _refuse_unknown(options: Mapping[str, object]) -> None:
    known = sorted({entry.name for entry in dataclasses.fields(ScanOptions)} - {"command"} | {"progress"})
    for name in options:
        near = difflib.get_close_matches(name, known, NEAREST, cutoff=0.5)
        raise UsageError(
            "trackgen.scan has no such option",
            found=name,
            wanted=", ".join(known),
            remedy=f"did you mean {' or '.join(near)}" if near else None,
        )
