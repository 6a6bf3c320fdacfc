"""``trackgen train binding`` from files to files on a made-up genome, and a scan with the model that it makes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import Result

from tests.learn.commands import run
from trackgen.bigwig import BigWigWriter
from trackgen.card import read_card
from trackgen.errors import DataError, UsageError
from trackgen.genome import open_genome, open_signal, reverse_complement
from trackgen.learn.datasets.windows import one_hot
from trackgen.runtime import open_session

LENGTH, SITE = 12_000, "CGGGTAAC"
SITES = range(900, LENGTH - 500, 700)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sequences with a site every 700 bp; two in three of them are open, and only those are bound."""
    folder = tmp_path_factory.mktemp("binding")
    random = np.random.default_rng(8)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    peaks, text = [], ""
    with BigWigWriter(folder / "atac.bw", dict.fromkeys(("one", "two", "three"), LENGTH), stride=1) as writer:
        for name in ("one", "two", "three"):
            bases = letters[random.integers(0, 4, LENGTH)]
            open_ = random.random(LENGTH).astype(np.float32)
            for i, site in enumerate(SITES):
                bases[site - 4 : site + 4] = np.frombuffer(SITE.encode(), dtype=np.uint8)
                if i % 3:
                    open_[site - 150 : site + 150] += 8
                    peaks.append(f"{name}\t{site}\t{site + 1}\tToy\t{50 if i == 1 else 900}\t.\n")
            writer.add(name, 0, open_, np.zeros((0, 2), dtype=np.int64))
            text += f">{name}\n{bases.tobytes().decode()}\n"
    (folder / "genome.fa").write_text(text)
    (folder / "peaks.bed").write_text("".join(peaks))
    return folder


def train(world: Path, output: Path, *more: str | Path) -> Result:
    return run(
        "train", "binding", "--genome", world / "genome.fa", "--peaks", world / "peaks.bed",
        "--signal", f"atac={world / 'atac.bw'}", "-o", output, "--validation", "two", "--test", "three",
        "--exclude", "one:1-100", "--min-score", "100", "--batch-size", "32", "-t", "1", "-q",
        "--name", "toy", "--label", "Toy bound", *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "toy"
    result = train(world, output, "--epochs", "10")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output / "model.onnx")
    return output


def test_peaks_and_a_signal_train_a_model_with_its_card_and_report(trained: Path) -> None:
    card = read_card(trained / "model.onnx")
    assert (card.name, card.window, card.bin, card.stride, card.strands) == ("toy", 1000, 200, 50, "average")
    assert [(entry.name, entry.kind) for entry in card.inputs] == [("sequence", "sequence"), ("atac", "signal")]
    assert card.inputs[1].transform == (("log1p", ()),)
    assert (card.outputs[0].activation, [c.name for c in card.classes]) == ("sigmoid", ["bound"])
    assert card.classes[0].threshold == card.training["thresholds"]["bound"]["threshold"]
    assert card.training["split"] == {"train": ["one"], "validation": ["two"], "test": ["three"]}
    assert card.training["peaks"] == {"strong": 27, "weak": 3}
    assert [n.op_type for n in onnx.load(trained / "model.onnx").graph.node][-3:] == ["Mul", "Add", "Sigmoid"]
    figures = json.loads((trained / "report" / "metrics.json").read_text())
    assert set(figures["models"]) == {"net", "sequence", "motif", "signal", "motif_and_signal"}
    assert figures["models"]["net"]["test"]["auroc"] > 0.9
    assert figures["models"]["net"]["test"]["auprc"] > figures["models"]["motif"]["test"]["auprc"]
    # at its maximum the likelihood makes the probabilities add up to the bound bins
    validation = figures["models"]["net"]["validation"]
    assert validation["sum"] == pytest.approx(validation["bound"], rel=1e-3)
    for name in ("metrics.csv", "metrics-sequence.csv"):
        with open(trained / name, newline="") as file:
            assert len(list(csv.DictReader(file))) == 10


def test_the_readme_says_how_to_make_it_again_without_folders_of_this_machine(trained: Path, world: Path) -> None:
    text = (trained / "README.md").read_text()
    assert "trackgen train binding" in text
    assert "--signal atac=atac.bw" in text
    assert "--min-score 100" in text
    assert str(world) not in text
    assert "Peaks with a score below 100 (3 of them) are weak" in text


def test_without_a_signal_the_same_files_train_a_net_of_the_sequence_alone(world: Path, tmp_path: Path) -> None:
    words = [
        "train", "binding", "--genome", world / "genome.fa", "--peaks", world / "peaks.bed", "-o", tmp_path / "alone",
        "--validation", "two", "--test", "three", "--epochs", "3", "--batch-size", "32", "-t", "1", "-q",
    ]  # fmt: skip
    refused = run(*words, "--architecture", "binding-thesis")
    assert isinstance(refused.exception, UsageError)
    assert "the net does not fit the data; found binding-thesis without a signal" in str(refused.exception)
    result = run(*words)
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "alone" / "model.onnx")
    assert [entry.name for entry in card.inputs] == ["sequence"]
    assert "the signal" not in card.description
    figures = json.loads((tmp_path / "alone" / "report" / "metrics.json").read_text())
    assert set(figures["models"]) == {"net", "motif"}
    assert "the signal" not in (tmp_path / "alone" / "README.md").read_text()
    run("export", tmp_path / "alone" / "model.pt", "-o", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "alone" / "model.onnx").read_bytes()


@pytest.mark.slow
def test_the_same_run_and_a_resumed_one_give_the_same_model(trained: Path, world: Path, tmp_path: Path) -> None:
    train(world, tmp_path / "toy", "--epochs", "6")
    result = train(world, tmp_path / "toy", "--epochs", "10", "--resume")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "toy" / "model.onnx").read_bytes() == (trained / "model.onnx").read_bytes()
    run("export", trained / "model.pt", "-o", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def test_a_scan_gives_the_mean_of_both_orientations_at_every_bin(trained: Path, world: Path, tmp_path: Path) -> None:
    result = run(
        "scan", trained / "model.onnx", world / "genome.fa", "-o", tmp_path / "out", "--chroms", "three",
        "--signal", f"atac={world / 'atac.bw'}", "--device", "cpu", "-t", "1", "--digits", "full", "-q",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    starts = np.arange(400, 11_000, 50)
    with open_genome(world / "genome.fa") as genome, open_signal(world / "atac.bw") as atac:
        codes = np.stack([genome.fetch("three", s - 400, s + 600) for s in starts])
        signal = np.log1p(np.stack([atac.values("three", s - 400, s + 600) for s in starts]))[:, None, :]
    turned = np.stack([reverse_complement(row) for row in codes])
    session = open_session(trained / "model.onnx", device="cpu", threads=1)
    plus = session.run({"sequence": one_hot(codes), "atac": signal})[0][:, 0]
    minus = session.run({"sequence": one_hot(turned), "atac": np.ascontiguousarray(signal[:, :, ::-1])})[0][:, 0]
    with open_signal(tmp_path / "out" / "toy.bound.bw") as track:
        # the 50 bases in the middle of each bin
        found = track.values("three", 0, LENGTH)[starts + 100]
        assert track.values("three", 475, 525).std() == 0
    # the bar of the product for probabilities
    np.testing.assert_allclose(found, (plus + minus) / 2, atol=1e-5)


def test_bad_options_are_refused_and_leave_no_folder(world: Path, tmp_path: Path) -> None:
    refusals = {
        "no peak is left": ("--min-score", "2000"),
        "unknown architecture": ("--architecture", "tss-thesis"),
        "peaks have a width": ("--peak-width", "0"),
        "the signal file does not exist": ("--signal", f"atac={world / 'none.bw'}"),
    }
    for message, words in refusals.items():
        result = train(world, tmp_path / "out", *words)
        assert isinstance(result.exception, DataError | UsageError), result.output
        assert message in str(result.exception)
        assert not (tmp_path / "out").exists()


def test_an_output_folder_with_another_run_is_refused(trained: Path, world: Path) -> None:
    result = train(world, trained)
    assert isinstance(result.exception, UsageError)
    assert "the output folder is not empty" in str(result.exception)
