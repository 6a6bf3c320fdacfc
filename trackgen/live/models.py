"""The models of a live server, each opened once: what they are asked for, in tiles, and what they say of themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackgen.card import OutputSpec
from trackgen.errors import ModelError, UsageError
from trackgen.genome import Genome
from trackgen.live.description import describe_model
from trackgen.live.limits import unknown
from trackgen.scan.arguments import FilePath
from trackgen.scan.opened import Model
from trackgen.scan.options import ContributionWeight
from trackgen.scan.prepared import Prepared, track_name
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tracks import TrackPlan

__all__ = ["LiveModel", "Pass"]

SMALLEST_TILE = 2048
"""Bases: a view of 2 kb is two tiles, and one of 100 kb spends little of its time between them..."""
WINDOWS_OF_TILE = 2
"""... unless that were less than so many windows, since what a tile reads beyond its ends is read twice."""
MOST_TOGETHER = 4
"""Classes of an output that are explained in one pass; of outputs with more, each by itself."""


@dataclass(frozen=True)
class Pass:
    """One way of running a model over a tile.

    Attributes:
        key: of the tiles: the same for equal values.
        prepared: the model, ready.
        tracks: by name.
        reach: a tile's values depend on no base further than so many from it.
    """

    key: tuple[object, ...]
    prepared: Prepared
    tracks: Mapping[str, TrackPlan]
    reach: int


class LiveModel:
    """A model that answers questions about one genome. One object serves one thread at a time.

    Args:
        model: the model.
        genome: the genome that is looked at.
        signals: file of each signal input, by name, those of other models among them.

    Raises:
        UsageError: a signal input without a file.
        ModelError: the model can't be run.
    """

    def __init__(self, model: Model, genome: Genome, signals: Mapping[str, FilePath]) -> None:
        self.model, self.card = model, model.card
        self._genome = genome
        names = {entry.name for entry in self.card.inputs}
        self._signals = {name: path for name, path in signals.items() if name.partition(".")[0] in names}
        self.tile = max(SMALLEST_TILE, _power_of_two(WINDOWS_OF_TILE * self.card.window))
        self._passes: dict[tuple[object, ...], Pass] = {}
        prepared = model.prepare(genome, {"tile": self.tile}, self._signals)
        self.files = SignalFiles(prepared.plan.signals, None)
        self._predictor = self._pass(("predictions",), prepared)
        self.notes = list(prepared.plan.notes)
        self.explained = self._explained_tracks()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.card.name

    @property
    def mode(self) -> str:
        """``dense``, or ``window`` where neighbouring windows share no work."""
        return self._predictor.prepared.model.mode.name

    def predictor(self) -> Pass:
        """What predicts all classes that have tracks."""
        return self._predictor

    def explainers(self, classes: Sequence[str], weight: ContributionWeight | None) -> list[Pass]:
        """What explains some classes, and predicts in the same pass.

        Args:
            classes: all of them have tracks of contributions.
            weight: None for the usual one of each class's output.

        Raises:
            UsageError: an output that can't be weighted so.
        """
        groups = [group for group in self._groups() if set(group) & set(classes)]
        if weight == "calls":
            # Not all of an output's classes need have a threshold.
            groups = [(name,) for group in groups for name in group if name in classes]
        return [self._explainer(group, weight) for group in groups]

    def _explainer(self, group: tuple[str, ...], weight: ContributionWeight | None) -> Pass:
        output = self._output_of(group[0])
        weight = weight or ("probability" if output.role == "probability" and output.resolution is None else "uniform")
        key = ("contributions", group, weight)
        if key not in self._passes:
            asked: dict[str, Any] = {"tile": self.tile, "contrib_weight": weight}
            asked["profile_target"] = None if output.resolution is None else "sum"
            asked["contrib"] = group if len(group) > 1 else (_first_of(output, weight),)
            prepared = self.model.prepare(self._genome, asked, self._signals)
            prepared = prepared if asked["contrib"] == group else prepared.explaining(group[0])
            self._passes[key] = self._pass(key, prepared)
        return self._passes[key]

    def _pass(self, key: tuple[object, ...], prepared: Prepared) -> Pass:
        """The pass, and how far its tiles read: windows over the tile's bases, and those that calls depend on."""
        model = prepared.model
        tracks = {track_name(track): track for track in model.tracks if track.input is None}
        reach = 2 * self.card.window + max(track.grid.step for track in model.tracks)
        if model.explanation is not None:
            reach += model.explanation.block * model.stride + 2 * model.explanation.distance
        return Pass((self.name, *key), prepared, tracks, reach)

    def _groups(self) -> list[tuple[str, ...]]:
        """The classes with tracks that are explained together."""
        found: list[tuple[str, ...]] = []
        for output in self.card.outputs:
            names = tuple(entry.name for entry in output.classes if entry.track)
            found += [names] if 1 < len(names) <= MOST_TOGETHER else [(name,) for name in names]
        return found

    def _output_of(self, class_: str) -> OutputSpec:
        return next(entry for entry in self.card.outputs if class_ in [one.name for one in entry.classes])

    def _explained_tracks(self) -> dict[str, TrackPlan]:
        """The tracks of contributions, by name; none where the model can't be explained."""
        found: dict[str, TrackPlan] = {}
        refused: dict[str, list[str]] = {}
        for group in self._groups():
            try:
                one = self._explainer(group, None)
            except (ModelError, UsageError) as error:
                refused.setdefault(error.what, []).extend(group)
                continue
            found |= {name: track for name, track in one.tracks.items() if track.slot is not None}
            self.notes += [text for text in one.prepared.plan.notes if text not in self.notes]
        self.notes += [f"{self.name}, {', '.join(names)}: {why}" for why, names in refused.items()]
        return found

    def tracks_of(self, kind: str, classes: Sequence[str] | None) -> list[str]:
        """The names of the tracks of some classes, in the card's order; of all where None.

        Raises:
            Refused: a class that has none.
        """
        tracks = self._predictor.tracks if kind == "predictions" else self.explained
        own = {name: self.class_of(track) for name, track in tracks.items()}
        for name in classes or ():
            if name not in own.values():
                raise unknown(f"class of {self.name} with {kind}", "classes", name, sorted(set(own.values())))
        return [name for name, class_ in own.items() if classes is None or class_ in classes]

    def class_of(self, track: TrackPlan) -> str:
        """The class of a track."""
        return self.card.outputs[track.output].classes[track.class_index].name

    def describe(self) -> dict[str, Any]:
        """The model as the description has it."""
        explained = {self.class_of(track) for track in self.explained.values()}
        return describe_model(self.card, self.mode, explained=explained, note="; ".join(self.notes))

    def close(self) -> None:
        """Release the signal files."""
        with contextlib.suppress(OSError):
            self.files.close()


def _first_of(output: OutputSpec, weight: ContributionWeight) -> str:
    """The class whose graph explains the others of its output, too."""
    names = [entry.name for entry in output.classes if entry.track]
    called = [entry.name for entry in output.classes if entry.track and entry.threshold is not None]
    return (called or names)[0] if weight == "calls" else names[0]


def _power_of_two(bases: int) -> int:
    """The smallest power of two that is not below `bases`."""
    return 1 << (bases - 1).bit_length()
