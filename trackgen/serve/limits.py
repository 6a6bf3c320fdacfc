"""What keeps a server answering, whatever is at the other end: bounds on time and number of connections.

A connection takes a descriptor, of which a process has few. Connections that never ask for anything would use them up,
and nobody else could be answered. So a request's head must be there in good time, and where too many are connected at
once, a new one takes the place of the one whose last request is the longest ago.

The wrapper needs of uvicorn's protocols only that ``cycle`` is the last request, or None, and knows whether its
``response_complete``: so it is from version 0.30 on, with h11 and with httptools.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

__all__ = ["Doorkeeper", "SaidOnce", "descriptors", "quiet_logs"]

SECONDS_FOR_HEAD = 20.0
# What has come while the machine stood still is read before the connection is ended.
SECONDS_OF_GRACE = 1.0
MOST_CONNECTIONS = 1000
ACCEPTED_AT_ONCE = 128
# Standard streams, the event loop's own, the worker threads', files of imports.
OTHER_DESCRIPTORS = 64
# One for the socket, one for the file that it is sent.
DESCRIPTORS_EACH = 2
DESCRIPTORS_WANTED = DESCRIPTORS_EACH * (MOST_CONNECTIONS + ACCEPTED_AT_ONCE) + OTHER_DESCRIPTORS
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def descriptors() -> int:
    """How many descriptors this process may have open, after it has asked for as many as a full server needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = DESCRIPTORS_WANTED if hard == unlimited else min(hard, DESCRIPTORS_WANTED)
    if soft != unlimited and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            # The system has a bound of its own; what there is must do.
            return soft
        return wanted
    return DESCRIPTORS_WANTED if soft == unlimited else soft


@dataclass
class Doorkeeper:
    """The connections of one server, and how many it may have.

    Attributes:
        most: connections at once.
        accepted_at_once: connections that may wait to be accepted, and so come on top of `most` for a moment.
        seconds_for_head: how long a connection may take until a request's head is complete.
    """

    most: int = MOST_CONNECTIONS
    accepted_at_once: int = ACCEPTED_AT_ONCE
    seconds_for_head: float = SECONDS_FOR_HEAD
    guards: set[Guard] = field(default_factory=set)

    @classmethod
    def within(cls, count: int) -> Doorkeeper:
        """One that keeps a server within `count` descriptors, those of files that are sent included."""
        at_once = max(min(ACCEPTED_AT_ONCE, count // 8), 1)
        # A few rounds of those that are being accepted and displaced come on top, when few are sent a file.
        most = (count - OTHER_DESCRIPTORS) // DESCRIPTORS_EACH - at_once
        return cls(most=max(min(most, MOST_CONNECTIONS), 4), accepted_at_once=at_once)

    def guarded(self, protocol: Callable[..., Any]) -> Callable[..., asyncio.Protocol]:
        """Makes the connections that `protocol` would make, guarded."""
        return lambda **given: Guard(protocol(**given), self)

    def admit(self, new: Guard) -> None:
        """Count a connection in; where it is one too many, the one that has been of no use for longest goes."""
        if len(self.guards) >= self.most:
            logging.getLogger("uvicorn.error").warning(
                "More than %d connections at once: new ones take the place of the quietest.", self.most
            )
            oldest = min(self.guards, key=lambda guard: (guard.is_answering, guard.asked_at))
            self.guards.discard(oldest)
            oldest.end()
        self.guards.add(new)


class Guard(asyncio.Protocol):
    """One connection: hands everything to the server's own protocol, and ends it where no request comes."""

    def __init__(self, protocol: Any, doorkeeper: Doorkeeper) -> None:
        self._protocol, self._doorkeeper = protocol, doorkeeper
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.asked_at = self._loop.time()

    @property
    def is_answering(self) -> bool:
        """Whether a request is there that has not been answered to its end."""
        cycle = self._protocol.cycle
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time for the first request."""
        # Other event loops have transports of their own.
        self._transport = cast(asyncio.Transport, transport)
        self._doorkeeper.admit(self)
        self._wait()
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Start the time with a request's first byte, and stop it with the last of its head."""
        before = self._protocol.cycle
        self._protocol.data_received(data)
        if self._protocol.cycle is not before:
            self.asked_at = self._loop.time()
        if self.is_answering:
            self._stop_waiting()
        elif self._timer is None:
            self._wait()

    def eof_received(self) -> bool | None:
        """As the server's own protocol has it."""
        kept: bool | None = self._protocol.eof_received()
        return kept

    def pause_writing(self) -> None:
        """As the server's own protocol has it."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """As the server's own protocol has it."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        self._stop_waiting()
        self._doorkeeper.guards.discard(self)
        self._protocol.connection_lost(exc)

    def end(self) -> None:
        """Close the connection at once."""
        self._stop_waiting()
        if self._transport is not None:
            self._transport.abort()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._doorkeeper.seconds_for_head, self._is_late)

    def _is_late(self) -> None:
        self._timer = self._loop.call_later(SECONDS_OF_GRACE, self.end)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class SaidOnce(logging.Filter):
    """Lets a message through once: whoever sends nonsense to a server must not fill its terminal.

    Errors with a traceback pass each time, but for one: that the machine has no descriptor left for a connection.
    Ctrl-C during a download is no error that anybody must read.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be shown."""
        problem = record.exc_info[1] if record.exc_info else None
        if isinstance(problem, asyncio.CancelledError):
            return False
        if isinstance(problem, OSError) and problem.errno in EXHAUSTED:
            record.msg, record.args, record.exc_info = f"No new connection can be taken: {problem.strerror}", (), None
        elif problem is not None:
            return True
        # The pattern, not the text, so that there are only as many as there are places that write them.
        first = str(record.msg) not in self._said
        self._said.add(str(record.msg))
        return first


def quiet_logs() -> None:
    """Keep what is written to the terminal short, whatever is sent to the server."""
    for name in ("uvicorn.error", "asyncio"):
        logging.getLogger(name).addFilter(SaidOnce())
