"""``--signal`` and ``--vector`` as a user meets them: good runs, bad input with message and exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pybigtools
import pyBigWig
import pytest

from tests.cli.test_scan import assert_refused
from tests.conftest import Trackgen
from tests.models import input_model, small_model
from tests.scan.test_signals import SEQUENCE, VECTORS, signal, write_signal
from tests.scan.test_values import write_fasta

LENGTHS = {"chrI": 900, "chrII": 500, "chrIII": 40}


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    sequences = {name: "".join(random.choice(list("ACGT"), size)) for name, size in LENGTHS.items()}
    return write_fasta(tmp_path / "genome.fa", sequences)


def values(seed: int = 0, **lengths: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {name: random.exponential(1, length).astype(np.float32) for name, length in (lengths or LENGTHS).items()}


@pytest.fixture
def track(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return write_signal(tmp_path / "data" / "atac.bw", values())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return input_model(tmp_path, [SEQUENCE, signal(resolution=5)], name="binding").path


@pytest.fixture
def channels(tmp_path: Path) -> Path:
    inputs = [SEQUENCE, signal("dnase", channels=["fore", "back"]), VECTORS[2]]
    return input_model(tmp_path, inputs, name="channels").path


def test_a_scan_with_a_signal_writes_tracks_and_says_what_it_read(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, track: Path
) -> None:
    result = trackgen("scan", model, genome, "-o", "out", "--signal", f"atac={track}", "--chroms", "chrI,chrII")
    assert result.returncode == 0, result.stderr
    assert {path.name for path in (tmp_path / "out").glob("*.bw")} == {"binding.up.bw", "binding.down.bw"}
    text = (tmp_path / "out" / "run.json").read_text()
    run = json.loads(text)
    assert run["plan"]["signals"]["atac"]["file"] == "atac.bw"
    assert len(run["plan"]["signals"]["atac"]["sha256"]) == 64
    assert "vectors" not in run["plan"]
    assert "atac=atac.bw" in run["command"]
    assert str(tmp_path) not in text
    assert "sequence names" not in result.stderr
    assert "missing" not in result.stderr


@pytest.mark.parametrize("way", ["--signal atac=", "--signal=atac="])
def test_the_command_in_run_json_keeps_names_and_drops_folders(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, track: Path, way: str
) -> None:
    folder = tmp_path / "a=b"
    folder.mkdir()
    moved = track.rename(folder / "c.bw")
    words = f"{way}{moved}".split()
    assert trackgen("scan", model, genome, "-o", "out", *words).returncode == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert " ".join(run["command"]).endswith(f"{way}c.bw")


def test_names_and_sequences_that_differ_are_told_once(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    file = write_signal(tmp_path / "x.bw", values(I=900, II=500, scaffold_9=33))
    for tile in (32768, 100):
        result = trackgen("scan", model, genome, "-o", f"out{tile}", "--signal", f"atac={file}", "--tile", tile)
        assert result.returncode == 0, result.stderr
        assert result.stderr.count("I as chrI, II as chrII") == 1
        assert result.stderr.count("x.bw does not list chrIII: all bases there read as missing") == 1
    same = write_signal(tmp_path / "y.bw", {"chrI": values()["chrI"], "chrII": values()["chrII"]})
    quiet = trackgen("scan", model, genome, "-o", "part", "--signal", f"atac={same}", "--chroms", "chrI")
    assert "does not list" not in quiet.stderr


def test_another_file_is_another_run(
    trackgen: Trackgen, tmp_path: Path, channels: Path, genome: Path, track: Path
) -> None:
    def scan(*more: object) -> Any:
        files = ("--signal", f"dnase.fore={track}", "--signal", "dnase.back=other.bw", "--vector", "cell=cell.tsv")
        return trackgen("scan", channels, genome, "-o", "out", *files, *more)

    write_signal(tmp_path / "other.bw", values(1))
    (tmp_path / "cell.tsv").write_text("a\t1\nb\t2\n")
    assert scan().returncode == 0
    written = (tmp_path / "out" / "channels.up.bw").read_bytes()
    assert "already" in scan().stderr
    plan = json.loads((tmp_path / "out" / "run.json").read_text())["plan"]
    assert [*plan["signals"]] == ["dnase.back", "dnase.fore"]
    assert plan["vectors"]["cell"]["file"] == "cell.tsv"
    write_signal(tmp_path / "other.bw", values(2))
    assert_refused(scan(), 2, "holds a finished run", "another file of signal dnase.back;")
    (tmp_path / "cell.tsv").write_text("a\t1\nb\t3\n")
    assert_refused(scan(), 2, "another file of signal dnase.back; another file of vector cell", "--overwrite")
    assert scan("--overwrite").returncode == 0
    assert (tmp_path / "out" / "channels.up.bw").read_bytes() != written


def test_a_run_without_the_file_it_had_is_another_run(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    model = input_model(tmp_path, [SEQUENCE, VECTORS[2]], name="vector").path
    (tmp_path / "cell.tsv").write_text("a\t1\nb\t2\n")
    assert trackgen("scan", model, genome, "-o", "out", "--vector", "cell=cell.tsv").returncode == 0
    assert_refused(trackgen("scan", model, genome, "-o", "out"), 2, "another file of vector cell")


def test_estimate_list_outputs_and_check_know_signals(
    trackgen: Trackgen, tmp_path: Path, model: Path, channels: Path, genome: Path, track: Path
) -> None:
    arguments = ("scan", model, genome, "-o", "out", "--signal", f"atac={track}")
    estimate = trackgen(*arguments, "--estimate")
    assert estimate.returncode == 0, estimate.stderr
    assert [line.split("\t")[0] for line in estimate.stdout.splitlines()] == ["time", "memory", "disk", "bases"]
    assert "binding.up.bw" in trackgen(*arguments, "--list-outputs").stdout.split()
    assert_refused(trackgen("scan", model, genome, "-o", "out", "--estimate"), 2, "add --signal atac=FILE.bw")
    for path in (model, channels):
        checked = trackgen("model", "check", path)
        assert checked.returncode == 0, checked.stderr
    assert not (tmp_path / "out").exists()


def test_several_files_in_an_environment_variable(
    trackgen: Trackgen, tmp_path: Path, channels: Path, genome: Path, track: Path
) -> None:
    files = f"dnase.fore={track}:dnase.back={track}"
    result = trackgen("scan", channels, genome, "-o", "out", TRACKGEN_SCAN_SIGNAL=files)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["binding", "no file for atac", "add --signal atac=FILE.bw"]),
        (["--signal", "atca=TRACK"], ["--signal", "atca", "did you mean atac"]),
        (["--signal", "atac=TRACK", "--signal", "sequence=TRACK"], ["sequence", "no model has a signal input"]),
        (["--signal", "atac=TRACK", "--signal", "atac=TRACK"], ["--signal", "given twice", "atac"]),
        (["--signal", "atac.x=TRACK"], ["atac.x", "did you mean atac"]),
        (["--vector", "atac=v.tsv"], ["atac is a signal: give it with --signal"]),
        (["--signal", "atac=TRACK", "--vector", "x=v.tsv"], ["--vector", "no model reads a vector"]),
        (["--signal", "TRACK"], ["--signal", "is not NAME=FILE"]),
        (["--signal", "atac="], ["--signal", "'atac=' is not NAME=FILE"]),
        (["--signal", "=TRACK"], ["--signal", "is not NAME=FILE"]),
    ],
)
def test_bad_options_of_signals_name_the_cause(
    trackgen: Trackgen,
    tmp_path: Path,
    model: Path,
    genome: Path,
    track: Path,
    arguments: list[str],
    words: list[str],
) -> None:
    result = trackgen("scan", model, genome, "-o", "out", *[word.replace("TRACK", str(track)) for word in arguments])
    assert_refused(result, 2, *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--signal", "dnase=TRACK"], ["dnase", "has channels", "--signal dnase.fore=FILE.bw --signal dnase.back"]),
        (["--signal", "dnase.fore=TRACK"], ["no file for dnase.back", "add --signal dnase.back=FILE.bw"]),
        (["--signal", "dnase.for=TRACK"], ["did you mean dnase.fore"]),
        (["--signal", "cell=TRACK"], ["cell is a vector: give it with --vector"]),
        (["--vector", "cel=x.tsv"], ["--vector", "did you mean cell"]),
        (["--vector", "cell=x.tsv", "--vector", "cell=y.tsv"], ["--vector", "given twice", "cell"]),
    ],
)
def test_bad_options_of_channels_and_vectors_name_the_cause(
    trackgen: Trackgen, channels: Path, genome: Path, track: Path, arguments: list[str], words: list[str]
) -> None:
    words_given = [word.replace("TRACK", str(track)) for word in arguments]
    assert_refused(trackgen("scan", channels, genome, "-o", "out", *words_given), 2, *words)


def test_a_signal_that_only_one_of_two_models_has_is_enough_for_that_name(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, track: Path
) -> None:
    plain = small_model(tmp_path).path
    assert trackgen("scan", plain, model, genome, "-o", "out", "--signal", f"atac={track}").returncode == 0
    assert_refused(trackgen("scan", plain, genome, "-o", "x", "--signal", f"atac={track}"), 2, "no model reads a")


def write_infinite(path: Path) -> None:
    pybigtools.open(str(path), "w").write({"chrI": 900}, iter([("chrI", 0, 899, 1.0), ("chrI", 899, 900, -np.inf)]))


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("ata.bw", None, ["data/ata.bw", "does not exist", "did you mean atac.bw"]),
        ("t.bw", lambda path: path.write_text("chrI\t1\t2\n"), ["t.bw", "not a BigWig"]),
        ("t.bw", lambda path: path.write_bytes(b""), ["t.bw", "an empty file"]),
        ("t.bw", lambda path: path.mkdir(), ["t.bw", "directory"]),
        ("t.bw", lambda path: write_signal(path, values(chrI=901)), ["t.bw", "another length", "901", "900"]),
        ("t.bw", lambda path: write_signal(path, values(I=900, II=499)), ["II of 499 bp", "500", "another assembly"]),
        ("t.bw", lambda path: write_signal(path, values(chrX=70)), ["t.bw", "chrX", "does not have"]),
        ("t.bw", lambda path: write_signal(path, values(I=900, chrI=900)), ["I and chrI", "mean the same"]),
        ("t.bw", write_infinite, ["t.bw", "chrI:900", "infinite"]),
    ],
)
def test_a_bad_signal_file_is_named(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, track: Path, name: str, make: Any, words: list[str]
) -> None:
    path = track.with_name(name)
    if make is not None:
        make(path)
    result = trackgen("scan", model, genome, "-o", "out", "--signal", f"atac={path}")
    assert_refused(result, 3, *words)
    assert not (tmp_path / "out").exists()


def test_values_that_a_transform_does_not_know_are_refused(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    model = input_model(tmp_path, [signal(transform=["log1p"])]).path
    file = write_signal(tmp_path / "log.bw", {name: track - 3 for name, track in values().items()})
    result = trackgen("scan", model, genome, "-o", "out", "--signal", f"atac={file}")
    assert_refused(result, 3, "log.bw, chrI:1: ", "atac", "log1p is not defined", "above -1", "before any logarithm")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["does not exist", "did you mean call.tsv"]),
        (b"a\t1\n", ["wrong number of lines", "found 1", "wanted 2", "cell in model channels"]),
        (b"a\t1\nb\t2\nc\t3\n", ["wrong number of lines", "found 3", "wanted 2"]),
        (b"name\tvalue\na\t1\nb\t2\n", ["line 1, name", "'value'", "not a finite number"]),
        (b"a 1\nb 2\n", ["line 1", "'a 1'", "name<TAB>value"]),
        (b"a\t1\n\nb\t2\n", ["line 2", "''", "blank lines"]),
        (b"a\t1\nb\t2\t3\n", ["line 2", "name<TAB>value"]),
        (b"a\t1\n\t2\n", ["line 2", "name<TAB>value"]),
        (b"a\t1\nb\tNaN\n", ["line 2, b", "'NaN'", "finite"]),
        (b"a\t1\nb\tinf\n", ["line 2, b", "'inf'"]),
        (b"a\t1\nb\t1e39\n", ["line 2, b", "'1e39'"]),
        (b"a\t1\nb\t1_0\n", ["line 2, b", "'1_0'"]),
        (b"a\t1\nb\t\n", ["line 2, b", "''"]),
        (b"a\t1\na\t2\n", ["line 2", "stands twice", "which line 1 has too"]),
        (b"", ["line 1", "name<TAB>value"]),
        (b"a\t1\nb\t\xff\n", ["not text in UTF-8"]),
    ],
)
def test_a_bad_vector_file_is_named(
    trackgen: Trackgen,
    tmp_path: Path,
    channels: Path,
    genome: Path,
    track: Path,
    content: bytes | None,
    words: list[str],
) -> None:
    (tmp_path / "call.tsv").write_text("")
    if content is not None:
        (tmp_path / "cell.tsv").write_bytes(content)
    files = ("--signal", f"dnase.fore={track}", "--signal", f"dnase.back={track}")
    result = trackgen("scan", channels, genome, "-o", "out", *files, "--vector", "cell=cell.tsv")
    assert_refused(result, 3, "cell.tsv", *words)
    assert not (tmp_path / "out").exists()


def test_a_damaged_signal_leaves_nothing(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, track: Path
) -> None:
    with pyBigWig.open(str(track)) as file:
        assert file.chroms() == LENGTHS
    content = bytearray(track.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = b"\xff" * 400
    track.write_bytes(content)
    result = trackgen("scan", model, genome, "-o", "out", "--signal", f"atac={track}")
    assert_refused(result, 3, "atac.bw", "damaged")
    assert not (tmp_path / "out").exists()
