"""``trackgen explain`` from files to files; tfmodisco and tomtom stand aside but where a test is about them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pybigtools
import pytest
from click.testing import Result

from tests.learn.commands import run
from tests.learn.conftest import INITIATOR, World
from tests.learn.explain_model import SITE, WIDTH, WINDOW, pattern, tss_model
from trackgen.card import read_card
from trackgen.errors import DataError, ModelError, TrackgenError, UsageError
from trackgen.learn.explain import motifs as motifs_module
from trackgen.learn.explain import tss_sections
from trackgen.learn.explain.modisco import Pattern, Seqlets
from trackgen.resources import shipped_models

RECORDED: list[tuple[np.ndarray, np.ndarray]] = []


def fake_patterns(one_hot: np.ndarray, hypothetical: np.ndarray, *, keep: Path | None = None, **rest: Any) -> Any:
    """One pattern: the initiator in the middle of every window."""
    RECORDED.append((one_hot, hypothetical))
    if keep is not None:
        keep.write_bytes(b"of tfmodisco")
    count, first = len(one_hot), SITE - 7
    reverse = np.zeros(count, dtype=bool)
    start = np.full(count, first)
    seqlets = Seqlets(np.arange(count), start, start + WIDTH, reverse, np.full(count, 2.5))
    frequencies = pattern().astype(np.float64)
    return [Pattern("positive_0", frequencies, frequencies, seqlets, (1, WIDTH))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tss_model(tmp_path_factory.mktemp("toy"), held_out=["three"], min_count=1.0)


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> None:
    RECORDED.clear()
    for module in (tss_sections, motifs_module):
        monkeypatch.setattr(module, "find_patterns", fake_patterns)


def explain_tss(world: World, model: Path, output: Path, *more: str | Path) -> Result:
    return run(
        "explain", "tss", model, world.genome, "--clusters", world.clusters(), "--counts", world.counts(),
        "-o", output, "--steps", "30", "-t", "1", "-q", *more,
    )  # fmt: skip


@pytest.mark.usefixtures("aside")
def test_a_tss_model_is_explained_on_one_page(world: World, model: Path, tmp_path: Path) -> None:
    result = explain_tss(world, model, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "out" / "report.html")
    text = (tmp_path / "out" / "report.html").read_text()
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", text)
    assert titles == [
        "What was explained", "Filters", "What activates the filters", "Inputs that maximise a class",
        "DeepLIFT contributions around the TSS", "What is left when only a part is shown",
        "Motifs in the contributions", "Motifs in the sequences alone",
    ]  # fmt: skip
    assert "No motif database was given" in text
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    assert figures["windows"]["judged"] == ["three"]
    assert figures["windows"]["held_out"] == [270, 20, 10]
    assert figures["windows"]["contributions"] == {"sharp": 60, "broad": 30}
    (fired,) = (row for row in figures["filters"]["filters_weight"] if row["filter"] == 1)
    # all start sites have the initiator whole, and those background windows that lie beside one
    assert fired["shares"][1:] == [1.0, 1.0]
    assert fired["shares"][0] < 0.2
    assert figures["occlusion"]["zeros"]["entire window"]["background"]["auroc"] > 0.95
    assert figures["occlusion"]["zeros"]["TATA region (-35 to -20)"]["background"]["auroc"] == 0.5
    assert figures["occlusion"]["zeros"]["centre (-10 to +10)"]["background"]["auroc"] > 0.95
    contributions = figures["contributions"]["sharp"]
    # the filter reads -7 to +7 alone
    assert contributions["centre"] == pytest.approx(contributions["entire window"], rel=1e-4)
    assert contributions["TATA region"] == pytest.approx(0, abs=1e-6)
    assert figures["patterns"]["sharp"][0]["consensus"] == INITIATOR[1:]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html", "report.json", "filters.meme", "motifs.meme", "sharp.modisco.h5", "broad.modisco.h5",
    }  # fmt: skip


@pytest.mark.usefixtures("aside")
@pytest.mark.slow
def test_the_same_explanation_is_the_same_page(world: World, model: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert explain_tss(world, model, tmp_path / name).exit_code == 0
    first, second = (tmp_path / name / "report.html" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_a_report_stands_where_tfmodisco_fails(
    world: World, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **rest: Any) -> Any:
        raise TrackgenError("tfmodisco-lite failed", found="too few")

    monkeypatch.setattr(tss_sections, "find_patterns", fail)
    result = explain_tss(world, model, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "tfmodisco-lite failed; found too few." in (tmp_path / "out" / "report.html").read_text()


def test_a_model_of_another_kind_is_refused(world: World, tmp_path: Path) -> None:
    other = tss_model(tmp_path, classes=("background", "bound"))
    error = explain_tss(world, other, tmp_path / "out").exception
    assert isinstance(error, ModelError)
    assert (error.exit_status, error.path) == (4, str(other))
    assert "this is no model of transcription start sites" in str(error)
    assert "classes background, bound" in str(error)
    binding = explain_tss(world, shipped_models()["reb1-yeast"], tmp_path / "out").exception
    assert isinstance(binding, ModelError)


def test_held_out_sequences_must_be_known(world: World, tmp_path: Path) -> None:
    silent = tss_model(tmp_path)
    error = explain_tss(world, silent, tmp_path / "out").exception
    assert isinstance(error, UsageError)
    assert "names no held-out sequence of this genome; found none. Say with --test" in str(error)
    wrong = explain_tss(world, silent, tmp_path / "out", "--test", "four").exception
    assert isinstance(wrong, UsageError)
    assert "--test: the sequence four is not in the genome; wanted one, two, three" in str(wrong)


def test_a_missing_motif_file_is_refused_before_any_work(world: World, model: Path, tmp_path: Path) -> None:
    error = explain_tss(world, model, tmp_path / "out", "--motifs", tmp_path / "no.meme").exception
    assert isinstance(error, DataError)
    assert (error.exit_status, "the motif file does not exist" in str(error)) == (3, True)
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_a_file_is_refused(world: World, model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    error = explain_tss(world, model, tmp_path / "out").exception
    assert isinstance(error, UsageError)
    assert "the output folder can't be made" in str(error)


def test_explaining_imports_no_pytorch() -> None:
    code = (
        "import sys, pkgutil, importlib, trackgen.learn.explain as package\n"
        "names = [entry.name for entry in pkgutil.iter_modules(package.__path__)]\n"
        "[importlib.import_module(f'{package.__name__}.{name}') for name in names]\n"
        "assert len(names) > 20 and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def explain_motifs(world: World, model: Path, output: Path, *more: str | Path) -> Result:
    return run("explain", "motifs", model, world.genome, "-o", output, "-t", "1", "-q", *more)


@pytest.mark.usefixtures("aside")
def test_motifs_of_any_model_come_with_their_hits_on_the_genome(world: World, model: Path, tmp_path: Path) -> None:
    rows = [f"{p.name}\t{p.dominant}\t{p.dominant + 1}\t.\t{p.count}\t{p.strand}" for p in world.planted]
    bed = world.write("sites.bed", rows)
    result = explain_motifs(world, model, tmp_path / "out", "--regions", bed, "--class", "broad")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.html", "report.json", "patterns.h5", "patterns.meme",
        "toy.broad.motifs.bed", "toy.broad.motifs.bb", "toy.broad.motifs.json",
    }  # fmt: skip
    ((windows, hypothetical),) = RECORDED
    assert windows.shape == hypothetical.shape == (90, 4, WINDOW)
    assert (windows[:, :, SITE - 7 : SITE - 7 + WIDTH] == pattern()).all()
    # against the reference, what the four bases would contribute has a mean of zero
    reference = np.array(read_card(model).reference.values)
    assert np.abs((hypothetical * reference[None, :, None]).sum(axis=1)).max() < 1e-5
    reader = pybigtools.open(str(tmp_path / "out" / "toy.broad.motifs.bb"))
    hits = {(name, *record[:2], record[4]) for name in reader.chroms() for record in reader.records(name)}
    # the core is the initiator without its first base: -6 to +7 around the TSS
    assert hits == {
        (p.name, p.dominant - 6, p.dominant + 8, "+") if p.strand == "+" else
        (p.name, p.dominant - 7, p.dominant + 7, "-") for p in world.planted
    }  # fmt: skip


def test_windows_must_be_given_in_one_way(world: World, model: Path, tmp_path: Path) -> None:
    for more, found in (((), "neither"), (("--run", tmp_path, "--regions", tmp_path / "x.bed"), "both")):
        error = explain_motifs(world, model, tmp_path / "out", *more).exception
        assert isinstance(error, UsageError)
        assert f"say which windows to explain, in one way; found {found}" in str(error)


def test_a_class_that_the_model_lacks_is_refused(world: World, model: Path, tmp_path: Path) -> None:
    error = explain_motifs(world, model, tmp_path / "out", "--class", "bound", "--run", tmp_path).exception
    assert isinstance(error, UsageError)
    assert "model toy has no such class; found bound; wanted background, sharp, broad" in str(error)


def test_a_signal_that_the_model_needs_is_asked_for(world: World, tmp_path: Path) -> None:
    bed = world.write("any.bed", ["one\t5000\t5001\t.\t1\t+"])
    error = explain_motifs(world, Path("reb1-yeast"), tmp_path / "out", "--regions", bed).exception
    assert isinstance(error, UsageError)
    assert "model reb1-yeast reads signals that no file is given for; found no file for atac" in str(error)


@pytest.mark.slow
def test_all_of_it_runs_with_the_programs_of_the_field(world: World, model: Path, tmp_path: Path) -> None:
    """With tfmodisco and tomtom themselves, which compile themselves at their first run: minutes."""
    rows = " ".join
    text = "MEME version 4\n\nALPHABET= ACGT\n\n"
    random = np.random.default_rng(0)
    motifs = {f"M{n}": random.dirichlet([0.3] * 4, 10) for n in range(40)} | {"INITIATOR": pattern().T}
    for name, matrix in motifs.items():
        lines = "".join(rows(f"{value:.6f}" for value in row) + "\n" for row in matrix)
        text += f"MOTIF {name}\n\nletter-probability matrix: alength= 4 w= {len(matrix)} nsites= 9 E= 0\n{lines}\n"
    (tmp_path / "db.meme").write_text(text)
    result = explain_tss(world, model, tmp_path / "out", "--motifs", tmp_path / "db.meme")
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "out" / "report.json").read_text())
    (fired,) = (row for row in figures["filters"]["filters_weight"] if row["filter"] == 1)
    assert fired["matches"][0] == "INITIATOR"
