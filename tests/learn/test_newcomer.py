"""The first hour of a newcomer: the commands of the README's "Your own factor", word by word, on peaks and a genome."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from trackgen.cli.main import root

README = Path(__file__).parents[2] / "README.md"
LENGTH, SITE = 20_000, b"CGGGTAACGT"
NAMES = ("chrI", "chrIV", "chrVII")
DATA = Path(os.environ.get("TRACKGEN_DATA", Path(__file__).parents[3] / "shared" / "data"))


def commands() -> list[list[str]]:
    """The lines of the section's block that call trackgen."""
    section = README.read_text().split("## Your own factor: three commands")[1].split("\n## ")[0]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return [shlex.split(line)[1:] for line in block[1].splitlines() if line.startswith("trackgen ")]


def follow(*more_for_training: str) -> None:
    """Run them in the working directory, as they stand but for what is added to the training."""
    lines = commands()
    assert [line[:2] for line in lines] == [["train", "binding"], ["scan", "my-factor/model.onnx"], ["hub", "build"]]
    lines[0] += more_for_training
    for line in lines:
        result = CliRunner().invoke(root, [*line, "-q"])
        assert result.exit_code == 0, f"{line}: {result.output} {result.exception}"
    assert json.loads(Path("my-tracks/run.json").read_text())["mode"] == {"my-factor": "dense"}
    assert "my-factor" in Path("my-hub/hub.txt").read_text()
    checked = CliRunner().invoke(root, ["hub", "check", "my-hub"])
    assert checked.exit_code == 0, checked.output


def test_three_commands_lead_from_a_narrow_peak_file_to_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    text, peaks = "", []
    for name in NAMES:
        bases = letters[random.integers(0, 4, LENGTH)]
        for number, site in enumerate(range(900, LENGTH - 500, 600)):
            bases[site - 5 : site + 5] = np.frombuffer(SITE, dtype=np.uint8)
            peaks.append(f"{name}\t{site - 80}\t{site + 60}\tpeak_{number}\t900\t.\t9.1\t-1\t-1\t80\n")
        text += f">{name}\n{bases.tobytes().decode()}\n"
    (tmp_path / "genome.fa").write_text(text)
    (tmp_path / "peaks.narrowPeak").write_text("".join(peaks))
    monkeypatch.chdir(tmp_path)
    follow("--epochs", "2", "-t", "1")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_they_take_less_than_ten_minutes_for_a_yeast_factor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not DATA.is_dir():
        pytest.skip("no data: set TRACKGEN_DATA")
    (tmp_path / "genome.fa").symlink_to(DATA / "genome_yeast" / "sacCer3.2bit")
    (tmp_path / "peaks.narrowPeak").symlink_to(DATA / "yeast_tf" / "Reb1.chexmix.sacCer3.bed.gz")
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    follow("-t", "2")
    assert time.monotonic() - began < 600
    figures = json.loads(Path("my-factor/report/metrics.json").read_text())["models"]
    assert figures["net"]["test"]["auprc"] > figures["motif"]["test"]["auprc"]
