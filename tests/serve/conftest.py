"""A small folder that looks like a hub, and a client of the server on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from trackgen.serve import create_app

DATA = bytes(range(256)) * 40
Ask = Callable[..., httpx.Response]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "hub"
    (folder / "below").mkdir(parents=True)
    (folder / "hub.txt").write_text("hub small\n")
    (folder / "index.html").write_text("<title>small</title>")
    (folder / "track.bw").write_bytes(DATA)
    (folder / "empty.bw").write_bytes(b"")
    (folder / "table.txt.gz").write_bytes(b"\x1f\x8b rest")
    (folder / ".secret").write_text("hidden")
    (folder / "below" / "index.html").write_text("<title>below</title>")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.bw").symlink_to(folder / "track.bw")
    (folder / "escape.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "escape").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    return folder


@pytest.fixture
def ask(root: Path) -> Ask:
    """One request to the application: ``ask("GET", "/track.bw", Range="bytes=0-1")``."""
    return asker(create_app(root))


def asker(app: ASGIApp) -> Ask:
    """As the fixture `ask`, of any application."""

    async def request(method: str, address: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
            return await client.request(method, httpx.URL(f"http://hub{address}"), headers=headers)

    def ask(method: str, address: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(request(method, address, named))

    return ask
