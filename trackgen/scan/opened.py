"""One model in Python: `trackgen.open_model(path).predict(genome, region)`, and `.contributions(...)`."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, read_card
from trackgen.genome import EditedGenome, Genome, open_genome
from trackgen.resources import find_model
from trackgen.runtime import default_threads
from trackgen.scan.arguments import FilePath, as_named_files
from trackgen.scan.options import Attribution, ContributionWeight, ScanOptions
from trackgen.scan.plan import make_plan
from trackgen.scan.prepared import Prepared, prepare
from trackgen.scan.stretches import wanted_stretches

__all__ = ["Model", "open_model"]

Float32 = NDArray[np.float32]

MOST_PREPARED = 16
"""Kinds of questions that a model is kept loaded for: each takes the memory of a model or two."""


class Model:
    """A model that is ready to predict; made by `open_model`.

    Attributes:
        path: its file.
        card: what it says of itself.
    """

    def __init__(self, path: Path, device: str, threads: int, mode: Literal["auto", "dense", "window"]) -> None:
        self.path = path
        self.card: Card = read_card(path)
        self._device, self._threads, self._mode = device, threads, mode
        self._made: tempfile.TemporaryDirectory[str] | None = None
        self._prepared: dict[tuple[object, ...], Prepared] = {}

    def predict(
        self,
        genome: FilePath | Genome,
        region: str,
        *,
        stride: int | None = None,
        signals: Mapping[str, FilePath] | None = None,
        vectors: Mapping[str, FilePath] | None = None,
    ) -> dict[str, Float32]:
        """The values that `trackgen scan` writes for a region, before rounding.

        Args:
            genome: FASTA or 2bit file, or an open genome.
            region: ``chr:a-b`` (1-based, both ends included) or ``chr``.
            stride: distance between windows, bp; the card's where None.
            signals: file of each signal input, by NAME or NAME.CHANNEL: BigWig, or reads where the card says how they
                are counted.
            vectors: TSV file of vector inputs, by NAME; the card's default stands in.

        Returns:
            Track name (``class``, ``class.plus`` or ``class.minus``) -> float32 (bases of the region,), NaN in gaps.

        Raises:
            UsageError: a region, stride or input that does not exist.
            DataError: a genome, signal or vector file that is missing or malformed.
            ModelError: the model yields NaN or infinity.

        >>> import trackgen
        >>> model = trackgen.open_model("tss-yeast")
        >>> values = model.predict(genome, "chrI:1,001-1,200")
        >>> sorted(values)
        ['broad.minus', 'broad.plus', 'sharp.minus', 'sharp.plus']
        >>> values["sharp.plus"].shape
        (200,)
        """
        return self._run(genome, region, {"stride": stride}, signals, vectors)

    def contributions(
        self,
        genome: FilePath | Genome,
        region: str,
        class_: str,
        *,
        weight: ContributionWeight | None = None,
        reference: str | os.PathLike[str] | None = None,
        attribution: Attribution = "deeplift",
        profile_target: str | int | None = None,
        hypothetical: bool = False,
        stride: int | None = None,
        signals: Mapping[str, FilePath] | None = None,
        vectors: Mapping[str, FilePath] | None = None,
    ) -> dict[str, Float32]:
        """What each base of a region contributes to a class: what `trackgen scan --contrib` writes, before rounding.

        Args:
            genome, region, stride, signals, vectors: as for `predict`.
            class_: the name of a class, or ``all`` for every class that has a track.
            weight: ``uniform``, ``probability`` or ``calls``: how the windows over a base count; the card's way where
                None.
            reference: ``frequencies`` (the card's), ``shuffle:N``, four numbers with commas, or a genome file.
            attribution: ``deeplift``, ``gradient``, ``saliency``, ``occlusion`` or ``substitution``.
            profile_target: what of a profile is explained: ``sum``, ``centre`` or a position.
            hypothetical: also what A, C, G and T would contribute wherever another stands.

        Returns:
            Track name (``class.contrib``, ``class.plus.contrib``, ``class.plus.SIGNAL.contrib``,
            ``class.plus.A.hypothetical``) -> float32 (bases of the region,), in logits, NaN in gaps.

        Raises:
            UsageError: a class, region or option that does not exist or does not fit the model.
            DataError: a genome, signal or vector file that is missing or malformed.
            ModelError: the model can't be explained, or yields NaN or infinity.

        >>> import trackgen
        >>> model = trackgen.open_model("tss-yeast")
        >>> values = model.contributions(genome, "chrI:1,001-1,200", "sharp", weight="uniform")
        >>> sorted(values)
        ['sharp.minus.contrib', 'sharp.plus.contrib']
        >>> values["sharp.plus.contrib"].shape
        (200,)
        """
        asked = {
            "stride": stride,
            "contrib": (class_,),
            "contrib_weight": weight,
            "reference": None if reference is None else os.fspath(reference),
            "attribution": attribution,
            "profile_target": None if profile_target is None else str(profile_target),
            "hypothetical_tracks": hypothetical,
        }
        values = self._run(genome, region, asked, signals, vectors)
        return {name: track for name, track in values.items() if name.endswith((".contrib", ".hypothetical"))}

    def prepare(
        self,
        genome: FilePath | Genome,
        asked: Mapping[str, Any] | None = None,
        signals: Mapping[str, FilePath] | None = None,
        vectors: Mapping[str, FilePath] | None = None,
    ) -> Prepared:
        """The model ready for one kind of question: planned and loaded when first asked for, and kept while used.

        Args:
            genome: an edited one is run as the one that it edits.
            asked: fields of `ScanOptions` that say what is asked, but for where.
            signals, vectors: as for `predict`.

        Raises:
            UsageError, DataError, ModelError: as for `predict` and `contributions`.
        """
        with contextlib.ExitStack() as stack:
            if isinstance(genome, str | os.PathLike):
                genome = stack.enter_context(open_genome(genome))
            if isinstance(genome, EditedGenome):
                genome = genome.reference
            options = self._options(genome, asked or {}, signals, vectors)
            files = [self.path, *(path for _, path in (*options.signals, *options.vectors)), *_reference_file(options)]
            key = (options, tuple(genome.lengths.items()), tuple(map(_stamp, files)))
            if key not in self._prepared:
                plan = make_plan(options, genome, signal_folder=self._signal_folder())
                self._prepared[key] = prepare(plan, options, self._threads)
            # The latest stands last, and the first goes where there are too many.
            self._prepared[key] = self._prepared.pop(key)
            while len(self._prepared) > MOST_PREPARED:
                del self._prepared[next(iter(self._prepared))]
            return self._prepared[key]

    def _options(
        self,
        genome: Genome,
        asked: Mapping[str, Any],
        signals: Mapping[str, FilePath] | None,
        vectors: Mapping[str, FilePath] | None,
    ) -> ScanOptions:
        return ScanOptions(
            models=(str(self.path),),
            genome=genome.path,
            output=Path(),
            signals=as_named_files("signals", signals or {}, "a BigWig file, or of reads"),
            vectors=as_named_files("vectors", vectors or {}, "a TSV file"),
            device=self._device,
            threads=self._threads,
            mode=self._mode,
            **asked,
        )

    def _run(
        self,
        genome: FilePath | Genome,
        region: str,
        asked: Mapping[str, Any],
        signals: Mapping[str, FilePath] | None,
        vectors: Mapping[str, FilePath] | None,
    ) -> dict[str, Float32]:
        """The tracks of one region, by name."""
        with contextlib.ExitStack() as stack:
            if isinstance(genome, str | os.PathLike):
                genome = stack.enter_context(open_genome(genome))
            where = self._options(genome, {"regions": (region,)}, None, None)
            (name, spans), *_ = wanted_stretches(where, genome, []).items()
            prepared = self.prepare(genome, asked, signals, vectors)
            return prepared.tracks(genome, name, int(spans[0, 0]), int(spans[-1, 1]), spans)

    def _signal_folder(self) -> Path:
        """Where signals are made of reads: once for each file, and gone with this object."""
        if self._made is None:
            self._made = tempfile.TemporaryDirectory(prefix="trackgen-signals-")
        return Path(self._made.name)


def open_model(
    path: FilePath,
    *,
    device: str = "auto",
    threads: int | None = None,
    mode: Literal["auto", "dense", "window"] = "auto",
) -> Model:
    """Open a model for predictions in Python.

    Args:
        path: an ONNX file with a card inside, or the name of a shipped model.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        threads: cores to use; as many as this process may use where None.
        mode: ``dense`` shares the work of neighbouring windows, ``window`` runs each by itself.

    Raises:
        ModelError: no such model, or no card inside.
    """
    return Model(find_model(os.fspath(path)), device, threads or default_threads(), mode)


def _reference_file(options: ScanOptions) -> list[Path]:
    """The genome that contributions are measured against, where it is a file."""
    path = Path(options.reference or "")
    return [path] if path.is_file() else []


def _stamp(path: Path) -> tuple[int, int]:
    """When a file was last written, and its size; what is missing is refused by whoever opens it."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size
