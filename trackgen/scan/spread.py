"""Shards over several devices of one machine: a process for each, so that Python itself is not what they wait for."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from trackgen.errors import ResourceError
from trackgen.progress import Progress
from trackgen.scan.lock import scheduler_job
from trackgen.scan.making import JoinedRun, join_run
from trackgen.scan.options import ScanOptions
from trackgen.scan.shards import Shard

__all__ = ["make_on_devices"]

LOOK_EVERY = 10.0
"""Seconds between lines of progress at least, as far as the progress wants them."""

PATIENCE = 1.0
"""Seconds that a process gets to end when the run is over."""

_asked: ScanOptions | None = None
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
    pool = ProcessPoolExecutor(len(devices), mp_context=context, initializer=_begin, initargs=(waiting,))
    processes: list[Any] = []
    try:
        futures = {pool.submit(_make, shard.number): count for shard, count in zip(shards, bases, strict=True)}
        processes = list(pool._processes.values())
        left = set(futures)
        while left:
            done, left = wait(left, LOOK_EVERY, FIRST_COMPLETED)
            for future in done:
                future.result()
            progress.advance(sum(futures[future] for future in done))
    except BrokenProcessPool as error:
        raise ResourceError(
            "a process of the scan died",
            path=options.output,
            found="one of those that run the models, perhaps for want of memory",
            remedy="run the same command again: it goes on where it stopped",
        ) from error
    finally:
        _end(pool, processes)


def _end(pool: ProcessPoolExecutor, processes: Sequence[Any]) -> None:
    """Stop the processes, in the middle of their work where there is some."""
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        process.kill()


def _begin(waiting: Any) -> None:
    """In a new process: take the options of one device."""
    global _asked
    _asked = waiting.get()
    # An interruption reaches the whole group of processes; the first of them ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Leave when the process that waits for the results is gone: nobody else would end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _make(number: int) -> int:
    global _joined
    if _joined is None:
        # Here rather than at the beginning, so that what is wrong with a device is told.
        assert _asked is not None
        _joined = join_run(_asked, scheduler_job())
    return _joined.make(number)
