"""Progress of long work: a bar on a terminal, else one plain line a minute, never silence.

The library reports through the `Progress` protocol; the command line chooses the form. Everything goes to stderr,
so that stdout carries results only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

__all__ = ["LineProgress", "NullProgress", "Progress", "TerminalProgress", "for_stream", "rate_text", "time_text"]

SECONDS_BETWEEN_LINES = 60.0
SECONDS_BETWEEN_REDRAWS = 0.2
BAR_CELLS = 24


class Progress(Protocol):
    """What long work reports to. One object serves one job at a time."""

    def start(self, what: str, total: int, unit: str) -> None:
        """Begin a job named `what` of `total` units (for a scan: bases)."""

    def advance(self, amount: int) -> None:
        """`amount` more units are done."""

    def note(self, text: str) -> None:
        """Tell something once, without disturbing the bar."""

    def finish(self) -> None:
        """End the job, done or not."""


class NullProgress:
    """Reports nothing: for tests and for ``--quiet``."""

    def start(self, what: str, total: int, unit: str) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def finish(self) -> None:
        pass


class _Clocked:
    """What the bar and the lines share: counting, pace and the sentence that tells both."""

    interval: float

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._what = ""
        self._unit = ""
        self._total = 0
        self._done = 0
        self._began = self._last = clock()
        self._running = False

    def start(self, what: str, total: int, unit: str) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = 0
        self._began = self._last = self._clock()
        self._running = True

    def advance(self, amount: int) -> None:
        self._done += amount
        now = self._clock()
        if now - self._last >= self.interval:
            self._last = now
            self._show()

    def _sentence(self) -> str:
        seconds = max(self._clock() - self._began, 1e-9)
        rate = self._done / seconds
        share = 100.0 * self._done / self._total if self._total else 100.0
        left = (self._total - self._done) / rate if rate > 0 else 0.0
        return (
            f"{self._what}: {self._done:,} of {self._total:,} {self._unit} ({share:.0f} %), "
            f"{rate_text(rate, self._unit)}, {time_text(left)} left"
        )

    def _show(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        raise NotImplementedError


class LineProgress(_Clocked):
    """One plain line a minute, for logs."""

    interval = SECONDS_BETWEEN_LINES

    def _show(self) -> None:
        print(self._sentence(), file=self._stream, flush=True)

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def finish(self) -> None:
        if self._running:
            seconds = self._clock() - self._began
            print(f"{self._what}: {self._done:,} {self._unit} in {time_text(seconds)}", file=self._stream, flush=True)
        self._running = False


class TerminalProgress(_Clocked):
    """A bar that is redrawn in place."""

    interval = SECONDS_BETWEEN_REDRAWS

    def _show(self) -> None:
        filled = round(BAR_CELLS * self._done / self._total) if self._total else BAR_CELLS
        bar = "█" * min(filled, BAR_CELLS) + "░" * (BAR_CELLS - min(filled, BAR_CELLS))
        self._stream.write(f"\r\x1b[2K{bar} {self._sentence()}")
        self._stream.flush()

    def note(self, text: str) -> None:
        self._stream.write(f"\r\x1b[2K{text}\n")
        if self._running:
            self._show()
        self._stream.flush()

    def finish(self) -> None:
        if self._running:
            seconds = self._clock() - self._began
            self._stream.write(f"\r\x1b[2K{self._what}: {self._done:,} {self._unit} in {time_text(seconds)}\n")
            self._stream.flush()
        self._running = False


def for_stream(stream: TextIO | None = None, *, quiet: bool = False) -> Progress:
    """The form of progress that suits `stream` (stderr by default): a bar on a terminal, else lines."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return NullProgress()
    return TerminalProgress(stream) if stream.isatty() else LineProgress(stream)


def rate_text(rate: float, unit: str) -> str:
    """`rate` units a second in words: ``1.2 M bases/s``."""
    for factor, letter in ((1e9, "G "), (1e6, "M "), (1e3, "k ")):
        if rate >= factor:
            return f"{rate / factor:.1f} {letter}{unit}/s"
    return f"{rate:.1f} {unit}/s"


def time_text(seconds: float) -> str:
    """A duration in words: ``42 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
