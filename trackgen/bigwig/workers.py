"""Calls of a function on threads: results in order, and a fixed number of calls under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

__all__ = ["THREADS_NAME", "OrderedCalls", "ordered_map"]

Argument = TypeVar("Argument")
Result = TypeVar("Result")

AHEAD = 2
"""Calls that wait beside each one that runs, so that no thread waits for its caller."""
PATIENCE = 1.0
"""Seconds that calls under way get to end when an error or an interruption ends all."""
THREADS_NAME = "encode"
"""How the names of the threads begin."""


class OrderedCalls(Generic[Result]):
    """Calls handed in one after the other; what they return is handed on in the same order, by the caller's thread.

    Args:
        threads: calls that run at once; with 1 they run at once on the caller's thread, which is the plain loop.
        take: gets each result, in order.
    """

    def __init__(self, threads: int, take: Callable[[Result], None]) -> None:
        self._threads = threads
        self._take = take
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=THREADS_NAME) if threads > 1 else None
        self._waiting: deque[Future[Result]] = deque()

    def call(self, function: Callable[[], Result]) -> None:
        """Run `function`, now or soon; takes earlier results where too many wait."""
        if self._pool is None:
            self._take(function())
            return
        while len(self._waiting) >= self._threads * (1 + AHEAD):
            self._take(self._waiting.popleft().result())
        self._waiting.append(self._pool.submit(function))

    def finish(self) -> None:
        """Take all that is left."""
        while self._waiting:
            self._take(self._waiting.popleft().result())

    def close(self) -> None:
        """Let go of the threads; what was not taken is dropped."""
        self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def ordered_map(
    threads: int,
    function: Callable[[Argument], Result],
    arguments: Iterable[Argument],
    stop: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """What `function` makes of each argument, in order; arguments are taken by the caller's thread, a few ahead.

    Args:
        stop: called when an error or an interruption ends it early, so that calls under way can end too. They get a
            moment; those that do not answer are left behind.
    """
    if threads == 1:
        yield from map(function, arguments)
        return
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix=THREADS_NAME)
    try:
        for argument in arguments:
            waiting.append(pool.submit(function, argument))
            if len(waiting) >= threads * (1 + AHEAD):
                yield waiting[0].result()
                waiting.popleft()
        while waiting:
            yield waiting[0].result()
            waiting.popleft()
    except BaseException:
        stop()
        pool.shutdown(wait=False, cancel_futures=True)
        wait([call for call in waiting if not call.cancelled()], PATIENCE)
        raise
    pool.shutdown()
