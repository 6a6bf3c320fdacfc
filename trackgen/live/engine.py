"""Answers the protocol's questions about one genome with some models; knows nothing of how they come in.

Values come in tiles whose borders are the same for every question, so that a base's value is the same in every answer.
What is asked about an edited sequence runs in tiles of that sequence; those that no edit reaches are the reference's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import trackgen
from trackgen.errors import DataError, UsageError
from trackgen.genome import Edit, EditedGenome, Genome, assembly_name, decode
from trackgen.live.description import STRANDS
from trackgen.live.limits import MOST_FEATURES, Limits, Region, refuse_large, refuse_many_values, region_of, unknown
from trackgen.live.models import LiveModel
from trackgen.live.mutagenesis import changes_of
from trackgen.live.questions import (
    FeaturesQuestion,
    KeepQuestion,
    MutagenesisQuestion,
    Place,
    Question,
    ValuesQuestion,
    WhatIfQuestion,
)
from trackgen.live.refused import Refused
from trackgen.live.rows import Rows, View
from trackgen.live.steps import Rule, reduced, rule_of, stretches
from trackgen.live.tiles import Stop
from trackgen.scan.arguments import FilePath
from trackgen.scan.opened import Model
from trackgen.scan.options import ContributionWeight

__all__ = ["LiveEngine"]

Float32 = NDArray[np.float32]
Answer = Mapping[str, Any]
VERSION = 1
CACHE_BYTES = 256 << 20


class LiveEngine:
    """Models that are open, and what was computed with them. One object serves one thread at a time.

    Args:
        models: open models of different names.
        genome: the genome that is looked at; an open one.
        signals: file of each signal input, by NAME or NAME.CHANNEL.
        limits: the largest questions.
        cache_bytes: memory of tiles that are kept.
        keep: whether the description says that regions can be kept.
        tiles_at_once: how many are run at a time, each on the threads that the models were opened with.

    Raises:
        UsageError: two models of one name, or a signal input without a file.
        ModelError: a model can't be run.
    """

    def __init__(
        self,
        models: Sequence[Model],
        genome: Genome,
        *,
        signals: Mapping[str, FilePath] | None = None,
        limits: Limits | None = None,
        cache_bytes: int = CACHE_BYTES,
        keep: bool = False,
        tiles_at_once: int = 1,
    ) -> None:
        self.genome, self.limits, self.keep = genome, limits or Limits(), keep
        self.lengths = genome.lengths
        self.models: dict[str, LiveModel] = {}
        for model in models:
            if model.card.name in self.models:
                raise UsageError("two models have one name", place="--model", found=model.card.name)
            self.models[model.card.name] = LiveModel(model, genome, signals or {})
        self._rows = Rows(cache_bytes, tiles_at_once)
        self._reference = View(genome)

    def describe(self) -> Answer:
        """The protocol's description."""
        return {
            "schema_version": VERSION,
            "trackgen": trackgen.__version__,
            "genome": {"id": self._genome_name(), "lengths": {name: n for name, n in self.lengths.items() if n}},
            "limits": self.limits.to_dict(),
            "keep": self.keep,
            "models": [model.describe() for model in self.models.values()],
        }

    def _genome_name(self) -> str:
        return assembly_name(self.lengths) or self.genome.path.name.partition(".")[0] or "genome"

    def answer(self, question: Question, stop: Stop) -> Answer | list[Answer]:
        """The answer to a question, as the protocol has it but for arrays where it has lists of values.

        Args:
            stop: ends the work between tiles.

        Raises:
            Refused: the question can't be answered as it was asked.
            Withdrawn: `stop` said so.
            ModelError, DataError: a model or file is at fault.
        """
        stop.check()
        if isinstance(question, ValuesQuestion):
            return self.values(question, stop)
        if isinstance(question, FeaturesQuestion):
            return self.features(question, stop)
        if isinstance(question, WhatIfQuestion):
            return self.what_if(question, stop)
        assert isinstance(question, MutagenesisQuestion)
        return self.mutagenesis(question, stop)

    def values(self, question: ValuesQuestion, stop: Stop) -> Answer:
        """GET predictions and contributions."""
        model = self._model(question)
        most = self.limits.predictions if question.kind == "predictions" else self.limits.contributions
        region = region_of(question, self.lengths, most, question.kind)
        names = model.tracks_of(question.kind, question.classes)
        refuse_many_values(len(names) * -(-(region.end - region.start) // question.step))
        found = self._tracks(model, question.kind, names, question.weight, region, stop)
        tracks = [{"name": name, "values": reduced(row, question.step, rule)} for name, row, rule in found]
        head = self._head(question.kind, model, region)
        return {**head, "step": question.step, "mode": model.mode, "tracks": tracks}

    def features(self, question: FeaturesQuestion, stop: Stop) -> list[Answer]:
        """GET features: stretches of one value, gaps left out."""
        model = self._model(question)
        kind = "contributions" if question.track in model.explained else "predictions"
        known = [*model.tracks_of("predictions", None), *model.explained]
        if question.track not in known:
            raise unknown(f"track of {model.name}", "track", question.track, known)
        most = self.limits.predictions if kind == "predictions" else self.limits.contributions
        region = region_of(question, self.lengths, most, kind)
        refuse_many_values(-(-(region.end - region.start) // question.step), MOST_FEATURES)
        ((_, row, rule),) = self._tracks(model, kind, [question.track], question.weight, region, stop)
        values = reduced(row, question.step, rule)
        return [
            {"chr": region.name, "start": start, "end": end, "value": value}
            for start, end, value in stretches(values, region.start, region.end, question.step)
        ]

    def what_if(self, question: WhatIfQuestion, stop: Stop) -> Answer:
        """POST whatif: reference and alternative."""
        model = self._model(question)
        region = region_of(question, self.lengths, self.limits.whatif, "a what-if")
        edited = self._edited(question, region)
        view = View(edited, edited.edits)
        start, end = edited.span(region.name, region.start, region.end)
        refuse_large(end - start, self.limits.whatif, "a what-if")
        predicted = model.tracks_of("predictions", question.classes)
        explained = model.tracks_of("contributions", question.contributions)
        refuse_many_values((len(predicted) + len(explained)) * (region.end - region.start + end - start))
        there = Region(region.name, start, end, edited.lengths[region.name])
        asked = _Asked(model, predicted, explained, question.weight)
        reference = self._both(asked, region, self._reference, stop)
        alternative = self._both(asked, there, view, stop)
        return {
            **self._head("whatif", model, region),
            "mode": model.mode,
            "edits": [self._told(edit) for edit in edited.edits],
            "alternative": {"start": start, "end": end},
            "sequence": {
                "reference": self._letters(self.genome, region.name, region.start, region.end),
                "alternative": self._letters(edited, region.name, start, end),
            },
            "aligned": [list(piece) for piece in edited.aligned(region.name, region.start, region.end)],
            "tracks": [
                {"name": name, "reference": reference[name], "alternative": alternative[name]}
                for name in [*predicted, *explained]
            ],
        }

    def mutagenesis(self, question: MutagenesisQuestion, stop: Stop) -> Answer:
        """POST mutagenesis: all changes of single bases."""
        model = self._model(question)
        region = region_of(question, self.lengths, self.limits.mutagenesis, "mutagenesis")
        model.tracks_of("predictions", [question.class_])
        one = model.predictor()
        tracks = [track for track in one.tracks.values() if model.class_of(track) == question.class_]
        track = next((entry for entry in tracks if STRANDS[entry.strand] == question.strand), None)
        if track is None:
            raise Refused(
                404,
                f"{question.class_} of {model.name} has no track of this strand",
                place="strand",
                found=repr(question.strand),
                wanted=" or ".join(STRANDS[entry.strand] for entry in tracks),
            )
        if question.at is not None and question.at >= region.length:
            wanted = f"0 to {region.length - 1}"
            raise Refused(400, "this is no base of the sequence", place="at", found=question.at, wanted=wanted)
        found = changes_of(one.prepared, track, self.genome, model.files, region, question.at, stop)
        return {
            **self._head("mutagenesis", model, region),
            "class": question.class_,
            "strand": question.strand,
            "at": question.at,
            "sequence": self._letters(self.genome, region.name, region.start, region.end),
            "reference": None if math.isnan(found.reference) else float(f"{found.reference:.9g}"),
            "deltas": dict(zip("ACGT", found.deltas, strict=True)),
        }

    def region_to_keep(self, question: KeepQuestion) -> Region:
        """What POST keep is to write.

        Raises:
            Refused: there is no such model, class or region, or it is too large.
        """
        model = self._model(question)
        model.tracks_of("contributions", question.contributions)
        most = self.limits.contributions if question.contributions else self.limits.predictions
        return region_of(question, self.lengths, most, "keeping")

    def _model(self, place: Place) -> LiveModel:
        if place.model not in self.models:
            raise unknown("model", "model", place.model, self.models)
        return self.models[place.model]

    def _head(self, kind: str, model: LiveModel, region: Region) -> dict[str, Any]:
        return {
            "schema_version": VERSION,
            "kind": kind,
            "model": model.name,
            "chr": region.name,
            "start": region.start,
            "end": region.end,
        }

    def _edited(self, question: WhatIfQuestion, region: Region) -> EditedGenome:
        if len(question.edits) > self.limits.edits:
            raise Refused(
                413, "these are too many edits", place="edits", found=len(question.edits), wanted=self.limits.edits
            )
        edits = [Edit(region.name, entry.start, entry.end, entry.sequence) for entry in question.edits]
        try:
            return EditedGenome(self.genome, edits)
        except DataError as error:
            raise Refused(
                400, error.what, place=error.place, found=error.found, wanted=error.wanted, remedy=error.remedy
            ) from error

    def _told(self, edit: Edit) -> Answer:
        reference = self._letters(self.genome, edit.name, edit.start, edit.end)
        return {"start": edit.start, "end": edit.end, "sequence": edit.sequence, "reference": reference}

    @staticmethod
    def _letters(genome: Genome, name: str, start: int, end: int) -> str:
        return decode(genome.fetch(name, start, end))

    def _tracks(
        self,
        model: LiveModel,
        kind: str,
        names: Sequence[str],
        weight: ContributionWeight | None,
        region: Region,
        stop: Stop,
    ) -> Iterator[tuple[str, Float32, Rule]]:
        """Rows of tracks of one kind, and how their values are joined."""
        classes = [model.class_of(model.explained[name]) for name in names] if kind == "contributions" else []
        passes = model.explainers(classes, weight) if classes else [model.predictor()]
        for one in passes:
            mine = [name for name in names if name in one.tracks]
            for name, row in self._rows.of(model, one, mine, region, self._reference, stop):
                yield name, row, rule_of(one.tracks[name], model.card)

    def _both(self, asked: _Asked, region: Region, view: View, stop: Stop) -> dict[str, Float32]:
        """Rows of predictions and contributions; where there are both, one pass gives both."""
        model, found = asked.model, dict[str, Float32]()
        classes = [model.class_of(model.explained[name]) for name in asked.explained]
        passes = model.explainers(classes, asked.weight) if classes else [model.predictor()]
        for one in passes:
            names = [name for name in (*asked.predicted, *asked.explained) if name in one.tracks and name not in found]
            found |= dict(self._rows.of(model, one, names, region, view, stop))
        return found


class _Asked(NamedTuple):
    """What a what-if wants of each sequence: names of tracks."""

    model: LiveModel
    predicted: Sequence[str]
    explained: Sequence[str]
    weight: ContributionWeight | None
