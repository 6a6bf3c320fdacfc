"""``trackgen.scan(...)`` in Python: the command's options as keyword arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen.progress import Progress
from trackgen.runtime import default_threads
from trackgen.scan.job import ScanResult, run_scan
from trackgen.scan.options import ScanOptions

__all__ = ["scan_genome"]

FilePath = str | os.PathLike[str]


def scan_genome(
    models: FilePath | Sequence[FilePath],
    genome: FilePath,
    output: FilePath,
    *,
    signals: Mapping[str, FilePath] | None = None,
    vectors: Mapping[str, FilePath] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> ScanResult:
    """Scan a genome and write BigWig tracks into a folder, as `trackgen scan` does.

    Args:
        models: one or more model files or names of shipped models.
        genome: FASTA (plain or bgzip) or 2bit file.
        output: the folder to write.
        signals: BigWig file of each signal input, by NAME or NAME.CHANNEL.
        vectors: TSV file of vector inputs, by NAME.
        progress: told of the bases that are done; nothing is told where None.
        options: the other fields of `ScanOptions`: classes, regions, stride, device, mode and so on.

    Returns:
        The folder, its tracks, and the seconds of each stage.

    Raises:
        UsageError, DataError, ModelError, SelfCheckError, ResourceError: as the command's exit statuses 2, 3, 4, 1, 75.
    """
    chosen = [models] if isinstance(models, str | os.PathLike) else models
    options.setdefault("threads", default_threads())
    given = ScanOptions(
        models=tuple(os.fspath(model) for model in chosen),
        genome=Path(genome),
        output=Path(output),
        signals=tuple((name, Path(path)) for name, path in (signals or {}).items()),
        vectors=tuple((name, Path(path)) for name, path in (vectors or {}).items()),
        **options,
    )
    return run_scan(given, progress)
