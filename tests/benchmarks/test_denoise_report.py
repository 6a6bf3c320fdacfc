"""docs/benchmarks/denoise.md: made of records, and what has not been run is said."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.source import ROOT
from trackgen.learn.sweep.records import append_record

RECORDS = ROOT / "docs" / "benchmarks" / "denoise"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import denoise_report

    return denoise_report


def figures(error: float, correlation: float, area: float) -> dict[str, float]:
    result = {}
    for name in ("mse", "covered_mse"):
        result[name] = error
    for name in ("pearson", "spearman", "covered_pearson", "covered_spearman"):
        result[name] = correlation
    for name in ("auroc", "auprc", "second_auroc", "second_auprc"):
        result[name] = area
    return result


def run_of(method: str, seed: int, error: float, **more: Any) -> dict[str, Any]:
    values = figures(error, 0.8 - error / 100, 0.6 - error / 100)
    return {"depth": 0.1, "seed": seed, "method": method, "rest": values, "all": values} | more


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.fixture
def records(report: ModuleType, tmp_path: Path) -> Path:
    kernels = {name: figures(5.0, 0.5, 0.5) for name in (*report.KERNELS, "none")}
    kernels["box:151"] = figures(2.0, 0.5, 0.5)
    kernels["box:201"] = figures(3.0, 0.9, 0.5)
    kernels["gauss:40"] = figures(1.5, 0.9, 0.9)
    append_record(tmp_path / "validation.jsonl", {"depth": 0.1, "seed": 500, "kernels": kernels})
    for seed, error in ((1001, 4.0), (1002, 5.0), (1003, 6.0)):
        append_record(tmp_path / "test.jsonl", run_of("noisy", seed, error))
        for kernel, part in (("box:151", 0.5), ("box:201", 0.75), ("gauss:40", 0.4)):
            append_record(tmp_path / "test.jsonl", run_of(kernel, seed, part * error))
        more = {"file": f"signal-{seed - 1000}.onnx", "digest": "bb", "seconds": 3.0}
        append_record(tmp_path / "test.jsonl", run_of("signal", seed, 0.3 * error, **more))
        append_record(tmp_path / "test.jsonl", run_of("nash", seed, 0.9 * error, **more | {"file": "nash.onnx"}))
    return tmp_path


def test_what_has_not_been_run_is_said_and_nothing_is_invented(report: ModuleType, tmp_path: Path) -> None:
    text = report.document(tmp_path)
    for title in ("At 10 % depth", "Against smoothing", "The paper's own pairing", "Time", "Regions"):
        assert "Not measured: there is no record of it." in section(text, title)
    assert "| 0." not in text


def test_smoothings_stand_with_the_width_that_validation_chose_by_each_figure(
    report: ModuleType, records: Path
) -> None:
    text = section(report.document(records), "At 10 % depth")
    box = next(line for line in text.splitlines() if line.startswith("| box"))
    # By error box:151, half of the shallow track; by correlation box:201, three quarters of it.
    assert box.startswith("| box | 2.500 ± 0.500 | 0.763 ± 0.008 |")
    assert "| the shallow track itself | 5.000 ± 1.000 |" in text
    widths = section(report.document(records), "Widths of the smoothings")
    assert "| 10 % | box | 151 | 201 | 201 | 25 | 25 |" in widths


def test_models_are_held_against_both_rivals_by_how_much_and_how_often(report: ModuleType, records: Path) -> None:
    text = report.document(records)
    verdicts = section(text, "Against smoothing")
    assert (
        "* ours, signal alone, MSE: beats both: 1.500, 70.0% lower than the shallow track, 25.0% lower than the "
        "best smoothing (gauss), better than that in 3 of 3 thinnings" in verdicts
    )
    assert (
        "* NASH, MSE: **beats one of the two alone**: 4.500, 10.0% lower than the shallow track, 125.0% higher"
        in verdicts
    )
    assert "* NASH, AUPRC, MACS3 peaks: **beats one of the two alone**: 0.555, 0.005 higher" in verdicts
    assert "signal-1.onnx `bb`, signal-2.onnx `bb`, signal-3.onnx `bb`" in section(text, "Models")


def test_the_report_is_what_its_records_make(report: ModuleType) -> None:
    assert (ROOT / "docs" / "benchmarks" / "denoise.md").read_text() == report.document(RECORDS)


def test_made_up_fragments_are_the_same_for_a_seed_and_lie_on_their_sequences(
    monkeypatch: pytest.MonkeyPatch, report: ModuleType, tmp_path: Path
) -> None:
    del report
    import denoise_time

    genome = tmp_path / "genome.fa"
    genome.write_text(f">a\n{'ACGT' * 5000}\n>b\n{'A' * 700}\n")
    for name in ("one.bed", "two.bed"):
        denoise_time.write_made_up(genome, tmp_path / name)
    assert (tmp_path / "one.bed").read_bytes() == (tmp_path / "two.bed").read_bytes()
    rows = [line.split("\t") for line in (tmp_path / "one.bed").read_text().splitlines()]
    assert [row[0] for row in rows] == ["a"] * round(0.02 * 38_488) + ["b"] * round(0.0007 * 38_488)
    for name, length in (("a", 20_000), ("b", 700)):
        spans = np.array([[int(row[1]), int(row[2])] for row in rows if row[0] == name])
        assert (np.diff(spans[:, 0]) >= 0).all()
        assert (spans[:, 0] < spans[:, 1]).all()
        assert spans.min() >= 0
        assert spans.max() <= length


def test_a_model_file_tells_its_method_and_which_thinnings_it_reads(
    monkeypatch: pytest.MonkeyPatch, report: ModuleType
) -> None:
    del report
    from denoise_models import Model

    assert Model.of(Path("x/signal-2.onnx")) == (Path("x/signal-2.onnx"), "signal", 2)
    assert Model.of(Path("x/signal-2.onnx")).seeds() == (1002,)
    assert Model.of(Path("x/hilbert-final-3.onnx"))[1:] == ("hilbert-final", 3)
    assert Model.of(Path("denoise-atac-yeast/model.onnx"))[1:] == ("denoise-atac-yeast", None)
    assert Model.of(Path("denoise-atac-yeast/model.onnx")).seeds() == (1001, 1002, 1003)


def test_figures_of_another_model_under_the_same_name_are_dropped(
    monkeypatch: pytest.MonkeyPatch, report: ModuleType, records: Path, tmp_path: Path
) -> None:
    del report
    import denoise_models

    monkeypatch.setattr(denoise_models, "TESTED", records / "test.jsonl")
    model = tmp_path / "signal-1.onnx"
    model.write_bytes(b"another")
    before = denoise_models.read_records(records / "test.jsonl")
    denoise_models._drop_earlier([model])
    after = denoise_models.read_records(records / "test.jsonl")
    assert [record for record in before if record not in after] == [
        record for record in before if record.get("file") == "signal-1.onnx"
    ]
    assert len(after) == len(before) - 1
