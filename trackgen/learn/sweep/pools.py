"""Where pieces are made: here, in processes of this machine, or on a Dask cluster; all give the same figures.

Each maker has one thread: a net this small gains nothing from a second one, and sums keep their order.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, Protocol

import torch

from trackgen.errors import ResourceError, TrackgenError
from trackgen.learn.sweep.dask_pool import open_dask_pool
from trackgen.learn.sweep.work import Task, make
from trackgen.progress import Progress

__all__ = ["Pool", "open_pool"]

REMEDY = "the same command goes on where it stopped"


class Pool(Protocol):
    """Makers of pieces."""

    def free(self) -> int:
        """How many tasks may be given now."""

    def give(self, task: Task) -> None:
        """Hand over a task."""

    def take(self) -> tuple[Task, dict[str, Any]] | None:
        """Wait a moment for a task that is done; None where there is none yet.

        Raises:
            Whatever making it raised.
        """


@contextlib.contextmanager
def open_pool(processes: int, cluster: str | None, progress: Progress) -> Iterator[Pool]:
    """Makers; those of this machine end with the context, at once where it ends by an error."""
    if cluster is not None:
        with open_dask_pool(cluster, processes, progress) as pool:
            yield pool
    elif processes == 1:
        with _one_thread():
            yield _Here()
    else:
        makers = _Processes(processes)
        try:
            yield makers
        finally:
            makers.close()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Here:
    """This process: a task is made when its result is asked for."""

    def __init__(self) -> None:
        self._task: Task | None = None

    def free(self) -> int:
        return int(self._task is None)

    def give(self, task: Task) -> None:
        self._task = task

    def take(self) -> tuple[Task, dict[str, Any]] | None:
        task, self._task = self._task, None
        return None if task is None else (task, make(task))


class _Maker(NamedTuple):
    process: BaseProcess
    pipe: Connection


class _Processes:
    """Processes of this machine, each with a pipe: a maker that dies is told from one that is slow."""

    def __init__(self, number: int) -> None:
        # Started anew, not forked: threads of libraries do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._idle: list[_Maker] = []
        self._busy: dict[Connection, tuple[_Maker, Task]] = {}
        for _ in range(number):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._idle.append(_Maker(process, ours))

    def free(self) -> int:
        return len(self._idle)

    def give(self, task: Task) -> None:
        maker = self._idle.pop()
        maker.pipe.send(task)
        self._busy[maker.pipe] = (maker, task)

    def take(self) -> tuple[Task, dict[str, Any]] | None:
        ready = wait(list(self._busy), timeout=1.0)
        if not ready:
            return None
        assert isinstance(ready[0], Connection)
        maker, task = self._busy.pop(ready[0])
        try:
            outcome = maker.pipe.recv()
        except (EOFError, OSError) as error:
            maker.process.join()
            raise ResourceError(
                "a process of the sweep died", place=task.piece.pair.label, found=_ending(maker.process.exitcode),
                remedy=f"{REMEDY}; where memory ran out, give fewer --processes",
            ) from error  # fmt: skip
        self._idle.append(maker)
        if isinstance(outcome, BaseException):
            raise outcome
        return task, outcome

    def close(self) -> None:
        """End them, whatever they are at: what is not finished is made again."""
        makers = [*self._idle, *(maker for maker, _ in self._busy.values())]
        for maker in makers:
            maker.process.kill()
        for maker in makers:
            maker.process.join()
            maker.pipe.close()


def _ending(status: int | None) -> str:
    return f"killed by signal {-status}" if status is not None and status < 0 else f"it ended with status {status}"


def _serve(pipe: Connection) -> None:
    """The life of a maker: tasks in, records or errors out; it ends with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it and ends the others
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        pipe.send(_outcome(task))


def _outcome(task: Task) -> dict[str, Any] | Exception:
    try:
        return make(task)
    except TrackgenError as error:
        return error
    except MemoryError as error:
        return ResourceError("memory ran out", place=task.piece.pair.label, remedy=f"give fewer --processes; {error}")
    except Exception as error:  # a fault of ours: its place travels as text
        return RuntimeError(f"{error!r} in a process of the sweep:\n{traceback.format_exc()}")


def _die_with_parent() -> None:
    """An orphan would write into the journal of a search that the next run goes on with."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL)
