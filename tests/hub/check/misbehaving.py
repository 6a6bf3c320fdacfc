"""A small web server that does one thing wrong, by name; ``right`` does nothing wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["served"]


class Handler(BaseHTTPRequestHandler):
    """Answers from `root`; `fault` names what it does wrong, to data files alone."""

    root: Path
    fault: str
    sent: int = 0
    """Bytes of bodies of all answers."""
    asked: list[str]

    def log_message(self, format: str, *arguments: object) -> None:
        """Tests are quiet."""

    def faulty(self, name: str) -> bool:
        return self.fault == name and self.path.endswith(".bw")

    def do_OPTIONS(self) -> None:
        refused = self.faulty("no-preflight")
        self.send_response(405 if refused else 204)
        self.cross_origin()
        if not refused:
            self.send_header("Access-Control-Allow-Headers", "Range")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        type(self).asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        path = self.root / unquote(urlsplit(self.path).path).lstrip("/")
        if self.faulty("silent-data"):
            self.close_connection = True
            return
        if self.faulty("forbidden-data") or (self.faulty("no-head") and not body):
            self.plain(403 if body else 405)
            return
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
            return
        if not path.is_file():
            self.plain(404)
            return
        self.file(path.read_bytes(), body)

    def file(self, data: bytes, body: bool) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match is None or not body or self.faulty("no-ranges"):
            self.plain(200, data, body)
            return
        first, last = int(match[1]), int(match[2] or len(data) - 1)
        if first >= len(data) or (self.faulty("refuse-past-end") and last >= len(data)):
            self.plain(400 if self.faulty("refuse-past-end") else 416)
            return
        last = min(last, len(data) - 1)
        stated = f"bytes {first}-{last}/{len(data)}"
        if self.faulty("wrong-content-range"):
            stated = f"bytes {first + 1}-{last + 1}/{len(data)}"
        if self.faulty("too-many-bytes"):
            data += b"\0"
            last += 1
        self.send_response(206)
        if not self.faulty("no-content-range"):
            self.send_header("Content-Range", stated)
        self.finish_answer(data[first : last + 1], body)

    def plain(self, status: int, data: bytes = b"", body: bool = True) -> None:
        self.send_response(status)
        if not self.faulty("no-ranges"):
            self.send_header("Accept-Ranges", "bytes")
        self.finish_answer(data, body)

    def finish_answer(self, data: bytes, body: bool) -> None:
        self.cross_origin()
        if self.faulty("gzip") and "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            type(self).sent += len(data)
            try:
                self.wfile.write(data)
            except OSError:
                # The reader has what it wanted.
                self.close_connection = True

    def cross_origin(self) -> None:
        if not self.faulty("no-cors"):
            allowed = "https://other.example.org" if self.faulty("other-cors") else "*"
            self.send_header("Access-Control-Allow-Origin", allowed)
        if not self.faulty("no-expose"):
            self.send_header("Access-Control-Expose-Headers", "Content-Range, Content-Length")


@contextmanager
def served(root: Path, fault: str = "right") -> Iterator[tuple[str, type[Handler]]]:
    """The address of a server of `root`, ending in a slash, and its handler, which counts."""
    handler = type("BoundHandler", (Handler,), {"root": root, "fault": fault, "sent": 0, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
