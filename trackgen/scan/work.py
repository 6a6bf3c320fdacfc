"""The loop's body: what happens to a chunk of tiles, from the genome to the shard file.

::

    read ------> run ------> cut ------> gather ------> encode ------> commit
    any slot,    any slot,   any slot    in order       any slot       in order
    one by one   a lane

A base travels one way. Nothing of a shard appears under its name before its last chunk is committed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import trackgen
from trackgen.bigwig.percentiles import Histogram
from trackgen.bigwig.sections import EncodedSections
from trackgen.genome import Genome, intersect, total
from trackgen.genome.tiling import Tile
from trackgen.progress import Progress
from trackgen.scan.checks import WindowCheck
from trackgen.scan.encode import CutTrack, Encoded, Gathered, Gatherer, bigwig_grids, chromosome_ids, cut_tile, encode
from trackgen.scan.gaps import REASONS, runs_of
from trackgen.scan.lock import Lock
from trackgen.scan.machinery import Machinery
from trackgen.scan.pipeline import Pulse, Stage, Stopped
from trackgen.scan.plan import ScanPlan
from trackgen.scan.report import peak_memory
from trackgen.scan.runners import ModelRunner
from trackgen.scan.shard_file import SKIP, ShardWriter
from trackgen.scan.shards import Chunk, Shard, chunks_of
from trackgen.scan.sources import SignalFiles
from trackgen.scan.tile import ModelValues, run_model
from trackgen.scan.tile_input import TileInput, read_tile

__all__ = ["ShardWork", "TileRunner"]


class _TileShares:
    """Progress inside a tile, so that a slow model is not silent for minutes: shares of work as whole bases."""

    def __init__(self, bases: int, models: int) -> None:
        self._bases, self._models = bases, models
        self._share = 0.0
        self._told = 0

    def add(self, share: float) -> int:
        """Bases done since the last call, when `share` of one model's work on the tile is done."""
        self._share += share / self._models
        return self._until(min(self._bases, int(self._bases * self._share)))

    def finish(self) -> int:
        """The bases that are left."""
        return self._until(self._bases)

    def _until(self, bases: int) -> int:
        done, self._told = bases - self._told, bases
        return done


class TileRunner:
    """Runs every model of a plan on a tile, on any thread.

    Args:
        progress: told of the bases that are done.
    """

    def __init__(self, plan: ScanPlan, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._lock = threading.Lock()
        self._stopped = False
        self.pulse = Pulse()

    def run(self, source: TileInput, runners: list[ModelRunner], check: WindowCheck | None) -> list[ModelValues]:
        """The values of each model's items, as `run_model` gives them; `check` gets a sample of its windows."""
        shares = _TileShares(self._bases_asked(source.tile), len(runners))
        results = []
        for model, runner in zip(self._plan.models, runners, strict=True):
            results.append(run_model(model, runner, source, check, lambda share: self._tell(shares.add(share))))
        self._tell(shares.finish())
        return results

    def stop(self) -> None:
        """Let tiles that are being run end at their next batch: nobody waits for them any more."""
        self._stopped = True

    def _tell(self, bases: int) -> None:
        if self._stopped:
            raise Stopped
        self.pulse.beat()
        with self._lock:
            self._progress.advance(bases)

    def _bases_asked(self, tile: Tile) -> int:
        return total(intersect(self._plan.wanted[tile.name], np.array([[tile.start, tile.end]], np.int64)))


@dataclass
class _OpenShard:
    """A shard that is being made."""

    shard: Shard
    lock: Lock
    gatherer: Gatherer
    histograms: list[Histogram]
    check: WindowCheck = field(default_factory=WindowCheck)
    seconds: dict[str, float] = field(default_factory=dict)
    writer: ShardWriter | None = None


@dataclass
class _Load:
    """A chunk on its way; each stage fills the next field and drops what nobody needs any more."""

    opened: _OpenShard
    chunk: Chunk
    sources: list[TileInput] = field(default_factory=list)
    results: list[list[ModelValues]] = field(default_factory=list)
    cut: list[list[CutTrack]] = field(default_factory=list)
    skips: list[NDArray[Any]] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    encoded: list[Encoded] = field(default_factory=list)


class ShardWork:
    """Makes shards: a source of chunks, and the stages that each passes.

    Args:
        path_of: the file of a shard.
        lock: takes the lock of a shard's file.
        machinery: the runners, and how many slots and bases a chunk there are.
        hash: of the plan, which the shard files carry.
        made: called with each shard's number when its file has its name.
        began: moment (`time.perf_counter`) from which the first shard counts its seconds; now where None.

    Attributes:
        since: the moment up to which finished shards count theirs.
    """

    def __init__(
        self,
        plan: ScanPlan,
        genome: Genome,
        signals: SignalFiles,
        machinery: Machinery,
        path_of: Callable[[int], Path],
        lock: Callable[[Path], Lock],
        plan_hash: str,
        progress: Progress,
        made: Callable[[int], None] = lambda number: None,
        began: float | None = None,
    ) -> None:
        self._plan, self._genome, self._signals, self._machinery = plan, genome, signals, machinery
        self._path_of, self._take_lock, self._hash, self._made = path_of, lock, plan_hash, made
        self.tiles = TileRunner(plan, progress)
        self._grids = bigwig_grids(plan)
        self._ids = chromosome_ids(plan.lengths)
        self._places = {name: place for place, name in enumerate(plan.lengths)}
        self._open: list[_OpenShard] = []
        self._clock = threading.Lock()
        self.since = time.perf_counter() if began is None else began

    def loads(self, shards: Iterable[Shard]) -> Iterator[_Load]:
        """The chunks of the shards, in order; takes the lock of each shard when it begins."""
        for shard in shards:
            path = self._path_of(shard.number)
            lock = self._take_lock(path.with_suffix(".lock"))
            for leftover in path.parent.glob(f"{path.name}.*.tmp"):
                leftover.unlink(missing_ok=True)
            opened = _OpenShard(shard, lock, Gatherer(self._plan, shard), [Histogram() for _ in self._grids])
            self._open.append(opened)
            for chunk in chunks_of(shard, self._plan.tile, self._machinery.chunk):
                yield _Load(opened, chunk)

    def stages(self) -> list[Stage]:
        """What each chunk passes."""
        cores = self._machinery.cores
        return [
            Stage("read", self._timed("read", self._read), self._machinery.reading),
            Stage("run", self._timed("run", self._run), self._machinery.runners),
            Stage("encode", self._timed("encode", self._cut), cores),
            Stage("gather", self._timed("encode", self._gather), ordered=True),
            Stage("encode", self._timed("encode", self._encode), cores),
            Stage("commit", self._timed("commit", self._commit), ordered=True),
        ]

    def abandon(self) -> None:
        """Remove what was begun and not finished."""
        self.tiles.stop()
        for opened in self._open:
            if opened.writer is not None:
                opened.writer.abort()
            opened.lock.release()

    def _timed(self, name: str, work: Callable[[_Load, Any], None]) -> Callable[[_Load, Any], _Load]:
        def step(load: _Load, resource: Any) -> _Load:
            began = time.perf_counter()
            work(load, resource)
            with self._clock:
                seconds = load.opened.seconds
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
            if name == "commit" and load.chunk.last:
                self._finish(load.opened)
            return load

        return step

    def _read(self, load: _Load, resource: None) -> None:
        load.sources = [read_tile(self._genome, self._signals, self._plan, tile) for tile in load.chunk.tiles]

    def _run(self, load: _Load, runners: list[ModelRunner]) -> None:
        check = load.opened.check
        for source, chosen in zip(load.sources, load.chunk.checked, strict=True):
            # Every shard is checked somewhere, also where the tiles that were chosen hold nothing but gaps.
            looked_at = check if chosen or not check.windows or self._explains_unseen(check) else None
            load.results.append(self.tiles.run(source, runners, looked_at))

    def _explains_unseen(self, check: WindowCheck) -> bool:
        """Whether contributions are asked for, and none was looked at yet: calls may be rare."""
        return any(model.explanation for model in self._plan.models) and not check.contributions.has_looked

    def _cut(self, load: _Load, resource: object) -> None:
        for source, results in zip(load.sources, load.results, strict=True):
            load.cut.append(cut_tile(self._plan, source, results))
            load.skips.append(self._skips(source))
        load.results = []

    def _skips(self, source: TileInput) -> NDArray[Any]:
        parts = []
        for reason in REASONS:
            runs = runs_of(source.core_state == reason, source.tile.start)
            part = np.empty(len(runs), SKIP)
            part["chromosome"], part["reason"] = self._places[source.tile.name], reason
            part["start"], part["end"] = runs[:, 0], runs[:, 1]
            parts.append(part)
        skips = np.concatenate(parts)
        return skips[np.argsort(skips["start"], kind="stable")]

    def _gather(self, load: _Load, resource: None) -> None:
        gatherer = load.opened.gatherer
        for source, cut in zip(load.sources, load.cut, strict=True):
            load.gathered += gatherer.add(source.name, cut)
        if load.chunk.last:
            load.gathered += gatherer.finish()
        load.sources, load.cut = [], []

    def _encode(self, load: _Load, resource: object) -> None:
        load.encoded = [encode(part, self._grids[part.track], self._ids[part.name]) for part in load.gathered]
        load.gathered = []

    def _commit(self, load: _Load, resource: None) -> None:
        opened = load.opened
        writer = opened.writer or self._create(opened)
        writer.check_name()
        for part in load.encoded:
            if isinstance(part.part, EncodedSections):
                writer.add_sections(part.track, self._ids[part.name], part.part)
            else:
                writer.add_loose(part.track, self._ids[part.name], part.part)
            opened.histograms[part.track].add_bins(part.bins, part.bases)
        writer.add_skips(np.concatenate(load.skips))
        load.encoded, load.skips = [], []

    def _create(self, opened: _OpenShard) -> ShardWriter:
        path = self._path_of(opened.shard.number)
        temporary = path.with_name(f"{path.name}.{self._machinery.name}.tmp")
        opened.writer = ShardWriter(path, temporary, len(self._grids))
        return opened.writer

    def _finish(self, opened: _OpenShard) -> None:
        """Give the shard's file its name."""
        assert opened.writer is not None
        now = time.perf_counter()
        seconds, self.since = {**opened.seconds, "total": now - self.since}, now
        at_once = self._machinery.at_once
        facts = {
            "trackgen": trackgen.__version__,
            "plan": self._hash,
            "shard": opened.shard.number,
            # Seconds of work, shared by so many threads.
            "seconds": {name: value if name == "total" else value / at_once for name, value in seconds.items()},
            "windows": opened.check.windows,
            "difference": opened.check.largest_difference,
            "contributions": opened.check.contributions.facts(),
            "device": self._machinery.facts,
            "peak_rss_bytes": peak_memory(),
        }
        opened.writer.finish(opened.histograms, facts)
        self._open.remove(opened)
        with contextlib.suppress(OSError):
            opened.lock.release()
        self._made(opened.shard.number)
