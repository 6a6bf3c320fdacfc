"""The web server: files of one folder, in whole or in byte ranges, readable by pages from anywhere.

Genome browsers read a BigWig in ranges, and those that run in a page of another site need the cross-origin headers
(CORS) besides. Nothing here writes, so that there is nothing for a foreign page to do but read what is shown anyway;
what the live questions below /api/ may have written, `trackgen.serve.trust` guards.
"""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from trackgen.errors import DataError, UsageError
from trackgen.serve.files import INDEX, find_file, media_type
from trackgen.serve.headers import API, API_HEADERS, API_PREFLIGHT, COMMON_HEADERS, PREFLIGHT_HEADERS
from trackgen.serve.limits import Doorkeeper, descriptors, quiet_logs
from trackgen.serve.overlay import Overlay, asset_named, page_with_addresses
from trackgen.serve.ranges import UNSATISFIABLE, served_ranges
from trackgen.serve.stream import FileStretch

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from trackgen.serve.api import LiveApi

__all__ = ["DEFAULT_PORT", "check_root", "create_app", "serve"]

DEFAULT_PORT = 8765
PORTS_TRIED = 20
SECONDS_TO_END = 2
# A quiet connection is kept this long. The usual 5 are too few: after a stall of the machine that lasts longer, all
# connections would be closed before what they have asked meanwhile is read.
SECONDS_KEPT = 75
SERVE_REMEDY = "install what the server needs: pip install 'trackgen[serve]'"
ABSOLUTE = re.compile(r"https?://[^/]*(/.*)?", re.IGNORECASE | re.DOTALL)
ALLOWED = "GET, HEAD, OPTIONS"
LIVE_PAGE = "live.html"


@dataclass(frozen=True)
class Site:
    """What a server shows: a folder, what lies over it, and the path that its addresses start with, or nothing.

    Attributes:
        api: answers live questions; None where there is no model.
    """

    root: Path
    overlay: Overlay
    prefix: str
    api: LiveApi | None = None

    def address(self, target: str) -> str:
        """The path of a request's target without the prefix."""
        path = _path_of(target)
        return path.removeprefix(self.prefix) if self.prefix and path.startswith(f"{self.prefix}/") else path


def create_app(
    root: Path, *, overlay: Overlay | None = None, root_path: str = "", api: LiveApi | None = None
) -> ASGIApp:
    """The server of the folder `root` as an ASGI application.

    Args:
        overlay: files in memory that are shown as if they lay in `root`.
        api: answers the live questions below /api/; None where there is no model.
        root_path: the path below which a proxy shows the server, such as ``/user/me/proxy/8765``. Addresses are
            understood with it and without it, since some proxies take it off.

    Raises:
        UsageError: starlette is not installed.
    """
    try:
        from starlette.requests import Request
    except ImportError as error:
        raise UsageError("the web server's toolkit is not installed", found=error, remedy=SERVE_REMEDY) from error
    path = root_path.strip("/")
    site = Site(root, overlay or Overlay(), f"/{path}" if path else "", api)

    # No router: it would answer methods that it does not know by itself, and turn some addresses into others.
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        address = site.address(scope["path"])
        if api is not None and _is_live(site, address) and scope["method"] != "OPTIONS":
            await api(scope, receive, send, address)
        else:
            await _answer(site, Request(scope), address)(scope, receive, send)

    return app


def serve(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int,
    on_ready: Callable[[str], None],
    overlay: Overlay | None = None,
    root_path: str = "",
    api: LiveApi | None = None,
) -> None:
    """Serve the hub in `root` until Ctrl-C.

    Args:
        host: the address to listen on; the default is reachable from this machine only.
        port: 0 takes any free port.
        on_ready: is called once, with the address to open, when the server listens.
        overlay: files in memory that are shown as if they lay in `root`.
        root_path: the path below which a proxy shows the server; see `create_app`.
        api: answers the live questions below /api/; None where there is no model.

    Raises:
        DataError: there is no hub in `root`.
        UsageError: the server's packages are not installed, or the host or port cannot be used.
    """
    check_root(root)
    try:
        import uvicorn
        from uvicorn.protocols.http.auto import AutoHTTPProtocol
    except ImportError as error:
        raise UsageError("the web server is not installed", found=error, remedy=SERVE_REMEDY) from error
    app = create_app(root, overlay=overlay, root_path=root_path, api=api)
    listener = _listen(host, port)
    doorkeeper = Doorkeeper.within(descriptors())
    config = uvicorn.Config(
        app,
        http=cast(Any, doorkeeper.guarded(AutoHTTPProtocol)),
        backlog=doorkeeper.accepted_at_once,
        log_level="warning",
        access_log=False,
        lifespan="off",
        # Nothing here is said over a web socket, and nothing believes what a proxy says of a client.
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=SECONDS_KEPT,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    # After the configuration, which sets the logs up.
    quiet_logs()
    with listener:
        on_ready(_address(host, listener.getsockname()[1]))
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            # uvicorn has already closed its connections, and hands the signal on.
            return
        finally:
            if api is not None:
                api.worker.close()


def _answer(site: Site, request: Request, address: str) -> ASGIApp:
    from starlette.responses import Response

    if request.method == "OPTIONS":
        headers = API_HEADERS | API_PREFLIGHT if _is_live(site, address) else COMMON_HEADERS | PREFLIGHT_HEADERS
        return Response(status_code=204, headers=headers)
    if request.method not in ("GET", "HEAD"):
        return Response(status_code=405, headers=COMMON_HEADERS | {"allow": ALLOWED})
    if address == site.prefix:
        return _sent_on(address)
    name = f"{address[1:]}{INDEX}" if address.endswith("/") else address[1:]
    if name in site.overlay.files:
        content = site.overlay.files[name]
        if site.api is not None and name == LIVE_PAGE and site.api.trust.may_read(request.headers):
            return _with_token(site.api.trust.with_token(content))
        return _bytes(content, media_type(Path(name)), request)
    path = find_file(site.root, address)
    if path is None and find_file(site.root, f"{address}/") is not None:
        return _sent_on(address)
    if path is None:
        # The browsers' code, for a hub that was built or copied without it.
        path = asset_named(address.rpartition("/")[2])
    if path is None:
        return Response("There is no such file here.\n", 404, COMMON_HEADERS, "text/plain")
    edited = _edited(site, name, path)
    return _file(path, request) if edited is None else _bytes(edited, media_type(path), request)


def _is_live(site: Site, address: str) -> bool:
    return site.api is not None and address.startswith(API)


def _with_token(content: bytes) -> Response:
    """A page that holds the token: for the server's own origin, which no cross-origin header opens to others."""
    from starlette.responses import Response

    closed = {name: value for name, value in COMMON_HEADERS.items() if not name.startswith("access-control")}
    headers = closed | {"cache-control": "no-store", "vary": "Origin, Sec-Fetch-Site"}
    return Response(content, 200, headers, "text/html")


def _path_of(target: str) -> str:
    """The path of a request's target, which may be a whole address (RFC 9112, 3.2.2)."""
    whole = ABSOLUTE.fullmatch(target)
    return target if whole is None else whole[1] or "/"


def _sent_on(address: str) -> Response:
    """A folder's address without its slash, sent on to the one with it."""
    from starlette.responses import Response

    # Relative, so that it holds behind any path prefix, and names no host.
    name = quote(address.rpartition("/")[2], safe="")
    return Response(status_code=307, headers=COMMON_HEADERS | {"location": f"{name}/"})


def _edited(site: Site, name: str, path: Path) -> bytes | None:
    """The contents of a file that is not sent as it is; None for all others."""
    edit = site.overlay.edits.get(name)
    try:
        page = page_with_addresses(path)
        return page if edit is None else edit(path.read_bytes() if page is None else page)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        # Not of the shape that is to be changed: whoever asked sees what there is.
        return None


def _bytes(content: bytes, kind: str, request: Request) -> Response:
    """Contents in memory: all of them, the part that is asked for, or the word that they have not changed."""
    from starlette.responses import Response

    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = COMMON_HEADERS | {"accept-ranges": "bytes", "etag": tag}
    if _is_known(tag, request):
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range") if request.headers.get("if-range", tag) == tag else None
    ranges = served_ranges(asked, len(content))
    if ranges == UNSATISFIABLE:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{len(content)}"})
    if ranges is None or "," in ranges:
        # Several ranges may be answered with everything (RFC 9110, 14.2); browsers ask for one.
        return Response(content, 200, headers, kind)
    first, last = (int(part) for part in ranges.removeprefix("bytes=").split("-"))
    headers |= {"content-range": f"bytes {first}-{last}/{len(content)}"}
    return Response(content[first : last + 1], 206, headers, kind)


def _is_known(tag: str, request: Request) -> bool:
    known = [entry.strip().removeprefix("W/") for entry in request.headers.get("if-none-match", "").split(",")]
    return tag in known


def _file(path: Path, request: Request) -> ASGIApp:
    """The file, the part of it that is asked for, or the word that it has not changed."""
    from starlette.responses import FileResponse, Response

    status = os.stat(path)
    headers = COMMON_HEADERS | {"accept-ranges": "bytes", "etag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"'}
    if _is_known(headers["etag"], request):
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range")
    if request.headers.get("if-range", headers["etag"]) != headers["etag"]:
        # The part that the reader has is of an older file.
        asked = None
    ranges = served_ranges(asked, status.st_size)
    if ranges == UNSATISFIABLE:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{status.st_size}"})
    kind = media_type(path)
    if ranges is None:
        return FileStretch(path, 0, status.st_size, status=200, headers=headers | {"content-type": kind})
    if "," not in ranges:
        first, last = (int(part) for part in ranges.removeprefix("bytes=").split("-"))
        headers |= {"content-type": kind, "content-range": f"bytes {first}-{last}/{status.st_size}"}
        return FileStretch(path, first, last + 1, status=206, headers=headers)
    # The response reads the header again: what it sees is already cut to the file.
    rest = [(name, value) for name, value in request.scope["headers"] if name not in (b"range", b"if-range")]
    request.scope["headers"] = [*rest, (b"range", ranges.encode("ascii"))]
    return FileResponse(path, headers=headers, media_type=kind, stat_result=status)


def check_root(root: Path) -> None:
    """Refuse a folder that is missing or holds no hub.

    Raises:
        DataError: it is one of these.
    """
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
        except UnicodeError as error:
            raise UsageError("this is no name of a host", place="--host", found=host) from error
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
    """The address to open on this machine; one that stands for all of its addresses is no place to go to."""
    shown = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1"}.get(host, host)
    if ":" in shown:
        shown = "[::1]" if ipaddress.ip_address(shown).is_unspecified else f"[{shown}]"
    return f"http://{shown}:{port}/"
