"""What the demo shows of denoising, with a small model in the place of the shipped one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from tests.cli.test_scan import assert_refused
from tests.conftest import Trackgen
from tests.denoised import denoiser, write_fragments
from tests.scan.test_values import write_fasta
from trackgen.cli import demo
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions

LENGTHS = {"chrI": 60_000, "chrIV": 30_000, "chrM": 2_000}


@pytest.fixture
def options(tmp_path: Path) -> ScanOptions:
    random = np.random.default_rng(1)
    genome = {name: "".join(random.choice(list("ACGT"), size)) for name, size in LENGTHS.items()}
    write_fasta(tmp_path / "g.fa", genome)
    return ScanOptions(("x",), tmp_path / "g.fa", tmp_path / "out" / "tracks", stride=7, contrib=("all",))


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model and fragments, where the demo looks for its own."""
    model = denoiser(tmp_path, "denoise-atac-yeast", depth=[0.01, 10])
    fragments = write_fragments(tmp_path / "all.bed", LENGTHS, 6_000)
    monkeypatch.setattr("trackgen.resources.shipped_models", lambda: {"denoise-atac-yeast": model})
    monkeypatch.setattr("trackgen.genome.yeast.find_yeast_atac", lambda progress: (fragments, "a test"))


@pytest.mark.usefixtures("stand_in")
def test_a_tenth_of_the_fragments_is_denoised_called_and_drawn_over_the_others(
    options: ScanOptions, tmp_path: Path
) -> None:
    made = demo._denoise(options, NullProgress())
    assert made is not None
    assert set(made.result.tracks) == {"denoise-atac-yeast.signal.bw", "denoise-atac-yeast.peak.bw"}
    means = {}
    for label, path in made.beside:
        with pyBigWig.open(str(path)) as file:
            values = file.values("chrI", 0, 60_000, numpy=True)
            means[label] = (values.mean(), np.unique(values[values > 0]).min())
    assert list(means) == ["shallow (10 %)", "deep (other 90 %)"]
    shallow, deep = means.values()
    assert shallow[0] == pytest.approx(deep[0], rel=0.1), "both have one scale"
    assert shallow[1] / deep[1] == pytest.approx(9, rel=0.3), "a fragment of few counts more"
    hub = build_hub(
        [made.result.folder], tmp_path / "hub", genome=str(tmp_path / "g.fa"), email=None, url=None,
        progress=NullProgress(), beside=made.beside,
    )  # fmt: skip
    merged, peak, calls = json.loads((hub.path / "igv.json").read_text())["tracks"]
    assert [part["name"] for part in merged["tracks"]] == [*means, "denoised ATAC"]
    assert peak["url"] == "denoise-atac-yeast.peak.bw"
    assert calls["format"] == "bigbed"
    assert (hub.path / "denoise-atac-yeast.peak.calls.narrowPeak").read_text().startswith("chrI\t")
    again = demo._denoise(options, NullProgress())
    assert again is not None
    assert again.result.skipped, "the same bytes, so the same run"


@pytest.mark.usefixtures("stand_in")
def test_without_the_fragments_the_demo_goes_on_without_denoising(
    options: ScanOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackgen.genome.yeast.find_yeast_atac", lambda progress: None)
    assert demo._denoise(options, NullProgress()) is None
    assert not (tmp_path / "out").exists()


def test_calls_of_a_denoised_run_are_narrow_peak_and_big_bed(
    trackgen: Trackgen, options: ScanOptions, tmp_path: Path
) -> None:
    """As a user goes about it: fragments in, peaks out."""
    model = denoiser(tmp_path)
    write_fragments(tmp_path / "low.bed", LENGTHS, 900)
    result = trackgen("scan", model, "g.fa", "-o", "run", "--signal", "atac=low.bed")
    assert result.returncode == 0, result.stderr
    assert "signal atac: coverage of low.bed" in result.stderr
    result = trackgen("call", "run/denoise-mini.peak.bw", "-o", "run/calls")
    assert result.returncode == 0, result.stderr
    (row,) = result.stdout.split()[1:]
    assert int(row) > 3
    rows = (tmp_path / "run" / "calls" / "denoise-mini.peak.calls.narrowPeak").read_text().splitlines()
    assert len(rows) == int(row)
    assert len(rows[0].split("\t")) == 10
    (tmp_path / "run" / "denoise-mini.atac.input.bw").unlink()
    assert_refused(trackgen("hub", "build", "run", "-o", "hub", "--genome", "g.fa"), 3, "atac.input.bw", "missing")
