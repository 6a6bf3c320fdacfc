"""Reads what a scan left in its folder: ``run.json`` and the tracks beside it.

Coordinates and lengths are in bases (bp). Percentiles and extremes are of the values as written, over bases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, OutputSpec, card_from_dict
from trackgen.card.parse import NAME
from trackgen.card.schema import Strands
from trackgen.errors import DataError
from trackgen.hub.fields import Fields, finite, genome_lengths, read_json
from trackgen.scan.digest import file_sha256

__all__ = ["UCSC_NAME", "Run", "RunInput", "RunTrack", "read_run"]

SCHEMA_VERSION = 1
UCSC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")
"""How UCSC names assemblies: hg38, sacCer3."""
FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.bw")
"""How scans name tracks: fit for addresses, settings and shells as it is."""
BASES = ("A", "C", "G", "T")
ROLES = ("probability", "signal", "contribution")
STRANDS = {"plus": "plus", "+": "plus", "minus": "minus", "-": "minus"}
BIGWIG_MAGIC = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")


@dataclass(frozen=True)
class RunTrack:
    """One track of a run. `strand` is ``plus``, ``minus`` or empty; extremes are None where the track is empty."""

    path: Path
    model: str
    class_name: str
    label: str
    color: str
    strand: str
    role: str
    unit: str
    resolution: int
    rounding: str
    min_value: float | None
    """Smaller values were left out; None for none."""
    minimum: float | None
    maximum: float | None
    percentiles: Mapping[str, float]
    values: int
    sha256: str
    base: str = ""
    """A, C, G or T where the track holds what this base would contribute, wherever another stands; else empty."""

    @property
    def file(self) -> str:
        """The file's name, without its folder."""
        return self.path.name


@dataclass(frozen=True)
class RunInput:
    """A signal that a run made of reads or fragments, for the input `name` of a model.

    `source` is the name of the file that it was made of; `depth` is in fragments over a base.
    """

    path: Path
    model: str
    name: str
    source: str
    unit: str
    fragments: int
    depth: float | None
    factor: float | None
    sha256: str


@dataclass(frozen=True)
class Run:
    """One finished scan. `lengths` are of all sequences of its genome, in file order."""

    folder: Path
    version: str
    cards: Mapping[str, Card]
    genome_file: str
    genome_sha256: str
    """Of the genome's file; empty where the run does not say."""
    assembly: str
    lengths: Mapping[str, int]
    checks: Mapping[str, Any]
    tracks: tuple[RunTrack, ...]
    inputs: tuple[RunInput, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    """Of each model's file the SHA-256, by the model's name; empty where the run does not say."""


def read_run(folder: Path, *, verify: bool = True) -> Run:
    """Read the run in `folder` and make sure that its tracks are there.

    Args:
        verify: also read every track whole, to make sure that it is the one that the run wrote.

    Raises:
        DataError: there is no finished run in the folder, run.json cannot be read, or a track is missing, no BigWig, or
            not the one that the run wrote.
        ModelError: a model's card in run.json is not valid.
    """
    path = folder / "run.json"
    values = Fields(_load(path), path)
    version = values.get("schema_version", int)
    if version != SCHEMA_VERSION:
        raise DataError(
            "the run has an unknown schema version",
            path=path,
            place="schema_version",
            found=version,
            wanted=SCHEMA_VERSION,
            remedy="update trackgen, or scan again",
        )
    genome = values.inner("genome")
    cards = {entry.get("name", str): _card(entry, values.inners("tracks")) for entry in values.inners("models")}
    tracks = tuple(_track(entry, folder) for entry in values.inners("tracks"))
    inputs = tuple(_input(entry, folder) for entry in (values.inners("inputs") if "inputs" in values.values else ()))
    _refuse_repeated_files(path, (*tracks, *inputs))
    for track in tracks:
        if track.model not in cards:
            raise DataError("a track names a model that the run does not list", path=path, found=track.model)
        if track.class_name not in {entry.name for entry in cards[track.model].classes}:
            raise DataError("a track names a class that its model's card lacks", path=path, found=track.class_name)
        _check_bigwig(track, verify)
    for entry in inputs:
        _check_bigwig(entry, verify)
    return Run(
        folder=folder,
        version=values.get("trackgen", str, ""),
        cards=cards,
        genome_file=Path(genome.get("file", str, "")).name,
        genome_sha256=_genome_sha256(values),
        assembly=_assembly(genome),
        lengths=genome_lengths(genome),
        checks=values.get("checks", dict, {}),
        tracks=tracks,
        inputs=inputs,
        digests={entry.get("name", str): entry.get("sha256", str, "") for entry in values.inners("models")},
    )


def _genome_sha256(values: Fields) -> str:
    plan = values.get("plan", dict, {})
    genome = plan.get("genome") if isinstance(plan.get("genome"), dict) else {}
    return str(genome.get("sha256", ""))


def _load(path: Path) -> Any:
    if not path.parent.is_dir():
        raise DataError("there is no such folder", path=path.parent, wanted="the output folder of trackgen scan")
    try:
        return read_json(path)
    except FileNotFoundError:
        raise DataError(
            "there is no run.json in the folder, so it holds no finished scan",
            path=path.parent,
            remedy="run trackgen scan to its end first",
        ) from None


def _card(entry: Fields, tracks: Sequence[Fields]) -> Card:
    """The model's card; where the run does not carry one, what its tracks tell (window 0: unknown)."""
    if entry.values.get("card") is not None:
        return card_from_dict(entry.get("card", dict), f"{entry.path}, {entry.place}card")
    name = _name(entry, "name")
    mine = [track for track in tracks if track.get("model", str) == name]
    labels = {_name(track, "class"): track.get("label", str, "") for track in mine}
    classes = tuple(ClassSpec(class_name, label=label) for class_name, label in labels.items())
    strands: Strands = "both" if any(track.values.get("strand") for track in mine) else "forward"
    return Card(name, 0, (), (OutputSpec("", "none", classes),), strands=strands)


def _track(entry: Fields, folder: Path) -> RunTrack:
    name = _file(entry)
    role = entry.get("role", str)
    if role not in ROLES:
        raise DataError(
            "a track has an unknown role", path=entry.path, place=entry.place, found=role, wanted=", ".join(ROLES)
        )
    rounding = entry.values.get("rounding")
    percentiles = entry.get("percentiles", dict, {})
    return RunTrack(
        path=folder / name,
        model=_name(entry, "model"),
        class_name=_name(entry, "class"),
        label=entry.get("label", str, ""),
        color=entry.get("color", str, ""),
        strand=STRANDS.get(entry.get("strand", str, ""), ""),
        role=role,
        unit=entry.get("unit", str, ""),
        resolution=entry.get("resolution", int, 1),
        rounding="" if rounding is None else str(rounding),
        min_value=entry.number("min_value"),
        minimum=entry.number("min"),
        maximum=entry.number("max"),
        percentiles={key: finite(entry, value) for key, value in percentiles.items() if value is not None},
        values=entry.get("values", int, 0),
        sha256=entry.get("sha256", str, ""),
        base=_base(entry, role),
    )


def _base(entry: Fields, role: str) -> str:
    """The base of a hypothetical contribution; empty for other tracks."""
    base: str = entry.get("base", str, "")
    if base and (role != "contribution" or base not in BASES):
        raise DataError(
            "a track's base is none that can contribute",
            path=entry.path,
            place=f"{entry.place}base",
            found=f"{base!r} of a {role}",
            wanted=f"{', '.join(BASES)} of a contribution",
        )
    return base


def _input(entry: Fields, folder: Path) -> RunInput:
    return RunInput(
        path=folder / _file(entry),
        model=_name(entry, "model"),
        name=entry.get("input", str),
        source=entry.get("source", str, ""),
        unit=entry.get("unit", str, ""),
        fragments=entry.get("fragments", int, 0),
        depth=entry.number("depth"),
        factor=entry.number("factor"),
        sha256=entry.get("sha256", str, ""),
    )


def _file(entry: Fields) -> str:
    """The name of a track's file; it becomes part of addresses and settings, and is not written otherwise there."""
    name: str = entry.get("file", str)
    if Path(name).name != name or name in (".", ".."):
        raise DataError("a track's file has a folder in its name", path=entry.path, place=entry.place, found=repr(name))
    if not FILE.fullmatch(name):
        raise DataError(
            "a track's file has a name that cannot be published",
            path=entry.path,
            place=f"{entry.place}file",
            found=repr(name),
            wanted="letters, digits, '.', '_' and '-', and .bw at the end, as trackgen scan writes",
            remedy="rename the file, and its entry in run.json",
        )
    return name


def _name(entry: Fields, key: str) -> str:
    """The name of a model or a class, which must be one that a card may give."""
    name: str = entry.get(key, str)
    if not NAME.fullmatch(name):
        raise DataError(
            "the name is none that a card may give",
            path=entry.path,
            place=entry.place + key,
            found=repr(name),
            wanted="letters, digits, _ and -",
        )
    return name


def _assembly(genome: Fields) -> str:
    """UCSC's name of the assembly, or nothing; it becomes a file's name."""
    name: str = genome.get("assembly", str, "")
    if name and not UCSC_NAME.fullmatch(name):
        raise DataError("this is no assembly's name", path=genome.path, place="genome.assembly", found=repr(name))
    return name


def _refuse_repeated_files(path: Path, tracks: Sequence[RunTrack | RunInput]) -> None:
    names = [track.path.name for track in tracks]
    for name in names:
        if names.count(name) > 1:
            raise DataError("two tracks name the same file", path=path, found=name, wanted="a file for each track")


def _check_bigwig(track: RunTrack | RunInput, verify: bool) -> None:
    """The file must be a BigWig and, where that is to be verified, the very one that the run wrote."""
    try:
        with track.path.open("rb") as file:
            magic = file.read(4)
        digest = file_sha256(track.path) if verify and track.sha256 else track.sha256
    except OSError as error:
        raise DataError(
            "a track that run.json lists is missing", path=track.path, found=error.strerror, remedy="scan again"
        ) from None
    if magic not in BIGWIG_MAGIC:
        raise DataError("the track is not a BigWig file", path=track.path, found=magic.hex() or "an empty file")
    if digest != track.sha256:
        raise DataError(
            "the track is not the file that the run wrote",
            path=track.path,
            found=f"sha256 {digest[:16]}",
            wanted=f"sha256 {track.sha256[:16]}, as in run.json",
            remedy="it is damaged or was changed: scan again",
        )
