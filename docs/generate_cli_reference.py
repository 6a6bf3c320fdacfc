#!/usr/bin/env python3
"""Write docs/cli.md, the reference of all commands and options, from the commands themselves.

``python docs/generate_cli_reference.py`` writes it; a test fails when it is not current.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from trackgen.cli.main import COMMANDS, root

TARGET = Path(__file__).with_name("cli.md")

HEAD = """# Commands

Made by `docs/generate_cli_reference.py` from the commands themselves: change those, not this page.

Each option can also be given as the environment variable in the last column. Results go to stdout, everything else to
stderr. [Exit statuses](../README.md) are the same for all commands.

| command | |
| --- | --- |
"""


def reference() -> str:
    """The whole page, Markdown."""
    context = click.Context(root, info_name="trackgen", auto_envvar_prefix="TRACKGEN")
    table = "".join(f"| [`trackgen {name}`](#trackgen-{name}) | {text} |\n" for name, (_, text) in COMMANDS.items())
    return HEAD + table + "".join(_sections(root, context))


def _sections(group: click.Group, context: click.Context) -> Iterator[str]:
    """One section per command, those of a group after it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        inner = click.Context(command, parent=context, info_name=name)
        yield _section(command, inner)
        if isinstance(command, click.Group):
            yield from _sections(command, inner)


def _section(command: click.Command, context: click.Context) -> str:
    words = [context.command_path, *command.collect_usage_pieces(context)]
    paragraphs = [f"\n## {context.command_path}\n", inspect.cleandoc(command.help or "").replace("\x08\n", "")]
    paragraphs.append(f"\n```\n{' '.join(words)}\n```\n")
    # Not get_params: it adds --help.
    rows = [_row(entry, context) for entry in command.params if isinstance(entry, click.Option)]
    if rows:
        paragraphs.append("| option | | environment variable |\n| --- | --- | --- |\n" + "".join(rows))
    return "\n".join(paragraphs)


def _row(option: click.Option, context: click.Context) -> str:
    help_record = option.get_help_record(context)
    assert help_record is not None
    names, text = help_record
    cells = (f"`{names}`", text, f"`{variable_name(option, context)}`")
    return f"| {' | '.join(_cell(cell) for cell in cells)} |\n"


def variable_name(option: click.Option, context: click.Context) -> str:
    """The environment variable that click reads for `option`."""
    return str(option.envvar or f"{context.auto_envvar_prefix}_{str(option.name).upper()}")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
