"""Tiles through a function, in order: one after the other, or several at once on threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

Source = TypeVar("Source")
Result = TypeVar("Result")


def in_order(
    sources: Iterable[Source], work: Callable[[Source], Result], at_once: int, stop: Callable[[], None] | None = None
) -> Iterator[tuple[Source, Result]]:
    """Each source with what `work` made of it, in the order of the sources.

    Args:
        sources: read by the caller's thread, at most `at_once` + 1 ahead of what was taken: memory is bounded.
        work: called on `at_once` threads; on the caller's where that is 1, which is the plain loop.
        stop: called on an error or an interruption, so that work which has begun can end early.

    Raises:
        The first error of `work`, in order; nothing that has not begun then begins.
    """
    if at_once == 1:
        for source in sources:
            yield source, work(source)
        return
    waiting: deque[tuple[Source, Future[Result]]] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix="tile") as pool:
        try:
            for source in sources:
                waiting.append((source, pool.submit(work, source)))
                if len(waiting) > at_once + 1:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        except BaseException:
            if stop is not None:
                stop()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
