"""Tracks to calls: what ``trackgen call`` does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trackgen import __version__
from trackgen.calls.files import BIGBED_TYPE, write_calls
from trackgen.calls.folder import CALLS_FILE, replaced_folder
from trackgen.calls.source import CallSource, Method, StrandTrack
from trackgen.calls.spool import CallSpool
from trackgen.calls.stretches import Calls, StretchCaller, no_calls, place_calls
from trackgen.errors import DataError, UsageError
from trackgen.genome import SignalReader, open_signal
from trackgen.genome.signals import finite_values
from trackgen.progress import Progress
from trackgen.scan.digest import file_sha256

__all__ = ["CallOptions", "CallSet", "make_calls"]

KIND, SCHEMA_VERSION = "calls", 1
BASES_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class CallOptions:
    """How to call; see ``trackgen call --help`` for the meaning of each. None: as the model wants it."""

    output: Path
    threshold: float | None = None
    thresholds: Mapping[str, float] | None = None
    method: Method | None = None
    merge: int | None = None
    distance: int | None = None
    min_width: int = 1
    overwrite: bool = False
    temporary_folder: Path | None = None


@dataclass(frozen=True)
class CallSet:
    """The calls of one class, on all strands it has.

    Attributes:
        threshold: least value.
        from_card: whether it is that of the model's card.
        merge: of `stretches`: bases between two that are one call; `distance`, of `maxima`, between two calls.
        files: by kind, as `trackgen.calls.files.write_calls` gives them.
        number: calls; `bases` in them.
    """

    source: CallSource
    threshold: float
    from_card: bool
    method: Method
    merge: int | None
    distance: int | None
    min_width: int
    files: Mapping[str, Path]
    number: int
    bases: int

    @property
    def sentence(self) -> str:
        """What was called, and what the threshold stands for, for people."""
        count = f"{self.number:,} call{'' if self.number == 1 else 's'}"
        return f"{self.source.name}: {count} from {self.threshold:g} on; {_meaning(self)}"


def _meaning(made: CallSet) -> str:
    validation = made.source.validation
    if not made.from_card:
        return "nobody says what precision and recall this threshold stands for: see trackgen evaluate"
    if validation is None:
        return "the model's card does not say what precision and recall its threshold stands for"
    where = ", ".join(map(str, validation.get("chosen_on", []))) or "validation"
    within = validation.get("within")
    unit = f"calls (right within {within} bp)" if within is not None else "bins of the model"
    return f"on {where}: precision {validation['precision']:.2f} and recall {validation['recall']:.2f}, of {unit}"


def make_calls(sources: Sequence[CallSource], options: CallOptions, progress: Progress) -> list[CallSet]:
    """Call every class of `sources` and write its files and ``calls.json`` into a folder.

    A class without a threshold is left out where others have one, and told.

    Raises:
        UsageError: no class has a threshold, an option cannot be honoured, or the folder holds calls already.
        DataError: a track is missing or damaged, or the tracks stand on different genomes.
        ResourceError: the disk is full or fails.
    """
    _check(sources, options)
    wanted = [(source, _threshold(source, options)) for source in sources]
    chosen = [(source, threshold) for source, threshold in wanted if threshold is not None]
    left_out = [source.name for source, threshold in wanted if threshold is None]
    if not chosen:
        raise UsageError(
            "there is no threshold to call at", place="--threshold", found=", ".join(left_out),
            wanted="a value of the track; the card of a model gives one for its own tracks",
            remedy="give one; trackgen evaluate says which has what precision and recall",
        )  # fmt: skip
    for name in left_out:
        progress.note(f"{name} is left out: its card gives no threshold, and --threshold none")
    bases = sum(sum(source.lengths.values()) * len(source.tracks) for source, _ in chosen)
    with replaced_folder(options.output) as folder:
        progress.start("call", bases, "bases")
        made = [_call(source, threshold, options, folder, progress) for source, threshold in chosen]
        _describe(made, folder / CALLS_FILE)
    progress.finish()
    for entry in made:
        progress.note(entry.sentence)
    return made


def _check(sources: Sequence[CallSource], options: CallOptions) -> None:
    if not sources:
        raise UsageError("no track is given", wanted="BigWig files, or the folder of a scan")
    names = [source.name.lower() for source in sources]
    for source in sources:
        if names.count(source.name.lower()) > 1:
            raise UsageError("two classes have one name", found=source.name, remedy="call each into its own folder")
        if dict(source.lengths) != dict(sources[0].lengths):
            raise DataError(
                "the tracks stand on different genomes", path=source.tracks[0].path,
                wanted=f"the sequences of {sources[0].tracks[0].path.name}", remedy="call each into its own folder",
            )  # fmt: skip
    unknown = set(options.thresholds or {}) - {source.class_name for source in sources}
    if unknown:
        raise UsageError(
            "there is no such class", place="--threshold", found=", ".join(sorted(unknown)),
            wanted=", ".join(source.class_name for source in sources),
        )  # fmt: skip
    for place, value, least in (
        ("--merge", options.merge, 0), ("--distance", options.distance, 0), ("--min-width", options.min_width, 1),
    ):  # fmt: skip
        if value is not None and value < least:
            raise UsageError(f"this must be {least} or more", place=place, found=value)
    methods = {_method(source, options) for source in sources}
    for place, value, method in (
        ("--merge", options.merge, "stretches"), ("--distance", options.distance, "maxima"),
    ):  # fmt: skip
        if value is not None and method not in methods:
            raise UsageError(
                "the option would do nothing", place=place, found=f"--method {' '.join(methods)}",
                wanted=f"--method {method}", remedy="leave one of the two out",
            )  # fmt: skip
    if (options.output / CALLS_FILE).exists() and not options.overwrite:
        raise UsageError(
            "the folder holds calls already", path=options.output, place="-o",
            remedy="choose another folder, or replace them with --overwrite",
        )  # fmt: skip


def _method(source: CallSource, options: CallOptions) -> Method:
    return options.method or ("maxima" if source.bin == 1 else "stretches")


def _threshold(source: CallSource, options: CallOptions) -> float | None:
    own = (options.thresholds or {}).get(source.class_name, options.threshold)
    return source.threshold if own is None else own


def _call(
    source: CallSource, threshold: float, options: CallOptions, folder: Path, progress: Progress
) -> CallSet:  # fmt: skip
    """The calls of one class, their files written into `folder`, from where they move to the output."""
    method = _method(source, options)
    # Neighbouring bins that overlap or touch speak of one site.
    merge = max(0, (source.bin or 0) - source.resolution) if options.merge is None else options.merge
    distance = source.distance if options.distance is None else options.distance
    how = _How(threshold, method, merge, distance, options.min_width, source.resolution)
    with ExitStack() as stack:
        spool = stack.enter_context(CallSpool(options.temporary_folder))
        readers = [(track.strand, stack.enter_context(open_signal(track.path))) for track in source.tracks]
        for name, length in source.lengths.items():
            parts = [_stranded(strand, _calls_of(reader, name, length, how, progress)) for strand, reader in readers]
            calls = np.concatenate(parts)
            spool.add(name, calls[np.argsort(calls["start"], kind="stable")])
        files = write_calls(folder / f"{source.name}.calls", source.class_name, spool, source.lengths)
        return CallSet(
            source=source, threshold=threshold, from_card=threshold == source.threshold, method=method,
            merge=merge if method == "stretches" else None, distance=distance if method == "maxima" else None,
            min_width=options.min_width, files={kind: options.output / path.name for kind, path in files.items()},
            number=spool.number, bases=spool.bases,
        )  # fmt: skip


@dataclass(frozen=True)
class _How:
    threshold: float
    method: Method
    merge: int
    distance: int
    min_width: int
    resolution: int


def _stranded(strand: str, calls: Calls) -> Calls:
    calls["strand"] = strand.encode()
    return calls


def _calls_of(reader: SignalReader, name: str, length: int, how: _How, progress: Progress) -> Calls:
    """All calls of one sequence."""
    if name not in reader.lengths:
        progress.advance(length)
        return no_calls()
    pieces = _stretches(reader, name, length, how) if how.method == "stretches" else _places(reader, name, length, how)
    found = [no_calls()]
    for bases, calls in pieces:
        found.append(calls)
        progress.advance(bases)
    return np.concatenate(found)


def _stretches(reader: SignalReader, name: str, length: int, how: _How) -> Iterator[tuple[int, Calls]]:
    caller = StretchCaller(how.threshold, how.merge, how.min_width)
    for first in range(0, length, BASES_AT_ONCE):
        last = min(first + BASES_AT_ONCE, length)
        yield last - first, caller.add(finite_values(reader, name, first, last), first)
    yield 0, caller.finish()


def _places(reader: SignalReader, name: str, length: int, how: _How) -> Iterator[tuple[int, Calls]]:
    distance = min(how.distance, length)
    for first in range(0, length, BASES_AT_ONCE):
        last = min(first + BASES_AT_ONCE, length)
        values = finite_values(reader, name, first - distance, last + distance)
        calls = place_calls(values, first, how.threshold, distance, how.resolution)
        calls["end"] = calls["top_end"] = np.minimum(calls["end"], length)
        yield last - first, calls[calls["end"] - calls["start"] >= how.min_width]


def _describe(made: Sequence[CallSet], path: Path) -> None:
    first = made[0].source
    values = {
        "schema_version": SCHEMA_VERSION,
        "trackgen": __version__,
        "kind": KIND,
        "genome": {
            "assembly": first.assembly or None,
            "names": list(first.lengths),
            "lengths": list(first.lengths.values()),
        },
        "calls": [_entry(entry) for entry in made],
    }
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _entry(made: CallSet) -> dict[str, Any]:
    source = made.source
    return {
        "name": source.name,
        "model": source.model or None,
        "class": source.class_name,
        "label": source.label or source.class_name,
        "type": BIGBED_TYPE,
        "files": {kind: path.name for kind, path in made.files.items()},
        "tracks": [_track(track) for track in source.tracks],
        "method": made.method,
        "threshold": made.threshold,
        "threshold_of": "card" if made.from_card else "option",
        "validation": source.validation if made.from_card else None,
        "merge": made.merge,
        "distance": made.distance,
        "min_width": made.min_width,
        "calls": made.number,
        "bases": made.bases,
    }


def _track(track: StrandTrack) -> dict[str, str]:
    return {"file": track.path.name, "strand": track.strand, "sha256": track.sha256 or file_sha256(track.path)}
