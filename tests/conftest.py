"""Options and fixtures that all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

Trackgen = Callable[..., "subprocess.CompletedProcess[str]"]

# A busy machine is no fault of the code: speed is measured in benchmarks/, never here.
settings.register_profile("trackgen", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("trackgen")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regold", action="store_true", help="write the golden files anew from what the code gives now")
    parser.addoption("--pictures", action="store_true", help="write the pictures of docs/pictures anew")


@pytest.fixture
def regold(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written anew; the differences are then for a person to read."""
    return bool(request.config.getoption("--regold"))


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """The folder of the documentation's pictures where they are to be taken anew, else None."""
    folder = Path(__file__).resolve().parent.parent / "docs" / "pictures"
    return folder if request.config.getoption("--pictures") else None


@pytest.fixture
def trackgen(tmp_path: Path) -> Trackgen:
    """Call ``trackgen ARGUMENTS`` in an empty folder, in a process of its own: what a user types and sees."""

    def call(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "trackgen", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return call
