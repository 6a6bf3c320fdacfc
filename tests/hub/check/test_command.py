"""The command: exit statuses, the report for people, the JSON for programs; and the documentation of the rules."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from tests.conftest import Trackgen
from tests.hub.check.corpus import FAILED, PASSED, read_corpus
from tests.hub.check.misbehaving import served
from tests.source import ROOT
from trackgen.cli.hub import command
from trackgen.hub.check import RULES, check_hub, report_json, report_text
from trackgen.hub.check.rules import LEVELS


def hub(stem: str, folder: Path) -> Path:
    """One hub of the corpus as a folder."""
    return read_corpus(next(path for path in [*FAILED, *PASSED] if path.stem == stem)).build(folder / stem)


def test_the_exit_status_says_whether_there_is_an_error(tmp_path: Path) -> None:
    error, warning, note = hub("value-color", tmp_path), hub("hub-page", tmp_path), hub("file-elsewhere", tmp_path)

    def status(*arguments: object) -> int:
        return CliRunner().invoke(command, ["check", *map(str, arguments)]).exit_code

    statuses = {
        "error": status(error),
        "warning": status(warning),
        "strict warning": status(warning, "--strict"),
        "strict note": status(note / "hub.txt", "--strict"),
        "no argument": status(),
    }
    assert statuses == {
        "error": 3, "warning": 0, "strict warning": 3, "strict note": 0, "no argument": 2
    }  # fmt: skip


def test_the_report_is_on_stdout_and_has_no_colour_in_a_pipe(trackgen: Trackgen, tmp_path: Path) -> None:
    done = trackgen("hub", "check", hub("value-color", tmp_path))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "hub.txt"
    assert lines[1].split() == ["18", "error", "VALUE-COLOR"]
    assert "found 300,0,0; wanted three whole numbers" in lines[2]
    assert lines[-2] == "1 error, 0 warnings, 0 notes; 1 track on madeUp1"
    assert lines[-1].startswith("support level: base (")
    assert "\x1b" not in done.stdout


def test_a_hub_that_is_not_there_is_told_on_stderr_in_one_line(trackgen: Trackgen, tmp_path: Path) -> None:
    done = trackgen("hub", "check", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "there is no such hub" in done.stderr


def test_the_json_has_the_documented_members(trackgen: Trackgen, tmp_path: Path) -> None:
    done = trackgen("hub", "check", hub("igv-limits", tmp_path), "--json")
    values = json.loads(done.stdout)
    assert {**values, "findings": None, "hub": None, "trackgen": None} == {
        "schema_version": 1, "trackgen": None, "hub": None, "genomes": ["madeUp1"], "tracks": 1,
        "support_level": "base", "support_settings": values["support_settings"], "errors": 0,
        "warnings": 1, "notes": 0, "left_out": 0, "findings": None,
    }  # fmt: skip
    assert values["findings"] == [
        {
            "level": "warning", "rule": "IGV-LIMITS", "file": "hub.txt", "line": 18,
            "what": "fractional viewLimits without autoScale on",
            "found": "-0.15:0.95, which igv.js reads as 0:0", "wanted": None,
            "remedy": "add autoScale on, or choose whole numbers",
        }
    ]  # fmt: skip
    page = (ROOT / "docs" / "hub-check.md").read_text(encoding="utf-8")
    for name in [*values, *values["findings"][0]]:
        assert f"`{name}`" in page, name


def test_an_address_is_checked_through_its_server(trackgen: Trackgen, tmp_path: Path) -> None:
    with served(hub("served", tmp_path), "no-cors") as (address, _):
        done = trackgen("hub", "check", address, "--json", "--timeout", "10")
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["rule"], finding["file"], finding["line"]) == ("SERVER-CORS", address.rstrip("/"), None)


def test_findings_are_sorted_the_heaviest_first(tmp_path: Path) -> None:
    folder = hub("value-color", tmp_path)
    text = (folder / "hub.txt").read_text()
    (folder / "hub.txt").write_text(
        text.replace("descriptionUrl about.html\n", "") + "priority x\nbad 1\nalwaysZero 2\n"
    )
    found = json.loads(report_json(check_hub(str(folder))))["findings"]
    assert [entry["rule"] for entry in found] == [
        "VALUE-COLOR", "VALUE-NUMBER", "SETTING-UNKNOWN", "VALUE-CHOICE", "HUB-PAGE"
    ]  # fmt: skip


def test_many_findings_of_one_rule_are_counted(tmp_path: Path) -> None:
    folder = hub("value-color", tmp_path)
    lines = "".join(f"unknown{number} x\n" for number in range(30))
    (folder / "hub.txt").write_text((folder / "hub.txt").read_text() + lines)
    check = check_hub(str(folder))
    text = report_text(check)
    assert text.count("  SETTING-UNKNOWN\n") + text.count(" SETTING-UNKNOWN\n") >= 10
    assert "... and 20 more of SETTING-UNKNOWN" in text
    assert len(json.loads(report_json(check))["findings"]) == 31


@pytest.mark.parametrize("color", [True, False])
def test_colours_only_where_they_are_wanted(tmp_path: Path, color: bool) -> None:
    assert ("\x1b[31m" in report_text(check_hub(str(hub("value-color", tmp_path))), color=color)) is color


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ("colour 1,2,3", "Did you mean color?"),
        ("autoscale on", "Write autoScale: case counts"),
        ("viewlimit 0:1", "Did you mean viewLimits?"),
        ("qqqqq 1", "Remove it"),
    ],
)
def test_unknown_settings_come_with_the_nearest_known_one(tmp_path: Path, wrong: str, remedy: str) -> None:
    folder = hub("one-file", tmp_path)
    (folder / "hub.txt").write_text((folder / "hub.txt").read_text() + wrong + "\n")
    (finding,) = check_hub(str(folder)).findings
    assert finding.rule == "SETTING-UNKNOWN"
    assert remedy in finding.text


def load_generator() -> ModuleType:
    path = ROOT / "docs" / "generate_hub_rules.py"
    spec = importlib.util.spec_from_file_location("generate_hub_rules", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documentation_has_every_rule_as_it_is() -> None:
    generator = load_generator()
    text = generator.TARGET.read_text(encoding="utf-8")
    assert generator.page(text) == text, "python docs/generate_hub_rules.py writes it anew"
    assert all(f"| `{code}` |" in text for code in RULES)


def test_rules_have_a_level_and_a_text() -> None:
    assert len(RULES) > 80
    for rule in RULES.values():
        assert rule.level in LEVELS
        assert rule.text
        assert not rule.text.endswith(".")
