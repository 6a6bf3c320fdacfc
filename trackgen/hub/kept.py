"""Kept regions: what a scan of them alone wrote, as tracks of a hub beside those that it has, under names of their own.

What is kept of one model on one genome is a `KeptModel`; ``trackgen.json`` lists them under ``kept``, and their regions
are lines of ``kept.bed`` (sequence, start, end, model). Coordinates are 0-based half-open, in bases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from trackgen.genome.regions import Interval, merge
from trackgen.hub.built import BuiltHub
from trackgen.hub.compose import CONTAINER_LABEL, LONG_LABEL, SHORT_LABEL, SIGNS, Taken, compose_groups
from trackgen.hub.jbrowse import PLUGIN_FILE
from trackgen.hub.kept_texts import defined_names, hub_setting, plugin_address
from trackgen.hub.links import absolute_name
from trackgen.hub.model import Hub, HubGenome, HubTrack, Locus, TrackGroup
from trackgen.hub.runs import Run
from trackgen.hub.text import shorten, unique_name

__all__ = ["KEPT", "KeptModel", "kept_before", "kept_hub", "merged_regions", "names_of", "read_regions", "regions_text"]

KEPT = "kept"
WORD = f", {KEPT}"


@dataclass(frozen=True)
class KeptModel:
    """What is kept of one model on one genome.

    Attributes:
        sha256: of the model's file.
        contributions: the classes whose contributions are kept beside the predictions.
        names: of tracks and of what holds them together.
        files: of tracks; `pages` describe them.
    """

    genome: str
    model: str
    sha256: str
    contributions: tuple[str, ...]
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()

    def replaces(self, entry: Mapping[str, Any]) -> bool:
        """Whether `entry` of the list tells of the same model on the same genome."""
        return (entry["genome"], entry["model"]) == (self.genome, self.model)

    def unfinished(self, before: KeptModel | None) -> KeptModel:
        """This and what was there `before`, as it is while the one takes the place of the other: of no model's file."""
        old = before or KeptModel(self.genome, self.model, "", ())

        def both(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
            return tuple(dict.fromkeys([*one, *other]))

        names, files, pages = both(old.names, self.names), both(old.files, self.files), both(old.pages, self.pages)
        return KeptModel(self.genome, self.model, "", old.contributions, names, files, pages)

    def to_dict(self) -> dict[str, Any]:
        """As ``trackgen.json`` has it."""
        return asdict(self)


def kept_before(built: BuiltHub, genome: str, model: str) -> KeptModel | None:
    """What the hub keeps of `model` on `genome`; None for nothing."""
    for entry in built.manifest.get(KEPT, []):
        if (entry["genome"], entry["model"]) == (genome, model):
            lists = {key: tuple(entry[key]) for key in ("contributions", "names", "files", "pages")}
            return KeptModel(genome, model, entry["sha256"], **lists)
    return None


def read_regions(text: str) -> dict[str, list[Interval]]:
    """The regions of each model in the text of ``kept.bed``."""
    found: dict[str, list[Interval]] = {}
    for line in text.splitlines():
        name, start, end, model = line.split("\t")
        found.setdefault(model, []).append(Interval(name, int(start), int(end)))
    return found


def regions_text(regions: Mapping[str, Iterable[Interval]], lengths: Mapping[str, int]) -> str:
    """The text of ``kept.bed``, in the order of the genome."""
    order = {name: place for place, name in enumerate(lengths)}
    rows = [(order[one.name], one.start, one.end, model, one.name) for model, some in regions.items() for one in some]
    return "".join(f"{name}\t{start}\t{end}\t{model}\n" for _, start, end, model, name in sorted(rows))


def merged_regions(regions: Sequence[Interval]) -> list[Interval]:
    """Disjoint regions that cover the same bases; touching ones become one. Sorted on each sequence."""
    names = dict.fromkeys(region.name for region in regions)
    return [
        Interval(name, int(start), int(end))
        for name in names
        for start, end in merge(np.array([one[1:3] for one in regions if one.name == name], np.int64))
    ]


def kept_hub(
    built: BuiltHub, texts: Mapping[str, str], run: Run, genome: str, before: KeptModel | None
) -> tuple[Hub, HubGenome]:
    """The tracks of `run`, which scanned the kept regions alone, as a hub in the place of the one in `built`.

    Args:
        texts: of the files of the hub, by name.
        genome: which of the hub's genomes the run stands on.
        before: what makes room for them, and whose names are free again.

    Returns:
        A hub with these tracks alone, and its genome that has them.
    """
    taken = _taken(built, texts, before)
    several_models = any(track["model"] not in run.cards for track in built.manifest["tracks"])
    # Composed by themselves, so that nothing depends on what else the hub has; then renamed.
    groups = tuple(_kept_group(group, taken, several_models) for group in compose_groups([run], Taken()))
    first = next(iter(run.lengths.items()))
    genomes = tuple(
        HubGenome(
            id=name,
            title=name,
            organism=name,
            lengths=run.lengths,
            locus=Locus(first[0], 0, first[1]),
            two_bit=f"{name}.2bit" if f"{name}.2bit" in built.files else "",
            groups=groups if name == genome else (),
        )
        for name in built.lengths
    )
    base = plugin_address(texts, absolute_name("config.json")).removesuffix(PLUGIN_FILE)
    settings = texts["hub.txt"]
    hub = Hub(
        name=hub_setting(settings, "hub"),
        short_label=KEPT,
        long_label=KEPT,
        email="",
        genomes=genomes,
        base_url=base,
        one_file=hub_setting(settings, "useOneFile") == "on",
    )
    return hub, next(one for one in genomes if one.id == genome)


def names_of(genome: HubGenome) -> tuple[str, ...]:
    """Every name that the tracks of `genome` and what holds them together have in the browsers' files."""
    names = [name for group in genome.groups for name in (group.name, *(track.name for track in group.tracks))]
    return tuple(dict.fromkeys([*names, *(track.overlay.name for track in genome.tracks if track.overlay)]))


def _taken(built: BuiltHub, texts: Mapping[str, str], before: KeptModel | None) -> Taken:
    taken = Taken()
    for text in texts.values():
        taken.names |= {name.lower() for name in defined_names(text)}
    taken.names |= {name.lower().removesuffix(".html") for name in built.files if name.endswith(".html")}
    taken.files |= {name.lower() for name in built.files}
    if before is not None:
        taken.names -= {name.lower() for name in before.names}
        taken.files -= {name.lower() for name in before.files}
    return taken


def _kept_group(group: TrackGroup, taken: Taken, several_models: bool) -> TrackGroup:
    overlays = {track.overlay.name: track.overlay for track in group.tracks if track.overlay}
    renamed = {
        name: replace(
            overlay,
            name=unique_name(f"{name}_{KEPT}", taken.names),
            short_label=_marked(overlay.short_label, SHORT_LABEL, " +/-"),
            long_label=shorten(overlay.long_label, CONTAINER_LABEL - len(WORD)) + WORD,
        )
        for name, overlay in overlays.items()
    }
    tracks = tuple(
        replace(
            _kept_track(track, taken, several_models),
            overlay=renamed[track.overlay.name] if track.overlay else None,
        )
        for track in group.tracks
    )
    return replace(
        group,
        name=unique_name(f"{group.name}_{KEPT}", taken.names),
        short_label=_marked(group.short_label, SHORT_LABEL),
        long_label=shorten(group.long_label, CONTAINER_LABEL - len(WORD)) + WORD,
        tracks=tracks,
    )


def _kept_track(track: HubTrack, taken: Taken, several_models: bool) -> HubTrack:
    stem = track.file.removesuffix(".bw")
    return replace(
        track,
        name=unique_name(f"{track.name}_{KEPT}", taken.names),
        file=unique_name(f"{stem}.{KEPT}", taken.files, suffix=".bw", mark="."),
        label=f"{track.label}, kept regions",
        display_name=track.display_name + WORD + (f" ({track.model})" if several_models else ""),
        short_label=_marked(track.short_label, SHORT_LABEL, SIGNS[track.strand]),
        long_label=shorten(track.long_label, LONG_LABEL - len(WORD)) + WORD,
    )


def _marked(label: str, room: int, sign: str = "") -> str:
    """The label cut so that the word fits behind it, and before the sign of its strand, if it ends in one."""
    end = f" {KEPT}{sign if sign and label.endswith(sign) else ''}"
    return shorten(label.removesuffix(sign), room - len(end)) + end
