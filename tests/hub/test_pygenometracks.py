"""The tracks file of pyGenomeTracks: as its reader of settings reads it, and as it draws it."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hub.conftest import Build
from tests.hub.made import GENES, HOSTILE, LONG, made_hub, relabelled
from trackgen.hub.pygenometracks import render_pygenometracks

VERSION = "3.9"
SHARP, BROAD, BARS = (200, 30, 30), (30, 30, 200), (80, 80, 80)


@pytest.fixture
def run(finished: Path) -> Path:
    return finished / "out"


def sections(text: str) -> configparser.ConfigParser:
    # As pygenometracks/tracksClass.py does, but strict: two sections of one name are an error here.
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser


def test_roles_decide_colour_scale_and_summary(run: Path) -> None:
    found = sections(render_pygenometracks(made_hub(run).genomes[0]))
    plus, minus = found["tss_mini_sharp_plus"], found["tss_mini_sharp_minus"]
    assert (plus["file"], plus["file_type"], plus["color"]) == ("tss-mini.sharp.plus.bw", "bigwig", "#c81e1e")
    assert (plus["min_value"], plus["max_value"], plus["summary_method"]) == ("0", "0.4", "max")
    assert ("orientation" in plus, minus["orientation"]) == (False, "inverted")
    assert found["tss_mini_sharp_plus_contrib"]["summary_method"] == "mean"
    threshold = found["tss_mini_sharp_plus threshold"]
    assert (threshold["y_values"], threshold["overlay_previous"]) == ("0.03", "share-y")


def test_there_are_no_more_bins_than_bases_which_would_leave_gaps(run: Path) -> None:
    found = sections(render_pygenometracks(made_hub(run).genomes[0]))
    assert found["tss_mini_sharp_plus"]["number_of_bins"] == "400"


def test_genes_stand_above_the_values_and_motif_hits_are_left_out(run: Path) -> None:
    genome = made_hub(run, genes=GENES, motifs=True).genomes[0]
    text = render_pygenometracks(genome)
    assert sections(text).sections()[:3] == ["x-axis", "genes", "tss_mini_sharp_plus"]
    # It cannot read bigBed.
    assert ".bb" not in text


@pytest.mark.parametrize("text", [HOSTILE, LONG, "%", "$x$", ""])
def test_labels_of_any_kind_are_titles_of_one_line_and_change_nothing_else(run: Path, text: str) -> None:
    hub = made_hub(run)
    tame = sections(render_pygenometracks(hub.genomes[0]))
    wild = sections(render_pygenometracks(relabelled(hub, text).genomes[0]))
    assert wild.sections() == tame.sections()
    for name in tame.sections():
        ours, theirs = dict(tame[name]), dict(wild[name])
        title = theirs.pop("title", "")
        ours.pop("title", "")
        assert ours == theirs
        # Between two dollars Matplotlib reads formulas, and fails on those that are none.
        assert "$" not in title.replace(r"\$", "")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pyGenomeTracks in an environment of its own: it brings many packages, some in versions that are not ours."""
    installed = shutil.which("pyGenomeTracks")
    if installed:
        return Path(installed)
    folder = tmp_path_factory.mktemp("pygenometracks")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    command = [folder / "bin" / "pip", "install", "--quiet", f"pyGenomeTracks=={VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"pyGenomeTracks {VERSION} cannot be installed: {done.stderr[-300:]}")
    return folder / "bin" / "pyGenomeTracks"


@pytest.mark.slow
class TestInPyGenomeTracks:
    def picture(self, program: Path, hub: Path, output: Path) -> tuple[np.ndarray | None, str]:
        command = [
            program,
            "--tracks",
            hub / "tracks.ini",
            "--region",
            "chrI:30318-30717",
            "-o",
            output,
            "--dpi",
            "100",
        ]
        environment = {**os.environ, "MPLBACKEND": "agg"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
        if not output.exists():
            return None, done.stderr
        with Image.open(output) as image:
            return np.asarray(image.convert("RGB")), done.stderr

    def test_it_reads_the_file_and_draws_every_track(self, program: Path, build: Build, tmp_path: Path) -> None:
        picture, messages = self.picture(program, build().path, tmp_path / "picture.png")
        assert picture is not None, messages
        # What it does not know it only warns of.
        assert "not used" not in messages
        assert "Deprecat" not in messages
        for color in (SHARP, BROAD, BARS):
            assert (picture == color).all(axis=2).sum() > 100, color

    def test_without_data_there_is_no_picture(self, program: Path, build: Build, tmp_path: Path) -> None:
        hub = build().path
        for path in hub.glob("*.bw"):
            path.unlink()
        picture, messages = self.picture(program, hub, tmp_path / "picture.png")
        assert picture is None
        assert "not found" in messages
