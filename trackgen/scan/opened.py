"""One model in Python: `trackgen.open_model(path).predict(genome, region)`, and `.contributions(...)`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, read_card
from trackgen.genome import Genome, open_genome
from trackgen.genome.tiling import Tile
from trackgen.progress import NullProgress
from trackgen.resources import find_model
from trackgen.runtime import default_threads
from trackgen.scan.arguments import FilePath, as_named_files
from trackgen.scan.made_signals import make_signals
from trackgen.scan.modes import Threading
from trackgen.scan.options import Attribution, ContributionWeight, ScanOptions
from trackgen.scan.plan import ScanPlan, make_plan
from trackgen.scan.runners import ModelRunner, open_runners
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tile import TrackValues, run_model, track_values
from trackgen.scan.tile_input import read_tile
from trackgen.scan.tracks import TrackPlan

__all__ = ["Model", "open_model"]

Float32 = NDArray[np.float32]


class Model:
    """A model that is ready to predict; made by `open_model`.

    Attributes:
        path: its file.
        card: what it says of itself.
    """

    def __init__(self, path: Path, device: str, threads: int, mode: Literal["auto", "dense", "window"]) -> None:
        self.path = path
        self.card: Card = read_card(path)
        self._device, self._threads, self._mode = device, threads, mode
        self._made: tempfile.TemporaryDirectory[str] | None = None
        self._runners: dict[tuple[object, ...], ModelRunner] = {}

    def predict(
        self,
        genome: FilePath | Genome,
        region: str,
        *,
        stride: int | None = None,
        signals: Mapping[str, FilePath] | None = None,
        vectors: Mapping[str, FilePath] | None = None,
    ) -> dict[str, Float32]:
        """The values that `trackgen scan` writes for a region, before rounding.

        Args:
            genome: FASTA or 2bit file, or an open genome.
            region: ``chr:a-b`` (1-based, both ends included) or ``chr``.
            stride: distance between windows, bp; the card's where None.
            signals: file of each signal input, by NAME or NAME.CHANNEL: BigWig, or reads where the card says how they
                are counted.
            vectors: TSV file of vector inputs, by NAME; the card's default stands in.

        Returns:
            Track name (``class``, ``class.plus`` or ``class.minus``) -> float32 (bases of the region,), NaN in gaps.

        Raises:
            UsageError: a region, stride or input that does not exist.
            DataError: a genome, signal or vector file that is missing or malformed.
            ModelError: the model yields NaN or infinity.

        >>> import trackgen
        >>> model = trackgen.open_model("tss-yeast")
        >>> values = model.predict(genome, "chrI:1,001-1,200")
        >>> sorted(values)
        ['broad.minus', 'broad.plus', 'sharp.minus', 'sharp.plus']
        >>> values["sharp.plus"].shape
        (200,)
        """
        return self._run(genome, {"regions": (region,), "stride": stride}, signals, vectors)

    def contributions(
        self,
        genome: FilePath | Genome,
        region: str,
        class_: str,
        *,
        weight: ContributionWeight | None = None,
        reference: str | os.PathLike[str] | None = None,
        attribution: Attribution = "deeplift",
        profile_target: str | int | None = None,
        stride: int | None = None,
        signals: Mapping[str, FilePath] | None = None,
        vectors: Mapping[str, FilePath] | None = None,
    ) -> dict[str, Float32]:
        """What each base of a region contributes to a class: what `trackgen scan --contrib` writes, before rounding.

        Args:
            genome, region, stride, signals, vectors: as for `predict`.
            class_: the name of a class, or ``all`` for every class that has a track.
            weight: ``uniform``, ``probability`` or ``calls``: how the windows over a base count; the card's way where
                None.
            reference: ``frequencies`` (the card's), ``shuffle:N``, four numbers with commas, or a genome file.
            attribution: ``deeplift``, ``gradient``, ``saliency``, ``occlusion`` or ``substitution``.
            profile_target: what of a profile is explained: ``sum``, ``centre`` or a position.

        Returns:
            Track name (``class.contrib``, ``class.plus.contrib``, ``class.plus.SIGNAL.contrib``) -> float32 (bases of
            the region,), in logits, NaN in gaps.

        Raises:
            UsageError: a class, region or option that does not exist or does not fit the model.
            DataError: a genome, signal or vector file that is missing or malformed.
            ModelError: the model can't be explained, or yields NaN or infinity.

        >>> import trackgen
        >>> model = trackgen.open_model("tss-yeast")
        >>> values = model.contributions(genome, "chrI:1,001-1,200", "sharp", weight="uniform")
        >>> sorted(values)
        ['sharp.minus.contrib', 'sharp.plus.contrib']
        >>> values["sharp.plus.contrib"].shape
        (200,)
        """
        asked = {
            "regions": (region,),
            "stride": stride,
            "contrib": (class_,),
            "contrib_weight": weight,
            "reference": None if reference is None else os.fspath(reference),
            "attribution": attribution,
            "profile_target": None if profile_target is None else str(profile_target),
        }
        values = self._run(genome, asked, signals, vectors)
        return {name: track for name, track in values.items() if name.endswith(".contrib")}

    def _run(
        self,
        genome: FilePath | Genome,
        asked: Mapping[str, Any],
        signals: Mapping[str, FilePath] | None,
        vectors: Mapping[str, FilePath] | None,
    ) -> dict[str, Float32]:
        """The tracks of one region, by name."""
        with contextlib.ExitStack() as stack:
            if isinstance(genome, str | os.PathLike):
                genome = stack.enter_context(open_genome(genome))
            options = ScanOptions(
                models=(str(self.path),),
                genome=genome.path,
                output=Path(),
                signals=as_named_files("signals", signals or {}, "a BigWig file, or of reads"),
                vectors=as_named_files("vectors", vectors or {}, "a TSV file"),
                device=self._device,
                threads=self._threads,
                mode=self._mode,
                **asked,
            )
            return self._tracks(genome, options)

    def _signal_folder(self) -> Path:
        """Where signals are made of reads: once for each file, and gone with this object."""
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="trackgen-signals-")
        return Path(self._made.name)

    def _tracks(self, genome: Genome, options: ScanOptions) -> dict[str, Float32]:
        plan = make_plan(options, genome, signal_folder=self._signal_folder())
        (name, spans), *_ = plan.wanted.items()
        start, end = int(spans[0, 0]), int(spans[-1, 1])
        (model,) = plan.models
        results = {_track_name(track): np.full(end - start, np.nan, np.float32) for track in model.tracks}
        runner = self._runner(plan, options)
        make_signals(plan.signals, plan.lengths, NullProgress())
        with SignalFiles(plan.signals, plan.reference.path) as files:
            for tile in _tiles(plan, name, start, end):
                source = read_tile(genome, files, plan, tile)
                values = run_model(model, runner, source)
                for track in model.tracks:
                    _lay(results[_track_name(track)], start, track, track_values(track, source, values))
        return results

    def _runner(self, plan: ScanPlan, options: ScanOptions) -> ModelRunner:
        """The model on its device, opened once for each stride and set of vectors."""
        (model,) = plan.models
        explained = "" if model.explanation is None else json.dumps(model.explanation.summary(), sort_keys=True)
        key = (model.stride, explained, *((name, values.tobytes()) for name, values in model.vectors.items()))
        if key not in self._runners:
            (self._runners[key],) = open_runners(plan, options, Threading(1, self._threads), NullProgress())
        return self._runners[key]


def open_model(
    path: FilePath,
    *,
    device: str = "auto",
    threads: int | None = None,
    mode: Literal["auto", "dense", "window"] = "auto",
) -> Model:
    """Open a model for predictions in Python.

    Args:
        path: an ONNX file with a card inside, or the name of a shipped model.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        threads: cores to use; as many as this process may use where None.
        mode: ``dense`` shares the work of neighbouring windows, ``window`` runs each by itself.

    Raises:
        ModelError: no such model, or no card inside.
    """
    return Model(find_model(os.fspath(path)), device, threads or default_threads(), mode)


def _tiles(plan: ScanPlan, name: str, start: int, end: int) -> Sequence[Tile]:
    """Tiles that hold every item which reaches into [start, end): one that begins before it too."""
    length = plan.lengths[name]
    begin = max(0, start - max(track.grid.step for track in plan.models[0].tracks))
    return [Tile(name, low, min(end, low + plan.tile), length) for low in range(begin, end, plan.tile)]


def _track_name(track: TrackPlan) -> str:
    """The track's file without the model's name and the suffix."""
    return track.file.split(".", 1)[1].removesuffix(".bw")


def _lay(row: Float32, start: int, track: TrackPlan, part: TrackValues) -> None:
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
