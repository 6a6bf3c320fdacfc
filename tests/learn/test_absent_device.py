"""Every training refuses a device that is not here before it reads its data, and leaves no folder behind."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from trackgen.cli.main import root
from trackgen.errors import UsageError


def _trainings() -> list[str]:
    context = click.Context(root)
    train = root.get_command(context, "train")
    assert isinstance(train, click.Group)
    commands = {name: train.get_command(context, name) for name in train.list_commands(context)}
    return [
        name for name, entry in commands.items()
        if entry is not None and any(option.name == "device" for option in entry.params)
    ]  # fmt: skip


@pytest.mark.parametrize("task", _trainings())
def test_an_absent_device_is_refused_before_anything_is_made(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "any.txt").write_text("")
    context = click.Context(root)
    train = root.get_command(context, "train")
    assert isinstance(train, click.Group)
    entry = train.get_command(context, task)
    assert entry is not None
    arguments = ["train", task, "-o", "out", "--device", "cuda:99", "-q"]
    for option in entry.params:
        if option.required and option.name != "output":
            words = {"choice": getattr(option.type, "choices", [""])[:1], "text": ["chrI"], "integer": ["9"]}
            arguments += [option.opts[-1], *words.get(option.type.name, ["any.txt"])]
    result = CliRunner().invoke(root, arguments)
    assert isinstance(result.exception, UsageError), (result.output, result.exception)
    assert "the net can't be moved to the device; found cuda:99" in str(result.exception)
    assert result.exception.exit_status == 2
    assert [path.name for path in tmp_path.iterdir()] == ["any.txt"]
