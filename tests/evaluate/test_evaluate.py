"""Figures of tracks against labels: held against scikit-learn and plain loops; memory; every refusal."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyBigWig
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.data import data_file
from trackgen.cli.evaluate import command
from trackgen.cli.main import root
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.evaluate import EvaluateOptions, Evaluation, evaluate_tracks
from trackgen.evaluate.bootstrap import BlockCounts
from trackgen.evaluate.curve import FALSE_SHARES, figures
from trackgen.evaluate.job import _first_blocks
from trackgen.evaluate.report import curve_names
from trackgen.evaluate.scores import STATISTICS, Statistic, TrackScores, grid_scores
from trackgen.evaluate.tally import Tally, score_keys, scores_of
from trackgen.genome.bins import Peak, label_bins, widen
from trackgen.learn.metrics import recall_at
from trackgen.progress import NullProgress

LENGTHS = {"chrA": 30_000, "chrB": 12_345, "chrC": 150}
SCORES = st.lists(st.sampled_from([-1.5, -0.0, 0.0, 0.1, 0.1000001, 0.5, 2.0, float("nan")]), min_size=2, max_size=60)


class Notes(NullProgress):
    """Keeps what was told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


def write_track(path: Path, values: dict[str, np.ndarray]) -> Path:
    """A BigWig by pyBigWig, gaps where values are NaN."""
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(LENGTHS.items()))
        for name, row in values.items():
            kept = np.flatnonzero(~np.isnan(row))
            if len(kept):
                file.addEntries(
                    [name] * len(kept), kept.tolist(), ends=(kept + 1).tolist(), values=row[kept].tolist()
                )  # fmt: skip
    return path


def random_values(seed: int = 3) -> dict[str, np.ndarray]:
    """Steps of 50 bases with a few levels, and gaps."""
    random = np.random.default_rng(seed)
    result = {}
    for name, length in LENGTHS.items():
        row = np.repeat(np.round(random.random(length // 50 + 1) ** 3, 2), 50)[:length].astype(np.float32)
        row[length // 3 : length // 3 + 700] = np.nan
        result[name] = row
    return result


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A track and peaks, strong and weak, that agree somewhat."""
    values = random_values()
    random = np.random.default_rng(5)
    strong, weak = [], []
    for name, length in LENGTHS.items():
        for start in random.integers(0, max(1, length - 400), length // 1500).tolist():
            strong.append(f"{name}\t{start}\t{start + 300}\n")
            values[name][start : start + 200] += np.float32(random.choice([0.0, 0.3, 0.6]))
            weak.append(f"{name}\t{start}\t{start + 500 if start + 500 < length else start + 300}\n")
    (tmp_path / "strong.bed").write_text("".join(strong))
    (tmp_path / "weak.bed").write_text("".join(weak))
    write_track(tmp_path / "track.bw", values)
    with open(tmp_path / "values.npz", "wb") as file:
        np.savez(file, allow_pickle=False, **values)
    return tmp_path


def plain_bins(folder: Path, statistic: Statistic = "max") -> tuple[np.ndarray, np.ndarray]:
    """Score and label of every bin of 200 bp at 50 bp, one by one; lowest where there is no value."""
    peaks: dict[str, list[Peak]] = {}
    for file, strong in (("strong.bed", True), ("weak.bed", False)):
        for line in (folder / file).read_text().splitlines():
            name, first, last = line.split("\t")[:3]
            peaks.setdefault(name, []).append(Peak(int(first), int(last), strong))
    values, scores, labels = np.load(folder / "values.npz"), [], []
    for name, length in LENGTHS.items():
        for start in range(0, length - 199, 50):
            row = values[name][start : start + 200].astype(np.float64)
            row = row[100:101] if statistic == "centre" else row
            row = row[~np.isnan(row)]
            scores.append(-1e9 if not len(row) else row.max() if statistic == "max" else np.float32(row.mean()))
            over = [(min(p.end, start + 200) - max(p.start, start), p.strong) for p in peaks.get(name, [])]
            bound = any(bases >= 100 and strong for bases, strong in over)
            labels.append(1 if bound else -1 if any(bases > 0 for bases, _ in over) else 0)
    return np.array(scores), np.array(labels)


def evaluate(folder: Path, **changes: Any) -> Evaluation:
    options: dict[str, Any] = {
        "tracks": (folder / "track.bw",),
        "labels": folder / "strong.bed",
        "ambiguous": folder / "weak.bed",
    }
    return evaluate_tracks(EvaluateOptions(**{**options, "bootstrap": 0} | changes), Notes())[0]


@pytest.mark.parametrize("statistic", STATISTICS)
def test_figures_are_those_of_scikit_learn_on_every_bin(scene: Path, statistic: Statistic) -> None:
    scores, labels = plain_bins(scene, statistic)
    found = evaluate(scene, statistic=statistic, thresholds=(0.5,))
    counts = {name: int((labels == value).sum()) for name, value in (("unbound", 0), ("bound", 1), ("ambiguous", -1))}
    assert found.labels == counts
    assert found.without_value == (scores == -1e9).sum() > 0
    for entry, kept in ((found.figures, labels < 2), (found.other, labels >= 0)):
        truth, score = labels[kept] == 1, scores[kept]
        # Both add the same numbers in another order.
        assert entry.auroc == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
        assert entry.auprc == pytest.approx(average_precision_score(truth, score), abs=1e-12)
        for share in FALSE_SHARES:
            assert entry.recalls[share] == recall_at(truth, score, share)
        called = score >= np.float32(0.5)
        assert (entry.at[0].called, entry.at[0].right) == (called.sum(), (called & truth).sum())
        assert entry.curve[-1][1:] == (len(truth), truth.sum())


@given(scores=SCORES, most=st.integers(1, 70), piece=st.integers(1, 9), data=st.data())
def test_counts_are_exact_however_often_they_go_to_the_disk(
    scores: list[float], most: int, piece: int, data: st.DataObject
) -> None:
    number = len(scores)
    drawn = data.draw(st.lists(st.sampled_from([0, 1, -1]), min_size=number, max_size=number))
    labels, values = np.array(drawn, np.int8), np.array(scores, np.float32)
    with Tally(most_rows=most) as tally:
        for first in range(0, number, piece):
            tally.add(values[first : first + piece], labels[first : first + piece])
        levels = list(tally.levels())
        found = figures(tally.levels, ambiguous=True)
    every = np.concatenate([level.scores for level in levels])
    assert (np.diff(every) < 0).all()
    plain = np.where(np.isnan(values), -np.inf, values)
    for score, counts in zip(every, np.concatenate([level.counts for level in levels]), strict=True):
        assert counts.tolist() == [int(((plain == score) & (labels == label)).sum()) for label in (0, 1, -1)]
    truth = labels == 1
    if truth.any() and not truth.all():
        finite = np.where(np.isinf(plain), -1e9, plain)
        assert found.auroc == pytest.approx(roc_auc_score(truth, finite), abs=1e-12)
        assert found.auprc == pytest.approx(average_precision_score(truth, finite), abs=1e-12)
    elif not truth.any():
        assert np.isnan(found.auroc)
        assert np.isnan(found.auprc)


@given(
    values=st.lists(st.sampled_from([0.0, 1.0, -2.5, 3.25, float("nan")]), min_size=1, max_size=40),
    step=st.integers(1, 7), width=st.integers(1, 12), statistic=st.sampled_from(STATISTICS),
)  # fmt: skip
def test_shared_work_gives_the_scores_of_bins_one_by_one(
    values: list[float], step: int, width: int, statistic: Statistic
) -> None:
    row = np.array(values, np.float32)
    if len(row) < width:
        return
    found = grid_scores(row, step, width, statistic)
    for number, start in enumerate(range(0, len(row) - width + 1, step)):
        part = row[start : start + width]
        part = part[width // 2 : width // 2 + 1] if statistic == "centre" else part
        part = part[~np.isnan(part)]
        wanted = np.nan if not len(part) else part.astype(np.float64).mean() if statistic == "mean" else part.max()
        np.testing.assert_array_equal(found[number], np.float32(wanted))


@given(
    spans=st.lists(st.tuples(st.integers(0, 900), st.integers(1, 400), st.booleans()), max_size=6),
    length=st.integers(0, 1300), width=st.integers(1, 250), stride=st.integers(1, 120), peak_width=st.integers(1, 300),
)  # fmt: skip
def test_bins_are_labelled_as_peak_by_peak(
    spans: list[tuple[int, int, bool]], length: int, width: int, stride: int, peak_width: int
) -> None:
    peaks = [Peak(start, start + size, strong) for start, size, strong in spans]
    found = label_bins(peaks, length, peak_width=peak_width, stride=stride, width=width)
    wanted = []
    for start in range(0, length - width + 1, stride):
        over = []
        for peak in peaks:
            low, high = widen(peak.start, peak.end, peak_width)
            over.append((min(high, start + width) - max(low, start), peak.strong))
        bound = any(strong and bases > 0 and 2 * bases >= width for bases, strong in over)
        wanted.append(1 if bound else -1 if any(bases > 0 for bases, _ in over) else 0)
    assert found.tolist() == wanted


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_keys_have_the_order_of_scores_and_lead_back_to_them(values: list[float]) -> None:
    row = np.array(values, np.float32)
    keys = score_keys(row)
    np.testing.assert_array_equal(scores_of(keys), row)
    assert (np.sign(keys[:, None].astype(np.int64) - keys) == np.sign(row[:, None].astype(np.float64) - row)).all()
    assert (keys >= score_keys(np.array([np.nan], np.float32))).all()


def test_intervals_are_percentiles_of_whole_blocks_drawn_again() -> None:
    random = np.random.default_rng(0)
    blocks = np.sort(random.integers(0, 30, 3000))
    bound = random.random(3000) < 0.05 + 0.1 * (blocks % 2)
    scores = np.round(random.random(3000) + bound, 2).astype(np.float32)
    counts = BlockCounts()
    for first in range(0, 3000, 700):
        part = slice(first, first + 700)
        counts.add(blocks[part], score_keys(scores[part]), bound[part])
    drawn = np.random.default_rng(7).multinomial(30, np.full(30, 1 / 30), 50)
    wanted = []
    for weights in drawn:
        rows = np.concatenate([np.flatnonzero(blocks == block) for block in np.repeat(np.arange(30), weights)])
        wanted.append((roc_auc_score(bound[rows], scores[rows]), average_precision_score(bound[rows], scores[rows])))
    found = counts.intervals(50, 7)
    low, high = np.percentile(wanted, (2.5, 97.5), axis=0)
    assert found.auroc == pytest.approx((low[0], high[0]), abs=1e-12)
    assert found.auprc == pytest.approx((low[1], high[1]), abs=1e-12)


def test_too_many_scores_for_intervals_are_told_apart_less_finely_and_change_them_little() -> None:
    random = np.random.default_rng(1)
    blocks = np.arange(40_000) // 1000
    bound = random.random(40_000) < 0.1
    keys = score_keys((random.random(40_000) + 0.5 * bound).astype(np.float32))
    exact, coarse = BlockCounts(1 << 17), BlockCounts(8000)
    for counts in (exact, coarse):
        counts.add(blocks, keys, bound)
    assert exact.shift == 0
    assert coarse.shift > 0
    # At least 4,000 levels between 0 and 1.5.
    assert coarse.intervals(40, 1).auprc == pytest.approx(exact.intervals(40, 1).auprc, abs=2e-3)


def test_a_track_in_pieces_gives_the_same_figures_and_seeds_the_same_intervals(
    scene: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(scene, bootstrap=50, statistic="mean")
    monkeypatch.setattr("trackgen.evaluate.labels.BINS_AT_ONCE", 7)
    pieces = evaluate(scene, bootstrap=50, statistic="mean")
    assert pieces == whole
    monkeypatch.setattr("trackgen.evaluate.labels.BASES_AT_ONCE", 120)
    assert evaluate(scene, bootstrap=50, statistic="mean") == whole
    assert evaluate(scene, bootstrap=50, seed=2).intervals != whole.intervals


def test_a_table_of_labels_gives_the_figures_of_the_peaks_it_came_from(scene: Path) -> None:
    _, labels = plain_bins(scene)
    letters = {0: "U", 1: "B", -1: "A"}
    rows, number = ["chr\tstart\tstop\tcell1\tcell2\n"], 0
    for name, length in LENGTHS.items():
        for start in range(0, length - 199, 50):
            rows.append(f"{name}\t{start}\t{start + 200}\tU\t{letters[int(labels[number])]}\n")
            number += 1
    with gzip.open(scene / "labels.tsv.gz", "wt") as file:
        file.writelines([*rows, "chrZ\t0\t200\tU\tB\n"])
    table = {"labels": scene / "labels.tsv.gz", "ambiguous": None}
    found = evaluate(scene, **table, column="cell2")
    assert found.figures == evaluate(scene).figures
    with pytest.raises(UsageError, match="several columns of labels; wanted cell1, cell2") as caught:
        evaluate(scene, **table)
    assert caught.value.exit_status == 2
    with pytest.raises(UsageError, match="no such column; found cell3"):
        evaluate(scene, **table, column="cell3")
    with pytest.raises(UsageError, match="a table says for each bin what it is"):
        evaluate(scene, labels=scene / "labels.tsv.gz", column="cell2")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["chrA\t0\t200\tX"], "line 2: this is no labelled bin"),
        (["chrA\t0\t200\tU", "chrA\t50\t260\tU"], "line 3: the bins differ in width; found 210 bp; wanted 200"),
        (["chrA\t50\t250\tU", "chrA\t0\t200\tU"], "line 3: the bins are not sorted; found chrA, 0"),
        (["chrA\t0\t200\tU", "chrB\t0\t200\tU", "chrA\t50\t250\tU"], "line 4: the bins are not sorted"),
        (["chrA\t0\t200\tU", "A\t50\t250\tU"], "line 3: two names mean the same sequence; found A; wanted one name"),
        (["chrB\t12200\t12400\tU"], "a bin ends beyond its sequence; found 12,400; wanted at most 12,345"),
        (["chrA\t0\t200\tU"], "there is no bound bin; found 1 unbound, 0 bound, 0 ambiguous"),
        ([], "the table holds no bin"),
    ],
)
def test_tables_that_make_no_sense_are_refused(scene: Path, rows: list[str], words: str) -> None:
    (scene / "labels.tsv").write_text("\n".join(["chr\tstart\tstop\tcell", *rows]) + "\n")
    with pytest.raises(DataError, match=words) as caught:
        evaluate(scene, labels=scene / "labels.tsv", ambiguous=None)
    assert caught.value.exit_status == 3


def test_regions_exclusions_and_unknown_bases_leave_whole_bins_out(scene: Path) -> None:
    (scene / "out.bed").write_text("chrA\t1000\t1001\n")
    every = sum(evaluate(scene).labels.values())
    assert every - sum(evaluate(scene, exclude=(scene / "out.bed",)).labels.values()) == 4
    some = evaluate(scene, regions=("chrA:1-10000",))
    assert sum(some.labels.values()) == len(range(0, 10_000 - 199, 50))
    letters = {name: "ACGT" * (length // 4) + "A" * (length % 4) for name, length in LENGTHS.items()}
    letters["chrB"] = letters["chrB"][:5000] + "N" + letters["chrB"][5001:]
    (scene / "genome.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    assert every - sum(evaluate(scene, genome=scene / "genome.fa").labels.values()) == 4
    assert sum(evaluate(scene, chroms=("chrA",)).labels.values()) == 597


def test_pieces_of_a_sequence_leave_out_the_same_bins(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scene / "out.bed").write_text("chrA\t1000\t1001\nchrA\t4990\t5310\n")
    letters = "ACGT" * 2500 + "N" * 7 + "ACGT" * 4998 + "A"
    (scene / "genome.fa").write_text(f">chrA\n{letters}\n>chrB\n{'A' * 12_345}\n>chrC\n{'C' * 150}\n")
    options = {"exclude": (scene / "out.bed",), "genome": scene / "genome.fa", "regions": ("chrA:301-20111",)}
    whole = evaluate(scene, **options)
    monkeypatch.setattr("trackgen.evaluate.labels.BINS_AT_ONCE", 3)
    assert evaluate(scene, **options) == whole
    # 4 bins over base 1000, 11 over 4990 to 5310, 4 over the unknown bases.
    assert sum(whole.labels.values()) == len(range(300, 20_111 - 199, 50)) - 4 - 11 - 4


def test_a_table_of_bins_far_apart_is_scored_in_pieces(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"chrA\t{start}\t{start + 200}\t{'UB'[start % 3 == 0]}" for start in range(0, 29_000, 700)]
    (scene / "labels.tsv").write_text("\n".join(["chr\tstart\tstop\tcell", *rows]) + "\n")
    whole = evaluate(scene, labels=scene / "labels.tsv", ambiguous=None)
    asked = []
    real = TrackScores.scores

    def scores(self: TrackScores, name: str, starts: np.ndarray, *rest: Any, **more: Any) -> np.ndarray:
        asked.append(int(starts[-1] - starts[0]))
        return real(self, name, starts, *rest, **more)

    monkeypatch.setattr(TrackScores, "scores", scores)
    monkeypatch.setattr("trackgen.evaluate.labels.BASES_AT_ONCE", 2000)
    assert evaluate(scene, labels=scene / "labels.tsv", ambiguous=None).figures == whole.figures
    assert max(asked) <= 2000


def test_all_bins_in_one_block_give_no_intervals_and_that_is_told(scene: Path) -> None:
    notes = Notes()
    options = EvaluateOptions(
        (scene / "track.bw",), scene / "strong.bed", chroms=("chrA",), block=30_000, bootstrap=20
    )  # fmt: skip
    (found,) = evaluate_tracks(options, notes)
    assert found.intervals is None
    assert any("lie in one block of 30,000 bp: there are no intervals; --block N" in text for text in notes.texts)


def test_short_sequences_share_a_block() -> None:
    lengths = {"a": 250, "s1": 40, "s2": 50, "s3": 20, "b": 100, "s4": 30}
    assert _first_blocks(lengths, 100) == {"a": 0, "s1": 3, "s2": 3, "s3": 4, "b": 5, "s4": 4}


def test_many_blocks_hold_fewer_scores_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trackgen.evaluate.bootstrap.MOST_CELLS", 6000)
    counts = BlockCounts()
    random = np.random.default_rng(2)
    for first in range(0, 60, 20):
        blocks = np.repeat(np.arange(first, first + 20), 100)
        counts.add(blocks, score_keys(random.random(2000).astype(np.float32)), random.random(2000) < 0.3)
        assert counts._counts.shape[0] * counts._counts.shape[2] <= 6000
    assert int(counts._counts.sum()) == 6000


def test_sequences_that_the_track_lacks_score_lowest_and_are_told(scene: Path) -> None:
    (scene / "all.chrom.sizes").write_text(
        "".join(f"{name}\t{size}\n" for name, size in [*LENGTHS.items(), ("chrD", 20_000)])
    )
    notes = Notes()
    options = EvaluateOptions(
        (scene / "track.bw",), scene / "strong.bed", genome=scene / "all.chrom.sizes", bootstrap=0
    )
    (found,) = evaluate_tracks(options, notes)
    assert found.without_value == evaluate(scene).without_value + 397
    assert "track.bw lists no chrD: bins there score lowest" in notes.texts


def test_peaks_of_single_bases_are_widened_to_a_bin_and_that_is_told(scene: Path) -> None:
    (scene / "points.bed").write_text("chrA\t1000\t1001\nchrZ\t5\t6\n")
    notes = Notes()
    options = EvaluateOptions((scene / "track.bw",), scene / "points.bed", bootstrap=0)
    (found,) = evaluate_tracks(options, notes)
    assert found.labels["bound"] == 5
    assert found.peak_width == 200
    assert any("narrower than half a bin" in text for text in notes.texts)
    assert "points.bed: 1 of 2 peaks lie on sequences that the genome lacks, and are left out" in notes.texts
    assert evaluate(scene).peak_width == 1


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"tracks": ()}, UsageError, "no track is given"),
        ({"width": 0}, UsageError, "--bins: this must be 1 or more"),
        ({"block": 0}, UsageError, "--block: a block has bases"),
        ({"seed": -1}, UsageError, "--seed: this must be 0 or more; found -1"),
        ({"thresholds": (np.nan,)}, UsageError, "--threshold: this is no value of a track; found nan"),
        ({"block": 4, "bootstrap": 9}, UsageError, "--block: there would be too many blocks.*; wanted 5 or more"),
        ({"column": "x"}, UsageError, "peaks have no columns of labels"),
        ({"regions": ("chrC:1-150",)}, DataError, "there is no bound bin"),
        ({"genome": Path("missing.sizes")}, DataError, "the lengths cannot be read"),
        ({"labels": Path("missing.bed")}, DataError, "the labels cannot be read"),
        ({"tracks": (Path("missing.bw"),)}, DataError, "the signal file does not exist"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    scene: Path, changes: dict[str, Any], kind: type[TrackgenError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        evaluate(scene, **changes)


def test_labels_and_lengths_of_another_assembly_are_refused(scene: Path) -> None:
    (scene / "far.bed").write_text("chrA\t29900\t30200\n")
    with pytest.raises(DataError, match="the interval ends beyond its sequence"):
        evaluate(scene, labels=scene / "far.bed")
    (scene / "other.sizes").write_text("chrA\t40000\n")
    with pytest.raises(DataError, match="chrA"):
        evaluate(scene, genome=scene / "other.sizes")
    (scene / "no.sizes").write_text("chrA\n")
    with pytest.raises(DataError, match="these are no lengths of sequences"):
        evaluate(scene, genome=scene / "no.sizes")
    (scene / "empty.bed").write_text("# nothing\n")
    with pytest.raises(DataError, match="there is no peak"):
        evaluate(scene, labels=scene / "empty.bed")


def test_infinite_values_are_refused_by_their_place(scene: Path) -> None:
    values = random_values()
    values["chrB"][77] = np.inf
    write_track(scene / "track.bw", values)
    with pytest.raises(DataError, match="chrB:78: the track holds an infinite value"):
        evaluate(scene)


def test_the_command_writes_a_report_with_a_picture_and_prints_a_table(scene: Path) -> None:
    arguments = [str(scene / "track.bw"), "--labels", str(scene / "strong.bed"), "--ambiguous", str(scene / "weak.bed")]
    more = ["--bootstrap", "20", "--threshold", "0.5", "-o", str(scene / "report")]
    done = CliRunner().invoke(command, [*arguments, *more], catch_exceptions=False)
    assert done.exit_code == 0
    head, row = done.stdout.splitlines()
    assert head.split("\t") == ["track", "bins", "bound", "AUROC", "AUPRC", "recall at 10 % FDR", "recall at 50 % FDR"]
    assert row.startswith("track.bw\t840\t")
    assert "intervals are rough" in done.stderr
    report = json.loads((scene / "report" / "evaluation.json").read_text())
    (track,) = report["tracks"]
    assert track["auroc"]["low"] < track["auroc"]["value"] < track["auroc"]["high"]
    assert track["at"][0]["threshold"] == 0.5
    assert sorted(path.name for path in (scene / "report").iterdir()) == [
        "evaluation.json", "precision-recall.png", "track.curve.tsv",
    ]  # fmt: skip
    assert str(scene) not in (scene / "report" / "evaluation.json").read_text()
    picture = (scene / "report" / "precision-recall.png").read_bytes()
    CliRunner().invoke(command, [*arguments, *more], catch_exceptions=False)
    assert (scene / "report" / "precision-recall.png").read_bytes() == picture


def test_a_report_is_replaced_whole_and_cannot_stand_on_a_file(scene: Path) -> None:
    arguments = ["--labels", str(scene / "strong.bed"), "--bootstrap", "0", "-o", str(scene / "report")]
    odd = scene / "_a$b^$.bw"
    odd.write_bytes((scene / "track.bw").read_bytes())
    CliRunner().invoke(command, [str(odd), *arguments], catch_exceptions=False)
    assert (scene / "report" / "_a$b^$.curve.tsv").is_file()
    CliRunner().invoke(command, [str(scene / "track.bw"), *arguments], catch_exceptions=False)
    names = {path.name for path in (scene / "report").iterdir()}
    assert names == {"evaluation.json", "precision-recall.png", "track.curve.tsv"}
    for wrong in (scene / "strong.bed", scene / "strong.bed" / "below"):
        done = CliRunner().invoke(command, ["none.bw", *arguments[:-1], str(wrong)])
        assert isinstance(done.exception, UsageError)
        assert "-o: the folder cannot be made; found" in str(done.exception)


def test_thresholds_call_the_very_bins_that_they_were_read_from(scene: Path) -> None:
    values = {"chrA": np.zeros(30_000, np.float32)}
    values["chrA"][1000:1200] = np.float32(0.1234567)
    write_track(scene / "fine.bw", values)
    (scene / "one.bed").write_text("chrA\t1000\t1200\n")
    arguments = [str(scene / "fine.bw"), "--labels", str(scene / "one.bed"), "--bootstrap", "0"]
    CliRunner().invoke(command, [*arguments, "-o", str(scene / "report")], catch_exceptions=False)
    (track,) = json.loads((scene / "report" / "evaluation.json").read_text())["tracks"]
    assert np.float32(track["thresholds"]["f1"]["threshold"]) == np.float32(0.1234567)
    row = (scene / "report" / "fine.curve.tsv").read_text().splitlines()[1]
    assert np.float32(float(row.split("\t")[0])) == np.float32(0.1234567)


def test_tracks_of_one_name_have_curves_of_their_own() -> None:
    def named(*paths: str) -> list[str]:
        return curve_names([SimpleNamespace(track=Path(path)) for path in paths])  # type: ignore[misc]

    assert named("a.bw", "b.bw") == ["a", "b"]
    assert named("x/a.bw", "y/a.bw", "a.1.bw") == ["a.1_", "a.2", "a.1"]


def test_without_matplotlib_the_report_has_no_picture_and_says_so(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real: Callable[..., Any] = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "matplotlib" else real(name))
    arguments = [
        "evaluate",
        str(scene / "track.bw"),
        "--labels",
        str(scene / "strong.bed"),
        "-o",
        str(scene / "report"),
    ]
    done = CliRunner().invoke(root, [*arguments, "--bootstrap", "0"], catch_exceptions=False)
    assert "no picture: Matplotlib is not installed" in done.stderr
    assert sorted(path.name for path in (scene / "report").iterdir()) == ["evaluation.json", "track.curve.tsv"]


@pytest.fixture
def peaks() -> tuple[Path, Path]:
    folder = "human_hg19/dream_peaks/full/ChIPseq.HepG2.CTCF"
    return data_file(f"{folder}.conservative.train.narrowPeak.gz"), data_file(f"{folder}.relaxed.narrowPeak.gz")


def test_real_peaks_of_the_whole_genome_meet_a_track_of_one_chromosome(peaks: tuple[Path, Path]) -> None:
    track = data_file("human_hg19/signals/valr_hg19.dnase1.bw")
    options = EvaluateOptions((track,), peaks[0], peaks[1], regions=("chr22:16050001-22000000",), bootstrap=20)
    (found,) = evaluate_tracks(options, Notes())
    # Bins of 200 bp that lie wholly in 5.95 Mb, at multiples of 50.
    assert sum(found.labels.values()) == (5_950_000 - 200) // 50 + 1
    assert found.labels["bound"] > 100
    assert found.peak_width == 1
    assert found.figures.prevalence == found.labels["bound"] / sum(found.labels.values())
