"""The package's source, parsed, for tests that look at the code itself."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROOT", "Module", "package_modules", "parse_module", "script_modules"]

ROOT = Path(__file__).resolve().parents[1]
SCRIPT_FOLDERS = ("plugins", "docs", "benchmarks", "tools")


class Module(NamedTuple):
    """A source file: dotted name, text, and its syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def part(self) -> str:
        """The part of the package it belongs to: ``scan`` for trackgen.scan.plan, empty for trackgen itself."""
        return f"{self.name}.".split(".")[1]


def parse_module(name: str, text: str) -> Module:
    return Module(name, text, ast.parse(text, name))


@functools.cache
def package_modules() -> tuple[Module, ...]:
    """All modules of the package trackgen."""
    return tuple(_modules(ROOT / "trackgen"))


@functools.cache
def script_modules() -> tuple[Module, ...]:
    """Python files that are neither in the package nor tests."""
    return tuple(module for folder in SCRIPT_FOLDERS for module in _modules(ROOT / folder))


def _modules(folder: Path) -> Iterator[Module]:
    for path in sorted(folder.rglob("*.py")):
        if "node_modules" not in path.parts:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield parse_module(name, path.read_text(encoding="utf-8"))
