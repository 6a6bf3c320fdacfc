"""``trackgen train sequences`` from files to files, and a scan with the model that it makes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from tests.learn.commands import run
from trackgen.card import read_card
from trackgen.cli.train_sequences import public_set
from trackgen.errors import UsageError
from trackgen.genome import decode, encode, open_genome, open_signal, reverse_complement
from trackgen.learn.datasets.windows import one_hot
from trackgen.runtime import open_session

SITE = "GATAAGCC"
LENGTH, STEP, WINDOW = 24_000, 90, 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences with a site every 90 bp, on strands in turn, and a peak at each."""
    folder = tmp_path_factory.mktemp("sequences")
    random = np.random.default_rng(8)
    peaks, text = [], ""
    for name in ("one", "two"):
        codes = random.integers(0, 4, LENGTH).astype(np.uint8)
        for i, middle in enumerate(range(100, LENGTH - 100, STEP)):
            site = encode(SITE.encode())
            codes[middle - 4 : middle + 4] = site if i % 2 else reverse_complement(site)
            peaks.append(f"{name}\t{middle - 20}\t{middle + 20}\tToy\n")
        text += f">{name}\n{decode(codes)}\n"
    (folder / "genome.fa").write_text(text)
    (folder / "peaks.bed").write_text("".join(peaks))
    return folder


def train(world: Path, output: Path, *more: str | float | Path) -> Result:
    return run(
        "train", "sequences", "--set", f"{world / 'peaks.bed'}#Toy", "--genome", world / "genome.fa", "-o", output,
        "--window", WINDOW, "--test", "two", "--every", 40, "--batch-size", 50, "-t", 1, "-q", *more,
    )  # fmt: skip


def test_shuffles_drawn_anew_train_too_and_have_no_place_beside_real_windows(world: Path, tmp_path: Path) -> None:
    result = train(world, tmp_path / "new", "--steps", 120, "--architecture", "1layer", "--new-shuffles")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "new/report/metrics.json").read_text())["models"]["net"]["test"]["auroc"] > 0.8
    assert "--new-shuffles\n" in (tmp_path / "new/README.md").read_text(), "a flag has no value"
    refused = run("train", "sequences", "--set", "T=occupancy:p.bed,m.meme,T", "-o", tmp_path / "x", "--new-shuffles")
    assert isinstance(refused.exception, UsageError)
    assert "unbound sequences of this set are no shuffles; found --new-shuffles" in str(refused.exception)
    assert not (tmp_path / "x").exists()


@pytest.fixture(scope="module")
def trained(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "toy"
    result = train(world, output, "--steps", 160, "--architecture", "1layer")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output / "model.onnx")
    return output


def test_peaks_and_a_genome_train_a_classifier_with_its_card_and_report(trained: Path, world: Path) -> None:
    card = read_card(trained / "model.onnx")
    assert (card.name, card.window, card.bin, card.stride, card.strands) == ("toy", WINDOW, 10, 10, "average")
    assert (card.outputs[0].activation, [c.name for c in card.classes]) == ("sigmoid", ["bound"])
    bound = card.training["thresholds"]["bound"]
    assert card.classes[0].threshold == bound["threshold"]
    assert set(bound["validation"]) == {"precision", "recall", "called", "bound"}
    assert card.training["held_out"] == ["two"]
    figures = json.loads((trained / "report" / "metrics.json").read_text())
    assert figures["models"]["net"]["test"]["auroc"] > 0.9
    assert set(figures["models"]["compared"]) == {"net", "motif", "kmers"}
    text = (trained / "README.md").read_text()
    assert '--set "peaks.bed#Toy"' in text
    assert str(world) not in text
    for name in ("history.png", "precision_recall.png", "reliability.png"):
        assert (trained / "report" / name).stat().st_size > 1000


@pytest.mark.slow
def test_a_resumed_run_and_an_export_give_the_same_model(trained: Path, world: Path, tmp_path: Path) -> None:
    assert train(world, tmp_path / "toy", "--steps", 80, "--architecture", "1layer").exit_code == 0
    result = train(world, tmp_path / "toy", "--steps", 160, "--architecture", "1layer", "--resume")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "toy" / "model.onnx").read_bytes() == (trained / "model.onnx").read_bytes()
    run("export", trained / "model.pt", "-o", tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def test_a_softmax_of_a_longer_window_is_scanned(trained: Path, world: Path, tmp_path: Path) -> None:
    options = ("--architecture", "deepbind", "--activation", "softmax", "--scan-window", 80, "--stride", 20)
    assert train(world, tmp_path / "long", "--steps", 40, "--strands", "forward", *options).exit_code == 0
    card = read_card(tmp_path / "long" / "model.onnx")
    assert (card.window, card.stride, card.strands) == (80, 20, "forward")
    assert [(c.name, c.track) for c in card.classes] == [("unbound", False), ("bound", True)]
    result = run("scan", tmp_path / "long" / "model.onnx", world / "genome.fa", "-o", tmp_path / "out", "-q", "-t", "1",
                 "--chroms", "two", "--digits", "full", "--device", "cpu")  # fmt: skip
    assert result.exit_code == 0, result.output
    (track,) = (tmp_path / "out").glob("**/*.bw")
    starts = np.arange(1000, 3000, 20)
    with open_genome(world / "genome.fa") as genome, open_signal(track) as signal:
        codes = np.stack([genome.fetch("two", s - 30, s + 50) for s in starts.tolist()])
        values = np.array([signal.values("two", int(s), int(s) + 1)[0] for s in starts])
    session = open_session((tmp_path / "long" / "model.onnx").read_bytes(), device="cpu", threads=1)
    (wanted,) = session.run({"sequence": one_hot(codes)}, ["binding"])
    # dense and window by window: float32 sums of 24 x 4 terms in another order
    assert np.allclose(values, wanted[:, 1], rtol=0, atol=1e-5)


def test_a_net_may_start_from_the_motifs_of_a_file(world: Path, tmp_path: Path) -> None:
    rows = "".join(" ".join(f"{0.97 if base == letter else 0.01}" for base in "ACGT") + "\n" for letter in SITE)
    (tmp_path / "motifs.meme").write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\n"
        + "".join(f"MOTIF {name}\nletter-probability matrix: alength= 4 w= 8\n{rows}\n" for name in ("SITE", "OTHER"))
    )
    settings = ("--steps", 40, "--motifs", tmp_path / "motifs.meme", "--motif", "SITE", "--architecture", "rc_128motif")
    assert train(world, tmp_path / "net", *settings).exit_code == 0
    (row,) = csv.DictReader((tmp_path / "net" / "metrics.csv").read_text().splitlines())
    assert float(row["auroc"]) > 0.9


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--architecture", "5layer"), "unknown architecture of sequences; found 5layer; wanted 1layer"),
        (("--architecture", "1layer_local_win9", "--scan-window", "90"), "the weights of this net know the length"),
        (("--steps", "50"), "the steps are no multiple of those between looks at validation"),
        (("--architecture", "3layer_local_win3", "--window", "30"), "the sequences are too short"),
        (("--precision", "mixed"), "mixed precision runs on CUDA only; found device cpu"),
        (("--motif", "GATA"), "a motif was chosen, and no file of motifs; found --motif GATA"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused_and_leave_nothing(
    world: Path, tmp_path: Path, more: tuple[str, ...], message: str
) -> None:
    result = train(world, tmp_path / "toy", *more)
    assert isinstance(result.exception, UsageError)
    assert message in str(result.exception)
    assert result.exception.exit_status == 2
    assert not (tmp_path / "toy").exists()


def test_a_prevalence_calibrates_for_a_genome_by_its_own_windows(world: Path, tmp_path: Path) -> None:
    options = ("--window", 30, "--steps", 160, "--architecture", "1layer", "--prevalence", 0.01)
    result = train(world, tmp_path / "rare", *options)
    assert result.exit_code == 0, result.output
    card = read_card(tmp_path / "rare" / "model.onnx")
    assert "a genome of which 0.01 of the windows are bound" in card.description
    assert card.training["calibration"]["prevalence"] == 0.01
    figures = json.loads((tmp_path / "rare" / "report" / "metrics.json").read_text())
    test = figures["models"]["net"]["test"]
    assert test["bound"] == figures["data"]["sequences"]["test"]["bound"] < test["sequences"] / 10
    assert card.training["metrics"]["auroc"] == figures["models"]["compared"]["net"]["auroc"] != test["auroc"]
    text = (tmp_path / "rare" / "README.md").read_text()
    assert "Against windows of that genome away from those of the set the AUROC on test is" in text
    assert "--prevalence 0.01" in text


def test_a_sets_text_loses_the_folders_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRACKGEN_DATA", str(tmp_path))
    assert public_set(f"CTCF=zeng:{tmp_path}/a/b.fa+/else/c.fa") == "CTCF=zeng:$TRACKGEN_DATA/a/b.fa+c.fa"
    assert public_set("fasta:x.fa,y.fa") == "fasta:x.fa,y.fa"
