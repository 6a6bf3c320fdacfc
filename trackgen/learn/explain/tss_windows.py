"""A TSS model and the windows that it is explained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, load_model, read_card
from trackgen.errors import ModelError, UsageError
from trackgen.genome import Genome
from trackgen.genome.regions import Interval, parse_regions
from trackgen.learn.datasets.clusters import load_clusters
from trackgen.learn.datasets.counts import open_counts
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.tss import CLASSES, TssData, class_labels
from trackgen.learn.datasets.windows import Sites, read_windows, window_flanks
from trackgen.learn.explain.tensors import SequenceTensor, sequence_tensor
from trackgen.runtime import open_session

__all__ = ["TssModel", "TssSources", "TssWindows", "open_tss_model", "read_tss_windows"]

Float32 = NDArray[np.float32]
Codes = NDArray[np.uint8]

BATCH = 1024


@dataclass(frozen=True)
class TssModel:
    """A model of sharp, broad and background bases, opened for predictions."""

    path: Path
    card: Card
    graph: Any
    tensor: SequenceTensor
    output: str
    columns: tuple[int, ...]
    """The model's index of each of `CLASSES`."""
    threads: int

    @property
    def site(self) -> int:
        """Index of the TSS in the window."""
        return window_flanks(self.card.window)[0]

    @property
    def background(self) -> NDArray[np.float64]:
        """The card's reference: frequencies of A, C, G, T."""
        return np.asarray(self.card.reference.values, dtype=np.float64)

    def predictor(self) -> Any:
        """(N, 4, L) -> (N, 3) probabilities in the order of `CLASSES`."""
        session = open_session(self.path, device="cpu", threads=self.threads)

        def predict(values: Float32) -> Float32:
            parts = [
                session.run({self.tensor.name: self.tensor.put(values[first : first + BATCH])}, [self.output])[0]
                for first in range(0, len(values), BATCH)
            ]
            return np.concatenate(parts)[:, list(self.columns)]

        return predict


def open_tss_model(path: Path, threads: int) -> TssModel:
    """Open a model, and refuse one of another kind.

    Raises:
        ModelError: it is no model of sharp, broad and background bases from the sequence alone.
    """
    card = read_card(path)
    tensor = sequence_tensor(card, path)
    output = card.outputs[0]
    names = [entry.name for entry in output.classes]
    found = None
    if len(card.outputs) != 1 or output.activation != "softmax" or sorted(names) != sorted(CLASSES):
        found = f"outputs {', '.join(entry.name for entry in card.outputs)} with classes {', '.join(names)}"
    elif len(card.inputs) != 1:
        found = f"inputs {', '.join(entry.name for entry in card.inputs)}"
    elif card.bin != 1:
        found = f"a bin of {card.bin} bp"
    if found is not None:
        raise ModelError(
            "this is no model of transcription start sites as `trackgen train tss` makes them", path=path, found=found,
            wanted=f"one softmax output of the classes {', '.join(CLASSES)}, bin 1, the sequence as only input",
            remedy="`trackgen explain motifs` explains any model that reads a sequence",
        )  # fmt: skip
    columns = tuple(names.index(name) for name in CLASSES)
    return TssModel(path, card, load_model(path), tensor, output.name, columns, threads)


@dataclass(frozen=True)
class TssSources:
    """Where start sites come from; see `trackgen train tss`.

    Attributes:
        judged: sequences whose windows judge the model; empty: those that its card says were held out.
        excluded: regions of which nothing is used.
        min_count: of a cluster that is used; None: the card's.
        number: windows of each class at most, for contributions.
        seed: of what is drawn.
    """

    clusters: tuple[Path, ...]
    counts: tuple[Path, ...] = ()
    counts_plus: tuple[Path, ...] = ()
    counts_minus: tuple[Path, ...] = ()
    judged: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    min_count: float | None = None
    number: int = 2000
    seed: int = 1


@dataclass(frozen=True)
class TssWindows:
    """Windows around bases, as codes.

    Attributes:
        judged: names of the sequences that judge the model.
        codes, labels: uint8 (N, L), and (N,) index into `CLASSES`: of those sequences, nine background bases a TSS.
        sites: by class, start sites of all sequences; with `windows`, their codes.
    """

    judged: tuple[str, ...]
    codes: Codes
    labels: NDArray[np.int64]
    sites: dict[str, Sites]
    windows: dict[str, Codes]


def read_tss_windows(model: TssModel, genome: Genome, sources: TssSources) -> TssWindows:
    """The windows that a model is explained on.

    Raises:
        UsageError: a sequence that the genome lacks, or no sequence to judge by.
        DataError: a file is missing or malformed, or a class has no TSS.
    """
    lengths = genome.lengths
    judged = sources.judged or _held_out(model.card, lengths)
    for name in judged:
        if name not in lengths:
            raise UsageError(f"the sequence {name} is not in the genome", place="--test", wanted=", ".join(lengths))
    counts = open_counts(sources.counts, sources.counts_plus, sources.counts_minus, lengths)
    min_count = sources.min_count
    if min_count is None:
        min_count = float(model.card.training.get("min_count", 0.0))
    data = TssData(
        genome, load_clusters(sources.clusters, counts, lengths), Split(tuple(lengths), (), (), judged),
        excluded=_intervals(sources.excluded, genome), min_count=min_count, counts=counts,
    )  # fmt: skip
    examples = data.examples("test", (sources.seed,))
    labels = class_labels(data.kept)
    sites, windows = {}, {}
    for index, name in enumerate(CLASSES):
        if index:
            rows = _some(np.flatnonzero(labels == index), sources)
            sites[name] = data.kept.sites.take(rows)
            windows[name] = read_windows(genome, sites[name], model.card.window)
    codes = read_windows(genome, examples.sites, model.card.window)
    return TssWindows(judged, codes, examples.labels, sites, windows)


def _held_out(card: Card, lengths: Any) -> tuple[str, ...]:
    named = card.training.get("held_out") or ()
    held_out = tuple(name for name in named if name in lengths)
    if not held_out:
        raise UsageError(
            "the model's card names no held-out sequence of this genome", found=", ".join(named) or "none",
            remedy="say with --test which sequences the model was not trained on",
        )  # fmt: skip
    return held_out


def _intervals(excluded: Sequence[str], genome: Genome) -> list[Interval]:
    return [region for text in excluded for region in parse_regions(text, genome.lengths).intervals]


def _some(rows: NDArray[np.int64], sources: TssSources) -> NDArray[np.int64]:
    """At most `number` of the rows, in random order: what takes only the first must not take one end of the genome."""
    return np.random.default_rng(sources.seed).permutation(rows)[: sources.number]
