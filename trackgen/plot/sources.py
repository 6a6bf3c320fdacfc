"""What a figure can show: the tracks of a hub as its igv.json describes them, or plain BigWig files."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from trackgen.errors import DataError, UsageError
from trackgen.genome import open_genome, open_signal
from trackgen.genome.sequence import near_files

__all__ = [
    "Hits",
    "Layer",
    "Panel",
    "Source",
    "bigwig_source",
    "chosen",
    "config_source",
    "hub_source",
    "parse_color",
]

Color = tuple[float, float, float]
"""Red, green, blue, 0 to 1."""

IGV_CONFIG = "igv.json"
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555")
"""For files that say no colour: Okabe and Ito's, which the colour-blind tell apart."""
DEFAULT_COLOR: Color = (0.0, 0.0, 0.588)
"""igv.js's own."""
LONGEST_NAME = 120
HEIGHT, LETTERS_HEIGHT = 64.0, 100.0


@dataclass(frozen=True)
class Layer:
    """One BigWig file as it is drawn: `statistic` stands for the bases of a pixel, ``max``, ``min`` or ``mean``."""

    path: Path
    color: Color
    statistic: str = "mean"
    letters: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes. `limits` are None where the values in sight decide; `height` is relative, as igv.js's pixels.

    `downwards` draws larger values further down; `lines` are values at which a line is drawn, such as a threshold.
    """

    identifier: str
    name: str
    layers: tuple[Layer, ...]
    limits: tuple[float, float] | None = None
    downwards: bool = False
    lines: tuple[float, ...] = ()
    height: float = HEIGHT

    @property
    def letters(self) -> bool:
        """Whether single bases are drawn as letters where there is room."""
        return any(layer.letters for layer in self.layers)


@dataclass(frozen=True)
class Hits:
    """Intervals with names and colours, such as motif hits: a bigBed file."""

    identifier: str
    name: str
    path: Path


@dataclass(frozen=True)
class Source:
    """All panels, and what they stand on; `sequence` is FASTA or 2bit, `genes` an annotation; None without one."""

    panels: tuple[Panel, ...]
    lengths: Mapping[str, int]
    sequence: Path | None = None
    genes: Path | None = None
    genome: str = ""
    hits: tuple[Hits, ...] = ()
    notes: tuple[str, ...] = ()


def hub_source(path: Path) -> Source:
    """The tracks of a hub.

    Args:
        path: the hub's folder, or a file in the form of its igv.json (``igv.mm39.json``, for another genome).

    Raises:
        DataError: there is no igv.json, it is malformed, or a file that it names is missing.
    """
    if not path.exists():
        raise DataError(
            "there is no such folder or file", path=path, wanted="a hub, a run or BigWig files", remedy=near_files(path)
        )
    file = path / IGV_CONFIG if path.is_dir() else path
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        json.dumps(config, ensure_ascii=False).encode()  # refuses half characters, which no file can hold
    except FileNotFoundError:
        raise DataError(
            "the folder is neither a hub nor a run",
            path=path,
            wanted=f"{IGV_CONFIG} (a hub of trackgen hub build) or run.json (a folder of trackgen scan)",
            remedy="name the hub's folder, or BigWig files, after the locus",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("the file cannot be read as JSON", path=file, found=error) from error
    return config_source(config, file)


def config_source(config: Any, file: Path, lengths: Mapping[str, int] | None = None) -> Source:
    """The tracks of a configuration of igv.js, whose addresses are relative to the folder of `file`."""
    try:
        tracks = list(config["tracks"])
        reference = dict(config.get("reference") or {})
        found = [_panel(track, file) for track in tracks]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(
            "this is no configuration of igv.js",
            path=file,
            found=f"{type(error).__name__} {error}",
            wanted="an object with tracks",
        ) from error
    panels = tuple(panel for panel in found if panel)
    sequence = _local(file, reference.get("twoBitURL") or reference.get("fastaURL"))
    genes = next((_local(file, track.get("url")) for track in tracks if _is_genes(track)), None)
    hits = [_hits(track, file) for track in tracks]
    notes = tuple(
        f"{_clean(str(track.get('name', 'a track')))} is not drawn: a figure shows values, genes and motif hits"
        for track, panel, hit in zip(tracks, found, hits, strict=True)
        if panel is None and hit is None and not _is_genes(track)
    )
    return Source(
        panels=panels,
        lengths=lengths or _lengths(file, reference, sequence, panels),
        sequence=sequence,
        genes=genes,
        genome=_clean(str(reference.get("id") or config.get("genome") or "")),
        hits=tuple(hit for hit in hits if hit),
        notes=notes,
    )


def _is_genes(track: Mapping[str, Any]) -> bool:
    return track.get("type") == "annotation" and track.get("format") == "bed" and not track.get("indexed")


def _hits(track: Mapping[str, Any], file: Path) -> Hits | None:
    path = _local(file, track.get("url")) if track.get("format") == "bigbed" else None
    name = str(track.get("name", ""))
    return None if path is None else Hits(str(track.get("id", name)), _clean(name), path)


def _local(file: Path, address: object) -> Path | None:
    """The file beside `file` that an address means; None where it is elsewhere or missing."""
    if not isinstance(address, str) or urlsplit(address).scheme or address.startswith("/"):
        return None
    path = file.parent / unquote(urlsplit(address).path)
    # What a hub from elsewhere names outside its folder is none of its files.
    inside = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(file.parent))
    return path if inside and path.is_file() else None


def _panel(track: Mapping[str, Any], file: Path) -> Panel | None:
    """The panel of a track; None where it is not one of values."""
    parts = list(track.get("tracks", ())) if track.get("type") == "merged" else [track]
    if not parts or any(part.get("type") != "wig" for part in parts):
        return None
    ranges = [_limits(part) for part in (track, *parts)]
    known = [limits for limits in ranges if limits]
    name = str(track.get("name", "")) or str(parts[0].get("name", ""))
    return Panel(
        identifier=str(track.get("id", name)),
        name=_clean(name),
        layers=tuple(_layer(part, file) for part in parts),
        limits=(min(low for low, _ in known), max(high for _, high in known)) if known else None,
        downwards=bool(track.get("flipAxis")),
        lines=tuple(float(line["y"]) for line in track.get("guideLines", ())),
        height=float(track.get("height", HEIGHT)),
    )


def _limits(track: Mapping[str, Any]) -> tuple[float, float] | None:
    if track.get("autoscale") or track.get("max") is None:
        return None
    low, high = float(track.get("min", 0.0)), float(track["max"])
    return (low, high) if low < high else None


def _layer(track: Mapping[str, Any], file: Path) -> Layer:
    path = _local(file, track["url"])
    if path is None:
        raise DataError(
            "a track's file is not in the hub",
            path=file,
            place=f"track {_clean(str(track.get('name', '')))}",
            found=track["url"],
            wanted="a BigWig file beside it",
            remedy="build the hub again, or choose others with --tracks",
        )
    statistic = track.get("windowFunction", "mean")
    return Layer(
        path=path,
        color=parse_color(track.get("color")),
        statistic=statistic if statistic in ("max", "min") else "mean",
        letters=track.get("graphType") == "dynseq",
    )


def parse_color(text: object) -> Color:
    """The colour of ``rgb(1,2,3)``, ``1,2,3`` or ``#010203``; igv.js's own of anything else."""
    if isinstance(text, str):
        if match := re.fullmatch(r"#([0-9a-fA-F]{6})", text.strip()):
            red, green, blue = bytes.fromhex(match[1])
            return red / 255, green / 255, blue / 255
        numbers = [int(number) for number in re.findall(r"\d+", text)][:3]
        if len(numbers) == 3 and max(numbers) <= 255:
            return numbers[0] / 255, numbers[1] / 255, numbers[2] / 255
    return DEFAULT_COLOR


def _clean(text: str) -> str:
    """One line of what can be printed, not too long."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 2]}.."


def _lengths(
    file: Path, reference: Mapping[str, Any], sequence: Path | None, panels: Sequence[Panel]
) -> dict[str, int]:
    """Bases of each sequence: of chrom.sizes, the genome, or else the tracks' own."""
    sizes = _local(file, reference.get("chromSizesURL"))
    if sizes is not None:
        try:
            rows = [line.split("\t") for line in sizes.read_text(encoding="utf-8").splitlines() if line.strip()]
            return {name: int(length) for name, length, *_ in rows}
        except (OSError, ValueError) as error:
            raise DataError("these are no sizes of sequences", path=sizes, found=error) from error
    if sequence is not None:
        with open_genome(sequence) as genome:
            return dict(genome.lengths)
    return _track_lengths(panels)


def _track_lengths(panels: Sequence[Panel]) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for layer in (layer for panel in panels for layer in panel.layers):
        with open_signal(layer.path) as reader:
            lengths |= reader.lengths
    return lengths


def bigwig_source(paths: Sequence[Path]) -> Source:
    """Plain BigWig files, a panel each; ``NAME.contrib.bw``, as scans name contributions, as letters."""
    panels = []
    for number, path in enumerate(paths):
        name = _clean(re.sub(r"\.(bw|bigwig)$", "", path.name, flags=re.IGNORECASE))
        letters = name.endswith(".contrib")
        color = (0.31, 0.31, 0.31) if letters else parse_color(PALETTE[number % len(PALETTE)])
        layer = Layer(path, color, statistic="mean", letters=letters)
        panels.append(Panel(name, name, (layer,), height=LETTERS_HEIGHT if letters else HEIGHT))
    return Source(tuple(panels), _track_lengths(panels))


def chosen(source: Source, wanted: Sequence[str]) -> Source:
    """`source` with the tracks of these names, ids or patterns (``*contrib*``) alone, in this order.

    Raises:
        UsageError: a name fits no track, or there is no track at all.
    """
    if not source.panels and not source.hits:
        raise UsageError("there is nothing to draw", found="no track of values", wanted="BigWig tracks")
    if not wanted:
        return source
    panels: list[Panel] = []
    hits: list[Hits] = []
    for pattern in wanted:
        found = [panel for panel in source.panels if _fits(panel, pattern)]
        also = [entry for entry in source.hits if _fits(entry, pattern)]
        if not found and not also:
            names = ", ".join(repr(panel.identifier) for panel in source.panels[:6])
            raise UsageError(
                "no track has this name",
                place="--tracks",
                found=pattern,
                wanted=names + (", ..." if len(source.panels) > 6 else ""),
                remedy="see all with --list",
            )
        panels += [panel for panel in found if panel not in panels]
        hits += [entry for entry in also if entry not in hits]
    return replace(source, panels=tuple(panels), hits=tuple(hits))


def _fits(track: Panel | Hits, pattern: str) -> bool:
    paths = [track.path] if isinstance(track, Hits) else [layer.path for layer in track.layers]
    names = (track.identifier, track.name, *(path.name for path in paths))
    folded = pattern.casefold()
    return any(name == pattern or fnmatch.fnmatchcase(name.casefold(), folded) for name in names)
