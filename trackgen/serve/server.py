"""The web server: files of one folder, in whole or in byte ranges, readable by pages from anywhere.

Genome browsers read a BigWig in ranges, and those that run in a page of another site need the cross-origin headers
(CORS) besides. Nothing here writes, so that there is nothing for a foreign page to do but read what is shown anyway.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from trackgen.errors import DataError, UsageError
from trackgen.serve.files import find_file, media_type
from trackgen.serve.ranges import UNSATISFIABLE, served_ranges

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

__all__ = ["DEFAULT_PORT", "create_app", "serve"]

DEFAULT_PORT = 8765
PORTS_TRIED = 20
SECONDS_TO_END = 2
SERVE_REMEDY = "install what the server needs: pip install 'trackgen[serve]'"
COMMON_HEADERS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
    "x-content-type-options": "nosniff",
    # A hub may be built again while it is looked at: browsers ask each time, and mostly hear "not modified".
    "cache-control": "no-cache",
}
PREFLIGHT_HEADERS = {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "Range, If-None-Match, If-Range, Cache-Control",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "86400",
}
ALLOWED = "GET, HEAD, OPTIONS"


def create_app(root: Path) -> ASGIApp:
    """The server of the folder `root` as an ASGI application.

    Raises:
        UsageError: starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.routing import Route
    except ImportError as error:
        raise UsageError("the web server's toolkit is not installed", found=error, remedy=SERVE_REMEDY) from error

    async def answer(request: Request) -> Response:
        return _answer(root, request)

    methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(routes=[Route("/{address:path}", answer, methods=methods)])


def serve(root: Path, *, host: str = "127.0.0.1", port: int, on_ready: Callable[[str], None]) -> None:
    """Serve the hub in `root` until Ctrl-C.

    Args:
        host: the address to listen on; the default is reachable from this machine only.
        port: 0 takes any free port.
        on_ready: is called once, with the address to open, when the server listens.

    Raises:
        DataError: there is no hub in `root`.
        UsageError: the server's packages are not installed, or the host or port cannot be used.
    """
    _check_root(root)
    try:
        import uvicorn
    except ImportError as error:
        raise UsageError("the web server is not installed", found=error, remedy=SERVE_REMEDY) from error
    app = create_app(root)
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    # Ctrl-C during a download is no error that anybody must read.
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    with listener:
        on_ready(_address(host, listener.getsockname()[1]))
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            # uvicorn has already closed its connections, and hands the signal on.
            return


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _answer(root: Path, request: Request) -> Response:
    from starlette.responses import Response

    if request.method == "OPTIONS":
        return Response(status_code=204, headers=COMMON_HEADERS | PREFLIGHT_HEADERS)
    if request.method not in ("GET", "HEAD"):
        return Response(status_code=405, headers=COMMON_HEADERS | {"allow": ALLOWED})
    # Not the route's parameter, from which the routing has dropped a line break at the end.
    address = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    path = find_file(root, address)
    if path is None and find_file(root, f"{address}/") is not None:
        # Relative, so that it holds behind any path prefix.
        name = quote(address.rpartition("/")[2], safe="")
        return Response(status_code=307, headers=COMMON_HEADERS | {"location": f"{name}/"})
    if path is None:
        return Response("There is no such file here.\n", 404, COMMON_HEADERS, "text/plain")
    return _file(path, request)


def _file(path: Path, request: Request) -> Response:
    """The file, the part of it that is asked for, or the word that it has not changed."""
    from starlette.responses import FileResponse, Response

    status = os.stat(path)
    headers = COMMON_HEADERS | {"accept-ranges": "bytes", "etag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"'}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if headers["etag"] in known:
        return Response(status_code=304, headers=headers)
    ranges = served_ranges(request.headers.get("range"), status.st_size)
    if ranges == UNSATISFIABLE:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{status.st_size}"})
    # The response reads the header again: what it sees is already cut to the file, or nothing.
    rest = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
    request.scope["headers"] = rest if ranges is None else [*rest, (b"range", ranges.encode("ascii"))]
    return FileResponse(path, headers=headers, media_type=media_type(path), stat_result=status)


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise DataError("there is no such folder", path=root, wanted="a hub, made by trackgen hub build")
    if (root / "hub.txt").is_file():
        return
    remedy = f"build one: trackgen hub build {root} -o HUB" if (root / "run.json").is_file() else None
    raise DataError("there is no hub in the folder", path=root, wanted="hub.txt", remedy=remedy)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket on `port`, or on the next free one of a few above it."""
    last = port if port == 0 else min(port + PORTS_TRIED, 65535)
    problem: OSError | None = None
    for candidate in range(port, last + 1):
        try:
            return _bind(host, candidate)
        except OSError as error:
            problem = error
            if error.errno != errno.EADDRINUSE:
                break
    found = f"{host}:{port}" if problem is None else f"{host}:{port} ({problem.strerror or problem})"
    raise UsageError("the server cannot listen there", place="--host, --port", found=found, remedy="choose another")


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in ("", "0.0.0.0") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/"
