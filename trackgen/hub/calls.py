"""Calls in a hub: the bigBed and narrowPeak files that ``trackgen call`` wrote, with the calls.json beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen.calls import CALLS_FILE
from trackgen.errors import DataError, UsageError
from trackgen.hub.compose import DISPLAY_NAME, LONG_LABEL, SHORT_LABEL, Taken
from trackgen.hub.described import big_bed_beside, folders_by_genome, refuse_another_genome, refuse_unknown_kind
from trackgen.hub.fields import Fields, read_json
from trackgen.hub.model import CallTrack, Color, HubTrack, TrackGroup
from trackgen.hub.runs import Run
from trackgen.hub.text import clean, number_text, shorten, track_name, unique_name

__all__ = ["call_folders", "calls_by_genome", "put_narrow_peak", "read_call_tracks"]

KIND, TYPE, SCHEMA_VERSION = "calls", "bigBed 9 +", 1
IN_RUN = "calls"
"""The folder in that of a run whose calls are taken without being asked for."""
COLOR: Color = (60, 60, 60)
"""Where no track says one."""
AGAIN = "call again"


def call_folders(asked: Sequence[Path], runs: Sequence[Path]) -> list[Path]:
    """The folders of calls for a hub: those asked for, and those in the folders of its runs.

    Raises:
        UsageError: the same folder is asked for twice.
    """
    resolved = [folder.resolve() for folder in asked]
    for folder in resolved:
        if resolved.count(folder) > 1:
            raise UsageError("the same folder is given twice", path=folder, place="--calls", remedy="name it once")
    own = [place for run in runs for place in (Path(run), Path(run) / IN_RUN) if (place / CALLS_FILE).is_file()]
    return [*asked, *(place for place in own if place.resolve() not in resolved)]


def calls_by_genome(folders: Sequence[Path], genomes: Sequence[Sequence[Run]]) -> list[list[Path]]:
    """Which of `folders` stand on each of the genomes, given by their runs; one that fits none goes to the first."""
    return folders_by_genome(folders, genomes, _description)


def read_call_tracks(
    folders: Sequence[Path], runs: Sequence[Run], groups: Sequence[TrackGroup], taken: Taken
) -> tuple[CallTrack, ...]:
    """The calls in `folders` that stand on the genome of `runs`, named apart from what the hub has `taken`.

    Calls of a track of the hub stand behind its group and have its colour. A class without a call has no file, and no
    track.

    Raises:
        DataError: a folder holds no calls, a file is missing or malformed, the genome is not that of the runs, or the
            calls were made of another version of a track.
    """
    tracks = []
    for folder in folders:
        values = Fields(read_json(_description(folder)), folder / CALLS_FILE)
        wanted: dict[str, object] = {"schema_version": SCHEMA_VERSION, "kind": KIND}
        refuse_unknown_kind(values, wanted, "calls", f"update trackgen, or {AGAIN}")
        refuse_another_genome(values, runs, "calls", "call the tracks of the run")
        for entry in values.inners("calls"):
            refuse_unknown_kind(entry, {"type": TYPE}, "calls", f"update trackgen, or {AGAIN}")
            if entry.get("calls", int):
                owner = _owner(entry, runs, groups)
                tracks.append(_track(entry, owner, values.get("trackgen", str, ""), taken))
    return tuple(tracks)


def _description(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataError("there is no such folder", path=folder, wanted="the output folder of trackgen call")
    path = folder / CALLS_FILE
    if not path.is_file():
        raise DataError("there are no calls in the folder", path=folder, wanted=f"{CALLS_FILE}, of trackgen call")
    return path


def _owner(
    entry: Fields, runs: Sequence[Run], groups: Sequence[TrackGroup]
) -> tuple[TrackGroup, HubTrack] | None:  # fmt: skip
    """The track of the hub that calls were made of, and its group.

    Raises:
        DataError: the run has a track of that name, which is not the one that was called.
    """
    digests = {track.path: track.sha256 for run in runs for track in run.tracks}
    owner = None
    for called in entry.inners("tracks"):
        file, digest = called.get("file", str), called.get("sha256", str)
        named = [(group, track) for group in groups for track in group.tracks if track.source.name == file]
        own = [(group, track) for group, track in named if digests.get(track.source, "") in ("", digest)]
        if named and not own:
            raise DataError(
                "the calls were made of another version of the track", path=entry.path, place=f"{called.place}file",
                found=file, wanted="calls of the track as it is now", remedy=AGAIN,
            )  # fmt: skip
        owner = owner or (own[0] if own else None)
    return owner


def _track(entry: Fields, owner: tuple[TrackGroup, HubTrack] | None, version: str, taken: Taken) -> CallTrack:
    files = entry.inner("files")
    source = big_bed_beside(files, "bigBed", "calls", AGAIN)
    narrow_peak = _narrow_peak(files)
    stem = source.name.removesuffix(".bb")
    file = unique_name(stem, taken.files, suffix=".bb", mark=".")
    class_name = clean(entry.get("class", str))
    model = clean(entry.get("model", str, "")) or clean(entry.get("name", str))
    label = f"calls of {clean(entry.get('label', str, '')) or class_name}"
    short = f"{class_name} calls" if len(label) > SHORT_LABEL else label
    if file != source.name:
        # Of the same name in another folder: the number that tells the files apart tells the labels apart, too.
        number = file.removesuffix(".bb").rpartition(".")[2]
        label, short = f"{label} {number}", f"{shorten(short, SHORT_LABEL - len(number) - 1)} {number}"
    threshold = entry.get("threshold", float)
    title = (clean(owner[1].card.title) if owner else "") or model
    return CallTrack(
        name=unique_name(track_name(stem), taken.names),
        file=file,
        source=source,
        narrow_peak=f"{file.removesuffix('.bb')}.narrowPeak",
        narrow_peak_source=narrow_peak,
        group=owner[0].name if owner else "",
        model=model,
        class_name=class_name,
        label=label,
        display_name=shorten(label, DISPLAY_NAME),
        short_label=shorten(short, SHORT_LABEL),
        long_label=shorten(f"{label}: from {number_text(threshold)} on; {title}", LONG_LABEL),
        title=title,
        type=TYPE,
        calls=entry.get("calls", int),
        threshold=threshold,
        facts=_facts(entry),
        version=clean(version),
        color=owner[1].color if owner else COLOR,
    )


def _narrow_peak(files: Fields) -> Path:
    name = files.get("narrowPeak", str)
    path = files.path.with_name(name)
    if Path(name).name != name or not path.is_file():
        raise DataError(
            "the narrowPeak file of the calls is missing", path=files.path, place=f"{files.place}narrowPeak",
            found=name, remedy=AGAIN,
        )  # fmt: skip
    return path


def _facts(entry: Fields) -> Mapping[str, Any]:
    """How calls were made, for their page."""
    validation = entry.inner("validation") if entry.values.get("validation") is not None else None
    method = {"stretches": "stretches over the threshold", "maxima": "the highest base within a distance"}
    own = entry.get("threshold_of", str, "") == "card"
    return {
        "tracks": ", ".join(clean(track.get("file", str)) for track in entry.inners("tracks")),
        "what is called": method.get(entry.get("method", str), ""),
        "threshold": entry.get("threshold", float),
        "threshold set by": "the model's card" if own else "whoever called",
        "precision on validation": validation and validation.number("precision"),
        "recall on validation": validation and validation.number("recall"),
        "validation on": validation and [clean(str(name)) for name in validation.get("chosen_on", list, [])],
        "right within": f"{validation.get('within', int)} bp" if validation and "within" in validation.values else "",
        "joined over gaps up to": _bases(entry, "merge"),
        "distance": _bases(entry, "distance"),
        "narrowest": _bases(entry, "min_width"),
        "calls": entry.get("calls", int),
        "bases": entry.get("bases", int),
    }


def _bases(entry: Fields, key: str) -> str:
    value = entry.number(key)
    return "" if value is None else f"{value:,.0f} bp"


def put_narrow_peak(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Copy a narrowPeak file, its sequences renamed; those not in `names` keep their names."""
    with open(source, encoding="utf-8") as original, open(target, "x", encoding="utf-8") as copy:
        for line in original:
            name, tab, rest = line.partition("\t")
            copy.write(f"{names.get(name, name)}{tab}{rest}")
