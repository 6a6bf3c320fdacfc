"""A scan's folder, its genome, and the hub built from both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hubs import write_fasta, write_run
from trackgen.hub import HubReport, build_hub
from trackgen.progress import NullProgress

Build = Callable[..., HubReport]


class Notes(NullProgress):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``mini.fa`` and the run ``out``; tests that change them must copy them."""
    folder = tmp_path_factory.mktemp("finished")
    write_fasta(folder / "mini.fa")
    write_run(folder / "out")
    return folder


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def build(finished: Path, tmp_path: Path, notes: Notes) -> Build:
    """``build(genome=..., ...)``: the hub of the finished run in ``tmp_path / "hub"``; other runs may be given."""

    def build(*runs: Path, output: Path | None = None, **options: Any) -> HubReport:
        options = {"genome": str(finished / "mini.fa"), "email": "me@example.org", "url": None} | options
        return build_hub(runs or [finished / "out"], output or tmp_path / "hub", progress=notes, **options)

    return build
