"""The documentation is current: the reference is that of the commands, and what it tells to type exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from tests.source import ROOT
from trackgen.cli.main import COMMANDS, root

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_cli_reference", ROOT / "docs" / "generate_cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contexts(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    """One context per command, groups included."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        yield inner
        if isinstance(command, click.Group):
            yield from contexts(command, inner)


ALL = {
    context.command_path: context
    for context in contexts(root, click.Context(root, info_name="trackgen", auto_envvar_prefix="TRACKGEN"))
}


def typed_commands(page: Path) -> Iterator[list[str]]:
    """The words of every ``trackgen`` command in the page's blocks of shell."""
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True) if "trackgen" in line else []
            if words and Path(words[0]).name == "trackgen":
                yield ["trackgen", *words[1:]]


def faults(words: list[str]) -> list[str]:
    """What does not exist in a command line, by name."""
    path, rest = "trackgen", words[1:]
    while rest and f"{path} {rest[0]}" in ALL:
        path, rest = f"{path} {rest[0]}", rest[1:]
    if path == "trackgen":
        return [] if rest and rest[0].startswith("-") else [" ".join(words)]
    command = ALL[path].command
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return [" ".join(words)]
    known = {name for parameter in command.params for name in parameter.opts}
    options = {word.partition("=")[0] for word in rest if word.startswith("-") and len(word) > 1}
    return sorted(options - known - {"--help"})


def test_the_command_reference_is_current() -> None:
    generator = load_generator()
    message = "python docs/generate_cli_reference.py writes it anew"
    assert generator.TARGET.read_text(encoding="utf-8") == generator.reference(), message


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_tells_to_type_exists(page: Path) -> None:
    assert [fault for words in typed_commands(page) for fault in faults(words)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tutorial_and_the_readme_show_every_command() -> None:
    shown = {words[1] for page in PAGES for words in typed_commands(page) if len(words) > 1}
    assert set(COMMANDS) - shown == set()


def test_every_option_has_the_environment_variable_that_its_name_promises() -> None:
    generator = load_generator()
    for path, context in ALL.items():
        for option in context.command.params:
            if isinstance(option, click.Option):
                name = max(option.opts, key=len).lstrip("-")
                wanted = f"{path} {name}".upper().replace("-", "_").replace(" ", "_")
                assert generator.variable_name(option, context) == wanted


@pytest.mark.parametrize("line", ["trackgen scam x", "trackgen scan --batchsize 3", "trackgen model", "trackgen"])
def test_the_command_check_can_fail(line: str) -> None:
    assert faults(line.split())
