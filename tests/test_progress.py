"""Progress: a bar on a terminal, a line a minute elsewhere, and nothing when quiet."""

from __future__ import annotations

import io

import pytest

from trackgen.progress import (
    LineProgress,
    NullProgress,
    TerminalProgress,
    for_stream,
    rate_text,
    time_text,
)


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_come_once_a_minute_with_rate_and_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock)
    progress.start("scanning", 1_000_000, "bases")
    for _ in range(24):
        clock.now += 5
        progress.advance(1_000)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0] == "scanning: 12,000 of 1,000,000 bases (1 %), 200.0 bases/s, 1 h 22 min left"


def test_the_end_says_how_much_in_how_long() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock)
    progress.start("scanning", 10, "bases")
    progress.advance(10)
    clock.now += 3
    progress.finish()
    progress.finish()
    assert stream.getvalue() == "scanning: 10 bases in 3.0 s\n"


def test_a_bar_is_drawn_in_place() -> None:
    stream, clock = Terminal(), Clock()
    progress = TerminalProgress(stream, clock)
    progress.start("scanning", 100, "bases")
    clock.now += 1
    progress.advance(50)
    text = stream.getvalue()
    assert text.startswith("\r\x1b[2K" + "█" * 12 + "░" * 12 + " scanning: 50 of 100 bases (50 %)")
    assert "\n" not in text


def test_a_note_leaves_the_bar_below_it() -> None:
    stream, clock = Terminal(), Clock()
    progress = TerminalProgress(stream, clock)
    progress.start("scanning", 100, "bases")
    progress.note("batch size halved")
    assert stream.getvalue().startswith("\r\x1b[2Kbatch size halved\n\r\x1b[2K░")


def test_a_job_of_nothing_is_done_at_once() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock)
    progress.start("scanning", 0, "bases")
    clock.now += 61
    progress.advance(0)
    assert "(100 %)" in stream.getvalue()


def test_the_stream_decides_the_form() -> None:
    assert isinstance(for_stream(Terminal()), TerminalProgress)
    assert isinstance(for_stream(io.StringIO()), LineProgress)
    assert isinstance(for_stream(Terminal(), quiet=True), NullProgress)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(3.21, "3.2 bases/s"), (1200, "1.2 k bases/s"), (2.5e6, "2.5 M bases/s"), (1e9, "1.0 G bases/s")],
)
def test_rates_in_words(rate: float, text: str) -> None:
    assert rate_text(rate, "bases") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42, "42 s"), (60, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
