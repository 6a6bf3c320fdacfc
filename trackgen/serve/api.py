"""The live protocol over HTTP: addresses, methods, statuses and headers. What is asked is answered by trackgen.live."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from trackgen.errors import TrackgenError
from trackgen.live import (
    KeepQuestion,
    LiveEngine,
    Question,
    Refused,
    Stop,
    error_message,
    json_pieces,
    read_body,
    read_parameters,
    status_of,
)
from trackgen.serve.headers import API_HEADERS
from trackgen.serve.stream import reader_gone
from trackgen.serve.trust import Trust
from trackgen.serve.worker import Worker

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

__all__ = ["Keeper", "Kept", "LiveApi"]

VERSION = "/api/v1/"
METHODS = {
    "description": "GET",
    "predictions": "GET",
    "contributions": "GET",
    "features": "GET",
    "whatif": "POST",
    "mutagenesis": "POST",
    "keep": "POST",
}
LONGEST_BODY = 1_000_000
PIECE = 1 << 18
MOST_PARAMETERS = 20
RETRY_AFTER = {"retry-after": "1"}


class Kept(NamedTuple):
    """What a keeper did: names of files in the hub's folder, and how many regions of the model are kept now."""

    files: Sequence[str]
    regions: int


class Keeper(Protocol):
    """Writes a region into the hub: whoever starts the server says how."""

    def __call__(
        self, model: str, name: str, start: int, end: int, contributions: Sequence[str], check: Callable[[], None]
    ) -> Kept:
        """Keep bases [start, end) of sequence `name`, with the contributions to some classes.

        Args:
            check: called now and then; what it raises ends the work.
        """


class LiveApi:
    """The addresses below /api/ as an ASGI application.

    Args:
        engine: answers.
        keeper: writes what is to be kept; None where nothing is.
        trust: who may have it written.
        worker: does the work.
    """

    def __init__(
        self, engine: LiveEngine, keeper: Keeper | None = None, trust: Trust | None = None, worker: Worker | None = None
    ) -> None:
        self.engine, self._keeper = engine, keeper
        self.trust, self.worker = trust or Trust(), worker or Worker()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request.

        Args:
            path: its path, from /api/ on.
        """
        try:
            await self._answer(scope, receive, send, path)
        except TrackgenError as error:
            headers = {"allow": METHODS[_name(path)]} if status_of(error) == 405 else {}
            await _send_error(send, error, headers | (RETRY_AFTER if status_of(error) == 503 else {}))
        except Exception as error:
            # Never on purpose. The one who asked hears of it, and the terminal has the traceback.
            logging.getLogger("uvicorn.error").exception("a live question failed", exc_info=error)
            await _send_error(send, TrackgenError("the server failed at this question", found=type(error).__name__))

    async def _answer(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        name = _name(path)
        if scope["method"] != METHODS[name]:
            raise Refused(405, "this is asked by another method", found=scope["method"], wanted=METHODS[name])
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        pairs = _parameters(scope["query_string"])
        if name == "description":
            _refuse_parameters(pairs)
            await _send(send, 200, _pieces_of(b"".join(json_pieces(self.engine.describe()))))
            return
        question: Question
        if METHODS[name] == "GET":
            question = read_parameters(name, pairs)
        else:
            _refuse_parameters(pairs)
            if name == "keep":
                self._refuse_keeping(headers)
            question = read_body(name, await _body(receive, headers))
        await self._work(question, receive, send)

    def _refuse_keeping(self, headers: Mapping[str, str]) -> None:
        self.trust.refuse(headers)
        if self._keeper is None:
            raise Refused(404, "this server keeps nothing", remedy="write the region with trackgen scan --regions")

    async def _work(self, question: Question, receive: Receive, send: Send) -> None:
        """Have the question answered, unless whoever asked goes away."""
        job = self.worker.submit((question.model, question.chr, question.start, question.end), self._doing(question))
        gone = asyncio.ensure_future(reader_gone(receive))
        try:
            waited: set[asyncio.Future[Any]] = {job.answer, gone}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if job.answer.done():
                await _send(send, 200, _pieces_of(job.answer.result()), gone)
        finally:
            gone.cancel()
            self.worker.release(job)

    def _doing(self, question: Question) -> Callable[[Stop], bytes]:
        """The work of a question, to be done in the worker's thread."""

        def work(stop: Stop) -> bytes:
            answer: Mapping[str, Any] | Sequence[Any]
            if isinstance(question, KeepQuestion):
                answer = self._keep(question, stop)
            else:
                answer = self.engine.answer(question, stop)
            return b"".join(json_pieces(answer, stop.check))

        return work

    def _keep(self, question: KeepQuestion, stop: Stop) -> Mapping[str, object]:
        assert self._keeper is not None
        region = self.engine.region_to_keep(question)
        kept = self._keeper(question.model, region.name, region.start, region.end, question.contributions, stop.check)
        return {"schema_version": 1, "kind": "keep", "files": list(kept.files), "regions": kept.regions}


def _name(path: str) -> str:
    """The question that an address names.

    Raises:
        Refused: none.
    """
    name = path.removeprefix(VERSION) if path.startswith(VERSION) else ""
    if name not in METHODS:
        wanted = ", ".join(VERSION + known for known in METHODS)
        raise Refused(404, "there is no such address", found=path[:100], wanted=wanted)
    return name


def _parameters(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError as error:
        raise Refused(400, "the parameters can't be read", place="address", found=error) from error


def _refuse_parameters(pairs: Sequence[tuple[str, str]]) -> None:
    for name, _ in pairs:
        raise Refused(400, "the parameter is not known here", place=name[:100])


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """The whole body of a request.

    Raises:
        Refused: it is too long.
    """
    parts: list[bytes] = []
    length = int(headers["content-length"]) if headers.get("content-length", "").isdecimal() else 0
    while length <= LONGEST_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        length = max(length, sum(map(len, parts)))
        if not message.get("more_body"):
            return b"".join(parts)
    if length <= LONGEST_BODY:
        raise Refused(400, "the body ended early", place="body")
    raise Refused(
        413, "the body is too long", place="body", found=f"{length:,} bytes", wanted=f"at most {LONGEST_BODY:,}"
    )


def _pieces_of(body: bytes) -> Sequence[bytes]:
    """A body in pieces, the next of which is only taken when there is room: what is sent stays bounded."""
    return [body[start : start + PIECE] for start in range(0, len(body), PIECE)]


async def _send(
    send: Send,
    status: int,
    pieces: Sequence[bytes],
    gone: asyncio.Future[None] | None = None,
    more: Mapping[str, str] = {},
) -> None:
    headers = {**API_HEADERS, "content-length": str(sum(map(len, pieces))), **more}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    for number, piece in enumerate(pieces):
        await send({"type": "http.response.body", "body": piece, "more_body": number + 1 < len(pieces)})
        if gone is not None and gone.done():
            return


async def _send_error(send: Send, error: TrackgenError, more: Mapping[str, str] = {}) -> None:
    body = json.dumps(error_message(error), ensure_ascii=False).encode("utf-8", "replace")
    await _send(send, status_of(error), [body], None, more)
