"""``trackgen.scan(...)`` in Python: the command's options as keyword arguments."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from trackgen.errors import UsageError
from trackgen.progress import Progress
from trackgen.runtime import default_threads
from trackgen.scan.job import ScanResult, run_scan
from trackgen.scan.options import ScanOptions

__all__ = ["scan_genome"]

FilePath = str | os.PathLike[str]
Names = str | Sequence[str]
Files = FilePath | Sequence[FilePath]
NEAREST = 3
"""Known options named beside an unknown one."""


def scan_genome(
    models: Files,
    genome: FilePath,
    output: FilePath,
    *,
    classes: Names = (),
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
    overwrite: bool = False,
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
        regions (str or a list of str; default: the whole genome): ``chr:a-b``, 1-based, both ends included, or BED
            files.
        chroms (str or a list of str; default: all): only these sequences; ``main`` leaves out unplaced pieces and
            mitochondria.
        exclude (file or a list of files; default: none): BED files of stretches that get no value.
        signals (dict of str to file; default: none): BigWig file of each signal input, by NAME or NAME.CHANNEL.
        vectors (dict of str to file; default: the card's values): TSV file of vector inputs, by NAME.
        stride (int; default: the cards'): distance between windows, bp.
        digits (int or "full"; default: by the tracks' role): decimals that every track is rounded to; "full" for none.
        device (str; default: "auto"): "auto", "cpu" or "cuda[:N]".
        threads (int; default: all that this process may use): cores to use.
        batch_size (int; default: by window length): windows run at a time.
        tile (int; default: by model and device): bases of one tile.
        mode (str; default: "auto"): "dense" shares the work of neighbouring windows, and refuses a model that can't run
            so; "window" runs every window by itself; "auto" chooses.
        overwrite (bool; default: False): replace another run in `output`.
        temporary_folder (folder; default: $TMPDIR): where temporary files go.
        progress (trackgen.progress.Progress; default: none): told of the bases that are done.
        unknown: refused.

    Returns:
        The folder, its tracks, and the seconds of each stage.

    Raises:
        UsageError: an option that does not exist, or a value that can't be honoured.
        DataError, ModelError, SelfCheckError, ResourceError: as the command's exit statuses 3, 4, 1, 75.
    """
    _refuse_unknown(unknown)
    given = ScanOptions(
        models=_names("models", models),
        genome=_path("genome", genome),
        output=_path("output", output),
        classes=_names("classes", classes),
        regions=_names("regions", regions),
        chroms=_names("chroms", chroms),
        exclude=_files("exclude", exclude),
        signals=_named_files("signals", signals, "a BigWig file"),
        vectors=_named_files("vectors", vectors, "a TSV file"),
        stride=stride,
        digits=digits,
        device=device,
        threads=default_threads() if threads is None else threads,
        batch_size=batch_size,
        tile=tile,
        mode=mode,
        overwrite=overwrite,
        temporary_folder=None if temporary_folder is None else _path("temporary_folder", temporary_folder),
    )
    return run_scan(given, progress)


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


def _wrong(option: str, value: object, wanted: str) -> UsageError:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    return UsageError(
        "the option has a wrong type", place=option, found=f"{shown}, of type {type(value).__name__}", wanted=wanted
    )


def _names(option: str, value: Files) -> tuple[str, ...]:
    """One text or several; what is a file keeps its spelling."""
    return tuple(os.fspath(item) for item in _several(option, value, "a str or a list of str"))


def _files(option: str, value: Files) -> tuple[Path, ...]:
    """One file or several."""
    return tuple(Path(item) for item in _several(option, value, "a path or a list of paths"))


def _several(option: str, value: Files, wanted: str) -> list[FilePath]:
    if isinstance(value, str | os.PathLike):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, bytes | Mapping):
        raise _wrong(option, value, wanted)
    items = list(value)
    for item in items:
        if not isinstance(item, str | os.PathLike):
            raise _wrong(option, item, wanted)
    return items


def _path(option: str, value: FilePath, wanted: str = "a path") -> Path:
    if not isinstance(value, str | os.PathLike):
        raise _wrong(option, value, wanted)
    return Path(value)


def _named_files(option: str, value: Mapping[str, FilePath] | None, kind: str) -> tuple[tuple[str, Path], ...]:
    """The file of each name."""
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise _wrong(option, value, f"a dict of names and paths, each of {kind}")
    return tuple((name, _path(f"{option}, {name}", path, f"the path of {kind}")) for name, path in value.items())
