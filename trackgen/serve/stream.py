"""Sends one stretch of a file: in one piece where it is short, as genome browsers mostly ask, else piece by piece.

The web toolkit's own answer takes five turns of a worker thread for each request; this takes one for a short stretch,
and stops reading when the reader has gone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["FileStretch", "reader_gone"]

# Bounds the memory of an answer, however long the stretch is.
PIECE = 1 << 18


class FileStretch:
    """The bytes from `start` up to `end` (0-based, half-open) of the file at `path`, as an ASGI application."""

    def __init__(self, path: Path, start: int, end: int, *, status: int, headers: Mapping[str, str]) -> None:
        self._path, self._start, self._end = path, start, end
        self._status = status
        length = {"content-length": str(end - start)}
        self._headers = [(key.encode(), value.encode()) for key, value in {**headers, **length}.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and, unless only that is asked for, the bytes."""
        if scope["method"] == "HEAD" or self._start == self._end:
            await self._head(send)
            await send({"type": "http.response.body", "body": b""})
        elif self._end - self._start <= PIECE:
            body = await asyncio.to_thread(self._whole)
            await self._head(send)
            await send({"type": "http.response.body", "body": body})
        else:
            await self._pieces(receive, send)

    async def _head(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})

    def _whole(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            return _read(descriptor, self._start, self._end)
        finally:
            os.close(descriptor)

    async def _pieces(self, receive: Receive, send: Send) -> None:
        descriptor = os.open(self._path, os.O_RDONLY)
        gone = asyncio.ensure_future(reader_gone(receive))
        try:
            await self._head(send)
            for start in range(self._start, self._end, PIECE):
                end = min(start + PIECE, self._end)
                body = await asyncio.to_thread(_read, descriptor, start, end)
                await send({"type": "http.response.body", "body": body, "more_body": end < self._end})
                if gone.done():
                    return
        finally:
            gone.cancel()
            os.close(descriptor)


def _read(descriptor: int, start: int, end: int) -> bytes:
    """All bytes of the stretch.

    Raises:
        OSError: the file has become shorter since its length was told; the connection then ends, which readers notice.
    """
    parts = []
    while start < end:
        part = os.pread(descriptor, end - start, start)
        if not part:
            raise OSError("the file has become shorter while it was sent")
        parts.append(part)
        start += len(part)
    return b"".join(parts)


async def reader_gone(receive: Receive) -> None:
    """Return when the reader has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
