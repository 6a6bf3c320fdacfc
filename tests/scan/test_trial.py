"""A model that is very sure of itself turns last digits into differences: it gets sums that are safe for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.scan.test_dense import model_of
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.card import load_model, read_card
from trackgen.graph import DenseModel, compile_dense
from trackgen.resources import find_model
from trackgen.scan import ScanOptions, run_scan, trial
from trackgen.scan.modes import Mode

SHARES = {
    "fast sums that are safe": ([0.1], "auto", "tuned"),
    "plain sums that are safe": ([0.5, 0.1], "auto", "plain"),
    "no safe sums": ([0.5, 0.4], "auto", "window"),
    "no safe sums, and dense asked for": ([0.5, 0.4], "dense", "plain"),
    "a graph that can't be run": ([float("inf"), 0.1], "auto", "plain"),
}


def name_of(mode: Mode) -> str:
    if mode.dense is None:
        return "window"
    return "tuned" if mode.dense.tuned else "plain"


@pytest.mark.parametrize("name", SHARES)
def test_the_first_form_that_is_safe_is_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shares, asked, wanted = SHARES[name]
    path = find_model("tss-yeast")
    card = read_card(path)
    tuned = compile_dense(load_model(path), card, 1)
    tried: list[DenseModel] = []

    def share(compiled: DenseModel, *others: object) -> float:
        tried.append(compiled)
        return shares[len(tried) - 1]

    monkeypatch.setattr(trial, "_share_of_bar", share)
    mode = trial.choose_form(Mode(tuned), path, card, asked, {})  # type: ignore[arg-type]
    assert name_of(mode) == wanted
    assert [entry.tuned for entry in tried] == [True, False][: len(shares)]
    assert ("of what a run may differ by" in mode.reason) is (wanted == "window")


def test_a_shipped_model_keeps_its_fast_sums() -> None:
    path = find_model("tss-yeast")
    card = read_card(path)
    compiled = compile_dense(load_model(path), card, 1)
    assert trial.choose_form(Mode(compiled), path, card, "auto", {}).dense is compiled


def test_a_model_whose_sums_lose_their_digits_is_scanned_to_the_end(tmp_path: Path) -> None:
    """Means of numbers about 3,000, of which 3,000 is taken away again."""
    path = model_of(
        tmp_path, "loose",
        """wide = Conv(sequence, kernel) high = Add(wide, far) mean = ReduceMean<axes = [2], keepdims = 0>(high)
        near = Sub(mean, far) out = Softmax<axis = 1>(near)""",
        window=60,
    )  # fmt: skip
    fasta = write_fasta(tmp_path / "g.fa", {"chr1": random_sequence(np.random.default_rng(3), 3000)})
    run_scan(ScanOptions((str(path),), fasta, tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "run.json").read_text())["mode"] == {"loose": "window"}
