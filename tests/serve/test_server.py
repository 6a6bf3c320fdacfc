"""What the server answers, byte by byte and header by header."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.serve.conftest import DATA, Ask, asker
from trackgen.serve import create_app


def test_a_whole_file_comes_with_its_length_and_says_that_ranges_work(ask: Ask) -> None:
    answer = ask("GET", "/track.bw")
    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-15", 0, 16),
        ("bytes=256-1023", 256, 1024),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA)),
        ("bytes=-100", len(DATA) - 100, len(DATA)),
        (f"bytes=-{10 * len(DATA)}", 0, len(DATA)),
        (f"bytes=100-{10 * len(DATA)}", 100, len(DATA)),
    ],
)
def test_a_range_is_those_bytes_and_no_others(ask: Ask, asked: str, start: int, end: int) -> None:
    answer = ask("GET", "/track.bw", Range=asked)
    assert answer.status_code == 206
    assert answer.content == DATA[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    assert answer.headers["content-length"] == str(end - start)


def test_a_range_past_the_end_is_refused_with_the_size(ask: Ask) -> None:
    answer = ask("GET", "/track.bw", Range=f"bytes={len(DATA)}-{len(DATA) + 10}")
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert ask("GET", "/empty.bw", Range="bytes=0-3").status_code == 416


@pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=" + ",".join(["0-1"] * 50)])
def test_a_range_that_makes_no_sense_is_ignored(ask: Ask, asked: str) -> None:
    answer = ask("GET", "/track.bw", Range=asked)
    assert (answer.status_code, answer.content) == (200, DATA)


def test_several_ranges_come_as_parts(ask: Ask) -> None:
    answer = ask("GET", "/track.bw", Range="bytes=0-3,1000-1003")
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert DATA[0:4] in answer.content
    assert DATA[1000:1004] in answer.content
    assert f"bytes 1000-1003/{len(DATA)}".encode() in answer.content


def test_head_says_everything_but_the_bytes(ask: Ask) -> None:
    answer = ask("HEAD", "/track.bw")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize("address", ["/track.bw", "/hub.txt", "/nothing.bw"])
def test_pages_from_anywhere_may_read(ask: Ask, address: str) -> None:
    answer = ask("GET", address, Origin="https://genome.ucsc.edu")
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"content-range", "content-length", "accept-ranges"} <= exposed


def test_the_preflight_allows_ranges(ask: Ask) -> None:
    answer = ask(
        "OPTIONS",
        "/track.bw",
        Origin="https://igv.org",
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="range",
        Access_Control_Request_Private_Network="true",
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "range" in answer.headers["access-control-allow-headers"].lower()
    assert "GET" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-private-network"] == "true"


METHODS = [
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "X",
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("address", ["/track.bw", "/new.bw", "/", "/below", "/../outside.txt"])
def test_nothing_can_be_written_from_here_or_from_another_site(
    ask: Ask, root: Path, tmp_path: Path, method: str, address: str
) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    answer = ask(method, address, Origin="https://evil.example", Content_Type="text/plain")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.content == b""
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_preflight_of_a_cross_origin_write_is_told_that_only_reading_is_allowed(ask: Ask) -> None:
    answer = ask("OPTIONS", "/track.bw", Origin="https://evil.example", Access_Control_Request_Method="PUT")
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert "access-control-allow-credentials" not in answer.headers


HOSTS = ["evil.example", "evil.example:1", "127.0.0.1@evil.example", "", "a" * 5000, 'x"><script>', "localhost/../.."]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("address", ["/", "/track.bw", "/below", "/nothing", "/page/"])
def test_no_answer_depends_on_the_host_that_a_request_names(ask: Ask, root: Path, host: str, address: str) -> None:
    (root / "page").mkdir()
    (root / "page" / "index.html").write_text('<div data-igv="./igv.esm.min.js">')
    usual = ask("GET", address)
    forged = {"X_Forwarded_Host": host, "X_Forwarded_Proto": "https", "X_Forwarded_For": "1.2.3.4", "Forwarded": host}
    answer = ask("GET", address, Host=host, **forged)
    assert (answer.status_code, answer.content) == (usual.status_code, usual.content)
    assert answer.headers == usual.headers


@pytest.mark.parametrize("address", ["/track.bw", "/table.txt.gz"])
def test_data_has_no_content_encoding_even_for_clients_that_take_one(ask: Ask, address: str) -> None:
    answer = ask("GET", address, Accept_Encoding="gzip, br")
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("address", "kind"),
    [("/", "text/html"), ("/index.html", "text/html"), ("/below/", "text/html"), ("/hub.txt", "text/plain")],
)
def test_pages_are_pages(ask: Ask, address: str, kind: str) -> None:
    answer = ask("GET", address)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)


def test_a_folder_without_its_slash_is_sent_on_by_a_relative_address(ask: Ask) -> None:
    answer = ask("GET", "/below")
    assert (answer.status_code, answer.headers["location"]) == (307, "below/")


PREFIX = "/user/me/proxy/8765"


@pytest.mark.parametrize("given", [PREFIX, f"{PREFIX}/", PREFIX[1:]])
@pytest.mark.parametrize("sent", [PREFIX, ""], ids=["left in", "taken off"])
def test_a_proxy_may_leave_its_path_in_the_address_or_take_it_off(root: Path, given: str, sent: str) -> None:
    ask = asker(create_app(root, root_path=given))
    assert ask("GET", f"{sent}/track.bw", Range="bytes=0-3").content == DATA[:4]
    assert "small" in ask("GET", f"{sent}/").text
    assert ask("GET", f"{sent}/below").headers["location"] == "below/"
    assert ask("GET", f"{sent}/nothing.bw").status_code == 404
    assert ask("GET", f"{sent}//outside.txt").status_code == 404


def test_the_path_of_a_proxy_without_its_slash_is_sent_on_by_a_relative_address(root: Path) -> None:
    answer = asker(create_app(root, root_path=PREFIX))("GET", PREFIX)
    assert (answer.status_code, answer.headers["location"]) == (307, "8765/")


def test_only_the_whole_path_of_a_proxy_is_taken_off(root: Path) -> None:
    ask = asker(create_app(root, root_path="/lab"))
    assert ask("GET", "/lab/hub.txt").status_code == 200
    assert ask("GET", "/laboratory/hub.txt").status_code == 404
    assert ask("GET", "/lab/lab/hub.txt").status_code == 404


def test_a_file_that_has_not_changed_is_not_sent_again(ask: Ask, root: Path) -> None:
    tag = ask("GET", "/track.bw").headers["etag"]
    again = ask("GET", "/track.bw", If_None_Match=tag)
    assert (again.status_code, again.content) == (304, b"")
    (root / "track.bw").write_bytes(DATA + b"more")
    assert ask("GET", "/track.bw", If_None_Match=tag).content == DATA + b"more"


def test_a_link_inside_the_folder_is_followed(ask: Ask) -> None:
    assert ask("GET", "/link.bw").content == DATA


OUTSIDE = [
    "/../outside.txt",
    "/below/../../outside.txt",
    "/below/../track.bw",
    "/%2e%2e/outside.txt",
    "/%2e%2e%2foutside.txt",
    "/..%2foutside.txt",
    "/below/%2e%2e/%2e%2e/outside.txt",
    "/%252e%252e%252foutside.txt",
    "/..\\outside.txt",
    "/..%5coutside.txt",
    "/%c0%ae%c0%ae/outside.txt",
    "/%e0%80%ae%e0%80%ae/outside.txt",
    "/%uff0e%uff0e/outside.txt",
    "/%u002e%u002e/outside.txt",
    "/%ef%bc%8e%ef%bc%8e/outside.txt",
    "/%ef%bc%8e%ef%bc%8e%ef%bc%8foutside.txt",
    "/%25252e%25252e%25252foutside.txt",
    "/%2E%2E/outside.txt",
    "/.%2e/outside.txt",
    "/..%c0%afoutside.txt",
    "/..;/outside.txt",
    "/..%3b/outside.txt",
    "/....//outside.txt",
    "/...//...//outside.txt",
    "/..%00/outside.txt",
    "/..%0d%0a/outside.txt",
    "/ ../outside.txt",
    "/.. /outside.txt",
    "/~/outside.txt",
    "/\\\\..\\outside.txt",
    "/%5c%2e%2e%5coutside.txt",
    "/below/..%2f..%2foutside.txt",
    "/proc/self/environ",
    "/%2fproc%2fself%2fenviron",
    "/file:///etc/passwd",
    "/C:/Windows/win.ini",
    "/%e2%80%ae../outside.txt",
    "/escape.txt",
    "/escape/outside.txt",
    "/loop",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/etc/passwd",
    "/.secret",
    "/./track.bw",
    "/track.bw/",
    "/track.bw%00.txt",
    "/track.bw%0a",
    "/" + "a" * 5000,
    "/below%2findex.html/..",
]


def raw_status(root: Path, address: str) -> int:
    """The status for `address` exactly as written: clients such as httpx tidy paths before they send them."""
    from urllib.parse import unquote_to_bytes

    sent: list[dict] = []
    path = unquote_to_bytes(address).decode("utf-8", "replace")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": address.encode(),
        "query_string": b"",
        "headers": [(b"host", b"evil.example")],
        "root_path": "",
    }

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(create_app(root)(scope, receive, send))  # type: ignore[arg-type]
    assert not any(b"outside" in message.get("body", b"") or b"root:" in message.get("body", b"") for message in sent)
    return int(sent[0]["status"])


@pytest.mark.parametrize("form", ["http://x{}", "HTTP://x:80{}", "https://a@[::1]:8765{}"])
def test_a_whole_address_names_what_its_path_names(root: Path, form: str) -> None:
    for path, status in (("/track.bw", 200), ("/", 200), ("", 200), ("/nothing.bw", 404), ("/below", 307)):
        assert raw_status(root, form.format(path)) == status
    assert raw_status(root, "ftp://x/track.bw") == raw_status(root, "track.bw") == 404


@pytest.mark.parametrize("address", [f"{start}{path}" for path in OUTSIDE for start in ("", "http://x")])
def test_nothing_outside_the_folder_can_be_read(root: Path, address: str) -> None:
    assert raw_status(root, address) == 404


def test_the_check_for_outside_can_fail(root: Path) -> None:
    assert raw_status(root, "/track.bw") == 200
