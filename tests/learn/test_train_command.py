"""``trackgen train tss`` and ``trackgen export`` from files to files, in the form of FANTOM5's CAGE clusters."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.learn.commands import run
from tests.learn.conftest import World
from trackgen.card import read_card
from trackgen.errors import DataError, UsageError


def train(world: World, output: Path, *more: str | Path) -> Result:
    return run(
        "train", "tss", "--genome", world.genome, "-o", output, "--validation", "two", "--test", "three",
        "--exclude", "one:1-100", "--epochs", "3", "--batch-size", "32", "-t", "1", "-q", *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "tss-toy"
    result = train(world, output, "--clusters", world.cage(), "--title", "Toy", "--data", "Made up.")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(output / "model.onnx")
    return output


@pytest.mark.slow
def test_cage_clusters_train_a_model_with_its_card_and_report(trained: Path) -> None:
    card = read_card(trained / "model.onnx")
    assert (card.name, card.title, card.window, card.strands) == ("tss-toy", "Toy", 200, "both")
    assert [(c.name, c.track, c.color) for c in card.classes] == [
        ("background", False, None), ("sharp", True, "200,30,30"), ("broad", True, "30,30,200"),
    ]  # fmt: skip
    assert all(c.threshold is not None for c in card.classes if c.track)
    assert card.training["split"] == {"train": ["one"], "validation": ["two"], "test": ["three"]}
    assert card.training["examples"]["test"]["background"] == 270
    figures = json.loads((trained / "report" / "metrics.json").read_text())
    assert set(figures["windows"]) == {"net", "kmer", "positional"}
    assert figures["every_base"]["net"]["test"]["bases"] == 2 * (20_000 - 61)
    sums = figures["every_base"]["net"]["validation"]["sums"]["tss"]
    assert sums["sum"] == pytest.approx(sums["sites"], rel=1e-3)
    assert {path.name for path in (trained / "report").glob("*.png")} == {
        "confusion.png", "history.png", "precision_recall.png", "reliability.png",
    }  # fmt: skip
    with open(trained / "metrics.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3


def test_the_readme_says_how_to_make_it_again_without_folders_of_this_machine(trained: Path, world: World) -> None:
    text = (trained / "README.md").read_text()
    assert "trackgen train tss" in text
    assert "--genome genome.fa" in text
    assert "--output tss-toy" in text
    assert str(world.folder) not in text
    assert str(trained) not in text


def test_export_makes_the_same_model_again(trained: Path, tmp_path: Path) -> None:
    result = run("export", trained / "model.pt", "-o", tmp_path / "again.onnx")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def test_export_takes_another_card(trained: Path, tmp_path: Path) -> None:
    values = read_card(trained / "model.onnx").to_dict() | {"title": "Another"}
    (tmp_path / "card.json").write_text(json.dumps(values))
    run("export", trained / "model.pt", "-o", tmp_path / "again.onnx", "--card", tmp_path / "card.json")
    assert read_card(tmp_path / "again.onnx").title == "Another"


@pytest.mark.slow
def test_resuming_a_finished_run_gives_the_same_model(trained: Path, world: World, tmp_path: Path) -> None:
    output = tmp_path / "tss-toy"
    settings = ("--clusters", world.cage(), "--title", "Toy", "--data", "Made up.")
    train(world, output, *settings, "--epochs", "2")
    result = train(world, output, *settings, "--resume")
    assert result.exit_code == 0, result.output
    assert (output / "model.onnx").read_bytes() == (trained / "model.onnx").read_bytes()


def test_an_output_folder_with_another_run_is_refused(trained: Path, world: World) -> None:
    result = train(world, trained, "--clusters", world.cage())
    assert isinstance(result.exception, UsageError)
    assert "the output folder is not empty" in str(result.exception)


def test_clusters_without_dominant_tss_are_refused_with_the_remedy(world: World, tmp_path: Path) -> None:
    result = train(world, tmp_path / "out", "--clusters", world.clusters())
    assert isinstance(result.exception, DataError)
    assert "--counts" in str(result.exception)


def test_a_minimum_that_no_cluster_reaches_is_refused(world: World, tmp_path: Path) -> None:
    result = train(world, tmp_path / "out", "--clusters", world.cage(), "--min-count", "1000")
    assert isinstance(result.exception, DataError)
    assert "no cluster is left" in str(result.exception)
    assert not (tmp_path / "out").exists()
