"""A build that is killed leaves the old hub, and the next build removes what it left beside it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hub.conftest import Build

KILLED = """
import os, signal, sys
from pathlib import Path
from trackgen.hub import build, build_hub, replace
from trackgen.progress import NullProgress

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[4] == "contents":
    build.write_contents = die
else:
    rename = Path.rename
    # The old hub has been taken away, and the new one is about to take its place.
    Path.rename = lambda self, target: die() if self.suffix == ".new" else rename(self, target)
build_hub([sys.argv[1]], Path(sys.argv[2]), genome=sys.argv[3], email=None, url=None, progress=NullProgress())
"""


@pytest.mark.parametrize("stage", ["contents", "rename"])
def test_a_killed_build_is_cleared_away_by_the_next(build: Build, finished: Path, tmp_path: Path, stage: str) -> None:
    build(email="old@example.org")
    arguments = [str(finished / "out"), str(tmp_path / "hub"), str(finished / "mini.fa"), stage]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    left = {path.suffix for path in tmp_path.iterdir() if path.name.startswith(".hub.")}
    assert left == ({".new"} if stage == "contents" else {".new", ".old"})
    assert (tmp_path / "hub").exists() == (stage == "contents")
    build(email="new@example.org")
    assert "email new@example.org" in (tmp_path / "hub" / "hub.txt").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_the_old_hub_comes_back_where_the_next_build_fails(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(email="old@example.org").path.rename(tmp_path / ".hub.99999999.old")

    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("trackgen.hub.build.write_contents", fail)
    with pytest.raises(RuntimeError):
        build(email="new@example.org")
    assert "email old@example.org" in (tmp_path / "hub" / "hub.txt").read_text()


def test_a_build_that_is_still_at_work_is_left_alone(build: Build, tmp_path: Path) -> None:
    other = tmp_path / ".hub.1.new"
    other.mkdir()
    descriptor = os.open(other, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        build()
        assert other.is_dir()
    finally:
        os.close(descriptor)
    build()
    assert not other.exists()
