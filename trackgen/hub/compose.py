"""Runs -> the tracks of a hub: names, labels, colours and limits, once, for every browser alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trackgen.card import Card, ClassSpec
from trackgen.errors import UsageError
from trackgen.hub.limits import limits_of
from trackgen.hub.model import Color, HubTrack, Limits, RunFacts, TrackGroup
from trackgen.hub.runs import Run, RunTrack
from trackgen.hub.text import clean, shorten, track_name, unique_name

__all__ = ["DISPLAY_NAME", "LONG_LABEL", "SHORT_LABEL", "compose_groups", "reserved_names"]

# UCSC shows no more than these lengths; igv.js shows a container's long label only below 50 characters.
SHORT_LABEL, LONG_LABEL, CONTAINER_LABEL = 17, 76, 49
# Beside a track in igv.js, where a few words have room.
DISPLAY_NAME = 40
CONTRIBUTION_COLOR: Color = (80, 80, 80)
# Okabe and Ito's colours, told apart by people with any kind of colour vision (jfly.uni-koeln.de/color).
PALETTE: tuple[Color, ...] = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)
SECTIONS = {"probability": "predictions", "signal": "predictions", "contribution": "contributions"}
SIGNS = {"plus": " +", "minus": " -", "": ""}
RESERVED_PAGES = ("index", "hub")


def compose_groups(runs: Sequence[Run]) -> tuple[TrackGroup, ...]:
    """The tracks of all `runs`, grouped by model and kind, named so that nothing collides.

    Raises:
        UsageError: the same run is given twice, or no run has a track.
    """
    _refuse_repeats(runs)
    names, files = set(RESERVED_PAGES), set[str]()
    sections: dict[tuple[int, str, str], list[HubTrack]] = {}
    for number, run in enumerate(runs):
        for track in run.tracks:
            hub_track = _hub_track(run, track, names, files)
            sections.setdefault((number, track.model, SECTIONS[track.role]), []).append(hub_track)
    if not sections:
        raise UsageError("the run has no tracks", path=runs[0].folder if runs else None)
    # What a model predicts and why stand side by side: first its predictions, then its contributions.
    places = list(dict.fromkeys((number, model) for number, model, _ in sections))
    ordered = sorted(sections.items(), key=lambda item: (places.index(item[0][:2]), item[0][2] == "contributions"))
    return tuple(_group(section, tracks, names) for (_, _, section), tracks in ordered)


def reserved_names(groups: Sequence[TrackGroup]) -> set[str]:
    """Names, in lower case, that no further track may have: of the tracks and containers of `groups`, and of pages."""
    tracks = {track.name.lower() for group in groups for track in group.tracks}
    return {*RESERVED_PAGES, *tracks, *(group.name.lower() for group in groups)}


def _refuse_repeats(runs: Sequence[Run]) -> None:
    folders = [run.folder.resolve() for run in runs]
    for folder in folders:
        if folders.count(folder) > 1:
            raise UsageError("the same run is given twice", path=folder, remedy="name each run once")


def _hub_track(run: Run, track: RunTrack, names: set[str], files: set[str]) -> HubTrack:
    card = run.cards[track.model]
    entry = _class_of(card, track.class_name)
    stem = track.file.removesuffix(".bw")
    file = unique_name(stem, files, suffix=".bw", mark=".")
    label = clean(track.label) or clean(entry.title if entry else "") or track.class_name
    if file != track.file:
        # The same track of another run: the number that tells the files apart tells the labels apart, too.
        label = f"{shorten(label, SHORT_LABEL - 6)} {file.removesuffix('.bw').rpartition('.')[2]}"
    threshold = entry.threshold if entry is not None and track.role == "probability" else None
    family = [other for other in run.tracks if _family(other) == _family(track)]
    return HubTrack(
        name=unique_name(track_name(stem), names),
        file=file,
        source=track.path,
        model=track.model,
        class_name=track.class_name,
        label=label,
        display_name=_display_name(label, track),
        short_label=_short_label(label, track),
        long_label=_long_label(label, track, card),
        role=track.role,
        strand=track.strand,
        unit=clean(track.unit),
        resolution=track.resolution,
        color=_color(track, card),
        limits=limits_of(track.role, family, [] if threshold is None else [threshold]),
        data_range=_data_range(track),
        threshold=threshold,
        sequence_letters=_of_sequence(track),
        card=card,
        run=RunFacts(
            version=run.version,
            minimum=track.minimum,
            maximum=track.maximum,
            percentiles=track.percentiles,
            values=track.values,
            rounding=track.rounding,
            min_value=track.min_value,
            checks=run.checks,
        ),
    )


def _family(track: RunTrack) -> tuple[str, str, str, bool]:
    """Tracks of one family share their limits: the strands of one class, drawn alike."""
    return track.model, track.role, track.class_name, _of_sequence(track)


def _class_of(card: Card, name: str) -> ClassSpec | None:
    return next((entry for entry in card.classes if entry.name == name), None)


def _of_sequence(track: RunTrack) -> bool:
    """Whether these are contributions of bases (not of a signal input, whose name stands before ``contrib``)."""
    if track.role != "contribution":
        return False
    parts = [part for part in (track.model, track.class_name, track.strand) if part]
    return track.file == ".".join([*parts, "contrib", "bw"])


def _short_label(label: str, track: RunTrack) -> str:
    """The label, or the class's name where only that fits whole, with what tells kinds and strands apart."""
    rest = (" contrib" if track.role == "contribution" else "") + SIGNS[track.strand]
    room = SHORT_LABEL - len(rest)
    if len(label) > room >= len(track.class_name):
        label = track.class_name
    return shorten(label, room) + rest


def _display_name(label: str, track: RunTrack) -> str:
    kind = " contributions" if track.role == "contribution" else ""
    return shorten(label, DISPLAY_NAME) + kind + SIGNS[track.strand]


def _long_label(label: str, track: RunTrack, card: Card) -> str:
    quantity = {"probability": "probability", "signal": "signal", "contribution": "contributions"}[track.role]
    unit = clean(track.unit)
    unit = f" ({unit})" if unit and unit != quantity else ""
    strand = f", {track.strand} strand" if track.strand else ""
    title = clean(card.title) or card.name
    return shorten(f"{label}{strand}: {quantity}{unit}; {title}", LONG_LABEL)


def _color(track: RunTrack, card: Card) -> Color:
    if track.role == "contribution":
        return CONTRIBUTION_COLOR
    parts = [part.strip() for part in track.color.split(",")]
    if len(parts) == 3 and all(part.isdigit() and int(part) <= 255 for part in parts):
        return int(parts[0]), int(parts[1]), int(parts[2])
    shown = [entry.name for entry in card.classes if entry.track]
    index = shown.index(track.class_name) if track.class_name in shown else 0
    return PALETTE[index % len(PALETTE)]


def _data_range(track: RunTrack) -> Limits:
    if track.role == "probability" or track.minimum is None or track.maximum is None:
        return Limits(0.0, 1.0)
    return Limits(min(track.minimum, 0.0), max(track.maximum, 0.0))


def _group(section: str, tracks: Iterable[HubTrack], names: set[str]) -> TrackGroup:
    tracks = tuple(tracks)
    card = tracks[0].card
    title = clean(card.title) or card.name
    word = "predictions" if section == "predictions" else "contributions"
    return TrackGroup(
        name=unique_name(track_name(f"{card.name}_{section}"), names),
        short_label=shorten(card.name, SHORT_LABEL),
        long_label=shorten(f"{shorten(title, CONTAINER_LABEL - len(word) - 2)}: {word}", CONTAINER_LABEL),
        section=section,
        tracks=tracks,
    )
