"""The server as people start it: one real process on a real port."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.serve.conftest import DATA
from trackgen.errors import DataError, UsageError
from trackgen.serve import serve

START = "from trackgen.cli.main import main; main()"


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and the address it printed; it is ended with Ctrl-C's signal and must then exit with 0."""
    process = subprocess.Popen(
        [sys.executable, "-c", START, "serve", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def test_it_serves_ranges_and_ends_cleanly(root: Path) -> None:
    with running(str(root), "--port", "0") as (process, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        with httpx.Client() as client:
            answer = client.get(f"{address}track.bw", headers={"Range": "bytes=256-511"})
            assert (answer.status_code, answer.content) == (206, DATA[256:512])
            assert "server" not in answer.headers
            assert client.get(address).text == "<title>small</title>"
    assert process.returncode == 0
    assert process.stderr is not None
    said = process.stderr.read()
    assert "Traceback" not in said
    assert f"ssh -N -L {address.split(':')[2].strip('/')}:127.0.0.1:" in said


def test_it_ends_when_it_is_terminated(root: Path) -> None:
    with running(str(root), "--port", "0") as (process, address):
        assert httpx.get(f"{address}hub.txt").status_code == 200
        process.terminate()
        assert process.wait(timeout=20) == 143


def test_raw_bytes_on_the_wire_cannot_leave_the_folder(root: Path) -> None:
    with running(str(root), "--port", "0") as (_, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        for path in (b"/../outside.txt", b"/%2e%2e/outside.txt", b"//outside.txt", b"http://x/../outside.txt"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            assert b" 404 " in answer.splitlines()[0]
            assert b"outside" not in answer


def test_a_whole_address_on_the_wire_is_understood(root: Path) -> None:
    with running(str(root), "--port", "0") as (_, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET http://x/hub.txt?y HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 200 " in answer.splitlines()[0]
    assert answer.endswith(b"hub small\n")


@pytest.mark.parametrize(
    ("host", "shown", "told"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}/", "ssh -N -L {0}:127.0.0.1:{0} "),
        ("::1", "http://[::1]:{}/", "ssh -N -L '{0}:[::1]:{0}' "),
        ("::", "http://[::1]:{}/", "everyone on the network can read the hub, at http://{1}:{0}/"),
        ("0.0.0.0", "http://127.0.0.1:{}/", "everyone on the network can read the hub, at http://{1}:{0}/"),
    ],
)
def test_the_address_can_be_opened_and_who_else_can_read_is_told(root: Path, host: str, shown: str, told: str) -> None:
    if ":" in host and not has_version_6():
        pytest.skip("the machine has no address of version 6")
    with running(str(root), "--port", "0", "--host", host) as (process, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        assert address == shown.format(port)
        assert httpx.get(f"{address}hub.txt").status_code == 200
    assert process.stderr is not None
    said = process.stderr.read()
    assert told.format(port, socket.gethostname()) in said
    assert ("ssh -N" in said) != ("everyone on the network" in said)


def has_version_6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_port_in_use_gives_the_next_free_one_and_says_so(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        if port > 65000:
            pytest.skip("the machine handed out a port without room above it")
        with running(str(root), "--port", str(port)) as (process, address):
            found = int(address.rstrip("/").rpartition(":")[2])
            assert port < found <= port + 20
            assert httpx.get(f"{address}hub.txt").status_code == 200
    assert process.stderr is not None
    assert f"port {port} is in use" in process.stderr.read()


def fail(_: str) -> None:
    raise AssertionError("the server must not start")


def test_a_folder_that_is_missing_or_no_hub_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        serve(tmp_path / "nothing", port=0, on_ready=fail)
    with pytest.raises(DataError, match=r"there is no hub in the folder; wanted hub\.txt"):
        serve(tmp_path, port=0, on_ready=fail)


def test_the_folder_of_a_scan_is_refused_with_the_command_that_makes_a_hub(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataError, match="trackgen hub build"):
        serve(tmp_path, port=0, on_ready=fail)


def test_a_host_that_is_not_ours_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match="cannot listen there") as caught:
        serve(root, host="192.0.2.1", port=0, on_ready=fail)
    assert caught.value.exit_status == 2
    with pytest.raises(UsageError, match=r"this is no name of a host; found x\.\.y"):
        serve(root, host="x..y", port=0, on_ready=fail)


@pytest.mark.parametrize("package", ["starlette.requests", "uvicorn"])
def test_a_missing_package_is_told_with_the_command_that_gets_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=r"pip install 'trackgen\[serve\]'"):
        serve(root, port=0, on_ready=fail)


def test_importing_the_server_imports_neither_package() -> None:
    code = "import sys, trackgen.cli.serve; print([n for n in ('starlette', 'uvicorn', 'numpy') if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_stall_of_the_machine_costs_no_request(root: Path) -> None:
    with running(str(root), "--port", "0") as (process, address):
        client = http.client.HTTPConnection("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]), timeout=20)
        client.request("GET", "/hub.txt")
        assert client.getresponse().read() == b"hub small\n"
        # Longer than web servers usually keep a quiet connection: they close it before they read what came meanwhile.
        process.send_signal(signal.SIGSTOP)
        client.request("GET", "/hub.txt")
        time.sleep(7)
        process.send_signal(signal.SIGCONT)
        assert client.getresponse().status == 200
