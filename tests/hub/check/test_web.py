"""Hubs on servers: read by ranges alone, whatever the server does; and never a way into this machine."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hub.check.corpus import PASSED, read_corpus, write_bigwig
from tests.hub.check.misbehaving import served
from trackgen.errors import DataError
from trackgen.hub.check import check_hub, report_json
from trackgen.hub.check.sources import FileFault, FolderSource, is_private
from trackgen.hub.check.web import MOST_WITHOUT_RANGES, Web, WebSource

SERVED = next(path for path in PASSED if path.stem == "served")
LARGE = 8 << 20


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return read_corpus(SERVED).build(tmp_path / "hub")


def enlarge(path: Path) -> None:
    """Make a data file much larger than what a check may read of it."""
    with open(path, "ab") as file:
        file.truncate(LARGE)


@contextmanager
def answering(answer: bytes | Iterable[bytes], *, slowly: bool = False) -> Iterator[str]:
    """A server that gives every connection the same bytes, one after the other, or takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    try:
                        connection.recv(65536)
                        if slowly:
                            stop.wait(5)
                        for piece in [answer] if isinstance(answer, bytes) else answer:
                            connection.sendall(piece)
                    except OSError:
                        continue

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hub.txt"
        finally:
            stop.set()
            listener.close()


@pytest.mark.parametrize("form", ["", "hub.txt"])
def test_a_folder_s_address_means_its_hub(hub: Path, form: str) -> None:
    with served(hub) as (address, _):
        assert not check_hub(address + form).findings


@pytest.mark.parametrize("fault", ["right", "no-ranges"])
def test_data_are_never_read_whole(hub: Path, fault: str) -> None:
    enlarge(hub / "signal.bw")
    with served(hub, fault) as (address, handler):
        check = check_hub(address)
        # A server without ranges starts to send all; the reader hangs up.
        assert handler.sent < (1 << 18) or fault == "no-ranges"
    assert check.passed() == (fault == "right")


def test_of_a_server_without_ranges_only_the_first_part_is_taken(hub: Path) -> None:
    enlarge(hub / "signal.bw")
    with served(hub, "no-ranges") as (address, _):
        reader = WebSource(address, Web(10)).open(f"{address}signal.bw")
        assert len(reader.read(0, 100)) == 100
        with pytest.raises(FileFault) as caught:
            reader.read(MOST_WITHOUT_RANGES + 5, 10)
        assert caught.value.rule == "SERVER-RANGES"


def test_a_server_without_ranges_is_reported_once_not_for_each_file(hub: Path) -> None:
    text = (hub / "hub.txt").read_text()
    stanza = text[text.index("track signal") :]
    for name in ("more", "most"):
        shutil.copy(hub / "signal.bw", hub / f"{name}.bw")
        text += "\n" + stanza.replace("track signal", f"track {name}").replace("signal.bw", f"{name}.bw")
    (hub / "hub.txt").write_text(text)
    for path in hub.glob("*.bw"):
        # The index lies behind what may be read of a file that comes whole.
        data = path.read_bytes()
        path.write_bytes(data[:8] + (3 << 20).to_bytes(8, "little") + data[16:] + bytes(4 << 20))
    with served(hub, "no-ranges") as (address, _):
        check = check_hub(address)
    origin = address.rstrip("/")
    assert {(finding.rule, finding.place.file) for finding in check.findings} == {
        ("SERVER-RANGES", origin),
        ("SERVER-HEAD", origin),
    }
    assert check.tracks == 3
    assert check.counts["error"] <= 2


def test_a_hub_behind_a_redirect_is_read(hub: Path) -> None:
    with served(hub) as (address, handler):
        assert check_hub(f"{address}moved/hub.txt").passed()
        assert any("/moved/signal.bw" in line for line in handler.asked)


def test_a_server_that_is_not_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DataError, match="does not answer") as caught:
        check_hub(f"http://127.0.0.1:{port}/hub.txt", seconds=5)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "does not answer"),
        (b"\0\1\2\3\r\n\r\n", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhub", "does not answer"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "the file is not there.*status 404"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "does not give the file.*status 500"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", "status 302|another kind"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://h/x\r\nContent-Length: 0\r\n\r\n", "another kind"),
        (b"HTTP/1.1 302 Found\r\nLocation: /hub.txt\r\nContent-Length: 0\r\n\r\n", "status 302"),
    ],
)
def test_an_answer_that_is_no_hub_is_refused(answer: bytes, message: str) -> None:
    with answering(answer) as address, pytest.raises(DataError, match=message):
        check_hub(address, seconds=5)


@pytest.mark.parametrize("header", ["Content-Length", "Content-Range"])
def test_absurd_numbers_in_headers_are_no_numbers(hub: Path, header: str) -> None:
    data = (hub / "signal.bw").read_bytes()
    value = b"9" * 5000 if header == "Content-Length" else b"bytes 0-32767/" + b"9" * 5000
    with answering(b"HTTP/1.1 206 Partial\r\n" + header.encode() + b": " + value + b"\r\n\r\n" + data) as address:
        reader = WebSource(address, Web(5)).open(address)
        assert reader.size is None
        assert reader.read(0, 4) == data[:4]


def test_a_login_page_in_place_of_a_hub_is_found() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 30\r\n\r\n<!DOCTYPE html><title>in</title>"
    with answering(page) as address:
        assert [finding.rule for finding in check_hub(address, seconds=5).findings] == ["TEXT-HTML"]


def test_a_server_that_takes_too_long_is_not_waited_for() -> None:
    with answering(b"", slowly=True) as address, pytest.raises(DataError, match="does not answer"):
        check_hub(address, seconds=0.3)


def dripping(start: bytes) -> Iterator[bytes]:
    """An answer of whose rest a byte comes now and then, and never the last."""
    yield start
    while True:
        time.sleep(0.05)
        yield b"x"


@pytest.mark.parametrize(
    "answer",
    [
        dripping(b""),
        dripping(b"HTTP/1.1 200 OK\r\nX: "),
        dripping(b"HTTP/1.1 200 OK\r\n\r\nhub h\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nhub h\n"),
        itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "header", "body", "stated body", "continue"],
)
def test_a_server_that_sends_for_ever_is_hung_up_on(answer: Iterable[bytes]) -> None:
    with answering(answer) as address:
        web, start = Web(0.5, longest=0.5), time.monotonic()
        with pytest.raises(FileFault) as caught:
            web.ask(address, most=1 << 20)
        assert (caught.value.rule, caught.value.found) == ("SERVER-DOWN", "the answer takes too long")
        assert time.monotonic() - start < 10


def test_a_body_may_take_longer_than_the_first_word_of_an_answer() -> None:
    pieces = (time.sleep(0.3) or b"hub h\n" for _ in range(6))
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n"
    with answering(itertools.chain([head], pieces)) as address:
        assert Web(1.0).ask(address, most=100).body == b"hub h\n" * 6


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 "])
def test_an_answer_cannot_write_to_the_terminal(start: bytes) -> None:
    with answering(start + b"\x1b[2J\x9b31m" + b"z" * 5000 + b"\r\n\r\n") as address:
        with pytest.raises(DataError) as caught:
            check_hub(address, seconds=5)
        assert str(caught.value).isprintable()
        assert "\\x1b[2J\\x9b31m" in str(caught.value)
        assert len(str(caught.value)) < 500


def test_a_redirect_cannot_write_to_the_terminal() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: ftp://h/\x9b2J" + b"z" * 5000 + b"\r\nContent-Length: 0\r\n\r\n"
    with answering(answer) as address, pytest.raises(DataError) as caught:
        check_hub(address, seconds=5)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_dead_server_of_data_is_asked_once(hub: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = (hub / "hub.txt").read_text().replace("signal.bw", f"http://127.0.0.1:{port}/signal.bw")
    (hub / "hub.txt").write_text(text)
    with served(hub) as (address, _):
        check = check_hub(address, seconds=5)
    assert {finding.rule for finding in check.findings} == {"SERVER-DOWN"}


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ("file:///etc/passwd", "FILE-ABSOLUTE"),
        ("file:etc/passwd", "FILE-ABSOLUTE"),
        ("../../../../etc/passwd", "FILE-MISSING"),
        ("/etc/passwd", "FILE-MISSING"),
        ("..%2f..%2fetc%2fpasswd", "FILE-MISSING"),
        ("ftp://127.0.0.1/x", "ADDRESS-LIMITED"),
    ],
)
def test_a_hub_on_a_server_cannot_name_files_of_this_machine(hub: Path, setting: str, rule: str) -> None:
    text = (hub / "hub.txt").read_text().replace("bigDataUrl signal.bw", f"bigDataUrl {setting}")
    (hub / "hub.txt").write_text(text.replace("descriptionUrl about.html", f"descriptionUrl {setting}"))
    with served(hub) as (address, handler):
        check = check_hub(address)
        assert {finding.rule for finding in check.findings} == {rule}
        assert not any("root:" in str(line) for line in handler.asked)
    assert "root:" not in report_json(check)


def test_a_public_hub_cannot_send_the_check_into_a_private_network() -> None:
    source = WebSource("https://example.org/hub.txt", Web(1))
    for text in ("http://127.0.0.1/x", "http://169.254.169.254/latest", "//localhost/x", "http://[::ffff:10.0.0.1]/x"):
        with pytest.raises(FileFault) as caught:
            source.resolve(text, "https://example.org/hub.txt")
        assert caught.value.rule == "ADDRESS-PRIVATE", text


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://example.org/", False), ("http://8.8.8.8/", False), ("http://localhost/", True),
        ("http://LOCALHOST./", True),
        ("http://127.0.0.1:80/", True), ("http://0/", True), ("http://192.168.1.1/", True), ("http://[fe80::1]/", True),
        ("http://db.internal/", True), ("http://172.16.0.9/", True), ("http://0x7f.1/", True),
    ],
)  # fmt: skip
def test_what_only_one_network_reaches_is_private(url: str, private: bool) -> None:
    assert is_private(url) is private


def test_data_by_http_of_a_hub_by_https_are_reported(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (hub / "hub.txt").write_text(
        (hub / "hub.txt").read_text().replace("bigDataUrl signal.bw", "bigDataUrl http://data.example.org/signal.bw")
    )
    folder = FolderSource(hub)

    def read(self: WebSource, address: str) -> bytes:
        return folder.read(address.rpartition("/")[2])

    monkeypatch.setattr(WebSource, "read", read)
    monkeypatch.setattr(WebSource, "require", lambda self, address: folder.require(address.rpartition("/")[2]))
    monkeypatch.setattr(WebSource, "open", lambda self, address: folder.open(address.rpartition("/")[2]))
    monkeypatch.setattr("trackgen.hub.check.checking.check_servers", lambda *_: None)
    check = check_hub("https://example.org/hub.txt")
    assert [finding.rule for finding in check.findings] == ["ADDRESS-HTTP"]


def test_many_tracks_on_a_server_are_all_checked(hub: Path) -> None:
    text = (hub / "hub.txt").read_text()
    head, stanza = text.split("track signal\n")
    for number in range(40):
        shutil.copy(hub / "signal.bw", hub / f"s{number}.bw")
        head += f"track s{number}\n{stanza}\n".replace("signal.bw", f"s{number}.bw")
    (hub / "hub.txt").write_text(head)
    (hub / "s7.bw").unlink()
    write_bigwig(hub / "s8.bw", {"chrA": 1000}, empty=True)
    with served(hub) as (address, _):
        check = check_hub(address)
    assert sorted(finding.rule for finding in check.findings) == ["DATA-EMPTY", "FILE-MISSING"]
    assert check.tracks == 40
