"""Contributions of models that hardly answer to anything: detectors of one motif, and logits that are all rounding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from tests.scan.explained import convolution_model
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.errors import SelfCheckError
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.explaining import ExplainedWindows, WindowExplainer

MOTIF = "TATAAGC"


class Notes(NullProgress):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def changed_model(folder: Path, **values: Any) -> Path:
    """The convolution model with some of its weights replaced: by an array, or times a number."""
    path = convolution_model(folder)
    model = onnx.load(path)
    for entry in model.graph.initializer:
        if entry.name in values:
            old, new = onnx.numpy_helper.to_array(entry), values[entry.name]
            array = np.asarray(old * new if np.isscalar(new) else new, np.float32)
            assert array.shape == old.shape
            entry.CopyFrom(onnx.numpy_helper.from_array(array, entry.name))
    onnx.save(model, path)
    return path


def motif_model(folder: Path) -> Path:
    """Fires where all seven bases of the motif stand, and is constant elsewhere."""
    filters = np.zeros((5, 4, 7), np.float32)
    filters[:, ["ACGT".index(base) for base in MOTIF], np.arange(7)] = 1
    return changed_model(folder, filters=filters, filter_bias=np.full(5, -6.5))


def scanned(folder: Path, path: Path, sequence: str, mode: str) -> tuple[dict[str, Any], list[str]]:
    """run.json and what the run said."""
    genome, progress = write_fasta(folder / "g.fa", {"a": sequence}), Notes()
    options = ScanOptions(
        (str(path),), genome, folder / "out", contrib=("hit",), contrib_weight="uniform", mode=mode,  # type: ignore[arg-type]
    )  # fmt: skip
    run_scan(options, progress)
    return json.loads((folder / "out" / "run.json").read_text()), progress.texts


def track_range(run: dict[str, Any]) -> tuple[float, float]:
    (track,) = (track for track in run["tracks"] if track["role"] == "contribution")
    return track["min"], track["max"]


def without_motif(length: int) -> str:
    return random_sequence(np.random.default_rng(1), length).replace("TATA", "CCCC")


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_a_detector_that_random_windows_do_not_move_is_explained(tmp_path: Path, mode: str) -> None:
    text = without_motif(300)
    run, notes = scanned(tmp_path, motif_model(tmp_path), text[:150] + MOTIF + text[150:], mode)
    low, high = track_range(run)
    assert max(abs(low), abs(high)) > 1e-3
    assert run["warnings"] == []
    words = "random windows differ from the reference by no"
    assert any(text.startswith(words) for text in notes), notes


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_a_run_in_which_nothing_contributes_says_so(tmp_path: Path, mode: str) -> None:
    run, notes = scanned(tmp_path, motif_model(tmp_path), without_motif(300), mode)
    assert track_range(run) == (0, 0)
    (warning,) = run["warnings"]
    assert warning.startswith("nothing contributes: every value of net.hit.contrib.bw is 0; neither windows of random")
    assert "the reference may make the model constant: choose another --reference" in warning
    assert f"WARNING: {warning}" in notes


@pytest.mark.parametrize("mode", ["auto", "window"])
@pytest.mark.parametrize("scale", [1e-3, 1e-5, 1e-7, 1e-9])
def test_deltas_that_are_rounding_pass(tmp_path: Path, mode: str, scale: float) -> None:
    path = changed_model(tmp_path, second_weight=scale, second_bias=np.array([0.3, 0.9, -0.8]))
    run, _ = scanned(tmp_path, path, without_motif(300), mode)
    assert run["checks"]["completeness"]["max_rel_error"] <= 1e-4


@pytest.mark.parametrize("mode", ["auto", "window"])
def test_small_deltas_that_are_more_than_rounding_are_held_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    run = WindowExplainer.run

    def wrong(*arguments: Any, **options: Any) -> ExplainedWindows:
        found = run(*arguments, **options)
        found.deltas[...] *= np.float32(1.5)
        return found

    monkeypatch.setattr(WindowExplainer, "run", wrong)
    path = changed_model(tmp_path, second_weight=1e-3, second_bias=np.array([0.3, 0.9, -0.8]))
    with pytest.raises(SelfCheckError, match="do not add up"):
        scanned(tmp_path, path, without_motif(300), mode)
