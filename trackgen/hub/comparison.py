"""What a predicted signal is drawn over: the signal that the model read, and files that the user puts beside it.

All of them are one picture on one scale, so that the eye can tell what the model added from what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, cycle
from pathlib import Path
from typing import Any

from trackgen.errors import DataError, UsageError
from trackgen.genome import open_signal, reconcile
from trackgen.hub.compose import CONTAINER_LABEL, DISPLAY_NAME, LONG_LABEL, SHORT_LABEL, Taken
from trackgen.hub.limits import limits_of_files
from trackgen.hub.model import Beside, Color, HubTrack, Limits, Overlay, RunFacts, TrackGroup
from trackgen.hub.runs import Run, RunInput
from trackgen.hub.text import clean, counted, number_text, shorten, track_name, unique_name

__all__ = ["BesideFile", "beside_files", "besides_by_genome", "with_comparisons"]

INPUT_COLOR: Color = (150, 150, 150)
BESIDE_COLORS: tuple[Color, ...] = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0))
"""Of Okabe and Ito's, as in `trackgen.hub.compose`; the prediction keeps its own."""
NEAR = 120
"""Two colours are hard to tell apart when drawn over each other where their parts differ by less, all together."""


@dataclass(frozen=True)
class BesideFile:
    """A BigWig file that the user wants beside a prediction; `names` are its sequences' and what the hub calls them."""

    label: str
    path: Path
    names: Mapping[str, str]


def beside_files(asked: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """What ``--beside`` gave, labels as one line each.

    Raises:
        UsageError: a label is given twice, or is empty.
    """
    labels = [clean(label) for label, _ in asked]
    for label in labels:
        if not label or labels.count(label) > 1:
            raise UsageError(
                "a label is given twice" if label else "a label is empty",
                place="--beside",
                found=repr(label),
                wanted="LABEL=FILE.bw with a label of its own for each file",
            )
    return [(label, path) for label, (_, path) in zip(labels, asked, strict=True)]


def besides_by_genome(
    asked: Sequence[tuple[str, Path]], genomes: Sequence[Mapping[str, int]]
) -> list[list[BesideFile]]:
    """The files that stand on each of the genomes, given by the hub's names and lengths of their sequences.

    Raises:
        DataError: a file is missing or no BigWig, or its sequences are those of no genome of the hub.
    """
    result: list[list[BesideFile]] = [[] for _ in genomes]
    for label, path in asked:
        with open_signal(path) as reader:
            theirs = dict(reader.lengths)
        first: DataError | None = None
        for place, lengths in enumerate(genomes):
            try:
                names = reconcile(theirs, lengths, path=path, what="track beside", allow_unknown=True)
            except DataError as error:
                first = first or error
                continue
            result[place].append(BesideFile(label, path, names))
            break
        else:
            raise first or DataError("the track lists no sequence", path=path, wanted="a BigWig file of this genome")
    return result


def with_comparisons(
    groups: Sequence[TrackGroup], runs: Sequence[Run], besides: Sequence[BesideFile], taken: Taken
) -> tuple[TrackGroup, ...]:
    """The groups, with what each predicted signal is compared with before it, held together by an overlay.

    Files of the user stand beside the first signal of one picture; a signal of two strands is none.

    Raises:
        UsageError: there are such files, and no predicted signal.
    """
    result, left = [], list(besides)
    for group in groups:
        signal = next((track for track in group.tracks if track.role == "signal" and not track.strand), None)
        if signal is None:
            result.append(group)
            continue
        inputs = [
            entry for run in runs if run.folder == signal.source.parent
            for entry in run.inputs if entry.model == signal.model
        ]  # fmt: skip
        others = [_of_input(entry, signal, taken) for entry in inputs]
        others += [
            _of_file(entry, color, signal, taken) for entry, color in zip(left, _colors(signal, inputs), strict=False)
        ]
        left = []
        result.append(_compared(group, signal, others, taken) if others else group)
    if left:
        raise UsageError(
            "no track of the hub can be compared with the file",
            path=left[0].path,
            place="--beside",
            wanted="a run with a predicted signal (role signal) that is not of one strand",
        )
    return tuple(result)


def _compared(group: TrackGroup, signal: HubTrack, others: Sequence[HubTrack], taken: Taken) -> TrackGroup:
    labels = ", ".join(track.label for track in [*others, signal])
    overlay = Overlay(
        name=unique_name(f"{signal.name}_compared", taken.names),
        short_label=shorten(f"{signal.short_label} compared", SHORT_LABEL),
        long_label=shorten(labels, CONTAINER_LABEL),
        compared=True,
    )
    limits = limits_of_files([track.source for track in [*others, signal]])
    together = [replace(track, overlay=overlay, limits=limits) for track in [*others, signal]]
    tracks: list[HubTrack] = []
    for track in group.tracks:
        tracks += together if track is signal else [track]
    return replace(group, tracks=tuple(tracks))


def _of_input(entry: RunInput, signal: HubTrack, taken: Taken) -> HubTrack:
    fragments = counted(entry.fragments, "fragment")
    facts: dict[str, Any] = {
        "input": entry.name,
        "made of": clean(entry.source),
        "fragments": entry.fragments,
        "fragments over a base": entry.depth,
        "multiplied by": entry.factor,
        "unit": clean(entry.unit),
    }
    name = clean(entry.name)
    origin = f"It is the input {name} of the model, as the scan made it of {fragments}: measured, not predicted."
    depth = "" if entry.depth is None else f", {number_text(entry.depth)} over a base"
    label = f"input {name}"
    return _track(
        signal, entry.path, label, f"{label}: {fragments}{depth}", clean(entry.unit), INPUT_COLOR,
        Beside(origin, facts, {}), taken,
    )  # fmt: skip


def _colors(signal: HubTrack, inputs: Sequence[RunInput]) -> Iterator[Color]:
    """Of files beside a signal: grey for the first, unless it is the input's, then what is unlike the signal's own."""
    apart = [
        color for color in BESIDE_COLORS
        if sum(abs(one - other) for one, other in zip(color, signal.color, strict=True)) >= NEAR
    ]  # fmt: skip
    return chain([] if inputs else [INPUT_COLOR], cycle(apart))


def _of_file(entry: BesideFile, color: Color, signal: HubTrack, taken: Taken) -> HubTrack:
    origin = "It was put here by whoever built the hub, to be compared with the prediction: no model made it here."
    long_label = f"{entry.label}: {clean(entry.path.name)}, beside {signal.label}"
    beside = Beside(origin, {"file it comes from": clean(entry.path.name)}, entry.names)
    return _track(signal, entry.path, entry.label, long_label, signal.unit, color, beside, taken)


def _track(
    signal: HubTrack, source: Path, label: str, long_label: str, unit: str, color: Color, beside: Beside, taken: Taken
) -> HubTrack:
    stem = source.name.removesuffix(".bw") if not beside.names else f"{signal.model}.{track_name(label)}"
    return replace(
        signal,
        name=unique_name(track_name(stem), taken.names),
        file=unique_name(stem, taken.files, suffix=".bw", mark="."),
        source=source,
        label=label,
        display_name=shorten(label, DISPLAY_NAME),
        short_label=shorten(label, SHORT_LABEL),
        long_label=shorten(long_label, LONG_LABEL),
        unit=unit,
        resolution=1,
        color=color,
        data_range=Limits(0.0, 1.0),
        threshold=None,
        run=RunFacts(signal.run.version, None, None, {}, 0, "", None, {}),
        beside=beside,
    )
