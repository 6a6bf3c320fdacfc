"""Shards as tasks of a Dask cluster. Workers share OUT, the models and the genome with the process that asks, under the
same paths; they may come and go, and may die: a shard is whole or not there, and is made again elsewhere.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import os
import queue
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import trackgen
from trackgen.errors import ResourceError, TrackgenError, UsageError
from trackgen.progress import Progress
from trackgen.scan.folder import OutputFolder
from trackgen.scan.lock import CLUSTER_JOB
from trackgen.scan.making import JoinedRun, join_run
from trackgen.scan.options import ScanOptions
from trackgen.scan.shards import Shard

__all__ = ["check_address", "make_on_cluster"]

LOCAL = "local:"
ADDRESS = r"([a-z]+://)?(\[[0-9a-fA-F:.%]+\]|[^\s/:\[\]]+):\d{1,5}"
RETRIES = 3
"""Times that a shard is tried again where the machine failed; workers that die are counted by Dask itself."""
RUNS_KEPT = 2
"""Runs whose models a worker keeps loaded, those that it worked on last."""
CONNECT_SECONDS = 30
CLOSE_SECONDS = 1.0
"""That workers made here get to end when the run is over before its end."""
LOOK_EVERY = 1.0
"""Seconds between looks at the workers."""
LOOK_AGAIN = 0.1
"""Seconds until a connection that was lost is noticed everywhere, about."""
WORKERLESS_SECONDS = 60.0
"""Seconds without any worker after which a run is given up..."""
WORKERLESS_SETTING = "distributed.scheduler.no-workers-timeout"
"""... or what Dask's own setting of this meaning says, for workers that wait in a batch system's queue."""
SEEN_AFTER = 60.0
"""Seconds that a network folder may take to show what another machine wrote: NFS remembers names that were absent."""
JOIN_SECONDS = 10.0
"""Seconds that a worker waits for the plan to be seen, for the same reason."""
REMEDY = "the same command goes on where it stopped"

_joined: dict[str, JoinedRun] = {}
_joining = threading.Lock()
"""In a worker process: the runs that it works on, each joined once."""


def check_address(address: str) -> None:
    """Refuse what is no address before anything is planned.

    Raises:
        UsageError: it is neither ``local:N`` nor host and port.
        ModuleNotFoundError: the library distributed is missing.
    """
    _dask()
    local = address.removeprefix(LOCAL)
    if address.startswith(LOCAL):
        good = local.isdecimal() and int(local) > 0
    else:
        good = re.fullmatch(ADDRESS, address) is not None
    if not good:
        raise _no_address(address)


def _no_address(address: str) -> UsageError:
    return UsageError(
        "no address of a Dask cluster",
        place="--cluster",
        found=address,
        wanted="local:N for N processes here, or a scheduler such as tcp://host:8786",
    )


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
    with _client(options) as client:
        _refuse_other_versions(client)
        progress.note(f"cluster: {options.cluster}, {len(_workers(client))} workers")
        finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        futures = {
            client.submit(_make, asked, job, shard.number, retries=RETRIES, pure=False): count
            for shard, count in zip(shards, bases, strict=True)
        }
        for future in futures:
            future.add_done_callback(finished.put)
        _gather(client, futures, finished, progress)
    _wait_for_files(options.output, shards)


def _refuse_other_versions(client: Any) -> None:
    """A worker whose trackgen is absent would die of the first task, one of another version may give other values."""
    wanted = trackgen.__version__
    # A builtin, since a function of ours can't reach a worker that lacks it.
    versions = client.run(eval, "__import__('trackgen').__version__", on_error="return")
    for address, found in versions.items():
        if isinstance(found, ModuleNotFoundError) or (isinstance(found, str) and found != wanted):
            raise UsageError(
                "a worker has another installation of trackgen",
                place=f"--cluster, on the worker {address}",
                found=found,
                wanted=f"trackgen {wanted}",
                remedy="install the same version on all workers",
            )


def _gather(client: Any, futures: dict[Any, int], finished: queue.SimpleQueue[Any], progress: Progress) -> None:
    """Wait for all tasks; the first error ends it. Empties `futures`: what is held is made again with its worker."""
    workerless = _Workerless(client, progress)

    def look() -> None:
        progress.advance(0)  # a line a minute, also while the first shards take longer
        workerless.look()

    while futures:
        try:
            future = finished.get(timeout=LOOK_EVERY)
        except queue.Empty:
            look()
            continue
        outcome = _outcome(future, look)
        if isinstance(outcome, TrackgenError):
            raise outcome
        progress.advance(futures.pop(future))
        future.release()


def _outcome(future: Any, look: Callable[[], None]) -> int | TrackgenError:
    """What a task returned; what Dask itself says of it in words.

    Args:
        look: called while a result that was lost with its worker is made again.
    """
    dask = _dask()
    while True:
        try:
            outcome: int | TrackgenError = future.result(timeout=LOOK_EVERY)
            return outcome
        except dask.KilledWorker as error:
            raise ResourceError(
                "workers died again and again while they made one shard",
                place="--cluster",
                found=str(error).split("\n", 1)[0],
                remedy=f"see the workers' logs, give them more memory; {REMEDY}",
            ) from error
        except getattr(dask.scheduler, "NoWorkerError", dask.KilledWorker) as error:  # the scheduler's patience ended
            raise _no_worker(str(error)) from error
        except (asyncio.CancelledError, concurrent.futures.CancelledError) as error:
            raise ResourceError(
                "the Dask scheduler went away", place="--cluster", remedy=f"start it; {REMEDY}"
            ) from error
        except ModuleNotFoundError as error:
            raise UsageError(
                "a worker lacks a library",
                place="--cluster",
                found=f"no {error.name}",
                wanted="the same installation of trackgen on all workers",
            ) from error
        except (OSError, dask.TimeoutError):
            if future.status == "error":
                raise  # the task's own
        look()
        time.sleep(LOOK_AGAIN)


class _Workerless:
    """How long the cluster has had no worker."""

    def __init__(self, client: Any, progress: Progress) -> None:
        dask = _dask()
        self._client, self._progress = client, progress
        self._since: float | None = None
        setting = dask.dask.config.get(WORKERLESS_SETTING, None)
        self._allowed = WORKERLESS_SECONDS if setting is None else dask.dask.utils.parse_timedelta(setting)

    def look(self) -> None:
        """Look now.

        Raises:
            ResourceError: there has been none for too long.
        """
        if self._client.status != "running":
            return  # its tasks end as cancelled when it has given the scheduler up
        if _workers(self._client):
            self._since = None
            return
        now = time.monotonic()
        if self._since is None:
            self._since = now
            self._progress.note(f"cluster: no worker; waiting for one, {self._allowed:.0f} seconds at most")
        if now - self._since >= self._allowed:
            raise _no_worker(f"none for {self._allowed:.0f} seconds")


def _no_worker(found: str) -> ResourceError:
    return ResourceError(
        "the cluster has no worker",
        place="--cluster",
        found=found,
        wanted="at least one",
        remedy=f"start workers and see their logs; {REMEDY}. Dask's setting {WORKERLESS_SETTING} makes it wait longer",
    )


def _workers(client: Any) -> Mapping[str, Any]:
    """The workers that the scheduler knows; of one that just went away nothing is said."""
    try:
        workers: Mapping[str, Any] = client.scheduler_info()["workers"]
        return workers
    except (OSError, _dask().TimeoutError):
        return {"unknown": None}


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


@contextlib.contextmanager
def _client(options: ScanOptions) -> Iterator[Any]:
    """A client of the cluster at the address, or of one made here."""
    dask, address = _dask(), options.cluster or ""
    cluster: Any = None
    try:
        if address.startswith(LOCAL):
            workers = int(address.removeprefix(LOCAL))
            cluster = dask.LocalCluster(
                n_workers=workers,
                threads_per_worker=max(1, options.threads // workers),
                processes=True,
                dashboard_address=None,
                silence_logs=50,
            )
        client = dask.Client(address if cluster is None else cluster, timeout=CONNECT_SECONDS)
    except ValueError as error:  # no such protocol
        raise _no_address(f"{address}: {error}") from error
    except (OSError, dask.TimeoutError) as error:
        _close(cluster)
        raise ResourceError(
            "the Dask scheduler does not answer",
            place="--cluster",
            found=f"{address}: {error}",
            wanted="the address of a running scheduler",
            remedy="see whether it runs and can be reached from here",
        ) from error
    try:
        yield client
    except BaseException:
        _kill_workers(cluster)
        raise
    finally:
        # Closing gives up the tasks that are left. A scheduler that is gone must not hold up the end.
        _close(client)
        # Else the garbage collector closes one that did not end in time once more, where it may wait for ever.
        client.status = "closed"
        _close(cluster)


def _kill_workers(cluster: Any) -> None:
    """End the processes of a cluster made here at once: Dask would wait for the shards that they are in."""
    if cluster is None:
        return
    # Else Dask closes it once more, with patience of its own, when the interpreter ends.
    cluster.shutdown_on_close = False
    for nanny in list(cluster.workers.values()):
        nanny.auto_restart = False
        with contextlib.suppress(OSError, TypeError):  # gone, or not yet there
            os.kill(nanny.pid, signal.SIGKILL)


def _close(part: Any) -> None:
    if part is not None:
        with contextlib.suppress(Exception):
            part.close(timeout=CLOSE_SECONDS)


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
        raise _from_here(error) from error
    except TrackgenError as error:
        return _from_here(error)


def _join(options: ScanOptions, job: str) -> JoinedRun:
    """Join the run when its plan can be seen."""
    deadline = time.monotonic() + JOIN_SECONDS
    while OutputFolder(options.output).record is None and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    return join_run(options, job)


def _from_here(error: TrackgenError) -> TrackgenError:
    """The error, naming the worker."""
    place = ", ".join(part for part in (error.place, f"on the worker {_dask().get_worker().address}") if part)
    return error.at(place)


def _threads() -> int:
    """Tasks that this worker runs at a time: each is a thread, and all share the loaded models."""
    threads: int = _dask().get_worker().state.nthreads
    return threads


def _dask() -> Any:
    """The module distributed, which has types for some of its parts only."""
    import distributed

    return distributed
