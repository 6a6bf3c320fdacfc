"""The wheel in an environment of its own: shipped models and templates are inside, and a scan runs from anywhere."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from tests.source import ROOT

SOURCES = (
    "trackgen",
    "hub_templates",
    "exported_models",
    "plugins",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
LEFTOVERS = shutil.ignore_patterns("__pycache__", "assets", "node_modules", "cache")


def run(*command: object, folder: Path) -> str:
    """Run a command outside of the checkout, with nothing of this environment in its way; its stdout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRACKGEN"))}
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources, so that nothing left over in the checkout gets into it."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=LEFTOVERS)
        else:
            shutil.copy(ROOT / name, copy / name)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", copy / "dist", copy, folder=copy)
    (path,) = (copy / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``trackgen`` in a new environment that holds the wheel with the extra cpu, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "-c", ROOT / "constraints.txt", f"{wheel}[cpu]", folder=environment)
    return environment / "bin" / "trackgen"


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 3000))
    path = tmp_path / "genome.fa"
    path.write_text(f">chrA\n{letters}\n>chrB\n{letters[:7]}\n")
    return path


@pytest.fixture
def atac(tmp_path: Path) -> Path:
    """A signal on half of one sequence, for the shipped model that reads one."""
    path = tmp_path / "atac.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([("chrA", 3000), ("chrB", 7)])
        file.addEntries(["chrA"], [500], ends=[2000], values=[3.0])
    return path


def test_the_wheel_holds_every_module_and_every_shipped_file(wheel: Path) -> None:
    found = set(zipfile.ZipFile(wheel).namelist())
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "trackgen").rglob("*.py")}
    wanted |= {f"trackgen/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "exported_models").glob("*/*.*")}
    wanted |= {f"trackgen/hub_templates/{path.name}" for path in (ROOT / "hub_templates").iterdir()}
    wanted |= {f"trackgen/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "plugins").glob("*/trackgen-*.js")}
    assert "trackgen/plugins/jbrowse/trackgen-jbrowse.js" in wanted
    assert wanted - found == set()
    assert {name.partition("/")[0] for name in found if ".dist-info" not in name} == {"trackgen"}


def test_setup_cfg_names_every_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    named = set(config["options"]["packages"].split())
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "trackgen").rglob("__init__.py")}
    assert named == found | {
        "trackgen.exported_models",
        "trackgen.hub_templates",
        "trackgen.plugins.igv",
        "trackgen.plugins.jbrowse",
    }


def test_an_installed_trackgen_scans_from_an_empty_folder(
    program: Path, genome: Path, atac: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    names = [line.split("\t")[0] for line in run(program, "model", "list", folder=empty).splitlines()]
    assert names, "no shipped models"
    options = ("--signal", f"atac={atac}", "--stride", "25", "-t", "1")
    run(program, "scan", *names, genome, "-o", "tracks", *options, folder=empty)
    report = json.loads((empty / "tracks" / "run.json").read_text())
    assert [model["name"] for model in report["models"]] == names
    assert all((empty / "tracks" / track["file"]).stat().st_size for track in report["tracks"])


def test_an_installed_trackgen_builds_a_hub_from_its_templates(program: Path, genome: Path, tmp_path: Path) -> None:
    run(program, "scan", "tss-yeast", genome, "-o", "tracks", "--stride", "50", "-t", "1", folder=tmp_path)
    run(program, "hub", "build", "tracks", "-o", "hub", "--genome", genome, folder=tmp_path)
    assert (tmp_path / "hub" / "hub.txt").read_text().startswith("hub ")
    assert (tmp_path / "hub" / "index.html").is_file()


def test_the_doctor_of_an_installed_trackgen_finds_no_torch_and_can_scan(program: Path, tmp_path: Path) -> None:
    report = json.loads(run(program, "doctor", "--json", folder=tmp_path))
    assert report["can_scan"] is True
    found = {part["name"]: part["found"] for part in report["packages"]}
    assert found["torch"] is None
    assert found["starlette"] is None


def test_a_command_whose_extra_is_missing_names_it(program: Path, tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "index.html").write_text("")
    (tmp_path / "hub" / "hub.txt").write_text("")
    for words, extra in ((["serve", "hub"], "serve"), (["export", "model.pt", "-o", "model.onnx"], "train")):
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert f"pip install 'trackgen[{extra}]'" in done.stderr
        assert "Traceback" not in done.stderr
