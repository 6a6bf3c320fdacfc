"""The tracks of a scan as sources of calls: what run.json and the model's card say of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trackgen.calls import CallSource, StrandTrack, plain_sources, validation_of
from trackgen.errors import UsageError
from trackgen.hub.runs import Run, RunTrack, read_run

__all__ = ["call_sources"]

STRANDS = {"plus": "+", "minus": "-", "": "."}


def call_sources(paths: Sequence[Path], classes: Sequence[str], strand: str | None) -> list[CallSource]:
    """What to call of folders of scans and of BigWig files; a file that a run beside it wrote is known by that.

    Contributions are no predictions, and are left out.

    Args:
        classes: only these; empty for all.
        strand: of files that no run tells of.

    Raises:
        DataError: a run or a track is missing or malformed.
        UsageError: no class is left, or one that is asked for is not there.
    """
    sources: list[CallSource] = []
    plain: list[Path] = []
    single: dict[Path, list[str]] = {}
    for path in paths:
        if path.is_dir():
            sources += _sources(read_run(path, verify=False), None)
        elif (path.parent / "run.json").is_file():
            single.setdefault(path.parent, []).append(path.name)
        else:
            plain.append(path)
    for folder, files in single.items():
        run = read_run(folder, verify=False)
        listed = {track.file for track in run.tracks if track.role != "contribution"}
        sources += _sources(run, [name for name in files if name in listed])
        plain += [folder / name for name in files if name not in listed]
    sources += plain_sources(plain, strand) if plain else []
    return _chosen(sources, classes)


def _chosen(sources: list[CallSource], classes: Sequence[str]) -> list[CallSource]:
    names = [source.class_name for source in sources]
    for name in classes:
        if name not in names:
            raise UsageError("there is no such class", place="--classes", found=name, wanted=", ".join(names) or "none")
    return [source for source in sources if not classes or source.class_name in classes]


def _sources(run: Run, files: Sequence[str] | None) -> list[CallSource]:
    groups: dict[tuple[str, str], list[RunTrack]] = {}
    for track in run.tracks:
        if track.role != "contribution" and (files is None or track.file in files):
            groups.setdefault((track.model, track.class_name), []).append(track)
    return [_source(run, tracks) for tracks in groups.values()]


def _source(run: Run, tracks: Sequence[RunTrack]) -> CallSource:
    first = tracks[0]
    card = run.cards[first.model]
    entry = next(entry for entry in card.classes if entry.name == first.class_name)
    return CallSource(
        tracks=tuple(StrandTrack(track.path, STRANDS[track.strand], track.sha256) for track in tracks),
        class_name=first.class_name,
        lengths=run.lengths,
        model=first.model,
        label=first.label or entry.title,
        assembly=run.assembly,
        # A run without a card does not say; its window is 0.
        bin=card.bin if card.window else None,
        resolution=first.resolution,
        distance=card.contributions.distance,
        threshold=entry.threshold,
        validation=validation_of(card, first.class_name, entry.threshold),
    )
