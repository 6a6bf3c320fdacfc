"""Which files feed the signal and vector inputs of a scan's models, and reading the signals among them."""

from __future__ import annotations

import contextlib
import difflib
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec
from trackgen.errors import DataError, UsageError
from trackgen.genome import Genome, SignalReader, describe, open_genome, open_signal, reconcile
from trackgen.scan.digest import file_sha256
from trackgen.scan.inputs import SignalValues, Source, signal_keys, vector_values
from trackgen.scan.vectors import read_vector

__all__ = ["SignalFiles", "SignalPlan", "card_vectors", "match_inputs", "plan_signals", "read_vectors"]

Float32 = NDArray[np.float32]
NamedFiles = Sequence[tuple[str, Path]]
NAMES_SHOWN = 3


@dataclass(frozen=True)
class SignalPlan:
    """One signal file and what it is for."""

    key: str
    """NAME of the input, or NAME.CHANNEL."""
    path: Path
    names: Mapping[str, str]
    """The genome's names of sequences -> the file's; what the file does not list is absent."""

    @functools.cached_property
    def sha256(self) -> str:
        """Of the file, read when first asked for: seconds for a large one."""
        return file_sha256(self.path)


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
                wanted="a BigWig file for each",
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


def plan_signals(
    signals: NamedFiles, lengths: Mapping[str, int], wanted: Sequence[str]
) -> tuple[tuple[SignalPlan, ...], list[str]]:
    """Match the sequences of signal files with the genome's.

    Args:
        signals: keys and files.
        lengths: the genome's names and lengths.
        wanted: the names of the sequences that are scanned.

    Returns:
        The plans in the order of their keys, and sentences to tell the user: names that are read as others, sequences
        without values.

    Raises:
        DataError: a file is missing, no BigWig or damaged, or its names or lengths are not the genome's.
    """
    plans, notes = [], []
    for key, path in sorted(signals):
        with open_signal(path) as reader:
            theirs = dict(reader.lengths)
        if not theirs:
            raise DataError("the signal file lists no sequence", path=path, wanted="a BigWig file of this genome")
        mapping = reconcile(theirs, lengths, path=path, what="signal file", allow_unknown=True)
        plan = SignalPlan(key, path, {target: name for name, target in mapping.items()})
        plans.append(plan)
        if text := describe(mapping):
            notes.append(f"signal {key}, {text}")
        if absent := [name for name in wanted if name not in plan.names]:
            more = f" and {len(absent) - NAMES_SHOWN} more" if len(absent) > NAMES_SHOWN else ""
            shown = ", ".join(absent[:NAMES_SHOWN])
            notes.append(f"signal {key}: {path.name} does not list {shown}{more}: all bases there read as missing")
    return tuple(plans), notes


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
        infinite = np.isinf(values)
        if infinite.any():
            index = int(np.argmax(infinite))
            raise DataError(
                "the signal is infinite",
                path=plan.path,
                place=f"{plan.names[name]}:{start + index + 1:,}",
                found=float(values[index]),
                wanted="finite values",
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
