"""docs/benchmarks/binding.md: made of records, and what has not been run is said."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.source import ROOT
from trackgen.learn.sweep.records import append_record

RECORDS = ROOT / "docs" / "benchmarks" / "binding"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import binding_report

    return binding_report


def model(name: str, architecture: str, seed: int, area: float, **more: Any) -> dict[str, Any]:
    return {
        "task": "discovery", "set": name, "family": "", "architecture": architecture, "seed": seed, "digest": "d1",
        "train": 100, "validation": 10, "test": 1000, "positives": 50, "draws": 30, "distinct_draws": 20,
        "search_steps": 100, "train_steps": 500, "hyper": {}, "best_step": 500, "validation_auroc": area,
        "test_auroc": area, "test_auprc": area, "seconds_per_500k": 60.0, "fraction": None,
    } | more  # fmt: skip


def baseline(name: str, kind: str, area: float, seed: int = 1) -> dict[str, Any]:
    detail = {"motif": "MA1 X"} if kind.startswith("motif") else {}
    return {
        "task": "discovery", "set": name, "baseline": kind, "seed": seed, "digest": "d1", "test": 1000,
        "detail": detail, "test_auroc": area, "test_auprc": area,
    }  # fmt: skip


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def test_what_has_not_been_run_is_said_and_nothing_is_invented(report: ModuleType, tmp_path: Path) -> None:
    text = report.document(tmp_path)
    for title in ("Motif discovery", "The paper's ordering", "Yeast factors", "CTCF on chr22"):
        assert "Not measured: there is no record of it." in section(text, title)
    assert "| 0." not in text


def test_nets_are_held_against_both_baselines_of_the_same_data(report: ModuleType, tmp_path: Path) -> None:
    for seed in range(1, 6):
        for name, area in (("CTCF", 0.97), ("REST", 0.98), ("ELK1", 0.90)):
            append_record(tmp_path / "sweep-a.jsonl", model(name, "1layer_128motif", seed, area + seed / 1000))
    append_record(tmp_path / "sweep-a.jsonl", model("CTCF", "1layer_128motif", 6, 0.1, digest="other"))
    append_record(tmp_path / "sweep-a.jsonl", model("CTCF", "1layer_128motif", 7, 0.1, fraction=2500))
    for name, gapped in (("CTCF", 0.95), ("REST", 0.985), ("ELK1", 0.96)):
        append_record(tmp_path / "baselines.jsonl", baseline(name, "motif", 0.94))
        append_record(tmp_path / "baselines.jsonl", baseline(name, "gkm-svm", gapped))
    text = section(report.document(tmp_path), "Motif discovery")
    # .971 to .975: mean .973, 2.776 x .00158 / sqrt(5) = .00196
    assert "| CTCF | `d1` | 0.973 (0.971-0.975), 5 | not run | 0.940 | not run | 0.950 | not run | 0.93 |" in text
    assert "CTCF: `1layer_128motif` is above both (best known motif +0.033, gapped k-mer SVM +0.023)" in text
    assert "the bar of 0.96 is reached" in text
    assert "REST: `1layer_128motif` is **not above** both" in text
    assert "less than one standard error of an area on 1,000 test sequences (0.0041): they cannot tell" in text
    assert "ELK1: `1layer_128motif` is **not above** both (best known motif -0.037, gapped k-mer SVM -0.057)." in text
    assert "| SP1 |  | not run |" in text
    assert "30 draws of 100 mini-batches, then 500" in text


def test_a_standard_error_is_hanleys(report: ModuleType) -> None:
    # A = .75 with 50 of either: Q1 = .6, Q2 = .6429; (.1875 + 49 (.0375 + .0804)) / 2500 = .002385
    assert report.standard_error(0.75, 100) == pytest.approx(0.0488, abs=1e-4)


def test_models_of_a_sweep_replace_what_it_gave_before(report: ModuleType, tmp_path: Path) -> None:
    sweep, records = tmp_path / "main", tmp_path / "records"
    sweep.mkdir()
    records.mkdir()
    for _ in range(2):
        append_record(sweep / "results.jsonl", model("CTCF", "1layer", 1, 0.123456789))
        report.take_sweeps([sweep], records)
    lines = (records / "sweep-main.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["test_auroc"] == 0.12346


def test_the_report_is_what_its_records_make(report: ModuleType) -> None:
    assert (ROOT / "docs" / "benchmarks" / "binding.md").read_text() == report.document(RECORDS)
