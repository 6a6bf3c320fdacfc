"""The benchmark of the all-SNV estimate: its truth is the model run anew, and its report says what was recorded."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.scan.explained import Oracle, convolution_model
from tests.source import ROOT


@pytest.fixture
def mutagenesis(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import mutagenesis

    return mutagenesis


def test_exact_changes_are_those_of_the_model_run_on_every_changed_window(
    mutagenesis: ModuleType, tmp_path: Path
) -> None:
    from trackgen.card import read_card

    path = convolution_model(tmp_path, window=12, pool=3, activation="sigmoid")
    card = read_card(path)
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, 30).astype(np.uint8)
    starts = np.arange(0, 15, dtype=np.int64)
    weights = [random.random(15), np.eye(15)[7]]
    found = mutagenesis.Exact(card, path, 1).changes(codes, starts, 1, weights)
    # Logits of windows by ONNX's own evaluator, from probabilities.
    for place, base in ((9, 2), (14, 0), (11, 3)):
        changed = codes.copy()
        changed[place] = base
        values = []
        for row in (codes, changed):
            letters = "".join("ACGT"[code] for code in row)
            probabilities = Oracle(path, letters).probabilities(starts.tolist(), False, 1)
            values.append(np.log(probabilities / (1 - probabilities)))
        over = (starts <= place) & (place < starts + 12)
        for weight, changes in zip(weights, found, strict=True):
            wanted = (weight * (values[1] - values[0]))[over].sum() / weight[over].sum()
            # Logits from float32 probabilities have fewer digits.
            assert changes[base, place] == pytest.approx(wanted, abs=2e-5)
        assert np.nanmax(np.abs(found[0][codes[place], place])) == 0


def test_figures_are_those_of_all_changes_together(mutagenesis: ModuleType) -> None:
    estimate = np.linspace(-1, 1, 50)
    row = mutagenesis.figures([(estimate, 2 * estimate), (estimate[::-1], 2 * estimate[::-1])])
    assert row["snvs"] == 100
    assert (row["pearson"], row["spearman"], row["slope"], row["large_same_sign"]) == (1.0, 1.0, 2.0, 1.0)


def test_the_report_is_made_of_the_records(mutagenesis: ModuleType) -> None:
    records = [
        mutagenesis.json.loads((mutagenesis.RECORDS / f"{judged.name}.json").read_text())
        for judged in mutagenesis.JUDGED
    ]
    costs = mutagenesis.json.loads(mutagenesis.COST_RECORD.read_text())
    assert (mutagenesis.FOLDER / "mutagenesis.md").read_text() == mutagenesis.document(records, costs)
