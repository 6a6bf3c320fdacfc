"""Pieces of a sweep as tasks of a Dask cluster, whose workers share the sweep's folder under the same path."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import torch

from trackgen.errors import ResourceError, TrackgenError
from trackgen.learn.sweep.work import Task, make
from trackgen.progress import Progress
from trackgen.scan.dask_client import ClusterTasks, cluster_client, error_from_here

__all__ = ["DaskPool", "open_dask_pool"]

SEEN_AFTER = 10.0
"""Seconds that a network folder may take to show a worker the sets of the sweep."""


class DaskPool:
    """Workers of a cluster; no more tasks are given than they have threads, so that what comes first is made first."""

    def __init__(self, client: Any, progress: Progress) -> None:
        self._client = client
        self._tasks = ClusterTasks(client, "one piece of the sweep", progress)

    def free(self) -> int:
        """Threads of workers without a task; one at least, so that a cluster without workers is told of."""
        return max(1, sum(map(int, self._client.nthreads().values()))) - len(self._tasks)

    def give(self, task: Task) -> None:
        """Hand over a task."""
        self._tasks.submit(task, _make, task)

    def take(self) -> tuple[Task, dict[str, Any]] | None:
        """A task that is done; None where there is none yet."""
        return self._tasks.take()


@contextlib.contextmanager
def open_dask_pool(address: str, processes: int, progress: Progress) -> Iterator[DaskPool]:
    """The workers at an address; see `trackgen.scan.dask_client.cluster_client`."""
    with cluster_client(address, processes, progress) as client:
        yield DaskPool(client, progress)


def _make(task: Task) -> dict[str, Any] | TrackgenError:
    """In a worker: make a piece. What would fail again is returned, since Dask tries again what is raised."""
    torch.set_num_threads(1)
    try:
        _wait_for(task)
        return make(task)
    except ResourceError as error:
        raise error_from_here(error) from error
    except TrackgenError as error:
        return error_from_here(error)


def _wait_for(task: Task) -> None:
    """Wait until this machine sees the sweep's folder; without effect where it never does."""
    deadline = time.monotonic() + SEEN_AFTER
    while not (task.folder / "plan.json").exists() and time.monotonic() < deadline:
        time.sleep(1.0)
