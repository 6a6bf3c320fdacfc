"""The command line, called as a user calls it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from trackgen.cli.main import root

__all__ = ["run"]


def run(*words: str | float | Path) -> Result:
    """`trackgen WORDS`, numbers and paths as text."""
    return CliRunner().invoke(root, [str(word) for word in words])
