"""Sizes and habits that keep the code readable; ruff and mypy check the rest.

Each check has a test that shows that it can fail.
"""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterable, Iterator

import pytest

from tests.source import Module, package_modules, parse_module, script_modules

LONGEST_FUNCTION = 60
NINTH_DECILE_OF_FUNCTIONS = 30
LONGEST_MODULE = 400

EXEMPT: frozenset[str] = frozenset()
"""``module.function`` or ``module`` that may be longer; to shrink, not to grow."""

MAY_PRINT = {"trackgen.progress"}
"""Writes to the stream it was given."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Module) -> Iterator[tuple[str, int]]:
    """Name and length in lines of each function, the docstring left out."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            assert node.end_lineno is not None
            yield f"{module.name}.{node.name}", node.end_lineno - node.lineno + 1 - _docstring_lines(node)


def _docstring_lines(node: Function) -> int:
    first = node.body[0]
    if ast.get_docstring(node) is None or first.end_lineno is None:
        return 0
    return first.end_lineno - first.lineno + 1


def too_long(modules: Iterable[Module]) -> list[str]:
    """Functions and modules above their limit."""
    found = []
    for module in modules:
        lines = module.text.count("\n")
        if lines > LONGEST_MODULE:
            found.append((module.name, lines))
        found += [(name, length) for name, length in functions(module) if length > LONGEST_FUNCTION]
    return [f"{name}: {length} lines" for name, length in found if name not in EXEMPT]


def bad_habits(module: Module) -> Iterator[str]:
    """Swallowed errors, and prints and exits in library code."""
    for node in ast.walk(module.tree):
        place = f"{module.name}, line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield f"{place}: a bare except"
            elif "ImportError" in ast.unparse(node.type) and isinstance(node.body[0], ast.Pass):
                yield f"{place}: an ImportError that is passed over"
        elif isinstance(node, ast.Call) and module.part != "cli":
            called = ast.unparse(node.func)
            if called == "print" and module.name not in MAY_PRINT:
                yield f"{place}: a print outside cli"
            elif called in ("sys.exit", "exit", "quit", "os._exit"):
                yield f"{place}: an exit outside cli"
        elif isinstance(node, ast.Raise) and "SystemExit" in ast.unparse(node) and module.part != "cli":
            yield f"{place}: an exit outside cli"


def unfinished(modules: Iterable[Module]) -> list[str]:
    """Lines that put something off."""
    return [
        f"{module.name}, line {number}"
        for module in modules
        for number, line in enumerate(module.text.splitlines(), 1)
        if any(word in line for word in ("TODO", "FIXME", "XXX"))
    ]


def test_functions_and_modules_are_short() -> None:
    assert too_long([*package_modules(), *script_modules()]) == []


def test_most_functions_are_shorter_still() -> None:
    lengths = [length for module in package_modules() for _, length in functions(module)]
    assert statistics.quantiles(lengths, n=10)[-1] <= NINTH_DECILE_OF_FUNCTIONS


def test_the_exemptions_are_still_needed() -> None:
    lengths = {name: length for module in package_modules() for name, length in functions(module)}
    assert all(lengths[name] > LONGEST_FUNCTION for name in EXEMPT)


def test_library_code_neither_prints_nor_exits_nor_swallows_errors() -> None:
    assert [habit for module in package_modules() for habit in bad_habits(module)] == []


def test_nothing_is_put_off() -> None:
    assert unfinished([*package_modules(), *script_modules()]) == []


def test_every_module_says_what_it_is_for() -> None:
    assert [module.name for module in package_modules() if not ast.get_docstring(module.tree)] == []


def test_the_length_check_can_fail() -> None:
    body = "\n".join(["    pass"] * LONGEST_FUNCTION)
    assert too_long([parse_module("x", f"def f():\n{body}\n")]) == ["x.f: 61 lines"]
    assert too_long([parse_module("x", "#\n" * (LONGEST_MODULE + 1))]) == ["x: 401 lines"]


def test_docstrings_do_not_count_as_length() -> None:
    text = "\n".join(["    text"] * LONGEST_FUNCTION)
    assert too_long([parse_module("x", f'def f():\n    """Do.\n\n{text}\n    """\n    return 1\n')]) == []


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    x\nexcept:\n    y",
        "try:\n    import x\nexcept ImportError:\n    pass",
        "print('x')",
        "sys.exit(1)",
        "os._exit(1)",
        "raise SystemExit(1)",
    ],
)
def test_the_habit_check_can_fail(text: str) -> None:
    assert len(list(bad_habits(parse_module("trackgen.scan.x", text)))) == 1


def test_the_putting_off_check_can_fail() -> None:
    assert unfinished([parse_module("x", "a = 1\n# TO" + "DO: more")]) == ["x, line 2"]
