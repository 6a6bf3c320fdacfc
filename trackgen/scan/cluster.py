"""Shards as tasks of a Dask cluster. Workers share OUT, the models and the genome with the process that asks, under the
same paths; they may come and go, and may die: a shard is whole or not there, and is made again elsewhere.
"""

from __future__ import annotations

import dataclasses
import os
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from trackgen.errors import ResourceError, TrackgenError, UsageError
from trackgen.progress import Progress
from trackgen.scan.dask_client import ClusterTasks, cluster_client, distributed_module, error_from_here
from trackgen.scan.folder import OutputFolder
from trackgen.scan.lock import CLUSTER_JOB
from trackgen.scan.making import JoinedRun, join_run
from trackgen.scan.options import ScanOptions
from trackgen.scan.shards import Shard

__all__ = ["make_on_cluster"]

RUNS_KEPT = 2
"""Runs whose models a worker keeps loaded, those that it worked on last."""
LOOK_EVERY = 1.0
"""Seconds between looks at a folder that others write into."""
SEEN_AFTER = 60.0
"""Seconds that a network folder may take to show what another machine wrote: NFS remembers names that were absent."""
JOIN_SECONDS = 10.0
"""Seconds that a worker waits for the plan to be seen, for the same reason."""

_joined: dict[str, JoinedRun] = {}
_joining = threading.Lock()
"""In a worker process: the runs that it works on, each joined once."""


def make_on_cluster(options: ScanOptions, shards: Sequence[Shard], bases: Sequence[int], progress: Progress) -> None:
    """Make shards on a Dask cluster.

    Args:
        bases: of each shard, for the progress.

    Raises:
        UsageError: a worker has another installation of trackgen, or sees other files.
        ResourceError: the scheduler does not answer or goes away; there is no worker for long; workers died again and
            again.
        Whatever making a shard raises.
    """
    if options.device == "cuda:all":
        raise UsageError(
            "a worker has one device",
            place="--device",
            found=options.device,
            wanted="cuda or auto, and a worker for each device with CUDA_VISIBLE_DEVICES set",
        )
    job = f"{CLUSTER_JOB}{uuid.uuid4().hex}"
    asked = _as_seen_from_workers(options)
    with cluster_client(options.cluster or "", options.threads, progress) as client:
        tasks = ClusterTasks(client, "one shard", progress)
        for shard, count in zip(shards, bases, strict=True):
            tasks.submit(count, _make, asked, job, shard.number)
        while tasks:
            done = tasks.take()
            if done is not None:
                progress.advance(done[0])
    _wait_for_files(options.output, shards)


def _as_seen_from_workers(options: ScanOptions) -> ScanOptions:
    """The options with absolute paths: a worker has a folder of its own."""
    return dataclasses.replace(
        options,
        cluster=None,
        overwrite=False,
        temporary_folder=None,
        models=tuple(_absolute(text) for text in options.models),
        genome=options.genome.absolute(),
        output=options.output.absolute(),
        regions=tuple(_absolute(text) for text in options.regions),
        reference=options.reference and _absolute(options.reference),
        exclude=tuple(path.absolute() for path in options.exclude),
        signals=tuple((name, path.absolute()) for name, path in options.signals),
        vectors=tuple((name, path.absolute()) for name, path in options.vectors),
    )


def _absolute(text: str) -> str:
    """A file's path; what names no file, such as a shipped model or ``chr:a-b``, as it is."""
    return str(Path(text).absolute()) if Path(text).is_file() else text


def _wait_for_files(output: Path, shards: Sequence[Shard]) -> None:
    """Wait until this machine sees the files that others wrote; without effect where it never does."""
    folder = OutputFolder(output)
    names = {folder.shard(shard.number).name for shard in shards}
    deadline = time.monotonic() + SEEN_AFTER
    # Reading the folder makes NFS ask the server.
    while folder.shards.is_dir() and not names.issubset(os.listdir(folder.shards)) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)


def _make(options: ScanOptions, job: str, number: int) -> int | TrackgenError:
    """In a worker: make one shard. What would fail again is returned, since Dask tries again what is raised."""
    try:
        with _joining:
            if job not in _joined:
                _joined[job] = _join(dataclasses.replace(options, threads=_threads()), job)
            run = _joined[job] = _joined.pop(job)
            while len(_joined) > RUNS_KEPT:
                _joined.pop(next(iter(_joined)))
        return run.make(number)
    except ResourceError as error:
        raise error_from_here(error) from error
    except TrackgenError as error:
        return error_from_here(error)


def _join(options: ScanOptions, job: str) -> JoinedRun:
    """Join the run when its plan can be seen."""
    deadline = time.monotonic() + JOIN_SECONDS
    while OutputFolder(options.output).record is None and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    return join_run(options, job)


def _threads() -> int:
    """Tasks that this worker runs at a time: each is a thread, and all share the loaded models."""
    threads: int = distributed_module().get_worker().state.nthreads
    return threads
