"""Disk space that a run needs: for its shards, and for the tracks that are put together from them."""

from __future__ import annotations

import shutil
from pathlib import Path

from trackgen.progress import Progress
from trackgen.scan.folder import OutputFolder
from trackgen.scan.plan import ScanPlan
from trackgen.scan.shards import cut_into_shards

__all__ = ["bytes_needed", "bytes_per_value", "bytes_to_assemble", "size_text", "tell_space"]

FULL_BYTES, TEN_BIT_BYTES, DECIMAL_BYTES = 3.7, 2.5, 2.0
"""Compressed BigWig bytes of one value, zoom levels included: measured on random float32 values."""
SHARD_BYTES = 30_000
"""What a shard holds of a track beside its values, at most: mostly a histogram of 20 octaves."""
SPARE_BYTES = 1 << 20
"""Asked for besides: for indexes, lists and what lies on the disk only while a track is put together."""


def bytes_per_value(rounding: int | str | None) -> float:
    """Bytes of a track for each of its values, about."""
    if rounding is None:
        return FULL_BYTES
    return TEN_BIT_BYTES if isinstance(rounding, str) else DECIMAL_BYTES


def bytes_needed(plan: ScanPlan, folder: OutputFolder) -> int:
    """Bytes of free space that the rest of a run needs, about: missing shards, and all tracks beside the shards."""
    tracks = [track for model in plan.models for track in model.tracks]
    whole = sum(plan.bases / track.grid.step * bytes_per_value(track.rounding) for track in tracks)
    shards = len(cut_into_shards(plan.wanted, plan.lengths, plan.tile, plan.shard))
    beside = shards * len(tracks) * min(SHARD_BYTES, 12 * plan.shard)
    return _bytes_missing(folder, whole + beside, shards, len(tracks))


def bytes_to_assemble(folder: OutputFolder, tracks: int) -> int:
    """Bytes of free space that putting all shards together into so many tracks needs, about."""
    return _bytes_missing(folder, 0, len(list(folder.shards.glob("*.shard"))), tracks)


def _bytes_missing(folder: OutputFolder, guess: float, shards: int, tracks: int) -> int:
    """Of so many shards and tracks: what is there already tells more than the guess at all shards together."""
    made = [path.stat().st_size for path in folder.shards.glob("*.shard")]
    written = [path.stat().st_size for path in folder.tracks.glob("*.bw")]
    whole = max(guess, sum(made) / len(made) * shards if made else 0)
    final = max(whole, sum(written) / len(written) * tracks if written else 0)
    return SPARE_BYTES + max(0, int(whole + final) - sum(made) - sum(written))


def tell_space(plan: ScanPlan, folder: OutputFolder, progress: Progress) -> None:
    """Say beforehand that the disk will not do, where it looks so."""
    needed, free = bytes_needed(plan, folder), shutil.disk_usage(_existing(folder.path)).free
    if needed > free:
        progress.note(
            f"the disk of {folder.path} has {size_text(free)} free; this run needs up to {size_text(needed)} "
            "while it works, half of that when it is done"
        )


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.absolute().parent)


def size_text(size: float) -> str:
    """Bytes in words: ``1.2 GB``."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} bytes"
