"""Shards into tracks: bytes are concatenated, zoom levels and indexes are built, everything appears by rename.

Reads plan.json and the shard files, nothing else: neither models nor the genome are needed.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.bigwig import TrackStatistics
from trackgen.bigwig.assembly import Chromosomes, assemble
from trackgen.bigwig.blocks import NO_EXTENTS
from trackgen.bigwig.percentiles import Histogram
from trackgen.bigwig.seams import LooseItems, join_loose
from trackgen.bigwig.sections import EncodedSections, encode_sections
from trackgen.bigwig.spool import SUMMARIES_AT_ONCE, copy_bytes, write_all
from trackgen.bigwig.workers import ordered_map
from trackgen.errors import DataError, UsageError
from trackgen.progress import NullProgress, Progress
from trackgen.scan.digest import file_sha256
from trackgen.scan.folder import RUN_FILE, SKIPPED_FILE, OutputFolder, machine_errors
from trackgen.scan.gaps import REASONS, Skip, SkippedBases
from trackgen.scan.lock import Lock, scheduler_job
from trackgen.scan.made_signals import facts_of
from trackgen.scan.pipeline import Stopped
from trackgen.scan.record import PlanRecord
from trackgen.scan.report import RunFacts, write_run_file
from trackgen.scan.shard_file import HISTOGRAM, SECTIONS, DamagedShard, ShardReader, verify_shard
from trackgen.scan.space import bytes_to_assemble

__all__ = ["assemble_folder", "assemble_shards", "finished_shards", "missing_shards"]

LOCK_FILE = "assemble.lock"
MOST_OPEN, LEAST_OPEN = 64, 2
"""Shard files that one track holds open: a process may have a thousand open files, a genome more shards."""
OTHER_FILES, TRACK_FILES = 128, 16
"""Open files of the rest of the process, and of a track beside its shards: its own, one a zoom level."""
NAMED = 8
"""Shards named in a message."""


def check_shard(folder: OutputFolder, record: PlanRecord, number: int) -> dict[str, Any] | None:
    """The facts of a shard, after reading all of it; None where there is none.

    Raises:
        DamagedShard: it is not what was written, or of another plan; it is to be made again.
    """
    try:
        facts = verify_shard(folder.shard(number))
    except FileNotFoundError:
        return None
    if facts.get("plan") != record.hash or facts.get("shard") != number:
        raise DamagedShard("it is of another plan")
    return facts


def finished_shards(
    folder: OutputFolder, record: PlanRecord, numbers: Iterable[int]
) -> tuple[dict[int, dict[str, Any]], list[int]]:
    """The facts of those shards that are there and whole, and the numbers of those that are damaged."""
    facts: dict[int, dict[str, Any]] = {}
    damaged = []
    for number in numbers:
        try:
            found = check_shard(folder, record, number)
        except DamagedShard:
            damaged.append(number)
            continue
        if found is not None:
            facts[number] = found
    return facts, damaged


def assemble_folder(path: Path, threads: int, progress: Progress | None = None) -> tuple[list[Path], bool]:
    """Put the shards of an unfinished run together: what ``trackgen assemble OUT`` does.

    Returns:
        The tracks, and whether they had been put together before.

    Raises:
        UsageError: the folder holds no run.
        DataError: shards are missing or damaged.
    """
    progress = progress or NullProgress()
    began = time.perf_counter()
    folder = OutputFolder(path)
    record = folder.record
    if record is None:
        names = folder.finished_tracks()
        if names:
            return [path / name for name in names], True
        raise UsageError(
            "the folder holds no run to put together",
            path=path,
            wanted="the OUT of `trackgen scan --shard K/N` or `--plan-only`",
        )
    with machine_errors(path, lambda: bytes_to_assemble(folder, len(record.tracks))):
        facts, damaged = finished_shards(folder, record, range(record.shards))
        if len(facts) < record.shards:
            raise missing_shards(folder, record, facts, damaged)
        assemble_shards(folder, record, list(facts.values()), threads, progress, began)
    return [path / track["file"] for track in record.tracks], False


def missing_shards(
    folder: OutputFolder, record: PlanRecord, facts: Mapping[int, dict[str, Any]], damaged: Sequence[int]
) -> DataError:
    """What to say where shards are missing or damaged."""
    missing = [number for number in range(record.shards) if number not in facts]
    names = ", ".join(str(number + 1) for number in missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
    found = f"{len(missing)} of {record.shards} missing: {names}"
    if damaged:
        found += f" ({len(damaged)} of them damaged)"
    living = folder.living()
    remedy = "wait for it" if living else "run the scan's command, or its --shard K/N, again: it makes what is missing"
    return DataError(
        "not all shards are there yet",
        path=folder.shards,
        found=found + (f"; {living[0]} is at work" if living else ""),
        wanted="all shards of the plan, whole",
        remedy=remedy,
    )


def assemble_shards(
    folder: OutputFolder,
    record: PlanRecord,
    facts: Sequence[Mapping[str, Any]],
    threads: int,
    progress: Progress,
    since: float,
) -> dict[str, float]:
    """Put all shards together and finish the folder.

    Args:
        facts: of every shard, in order.
        threads: cores; several tracks at once, or one on several.
        since: moment (`time.perf_counter`) from which no shard counts the seconds.

    Returns:
        The seconds of each stage, and in total.
    """
    began = time.perf_counter()
    lock = Lock(folder.work / LOCK_FILE, scheduler_job())
    try:
        # What an interrupted assembly left is made anew, and takes no space meanwhile.
        shutil.rmtree(folder.tracks, ignore_errors=True)
        folder.tracks.mkdir()
        progress.start("assemble", len(record.tracks), "tracks")
        share = _share(threads, len(record.tracks))

        def make(track: int) -> TrackStatistics:
            statistics = _make_track(folder, record, track, share)
            progress.advance(1)
            return statistics

        with contextlib.ExitStack() as stack:
            stack.callback(progress.finish)
            statistics = list(ordered_map(share.tracks, make, range(len(record.tracks)), share.stopped.set))
        _write_skipped(folder, record)
        moments = (time.perf_counter() - began, time.perf_counter() - since)
        inputs = [_put_input(folder, entry) for entry in record.inputs]
        run_facts = RunFacts(record, facts, statistics, *moments, folder.tracks, inputs)
        for text in run_facts.warnings():
            progress.note(f"WARNING: {text}")
        write_run_file(folder.tracks / RUN_FILE, run_facts)
        folder.commit([*(track["file"] for track in record.tracks), *(entry["file"] for entry in inputs)])
    finally:
        lock.release()
    return run_facts.seconds()


def _put_input(folder: OutputFolder, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Put a signal that was made of reads among the finished tracks; what run.json says of it.

    Raises:
        DataError: it is gone.
    """
    made, target = folder.signals / entry["made"], folder.tracks / entry["told"]["file"]
    try:
        facts = facts_of(made)
        try:
            os.link(made, target)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links
            shutil.copyfile(made, target)
    except FileNotFoundError as error:
        raise DataError(
            "the signal that the run made of reads is gone",
            path=made,
            remedy="run the scan's command again, which makes it again",
        ) from error
    return {**entry["told"], **facts, "sha256": file_sha256(target)}


class _Share(NamedTuple):
    """What each of the tracks that are put together at a time may use.

    Attributes:
        tracks: how many there are at a time.
        threads: cores of each.
        open_files: shard files that each holds open.
        stopped: set when the run is over, and nobody waits for them.
    """

    tracks: int
    threads: int
    open_files: int
    stopped: threading.Event


def _share(threads: int, tracks: int) -> _Share:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(0, (soft if soft != resource.RLIM_INFINITY else 1 << 16) - OTHER_FILES)
    at_once = max(1, min(threads, tracks, files // (TRACK_FILES + LEAST_OPEN)))
    open_files = min(MOST_OPEN, max(LEAST_OPEN, files // at_once - TRACK_FILES))
    return _Share(at_once, max(1, threads // at_once), open_files, threading.Event())


def _make_track(folder: OutputFolder, record: PlanRecord, track: int, share: _Share) -> TrackStatistics:
    path = folder.tracks / record.tracks[track]["file"]
    temporary = path.with_name(path.name + ".tmp")
    grid, histogram = record.grid(track), Histogram()
    with contextlib.closing(_ShardSource(folder, record, track, histogram, share)) as source:
        try:
            with open(temporary, "wb", buffering=0) as file:
                totals = assemble(
                    file, Chromosomes.of(record.lengths, path), grid, source, folder.tracks, share.threads
                )
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return TrackStatistics.of(totals, histogram)


class _Readers:
    """Shard files, a bounded number of them open."""

    def __init__(self, folder: OutputFolder, most: int = MOST_OPEN) -> None:
        self._folder = folder
        self._most = most
        self._open: OrderedDict[int, ShardReader] = OrderedDict()

    def __getitem__(self, shard: int) -> ShardReader:
        reader = self._open.pop(shard, None) or ShardReader(self._folder.shard(shard))
        self._open[shard] = reader
        if len(self._open) > self._most:
            self._open.popitem(last=False)[1].close()
        return reader

    def close(self) -> None:
        for reader in self._open.values():
            reader.close()
        self._open.clear()


class _Part(NamedTuple):
    """Some sections of a track: in a shard file, or encoded here from what shards held loose."""

    shard: int
    row: Any
    here: EncodedSections | None = None


class _ShardSource:
    """The sections of one track from all shards; a `trackgen.bigwig.spool.Source`.

    Once `share.stopped` is set it gives no more: the run is over, and nobody waits for the track.
    """

    def __init__(
        self, folder: OutputFolder, record: PlanRecord, track: int, histogram: Histogram, share: _Share
    ) -> None:
        self._stopped = share.stopped
        self._readers = _Readers(folder, share.open_files)
        self._grid = record.grid(track)
        rows = []
        for shard in range(record.shards):
            own = self._readers[shard].rows(track)
            for row in own[own["kind"] == HISTOGRAM]:
                self._readers[shard].add_histogram(row, histogram)
            rows += [(shard, row) for row in own[own["kind"] != HISTOGRAM]]
        # Shards follow the genome's order, the file that of names; within a sequence both are the same.
        rows.sort(key=lambda entry: int(entry[1]["chromosome"]))
        self._parts = list(self._joined(rows))
        self.largest = max((self._largest(part) for part in self._parts), default=0)

    def _joined(self, rows: Sequence[tuple[int, Any]]) -> Iterator[_Part]:
        """The parts in order, where loose items of one section became that section."""
        waiting: list[LooseItems] = []
        chromosome = 0
        for shard, row in rows:
            loose = None if row["kind"] == SECTIONS else self._readers[shard].loose(row)
            joins = loose is not None and waiting and int(row["chromosome"]) == chromosome
            if waiting and not (joins and loose is not None and loose.first == waiting[0].first):
                yield self._encode(chromosome, waiting)
                waiting = []
            if loose is None:
                yield _Part(shard, row)
            else:
                waiting.append(loose)
                chromosome = int(row["chromosome"])
        if waiting:
            yield self._encode(chromosome, waiting)

    def _encode(self, chromosome: int, loose: Sequence[LooseItems]) -> _Part:
        joined = join_loose(loose)
        return _Part(-1, None, encode_sections(chromosome, self._grid, joined.first, joined.items))

    def _largest(self, part: _Part) -> int:
        return part.here.blocks.largest if part.here else int(part.row["largest"])

    def extents(self) -> NDArray[Any]:
        """EXTENT[s] of all sections, ascending by (chromosome id, start)."""
        found = [
            part.here.blocks.extents if part.here else self._readers[part.shard].extents(part.row)
            for part in self._parts
        ]
        return np.concatenate([NO_EXTENTS, *found])

    def copy_sections(self, file: BinaryIO) -> None:
        """Append the compressed sections to an unbuffered file, in the order of ``extents``."""
        for part in self._until_stopped():
            if part.here:
                write_all(file, b"".join(part.here.blocks.data))
            else:
                offset, size = int(part.row["offset"]), int(part.row["size"])
                copy_bytes(self._readers[part.shard].file, offset, size, file)

    def summaries(self) -> Iterator[NDArray[Any]]:
        """First-level summaries in the same order, SUMMARY[n] at a time."""
        gathered: list[NDArray[Any]] = []
        count = 0
        for part in self._until_stopped():
            gathered.append(part.here.summaries if part.here else self._readers[part.shard].summaries(part.row))
            count += len(gathered[-1])
            if count >= SUMMARIES_AT_ONCE:
                yield np.concatenate(gathered)
                gathered, count = [], 0
        if gathered:
            yield np.concatenate(gathered)

    def _until_stopped(self) -> Iterator[_Part]:
        for part in self._parts:
            if self._stopped.is_set():
                raise Stopped
            yield part

    def close(self) -> None:
        self._readers.close()


def _write_skipped(folder: OutputFolder, record: PlanRecord) -> None:
    """Write skipped.bed, in the genome's order."""
    names = list(record.lengths)
    with (
        contextlib.closing(_Readers(folder)) as readers,
        open(folder.tracks / SKIPPED_FILE, "w", encoding="utf-8") as file,
    ):
        skipped = SkippedBases(file)
        for shard in range(record.shards):
            reader = readers[shard]
            for row in reader.rows(len(record.tracks)):
                for chromosome, start, end, reason in reader.skips(row).tolist():
                    skipped.add(Skip(names[chromosome], start, end, REASONS[reason]))
        skipped.close()
    with open(folder.tracks / SKIPPED_FILE, "rb") as written:
        os.fsync(written.fileno())
