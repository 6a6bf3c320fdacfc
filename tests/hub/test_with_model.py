"""Models in a hub: which files are taken, what the hub holds then, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.hub.conftest import Notes
from tests.models import small_model
from tests.plugins.protocol.schemas import fits
from trackgen.cli.hub import command
from trackgen.errors import ModelError, UsageError
from trackgen.hub import HubReport, build_hub
from trackgen.hub.check import check_hub
from trackgen.live.page_model import NotForPages
from trackgen.progress import NullProgress
from trackgen.resources import ONNX_RUNTIME, find_model
from trackgen.scan import ScanOptions, run_scan

LENGTHS = {"chrA": 900, "chrB": 50}
Live = Callable[..., HubReport]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a genome, two models that do not ship, and runs: of a shipped model, of one, of both of them."""
    folder = tmp_path_factory.mktemp("scanned")
    random = np.random.default_rng(4)
    letters = {name: "".join(random.choice([*"ACGT"], length)) for name, length in LENGTHS.items()}
    (folder / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    (folder / "other.fa").write_text(f">chrX\n{letters['chrA'][:500]}\n")
    own = small_model(folder, name="own", classes=("one", "two"), activation="none").path
    profile = small_model(folder, name="profile", bin_=10, positions=5, activation="none", classes=("up", "down")).path
    runs = {"tss": ["tss-yeast"], "own": [str(own)], "both": [str(own), str(profile)], "profile": [str(profile)]}
    for name, models in {**runs, "foreign": [str(own)]}.items():
        genome = folder / ("other.fa" if name == "foreign" else "g.fa")
        run_scan(ScanOptions(models=tuple(models), genome=genome, output=folder / name, threads=1), NullProgress())
    return folder


@pytest.fixture
def live(scanned: Path, tmp_path: Path, notes: Notes) -> Live:
    """``live("tss", "own", models=[...])``: a hub of these runs with their models."""

    def live(*runs: str, models: tuple[str, ...] = (), genomes: tuple[str, ...] = ("g.fa",)) -> HubReport:
        return build_hub(
            [scanned / run for run in runs],
            tmp_path / "hub",
            genome=[str(scanned / name) for name in genomes],
            email="me@example.org",
            url=None,
            progress=notes,
            models=[scanned / name for name in models],
        )

    return live


def test_the_hub_holds_graphs_runtime_description_and_page_and_is_sound(live: Live, notes: Notes) -> None:
    report = live("tss")
    folder = report.path
    description = json.loads((folder / "live.json").read_text())
    fits("description", description)
    (model,) = description["models"]
    for kind in ("predictions", "contributions"):
        assert (folder / model["page"][kind]["file"]).stat().st_size == model["page"][kind]["bytes"]
    assert description["genome"] == {"id": "g", "lengths": LENGTHS}
    assert "live.html" in report.pages
    names = {path.name for path in folder.iterdir()}
    assert {"trackgen-model.js", "trackgen-model-worker.js", "trackgen-engine.js", "live.html"} <= names
    manifest = json.loads((folder / "trackgen.json").read_text())
    assert set(manifest["files"]) == names
    assert [finding for finding in check_hub(str(folder)).findings if finding.severity != "note"] == []
    assert any(text.startswith("tss-yeast runs in the live page: 1.18 MB of graphs") for text in notes.texts)


def test_both_pages_with_a_browser_lead_to_the_live_one(live: Live) -> None:
    folder = live("tss").path
    for name in ("index.html", "jbrowse.html"):
        assert (folder / name).read_text().count('<a href="live.html" data-page="live.html">Live</a>') == 1
    assert "$" not in (folder / "live.html").read_text()


def test_the_runtime_is_in_the_hub_where_it_is_installed_and_else_at_a_public_address(
    live: Live, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    monkeypatch.setattr("trackgen.resources.browser_assets", lambda: assets)
    folder = live("tss").path
    assert not (folder / ONNX_RUNTIME.file).exists()
    assert any(text.startswith("onnxruntime-web is not installed here (make assets)") for text in notes.texts)
    runtime = json.loads((folder / "live.json").read_text())["runtime"]
    assert runtime["wasm"]["address"] == ONNX_RUNTIME.address.removesuffix(ONNX_RUNTIME.file)
    assert runtime["version"] == ONNX_RUNTIME.version
    for name in ONNX_RUNTIME.files:
        (assets / name).write_text(name)
    folder = live("tss").path
    assert {name: (folder / name).read_text() for name in ONNX_RUNTIME.files} == {n: n for n in ONNX_RUNTIME.files}
    wasm = json.loads((folder / "live.json").read_text())["runtime"]["wasm"]
    assert (wasm["script"], wasm["module"], wasm["wasm"]) == (ONNX_RUNTIME.file, *ONNX_RUNTIME.others)


def test_models_that_do_not_ship_are_given_as_files(live: Live) -> None:
    description = json.loads((live("tss", "own", models=("own.onnx",)).path / "live.json").read_text())
    assert [model["name"] for model in description["models"]] == ["tss-yeast", "own"]


def test_a_model_that_cannot_run_in_a_page_is_left_out_with_the_reason(live: Live, notes: Notes) -> None:
    folder = live("both", models=("own.onnx", "profile.onnx")).path
    assert [model["name"] for model in json.loads((folder / "live.json").read_text())["models"]] == ["own"]
    assert any("not in the live page: " in text and "model profile predicts profiles" in text for text in notes.texts)
    assert not list(folder.glob("profile.*.onnx"))


def test_where_no_model_can_run_in_a_page_the_hub_is_refused_and_the_old_one_stays(live: Live) -> None:
    folder = live("tss").path
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(NotForPages, match="model profile predicts profiles, which a page does not draw") as caught:
        live("profile", models=("profile.onnx",))
    assert caught.value.exit_status == 4
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_model_whose_file_nobody_knows_is_told_and_refused_where_it_is_the_only_one(live: Live, notes: Notes) -> None:
    live("tss", "own")
    assert any("the file of model own is not known" in text for text in notes.texts)
    with pytest.raises(NotForPages, match=r"run\.json: the file of model own is not known; wanted the file with"):
        live("own")


def test_a_file_that_is_not_the_model_of_the_run_is_refused_with_both_digests(
    live: Live, scanned: Path, tmp_path: Path
) -> None:
    other = small_model(tmp_path, name="own", classes=("one", "two"), activation="none", seed=1).path
    shutil.copyfile(other, scanned / "changed.onnx")
    with pytest.raises(ModelError) as caught:
        live("own", models=("changed.onnx",))
    text = str(caught.value)
    digest = json.loads((scanned / "own" / "run.json").read_text())["models"][0]["sha256"]
    assert "changed.onnx: this is not the model own that the tracks were made with; found sha256 " in text
    assert f"wanted sha256 {digest[:16]}, as in {scanned / 'own' / 'run.json'}" in text
    assert caught.value.exit_status == 4


def test_two_models_of_one_name_are_refused_with_both_runs(live: Live, scanned: Path, tmp_path: Path) -> None:
    shutil.copytree(scanned / "own", scanned / "newer")
    record = json.loads((scanned / "newer" / "run.json").read_text())
    digest = record["models"][0]["sha256"]
    record["models"][0]["sha256"] = "f" * 64
    (scanned / "newer" / "run.json").write_text(json.dumps(record))
    with pytest.raises(ModelError) as caught:
        live("own", "newer", models=("own.onnx",))
    text = str(caught.value)
    assert f"{scanned / 'newer' / 'run.json'}: the runs are of two models of the name own, and a live page has" in text
    assert f"found sha256 {'f' * 16}; wanted sha256 {digest[:16]}, as in {scanned / 'own' / 'run.json'}" in text
    assert caught.value.exit_status == 4
    assert not (tmp_path / "hub").exists()


def test_a_shipped_model_that_has_changed_since_the_scan_is_refused(
    live: Live, scanned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackgen.resources.shipped_models", lambda: {"tss-yeast": scanned / "own.onnx"})
    with pytest.raises(ModelError, match="this is not the model tss-yeast that the tracks were made with"):
        live("tss")


def test_a_file_of_no_runs_model_is_refused(live: Live) -> None:
    with pytest.raises(UsageError) as caught:
        live("tss", models=("own.onnx",))
    assert "own.onnx, --model: no run is of this model; found own; wanted tss-yeast" in str(caught.value)
    assert caught.value.exit_status == 2


def test_each_genome_of_a_hub_has_its_own_models(live: Live) -> None:
    folder = live("tss", "foreign", models=("own.onnx",), genomes=("g.fa", "other.fa")).path
    first, second = (json.loads((folder / name).read_text()) for name in ("live.json", "live.other.json"))
    assert [model["name"] for model in first["models"]] == ["tss-yeast"]
    assert [model["name"] for model in second["models"]] == ["own"]
    assert second["genome"] == {"id": "other", "lengths": {"chrX": 500}}


def test_without_the_option_there_is_no_live_page(scanned: Path, tmp_path: Path) -> None:
    arguments = ["build", str(scanned / "tss"), "-o", str(tmp_path / "hub"), "--genome", str(scanned / "g.fa"), "-q"]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    names = {path.name for path in (tmp_path / "hub").iterdir()}
    assert not names & {"live.html", "live.json", ONNX_RUNTIME.file}
    assert "live.html" not in (tmp_path / "hub" / "index.html").read_text()


def test_the_command_takes_models_from_files(scanned: Path, tmp_path: Path) -> None:
    arguments = ["build", str(scanned / "own"), "-o", str(tmp_path / "hub"), "--genome", str(scanned / "g.fa")]
    done = CliRunner().invoke(command, [*arguments, "--model", str(find_model("tss-yeast"))])
    assert isinstance(done.exception, UsageError)
    assert "--model: the option is for models in the hub; wanted --with-model beside it" in str(done.exception)
    done = CliRunner().invoke(command, [*arguments, "--with-model", "--model", str(scanned / "own.onnx")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "hub" / "own.predictions.onnx").is_file()
