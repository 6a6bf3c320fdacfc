"""Decides, before anything is run, exactly what a scan will compute: models, tracks, intervals.

The plan holds every option that can change a value, and nothing else (no threads, memory or progress), so that two
runs with equal plans write equal tracks.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig.grid import LONGEST
from trackgen.card import GENOME_BEGINNINGS, Card, OutputSpec, read_card
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome
from trackgen.genome.tiling import Grid
from trackgen.resources import find_model, shipped_models
from trackgen.runtime import device_kind
from trackgen.scan.centred import Centres, centres_digest, centres_of, spans_of_windows
from trackgen.scan.choices import Choices
from trackgen.scan.digest import file_sha256
from trackgen.scan.ensemble import joined
from trackgen.scan.explained_plan import Explanation, plan_explanation
from trackgen.scan.explained_trial import try_explanation
from trackgen.scan.modes import Mode, choose_mode, choose_run, choose_tile
from trackgen.scan.options import SIGNAL_FOLDER, WORK_FOLDER, ScanOptions
from trackgen.scan.readings import readings_of
from trackgen.scan.references import FREQUENCIES, ReferencePlan, plan_reference
from trackgen.scan.shards import choose_shard
from trackgen.scan.slots import (
    choose_slots,
    refuse_contradictions,
    refuse_hypothetical_tracks,
    refuse_unknown_contributions,
    unknown_class,
)
from trackgen.scan.sources import SignalPlan, card_vectors, match_inputs, plan_signals, read_vectors
from trackgen.scan.stretches import Spans, add_note, excluded_stretches, region_rows, wanted_stretches
from trackgen.scan.tracks import TrackPlan, contribution_tracks, strands_of, track_file
from trackgen.scan.trial import choose_form

__all__ = ["ModelPlan", "ScanPlan", "make_plan", "refuse_swapped"]

ONNX_BEGINNING = b"\x08"
"""First byte of an ONNX file: the tag of its format's version."""
PROBABILITY_ROUNDING = "10 bits"


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
    explanation: Explanation | None = None
    """How its classes are explained; None where no contributions are asked for."""

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
    shard: int
    """Bases of one shard, about: it changes no value, but which shards there are."""
    notes: tuple[str, ...]
    """Sentences to tell the user once: alias mappings, models that run window by window."""
    signals: tuple[SignalPlan, ...] = ()
    """The files of all models' signal inputs."""
    vectors: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a vector input -> name and SHA-256 of the file that was given for it."""
    reference: ReferencePlan = FREQUENCIES
    """What contributions are measured against."""
    centres: Centres | None = None
    """The middles of regions that have one window each; None where all windows of the grid count."""

    @functools.cached_property
    def genome_sha256(self) -> str:
        """Of the genome's file, read when first asked for: seconds for a large one."""
        return file_sha256(self.genome_path)

    @functools.cached_property
    def reached(self) -> dict[str, Spans]:
        """The stretches asked for, each from the beginning of the first items that reach into it.

        An item belongs to the tile that it begins in, which may lie before the stretch.
        """
        grids = {track.grid for model in self.models for track in model.tracks}
        found = {}
        for name, spans in self.wanted.items():
            begins = [(spans[:, 0] - grid.offset) // grid.step * grid.step + grid.offset for grid in grids]
            found[name] = np.stack([np.maximum(np.min(begins, axis=0), 0), spans[:, 1]], axis=1)
        return found

    @property
    def bases(self) -> int:
        """Bases asked for."""
        return sum(int((spans[:, 1] - spans[:, 0]).sum()) for spans in self.wanted.values())

    def summary(self) -> dict[str, Any]:
        """The plan as JSON-ready values without folders, for plan.json and run.json."""
        summary = {
            "models": [_model_summary(model) for model in self.models],
            "genome": {"file": self.genome_path.name, "sha256": self.genome_sha256},
            "wanted": _digest(self.wanted),
            "excluded": _digest(self.excluded),
            "tile": self.tile,
        }
        if self.centres is not None:
            summary["centred"] = centres_digest(self.centres)
        if self.signals:
            summary["signals"] = {plan.key: plan.summary() for plan in self.signals}
        if self.vectors:
            summary["vectors"] = {
                name: {"file": file, "sha256": sha256} for name, (file, sha256) in self.vectors.items()
            }
        return summary


def _model_summary(model: ModelPlan) -> dict[str, Any]:
    row = {
        "name": model.card.name,
        "sha256": model.sha256,
        "stride": model.stride,
        "mode": model.mode.name,
        "tuned": bool(model.mode.dense and model.mode.dense.tuned),
        "most_windows": model.most_windows,
        "tracks": _track_rows(model),
    }
    if model.explanation is not None:
        row["contributions"] = model.explanation.summary()
    return row


def _track_rows(model: ModelPlan) -> list[list[Any]]:
    rows: list[list[Any]] = [[track.file, track.rounding] for track in model.tracks]
    for row, track in zip(rows, model.tracks, strict=True):
        if track.min_value is not None:
            row.append(track.min_value)
    return rows


def _digest(spans: Mapping[str, Spans]) -> str:
    """One hash over all intervals: equal for equal stretches, however they were written."""
    rows = [[name, spans[name].tolist()] for name in sorted(spans) if len(spans[name])]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def make_plan(
    options: ScanOptions, genome: Genome, settled: Mapping[str, Any] | None = None, signal_folder: Path | None = None
) -> ScanPlan:
    """Read the cards, choose the tracks and the intervals.

    Args:
        settled: `PlanRecord.settled` of a run that this one is to go on with, or an earlier `ScanPlan.summary`. What it
            chose by itself (form, tiles, shards) is taken over; options that say otherwise are not.
        signal_folder: where signals are made of reads; None for the work folder in OUT, which all processes see.

    Raises:
        UsageError: a class, model name, region or chromosome that does not exist; two models of one name.
        ModelError: a model or card that is missing or malformed.
        DataError: a BED, signal or vector file that is missing or malformed; a sequence too long for a BigWig.
            Reads that a signal is made of are not read here.
    """
    _refuse_too_long(genome)
    options = joined(options)
    paths = [find_model(text) for text in options.models]
    cards = [read_card(path) for path in paths]
    _refuse_same_names([card.name for card in cards])
    _refuse_unknown_classes(options.classes, cards)
    refuse_contradictions(options)
    refuse_unknown_contributions(options.contrib, cards)
    refuse_hypothetical_tracks(options, cards)
    reference = plan_reference(options.reference, genome)
    match_inputs(cards, options.signals, options.vectors)
    vectors = read_vectors(cards, options.vectors)
    choices = Choices(settled or {})
    models = tuple(
        _plan_model(path, card, options, vectors, reference, choices) for path, card in zip(paths, cards, strict=True)
    )
    notes = [model.mode.reason for model in models if model.mode.reason]
    notes += [note for model in models if model.explanation for note in model.explanation.notes]
    wanted = wanted_stretches(options, genome, notes)
    centres = None
    if options.centred:
        centres = centres_of(region_rows(options, genome, notes), wanted)
        wanted = _windows_of(centres, models, genome)
    signal_folder = signal_folder or options.output / WORK_FOLDER / SIGNAL_FOLDER
    signals, sentences = plan_signals(options.signals, genome.lengths, list(wanted), cards, signal_folder)
    for text in sentences:
        add_note(notes, text)
    tile = options.tile or choices.tile(models)
    tile = tile or choose_tile([model.mode.dense for model in models], device_kind(options.device))
    models = tuple(_with_blocks(model, tile, options) for model in models)
    bases = sum(int((spans[:, 1] - spans[:, 0]).sum()) for spans in wanted.values())
    steps = sorted({track.grid.step for model in models for track in model.tracks})
    return ScanPlan(
        models=models,
        genome_path=genome.path,
        lengths=dict(genome.lengths),
        wanted=wanted,
        excluded=excluded_stretches(options, genome, notes),
        tile=tile,
        shard=choices.shard(models, tile) or _whole_tiles(options.shard_size, tile) or choose_shard(bases, tile, steps),
        signals=signals,
        vectors={name: (path.name, file_sha256(path)) for name, path in sorted(options.vectors)},
        notes=tuple(notes),
        reference=reference,
        centres=centres,
    )


def _windows_of(centres: Centres, models: Sequence[ModelPlan], genome: Genome) -> dict[str, Spans]:
    """The stretches of the windows about some centres, of every model and as it reads them."""
    grids = [model.grid(model.card.outputs[0]) for model in models]
    read = [
        (grid, reading.origin)
        for model, grid in zip(models, grids, strict=True)
        for reading in readings_of(model.card, grid)
    ]
    return spans_of_windows(centres, read, genome.lengths)


def _with_blocks(model: ModelPlan, tile: int, options: ScanOptions) -> ModelPlan:
    """On a CUDA device every run is filled up to a tile: blocks of predictions are no smaller."""
    if model.explanation is None or device_kind(options.device) == "cpu":
        return model
    block = max(model.explanation.block, tile // model.stride)
    return replace(model, explanation=replace(model.explanation, block=block))


def _whole_tiles(bases: int | None, tile: int) -> int | None:
    return None if bases is None else -(-bases // tile) * tile


def _refuse_too_long(genome: Genome) -> None:
    for name, length in genome.lengths.items():
        if length > LONGEST:
            raise DataError(
                "a sequence is too long for a BigWig file",
                path=genome.path,
                place=name,
                found=f"{length:,} bases",
                wanted=f"at most {LONGEST:,}",
                remedy="cut it into several sequences",
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
            raise unknown_class("--classes", name, known)


def _plan_model(
    path: Path,
    card: Card,
    options: ScanOptions,
    vectors: Mapping[str, NDArray[np.float32]],
    reference: ReferencePlan,
    choices: Choices,
) -> ModelPlan:
    stride = card.stride if options.stride is None else options.stride
    if stride < 1:
        raise UsageError("the stride is not positive", place="--stride", found=stride, wanted="1 or more")
    tracks = _prediction_tracks(card, stride, options)
    slots = choose_slots(card, options, {(track.output, track.class_index) for track in tracks})
    digits = None if options.digits == "full" else options.digits
    explained = [(slot.output, slot.class_index) for slot in slots]
    tracks += contribution_tracks(card, explained, digits, hypothetical=options.hypothetical_tracks)
    if not tracks:
        raise UsageError(
            f"nothing to write for model {card.name}",
            found=f"classes {', '.join(options.classes) or 'without tracks'}",
            wanted="at least one of " + ", ".join(entry.name for entry in card.classes),
        )
    device, given, sha256 = device_kind(options.device), card_vectors(card, vectors), file_sha256(path)
    taken = choices.mode(path, card, sha256, stride, options.mode, device)
    if taken is not None:
        mode, most = taken, choices.most_windows(card)
    else:
        mode = choose_mode(path, card, stride, options.mode, device)
        if device == "cpu":
            mode = choose_form(mode, path, card, options.mode, given)
        most = choose_run(mode.dense, device) if mode.dense else None
    plan = ModelPlan(path, card, sha256, stride, tuple(tracks), mode, given, most)
    if not slots:
        return plan
    settled = choices.contributions(card) if taken is not None else None
    explanation = plan_explanation(plan, slots, reference, options, device, settled)
    if settled is None:
        explanation = try_explanation(plan, explanation, device)
    else:
        explanation = replace(explanation, largest=choices.largest_deltas(card))
    return replace(plan, explanation=explanation)


def _prediction_tracks(card: Card, stride: int, options: ScanOptions) -> list[TrackPlan]:
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
                for strand in strands_of(card):
                    file = track_file(card, entry.name, strand)
                    rounding = _rounding(options, output)
                    tracks.append(TrackPlan(file, index, class_index, strand, grid, rounding, options.min_value))
    return tracks


def _rounding(options: ScanOptions, output: OutputSpec) -> int | str | None:
    if options.digits == "full":
        return None
    if options.digits is not None:
        return options.digits
    return PROBABILITY_ROUNDING if output.role == "probability" else None
