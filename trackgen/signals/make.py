"""A signal from reads, fragments or another track, written as BigWig."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig import BigWigWriter
from trackgen.errors import DataError, ResourceError, UsageError
from trackgen.genome import spans_by_name
from trackgen.genome.fragments import FragmentCounts, Fragments, FragmentSource, is_reads, open_fragments
from trackgen.progress import Progress
from trackgen.signals.recipe import Recipe
from trackgen.signals.sweep import Values, cut_sites, swept
from trackgen.signals.track import track_values
from trackgen.signals.usual import UsualDepth

__all__ = ["SignalSummary", "make_signal", "refuse_onto_itself", "signal_bins"]

MILLION = 1e6


class SignalSummary(NamedTuple):
    """What a signal was made of.

    Attributes:
        fragments: fragments, or single reads, that were used; 0 for a BigWig track.
        depth: mean coverage by fragments over the usual genome, before scaling; 0 where nothing lies there.
        factor: what counts were multiplied by.
        counts: what became of the file's records; None for a BigWig track.
        mean: mean of the written values over all bases that have one.
    """

    fragments: int
    depth: float
    factor: float
    counts: FragmentCounts | None
    mean: float


def make_signal(
    path: Path, lengths: Mapping[str, int], target: Path, recipe: Recipe, progress: Progress, *,
    resolution: int = 1, statistic: str = "mean", threads: int = 1,
) -> SignalSummary:  # fmt: skip
    """Write a signal as BigWig.

    The file is read once. Memory does not grow with the number of reads; fragments that wait for their scale lie in a
    temporary file beside the target, 8 bytes each.

    Args:
        path: BAM, BED, BEDPE, 10x fragments or BigWig.
        lengths: sequences of the genome.
        target: the BigWig file.
        recipe: how it is made.
        progress: told how far it is.
        resolution: bases of a bin.
        statistic: ``mean`` or ``max`` over the bases of a bin.
        threads: cores that write.

    Raises:
        DataError: see `trackgen.genome.fragments.open_fragments` and `trackgen.signals.track.track_values`; scale
            ``mean``, and nothing lies on the usual part of the genome.
        UsageError: a BigWig track with what needs single fragments; `target` is `path`.
        ResourceError: the disk is full, or the target's folder can't be written.
    """
    refuse_onto_itself(path, target)
    if not is_reads(path):
        depth, factor, values = track_values(path, lengths, recipe, resolution, statistic, progress)
        mean = _write(values, lengths, target, recipe, factor, resolution, threads, progress)
        return SignalSummary(0, depth, factor, None, mean)
    source = open_fragments(path, lengths, recipe.fragments)
    if source.told:
        progress.note(source.told)
    usual = _Usual(source, lengths, recipe)
    with _temporary_file(target) as file:
        spool = _Spool(file, target) if recipe.scale != "none" else None
        chunks = usual.watched(_reported(source, lengths, progress))
        if spool is not None:
            for chunk in chunks:
                spool.add(chunk)
            chunks = spool.chunks()
        values = swept(chunks, lengths, resolution, measure=recipe.measure, statistic=statistic, shifted=source.shifted)
        factor = usual.factor() if spool is not None else 1.0
        mean = _write(values, lengths, target, recipe, factor, resolution, threads, progress)
    return SignalSummary(source.counts.used, usual.depth(), factor, source.counts, mean)


def signal_bins(
    path: Path, lengths: Mapping[str, int], recipe: Recipe, resolution: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Unscaled bins of one sequence after the other: (name, float32[ceil(length / resolution)]).

    The file's sequences come first, in its order; `recipe.scale` and `recipe.excluded` are not heeded. Memory is that
    of the bins of one sequence.

    Raises:
        DataError: see `trackgen.genome.fragments.open_fragments`.
    """
    source = open_fragments(path, lengths, recipe.fragments)
    name = ""
    parts: list[NDArray[np.float32]] = []
    for part in swept(source.chunks(), lengths, resolution, measure=recipe.measure, shifted=source.shifted):
        if part.name != name and parts:
            yield name, np.concatenate(parts)
            parts = []
        name = part.name
        parts.append(part.values.astype(np.float32))
    if parts:
        yield name, np.concatenate(parts)


def refuse_onto_itself(path: Path, target: Path) -> None:
    """Refuse to write a signal over the file that it is made of.

    Raises:
        UsageError: both are one file.
    """
    if target.exists() and path.exists() and target.samefile(path):
        raise UsageError(
            "a signal can't be written over the file that it is made of", path=target, place="-o",
            wanted="another file",
        )  # fmt: skip


def _temporary_file(target: Path) -> IO[bytes]:
    """A nameless file beside the target."""
    try:
        return tempfile.TemporaryFile(dir=target.parent)
    except OSError as error:
        raise ResourceError(
            "the track cannot be written", path=target, found=error.strerror,
            remedy="choose a folder that exists and can be written, with -o",
        ) from error  # fmt: skip


def _reported(source: FragmentSource, lengths: Mapping[str, int], progress: Progress) -> Iterator[Fragments]:
    """The source's chunks; progress in bases that they have reached."""
    progress.start("reading fragments", sum(lengths.values()), "bases")
    name, at = "", 0
    for chunk in source.chunks():
        if chunk.name != name:
            progress.advance(lengths[name] - at if name else 0)
            name, at = chunk.name, 0
        progress.advance(int(chunk.start[-1]) - at)
        at = int(chunk.start[-1])
        yield chunk
    progress.advance(lengths[name] - at if name else 0)
    progress.finish()


class _Usual:
    """The usual depth of what passes by, and the factor that it makes."""

    def __init__(self, source: FragmentSource, lengths: Mapping[str, int], recipe: Recipe) -> None:
        self._source, self._recipe = source, recipe
        self._coverage = UsualDepth(lengths, recipe.excluded)
        self._cuts = UsualDepth(lengths, recipe.excluded) if recipe.measure == "cuts" else None

    def watched(self, chunks: Iterator[Fragments]) -> Iterator[Fragments]:
        for chunk in chunks:
            self._coverage.add(chunk)
            if self._cuts is not None:
                sites = cut_sites(chunk, shifted=self._source.shifted)
                self._cuts.add(Fragments(chunk.name, sites, sites + 1))
            yield chunk

    def depth(self) -> float:
        return self._coverage.depth() if self._coverage.any() else 0.0

    def factor(self) -> float:
        if self._recipe.scale == "cpm":
            return MILLION / self._source.counts.used
        try:
            return 1 / (self._cuts or self._coverage).depth()
        except DataError as error:
            raise error.in_file(self._source.path) from None


class _Spool:
    """Fragments in a temporary file: each chunk's starts, ends and, of single reads, strands."""

    def __init__(self, file: IO[bytes], target: Path) -> None:
        self._file, self._target = file, target
        self._chunks: list[tuple[str, int, bool]] = []

    def add(self, chunk: Fragments) -> None:
        self._chunks.append((chunk.name, len(chunk.start), chunk.strand is not None))
        try:
            # BigWig's own coordinates are 32 bits.
            for edges in (chunk.start, chunk.end):
                self._file.write(edges.astype(np.uint32).tobytes())
            if chunk.strand is not None:
                self._file.write(chunk.strand.tobytes())
        except OSError as error:
            raise ResourceError(
                "the temporary file can't be written", path=self._target.parent, found=error.strerror,
                remedy="free space and run the same command again",
            ) from error  # fmt: skip

    def chunks(self) -> Iterator[Fragments]:
        self._file.seek(0)
        for name, number, stranded in self._chunks:
            start, end = (np.frombuffer(self._file.read(4 * number), np.uint32).astype(np.int64) for _ in range(2))
            strand = np.frombuffer(self._file.read(number), np.int8) if stranded else None
            yield Fragments(name, start, end, strand)


def _write(
    values: Iterator[Values], lengths: Mapping[str, int], target: Path, recipe: Recipe, factor: float,
    resolution: int, threads: int, progress: Progress,
) -> float:  # fmt: skip
    """Write the track; the mean over all bases that have a value."""
    gaps = spans_by_name(recipe.excluded, lengths)
    begun = False
    with BigWigWriter(target, lengths, stride=resolution, threads=threads) as writer:
        for name, first, some in values:
            if not begun and recipe.scale != "none":
                progress.start("writing the signal", sum(lengths.values()), "bases")
            begun = True
            writer.add(name, first, (some * factor).astype(np.float32), gaps[name])
            if recipe.scale != "none":
                progress.advance(min(len(some) * resolution, lengths[name] - first * resolution))
    progress.finish()
    statistics = writer.statistics
    return statistics.sum / statistics.values if statistics.values else 0.0
