"""``trackgen train factors`` from files to files on a made-up genome, and the net, labels and scores behind it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from trackgen.card import read_card
from trackgen.cli.main import root
from trackgen.errors import TrackgenError, UsageError
from trackgen.genome import Interval, open_genome, reverse_complement
from trackgen.learn.architectures.multitask import BoundLogits
from trackgen.learn.architectures.rc_multitask import COUNTED, FactorLogits, RcMultitask
from trackgen.learn.calibration import fit_calibration, prior_shift
from trackgen.learn.datasets.bed import read_peaks
from trackgen.learn.datasets.factors import (
    BOUND,
    UNBOUND,
    UNKNOWN,
    FactorBatches,
    FactorData,
    centres_by_factor,
    no_nearer_than,
)
from trackgen.learn.datasets.split import Split
from trackgen.learn.datasets.windows import Sites, one_hot
from trackgen.learn.factors_judging import _calibration
from trackgen.learn.factors_training import score_along, score_sites
from trackgen.learn.kmer import KmerModel
from trackgen.learn.saved import load_saved
from trackgen.runtime import open_session

LENGTH = 12_000
MOTIFS = {"Abc1": "CGGGTAACGT", "Xyz2": "TTGACTCATC", "Few3": "GGGGGGCCCC"}
NAMES = ("one", "two", "three")
MEME = "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sequences on which two factors take turns every 200 bp, on either strand; a third has two peaks."""
    folder = tmp_path_factory.mktemp("factors")
    random = np.random.default_rng(8)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    peaks, text = [], ""
    for name in NAMES:
        bases = letters[random.integers(0, 4, LENGTH)]
        for i, site in enumerate(range(300, LENGTH - 200, 200)):
            factor = ("Abc1", "Xyz2")[i % 2]
            motif = np.frombuffer(MOTIFS[factor].encode(), dtype=np.uint8)
            bases[site - 5 : site + 5] = motif if i % 4 < 2 else _other_strand(motif)
            peaks.append(f"{name}\t{site}\t{site + 1}\t{factor}\t900\t.\n")
        text += f">{name}\n{bases.tobytes().decode()}\n"
    peaks.append("one\t5050\t5051\tFew3\t1\t.\ntwo\t5050\t5051\tFew3\t1\t.\n")
    (folder / "genome.fa").write_text(text)
    (folder / "peaks.bed").write_text("".join(peaks))
    (folder / "motifs.meme").write_text(MEME + "".join(_meme(name, MOTIFS[name]) for name in ("Abc1", "Xyz2")))
    return folder


def _other_strand(motif: np.ndarray) -> np.ndarray:
    return np.frombuffer(motif.tobytes()[::-1].translate(bytes.maketrans(b"ACGT", b"TGCA")), dtype=np.uint8)


def _meme(name: str, motif: str) -> str:
    rows = "".join(" ".join("0.97" if base == letter else "0.01" for base in "ACGT") + "\n" for letter in motif)
    return f"MOTIF {name}\n\nletter-probability matrix: alength= 4 w= {len(motif)} nsites= 20 E= 0\n{rows}\n"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(root, [str(word) for word in words])


def train(world: Path, output: Path, *more: str | Path) -> Result:
    return run(
        "train", "factors", "--genome", world / "genome.fa", "--peaks", world / "peaks.bed", "-o", output,
        "--validation", "two", "--test", "three", "--batch-size", "32", "--name", "toys", "-t", "1", "-q", *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "toys"
    result = train(world, output, "--epochs", "4", "--motifs", world / "motifs.meme")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output / "model.onnx")
    return output


def test_peaks_of_two_factors_train_one_model_of_both_with_its_card_and_report(trained: Path) -> None:
    card = read_card(trained / "model.onnx")
    assert (card.name, card.window, card.bin, card.stride, card.strands) == ("toys", 105, 10, 10, "forward")
    assert [entry.name for entry in card.classes] == ["Abc1", "Xyz2"]
    assert card.outputs[0].activation == "sigmoid"
    figures = json.loads((trained / "report" / "metrics.json").read_text())
    for entry in card.classes:
        own = figures["factors"][entry.name]
        assert own["threshold"] == entry.threshold == card.training["thresholds"][entry.name]["threshold"]
        assert own["test"]["peak_auroc"] > 0.9
        # at its maximum the likelihood makes the probabilities add up to the windows that are bound
        assert own["validation"]["sum"] == pytest.approx(own["validation"]["bound"], rel=0.01)
    matrix = np.array(figures["matrix"]["auroc"])
    assert matrix.shape == (2, 2)
    assert matrix[0, 0] > matrix[0, 1]
    assert matrix[1, 1] > matrix[1, 0]
    assert figures["data"]["motifs"] == {"Abc1": ["Abc1"], "Xyz2": ["Xyz2"]}
    for name in ("README.md", "metrics.csv", "report/matrix.png", "report/history.png"):
        assert (trained / name).stat().st_size > 0
    text = (trained / "README.md").read_text()
    assert "trackgen train factors" in text
    assert "--motifs motifs.meme" in text


def test_a_scan_and_a_second_export_give_what_was_trained(trained: Path, world: Path, tmp_path: Path) -> None:
    result = run("scan", trained / "model.onnx", world / "genome.fa", "-o", tmp_path / "out", "--chroms", "three",
                 "--device", "cpu", "-t", "1", "-q")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "run.json").read_text())["mode"] == {"toys": "dense"}
    run("export", trained / "model.pt", "-o", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def test_a_window_and_its_reverse_complement_score_alike(trained: Path) -> None:
    session = open_session((trained / "model.onnx").read_bytes(), device="cpu", threads=1, path_for_messages=trained)
    codes = np.random.default_rng(1).integers(0, 5, (20, 105)).astype(np.uint8)
    turned = np.stack([reverse_complement(row) for row in codes])
    values = [session.run({"sequence": one_hot(entry)}, ["binding"])[0] for entry in (codes, turned)]
    np.testing.assert_allclose(values[0], values[1], atol=1e-6)


@pytest.mark.slow
def test_a_resumed_run_gives_the_same_model(trained: Path, world: Path, tmp_path: Path) -> None:
    again = train(world, tmp_path / "toys", "--epochs", "4", "--motifs", world / "motifs.meme", "--resume")
    assert again.exit_code == 0, again.output
    assert (tmp_path / "toys" / "model.onnx").read_bytes() == (trained / "model.onnx").read_bytes()
    refused = train(world, tmp_path / "toys", "--epochs", "4")
    assert isinstance(refused.exception, UsageError)
    assert "the output folder is not empty" in str(refused.exception)


def test_the_plain_net_is_the_trained_one_calibrated_and_of_the_chosen_factors_alone() -> None:
    torch.manual_seed(3)
    net = RcMultitask(5, kernels=12, shared=6, units=3).eval()
    with torch.no_grad():
        net.direct.normal_()
    windows = torch.from_numpy(one_hot(np.random.default_rng(2).integers(0, 5, (9, 105)).astype(np.uint8)))
    plain = net.plain().chosen([3, 0], [2.0, 0.5], [-1.0, 4.0])
    with torch.no_grad():
        odds = BoundLogits(net)(windows).numpy()
        wanted = odds[:, [3, 0]] * np.array([2.0, 0.5]) + np.array([-1.0, 4.0])
        np.testing.assert_allclose(plain(windows).numpy(), wanted, atol=1e-4)
        np.testing.assert_allclose(FactorLogits.of(plain.state_dict())(windows).numpy(), plain(windows).numpy(), atol=0)
        # the slow form of the last layer is the thesis' own
        half = net._nodes(torch.ones(4, 6))
        np.testing.assert_allclose(half.numpy(), net.heads(torch.ones(4, 6)).numpy(), atol=1e-6)


def test_weights_of_kmers_count_each_kmer_of_a_window_and_move_with_the_chosen_factors() -> None:
    torch.manual_seed(4)
    net = RcMultitask(3, kernels=4, shared=4, units=2).eval().plain()
    codes = np.random.default_rng(5).integers(0, 5, (7, 105)).astype(np.uint8)
    weights = np.random.default_rng(6).normal(size=(4**COUNTED, 3))
    model = KmerModel(COUNTED, 105, np.vstack([weights, np.zeros((1, 3))]), np.zeros(3), 1.0)
    counted = net.with_counts(weights).chosen([2, 1], [3.0, 1.0], [0.5, 0.0])
    windows = torch.from_numpy(one_hot(codes))
    with torch.no_grad():
        wanted = (net(windows).numpy() + model.logits(codes))[:, [2, 1]] * np.array([3.0, 1.0]) + np.array([0.5, 0.0])
        # float32 sums of a hundred weights
        np.testing.assert_allclose(counted(windows).numpy(), wanted, atol=1e-4)
        again = FactorLogits.of(counted.state_dict())
        np.testing.assert_allclose(again(windows).numpy(), counted(windows).numpy(), atol=0)


def test_scores_along_a_sequence_are_those_of_its_windows(trained: Path, world: Path) -> None:
    net = load_saved(trained / "model.pt").build()
    assert isinstance(net, FactorLogits)
    with open_genome(world / "genome.fa") as genome:
        position = np.arange(0, LENGTH, 10)
        sites = Sites(genome.names, np.full(len(position), 1, np.int32), position, np.zeros(len(position), np.bool_))
        along = score_along(net, genome, "two", piece=3000)
        np.testing.assert_allclose(along, score_sites(net, genome, sites), atol=1e-4)


@given(
    centres=st.lists(st.integers(0, 400), max_size=6), positions=st.lists(st.integers(0, 400), min_size=1, max_size=9)
)
@settings(max_examples=60, deadline=None)
def test_the_distance_to_the_nearest_centre_is_the_least_of_all(centres: list[int], positions: list[int]) -> None:
    sites = Sites(("a", "b"), np.zeros(len(positions), np.int32), np.array(positions), np.zeros(len(positions), bool))
    found = no_nearer_than(sites, {"a": np.array(sorted(set(centres)), dtype=np.int64), "b": np.array([0])})
    slow = [min((abs(c - p) for c in centres), default=1 << 62) for p in positions]
    assert found.tolist() == slow


def data_of(world: Path, genome: object, **more: object) -> FactorData:
    rows = read_peaks(world / "peaks.bed", genome.lengths)  # type: ignore[attr-defined]
    split = Split.of(NAMES, validation=("two",), test=("three",))
    return FactorData(genome, centres_by_factor(rows, least=3), split, **more)  # type: ignore[arg-type]


def test_a_window_is_bound_near_a_centre_unknown_farther_off_and_else_unbound(world: Path) -> None:
    with open_genome(world / "genome.fa") as genome:
        data = data_of(world, genome, near=25, far=80)
        assert data.factors == ("Abc1", "Xyz2")
        # Abc1 at 300 and 700, Xyz2 at 500
        sites = Sites(NAMES, np.zeros(5, np.int32), np.array([325, 326, 380, 381, 500]), np.zeros(5, bool))
        assert data.labels(sites)[:, 0].tolist() == [BOUND, UNKNOWN, UNKNOWN, UNBOUND, UNBOUND]
        assert data.labels(sites)[:, 1].tolist() == [UNBOUND, UNBOUND, UNBOUND, UNBOUND, BOUND]


def test_windows_are_drawn_anew_every_epoch_alike_for_one_seed_and_never_on_excluded_stretches(world: Path) -> None:
    with open_genome(world / "genome.fa") as genome:
        data = data_of(world, genome, excluded=(Interval("one", 0, 6_000),))
        drawn = [data.draw("train", 2.0, [1, epoch])[0] for epoch in (0, 0, 1)]
        assert drawn[0].position.tolist() == drawn[1].position.tolist() != drawn[2].position.tolist()
        anywhere = data.anywhere("train", 500, [3])
        assert anywhere.position.min() >= 6_000
        assert len(anywhere) == 500
        assert len(drawn[0]) == 3 * len(data.sites("train"))
        batches = FactorBatches(data, "train", 105, 2.0, 50, 1)
        targets = np.concatenate([target for _, target in batches.batches(0)])
        assert targets.shape == (len(drawn[0]), 2)
        assert set(np.unique(targets)) == {UNKNOWN, UNBOUND, BOUND}


@pytest.mark.parametrize(
    ("more", "status", "text"),
    [
        (["--min-peaks", "500"], 3, "no factor has enough peaks"),
        (["--factors", "Nope"], 2, "no peak is of a factor that was asked for"),
        (["--factors", "Few3", "--validation", "three", "--test", "one"], 2, "a sequence cannot be"),
        (["--factors", "Few3", "--exclude", "two:5000-5100"], 3, "there is no peak of Few3 in the validation part"),
        (["--with-motif"], 2, "--with-motif needs motifs"),
        (["--exclude", "one:1-12000"], 2, "no sequence is left for train"),
        (["--factors", "Few3", "--epochs", "1"], 3, "no factor is good enough"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    world: Path, tmp_path: Path, more: list[str], status: int, text: str
) -> None:  # fmt: skip
    result = train(world, tmp_path / "out", *more)
    assert isinstance(result.exception, TrackgenError)
    assert result.exception.exit_status == status
    assert text in str(result.exception)


def test_a_factors_calibration_is_that_of_the_general_search() -> None:
    random = np.random.default_rng(1)
    bound = random.random(4000) < 0.02
    scores = (1.7 * (random.normal(size=4000) + 2 * bound)).astype(np.float32)
    labels = np.where(bound, BOUND, UNBOUND).astype(np.int8)
    found = _calibration(scores, labels)
    both = np.stack([np.zeros(4000), scores], axis=1)
    counts = np.bincount(bound.astype(np.int64))
    wanted = fit_calibration(both, bound.astype(np.int64), prior_shift(np.array([1, 1]), counts))
    assert found.scale == pytest.approx(wanted.scale, rel=1e-5)
    assert found.shift == pytest.approx(wanted.shift, rel=1e-5)
