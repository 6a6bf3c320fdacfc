"""A Dask cluster as a place for tasks: its client, what it says of a task in words, and workers that come and go."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import queue
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import trackgen
from trackgen.errors import ResourceError, TrackgenError, UsageError
from trackgen.progress import Progress

__all__ = ["REMEDY", "ClusterTasks", "check_address", "cluster_client", "distributed_module", "error_from_here"]

LOCAL = "local:"
ADDRESS = r"([a-z]+://)?(\[[0-9a-fA-F:.%]+\]|[^\s/:\[\]]+):\d{1,5}"
RETRIES = 3
"""Times that a task is tried again where the machine failed; workers that die are counted by Dask itself."""
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
REMEDY = "the same command goes on where it stopped"


def check_address(address: str) -> None:
    """Refuse what is no address before anything is planned.

    Raises:
        UsageError: it is neither ``local:N`` nor host and port.
        ModuleNotFoundError: the library distributed is missing.
    """
    distributed_module()
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


class ClusterTasks:
    """Tasks on a cluster, and what became of them.

    Args:
        client: of the cluster.
        what: one task in words, for errors.
        progress: told about workers.
    """

    def __init__(self, client: Any, what: str, progress: Progress) -> None:
        self._client, self._what, self._progress = client, what, progress
        self._workerless = _Workerless(client, progress)
        self._finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        # Emptied as tasks end: what is held is made again with its worker.
        self._left: dict[Any, Any] = {}

    def __len__(self) -> int:
        """Tasks that were not taken yet."""
        return len(self._left)

    def submit(self, token: Any, function: Callable[..., Any], *arguments: Any) -> None:
        """Have ``function(*arguments)`` called by a worker; what would fail again it returns as a `TrackgenError`."""
        future = self._client.submit(function, *arguments, retries=RETRIES, pure=False)
        self._left[future] = token
        future.add_done_callback(self._finished.put)

    def take(self) -> tuple[Any, Any] | None:
        """(token, result) of a task that ended; None where none did for a while.

        Raises:
            ResourceError: the scheduler or all workers went away; workers died again and again.
            UsageError: a worker lacks a library.
            TrackgenError: what the task returned.
        """
        try:
            future = self._finished.get(timeout=LOOK_EVERY)
        except queue.Empty:
            self._look()
            return None
        outcome = _outcome(future, self._what, self._look)
        if isinstance(outcome, TrackgenError):
            raise outcome
        token = self._left.pop(future)
        future.release()
        return token, outcome

    def _look(self) -> None:
        self._progress.advance(0)  # a line a minute, also while the first tasks take longer
        self._workerless.look()


def _outcome(future: Any, what: str, look: Callable[[], None]) -> Any:
    """What a task returned; what Dask itself says of it in words.

    Args:
        what: one task in words.
        look: called while a result that was lost with its worker is made again.
    """
    dask = distributed_module()
    while True:
        try:
            return future.result(timeout=LOOK_EVERY)
        except dask.KilledWorker as error:
            raise ResourceError(
                f"workers died again and again while they made {what}",
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
        dask = distributed_module()
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
    except (OSError, distributed_module().TimeoutError):
        return {"unknown": None}


@contextlib.contextmanager
def cluster_client(address: str, threads: int, progress: Progress) -> Iterator[Any]:
    """A client of the cluster at the address, or of one made here, whose workers have our version.

    Args:
        address: see `check_address`.
        threads: of all workers made here together.
        progress: told about the workers.

    Raises:
        UsageError: no address, or a worker has another version of trackgen.
        ResourceError: the scheduler does not answer.
    """
    dask = distributed_module()
    cluster: Any = None
    try:
        if address.startswith(LOCAL):
            workers = int(address.removeprefix(LOCAL))
            cluster = dask.LocalCluster(
                n_workers=workers,
                threads_per_worker=max(1, threads // workers),
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
        _refuse_other_versions(client)
        progress.note(f"cluster: {address}, {len(_workers(client))} workers")
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


def error_from_here(error: TrackgenError) -> TrackgenError:
    """The error, naming the worker."""
    place = ", ".join(
        part for part in (error.place, f"on the worker {distributed_module().get_worker().address}") if part
    )
    return error.at(place)


def distributed_module() -> Any:
    """The module distributed, which has types for some of its parts only."""
    import distributed

    return distributed
