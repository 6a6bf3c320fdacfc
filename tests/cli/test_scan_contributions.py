"""``trackgen scan --contrib`` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_scan import assert_refused
from tests.conftest import Trackgen
from tests.scan.explained import convolution_model
from tests.scan.test_values import random_sequence, write_fasta


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    return write_fasta(tmp_path / "genome.fa", {name: random_sequence(random, 500) for name in ("chrI", "chrII")})


def test_contributions_are_named_on_stdout_and_checked(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    model = convolution_model(tmp_path, strands="both", thresholds=0.4)
    result = trackgen(
        "scan", model, genome, "-o", "out", "--contrib", "hit,other", "--contrib-weight", "probability",
        "--reference", "0.3,0.2,0.2,0.3", "-t", 1,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    names = {Path(line).name for line in result.stdout.split()}
    wanted = {f"net.{name}.{strand}.contrib.bw" for name in ("hit", "other") for strand in ("plus", "minus")}
    assert wanted == {name for name in names if "contrib" in name}
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["checks"]["completeness"]["max_rel_error"] <= 1e-4
    assert run["checks"]["contributions"]["max_rel_diff"] <= 2e-4
    again = trackgen("scan", model, genome, "-o", "out", "--contrib", "hit,other", "--contrib-weight", "uniform")
    assert_refused(again, 2, "other contributions of model net (classes", "--overwrite")


def test_every_option_reaches_the_scan(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    model = convolution_model(tmp_path, thresholds=0.4)
    result = trackgen(
        "scan", model, genome, "-o", "out", "--contrib", "hit", "--regions", "chrI:101-140", "--centred",
        "--attribution", "gradient", "--reference", "shuffle:2", "--hypothetical", "motifs",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    row = json.loads((tmp_path / "out" / "run.json").read_text())["plan"]["models"][0]["contributions"]
    assert row["reference"] == {"kind": "shuffle", "n": 2}
    assert row["attribution"] == "gradient"
    assert np.load(tmp_path / "motifs.attr.npz")["arr_0"].shape == (1, 4, 40)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--contrib", "hitt"], 2, ["--contrib", "found hitt", "did you mean hit"]),
        (["--contrib", ","], 2, ["--contrib", "names nothing"]),
        (["--contrib", "hit", "--contrib-weight", "calls"], 2, ["no threshold", "add-card"]),
        (["--contrib", "hit", "--contrib-weight", "call"], 2, ["--contrib-weight", "uniform"]),
        (["--contrib", "hit", "--reference", "0.3,0.3,0.3,0.3"], 2, ["do not sum to 1", "(sum 1.2)"]),
        (["--contrib", "hit", "--reference", "missing.fa"], 2, ["nor a file of this name", "found missing.fa"]),
        (["--contrib", "hit", "--attribution", "occlusion"], 2, ["--regions beside it"]),
        (["--reference", "shuffle:3"], 2, ["about contributions", "--contrib"]),
        (["--contrib", "hit", "--hypothetical", "new/"], 2, ["--hypothetical", "beginning of files' names"]),
        (["--contrib", "hit", "--hypothetical", "gone/h"], 2, ["--hypothetical", "folder of the files does not exist"]),
    ],
)
def test_bad_input_of_contributions_names_the_cause(
    trackgen: Trackgen, tmp_path: Path, genome: Path, arguments: list[str], status: int, words: list[str]
) -> None:
    model = convolution_model(tmp_path)
    assert_refused(trackgen("scan", model, genome, "-o", "out", *arguments), status, *words)
    assert not (tmp_path / "out").exists()
