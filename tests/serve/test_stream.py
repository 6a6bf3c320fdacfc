"""Long stretches of files: in pieces, complete, and no longer than anybody reads them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import Ask
from trackgen.serve.stream import PIECE, FileStretch

LONG = os.urandom(5 * PIECE + 7)


@pytest.fixture
def long(root: Path) -> Path:
    path = root / "long.bw"
    path.write_bytes(LONG)
    return path


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, PIECE), (0, PIECE + 1), (1, PIECE + 1), (3, 3 * PIECE + 3), (PIECE, 2 * PIECE), (0, len(LONG))],
)
def test_a_stretch_across_pieces_is_complete(ask: Ask, long: Path, start: int, end: int) -> None:
    answer = ask("GET", "/long.bw", Range=f"bytes={start}-{end - 1}")
    assert (answer.status_code, answer.content == LONG[start:end]) == (206, True)
    assert answer.headers["content-length"] == str(end - start)


def test_a_whole_long_file_is_complete(ask: Ask, long: Path) -> None:
    assert ask("GET", "/long.bw").content == LONG
    assert ask("GET", "/empty.bw").content == b""


def test_a_range_of_a_file_that_has_changed_since_is_not_sent(ask: Ask, long: Path) -> None:
    tag = ask("HEAD", "/long.bw").headers["etag"]
    assert ask("GET", "/long.bw", Range="bytes=0-9", If_Range=tag).content == LONG[:10]
    answer = ask("GET", "/long.bw", Range="bytes=0-9", If_Range='"older"')
    assert (answer.status_code, answer.content) == (200, LONG)


Event = Callable[[], Awaitable[dict[str, Any]]]


def sent(path: Path, end: int, receive: Event) -> list[dict[str, Any]]:
    """What a stretch from the file's start sends to a reader whose next event is `receive`."""
    messages: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        messages.append(message)
        await asyncio.sleep(0)

    stretch = FileStretch(path, 0, end, status=200, headers={})
    asyncio.run(stretch({"type": "http", "method": "GET"}, receive, send))  # type: ignore[arg-type]
    return messages


async def still_there() -> dict[str, Any]:
    return await asyncio.get_running_loop().create_future()


async def gone() -> dict[str, Any]:
    return {"type": "http.disconnect"}


def test_no_piece_is_longer_than_the_bound(long: Path) -> None:
    bodies = [len(message.get("body", b"")) for message in sent(long, len(LONG), still_there)]
    assert sum(bodies) == len(LONG)
    assert max(bodies) == PIECE


def test_reading_stops_when_the_reader_has_gone(long: Path) -> None:
    bodies = [message for message in sent(long, len(LONG), gone) if message["type"] == "http.response.body"]
    assert 1 <= len(bodies) <= 2


def test_a_file_that_shrinks_while_it_is_sent_ends_the_connection(long: Path) -> None:
    with pytest.raises(OSError, match="shorter"):
        sent(long, len(LONG) + 1, still_there)
