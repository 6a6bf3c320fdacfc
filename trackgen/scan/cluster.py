"""Shards as tasks of a Dask cluster. Workers share OUT, the models and the genome with the scheduler's client, may come
and go, and may die: a shard is whole or not there, and is made again elsewhere.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from trackgen.errors import ResourceError, UsageError
from trackgen.progress import Progress
from trackgen.scan.lock import CLUSTER_JOB
from trackgen.scan.making import JoinedRun, join_run
from trackgen.scan.options import ScanOptions
from trackgen.scan.shards import Shard

__all__ = ["check_address", "make_on_cluster"]

LOCAL = "local:"
RETRIES = 3
"""Times that a shard is tried again where the machine failed; workers that die are counted by Dask itself."""
CONNECT_SECONDS = 30

_joined: dict[str, JoinedRun] = {}
_joining = threading.Lock()
"""In a worker process: the runs that it works on, each joined once."""


def check_address(address: str) -> None:
    """Refuse what is no address before anything is planned.

    Raises:
        UsageError: it is neither ``local:N`` nor host and port.
    """
    local = address.removeprefix(LOCAL)
    good = local.isdecimal() and int(local) > 0 if address.startswith(LOCAL) else ":" in address
    if not good:
        raise UsageError(
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
        ResourceError: the scheduler does not answer; workers died again and again.
        Whatever making a shard raises.
    """
    dask = _dask()

    assert options.cluster is not None
    job = f"{CLUSTER_JOB}{uuid.uuid4().hex}"
    # A worker sees the folders of its own machine.
    asked = dataclasses.replace(
        options, cluster=None, output=options.output.absolute(), genome=options.genome.absolute()
    )
    with _client(options) as client:
        told = progress.note
        told(f"cluster: {options.cluster}, dashboard at {client.dashboard_link}")
        futures = {
            client.submit(_make, asked, job, shard.number, retries=RETRIES, pure=False): count
            for shard, count in zip(shards, bases, strict=True)
        }
        try:
            for future in dask.as_completed(list(futures)):
                future.result()
                progress.advance(futures[future])
        except dask.KilledWorker as error:
            raise ResourceError(
                "workers died again and again while they made one shard",
                place="--cluster",
                found=str(error).split("\n", 1)[0],
                remedy="see the workers' logs, give them more memory, then run the same command again: it goes on",
            ) from error
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                client.cancel(list(futures))


@contextlib.contextmanager
def _client(options: ScanOptions) -> Iterator[Any]:
    """A client of the cluster at the address, or of one made here."""

    dask, address = _dask(), options.cluster or ""
    with contextlib.ExitStack() as stack:
        try:
            target: Any = address
            if address.startswith(LOCAL):
                workers = int(address.removeprefix(LOCAL))
                each = max(1, options.threads // workers)
                target = stack.enter_context(
                    dask.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=each,
                        processes=True,
                        dashboard_address=None,
                        silence_logs=50,
                    )
                )
            client = stack.enter_context(dask.Client(target, timeout=CONNECT_SECONDS))
        except (OSError, TimeoutError, ValueError) as error:
            raise ResourceError(
                "the Dask scheduler does not answer",
                place="--cluster",
                found=f"{address}: {error}",
                wanted="the address of a running scheduler",
                remedy="see whether it runs and can be reached from here",
            ) from error
        yield client


def _make(options: ScanOptions, job: str, number: int) -> int:
    """In a worker: make one shard."""
    with _joining:
        if job not in _joined:
            _joined.clear()
            _joined[job] = join_run(dataclasses.replace(options, threads=_threads()), job)
    return _joined[job].make(number)


def _threads() -> int:
    """Tasks that this worker runs at a time: each is a thread, and all share the loaded models."""
    threads: int = _dask().get_worker().state.nthreads
    return threads


def _dask() -> Any:
    """The module distributed, which has types for some of its parts only."""
    import distributed

    return distributed
