"""One thread that does the work of questions, one after the other; bounds on what waits and on what is being sent.

The view that somebody asked about last comes first, its questions in their order: whoever moves on wants what is in
front of them. Nobody waits for ever, though: who has waited for long comes before all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from trackgen.live import Refused, Stop, Withdrawn

__all__ = ["Job", "Worker"]

MOST_WAITING = 64
MOST_HELD = 96 << 20
"""Bytes of answers that are made and not yet sent, about: slow readers must not fill the memory."""
SECONDS_BEFORE_OTHERS = 5.0
SECONDS_TO_END = 2.0


@dataclass(eq=False)
class Job:
    """One question's work.

    Attributes:
        view: what it is about: questions of one view are done together.
        work: makes the answer; looks at its stop now and then.
        answer: will hold it, or why there is none.
    """

    view: Hashable
    work: Callable[[Stop], bytes]
    answer: asyncio.Future[bytes]
    stop: Stop = field(default_factory=Stop)
    asked_at: float = field(default_factory=time.monotonic)
    held: int = 0


class Worker:
    """Does jobs in a thread of its own, which starts with the first and ends with the process.

    Args:
        most_waiting: jobs that wait; more are refused.
        most_held: bytes of answers that are not sent yet; above it, jobs are refused.
    """

    def __init__(self, most_waiting: int = MOST_WAITING, most_held: int = MOST_HELD) -> None:
        self._most_waiting, self._most_held = most_waiting, most_held
        self._waiting: list[Job] = []
        self._running: Job | None = None
        self._held = 0
        self._ends = False
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing runs and nothing waits."""
        with self._change:
            return self._running is None and not self._waiting

    @property
    def held(self) -> int:
        """Bytes of answers that are not sent yet."""
        return self._held

    def submit(self, view: Hashable, work: Callable[[Stop], bytes]) -> Job:
        """Have a job done; call `release` in the end, whatever becomes of it. To be called in an event loop.

        Raises:
            Refused: too much waits (503).
        """
        job = Job(view, work, asyncio.get_running_loop().create_future())
        with self._change:
            if len(self._waiting) >= self._most_waiting:
                raise _too_much(f"{len(self._waiting)} questions wait")
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="trackgen-live", daemon=True)
                self._thread.start()
            self._change.notify()
        return job

    def release(self, job: Job) -> None:
        """The job's answer is sent, or nobody waits for it: what was not begun is not, what runs ends soon."""
        job.stop.withdraw()
        # Nobody is left to hear of what becomes of it.
        job.answer.cancel()
        with self._change:
            if job in self._waiting:
                self._waiting.remove(job)
            self._held -= job.held
            job.held = 0

    def close(self) -> None:
        """Withdraw all work, and wait a little for its end."""
        with self._change:
            self._ends = True
            for job in [*self._waiting, *([self._running] if self._running else [])]:
                job.stop.withdraw()
            self._waiting.clear()
            self._change.notify()
        if self._thread is not None:
            self._thread.join(SECONDS_TO_END)

    def _work(self) -> None:
        while True:
            with self._change:
                self._running = None
                self._change.wait_for(lambda: self._waiting or self._ends)
                if self._ends:
                    return
                job = self._running = self._next()
                self._waiting.remove(job)
                is_full = self._held > self._most_held
            if is_full:
                _tell(job, _too_much(f"{self._held >> 20} MB of answers are being sent"))
                continue
            try:
                answer = job.work(job.stop)
            except Withdrawn:
                continue
            except BaseException as error:
                # Whatever it is belongs to the one who asked; the others' questions go on.
                _tell(job, error)
                continue
            with self._change:
                if not job.stop.is_withdrawn:
                    job.held = len(answer)
                    self._held += job.held
            _tell(job, answer)

    def _next(self) -> Job:
        """The job to do next; at least one waits."""
        oldest, newest = self._waiting[0], self._waiting[-1]
        if time.monotonic() - oldest.asked_at > SECONDS_BEFORE_OTHERS:
            return oldest
        return next(job for job in self._waiting if job.view == newest.view)


def _too_much(found: str) -> Refused:
    return Refused(
        503, "the server has too much work in flight", found=found, remedy="ask again in a second, as Retry-After says"
    )


def _tell(job: Job, result: bytes | BaseException) -> None:
    """Hand a result to the event loop that waits for it, if it still does."""

    def settle() -> None:
        if job.answer.done():
            return
        if isinstance(result, bytes):
            job.answer.set_result(result)
        else:
            job.answer.set_exception(result)

    with contextlib.suppress(RuntimeError):  # the loop has ended
        job.answer.get_loop().call_soon_threadsafe(settle)
