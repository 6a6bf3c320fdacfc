"""Shards over several devices of one machine: a process for each, so that Python itself is not what they wait for."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from trackgen.errors import ResourceError
from trackgen.progress import Progress
from trackgen.scan.making import JoinedRun, join_run
from trackgen.scan.options import ScanOptions
from trackgen.scan.shards import Shard

__all__ = ["make_on_devices"]

_joined: JoinedRun | None = None
"""In a worker process: the run that it works on."""


def make_on_devices(
    options: ScanOptions, devices: Sequence[str], shards: Sequence[Shard], bases: Sequence[int], progress: Progress
) -> None:
    """Make shards in one process a device; each takes the next shard when it is free.

    Args:
        devices: such as ``cuda:0``; one process each.
        bases: of each shard, for the progress.

    Raises:
        ResourceError: a process died.
        Whatever making a shard raises.
    """
    context = multiprocessing.get_context("spawn")
    waiting: Any = context.SimpleQueue()
    each = max(1, options.threads // len(devices))
    for device in devices:
        waiting.put(dataclasses.replace(options, device=device, threads=each))
    pool = ProcessPoolExecutor(len(devices), mp_context=context, initializer=_join, initargs=(waiting,))
    try:
        futures = {pool.submit(_make, shard.number): count for shard, count in zip(shards, bases, strict=True)}
        for future in as_completed(futures):
            future.result()
            progress.advance(futures[future])
    except BrokenProcessPool as error:
        raise ResourceError(
            "a process of the scan died",
            path=options.output,
            found="one of those that run the models, perhaps for want of memory",
            remedy="run the same command again: it goes on where it stopped",
        ) from error
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop the processes, in the middle of their work where there is some."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(1.0)


def _join(waiting: Any) -> None:
    global _joined
    _joined = join_run(waiting.get(), "")


def _make(number: int) -> int:
    assert _joined is not None
    return _joined.make(number)
