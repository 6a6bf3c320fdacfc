"""Puts the files of a genome and of its tracks into a hub's folder: by a link where it can, written where it must."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trackgen.bigwig import BigWigWriter, copy_renamed
from trackgen.genome import open_genome, open_signal, write_twobit
from trackgen.genome.sequence import TWOBIT_MAGIC
from trackgen.hub.genome import GenomeSource
from trackgen.progress import Progress

__all__ = ["link_or_copy", "put_beside", "put_track", "put_two_bit"]

BASES_AT_ONCE = 1 << 20


def put_two_bit(genome: GenomeSource, target: Path, progress: Progress) -> None:
    """Put the genome's sequence, if it has any, at `target` as 2bit: linked or copied where that is possible."""
    if genome.file is None:
        return
    with genome.file.open("rb") as file:
        is_two_bit = file.read(4) in TWOBIT_MAGIC
    if is_two_bit and not genome.renamed:
        link_or_copy(genome.file, target)
        return
    progress.note(f"writing {target.name} from {genome.file.name}")
    with open_genome(genome.file) as opened:
        write_twobit(opened, target, progress, names=genome.names)


def put_track(source: Path, names: Mapping[str, str], target: Path) -> None:
    """Put a track at `target`: linked or copied, or written where some of its sequences get other `names`.

    Files of hits are always written, since their writer puts the sequences' names where old JBrowse does not find them.
    """
    if any(old != new for old, new in names.items()) or source.suffix == ".bb":
        copy_renamed(source, target, names)
    else:
        link_or_copy(source, target)


def put_beside(source: Path, names: Mapping[str, str], target: Path) -> None:
    """Put a BigWig file of the user's at `target`, without sequences that are not in `names`: browsers know none.

    Raises:
        DataError: it is damaged.
        ResourceError: the disk is full.
    """
    with open_signal(source) as reader:
        if all(name in names for name in reader.lengths):
            put_track(source, names, target)
            return
        kept = {name: length for name, length in reader.lengths.items() if name in names}
        with BigWigWriter(target, {names[name]: length for name, length in kept.items()}, stride=1) as writer:
            for name, length in kept.items():
                for first in range(0, length, BASES_AT_ONCE):
                    values = reader.values(name, first, min(first + BASES_AT_ONCE, length))
                    writer.add(names[name], first, values, np.zeros((0, 2), np.int64))


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link, which costs no space; a copy where the file system has none, or the folders lie on two."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        with source.open("rb") as original, target.open("xb") as copy:
            while block := original.read(1 << 22):
                copy.write(block)
