"""From a genome and a shipped model to calls, figures and a hub, on real data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.data import data_file
from trackgen.cli.main import root

THRESHOLD = 0.0691
"""Of broad TSSs, on the model's card."""


def run(*arguments: str | Path) -> Result:
    done = CliRunner().invoke(root, [str(word) for word in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return done


@pytest.mark.slow
def test_starts_of_a_yeast_chromosome_are_called_evaluated_and_shown(tmp_path: Path) -> None:
    genome = data_file("genome_yeast/sacCer3.2bit")
    sites = data_file("yeast_tss/stripeseq_S288C_WT_1.tsr.sacCer3.bed.gz")
    run("scan", "tss-yeast-centre", genome, "-o", tmp_path / "out", "--chroms", "chrXVI", "-t", "1", "-q")
    told = run("call", tmp_path / "out", "-o", tmp_path / "out" / "calls")
    assert "on chrVII: precision 0.17 and recall 0.19, of calls (right within 10 bp)" in told.stderr
    described = json.loads((tmp_path / "out" / "calls" / "calls.json").read_text())
    (broad,) = (entry for entry in described["calls"] if entry["class"] == "broad")
    assert (broad["method"], broad["distance"], broad["threshold"]) == ("maxima", 50, THRESHOLD)
    rows = [line.split("\t") for line in (tmp_path / "out" / "calls" / broad["files"]["bed"]).read_text().splitlines()]
    assert {row[0] for row in rows} == {"chrXVI"}
    for strand in "+-":
        places = np.array([int(row[1]) for row in rows if row[5] == strand])
        assert len(places) > 50
        assert np.diff(places).min() > 50
    track = tmp_path / "out" / "tss-yeast-centre.broad.plus.bw"
    where = ("--genome", genome, "--chroms", "chrXVI", "--bootstrap", "100")
    table = run("evaluate", track, "--labels", sites, *where, "-o", tmp_path / "report").stdout
    # Clusters of both strands are labels of the one strand's track, so that half of them it cannot know.
    (figures,) = json.loads((tmp_path / "report" / "evaluation.json").read_text())["tracks"]
    assert 0.6 < figures["auroc"]["low"] < figures["auroc"]["value"] < figures["auroc"]["high"]
    assert table.splitlines()[1].startswith(track.name)
    run("hub", "build", tmp_path / "out", "-o", tmp_path / "hub", "--genome", genome, "--email", "me@example.org", "-q")
    assert "0 errors, 0 warnings" in run("hub", "check", tmp_path / "hub", "--strict").stdout
