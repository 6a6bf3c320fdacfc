"""Reads a hub's files from a web server, data by byte ranges alone; whatever a server does becomes a `FileFault`."""

from __future__ import annotations

import functools
import http.client
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Self
from urllib.parse import quote, urljoin, urlsplit

from trackgen.hub.check.findings import shown
from trackgen.hub.check.sources import BLOCK, LARGEST_TEXT, Blocks, FileFault, RangeReader, check_scheme, is_private

__all__ = ["Answer", "Web", "WebSource", "origin_of", "size_of"]

SECONDS = 20.0
"""From the connection to the last header of the answer, and between two pieces of its body."""
LONGEST_ANSWER_SECONDS = 120.0
"""From the last header to the last byte of the body."""
TOO_LONG = "the answer takes too long"
PIECE = 1 << 16
MOST_WITHOUT_RANGES = 1 << 20
"""Bytes taken from the start of a file whose server ignores ranges."""


@dataclass(frozen=True)
class Answer:
    """What a server said; header names in lower case. `body` is cut at the limit that was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _Deadline:
    """Hangs up when a request takes too long, however often the server sends a byte.

    The timeout of a socket bounds the wait for each of its bytes, not for all of them.
    """

    def __init__(self) -> None:
        self.passed = False
        self._line: socket.socket | None = None
        self._timer: threading.Timer | None = None

    def watch(self, line: socket.socket, seconds: float) -> None:
        """Hang up on `line` in `seconds`; an earlier line is no longer watched."""
        self.end()
        # A second handle on the same connection: encryption takes the first one away.
        self._line = line.dup()
        self.extend(seconds)

    def extend(self, seconds: float) -> None:
        """Begin to count anew."""
        if self._timer is not None:
            self._timer.cancel()
        if self._line is not None and not self.passed:
            self._timer = threading.Timer(seconds, self._hang_up, (self._line,))
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            # A timer that runs must not hang up on a later connection, which may have the same number.
            self._timer.join()
        if self._line is not None:
            self._line.close()
        self._line = self._timer = None

    def check(self) -> None:
        """Raise an error once the time is over: what was read until then is a part that looks like the whole."""
        if self.passed:
            raise TimeoutError(TOO_LONG)

    def _hang_up(self, line: socket.socket) -> None:
        self.passed = True
        try:
            line.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The server was faster.
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class _Connection(http.client.HTTPConnection):
    """A connection whose answer must have begun, with all its headers, in `timeout` seconds."""

    def __init__(self, *arguments: Any, deadline: _Deadline, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock, float(self.timeout or SECONDS))


class _SecureConnection(http.client.HTTPSConnection, _Connection):
    """The same, encrypted; watched from before the handshake, since that calls `connect` of the class above."""


class _Opener(urllib.request.AbstractHTTPHandler):
    """Makes the connections of one request and its redirects."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, deadline: _Deadline, context: ssl.SSLContext) -> None:
        super().__init__()
        self._deadline, self._context = deadline, context

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Connection, deadline=self._deadline), request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        secure = functools.partial(_SecureConnection, deadline=self._deadline)
        return self.do_open(secure, request, context=self._context)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects among web addresses, but not from the public network into a private one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise FileFault("ADDRESS-SCHEME", "the server redirects to an address of another kind", found=newurl)
        if is_private(newurl) and not is_private(req.full_url):
            raise FileFault("ADDRESS-PRIVATE", "the server redirects into a private network", found=newurl)
        follow = super().redirect_request(req, fp, code, msg, headers, newurl)
        if follow is not None and req.get_method() == "HEAD":
            follow.method = "HEAD"
        return follow


class Web:
    """Requests without surprises: web addresses only, bounded in time and size, failures as `FileFault`."""

    def __init__(self, seconds: float = SECONDS, longest: float = LONGEST_ANSWER_SECONDS) -> None:
        self.seconds, self.longest = seconds, longest
        self._context = ssl.create_default_context()
        self._dead: set[str] = set()

    def _opener(self, deadline: _Deadline) -> urllib.request.OpenerDirector:
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Opener(deadline, self._context),
            _Redirects(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)
        return opener

    def ask(self, url: str, method: str = "GET", *, most: int = 0, **headers: str) -> Answer:
        """One request. At most `most` bytes of the body are read; header names take ``_`` for ``-``.

        Raises:
            FileFault: SERVER-DOWN where there is no answer; an answer of any status is one.
        """
        origin = origin_of(url)
        if origin in self._dead:
            raise _down(url, "it did not answer before")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        # Compressed answers are for those who ask for them.
        request = urllib.request.Request(
            _quoted(url), method=method, headers={"User-Agent": "trackgen", "Accept-Encoding": "identity"} | named
        )
        with _Deadline() as deadline:
            try:
                return self._answer(request, most, deadline)
            except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
                reason = TOO_LONG if deadline.passed else getattr(error, "reason", None) or error
                self._dead.add(origin)
                raise _down(url, str(reason) or type(error).__name__) from None

    def _answer(self, request: urllib.request.Request, most: int, deadline: _Deadline) -> Answer:
        try:
            response = self._opener(deadline).open(request, timeout=self.seconds)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            deadline.check()
            deadline.extend(self.longest)
            answer = _read_answer(response, most)
            deadline.check()
        return answer


def _read_answer(response: http.client.HTTPResponse | urllib.error.HTTPError, most: int) -> Answer:
    body = bytearray()
    while len(body) < most:
        piece = response.read(min(PIECE, most - len(body)))
        if not piece:
            break
        body += piece
    stated = size_of(response.headers.get("Content-Length", ""))
    if stated is not None and len(body) < min(most, stated):
        raise ConnectionError("the answer is cut off")
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return Answer(int(response.status or 0), headers, bytes(body), response.url)


def size_of(header: str) -> int | None:
    """A number of bytes in a header; None where it is none, or absurd."""
    return int(header) if re.fullmatch(r"[0-9]{1,18}", header.strip()) else None


def _down(url: str, reason: str) -> FileFault:
    return FileFault("SERVER-DOWN", f"the server {urlsplit(url).netloc} does not answer", found=shown(reason))


def _quoted(url: str) -> str:
    """`url` with what may not stand in a request written as %XX."""
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]")


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class WebSource:
    """The files of a hub on a server, and of servers that it names."""

    def __init__(self, url: str, web: Web) -> None:
        self.web = web
        self.base = url.rpartition("/")[0] + "/"
        self._private = is_private(url)

    def resolve(self, text: str, base: str) -> str:
        check_scheme(text)
        try:
            url = urljoin(base, text)
        except ValueError:
            raise FileFault("ADDRESS-FORM", "this is no web address", found=text) from None
        check_scheme(url)
        if is_private(url) and not self._private:
            raise FileFault("ADDRESS-PRIVATE", "nobody else reaches this address", found=text)
        return url

    def read(self, address: str) -> bytes:
        answer = self.web.ask(address, most=LARGEST_TEXT + 1)
        _check_status(answer, address)
        if len(answer.body) > LARGEST_TEXT:
            raise FileFault(
                "TEXT-TOO-LARGE", "the file is too large for a text", wanted=f"up to {LARGEST_TEXT:,} bytes"
            )
        return answer.body

    def open(self, address: str) -> RangeReader:
        return _RangedFile(self.web, address).reader()

    def require(self, address: str) -> None:
        answer = self.web.ask(address, most=1, Range="bytes=0-0")
        # An empty file has no byte 0.
        if answer.status != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            _check_status(answer, address)

    def shown(self, address: str) -> str:
        return address.removeprefix(self.base)


def _check_status(answer: Answer, address: str) -> None:
    if answer.status in (http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT):
        return
    missing = answer.status in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE)
    what = "the file is not there" if missing else "the server does not give the file"
    rule = "FILE-MISSING" if missing else "FILE-UNREADABLE"
    raise FileFault(rule, what, found=f"{address} (status {answer.status})")


class _RangedFile:
    """One file, by ranges of the size of a block."""

    def __init__(self, web: Web, url: str) -> None:
        self._web, self._url = web, url
        self._size: int | None = None

    def reader(self) -> RangeReader:
        read = Blocks(self._fetch).read
        read(0, 1)
        return RangeReader(read, self._size)

    def _fetch(self, offset: int) -> bytes:
        if self._size is not None and offset >= self._size:
            return b""
        # A server that ignores the range sends the file from its start: no more of it is taken than the first part.
        limit = min(offset + BLOCK, MOST_WITHOUT_RANGES)
        answer = self._web.ask(self._url, most=max(limit, BLOCK), Range=f"bytes={offset}-{offset + BLOCK - 1}")
        if answer.status in (http.HTTPStatus.BAD_REQUEST, http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
            # Some servers refuse a range that reaches past the end; this one is to its end.
            answer = self._web.ask(self._url, most=BLOCK, Range=f"bytes={offset}-")
        if answer.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return b""
        _check_status(answer, self._url)
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        self._size = size_of(total) if size_of(total) is not None else self._size
        if answer.status == http.HTTPStatus.PARTIAL_CONTENT:
            return answer.body[:BLOCK]
        self._size = size_of(answer.headers.get("content-length", ""))
        if offset >= MOST_WITHOUT_RANGES:
            raise FileFault("SERVER-RANGES", "the file cannot be read in ranges", found=f"status {answer.status}")
        return answer.body[offset : offset + BLOCK]
