"""docs/clusters.md shows the example files as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.source import ROOT

PAGE = ROOT / "docs" / "clusters.md"
EXAMPLES = sorted(path for path in (ROOT / "docs" / "examples").rglob("*") if path.is_file())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_page_shows_the_file(path: Path) -> None:
    name = path.relative_to(PAGE.parent).as_posix()
    block = re.search(rf"\]\({re.escape(name)}\):\n\n```\w+\n(.*?)```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None, f"no block behind a link to {name}"
    assert block[1] == path.read_text(encoding="utf-8")


def test_there_are_examples_of_every_scheduler() -> None:
    assert {path.name for path in EXAMPLES} >= {
        "plan_scan_assemble.sh", "scan.sbatch", "Snakefile", "main.nf", "dask_jobqueue_scan.py",
    }  # fmt: skip
