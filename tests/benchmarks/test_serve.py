"""The benchmark of the server, cut short: many readers at once get the right bytes, and a fault is noticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.serve.test_process import running
from tests.source import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import serve

    monkeypatch.delitem(sys.modules, "serve")
    return serve


def test_sixteen_readers_get_the_right_bytes_and_no_error(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "serve.py"), "--clients", "16", "--seconds", "2", "--size", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    cells = [cell.strip() for cell in done.stdout.splitlines()[-1].strip("|").split("|")]
    assert cells[0] == "16"
    assert int(cells[2].replace(",", "")) > 50
    assert cells[3] == "0"


def test_wrong_bytes_are_noticed(serve: ModuleType, tmp_path: Path) -> None:
    shown, read = tmp_path / "shown", tmp_path / "read"
    for folder in (shown, read):
        folder.mkdir()
        serve.make_hub(folder, 1, 1 << 16)
    with open(shown / "0.bw", "r+b") as file:
        file.seek(10)
        file.write(b"\0\0\0")
    with running(str(shown), "--port", "0") as (_, address):
        count = serve.run_clients(address, serve.tracks_of(read), serve.time.monotonic() + 0.3, range(2))
    assert any(error.startswith("0.bw 0-64: status 206") for error in count.errors)


def test_a_server_that_is_not_there_is_an_error(serve: ModuleType, tmp_path: Path) -> None:
    tracks = serve.tracks_of(serve.make_hub(tmp_path, 1, 1 << 10))
    with pytest.raises(OSError, match=r"refused|Connect"):
        serve.run_clients("http://127.0.0.1:9/", tracks, serve.time.monotonic() + 1, range(1))
