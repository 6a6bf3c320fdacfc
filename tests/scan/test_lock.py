"""The lock of an output folder: who holds it, and when it is stale."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trackgen.errors import UsageError
from trackgen.scan.lock import take_lock


def write_lock(path: Path, process: int, host: str) -> None:
    path.write_text(json.dumps({"host": host, "process": process, "since": "2020-01-01 00:00:00"}))


def test_a_living_process_keeps_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        write_lock(path, other.pid, socket.gethostname())
        with pytest.raises(UsageError, match=rf"another run is writing.*process {other.pid}.*2020-01-01") as caught:
            take_lock(path)
        assert caught.value.exit_status == 2
        other.kill()


def test_the_lock_of_a_dead_process_is_taken_over_even_before_it_is_reaped(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", "pass"]) as other:
        stat = Path(f"/proc/{other.pid}/stat")
        while stat.exists() and ") Z " not in stat.read_text():
            time.sleep(0.01)
        write_lock(path, other.pid, socket.gethostname())
        take_lock(path)
    assert json.loads(path.read_text())["process"] == os.getpid()


def test_a_process_of_another_host_is_never_thought_dead(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    write_lock(path, 2**22 + 1, "elsewhere")
    with pytest.raises(UsageError, match=r"on elsewhere.*delete this file"):
        take_lock(path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"host": 1, "process": "x", "since": 0}'])
def test_a_damaged_lock_is_taken_over(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lock"
    path.write_text(content)
    take_lock(path)
    assert json.loads(path.read_text())["process"] == os.getpid()
