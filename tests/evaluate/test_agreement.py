"""Figures of tracks against a true one: held against SciPy and plain loops; pieces; every refusal."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from tests.evaluate.test_evaluate import LENGTHS, Notes, random_values, write_track
from trackgen.cli.evaluate import command
from trackgen.errors import DataError, UsageError
from trackgen.evaluate import EvaluateOptions, Evaluation, evaluate_tracks
from trackgen.evaluate.agreement import MEASURES, Agreement, Comparison, Pairs

VALUES = st.sampled_from([-2.5, -0.0, 0.0, 0.1, 0.1000001, 3.0, 1e4, 3e-5])


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A truth and a noisy track, with gaps in different places."""
    truth, random = random_values(), np.random.default_rng(8)
    track = {name: row + random.random(len(row)).astype(np.float32) * 0.3 for name, row in random_values().items()}
    track["chrA"][200:900] = np.nan
    truth["chrB"][4000:6000] = 0
    write_track(tmp_path / "truth.bw", truth)
    write_track(tmp_path / "track.bw", track)
    with open(tmp_path / "values.npz", "wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            **{f"truth{n}": truth[n] for n in LENGTHS},
            **{f"track{n}": track[n] for n in LENGTHS},
        )
    return tmp_path


def compare(folder: Path, notes: Notes | None = None, **changes: Any) -> Comparison:
    options: dict[str, Any] = {"tracks": (folder / "track.bw",), "signal": folder / "truth.bw", "bootstrap": 0}
    found = evaluate_tracks(EvaluateOptions(**options | changes), notes or Notes())[0].comparison
    assert found is not None
    return found


def plain_pairs(folder: Path, width: int = 25, stride: int = 25, zeros: bool = False) -> tuple[np.ndarray, int]:
    """Both means of every bin with a value on both sides, one by one, and how many bins have none."""
    values, pairs, left_out = np.load(folder / "values.npz"), [], 0
    for name, length in LENGTHS.items():
        for start in range(0, length - width + 1, stride):
            pair = []
            for side in ("truth", "track"):
                row = values[side + name][start : start + width].astype(np.float64)
                row = np.where(np.isnan(row), 0, row) if zeros else row[~np.isnan(row)]
                pair.append(np.float32(row.mean()) if len(row) else np.float32(np.nan))
            if np.isnan(pair).any():
                left_out += 1
            else:
                pairs.append(pair)
    return np.array(pairs, np.float64), left_out


def check(found: Agreement, pairs: np.ndarray) -> None:
    """Against SciPy, on all values at once; sums are in another order."""
    assert found.bins == len(pairs)
    if not len(pairs):
        assert math.isnan(found.mse)
        return
    truth, track = pairs.T
    assert found.mse == pytest.approx(((truth - track) ** 2).mean(), rel=1e-10)
    assert (found.truth_mean, found.track_mean) == pytest.approx((truth.mean(), track.mean()), rel=1e-10, abs=1e-12)
    if len(set(truth)) < 2 or len(set(track)) < 2:
        assert math.isnan(found.pearson)
        assert math.isnan(found.spearman)
        return
    assert found.pearson == pytest.approx(pearsonr(truth, track)[0], abs=1e-7)
    assert found.spearman == pytest.approx(spearmanr(truth, track)[0], abs=1e-10)


@pytest.mark.parametrize(("width", "stride", "zeros"), [(25, 25, False), (25, 25, True), (100, 30, False)])
def test_figures_are_those_of_scipy_on_every_bin(scene: Path, width: int, stride: int, zeros: bool) -> None:
    pairs, left_out = plain_pairs(scene, width, stride, zeros)
    found = compare(scene, width=width, stride=stride, zeros=zeros)
    check(found.every, pairs)
    check(found.covered, pairs[pairs[:, 0] != 0])
    assert found.left_out == left_out
    assert (left_out > 0) != zeros
    assert 0 < found.covered.bins < found.every.bins


@settings(max_examples=60)
@given(
    pairs=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=50), piece=st.integers(1, 9),
    most=st.integers(1, 60),
)  # fmt: skip
def test_figures_are_exact_in_any_pieces_and_with_any_memory(
    pairs: list[tuple[float, float]], piece: int, most: int
) -> None:
    rows = np.array(pairs, np.float32)
    with pytest.MonkeyPatch.context() as patch, Pairs(most_rows=most) as collected:
        patch.setattr("trackgen.evaluate.agreement.PAIRS_AT_ONCE", piece + 1)
        for first in range(0, len(rows), piece):
            part = rows[first : first + piece]
            collected.add(np.zeros(len(part), np.int64), part[:, 0], part[:, 1])
        found, covered = collected.every(0, 1), collected.covered(0, 1)
    check(found, rows.astype(np.float64))
    check(covered, rows[rows[:, 0] != 0].astype(np.float64))


def test_a_track_equal_to_the_truth_agrees_wholly_and_one_upside_down_not_at_all(scene: Path) -> None:
    same = compare(scene, tracks=(scene / "truth.bw",)).every
    assert (same.mse, same.pearson, same.spearman) == pytest.approx((0, 1, 1), abs=1e-12)
    values = {name: -row for name, row in random_values().items()}
    values["chrB"][4000:6000] = 0
    write_track(scene / "down.bw", values)
    turned = compare(scene, tracks=(scene / "down.bw",)).every
    assert (turned.pearson, turned.spearman) == pytest.approx((-1, -1), abs=1e-12)


def test_a_track_of_zeros_has_an_error_and_no_correlation(scene: Path) -> None:
    write_track(scene / "zero.bw", {name: np.zeros(length, np.float32) for name, length in LENGTHS.items()})
    found = compare(scene, tracks=(scene / "zero.bw",))
    assert found.every.mse > 0
    assert math.isnan(found.every.pearson)
    assert math.isnan(found.every.spearman)
    arguments = [str(scene / "zero.bw"), "--signal", str(scene / "truth.bw"), "-o", str(scene / "report")]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "\tnone\tnone" in done.stdout
    report = json.loads((scene / "report" / "evaluation.json").read_text())
    assert report["tracks"][0]["signal"]["all"]["pearson"]["value"] is None


def test_intervals_are_percentiles_of_whole_blocks_drawn_again() -> None:
    random = np.random.default_rng(0)
    blocks = np.sort(random.integers(0, 30, 3000))
    truth = np.round(random.random(3000) * (1 + blocks % 3), 2).astype(np.float32)
    track = (truth + random.random(3000)).astype(np.float32)
    with Pairs() as pairs:
        for first in range(0, 3000, 700):
            part = slice(first, first + 700)
            pairs.add(blocks[part], truth[part], track[part])
        found = pairs.every(50, 7)
    drawn = np.random.default_rng(7).multinomial(30, np.full(30, 1 / 30), 50)
    ranks = [np.argsort(np.argsort(side)) if len(set(side)) == 3000 else None for side in (truth, track)]
    assert ranks[0] is None
    wanted = []
    for weights in drawn:
        rows = np.concatenate([np.flatnonzero(blocks == block) for block in np.repeat(np.arange(30), weights)])
        wanted.append((((truth - track).astype(np.float64)[rows] ** 2).mean(), pearsonr(truth[rows], track[rows])[0]))
    low, high = np.percentile(wanted, (2.5, 97.5), axis=0)
    # `wanted` subtracts in single precision.
    assert found.interval("mse") == pytest.approx((low[0], high[0]), rel=1e-6)
    assert found.interval("pearson") == pytest.approx((low[1], high[1]), abs=1e-6)
    spread = found.interval("spearman")
    assert spread is not None
    assert spread[0] < found.spearman < spread[1]


def test_pieces_give_the_same_figures_and_seeds_the_same_intervals(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"bootstrap": 50, "block": 1000}
    whole = compare(scene, **options)
    assert compare(scene, **options) == whole
    monkeypatch.setattr("trackgen.evaluate.labels.BINS_AT_ONCE", 7)
    pieces = compare(scene, **options)
    for one, other in ((pieces.every, whole.every), (pieces.covered, whole.covered)):
        for name in MEASURES:
            # Means are added up in another order.
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)
            assert one.interval(name) == pytest.approx(other.interval(name), rel=1e-9)
    assert compare(scene, **options, seed=2).every.intervals != whole.every.intervals


def test_labels_and_a_signal_stand_on_the_same_bins_in_one_run(scene: Path) -> None:
    (scene / "peaks.bed").write_text("chrA\t1000\t1300\nchrA\t20000\t20100\nchrB\t500\t900\n")
    arguments = [
        str(scene / "track.bw"), "--signal", str(scene / "truth.bw"), "--labels", str(scene / "peaks.bed"),
        "--block", "1000", "--bootstrap", "20", "-o", str(scene / "report"),
    ]  # fmt: skip
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    head, row = (line.split("\t") for line in done.stdout.splitlines())
    assert head[:3] == ["track", "bins", "bound"]
    assert head[7:11] == ["all bins", "MSE, all", "Pearson, all", "Spearman, all"]
    assert row[1:3] == [str(sum(length // 25 for length in LENGTHS.values())), str((300 + 100 + 400) // 25)]
    report = json.loads((scene / "report" / "evaluation.json").read_text())
    assert report["bins"] == {"width": 25, "stride": 25, "statistic": "mean"}
    assert report["signal"]["file"] == "truth.bw"
    track = report["tracks"][0]
    assert track["signal"]["all"]["pearson"]["low"] < track["signal"]["all"]["pearson"]["value"]
    assert track["auprc"]["low"] <= track["auprc"]["value"] <= track["auprc"]["high"]
    assert {path.name for path in (scene / "report").iterdir()} == {
        "evaluation.json", "precision-recall.png", "track.curve.tsv",
    }  # fmt: skip
    CliRunner().invoke(command, [*arguments[:3], *arguments[5:]], catch_exceptions=False)
    assert {path.name for path in (scene / "report").iterdir()} == {"evaluation.json"}
    assert "auroc" not in json.loads((scene / "report" / "evaluation.json").read_text())["tracks"][0]


def test_bins_left_out_and_units_that_differ_are_told(scene: Path) -> None:
    notes = Notes()
    values = {name: row * 40 for name, row in random_values().items()}
    values["chrA"][:9000] = np.nan
    write_track(scene / "other.bw", values)
    compare(scene, notes, tracks=(scene / "other.bw",))
    left_out = next(text for text in notes.texts if "have no value" in text)
    assert left_out.startswith("other.bw and truth.bw: ")
    assert "--missing zero" in left_out
    assert any("their means are" in text and "--scale mean" in text for text in notes.texts)


def test_what_cannot_be_compared_is_refused(scene: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing to hold the tracks against; wanted --labels.*--signal") as caught:
        evaluate_tracks(EvaluateOptions((scene / "track.bw",)), Notes())
    assert caught.value.exit_status == 2
    with pytest.raises(UsageError, match="--ambiguous: this belongs to labels"):
        compare(scene, ambiguous=scene / "peaks.bed")
    with pytest.raises(DataError, match="the signal file does not exist"):
        compare(scene, signal=scene / "none.bw")
    values = {name: np.full(length, np.nan, np.float32) for name, length in LENGTHS.items()}
    values["chrC"][:] = 1
    write_track(scene / "elsewhere.bw", values)
    with pytest.raises(DataError, match=r"no bin has a value in both tracks; found 4[0-9]{2} bins") as refused:
        compare(scene, tracks=(scene / "elsewhere.bw",), chroms=("chrB",))
    assert refused.value.exit_status == 3


def test_names_that_are_aliases_meet_and_infinite_truth_is_refused(scene: Path) -> None:
    found: Evaluation = evaluate_tracks(
        EvaluateOptions((scene / "track.bw",), signal=scene / "truth.bw", chroms=("A",), bootstrap=0), Notes()
    )[0]
    assert found.comparison is not None
    values = random_values()
    values["chrB"][77] = np.inf
    write_track(scene / "truth.bw", values)
    with pytest.raises(DataError, match=r"truth.bw.*chrB:78: the track holds an infinite value"):
        compare(scene)
