"""The doctor: facts, honest devices, and the command that gets what is missing."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from trackgen.cli.doctor import command
from trackgen.errors import TrackgenError, UsageError
from trackgen.runtime import doctor

ROOT = Path(__file__).resolve().parents[2]


def test_the_cpu_runs_the_small_graph_with_the_right_numbers() -> None:
    check = doctor.check_device("cpu")
    assert check.runs
    assert re.fullmatch(r"largest difference .*e-0[6-8], .* ms, CPUExecutionProvider", check.detail)


def test_wrong_numbers_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = doctor.make_sample()
    wrong = sample._replace(probability=sample.probability + 2 * doctor.LARGEST_DIFFERENCE)
    monkeypatch.setattr(doctor, "make_sample", lambda: wrong)
    check = doctor.check_device("cpu")
    assert not check.runs
    assert check.detail.startswith("wrong numbers: largest difference 2e-05")


def test_the_sample_is_no_constant() -> None:
    sample = doctor.make_sample()
    assert np.ptp(sample.probability, axis=0).min() > 0.05
    np.testing.assert_allclose(sample.probability.sum(axis=1), 1)


def test_a_device_that_does_not_run_is_a_problem_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise UsageError("the device can't be used: no NVIDIA driver is installed")

    monkeypatch.setattr(doctor, "device_count", lambda: 1)
    monkeypatch.setattr(doctor, "open_session", refuse)
    report = doctor.diagnose()
    assert [device.name for device in report.devices] == ["cpu", "cuda:0"]
    assert not report.can_scan
    assert any("cuda:0 does not run: the device can't be used: no NVIDIA" in problem for problem in report.problems)


def test_two_builds_of_onnx_runtime_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "installed_flavours", lambda: {"onnxruntime": "1.0", "onnxruntime-gpu": "1.0"})
    problems = doctor.diagnose().problems
    assert any("both installed" in text and "pip uninstall onnxruntime onnxruntime-gpu" in text for text in problems)


def test_a_missing_core_package_makes_scanning_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "pysam" else version(name))
    report = doctor.diagnose()
    assert not report.can_scan
    assert "pysam is missing; pip install --upgrade trackgen" in report.problems


def test_the_packages_are_those_of_setup_cfg() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    wanted = {
        extra: {re.split(r"[^\w-]", line)[0] for line in text.splitlines() if line and not line.startswith("#")}
        for extra, text in texts.items()
        if extra != "test"
    }
    found = {extra: set(names) for _, extra, names in doctor.PACKAGES}
    found[""] |= set(doctor.SIGNAL_READERS)
    found["cpu"], found["gpu"] = ({name} for name in doctor.FLAVOURS)
    assert wanted == found


def test_the_command_prints_a_report_for_people() -> None:
    result = CliRunner().invoke(command)
    assert result.exit_code == 0
    assert re.search(r"^  runs +cpu ", result.stdout, re.MULTILINE)
    assert result.stdout.rstrip().endswith("Scanning is possible.")


def test_the_command_prints_a_report_for_programs() -> None:
    result = CliRunner().invoke(command, ["--json"])
    report = json.loads(result.stdout)
    assert report["can_scan"] is True
    assert report["devices"][0]["name"] == "cpu"


def test_the_command_fails_where_scanning_is_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "check_device", lambda name: doctor.DeviceCheck(name, False, "broken"))
    result = CliRunner().invoke(command)
    assert "DOES NOT  cpu     broken" in result.stdout
    assert isinstance(result.exception, TrackgenError)
    assert result.exception.exit_status == 1
