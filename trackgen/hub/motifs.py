"""Motif hits in a hub: the bigBed file that ``trackgen explain motifs`` wrote, with the JSON file beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trackgen.errors import DataError, UsageError
from trackgen.hub.compose import DISPLAY_NAME, LONG_LABEL, SHORT_LABEL, Taken
from trackgen.hub.described import big_bed_beside, folders_by_genome, refuse_another_genome, refuse_unknown_kind
from trackgen.hub.fields import Fields, read_json
from trackgen.hub.model import MotifPattern, MotifTrack
from trackgen.hub.runs import Run
from trackgen.hub.text import clean, parse_color, shorten, track_name, unique_name

__all__ = ["motifs_by_genome", "read_motif_tracks"]

SUFFIX = ".motifs.json"
"""By which the descriptions are known among the files of the folder."""
SCHEMA_VERSION = 1
KIND, TYPE = "motif hits", "bigBed 9 +"


def motifs_by_genome(folders: Sequence[Path], genomes: Sequence[Sequence[Run]]) -> list[list[Path]]:
    """Which of `folders` stand on each of the genomes, given by their runs; one that fits none goes to the first."""
    return folders_by_genome(folders, genomes, lambda folder: _descriptions(folder)[0])


def read_motif_tracks(folders: Sequence[Path], runs: Sequence[Run], taken: Taken) -> tuple[MotifTrack, ...]:
    """The motif hits in `folders` that stand on the genome of `runs`, named apart from what the hub has `taken`.

    Args:
        folders: output folders of ``trackgen explain motifs``.

    Raises:
        UsageError: the same folder is given twice.
        DataError: a folder holds no hits, a file is missing or malformed, or the genome is not that of the runs.
    """
    resolved = [folder.resolve() for folder in folders]
    for folder in resolved:
        if resolved.count(folder) > 1:
            raise UsageError("the same folder is given twice", path=folder, place="--motifs", remedy="name it once")
    titles = {card.name: clean(card.title) or card.name for run in runs for card in run.cards.values()}
    tracks = []
    for folder in folders:
        for path in _descriptions(folder):
            values = Fields(read_json(path), path)
            _refuse_unknown(values, runs)
            tracks.append(_track(values, titles, taken.names, taken.files))
    return tuple(tracks)


def _descriptions(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError("there is no such folder", path=folder, wanted="the output folder of trackgen explain motifs")
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise DataError(
            "there are no motif hits in the folder",
            path=folder,
            wanted=f"a file *{SUFFIX}, which trackgen explain motifs writes where it finds hits",
        )
    return found


def _refuse_unknown(values: Fields, runs: Sequence[Run]) -> None:
    """Only hits of the form that we know, on the genome of the runs."""
    wanted: dict[str, object] = {"schema_version": SCHEMA_VERSION, "kind": KIND, "type": TYPE}
    refuse_unknown_kind(values, wanted, "motif hits", "update trackgen, or explain again")
    refuse_another_genome(values, runs, "motif hits", "explain the model on the genome that was scanned")


def _track(values: Fields, titles: Mapping[str, str], names: set[str], files: set[str]) -> MotifTrack:
    source = big_bed_beside(values, "file", "motif hits", "explain the model again")
    model, class_name = values.get("model", str), clean(values.get("class", str))
    stem = source.name.removesuffix(".bb")
    file = unique_name(stem, files, suffix=".bb", mark=".")
    label = clean(values.get("label", str, "")) or f"motifs of {class_name}"
    short = f"{class_name} motifs" if len(label) > SHORT_LABEL else label
    if file != source.name:
        # Of the same name in another folder: the number that tells the files apart tells the labels apart, too.
        number = file.removesuffix(".bb").rpartition(".")[2]
        label, short = f"{label} {number}", f"{shorten(short, SHORT_LABEL - len(number) - 1)} {number}"
    title = titles.get(model, clean(model))
    return MotifTrack(
        name=unique_name(track_name(stem), names),
        file=file,
        source=source,
        model=clean(model),
        class_name=class_name,
        label=label,
        display_name=shorten(label, DISPLAY_NAME),
        short_label=shorten(short, SHORT_LABEL),
        long_label=shorten(f"{label}: stretches that contribute; {title}", LONG_LABEL),
        title=title,
        type=TYPE,
        hits=values.get("hits", int),
        patterns=tuple(_pattern(entry) for entry in values.inners("patterns")),
        version=values.get("trackgen", str, ""),
    )


def _pattern(entry: Fields) -> MotifPattern:
    matches = entry.get("matches", list, [])
    return MotifPattern(
        entry.get("name", str),
        entry.get("hits", int),
        tuple(str(match) for match in matches),
        parse_color(entry.get("color", str, "")),
    )
