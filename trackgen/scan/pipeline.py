"""Work through stages: by a plain loop, or on threads with a fixed number of slots.

Each slot is a thread that carries one piece of work at a time through all stages, so that what is in memory is at most
slots times a piece. Stages that keep order wait for their turn while other slots go on; nobody sorts anything, and no
buffer grows. Stages that share a resource (cores, a device, an open file) share a `Lane`.

::

    slot 1    read 0 | run 0 ....... | encode 0 | commit 0 | read 3 | run 3
    slot 2             read 1 | run 1 ........ | encode 1 | commit 1
    slot 3                      read 2 | (lane) run 2 ........ | encode 2
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from trackgen.bigwig.workers import THREADS_NAME
from trackgen.errors import ResourceError

__all__ = ["Lane", "Stage", "Stopped", "run_serial", "run_threaded", "threads_left_behind"]

Resource = TypeVar("Resource")

STALLED_AFTER = 60.0
"""Seconds without a sign of life after which a run is given up..."""
STALLED_TIMES = 100.0
"""... or so many times what the longest step took, if that is longer..."""
STALLED_AT_START = 1800.0
"""... or this, before every stage has ended once: the first may wait for a device, and nobody knows the model."""
LOOK_EVERY = 0.25
"""Seconds between looks at the slots."""
PATIENCE = 1.0
"""Seconds that slots get to end when the run is over."""


class Stopped(Exception):
    """The run is over: another slot failed, or the user interrupted it."""


class Lane(Generic[Resource]):
    """Resources of which each serves one stage of one slot at a time."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._free = list(resources)
        self._condition = threading.Condition()

    @contextmanager
    def take(self, stopped: threading.Event) -> Iterator[Resource]:
        """One of the resources, when one is free."""
        with self._condition:
            while not self._free:
                if stopped.is_set():
                    raise Stopped
                self._condition.wait(LOOK_EVERY)
            resource = self._free.pop()
        try:
            yield resource
        finally:
            with self._condition:
                self._free.append(resource)
                self._condition.notify()


@dataclass(frozen=True)
class Stage:
    """One step of the loop's body.

    Attributes:
        name: for messages and the clock.
        work: called with the piece and a resource of the lane; returns what the next stage gets.
        lane: None, or what the stage needs, which limits how many slots are in it.
        ordered: pieces pass one after the other, in their order.
    """

    name: str
    work: Callable[[Any, Any], Any]
    lane: Lane[Any] | None = None
    ordered: bool = False


class Pulse:
    """When anything last happened: stages beat it when they end, and long ones meanwhile."""

    def __init__(self) -> None:
        self.beats = 0
        self.longest = 0.0

    def beat(self) -> None:
        self.beats += 1


def run_serial(pieces: Iterable[Any], stages: Sequence[Stage]) -> None:
    """The plain loop, which the threaded runner is held against."""
    stopped = threading.Event()
    for piece in pieces:
        for stage in stages:
            piece = _step(stage, piece, stopped)


def _step(stage: Stage, piece: Any, stopped: threading.Event) -> Any:
    """The loop's body, of both runners."""
    if stage.lane is None:
        return stage.work(piece, None)
    with stage.lane.take(stopped) as resource:
        return stage.work(piece, resource)


def run_threaded(
    pieces: Iterable[Any],
    stages: Sequence[Stage],
    slots: int,
    *,
    stop: Callable[[], None] = lambda: None,
    pulse: Pulse | None = None,
) -> None:
    """Carry every piece through all stages.

    Args:
        pieces: taken by one slot at a time, when it is free.
        stages: what is done with each, in order.
        slots: pieces in memory at any time.
        stop: called when the run is over before its end, so that stages that have begun can end early.
        pulse: beaten by stages that take long; without a beat for long the run is given up.

    Raises:
        The first error of any slot, whichever stage it is in; all others then end.
        ResourceError: a stage has stalled.
    """
    run = _Run(iter(pieces), stages, pulse or Pulse(), slots)
    slots_ = [threading.Thread(target=run.slot, name=f"slot {number}", daemon=True) for number in range(slots)]
    for slot in slots_:
        slot.start()
    try:
        _watch(run)
    except BaseException:
        run.stop()
        stop()
        _wait_for(slots_)
        raise
    if run.error is not None:
        stop()
        _wait_for(slots_)
        raise run.error


class _Run:
    """What the slots of one run share."""

    def __init__(self, pieces: Iterator[Any], stages: Sequence[Stage], pulse: Pulse, slots: int) -> None:
        self.pulse = pulse
        self.error: BaseException | None = None
        self.doing: dict[str, str] = {}
        self._pieces, self._stages = pieces, stages
        self._stopped = threading.Event()
        self._source = threading.Lock()
        self._taken = 0
        self._turn = threading.Condition()
        self._next = [0] * len(stages)
        self._begun = set(range(len(stages)))
        self._working = slots
        self.over = threading.Event()
        """Set when no slot works any more, or at the first error."""

    @property
    def is_new(self) -> bool:
        """Whether some stage has not ended once yet, so that nobody knows how long it takes."""
        return bool(self._begun)

    def stop(self) -> None:
        self._stopped.set()
        with self._turn:
            self._turn.notify_all()

    def slot(self) -> None:
        """What one thread does until nothing is left."""
        try:
            while self._carry_one():
                pass
        except Stopped:
            pass
        except BaseException as error:
            # Whatever ends a slot ends the run: the first one is told.
            with self._turn:
                if self.error is None and not self._stopped.is_set():
                    self.error = error
            self.stop()
        finally:
            with self._turn:
                self._working -= 1
                if not self._working or self.error is not None:
                    self.over.set()

    def _carry_one(self) -> bool:
        with self._source:
            if self._stopped.is_set():
                return False
            self._enter("read")
            try:
                piece = next(self._pieces)
            except StopIteration:
                self._leave()
                return False
            self._leave()
            number = self._taken
            self._taken += 1
        for place, stage in enumerate(self._stages):
            if self._stopped.is_set():
                raise Stopped
            if stage.ordered:
                self._wait_for_turn(place, number)
            began = time.monotonic()
            self._enter(stage.name)
            piece = _step(stage, piece, self._stopped)
            self._leave()
            self._begun.discard(place)
            self.pulse.longest = max(self.pulse.longest, time.monotonic() - began)
            self.pulse.beat()
            if stage.ordered:
                self._pass_turn(place)
        return True

    def _wait_for_turn(self, place: int, number: int) -> None:
        with self._turn:
            while self._next[place] != number:
                if self._stopped.is_set():
                    raise Stopped
                self._turn.wait()

    def _pass_turn(self, place: int) -> None:
        with self._turn:
            self._next[place] += 1
            self._turn.notify_all()

    def _enter(self, name: str) -> None:
        self.doing[threading.current_thread().name] = name

    def _leave(self) -> None:
        self.doing.pop(threading.current_thread().name, None)


def _watch(run: _Run) -> None:
    """Wait for the slots; looks at short intervals, so that signals are heard and a stalled stage is noticed."""
    silent, beats = 0.0, run.pulse.beats
    # Not by joining a slot: Python 3.11 takes a thread for ended whose join a signal interrupts.
    while not run.over.wait(LOOK_EVERY):
        # Counted in looks, not by the clock: a suspended machine or a stopped process is not a stalled stage.
        silent = 0.0 if run.pulse.beats != beats else silent + LOOK_EVERY
        beats = run.pulse.beats
        longest = run.pulse.longest
        allowed = STALLED_AT_START if run.is_new else max(STALLED_AFTER, STALLED_TIMES * longest)
        if silent > allowed:
            stages = sorted(set(run.doing.values())) or ["read"]
            raise ResourceError(
                "the run has stalled",
                found=f"no sign of life for {silent:.0f} seconds, in stage {' and '.join(stages)}",
                wanted=f"at least one step in {allowed:.0f} seconds",
                remedy="see whether the disk and the device answer, then run the same command again: it goes on",
            )


def _wait_for(slots: Sequence[threading.Thread]) -> None:
    deadline = time.monotonic() + PATIENCE
    for slot in slots:
        slot.join(max(0.0, deadline - time.monotonic()))


def threads_left_behind() -> bool:
    """Whether threads that did not end still run: the process must then be left without waiting for them."""
    return any(thread.name.startswith(("slot ", THREADS_NAME)) for thread in threading.enumerate())
