"""Sets of labelled sequences by a text, as the command line has them.

| text                         | what it is                                                                            |
| ---------------------------- | ------------------------------------------------------------------------------------- |
| ``zeng:FASTA[+FASTA...]``    | the paper's own format, a ``.target`` beside each FASTA                               |
| ``deepbind:AC_FILE``         | DeepBind's training positives; their shuffles are negatives; the B file beside tests  |
| ``fasta:BOUND.fa,UNBOUND.fa``| two FASTA files                                                                       |
| a path, ``discovery:PEAKS``  | peaks (narrowPeak or BED) of a genome: motif discovery, see `discovery`               |
| ``occupancy:PEAKS,MOTIFS,NAME``| instances of a motif of the file MOTIFS, bound or not, matched, see `occupancy`     |
| ``free:PEAKS,MOTIFS,NAME``   | the same, but that the motif may lie anywhere in bound windows                        |

``NAME=`` before any of them names the set; else its file does. Behind the path of a peaks file, ``#Reb1`` takes the
lines whose fourth column is Reb1, and ``#CTCF#HepG2`` those with HepG2 in the eleventh, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trackgen.errors import DataError, UsageError
from trackgen.genome import open_genome, parse_regions, shuffle_windows
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.discovery import SHUFFLE_SEED, Marks, discovery_set
from trackgen.learn.datasets.motif_files import Matrix, read_motifs
from trackgen.learn.datasets.occupancy import THRESHOLD, Manner, occupancy_set
from trackgen.learn.datasets.sequence_files import Labelled, read_deepbind, read_fasta, read_zeng, stacked
from trackgen.learn.datasets.sequences import SequenceSet

__all__ = ["WINDOW", "SetOptions", "open_set"]

WINDOW = 101
"""Bases of a window around a peak, as Zeng 2016 and DeepBind have them, bp."""
_NAMELESS = ("test", "train", "training", "valid", "validation", "data", "sequences")
"""File names that say nothing of the set; its folder's name does."""


@dataclass(frozen=True)
class SetOptions:
    """What a set needs beside its files.

    Attributes:
        genome: FASTA or 2bit that peaks lie on.
        window: bases around the centre of a peak.
        test: chromosomes of the test part; without any, one in five sequences of each class is drawn.
        validation: chromosomes of the validation part; without any, one in eight of the others is drawn by a seed.
        exclude: windows on these are not used: BED files, ``chr:a-b`` (1-based closed), or sequences.
        threshold: largest p-value of a motif instance.
    """

    genome: Path | None = None
    window: int = WINDOW
    test: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    threshold: float = THRESHOLD


def open_set(text: str, options: SetOptions | None = None) -> SequenceSet:
    """The set of sequences that `text` names (see the module's table).

    Raises:
        DataError: a file is missing or malformed, sequences differ in length, labels do not match sequences, or a class
            has too few sequences.
        UsageError: peaks without a genome.
    """
    options = options or SetOptions()
    name, rest = _named(text)
    kind, _, where = rest.partition(":")
    if kind in _READERS:
        found = _READERS[kind](where)
    else:
        found = _of_genome(*((kind, where) if kind in _TASKS else ("discovery", rest)), options)
    found = replace(found, name=name or found.name)
    found.require_classes()
    return found


def _named(text: str) -> tuple[str, str]:
    """(name or "", the rest) of ``NAME=...``; a ``=`` behind a ``:`` or ``/`` belongs to a file's name."""
    match = re.match(r"([\w.+-]+)=(.+)", text)
    return (match[1], match[2]) if match else ("", text)


def _zeng(where: str) -> SequenceSet:
    paths = [Path(part) for part in where.split("+")]
    parts = [read_zeng(path) for path in paths]
    for path, part in zip(paths, parts, strict=True):
        _same_length(path, part, parts[0])
    places = tuple(place for part in parts for place in part.places) if all(part.places for part in parts) else ()
    labels = np.concatenate([part.labels for part in parts])
    codes = np.concatenate([part.codes for part in parts])
    return SequenceSet(_stem(paths[0]), codes, labels, np.zeros(len(labels), dtype=np.bool_), places)


def _deepbind(where: str) -> SequenceSet:
    """Training positives, a dinucleotide shuffle of each, and the labelled test sequences of the B file."""
    path = Path(where)
    train = read_deepbind(path)
    if train.labels.all():
        seeds = np.random.default_rng(SHUFFLE_SEED).integers(0, 1 << 62, len(train.labels))
        negatives = shuffle_windows(train.codes, seeds)
        labels = np.repeat([1, 0], len(negatives)).astype(np.int64)
        train = Labelled(np.concatenate([train.codes, negatives]), labels, ())
    held_back = path.with_name(re.sub(r"_AC(?=[._])", "_B", path.name))
    if held_back == path:
        return SequenceSet(_factor(path), train.codes, train.labels, np.zeros(len(train.labels), dtype=np.bool_))
    test = read_deepbind(held_back)
    _same_length(held_back, test, train)
    mark = np.repeat([False, True], [len(train.labels), len(test.labels)])
    codes, labels = np.concatenate([train.codes, test.codes]), np.concatenate([train.labels, test.labels])
    return SequenceSet(_factor(path), codes, labels, mark)


def _two_fastas(where: str) -> SequenceSet:
    paths = [Path(part) for part in where.split(",")]
    if len(paths) != 2:
        raise UsageError("a set of FASTA files needs two", found=where, wanted="fasta:BOUND.fa,UNBOUND.fa")
    bound = stacked(paths[0], read_fasta(paths[0]))
    unbound = stacked(paths[1], read_fasta(paths[1]), bound.shape[1])
    labels = np.repeat([1, 0], [len(bound), len(unbound)]).astype(np.int64)
    return SequenceSet(
        _stem(paths[0]), np.concatenate([bound, unbound]), labels, np.zeros(len(labels), dtype=np.bool_)
    )  # fmt: skip


def _of_genome(task: str, where: str, options: SetOptions) -> SequenceSet:
    """A set made of peaks on a genome."""
    if options.genome is None:
        known = ", ".join(f"{kind}:..." for kind in _READERS)
        raise UsageError(
            "peaks need the genome that they lie on", found=where, wanted=f"--genome FASTA, or one of {known}"
        )
    where, *motif = where.split(",") if task != "discovery" else [where]
    matrix = _motif(task, motif) if task != "discovery" else None
    path, *values = where.split("#")
    with open_genome(options.genome) as genome:
        rows = read_peaks(Path(path), genome.lengths, where=dict(zip(_SELECTED_BY, values, strict=False)))
        excluded = [region for text in options.exclude for region in parse_regions(text, genome.lengths).intervals]
        marks = Marks(options.test, options.validation)
        name = values[0] if values else _stem(Path(path))
        if matrix is None:
            return discovery_set(genome, rows, options.window, name=name, marks=marks, excluded=excluded)
        manner = Manner(options.window, options.threshold, centred=task == "occupancy")
        return occupancy_set(genome, rows, matrix, manner, name=name, marks=marks, excluded=excluded)


def _motif(task: str, words: Sequence[str]) -> Matrix:
    """The one motif of a file that is called so."""
    if len(words) != 2:
        raise UsageError(
            "motif instances need a file of motifs and the name of one", found=",".join(words) or "neither",
            wanted=f"{task}:PEAKS,MOTIFS,NAME",
        )  # fmt: skip
    found = read_motifs(Path(words[0])).find(words[1])
    if len(found) > 1:
        raise UsageError("several motifs have this name", found=words[1], wanted="one of " + ", ".join(found))
    return next(iter(found.values()))


_TASKS = ("discovery", "occupancy", "free")
_SELECTED_BY = (4, 11)
"""Columns that the values behind ``#`` select by: the factor, and the cell."""
_READERS: Mapping[str, Callable[[str], SequenceSet]] = {"zeng": _zeng, "deepbind": _deepbind, "fasta": _two_fastas}


def _same_length(path: Path, part: Labelled, first: Labelled) -> None:
    if part.codes.shape[1] != first.codes.shape[1]:
        raise DataError(
            "the sequences are not of one length", path=path, found=f"{part.codes.shape[1]} bases",
            wanted=f"{first.codes.shape[1]}, as in the first file",
        )  # fmt: skip


def _stem(path: Path) -> str:
    """A file's name up to its first dot; its folder's where that says nothing."""
    stem = path.name.split(".")[0]
    return path.resolve().parent.name if stem.lower() in _NAMELESS else stem


def _factor(path: Path) -> str:
    """The factor that names DeepBind's files: ELK1_GM12878_... ."""
    return path.name.split(".")[0].split("_")[0]
