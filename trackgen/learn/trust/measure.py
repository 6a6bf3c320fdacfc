"""Measures how far the contributions of a model can be trusted, on the calls of sequences that it never saw."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, ClassSpec, read_card
from trackgen.errors import DataError, UsageError
from trackgen.genome import open_genome
from trackgen.learn.figures import rounded
from trackgen.learn.trust.calls import find_calls, track_rows
from trackgen.learn.trust.explained import REFERENCES, STANDARD, USUAL_SHUFFLES, CallExplainer, Shuffles, Sources
from trackgen.learn.trust.instances import Instance, KnownMotif, find_instances, instances_in, is_recalled
from trackgen.progress import Progress
from trackgen.scan.explaining import first_sequence
from trackgen.scan.job import run_scan
from trackgen.scan.made_signals import opened_signals
from trackgen.scan.options import ContributionWeight, ScanOptions
from trackgen.scan.sources import card_vectors, match_inputs, read_vectors

__all__ = ["WEIGHTS", "TrustOptions", "correlation", "measure_trust"]

Float32 = NDArray[np.float32]
NamedFiles = tuple[tuple[str, Path], ...]

EVERY_CLASS = "all"
WEIGHTS: tuple[ContributionWeight, ...] = ("calls", "probability", "uniform")


@dataclass(frozen=True)
class TrustOptions:
    """What to measure.

    Attributes:
        model, genome: files.
        output: folder of the scans that the figures come from; scans that are there already are not made again.
        sequences: whose calls are explained; empty: those that the card says were held out.
        signals, vectors: files of those inputs, by name.
        motifs: whose known instances the contributions should show.
        number: of windows of each class at most, for what takes shuffles.
        shuffles: how many.
        seed: of the windows that are drawn, and of their shuffles.
        threads: cores to use.
    """

    model: Path
    genome: Path
    output: Path
    sequences: tuple[str, ...] = ()
    signals: NamedFiles = ()
    vectors: NamedFiles = ()
    motifs: tuple[KnownMotif, ...] = ()
    number: int = 300
    shuffles: Shuffles = USUAL_SHUFFLES
    seed: int = 1
    threads: int = 1


def measure_trust(options: TrustOptions, progress: Progress) -> dict[str, Any]:
    """The figures, JSON-ready, as ``training.contributions`` of a card keeps them.

    Raises:
        UsageError: no class has calls, no sequence was held out, or an option that can't be honoured.
        DataError: a genome, signal or BED file is missing or malformed, or there is no call.
        ModelError: the model can't be explained.
    """
    card = read_card(options.model)
    classes = _classes(card)
    match_inputs([card], options.signals, options.vectors)
    with open_genome(options.genome) as genome, contextlib.ExitStack() as stack:
        names = _sequences(options, card, genome.lengths)
        signals = stack.enter_context(opened_signals(options.signals, card, genome.lengths, names, progress))
        vectors = card_vectors(card, read_vectors([card], options.vectors))
        sources = Sources(genome, signals, vectors)
        instances = [find_instances(motif, genome, names) for motif in options.motifs]
        explained = [entry for _, entry in classes]
        runs = {weight: _scan(options, explained, names, weight, progress) for weight in WEIGHTS}
        measured = [
            _Class(options, card, number, entry, sources, runs, names).measure(instances, progress)
            for number, entry in classes
        ]
    return _figures(options, names, measured)


def correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Pearson's, over the places where both have a value; NaN where either is the same everywhere."""
    both = np.isfinite(one) & np.isfinite(other)
    first, second = np.asarray(one[both], np.float64), np.asarray(other[both], np.float64)
    first, second = first - first.mean(), second - second.mean()
    size = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / size if size else float("nan")


@dataclass(frozen=True)
class _Measured:
    """Figures of one class.

    Attributes:
        agreement, motifs: rows of tables.
        tracks: by weight, a correlation for each call.
    """

    name: str
    agreement: dict[str, Any]
    motifs: list[dict[str, Any]]
    tracks: dict[ContributionWeight, list[float]]


class _Class:
    """Measures one class of one output."""

    def __init__(
        self, options: TrustOptions, card: Card, output: int, entry: ClassSpec, sources: Sources,
        runs: Mapping[ContributionWeight, Path], names: Sequence[str],
    ) -> None:  # fmt: skip
        self._options, self._card, self._entry, self._runs = options, card, entry, runs
        self._index = card.outputs[output].classes.index(entry)
        self._explainer = CallExplainer(
            options.model, card, output, sources, options.shuffles, options.seed, options.threads
        )
        lengths = [(name, sources.genome.lengths[name]) for name in names]
        self._calls = find_calls(runs["calls"], card, card.outputs[output], entry, lengths)
        if not self._calls:
            raise DataError(
                f"the model calls nothing as {entry.name}, so there is nothing to explain", path=options.genome,
                place=", ".join(names), remedy="take more sequences, or set a lower threshold in the card",
            )  # fmt: skip

    def measure(self, instances: Sequence[Sequence[Instance]], progress: Progress) -> _Measured:
        """All figures; `instances` are those of each motif."""
        drawn = self._draw(range(len(self._calls)))
        places = [self._places(motif, known) for motif, known in zip(self._options.motifs, instances, strict=True)]
        shown = [self._draw(list(own)) for own in places]
        explained = self._explain(sorted({*drawn, *(number for own in shown for number in own)}), progress)
        name: dict[str, Any] = {"class": self._entry.name}
        agreement = {
            reference: float(
                np.nanmedian([correlation(explained[n][reference], explained[n][STANDARD]) for n in drawn])
            )
            for reference in REFERENCES
            if reference != STANDARD
        }
        motifs = []
        for motif, own, numbers in zip(self._options.motifs, places, shown, strict=True):
            hits = [(explained[number], place) for number in numbers for place in own[number]]
            motifs.append(name | _described(motif) | _recall(hits, len(motif.word)))
        agreement = name | {"calls": len(self._calls), "explained": len(drawn)} | agreement
        return _Measured(self._entry.name, agreement, motifs, self._tracks(progress))

    def _draw(self, numbers: Sequence[int]) -> list[int]:
        """At most so many as were asked for."""
        random = np.random.default_rng((self._options.seed, self._index))
        return sorted(random.permutation(np.array(numbers, np.int64))[: self._options.number].tolist())

    def _places(self, motif: KnownMotif, instances: Sequence[Instance]) -> dict[int, list[int]]:
        """Number of a call -> where known instances begin in its window; calls without any are left out."""
        found = {
            number: instances_in(call, self._card.window, motif, instances) for number, call in enumerate(self._calls)
        }
        return {number: places for number, places in found.items() if places}

    def _explain(self, numbers: Sequence[int], progress: Progress) -> dict[int, dict[str, Float32]]:
        """The contributions of some calls against each of `REFERENCES`."""
        found = {}
        progress.start(f"{self._entry.name} against shuffles", len(numbers), "windows")
        for number in numbers:
            found[number] = self._explainer.against_all(self._calls[number], self._index)
            progress.advance(1)
        progress.finish()
        return found

    def _tracks(self, progress: Progress) -> dict[ContributionWeight, list[float]]:
        """By weight: how each call's own window correlates with the track over it."""
        progress.start(f"{self._entry.name} against its tracks", len(self._calls), "windows")
        own = []
        for call in self._calls:
            own.append(self._explainer.against_frequencies(call, self._index))
            progress.advance(1)
        progress.finish()
        found = {}
        for weight in WEIGHTS:
            rows = track_rows(self._runs[weight], self._card, self._entry.name, self._calls)
            found[weight] = [correlation(*pair) for pair in zip(rows, own, strict=True)]
        return found


def _described(motif: KnownMotif) -> dict[str, Any]:
    return {
        "motif": motif.name, "word": motif.word, "stranded": motif.stranded, "distance": motif.distance,
        "peaks": motif.peaks.name,
    }  # fmt: skip


def _recall(hits: Sequence[tuple[Mapping[str, Float32], int]], width: int) -> dict[str, Any]:
    """By reference: the share of instances that the contributions show; NaN where there is no instance."""
    shares: dict[str, Any] = {"instances": len(hits)}
    for reference in REFERENCES:
        seen = sum(is_recalled(rows[reference], place, width) for rows, place in hits)
        shares[reference] = seen / len(hits) if hits else float("nan")
    return shares


def _figures(options: TrustOptions, names: Sequence[str], measured: Sequence[_Measured]) -> dict[str, Any]:
    motifs = [row for entry in measured for row in entry.motifs if row["instances"]]
    figures: dict[str, Any] = {
        "measured_on": list(names),
        "shuffles": options.shuffles.few,
        "shuffles_of_the_standard": options.shuffles.many,
        "seed": options.seed,
        "agreement": [entry.agreement for entry in measured],
        "motif_recall": motifs,
        "tracks": [_track_row(entry.name, [entry]) for entry in measured],
    }
    if len(measured) > 1:
        figures["tracks"].append(_track_row(EVERY_CLASS, measured))
    rounded_figures: dict[str, Any] = rounded(figures)
    return rounded_figures


def _track_row(name: str, measured: Sequence[_Measured]) -> dict[str, Any]:
    """The medians over all calls of some classes."""
    rows = {weight: [value for entry in measured for value in entry.tracks[weight]] for weight in WEIGHTS}
    medians = {weight: float(np.nanmedian(values)) for weight, values in rows.items()}
    return {"class": name, "windows": len(rows[WEIGHTS[0]])} | medians


def _classes(card: Card) -> list[tuple[int, ClassSpec]]:
    """Index of the output, and class, of all that have tracks and calls."""
    if first_sequence(card) is None:
        raise UsageError(f"model {card.name} reads no sequence, so no base contributes to it")
    found = [
        (number, entry)
        for number, output in enumerate(card.outputs)
        for entry in output.classes
        if entry.track and entry.threshold is not None and output.role == "probability" and output.resolution is None
    ]
    if not found:
        raise UsageError(
            f"model {card.name} has no calls, so there are no called windows to explain",
            wanted="a class of an output of role probability with a `threshold` in the card",
        )
    return found


def _sequences(options: TrustOptions, card: Card, lengths: Mapping[str, int]) -> tuple[str, ...]:
    named = options.sequences or tuple(card.training.get("held_out") or ())
    missing = [name for name in named if name not in lengths]
    if missing or not named:
        raise UsageError(
            "the sequences whose calls are to be explained are not in the genome", place="--test",
            found=", ".join(missing) or "none named, none held out by the card", wanted="sequences of the genome",
        )  # fmt: skip
    return tuple(named)


def _scan(
    options: TrustOptions, classes: Sequence[ClassSpec], names: Sequence[str], weight: ContributionWeight,
    progress: Progress,
) -> Path:  # fmt: skip
    """The folder of a scan with predictions and contributions, not rounded."""
    folder = options.output / weight
    run_scan(
        ScanOptions(
            models=(str(options.model),), genome=options.genome, output=folder, chroms=tuple(names), digits="full",
            contrib=tuple(entry.name for entry in classes), contrib_weight=weight, signals=options.signals,
            vectors=options.vectors, device="cpu", threads=options.threads,
        ),
        progress,
    )  # fmt: skip
    return folder
