"""Imports go one way, heavy libraries stay in their part, and asking for help imports none of them.

Each check has a test that shows that it can fail.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from tests.source import ROOT, Module, package_modules, parse_module
from trackgen.cli.main import COMMANDS

LAYERS = (
    ("errors",),
    ("progress", "resources"),
    ("genome", "bigwig", "card"),
    ("graph", "runtime", "signals"),
    ("scan",),
    ("plot",),
    ("calls", "evaluate", "score"),
    ("live",),
    ("hub", "serve", "learn"),
    ("cli",),
    ("__main__",),
)
"""A part imports parts of earlier lines only; parts of one line do not import each other."""

HEIGHT = {part: height for height, line in enumerate(LAYERS) for part in line}

HOME = {
    "torch": {"learn"},
    "onnxscript": {"learn"},
    "sklearn": {"learn"},
    "optuna": {"learn"},
    "scipy": {"learn"},
    "matplotlib": {"evaluate", "learn", "plot"},
    "pybedtools": {"learn"},
    "memelite": {"learn"},
    "h5py": {"learn"},
    "onnxruntime": {"runtime"},
    "click": {"cli"},
    "starlette": {"serve"},
    "uvicorn": {"serve"},
    "pysam": {"genome"},
    "pyBigWig": {"genome"},
    "pybigtools": {"bigwig", "genome", "learn"},
    "pooch": {"genome"},
    "isal": {"bigwig", "genome"},
    "distributed": {"scan"},
    "onnx": {"card", "graph", "runtime", "learn"},
    "google": {"card", "graph"},
    "numpy": {
        "genome",
        "bigwig",
        "card",
        "graph",
        "runtime",
        "signals",
        "scan",
        "plot",
        "calls",
        "evaluate",
        "score",
        "live",
        "hub",
        "learn",
    },
}
"""Each library outside the standard one, and the parts of the package that may import it."""

LIGHT = {"click", "trackgen"}
"""What asking for help may import beside the standard library."""

SHOW_NEW_MODULES = """
import sys
before = set(sys.modules)
{extra}
sys.argv = {arguments!r}
from trackgen.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
new = {{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names
print("NEW", *sorted(new))
"""


def imported(module: Module) -> Iterator[str]:
    """Dotted names of all modules that `module` imports anywhere, functions and type checking included."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module.name}, line {node.lineno}: a relative import"
            source = node.module or ""
            yield from (f"{source}.{name.name}" for name in node.names) if source == "trackgen" else (source,)
        elif isinstance(node, ast.Call) and "import" in ast.unparse(node.func):
            yield from (word.value for word in node.args[:1] if isinstance(word, ast.Constant))


def violations(modules: Iterable[Module]) -> list[str]:
    """Imports against LAYERS and HOME, one sentence each."""
    modules = list(modules)
    parts = {module.part for module in modules}
    found = [f"trackgen.{part} has no place in LAYERS" for part in sorted(parts - HEIGHT.keys() - {""})]
    for module in modules:
        for name in imported(module):
            top, _, rest = name.partition(".")
            if top == "trackgen":
                target = rest.partition(".")[0]
                # Names of trackgen/__init__.py itself, such as __version__, are free.
                allowed = target not in HEIGHT or target == module.part or _is_above(module.part, target)
            else:
                allowed = top in sys.stdlib_module_names or module.part in HOME.get(top, ())
            if not allowed:
                found.append(f"{module.name} imports {name}")
    return found


def _is_above(part: str, target: str) -> bool:
    # trackgen/__init__.py offers names of scan and learn; only the command line stands above it.
    height = HEIGHT["cli"] - 0.5 if part == "" else HEIGHT[part]
    return height > HEIGHT[target]


def new_modules(*arguments: str, extra: str = "") -> set[str]:
    """Top-level modules outside the standard library that ``trackgen ARGUMENTS`` imports."""
    code = SHOW_NEW_MODULES.format(arguments=["trackgen", *arguments], extra=extra)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACKGEN_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1].split()
    assert line[0] == "NEW"
    return set(line[1:])


def test_imports_go_one_way_and_libraries_stay_at_home() -> None:
    assert violations(package_modules()) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trackgen.genome.x", "from trackgen.scan import run_scan"),
        ("trackgen.genome.x", "from trackgen import scan"),
        ("trackgen.errors", "import trackgen.genome"),
        ("trackgen.graph.x", "from trackgen.runtime import open_session"),
        ("trackgen.runtime.x", "import trackgen.graph"),
        ("trackgen.hub.x", "def late():\n    from trackgen.learn import fit"),
        ("trackgen.scan.x", "if TYPE_CHECKING:\n    from trackgen.cli.main import main"),
        ("trackgen.bigwig.x", "from trackgen.card import Card"),
        ("trackgen", "import trackgen.cli"),
        ("trackgen.scan.x", "import torch"),
        ("trackgen.cli.x", "import torch.nn as nn"),
        ("trackgen.scan.x", "from onnxruntime import InferenceSession"),
        ("trackgen.learn.x", "import importlib\nimportlib.import_module('onnxruntime')"),
        ("trackgen.scan.x", "import click"),
        ("trackgen.scan.x", "import a_library_nobody_named"),
        ("trackgen.new_part.x", ""),
    ],
)
def test_the_import_check_can_fail(name: str, text: str) -> None:
    assert len(violations([parse_module(name, text)])) == 1


def test_the_import_check_lets_proper_imports_pass() -> None:
    texts = {
        "trackgen.scan.x": "import json\nfrom trackgen.genome import Genome\nfrom trackgen import __version__, errors",
        "trackgen.learn.x": "import torch\nfrom trackgen.scan import run_scan\nfrom trackgen.learn.fit import fit",
        "trackgen.cli.x": "import click\nimport trackgen.hub",
    }
    assert violations(parse_module(name, text) for name, text in texts.items()) == []


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_asking_for_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert new_modules(*arguments or ["--help"]) <= LIGHT


def test_the_help_check_can_fail() -> None:
    assert new_modules("--help", extra="import numpy") - LIGHT == {"numpy"}
