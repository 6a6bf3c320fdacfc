"""Decides, before anything is run, exactly what a scan will compute: models, tracks, intervals.

The plan holds every option that can change a value, and nothing else (no threads, memory or progress), so that two
runs with equal plans write equal tracks.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import GENOME_BEGINNINGS, Card, OutputSpec, read_card
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, Interval, describe, merge, parse_regions, read_bed, reconcile
from trackgen.genome.tiling import Grid
from trackgen.resources import find_model, shipped_models
from trackgen.runtime import device_kind
from trackgen.scan.digest import file_sha256
from trackgen.scan.modes import Mode, choose_mode, choose_run, choose_tile
from trackgen.scan.options import ScanOptions
from trackgen.scan.sources import SignalPlan, card_vectors, match_inputs, plan_signals, read_vectors
from trackgen.scan.trial import choose_form

__all__ = ["ModelPlan", "ScanPlan", "TrackPlan", "make_plan", "refuse_swapped"]

Spans = NDArray[np.int64]
"""(n, 2) sorted disjoint intervals of one sequence, 0-based half-open."""

ONNX_BEGINNING = b"\x08"
"""First byte of an ONNX file: the tag of its format's version."""
PROBABILITY_ROUNDING = "10 bits"
NOT_MAIN = re.compile(r"(?!NC_\d).*_.*|(GL|KI|JH|NT_|NW_)\d.*|(chr)?(Un|EBV).*", re.IGNORECASE)
"""Names of unplaced, alternative and decoy sequences, in the styles of UCSC, Ensembl and RefSeq."""
MITOCHONDRION = re.compile(r"(chr)?(M|MT|Mito|MtDNA)|NC_(001224|012920|001328)(\.\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class TrackPlan:
    """One BigWig: one class of one output on one strand. Indices count in the card's order."""

    file: str
    output: int
    class_index: int
    strand: str | None
    """``plus``, ``minus``, or None for the strands ``forward`` and ``average``."""
    grid: Grid
    rounding: int | str | None


@dataclass(frozen=True)
class ModelPlan:
    """One model of the scan."""

    path: Path
    card: Card
    sha256: str
    stride: int
    tracks: tuple[TrackPlan, ...]
    mode: Mode
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """The values of every vector input, (length,) each."""
    most_windows: int | None = None
    """Of one run of the tile graph; None for window mode, and for whole tiles."""

    def grid(self, output: OutputSpec) -> Grid:
        return Grid(self.card.window, self.card.bin, self.stride, output.resolution)


@dataclass(frozen=True)
class ScanPlan:
    """Everything that can change a value, and nothing else."""

    models: tuple[ModelPlan, ...]
    genome_path: Path
    lengths: Mapping[str, int]
    wanted: Mapping[str, Spans]
    """The stretches asked for, per sequence, in genome order; sequences without any are absent."""
    excluded: Mapping[str, Spans]
    tile: int
    """Bases of one tile."""
    notes: tuple[str, ...]
    """Sentences to tell the user once: alias mappings, models that run window by window."""
    signals: tuple[SignalPlan, ...] = ()
    """The files of all models' signal inputs."""
    vectors: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a vector input -> name and SHA-256 of the file that was given for it."""

    @functools.cached_property
    def genome_sha256(self) -> str:
        """Of the genome's file, read when first asked for: seconds for a large one."""
        return file_sha256(self.genome_path)

    @property
    def bases(self) -> int:
        """Bases asked for."""
        return sum(int((spans[:, 1] - spans[:, 0]).sum()) for spans in self.wanted.values())

    def summary(self) -> dict[str, Any]:
        """The plan as JSON-ready values without folders, for plan.json and run.json."""
        summary = {
            "models": [
                {
                    "name": model.card.name,
                    "sha256": model.sha256,
                    "stride": model.stride,
                    "mode": model.mode.name,
                    "tuned": bool(model.mode.dense and model.mode.dense.tuned),
                    "most_windows": model.most_windows,
                    "tracks": _track_rows(model),
                }
                for model in self.models
            ],
            "genome": {"file": self.genome_path.name, "sha256": self.genome_sha256},
            "wanted": _digest(self.wanted),
            "excluded": _digest(self.excluded),
            "tile": self.tile,
        }
        if self.signals:
            summary["signals"] = {plan.key: {"file": plan.path.name, "sha256": plan.sha256} for plan in self.signals}
        if self.vectors:
            summary["vectors"] = {
                name: {"file": file, "sha256": sha256} for name, (file, sha256) in self.vectors.items()
            }
        return summary


def _track_rows(model: ModelPlan) -> list[list[Any]]:
    return [[track.file, track.rounding] for track in model.tracks]


def _digest(spans: Mapping[str, Spans]) -> str:
    """One hash over all intervals: equal for equal stretches, however they were written."""
    rows = [[name, spans[name].tolist()] for name in sorted(spans) if len(spans[name])]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def make_plan(options: ScanOptions, genome: Genome) -> ScanPlan:
    """Read the cards, choose the tracks and the intervals.

    Raises:
        UsageError: a class, model name, region or chromosome that does not exist; two models of one name.
        ModelError: a model or card that is missing or malformed.
        DataError: a BED, signal or vector file that is missing or malformed.
    """
    paths = [find_model(text) for text in options.models]
    cards = [read_card(path) for path in paths]
    _refuse_same_names([card.name for card in cards])
    _refuse_unknown_classes(options.classes, cards)
    match_inputs(cards, options.signals, options.vectors)
    vectors = read_vectors(cards, options.vectors)
    models = tuple(_plan_model(path, card, options, vectors) for path, card in zip(paths, cards, strict=True))
    notes = [model.mode.reason for model in models if model.mode.reason]
    wanted = _wanted(options, genome, notes)
    signals, sentences = plan_signals(options.signals, genome.lengths, list(wanted))
    for text in sentences:
        _note(notes, text)
    excluded = _spans([row for path in options.exclude for row in _read_bed(path, genome, notes)], genome.lengths)
    return ScanPlan(
        models=models,
        genome_path=genome.path,
        lengths=dict(genome.lengths),
        wanted=wanted,
        excluded=excluded,
        tile=options.tile or choose_tile([model.mode.dense for model in models], device_kind(options.device)),
        signals=signals,
        vectors={name: (path.name, file_sha256(path)) for name, path in sorted(options.vectors)},
        notes=tuple(notes),
    )


def refuse_swapped(options: ScanOptions) -> None:
    """Say it plainly where MODEL and GENOME were given in the wrong order.

    Raises:
        UsageError: a model looks like a genome, and the genome like a model.
    """
    genome = str(options.genome)
    like_a_model = genome in shipped_models() or _first_bytes(options.genome)[:1] == ONNX_BEGINNING
    for text in options.models:
        if like_a_model and _first_bytes(Path(text)).startswith(GENOME_BEGINNINGS):
            raise UsageError(
                "MODEL and GENOME are swapped",
                found=f"the genome {text} first, the model {genome} last",
                wanted="MODEL first, GENOME last",
                remedy=f"run: trackgen scan {shlex.join([genome, text])} -o {shlex.quote(str(options.output))}",
            )


def _first_bytes(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(4)
    except OSError:
        return b""


def _refuse_same_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UsageError(
                "two models of one name would write the same files",
                found=name,
                wanted="models with different names in their cards",
                remedy="scan them into two folders, or change a card with `trackgen model add-card`",
            )


def _refuse_unknown_classes(asked: Sequence[str], cards: Sequence[Card]) -> None:
    known = [entry.name for card in cards for entry in card.classes]
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
            raise UsageError(
                "no model has such a class",
                place="--classes",
                found=name,
                wanted=", ".join(known),
                remedy=f"did you mean {near[0]}" if near else None,
            )


def _plan_model(path: Path, card: Card, options: ScanOptions, vectors: Mapping[str, NDArray[np.float32]]) -> ModelPlan:
    stride = card.stride if options.stride is None else options.stride
    if stride < 1:
        raise UsageError("the stride is not positive", place="--stride", found=stride, wanted="1 or more")
    tracks = []
    for index, output in enumerate(card.outputs):
        grid = Grid(card.window, card.bin, stride, output.resolution)
        if output.resolution is not None and (stride % output.resolution or stride > card.bin):
            raise UsageError(
                f"the stride does not fit the profile output {output.name} of {card.name}",
                place="--stride",
                found=stride,
                wanted=f"a multiple of {output.resolution}, at most {card.bin}",
            )
        for class_index, entry in enumerate(output.classes):
            if entry.name in options.classes if options.classes else entry.track:
                for strand in ("plus", "minus") if card.strands == "both" else (None,):
                    file = ".".join(part for part in (card.name, entry.name, strand, "bw") if part)
                    tracks.append(TrackPlan(file, index, class_index, strand, grid, _rounding(options, output)))
    if not tracks:
        raise UsageError(
            f"nothing to write for model {card.name}",
            found=f"classes {', '.join(options.classes) or 'without tracks'}",
            wanted="at least one of " + ", ".join(entry.name for entry in card.classes),
        )
    device, given = device_kind(options.device), card_vectors(card, vectors)
    mode = choose_mode(path, card, stride, options.mode, device)
    if device == "cpu":
        mode = choose_form(mode, path, card, options.mode, given)
    most = choose_run(mode.dense, device) if mode.dense else None
    return ModelPlan(path, card, file_sha256(path), stride, tuple(tracks), mode, given, most)


def _rounding(options: ScanOptions, output: OutputSpec) -> int | str | None:
    if options.digits == "full":
        return None
    if options.digits is not None:
        return options.digits
    return PROBABILITY_ROUNDING if output.role == "probability" else None


def _wanted(options: ScanOptions, genome: Genome, notes: list[str]) -> dict[str, Spans]:
    """The stretches asked for by --regions and --chroms together, in genome order."""
    whole = {name: np.array([[0, length]], np.int64) for name, length in genome.lengths.items() if length}
    names = _chosen_names(options.chroms, genome, notes)
    if options.regions:
        rows = [row for text in options.regions for row in _read_regions(text, genome, notes)]
        whole = {name: spans for name, spans in _spans(rows, genome.lengths).items() if len(spans)}
    wanted = {name: spans for name, spans in whole.items() if name in names}
    if not wanted:
        raise UsageError(
            "no base is left to scan",
            place="--regions and --chroms",
            found="no overlap",
            wanted="regions on the chosen sequences",
        )
    return wanted


def _chosen_names(asked: Sequence[str], genome: Genome, notes: list[str]) -> set[str]:
    if not asked:
        return set(genome.names)
    chosen = set()
    if "main" in asked:
        chosen = {name for name in genome.names if not NOT_MAIN.fullmatch(name) and not MITOCHONDRION.fullmatch(name)}
    asked = [name for name in asked if name != "main"]
    try:
        mapping = reconcile(dict.fromkeys(asked), genome.lengths, path=genome.path, what="--chroms")
    except DataError as error:
        raise UsageError(
            "there is no such sequence", place="--chroms", found=error.found, wanted=error.wanted, remedy=error.remedy
        ) from error
    _note(notes, describe(mapping))
    return chosen | set(mapping.values())


def _read_regions(text: str, genome: Genome, notes: list[str]) -> list[Interval]:
    """The intervals of one --regions value: a BED file, or ``chr:a-b``."""
    found = parse_regions(text, genome.lengths)
    _note(notes, describe(found.mapping))
    return found.intervals


def _read_bed(path: Path, genome: Genome, notes: list[str]) -> list[Interval]:
    bed = read_bed(path, genome.lengths)
    _note(notes, describe(bed.mapping))
    return bed.intervals


def _note(notes: list[str], text: str | None) -> None:
    if text and text not in notes:
        notes.append(text)


def _spans(rows: Sequence[Interval], lengths: Mapping[str, int]) -> dict[str, Spans]:
    """Intervals as merged spans per sequence, in genome order."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault(row.name, []).append((row.start, row.end))
    return {name: merge(np.array(found[name], np.int64)) for name in lengths if name in found}
