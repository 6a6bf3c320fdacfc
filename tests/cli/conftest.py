"""Runs the real command in a process of its own: what a user types, what a user sees."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Trackgen = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def trackgen(tmp_path: Path) -> Trackgen:
    """Call ``trackgen ARGUMENTS`` in an empty folder."""

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
