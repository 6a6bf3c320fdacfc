"""Connections that ask for nothing neither stop the server nor fill its terminal."""

from __future__ import annotations

import asyncio
import errno
import http.client
import logging
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from trackgen.serve import limits
from trackgen.serve.limits import Doorkeeper, SaidOnce, descriptors

START = """
import resource
from trackgen.cli.main import main
from trackgen.serve import limits
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
usual = limits.Doorkeeper.within
def within(count):
    made = usual(count)
    made.seconds_for_head = {seconds}
    return made
limits.Doorkeeper.within = within
main()
"""
UNFINISHED = b"GET /hub.txt HTTP/1.1\r\nHost: x\r\nX-a: "


@contextmanager
def running(root: Path, *, seconds: float, soft: int = 128, hard: int = 256) -> Iterator[tuple[str, int, list[str]]]:
    """Address and port of a server with few descriptors and a short time for heads; then what it said on stderr."""
    code = START.format(soft=soft, hard=hard, seconds=seconds)
    command = [sys.executable, "-c", code, "serve", str(root), "--port", "0"]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        address = process.stdout.readline().strip()
        try:
            yield address, int(address.rstrip("/").rpartition(":")[2]), said
        finally:
            process.send_signal(signal.SIGINT)
            said += process.stderr.read().splitlines()


def slow_sockets(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """Connections that have sent a part of a request's head."""
    made = []
    for _ in range(count):
        made.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20)))
        made[-1].sendall(UNFINISHED)
    return made


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end closes the connection within the time of the socket."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_more_unfinished_requests_than_descriptors_stop_no_honest_reader(root: Path) -> None:
    with running(root, seconds=600) as (address, port, said), ExitStack() as stack:
        slow = slow_sockets(stack, port, 300)
        assert httpx.get(f"{address}hub.txt", timeout=20).text == "hub small\n"
        assert is_closed(slow[0])
        # An old connection that is answered again and again is none of the quiet ones.
        with httpx.Client(timeout=20) as client:
            for _ in range(3):
                assert client.get(f"{address}hub.txt").status_code == 200
                slow_sockets(stack, port, 5)
    noise = [line for line in said if "ssh -N" not in line and "Ctrl-C" not in line]
    assert len(noise) == 1
    assert "connections at once" in noise[0]


def test_a_head_that_is_not_complete_in_time_ends_its_connection_even_when_it_trickles(root: Path) -> None:
    with running(root, seconds=1) as (_, port, said), ExitStack() as stack:
        (trickling,) = slow_sockets(stack, port, 1)
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        client.request("GET", "/hub.txt")
        assert client.getresponse().read() == b"hub small\n"
        client.auto_open = 0
        begun = time.monotonic()
        trickling.settimeout(0.2)
        while not is_closed(trickling):
            assert time.monotonic() - begun < 15
            try:
                trickling.sendall(b"a")
            except OSError:
                break
        assert is_closed(silent)
        # One that has been answered is kept longer than a head may take.
        client.request("GET", "/hub.txt")
        assert client.getresponse().status == 200
        client.close()
    assert [line for line in said if "ssh -N" not in line and "Ctrl-C" not in line] == []


def test_nonsense_is_told_once(root: Path) -> None:
    with running(root, seconds=20) as (_, port, said):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(b"\0nonsense\r\n\r\n")
                assert connection.recv(12) == b"HTTP/1.1 400"
    assert sum("Invalid HTTP request" in line for line in said) == 1


def test_the_soft_limit_is_raised_as_far_as_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: asked.append(limit))
    for limit, wanted in (
        ((256, 1024), 1024),
        ((256, 10**6), limits.DESCRIPTORS_WANTED),
        ((256, resource.RLIM_INFINITY), limits.DESCRIPTORS_WANTED),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: limit)
        assert descriptors() == wanted
        assert asked.pop() == (wanted, limit[1])
    for limit in ((1024, 1024), (10**6, 10**6)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: limit)
        assert (descriptors(), asked) == (limit[0], [])

    def refuse(_: int, limit: tuple[int, int]) -> None:
        raise ValueError("not that many")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    assert descriptors() == 256


@pytest.mark.parametrize("count", [128, 256, 1024, limits.DESCRIPTORS_WANTED, 10**6])
def test_a_full_server_stays_well_below_its_descriptors(count: int) -> None:
    doorkeeper = Doorkeeper.within(count)
    # The event loop accepts, makes, counts and closes in four rounds.
    assert doorkeeper.most + 4 * doorkeeper.accepted_at_once < 0.9 * count
    assert 2 * doorkeeper.most + limits.OTHER_DESCRIPTORS <= count
    assert doorkeeper.most >= 16
    assert Doorkeeper.within(limits.DESCRIPTORS_WANTED).most == limits.MOST_CONNECTIONS


class Cycle:
    response_complete = False


class Inner(asyncio.Protocol):
    """A server's own protocol, whose requests are whole with each byte."""

    def __init__(self) -> None:
        self.cycle: Cycle | None = None

    def data_received(self, data: bytes) -> None:
        self.cycle = Cycle()


class Transport(asyncio.Transport):
    aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_a_connection_that_is_being_answered_is_the_last_to_go() -> None:
    async def ended() -> list[bool]:
        doorkeeper = Doorkeeper(most=2)
        make = doorkeeper.guarded(Inner)
        transports = [Transport() for _ in range(4)]
        for number, transport in enumerate(transports):
            guard = make()
            guard.connection_made(transport)
            if number == 0:
                guard.data_received(b"GET")
        return [transport.aborted for transport in transports]

    assert asyncio.run(ended()) == [False, True, True, False]


def record(problem: BaseException | None, text: str = "%s") -> logging.LogRecord:
    found = None if problem is None else (type(problem), problem, None)
    return logging.LogRecord("asyncio", logging.ERROR, "", 0, text, ("x",), found)


def test_lack_of_descriptors_is_told_once_and_shortly_and_other_errors_each_time() -> None:
    said = SaidOnce()
    full = record(OSError(errno.EMFILE, "Too many open files"))
    assert [said.filter(each) for each in (full, record(OSError(errno.EMFILE, "Too many open files")))] == [True, False]
    assert (full.getMessage(), full.exc_info) == ("No new connection can be taken: Too many open files", None)
    assert all(said.filter(record(ValueError("x"))) for _ in range(2))
    assert not said.filter(record(asyncio.CancelledError()))
    assert [said.filter(record(None, "a %s")) for _ in range(2)] == [True, False]
