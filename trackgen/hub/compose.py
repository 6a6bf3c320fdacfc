"""Runs -> the tracks of a hub: names, labels, colours and limits, once, for every browser alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from trackgen.card import Card, ClassSpec
from trackgen.card.colors import PALETTE
from trackgen.errors import UsageError
from trackgen.hub.limits import limits_of
from trackgen.hub.model import Color, HubTrack, Limits, Overlay, RunFacts, TrackGroup
from trackgen.hub.runs import Run, RunTrack
from trackgen.hub.text import clean, parse_color, shorten, track_name, unique_name

__all__ = ["CONTAINER_LABEL", "DISPLAY_NAME", "LONG_LABEL", "SHORT_LABEL", "Taken", "compose_groups"]

# UCSC shows no more than these lengths; igv.js shows a container's long label only below 50 characters.
SHORT_LABEL, LONG_LABEL, CONTAINER_LABEL = 17, 76, 49
# Beside a track in igv.js, where a few words have room.
DISPLAY_NAME = 40
CONTRIBUTION_COLOR: Color = (80, 80, 80)
SECTIONS = {"probability": "predictions", "signal": "predictions", "contribution": "contributions"}
HYPOTHETICAL = "hypothetical"
ORDER = ("predictions", "contributions", HYPOTHETICAL)
# Of igv.js, IGV and UCSC.
BASE_COLORS: dict[str, Color] = {"A": (0, 200, 0), "C": (0, 0, 200), "G": (209, 113, 5), "T": (255, 0, 0)}
SIGNS = {"plus": " +", "minus": " -", "": ""}
STACK_LABEL = "all-SNV estimate"
RESERVED_PAGES = ("index", "hub", "jbrowse", "live", "genes")


@dataclass
class Taken:
    """What is spoken for in a hub, in lower case: names of tracks, containers and pages, and names of files."""

    names: set[str] = field(default_factory=lambda: set(RESERVED_PAGES))
    files: set[str] = field(default_factory=set)


def compose_groups(runs: Sequence[Run], taken: Taken, genome: str = "") -> tuple[TrackGroup, ...]:
    """The tracks of all `runs`, grouped by model and kind, named so that nothing collides.

    Args:
        runs: all on one genome.
        taken: what other tracks of the hub have taken; what these take is added.
        genome: where it is not the hub's first, tells apart what has the same name on another.

    Raises:
        UsageError: the same run is given twice, or no run has a track.
    """
    _refuse_repeats(runs)
    sections: dict[tuple[int, str, str], list[HubTrack]] = {}
    for number, run in enumerate(runs):
        for track in run.tracks:
            hub_track = _hub_track(run, track, taken, genome)
            section = HYPOTHETICAL if track.base else SECTIONS[track.role]
            sections.setdefault((number, track.model, section), []).append(hub_track)
    if not sections:
        raise UsageError("the run has no tracks", path=runs[0].folder if runs else None)
    # What a model predicts and why stand side by side: first its predictions, then its contributions, then estimates.
    places = list(dict.fromkeys((number, model) for number, model, _ in sections))
    ordered = sorted(sections.items(), key=lambda item: (places.index(item[0][:2]), ORDER.index(item[0][2])))
    return tuple(_group(section, tracks, taken.names, genome) for (_, _, section), tracks in ordered)


def _refuse_repeats(runs: Sequence[Run]) -> None:
    folders = [run.folder.resolve() for run in runs]
    for folder in folders:
        if folders.count(folder) > 1:
            raise UsageError("the same run is given twice", path=folder, remedy="name each run once")


def _hub_track(run: Run, track: RunTrack, taken: Taken, genome: str) -> HubTrack:
    card = run.cards[track.model]
    entry = _class_of(card, track.class_name)
    stem = track.file.removesuffix(".bw")
    if genome and track.file.lower() in taken.files:
        stem = f"{stem}.{genome}"
    file = unique_name(stem, taken.files, suffix=".bw", mark=".")
    label = clean(track.label) or clean(entry.title if entry else "") or track.class_name
    if file != f"{stem}.bw":
        # The same track of another run: the number that tells the files apart tells the labels apart, too.
        label = f"{shorten(label, SHORT_LABEL - 6)} {file.removesuffix('.bw').rpartition('.')[2]}"
    threshold = entry.threshold if entry is not None and track.role == "probability" else None
    family = [other for other in run.tracks if _family(other) == _family(track)]
    return HubTrack(
        name=unique_name(track_name(stem), taken.names),
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
        base=track.base,
    )


def _family(track: RunTrack) -> tuple[str, str, str, bool, bool]:
    """Tracks of one family share their limits: the strands of one class, drawn alike, and all bases."""
    return track.model, track.role, track.class_name, _of_sequence(track), bool(track.base)


def _class_of(card: Card, name: str) -> ClassSpec | None:
    return next((entry for entry in card.classes if entry.name == name), None)


def _of_sequence(track: RunTrack) -> bool:
    """Whether these are contributions of bases (not of a signal input, whose name stands before ``contrib``)."""
    if track.role != "contribution" or track.base:
        return False
    parts = [part for part in (track.model, track.class_name, track.strand) if part]
    return track.file == ".".join([*parts, "contrib", "bw"])


def _short_label(label: str, track: RunTrack) -> str:
    """The label, or the class's name where only that fits whole, with what tells kinds and strands apart."""
    kind = f" all-SNV {track.base}" if track.base else " contrib" if track.role == "contribution" else ""
    rest = kind + SIGNS[track.strand]
    room = SHORT_LABEL - len(rest)
    if len(label) > room >= len(track.class_name):
        label = track.class_name
    return shorten(label, room) + rest


def _display_name(label: str, track: RunTrack) -> str:
    kind = " contributions" if track.role == "contribution" else ""
    kind = f" if it were {track.base}" if track.base else kind
    return shorten(label, DISPLAY_NAME) + kind + SIGNS[track.strand]


def _long_label(label: str, track: RunTrack, card: Card) -> str:
    quantity = {"probability": "probability", "signal": "signal", "contribution": "contributions"}[track.role]
    quantity = f"what {track.base} would contribute" if track.base else quantity
    unit = clean(track.unit)
    unit = f" ({unit})" if unit and unit != quantity else ""
    strand = f", {track.strand} strand" if track.strand else ""
    title = clean(card.title) or card.name
    return shorten(f"{label}{strand}: {quantity}{unit}; {title}", LONG_LABEL)


def _color(track: RunTrack, card: Card) -> Color:
    if track.role == "contribution":
        return BASE_COLORS.get(track.base, CONTRIBUTION_COLOR)
    color = parse_color(track.color)
    if color is not None:
        return color
    shown = [entry.name for entry in card.classes if entry.track]
    index = shown.index(track.class_name) if track.class_name in shown else 0
    return PALETTE[index % len(PALETTE)]


def _data_range(track: RunTrack) -> Limits:
    if track.role == "probability" or track.minimum is None or track.maximum is None:
        return Limits(0.0, 1.0)
    return Limits(min(track.minimum, 0.0), max(track.maximum, 0.0))


def _group(section: str, tracks: Iterable[HubTrack], names: set[str], genome: str) -> TrackGroup:
    tracks = _stacked(list(tracks), names) if section == HYPOTHETICAL else _paired(list(tracks), names)
    card = tracks[0].card
    title = clean(card.title) or card.name
    word = "all-SNV estimate" if section == HYPOTHETICAL else section
    stem = track_name(f"{card.name}_{section}")
    if genome and stem.lower() in names:
        stem = track_name(f"{stem}_{genome}")
    name = unique_name(stem, names)
    # Of another run of the same model: the number that tells the names apart tells the labels apart, too.
    number = f" {name[len(stem) + 1 :]}" if name != stem else ""
    word += number
    return TrackGroup(
        name=name,
        short_label=shorten(card.name, SHORT_LABEL - len(number)) + number,
        long_label=f"{shorten(title, CONTAINER_LABEL - len(word) - 2)}: {word}",
        section=section,
        tracks=tracks,
    )


def _paired(tracks: Sequence[HubTrack], names: set[str]) -> tuple[HubTrack, ...]:
    """The tracks, those of a prediction's two strands with the overlay that holds them together."""
    overlays: dict[str, Overlay] = {}
    for track in tracks:
        partner = _stem(track)
        strands = {other.strand for other in tracks if _stem(other) == partner}
        if strands == {"plus", "minus"} and track.role != "contribution" and partner not in overlays:
            overlays[partner] = Overlay(
                name=unique_name(track_name(f"{partner}_both"), names),
                short_label=shorten(track.short_label.removesuffix(SIGNS[track.strand]), SHORT_LABEL - 4) + " +/-",
                long_label=shorten(f"{track.label}, both strands: {track.role}", CONTAINER_LABEL),
            )
    return tuple(replace(track, overlay=overlays.get(_stem(track))) for track in tracks)


def _stacked(tracks: Sequence[HubTrack], names: set[str]) -> tuple[HubTrack, ...]:
    """The tracks of hypothetical bases, those of all four with what holds them together."""
    result: list[HubTrack] = []
    stacks: dict[str, list[HubTrack]] = {}
    for track in tracks:
        stacks.setdefault(track.file.replace(f".{track.base}.{HYPOTHETICAL}", f".{HYPOTHETICAL}"), []).append(track)
    for stem, stack in stacks.items():
        first = stack[0]
        overlay = None
        if [track.base for track in stack] == list(BASE_COLORS):
            strand = f", {first.strand} strand" if first.strand else ""
            label = shorten(first.label, CONTAINER_LABEL - len(strand) - len(STACK_LABEL) - 2)
            kind = " all-SNV" + SIGNS[first.strand]
            overlay = Overlay(
                name=unique_name(track_name(stem.removesuffix(".bw")), names),
                short_label=shorten(first.label, SHORT_LABEL - len(kind)) + kind,
                long_label=f"{label}{strand}: {STACK_LABEL}",
                stacked=True,
            )
        result += [replace(track, overlay=overlay) for track in stack]
    return tuple(result)


def _stem(track: HubTrack) -> str:
    """What the names of both strands of one prediction have in common, numbers of repeated runs included."""
    parts = track.file.removesuffix(".bw").split(".")
    return ".".join(part for part in parts if part != track.strand)
