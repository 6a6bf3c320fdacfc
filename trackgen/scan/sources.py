"""Which files feed the signal and vector inputs of a scan's models, and reading the signals among them."""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, SignalReader, describe, open_genome, open_signal, reconcile
from trackgen.genome.fragments import is_reads
from trackgen.scan.digest import file_sha256
from trackgen.scan.inputs import SignalValues, Source, signal_keys, vector_values
from trackgen.scan.signal_checks import refuse_without_recipe, track_warnings
from trackgen.scan.vectors import read_vector
from trackgen.signals import Recipe, recipe_from_card

__all__ = ["NamedFiles", "SignalFiles", "SignalPlan", "card_vectors", "match_inputs", "plan_signals", "read_vectors"]

Float32 = NDArray[np.float32]
NamedFiles = Sequence[tuple[str, Path]]
NAMES_SHOWN = 3


@dataclass(frozen=True)
class SignalPlan:
    """One signal file and what it is for."""

    key: str
    """NAME of the input, or NAME.CHANNEL."""
    source: Path
    """The file that was given."""
    path: Path
    """The BigWig file that is read: the one given, or the one that is made of it."""
    names: Mapping[str, str]
    """The genome's names of sequences -> the file's; what the file does not list is absent."""
    model: str = ""
    """The first model that reads it."""
    recipe: Recipe | None = None
    """How it is made of reads; None for a track, which is read as it is."""
    counted: bool = False
    """Whether values are counts, so that none is below 0."""
    warnings: tuple[str, ...] = ()
    """What makes a track look unlike those that the model was trained on."""

    @functools.cached_property
    def sha256(self) -> str:
        """Of the file that was given, read when first asked for: seconds for a large one."""
        return _sha256(self.source)

    @property
    def kept_as(self) -> str:
        """The name in OUT of a signal that was made of reads."""
        return f"{self.model}.{self.key}.input.bw"

    def summary(self) -> dict[str, Any]:
        """What decides its values, without folders, for the plan."""
        facts: dict[str, Any] = {"file": self.source.name, "sha256": self.sha256}
        return facts if self.recipe is None else {**facts, "recipe": self.recipe.as_card()}


def match_inputs(cards: Sequence[Card], signals: NamedFiles, vectors: NamedFiles) -> None:
    """Check that every file given has an input, once, and every signal input its files.

    Raises:
        UsageError: an input is given twice, no model has it, or a signal has no file.
    """
    keys = _known_keys(cards)
    given = [key for key, _ in signals]
    _refuse_repeated("--signal", given)
    _refuse_repeated("--vector", [name for name, _ in vectors])
    for key in given:
        if key not in keys["signal"]:
            raise _unknown_input("--signal", key, cards, keys)
    for name, _ in vectors:
        if name not in keys["vector"]:
            raise _unknown_input("--vector", name, cards, keys)
    for card in cards:
        missing = [key for entry in _inputs(card, "signal") for key in signal_keys(entry) if key not in given]
        if missing:
            raise UsageError(
                f"model {card.name} reads signals that no file is given for",
                place="--signal",
                found="no file for " + ", ".join(missing),
                wanted="a file for each: BigWig, or reads where the card says how they are counted",
                remedy="add " + " ".join(f"--signal {key}=FILE.bw" for key in missing),
            )


def _inputs(card: Card, kind: str) -> list[InputSpec]:
    return [entry for entry in card.inputs if entry.kind == kind]


def _known_keys(cards: Sequence[Card]) -> dict[str, list[str]]:
    """Per kind, the names under which files may be given."""
    signals = [key for card in cards for entry in _inputs(card, "signal") for key in signal_keys(entry)]
    vectors = [entry.name for card in cards for entry in _inputs(card, "vector")]
    return {"signal": list(dict.fromkeys(signals)), "vector": list(dict.fromkeys(vectors))}


def _refuse_repeated(option: str, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UsageError("an input is given twice", place=option, found=name, wanted="one file for each input")


def _unknown_input(option: str, name: str, cards: Sequence[Card], keys: Mapping[str, list[str]]) -> UsageError:
    kind = option.removeprefix("--")
    other = "vector" if kind == "signal" else "signal"
    known = keys[kind]
    near = difflib.get_close_matches(name, known, 1, cutoff=0.5)
    channels = [
        key
        for card in cards
        for entry in _inputs(card, "signal")
        if kind == "signal" and entry.channels and entry.name == name
        for key in signal_keys(entry)
    ]
    remedy = None
    if name in keys[other]:
        remedy = f"{name} is a {other}: give it with --{other}"
    elif channels:
        remedy = "it has channels: add " + " ".join(f"--signal {key}=FILE.bw" for key in channels)
    elif near:
        remedy = f"did you mean {near[0]}"
    return UsageError(
        f"no model has a {kind} input of this name",
        place=option,
        found=name,
        wanted=", ".join(known) or f"no {option}: no model reads a {kind}",
        remedy=remedy,
    )


def _sha256(path: Path) -> str:
    """The file's digest, computed again only where the file has changed: a model in Python is asked often."""
    found = path.stat()
    return _sha256_of(path.absolute(), found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _sha256_of(path: Path, size: int, changed: int) -> str:
    return file_sha256(path)


def plan_signals(
    signals: NamedFiles, lengths: Mapping[str, int], wanted: Sequence[str], cards: Sequence[Card], folder: Path
) -> tuple[tuple[SignalPlan, ...], list[str]]:
    """Match the sequences of signal files with the genome's.

    Args:
        signals: keys and files.
        lengths: the genome's names and lengths.
        wanted: the names of the sequences that are scanned.
        cards: of the models, which say how signals are made of reads.
        folder: where such signals are made (`trackgen.scan.made_signals.make_signals`).

    Returns:
        The plans in the order of their keys, and sentences to tell the user: names that are read as others, sequences
        without values, tracks that are unlike what a model was trained on.

    Raises:
        DataError: a file is missing, no BigWig or damaged, or its names or lengths are not the genome's.
        ModelError: a card's recipe can't be followed.
        UsageError: a file holds reads, and a model does not say what it wants of them, or two want different things.
    """
    plans, notes = [], []
    for key, path in sorted(signals):
        reads = is_reads(path)
        card, spec, recipe = _reader_of(key, cards, reads)
        if reads:
            if recipe is not None:
                plan = SignalPlan(key, path, path, {name: name for name in lengths}, card.name, recipe)
                plans.append(replace(plan, path=folder / _made_name(plan, lengths)))
                continue
            refuse_without_recipe(key, path, card)
        with open_signal(path) as reader:
            theirs = dict(reader.lengths)
            if not theirs:
                raise DataError("the signal file lists no sequence", path=path, wanted="a BigWig file of this genome")
            mapping = reconcile(theirs, lengths, path=path, what="signal file", allow_unknown=True)
            names = {target: name for name, target in mapping.items()}
            warnings = track_warnings(key, reader, names, spec, card.name, recipe)
        plan = SignalPlan(key, path, path, names, card.name, None, recipe is not None, tuple(warnings))
        plans.append(plan)
        notes += [f"WARNING: {text}" for text in warnings]
        if text := describe(mapping):
            notes.append(f"signal {key}, {text}")
        if absent := [name for name in wanted if name not in plan.names]:
            more = f" and {len(absent) - NAMES_SHOWN} more" if len(absent) > NAMES_SHOWN else ""
            shown = ", ".join(absent[:NAMES_SHOWN])
            notes.append(f"signal {key}: {path.name} does not list {shown}{more}: all bases there read as missing")
    return tuple(plans), notes


def _reader_of(key: str, cards: Sequence[Card], reads: bool) -> tuple[Card, InputSpec, Recipe | None]:
    """The first model that reads a signal, its input, and how it wants that made of reads.

    Args:
        reads: whether the file holds reads. A track is used as it is, whatever else its models would do: then the
            first model that says what it wants speaks for all.

    Raises:
        UsageError: of reads, two models want it made in different ways.
    """
    readers = [(card, spec) for card in cards for spec in _inputs(card, "signal") if key in signal_keys(spec)]
    recipes = [recipe_from_card(card.training, spec.name) for card, spec in readers]
    if not reads:
        first = next((number for number, recipe in enumerate(recipes) if recipe is not None), 0)
        return (*readers[first], recipes[first])
    # The depth is what a model is used to, and makes no difference to the signal.
    ways = [None if recipe is None else replace(recipe, depth=None) for recipe in recipes]
    for (card, _), way in zip(readers, ways, strict=True):
        if way != ways[0]:
            raise UsageError(
                "two models want one signal in different ways",
                place=f"--signal {key}",
                found=f"{readers[0][0].name} and {card.name}",
                remedy="scan with each of them by itself",
            )
    return (*readers[0], recipes[0])


def _made_name(plan: SignalPlan, lengths: Mapping[str, int]) -> str:
    """A file's name that is another one for other reads, another recipe, and other sequences of the genome."""
    text = json.dumps([plan.sha256, plan.summary()["recipe"], list(lengths.items())], sort_keys=True)
    return f"{plan.model}.{plan.key}.{hashlib.sha256(text.encode()).hexdigest()[:16]}.bw"


def read_vectors(cards: Sequence[Card], vectors: NamedFiles) -> dict[str, Float32]:
    """The values of the vectors that a file is given for, by input.

    Raises:
        DataError: a file is missing or malformed, or its length is not that of a model's input.
    """
    values = {name: read_vector(path) for name, path in vectors}
    for name, path in vectors:
        for card in cards:
            for entry in _inputs(card, "vector"):
                if entry.name == name and entry.length != len(values[name]):
                    raise DataError(
                        "the vector file has a wrong number of lines",
                        path=path,
                        found=len(values[name]),
                        wanted=f"{entry.length}, one for each element of {name} in model {card.name}",
                    )
    return values


def card_vectors(card: Card, values: Mapping[str, Float32]) -> dict[str, Float32]:
    """The values of a model's vector inputs, (length,) each: those given, else the card's default."""
    return {entry.name: values.get(entry.name, vector_values(entry)) for entry in _inputs(card, "vector")}


class SignalFiles:
    """The open signal files of a scan. One object serves one thread; open it once for each thread.

    Args:
        plans: the files; one that several inputs share is read once.
        reference: the genome that contributions are measured against, where there is one.

    Attributes:
        reference: that genome, open.

    Raises:
        DataError: a file has gone or changed its kind since it was planned.
    """

    def __init__(self, plans: Sequence[SignalPlan], reference: Path | None = None) -> None:
        self._plans = tuple(plans)
        self.reference: Genome | None = None
        self._readers: dict[Path, SignalReader] = {}
        with contextlib.ExitStack() as stack:
            for plan in plans:
                if plan.path not in self._readers:
                    self._readers[plan.path] = stack.enter_context(open_signal(plan.path))
            if reference is not None:
                self.reference = stack.enter_context(open_genome(reference))
            self._open = stack.pop_all()

    def read(self, name: str, start: int, end: int) -> SignalValues:
        """Raw values of the bases [start, end) of the genome's sequence `name`, NaN where there is none, by key.

        Raises:
            DataError: a file proves damaged, or a value is infinite.
        """
        by_file: dict[Path, Float32] = {}
        for plan in self._plans:
            if plan.path not in by_file:
                by_file[plan.path] = self._read(plan, name, start, end)
        sources = {plan.key: Source(plan.path, plan.names.get(name, name), start) for plan in self._plans}
        return SignalValues({plan.key: by_file[plan.path] for plan in self._plans}, sources)

    def _read(self, plan: SignalPlan, name: str, start: int, end: int) -> Float32:
        if name not in plan.names:
            return np.full(end - start, np.nan, np.float32)
        values = self._readers[plan.path].values(plan.names[name], start, end)
        for wrong, what, wanted in (
            (np.isinf(values), "infinite", "finite values"),
            (values < 0 if plan.counted else np.zeros(0, np.bool_), "negative", "coverage or cuts, 0 or more"),
        ):
            if wrong.any():
                index = int(np.argmax(wrong))
                raise DataError(
                    f"the signal is {what}",
                    path=plan.path,
                    place=f"{plan.names[name]}:{start + index + 1:,}",
                    found=float(values[index]),
                    wanted=wanted,
                )
        return values

    def close(self) -> None:
        """Release the files. Closing twice is fine."""
        self._open.close()

    def __enter__(self) -> SignalFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
