"""A hub that was built before, as its own files tell of it: ``trackgen.json``, and the lengths of its sequences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackgen.errors import DataError
from trackgen.genome.signals import open_signal
from trackgen.hub.model import AnyTrack, HubGenome

__all__ = ["MANIFEST", "BuiltHub", "read_built", "track_record"]

MANIFEST = "trackgen.json"
"""What the folder holds, for programs; by it a later build knows the folder as its own."""


@dataclass(frozen=True)
class BuiltHub:
    """A hub's folder. `lengths` are those of the sequences of each genome, in bases, by the genome's name."""

    folder: Path
    manifest: Mapping[str, Any]
    lengths: Mapping[str, Mapping[str, int]]

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all files of the hub."""
        return tuple(self.manifest["files"])

    def genome_of(self, lengths: Mapping[str, int], path: Path) -> str:
        """The name of the hub's genome that has these sequences.

        Args:
            lengths: bases of each sequence of the genome file at `path`.

        Raises:
            DataError: it has none.
        """
        for name, own in self.lengths.items():
            if dict(own) == dict(lengths):
                return name
        genome, own = next(iter(self.lengths.items()))
        other = next((name for name in lengths if own.get(name) != lengths[name]), None)
        lacking = next((name for name in own if name not in lengths), "")
        two_bit = f"{genome}.2bit"
        raise DataError(
            "the genome is not the one that the hub is of",
            path=path,
            found=f"{other} of {lengths[other]:,} bases" if other else f"no {lacking}",
            wanted="the names and lengths of the hub's sequences",
            # Its names may be others than those of the file that it was built with.
            remedy=f"give {self.folder / two_bit if two_bit in self.files else 'the file that the hub was built with'}",
        )


def read_built(folder: Path, purpose: str) -> BuiltHub:
    """The hub in `folder`.

    Args:
        purpose: the beginning of the message's sentence, such as ``genes can be shown over``.

    Raises:
        DataError: the hub is not one that trackgen built.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        genomes = {name: _lengths(folder, manifest, name) for name in manifest["genomes"]}
        if not all(isinstance(name, str) for name in manifest["files"]):
            raise TypeError("files that are no names")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise DataError(
            f"{purpose} hubs of trackgen only, and this one cannot be recognised",
            path=path,
            found=f"{type(error).__name__}: {error}",
            remedy="build the hub again with trackgen hub build",
        ) from error
    return BuiltHub(folder, manifest, genomes)


def track_record(genome: HubGenome, track: AnyTrack) -> dict[str, str]:
    """A track's entry in the manifest."""
    return {
        "name": track.name,
        "file": track.file,
        "model": track.model,
        "class": track.class_name,
        "genome": genome.id,
    }


def _lengths(folder: Path, manifest: Mapping[str, Any], genome: str) -> dict[str, int]:
    """From the hub's list of lengths; a hub that carries no sequence has none, but its first track knows them."""
    sizes = f"{genome}.chrom.sizes"
    if sizes in manifest["files"]:
        lines = (folder / sizes).read_text(encoding="utf-8").splitlines()
        return {name: int(length) for name, length in (line.split("\t") for line in lines)}
    tracks = (track["file"] for track in manifest["tracks"] if track["genome"] == genome)
    first = next(name for name in tracks if name.endswith(".bw"))
    with open_signal(folder / Path(first).name) as reader:
        return dict(reader.lengths)
