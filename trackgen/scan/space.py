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


def bytes_per_value(rounding: int | str | None) -> float:
    """Bytes of a track for each of its values, about."""
    if rounding is None:
        return FULL_BYTES
    return TEN_BIT_BYTES if isinstance(rounding, str) else DECIMAL_BYTES


def bytes_needed(plan: ScanPlan, folder: OutputFolder) -> int:
    """Bytes of free space that the rest of a run needs, about: missing shards, and all tracks beside the shards."""
    tracks = [track for model in plan.models for track in model.tracks]
    whole = sum(plan.bases / track.grid.step * bytes_per_value(track.rounding) for track in tracks)
    sizes = [path.stat().st_size for path in folder.shards.glob("*.shard")]
    if sizes:
        # What was measured is better than what was thought.
        shards = len(cut_into_shards(plan.wanted, plan.lengths, plan.tile, plan.shard))
        whole = max(whole, sum(sizes) / len(sizes) * shards)
    written = sum(path.stat().st_size for path in folder.tracks.glob("*.bw"))
    return max(0, int(2 * whole) - sum(sizes) - written)


def bytes_to_assemble(folder: OutputFolder) -> int:
    """Bytes of free space that putting the shards together needs, about: tracks are as large as the shards."""
    present = sum(path.stat().st_size for path in folder.shards.glob("*.shard"))
    return max(0, present - sum(path.stat().st_size for path in folder.tracks.glob("*.bw")))


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
