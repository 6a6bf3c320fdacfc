"""Fixtures of the tests of runs in many processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.scenes import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A folder to scan in."""
    return Scene.make(tmp_path)
