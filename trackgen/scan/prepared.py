"""A model that is planned and loaded once, and then run on any stretch of a genome, or of an edited one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trackgen.genome import EditedGenome, Genome
from trackgen.genome.tiling import Tile
from trackgen.progress import NullProgress
from trackgen.scan.inputs import SignalValues
from trackgen.scan.made_signals import make_signals
from trackgen.scan.modes import Threading
from trackgen.scan.options import ScanOptions
from trackgen.scan.plan import ModelPlan, ScanPlan
from trackgen.scan.runners import ModelRunner, open_runners
from trackgen.scan.slots import choose_slots
from trackgen.scan.sources import SignalFiles
from trackgen.scan.stretches import Spans
from trackgen.scan.tile import TrackValues, run_model, track_values
from trackgen.scan.tile_input import TileInput, TileSignals, read_tile
from trackgen.scan.tracks import TrackPlan, contribution_tracks

__all__ = ["EditedSignals", "Prepared", "lay", "prepare", "track_name"]

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Prepared:
    """One model for one kind of question; made by `prepare`.

    Attributes:
        plan: of the whole genome.
        options: that it was made of.
        runner: the model on its device.
    """

    plan: ScanPlan
    options: ScanOptions
    runner: ModelRunner

    @property
    def model(self) -> ModelPlan:
        """The plan's model."""
        return self.plan.models[0]

    @property
    def begins_before(self) -> int:
        """How far before a base the item may begin that gives its value, bp."""
        return max(track.grid.step for track in self.model.tracks)

    def explaining(self, class_: str) -> Prepared:
        """The same for the contributions to another class of the same output, on the same graph.

        Raises:
            UsageError: no such class.
        """
        model, options = self.model, replace(self.options, contrib=(class_,))
        assert model.explanation is not None
        slots = choose_slots(model.card, options, set())
        assert {slot.output for slot in slots} == {slot.output for slot in model.explanation.slots}
        dense = tuple(range(len(slots))) if model.explanation.dense_slots else ()
        explanation = replace(model.explanation, slots=slots, dense_slots=dense)
        predicted = tuple(track for track in model.tracks if track.slot is None)
        explained = contribution_tracks(model.card, explanation.classes, None)
        changed = replace(model, tracks=(*predicted, *explained), explanation=explanation)
        return replace(self, plan=replace(self.plan, models=(changed,)), options=options)

    def open_signals(self, genome: Genome) -> SignalFiles | EditedSignals:
        """The signal files, to be read at the coordinates of `genome`; they serve one thread, and are to be closed."""
        files = SignalFiles(self.plan.signals, self.plan.reference.path)
        return EditedSignals(files, genome) if isinstance(genome, EditedGenome) else files

    def read(self, genome: Genome, signals: TileSignals, tile: Tile, wanted: Spans | None = None) -> TileInput:
        """What the model reads for a tile.

        Args:
            genome: that of the plan, or an edited one, whose coordinates are then those of `tile`.
            wanted: stretches of the sequence that get values; all of it where None.

        Raises:
            DataError: the genome or a signal file proves damaged.
        """
        wanted = np.array([[0, tile.length]], np.int64) if wanted is None else wanted
        return read_tile(genome, signals, replace(self.plan, wanted={tile.name: wanted}), tile)

    def run(
        self, source: TileInput, tell_share: Callable[[float], None] = lambda share: None
    ) -> dict[str, TrackValues]:
        """What each track gets from a tile, by its name, not rounded. Several threads may run a tile each.

        Args:
            tell_share: called now and then with the share of the work that was just done. What it raises ends the run.

        Raises:
            ModelError: the model yields NaN or infinity.
        """
        values = run_model(self.model, self.runner, source, tell_share=tell_share)
        return {track_name(track): track_values(track, source, values) for track in self.model.tracks}

    def tracks(
        self, genome: Genome, name: str, start: int, end: int, wanted: Spans | None = None
    ) -> dict[str, Float32]:
        """The values of the bases [start, end) of a sequence: track name -> float32 (end - start,), NaN in gaps."""
        results = {track_name(track): np.full(end - start, np.nan, np.float32) for track in self.model.tracks}
        length = genome.lengths[name]
        begin = max(0, start - self.begins_before)
        with self.open_signals(genome) as signals:
            for low in range(begin, end, self.plan.tile):
                tile = Tile(name, low, min(end, low + self.plan.tile), length)
                parts = self.run(self.read(genome, signals, tile, wanted))
                for track in self.model.tracks:
                    lay(results[track_name(track)], start, track, parts[track_name(track)])
        return results


def prepare(plan: ScanPlan, options: ScanOptions, threads: int) -> Prepared:
    """Make the signals of a plan of one model, and load the model.

    Raises:
        DataError: reads that a signal is made of can't be used.
        ModelError: the model can't be loaded.
    """
    make_signals(plan.signals, plan.lengths, NullProgress())
    (runner,) = open_runners(plan, options, Threading(1, threads), NullProgress())
    return Prepared(plan, options, runner)


class EditedSignals:
    """Signal files at the coordinates of an edited genome: inserted bases have no value, changed ones keep theirs.

    Args:
        files: at the coordinates of the reference; closed with this object.
        genome: the edited one.
    """

    def __init__(self, files: SignalFiles, genome: EditedGenome) -> None:
        self._files, self._genome = files, genome
        self.reference = files.reference

    def read(self, name: str, start: int, end: int) -> SignalValues:
        """Raw values of the bases [start, end) of the edited sequence, as `SignalFiles.read` gives them."""
        found = self._files.read(name, 0, 1)
        values = {key: np.full(end - start, np.nan, np.float32) for key in found}
        for piece in self._genome.aligned(name, 0, self._genome.reference.lengths[name]) if found else ():
            low, high = max(start, piece.edited), min(end, piece.edited + piece.length)
            if low < high:
                shift = piece.reference - piece.edited
                for key, part in self._files.read(name, low + shift, high + shift).items():
                    values[key][low - start : high - start] = part
        return SignalValues(values, found.sources)

    def close(self) -> None:
        """Release the files. Closing twice is fine."""
        self._files.close()

    def __enter__(self) -> EditedSignals:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def track_name(track: TrackPlan) -> str:
    """The track's file without the model's name and the suffix."""
    return track.file.split(".", 1)[1].removesuffix(".bw")


def lay(row: Float32, start: int, track: TrackPlan, part: TrackValues) -> None:
    """Hold each item's value over its bases, in a row of bases that begins at `start`, less the gaps."""
    if not len(part.values):
        return
    first = part.first * track.grid.step + track.grid.offset
    held = np.repeat(part.values, track.grid.step)
    for low, high in part.gaps:
        held[max(0, low - first) : max(0, high - first)] = np.nan
    low, high = max(first, start), min(first + len(held), start + len(row))
    if low < high:
        row[low - start : high - start] = held[low - first : high - first]
