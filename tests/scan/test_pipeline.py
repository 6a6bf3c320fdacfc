"""The two runners: same results in the same order, a fixed number of pieces in memory, and an end to everything."""

from __future__ import annotations

import _thread
import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.errors import ResourceError
from trackgen.scan import pipeline
from trackgen.scan.pipeline import Lane, Pulse, Stage, Stopped, run_serial, run_threaded, threads_left_behind

SOON = 2.0
"""Seconds within which an interrupted run ends: what users of Ctrl-C are promised."""


class Meter:
    """How many are inside at a time, and the most that ever were."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self) -> None:
        with self._lock:
            self.inside -= 1

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.enter()
        yield
        self.leave()


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """What a stage that never returns waits for; set at the end of the test, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()
    deadline = time.monotonic() + 5
    while threads_left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads_left_behind()


def counted(count: int, meter: Meter) -> Iterator[int]:
    for number in range(count):
        meter.enter()
        yield number


def make_stages(
    plan: list[tuple[bool, int]], sleeps: list[float], seen: list[list[int]], lanes: list[Meter]
) -> list[Stage]:
    """A stage each of (ordered, resources; 0 for no lane); `seen` gets the pieces as they pass, `lanes` the users."""

    def stage(place: int, ordered: bool, resources: int) -> Stage:
        pauses = itertools.cycle(sleeps[place:] + sleeps[:place])

        def work(piece: tuple[int, ...], resource: object) -> tuple[int, ...]:
            assert (resource is None) == (resources == 0)
            with lanes[place].hold():
                time.sleep(next(pauses))
                seen[place].append(piece[0])
            return (*piece, place)

        lane = Lane([object() for _ in range(resources)]) if resources else None
        return Stage(f"stage {place}", work, lane, ordered)

    return [stage(place, *entry) for place, entry in enumerate(plan)]


@settings(max_examples=40)
@given(
    slots=st.integers(1, 6),
    count=st.integers(0, 25),
    plan=st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=5),
    sleeps=st.lists(st.sampled_from([0.0, 0.0, 0.0005, 0.002]), min_size=5, max_size=11),
)
def test_threads_do_what_the_plain_loop_does(
    slots: int, count: int, plan: list[tuple[bool, int]], sleeps: list[float]
) -> None:
    results: dict[str, list[tuple[int, ...]]] = {}
    for runner in ("serial", "threaded"):
        seen: list[list[int]] = [[] for _ in plan]
        lanes = [Meter() for _ in plan]
        results[runner] = []
        flying = Meter()

        def finish(
            piece: tuple[int, ...],
            resource: None,
            to: list[tuple[int, ...]] = results[runner],
            flying: Meter = flying,
        ) -> None:
            to.append(piece)
            flying.leave()

        stages = [*make_stages(plan, sleeps, seen, lanes), Stage("end", finish, ordered=True)]
        pieces = ((number,) for number in counted(count, flying))
        if runner == "serial":
            run_serial(pieces, stages)
            assert flying.most <= 1
        else:
            run_threaded(pieces, stages, slots)
            assert flying.most <= slots
        for place, (ordered, resources) in enumerate(plan):
            assert (seen[place] if ordered else sorted(seen[place])) == list(range(count))
            assert lanes[place].most <= min([slots, 1 if ordered else slots, resources or slots])
    assert results["threaded"] == results["serial"] == [(number, *range(len(plan))) for number in range(count)]
    assert not threads_left_behind()


def test_slots_work_side_by_side() -> None:
    """The bounds above would hold for a runner that does one thing at a time: this one fills all its slots."""
    together = threading.Barrier(3)
    run_threaded(range(6), [Stage("meet", lambda piece, _: together.wait(5))], 3)


def test_pieces_are_taken_when_a_slot_is_free_and_no_sooner(released: threading.Event) -> None:
    """While the first piece is stuck before an ordered stage, no more pieces than slots are in memory."""
    flying = Meter()
    go_on = threading.Event()

    def first_waits(piece: int, _: None) -> int:
        if piece == 0:
            go_on.wait(10)
        return piece

    def let_go() -> None:
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline and flying.most <= 3:
            time.sleep(0.01)
        go_on.set()

    threading.Thread(target=let_go).start()
    stages = [Stage("run", first_waits), Stage("commit", lambda piece, _: flying.leave(), ordered=True)]
    run_threaded(counted(20, flying), stages, 3)
    assert flying.most == 3


def fails(error: BaseException) -> Callable[[Any, Any], Any]:
    def work(piece: Any, _: Any) -> Any:
        raise error

    return work


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("place", [0, 1, 2, "source"])
@pytest.mark.parametrize("slots", [1, 4])
def test_the_error_of_any_stage_ends_the_run_as_itself(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, place: int | str, slots: int
) -> None:
    monkeypatch.setattr(pipeline, "LOOK_EVERY", 0.02)
    stopped: list[bool] = []

    def pieces() -> Iterator[int]:
        yield 0
        if place == "source":
            raise error
        yield from range(1, 1000)

    begun: list[int] = []

    def passes(piece: int, _: None) -> int:
        begun.append(piece)
        time.sleep(0.001)
        return piece

    stages = [Stage(f"stage {number}", passes, ordered=number == 1) for number in range(3)]
    if place != "source":
        assert isinstance(place, int)
        stages[place] = Stage("bad", fails(error), ordered=place == 1)
    with pytest.raises(type(error)) as caught:
        run_threaded(pieces(), stages, slots, stop=lambda: stopped.append(True))
    assert caught.value is error
    assert stopped == [True]
    assert not threads_left_behind()
    assert len(begun) < 3 * 4 * slots, "nothing new begins"
    if slots == 1 and place == "source":
        assert begun == [0, 0, 0]


def test_the_first_of_several_errors_is_told() -> None:
    met = threading.Barrier(3)

    def work(piece: int, _: None) -> None:
        met.wait(5)
        time.sleep((0.3, 0.05, 0.6)[piece])
        raise ValueError(f"error of piece {piece}")

    with pytest.raises(ValueError, match="error of piece 1"):
        run_threaded(range(3), [Stage("run", work)], 3)


def test_slots_that_wait_for_a_turn_or_a_lane_end_when_another_fails() -> None:
    first_has_begun = threading.Event()

    def run(piece: int, _: None) -> int:
        if piece == 0:
            first_has_begun.set()
            time.sleep(0.3)  # the others wait for its turn meanwhile
            raise ValueError("the first piece")
        first_has_begun.wait(5)
        return piece

    busy = Lane([1])
    began = time.monotonic()
    stages = [Stage("run", run), Stage("turn", lambda piece, _: piece, ordered=True), Stage("lane", print, busy)]
    with busy.take(threading.Event()), pytest.raises(ValueError, match="the first piece"):
        run_threaded(range(9), stages, 4)
    assert time.monotonic() - began < SOON
    assert not threads_left_behind()


def test_a_lane_gives_its_resource_back_after_an_error_and_stops_waiting_when_told() -> None:
    lane = Lane(["only"])
    stopped = threading.Event()
    with pytest.raises(ValueError, match="x"), lane.take(stopped):
        raise ValueError("x")
    with lane.take(stopped) as resource:
        assert resource == "only"
        stopped.set()
        with pytest.raises(Stopped), lane.take(stopped):
            pass


@pytest.mark.parametrize("how", ["timer", "interrupt_main"])
def test_an_interrupt_ends_a_run_whose_stage_never_returns(released: threading.Event, how: str) -> None:
    def interrupt() -> None:
        if how == "timer":
            signal.raise_signal(signal.SIGINT)
        else:
            _thread.interrupt_main()

    timer = threading.Timer(0.3, interrupt)
    stopped: list[bool] = []
    timer.start()
    began = time.monotonic()
    begun: list[int] = []

    def run(piece: int, _: None) -> None:
        begun.append(piece)
        if piece == 1:
            released.wait()
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        run_threaded(itertools.count(), [Stage("run", run)], 2, stop=lambda: stopped.append(True))
    assert time.monotonic() - began < 0.3 + SOON
    assert stopped == [True]
    assert threads_left_behind()
    done = len(begun)
    time.sleep(0.05)
    assert len(begun) == done, "nothing new begins"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timers")
def test_whatever_a_signal_handler_raises_ends_a_run_whose_source_never_returns(released: threading.Event) -> None:
    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    def pieces() -> Iterator[int]:
        yield 0
        released.wait()

    before = signal.signal(signal.SIGALRM, leave)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        began = time.monotonic()
        with pytest.raises(SystemExit, match="143"):
            run_threaded(pieces(), [Stage("run", lambda piece, _: piece)], 3)
        assert time.monotonic() - began < 0.3 + SOON
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_process_with_a_stage_that_never_returns_can_still_be_left() -> None:
    """Slots are daemons: the interpreter does not wait for them."""
    code = (
        "import threading, sys\n"
        "from trackgen.scan.pipeline import *\n"
        "def work(piece, _):\n"
        "    if piece: raise ValueError('second')\n"
        "    threading.Event().wait()\n"
        "try:\n    run_threaded(range(2), [Stage('run', work)], 2)\n"
        "except ValueError:\n    sys.exit(7 if threads_left_behind() else 8)\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], timeout=30, check=False)
    assert done.returncode == 7
    assert time.monotonic() - began < 10


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STALLED_AFTER", 0.3), ("STALLED_TIMES", 1.0), ("STALLED_AT_START", 0.6)):
        monkeypatch.setattr(pipeline, name, value)
    monkeypatch.setattr(pipeline, "LOOK_EVERY", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stuck", [0, 3])
def test_a_stalled_stage_ends_the_run_and_is_named(released: threading.Event, stuck: int) -> None:
    def encode(piece: int, _: None) -> int:
        if piece == stuck:
            released.wait()
        return piece

    stages = [Stage("run", lambda piece, _: piece), Stage("encode", encode), Stage("commit", lambda piece, _: piece)]
    stopped: list[bool] = []
    with pytest.raises(ResourceError, match=r"the run has stalled.*in stage encode; wanted") as caught:
        run_threaded(range(9), stages, 1, stop=lambda: stopped.append(True))
    assert caught.value.exit_status == 75
    assert stopped == [True]


@pytest.mark.usefixtures("impatient")
def test_all_stages_that_stall_are_named_the_source_of_pieces_too(released: threading.Event) -> None:
    def pieces() -> Iterator[int]:
        yield 0
        released.wait()

    with pytest.raises(ResourceError, match="in stage read and run;"):
        run_threaded(pieces(), [Stage("run", lambda piece, _: released.wait())], 3)


@pytest.mark.usefixtures("impatient")
def test_a_slow_stage_that_gives_signs_of_life_is_left_alone() -> None:
    pulse = Pulse()

    def slow(piece: int, _: None) -> int:
        for _ in range(12):
            time.sleep(0.1)
            pulse.beat()
        return piece

    run_threaded(range(1), [Stage("run", slow)], 2, pulse=pulse)


@pytest.mark.usefixtures("impatient")
def test_a_stage_as_slow_as_before_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is slow but steady has not stalled: the limit grows with the longest step."""
    monkeypatch.setattr(pipeline, "STALLED_TIMES", 3.0)
    monkeypatch.setattr(pipeline, "STALLED_AT_START", 5.0)
    run_threaded(range(2), [Stage("run", lambda piece, _: time.sleep((0.4, 0.7)[piece]))], 1)
