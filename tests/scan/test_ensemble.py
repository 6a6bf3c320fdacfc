"""Ensembles: mean, deviation and contributions against those of the members, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

from tests.models import small_model
from tests.scan.explained import convolution_model
from tests.scan.test_values import random_sequence, write_fasta
from trackgen.errors import ModelError, TrackgenError, UsageError
from trackgen.scan import ScanOptions, run_scan

SEQUENCES = {"a": random_sequence(np.random.default_rng(1), 700), "b": "ACGTACGTAC"}


def scan(folder: Path, models: list[Path], **options: Any) -> Path:
    genome = write_fasta(folder / "g.fa", SEQUENCES)
    given = {"digits": "full", "tile": 256, **options}
    out = folder / "-".join(["out", *(str(value) for value in options.values() if isinstance(value, str))])
    run_scan(ScanOptions(tuple(map(str, models)), genome, out, **given))
    return out


def track(folder: Path, name: str) -> np.ndarray:
    with pyBigWig.open(str(folder / f"{name}.bw")) as file:
        return np.array(file.values("a", 0, len(SEQUENCES["a"])))


@pytest.mark.parametrize(
    ("strands", "pad", "form"), [("both", 0, "dense"), ("forward", 3, "window"), ("forward", 0, "dense")]
)
def test_tracks_are_the_mean_and_deviation_of_the_members(tmp_path: Path, strands: str, pad: int, form: str) -> None:
    folds = [convolution_model(tmp_path, name=f"fold{n}", strands=strands, pad=pad, seed=n) for n in range(3)]
    mode = "window" if pad else "auto"
    apart = scan(tmp_path, folds, contrib=("hit",), contrib_weight="uniform", mode=mode)
    whole = scan(tmp_path, folds, contrib=("all",), contrib_weight="uniform", mode=mode, ensemble="folds")
    for strand in ("plus", "minus") if strands == "both" else ("",):
        end = f".{strand}" if strand else ""
        values = np.array([track(apart, f"fold{n}.hit{end}") for n in range(3)])
        np.testing.assert_allclose(track(whole, f"folds.hit{end}"), values.mean(axis=0), atol=2e-6)
        np.testing.assert_allclose(track(whole, f"folds.hit-sd{end}"), values.std(axis=0, ddof=1), atol=2e-6)
        parts = np.array([track(apart, f"fold{n}.hit{end}.contrib") for n in range(3)])
        # Contributions sum in another order: a part of the largest value.
        largest = np.nanmax(np.abs(parts))
        np.testing.assert_allclose(
            track(whole, f"folds.hit{end}.contrib"), parts.mean(axis=0), atol=1e-5 * float(largest)
        )
    run = json.loads((whole / "run.json").read_text())
    assert run["mode"] == {"folds": form}
    assert [member["name"] for member in run["models"][0]["card"]["training"]["members"]] == ["fold0", "fold1", "fold2"]
    assert not [entry["file"] for entry in run["tracks"] if "-sd" in entry["file"] and "contrib" in entry["file"]]


def test_calls_are_those_of_the_mean(tmp_path: Path) -> None:
    """Each window is weighed by what the members say together: not what each says for itself."""
    folds = [convolution_model(tmp_path, name=f"fold{n}", seed=n, thresholds=0.2 + 0.1 * n) for n in range(2)]
    whole = scan(tmp_path, folds, contrib=("hit",), contrib_weight="calls", ensemble="folds")
    card = json.loads((whole / "run.json").read_text())["models"][0]["card"]
    threshold = next(entry["threshold"] for entry in card["outputs"][0]["classes"] if entry["name"] == "hit")
    assert threshold == pytest.approx(0.25)
    mean, explained = track(whole, "folds.hit"), track(whole, "folds.hit.contrib")
    called = np.flatnonzero(mean >= threshold)
    assert len(called)
    assert np.isfinite(explained).any()
    far = [place for place in np.flatnonzero(np.isfinite(explained)) if np.abs(called - place).min() > 40]
    assert far == []


def test_folds_may_come_from_different_chromosomes(tmp_path: Path) -> None:
    """Their cards then have slightly different base frequencies: the ensemble's reference is the mean."""
    values = [[0.30, 0.20, 0.20, 0.30], [0.32, 0.18, 0.18, 0.32]]
    folds = [
        convolution_model(tmp_path, name=f"fold{n}", seed=n, reference={"values": entry})
        for n, entry in enumerate(values)
    ]
    whole = scan(tmp_path, folds, contrib=("hit",), contrib_weight="uniform", ensemble="folds")
    card = json.loads((whole / "run.json").read_text())["models"][0]["card"]
    assert card["reference"]["values"] == pytest.approx([0.31, 0.19, 0.19, 0.31])


def test_a_deviation_alone_is_explained_by_its_class(tmp_path: Path) -> None:
    folds = [convolution_model(tmp_path, name=f"fold{n}", seed=n) for n in range(2)]
    whole = scan(tmp_path, folds, classes=("hit-sd",), contrib=("all",), contrib_weight="uniform", ensemble="folds")
    assert {path.name for path in whole.glob("*.bw")} == {"folds.hit-sd.bw", "folds.hit.contrib.bw"}


def test_profiles_have_means_and_deviations_too(tmp_path: Path) -> None:
    shape = {"window": 30, "bin_": 8, "stride": 8, "positions": 4, "activation": "none", "classes": ("signal",)}
    folds = [small_model(tmp_path, name=f"fold{n}", seed=n, **shape).path for n in range(2)]  # type: ignore[arg-type]
    apart, whole = scan(tmp_path, folds), scan(tmp_path, folds, ensemble="folds")
    values = np.array([track(apart, f"fold{n}.signal") for n in range(2)])
    np.testing.assert_allclose(track(whole, "folds.signal"), values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(track(whole, "folds.signal-sd"), values.std(axis=0, ddof=1), atol=1e-5)


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    folds = [convolution_model(tmp_path, name=f"fold{n}", seed=n) for n in range(2)]
    first = scan(tmp_path, folds, ensemble="folds")
    bytes_before = {path.name: path.read_bytes() for path in first.glob("*.bw")}
    run_scan(ScanOptions(tuple(map(str, folds)), tmp_path / "g.fa", first, digits="full", tile=256, ensemble="folds"))
    assert {path.name: path.read_bytes() for path in first.glob("*.bw")} == bytes_before


def refusal(folder: Path, kind: type[TrackgenError], models: list[Path], name: str = "folds") -> str:
    with pytest.raises(kind) as caught:
        scan(folder, models, ensemble=name)
    return str(caught.value)


def test_what_is_no_ensemble_is_refused(tmp_path: Path) -> None:
    one, two = (convolution_model(tmp_path, name=f"fold{n}", seed=n) for n in range(2))
    wider = convolution_model(tmp_path, name="wider", window=44)
    other = convolution_model(tmp_path, name="other", classes=("background", "hit", "else"))
    partners = convolution_model(tmp_path, name="partners", reverse=True)
    assert "card, outputs: " in refusal(tmp_path, ModelError, [one, partners])
    assert "two or more models" in refusal(tmp_path, UsageError, [one])
    assert "given twice" in refusal(tmp_path, UsageError, [one, two, one])
    assert "card, window: " in refusal(tmp_path, ModelError, [one, wider])
    assert "card, outputs: " in refusal(tmp_path, ModelError, [one, other])
    assert "--ensemble" in refusal(tmp_path, UsageError, [one, two], "no name")
    assert "--ensemble" in refusal(tmp_path, UsageError, [one, two], "plus")
