"""Signals that a scan makes of reads: once, by the card's recipe, told in run.json, and odd tracks and depths told."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pysam
import pytest

import trackgen
import trackgen.scan.made_signals as made_signals
from tests.denoised import denoiser, write_fragments
from tests.hub.conftest import Notes
from tests.models import input_model
from tests.scan.test_signals import SEQUENCE, signal, write_signal
from tests.scan.test_values import write_fasta
from trackgen.card import read_card
from trackgen.errors import DataError, TrackgenError, UsageError
from trackgen.progress import NullProgress
from trackgen.scan import ScanOptions, list_outputs, run_scan
from trackgen.scan.assembly import assemble_folder
from trackgen.scan.estimate import estimate_scan
from trackgen.scan.lock import Holder
from trackgen.scan.made_signals import make_signals, opened_signals
from trackgen.scan.sources import plan_signals
from trackgen.signals import make_signal, recipe_from_card

LENGTHS = {"chrI": 60_000, "chrII": 30_000, "chrM": 2_000}
TRACKS = ("denoise-mini.signal.bw", "denoise-mini.peak.bw")
INPUT = "denoise-mini.atac.input.bw"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genome, a denoising model, and fragments: about one over a base."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(1)
    write_fasta(folder / "g.fa", {name: "".join(random.choice(list("ACGT"), size)) for name, size in LENGTHS.items()})
    denoiser(folder)
    write_fragments(folder / "low.bed", LENGTHS, 600)
    return folder


def options(folder: Path, output: Path, file: str | Path = "low.bed", **more: Any) -> ScanOptions:
    models = more.pop("models", (str(folder / "denoise-mini.onnx"),))
    return ScanOptions(models, folder / "g.fa", output, signals=(("atac", folder / file),), **more)


def tracks(output: Path) -> dict[str, bytes]:
    return {name: (output / name).read_bytes() for name in TRACKS}


@pytest.fixture(scope="module")
def scanned(folder: Path) -> Path:
    run_scan(options(folder, folder / "scanned"))
    return folder / "scanned"


def test_fragments_give_the_bytes_that_their_own_track_gives(folder: Path, scanned: Path, tmp_path: Path) -> None:
    recipe = recipe_from_card(read_card(folder / "denoise-mini.onnx").training, "atac")
    assert recipe is not None
    summary = make_signal(folder / "low.bed", LENGTHS, tmp_path / "own.bw", recipe, NullProgress())
    assert (scanned / INPUT).read_bytes() == (tmp_path / "own.bw").read_bytes()
    run_scan(options(folder, tmp_path / "out", tmp_path / "own.bw"))
    assert tracks(tmp_path / "out") == tracks(scanned)
    with pyBigWig.open(str(scanned / TRACKS[0])) as file:
        assert np.nanmax(file.values("chrI", 0, 60_000, numpy=True)) > 2
    run = json.loads((scanned / "run.json").read_text())
    (told,) = run["inputs"]
    assert (told["model"], told["input"], told["file"], told["source"]) == ("denoise-mini", "atac", INPUT, "low.bed")
    assert (told["fragments"], told["depth"], told["factor"]) == (summary.fragments, summary.depth, summary.factor)
    assert told["unit"].startswith("fold over the mean")
    assert len(told["sha256"]) == 64
    assert told["records"]["used"] == summary.fragments
    assert run["plan"]["signals"]["atac"]["recipe"]["measure"] == "coverage"
    assert str(folder) not in json.dumps(run)
    assert "inputs" not in json.loads((tmp_path / "out" / "run.json").read_text())


def test_the_input_is_one_of_the_files_and_a_finished_run_is_known_again(
    folder: Path, scanned: Path, tmp_path: Path
) -> None:
    assert {path.name for path in scanned.iterdir()} == {*TRACKS, INPUT, "run.json", "skipped.bed"}
    assert set(list_outputs(options(folder, tmp_path))) == {*TRACKS, INPUT, "run.json", "skipped.bed"}
    assert run_scan(options(folder, scanned)).skipped
    write_fragments(tmp_path / "other.bed", LENGTHS, 700, seed=5)
    with pytest.raises(UsageError, match="another file of signal atac") as caught:
        run_scan(options(folder, scanned, tmp_path / "other.bed"))
    assert caught.value.exit_status == 2


def test_shares_of_several_processes_make_it_once_and_give_the_same_bytes(
    folder: Path, scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def counted(*arguments: Any, **named: Any) -> Any:
        made.append(arguments[0])
        return make_signal(*arguments, **named)

    monkeypatch.setattr(made_signals, "make_signal", counted)
    small: dict[str, Any] = {"tile": 4_000, "shard_size": 8_000}
    run_scan(options(folder, tmp_path / "out", plan_only=True, **small))
    assert not made
    for share in ((1, 2), (2, 2)):
        run_scan(options(folder, tmp_path / "out", share=share, **small))
    assemble_folder(tmp_path / "out", 1)
    assert len(made) == 1
    assert tracks(tmp_path / "out") == tracks(scanned)
    assert (tmp_path / "out" / INPUT).read_bytes() == (scanned / INPUT).read_bytes()
    assert not (tmp_path / "out" / ".trackgen").exists()


def test_what_another_process_is_making_is_waited_for_and_taken_over_when_it_dies(folder: Path, tmp_path: Path) -> None:
    cards = [read_card(folder / "denoise-mini.onnx")]
    plans, _ = plan_signals([("atac", folder / "low.bed")], LENGTHS, list(LENGTHS), cards, tmp_path)
    with subprocess.Popen(["sleep", "60"]) as other:
        holder = replace(Holder.here(""), process=other.pid, born=0)
        plans[0].path.with_suffix(".lock").write_text(json.dumps(asdict(holder)))
        notes = Notes()
        thread = threading.Thread(target=make_signals, args=(plans, LENGTHS, notes))
        thread.start()
        time.sleep(0.3)
        assert not plans[0].path.exists()
        other.kill()
        other.wait()
        thread.join(20)
    assert plans[0].path.is_file()
    assert sum(text.startswith("waiting for process") for text in notes.texts) == 1
    assert {path.suffix for path in tmp_path.iterdir()} == {".bw", ".json"}


def test_reads_of_a_bam_file_without_an_index_are_counted_as_their_fragments_are(
    folder: Path, scanned: Path, tmp_path: Path
) -> None:
    write_bam(tmp_path / "low.bam", folder / "low.bed")
    run_scan(options(folder, tmp_path / "out", tmp_path / "low.bam"))
    assert tracks(tmp_path / "out") == tracks(scanned)


def write_bam(path: Path, fragments: Path) -> None:
    """Both reads of each fragment, 30 bases long, sorted."""
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": n, "LN": size} for n, size in LENGTHS.items()]}
    rows = []
    for number, line in enumerate(fragments.read_text().splitlines()):
        name, start, end = line.split("\t")
        first, last, chromosome = int(start), int(end), list(LENGTHS).index(name)
        rows += [(chromosome, first, last, number, 99), (chromosome, last - 30, first, number, 147)]
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for chromosome, position, other, number, flag in sorted(rows):
            read = pysam.AlignedSegment(file.header)
            read.query_name, read.flag, read.reference_id, read.reference_start = (
                f"r{number}",
                flag,
                chromosome,
                position,
            )
            read.mapping_quality, read.cigarstring, read.query_sequence = 60, "30M", "A" * 30
            read.next_reference_id = chromosome
            read.next_reference_start, read.template_length = (
                (other - 30, other - position) if flag == 99 else (other, other - position - 30)
            )
            file.write(read)


@pytest.mark.parametrize(("depth", "words"), [([5, 30], "more reads are needed"), ([0.01, 0.1], "--fraction 0.1")])
def test_a_depth_that_the_model_was_not_trained_for_is_told_with_both_figures(
    folder: Path, tmp_path: Path, depth: list[float], words: str
) -> None:
    model, notes = denoiser(tmp_path, depth=depth), Notes()
    run_scan(options(folder, tmp_path / "out", models=(str(model),)), notes)
    (text,) = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    low, high = depth
    assert f"and denoise-mini was trained for {low:.3g} to {high:.3g}" in text
    assert "low.bed has 0.9" in text or "low.bed has 1." in text
    assert words in text
    assert notes.texts.count(f"WARNING: {text}") == 1


def track(path: Path, factor: float = 1.0, width: int = 1, lengths: Mapping[str, int] = LENGTHS) -> Path:
    random = np.random.default_rng(3)
    values = {
        name: (factor * np.repeat(random.exponential(1, size // width + 1), width)[:size]).astype(np.float32)
        for name, size in lengths.items()
    }
    return write_signal(path, values)


def test_a_track_in_another_unit_is_told_with_its_mean(folder: Path, tmp_path: Path) -> None:
    notes = Notes()
    run_scan(options(folder, tmp_path / "out", track(tmp_path / "raw.bw", 30)), notes)
    (text,) = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    assert "the mean of raw.bw is 30" in text or "the mean of raw.bw is 29." in text
    assert "whose mean is 1; give the reads themselves" in text
    assert notes.texts.count(f"WARNING: {text}") == 1


def test_a_track_in_wider_bins_than_the_model_reads_is_told(folder: Path, tmp_path: Path) -> None:
    run_scan(options(folder, tmp_path / "out", track(tmp_path / "wide.bw", width=50)))
    (text,) = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    assert "the values of wide.bw stand for 50 bases each, and denoise-mini reads one for each 10" in text


@pytest.mark.parametrize("width", [1, 10])
def test_a_usual_track_is_read_without_a_word(folder: Path, tmp_path: Path, width: int) -> None:
    notes = Notes()
    lengths = {"I": 60_000, "II": 30_000, "MT": 2_000}
    run_scan(options(folder, tmp_path / "out", track(tmp_path / "fine.bw", width=width, lengths=lengths)), notes)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["warnings"] == []
    assert [text for text in notes.texts if "WARNING" in text] == []
    assert any("I as chrI" in text for text in notes.texts)


def test_a_negative_value_is_refused_with_its_place(folder: Path, tmp_path: Path) -> None:
    values = {name: np.ones(size, np.float32) for name, size in LENGTHS.items()}
    values["chrII"][1234] = -0.5
    path = write_signal(tmp_path / "bad.bw", values)
    with pytest.raises(DataError, match=r"bad\.bw, chrII:1,235: the signal is negative; found -0\.5; wanted") as caught:
        run_scan(options(folder, tmp_path / "out", path))
    assert caught.value.exit_status == 3
    assert not (tmp_path / "out").exists()
    plain = input_model(tmp_path, [SEQUENCE, signal(resolution=5)], name="plain").path
    run_scan(options(folder, tmp_path / "plain", path, models=(str(plain),), chroms=("chrM",)))


def test_bases_without_a_value_read_as_the_card_says(folder: Path, tmp_path: Path) -> None:
    values = {name: np.full(size, np.nan, np.float32) for name, size in LENGTHS.items()}
    values["chrI"][:30_000] = 1
    run_scan(options(folder, tmp_path / "out", write_signal(tmp_path / "half.bw", values)))
    with pyBigWig.open(str(tmp_path / "out" / TRACKS[0])) as file:
        assert set(np.round(file.values("chrI", 0, 29_000, numpy=True), 5)) >= {1.0}
        assert not np.any(file.values("chrII", 100, 29_000, numpy=True))


@pytest.mark.parametrize("name", ["low.bed", "x.bedpe.gz", "fragments.tsv.gz"])
def test_a_model_that_does_not_say_how_reads_are_counted_wants_a_track(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((folder / "low.bed").read_bytes())
    model = input_model(tmp_path, [SEQUENCE, signal(resolution=5)], name="plain").path
    with pytest.raises(UsageError, match="does not say how its signal is made of reads") as caught:
        run_scan(options(folder, tmp_path / "out", tmp_path / name, models=(str(model),)))
    assert caught.value.exit_status == 2
    assert "trackgen signal" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_two_models_that_want_different_signals_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    models = (str(folder / "denoise-mini.onnx"), str(denoiser(tmp_path, "other", scale="cpm")))
    with pytest.raises(UsageError, match=r"two models want one signal in different ways.*denoise-mini and other"):
        run_scan(options(folder, tmp_path / "out", models=models))
    deep = (models[0], str(denoiser(tmp_path, "deep", depth=[0.5, 1.5])))
    run_scan(options(folder, tmp_path / "out", models=deep))
    assert {path.name for path in (tmp_path / "out").glob("*.input.bw")} == {INPUT}


def test_a_track_serves_models_that_would_make_it_of_reads_in_different_ways(folder: Path, tmp_path: Path) -> None:
    silent = input_model(tmp_path, [SEQUENCE, signal(resolution=5)], name="silent").path
    models = (str(silent), str(folder / "denoise-mini.onnx"), str(denoiser(tmp_path, "other", scale="cpm")))
    values = {name: np.full(size, 5, np.float32) for name, size in LENGTHS.items()}
    result = run_scan(options(folder, tmp_path / "out", write_signal(tmp_path / "five.bw", values), models=models))
    assert {name.partition(".")[0] for name in result.tracks} >= {"silent", "denoise-mini", "other"}
    # the model that says what it wants is asked, though another comes first
    notes = json.loads((tmp_path / "out" / "run.json").read_text())["warnings"]
    assert "the mean of five.bw is 5" in json.dumps(notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chrI\t10\t70000\n", "does not lie on its sequence"),
        ("chrZ\t10\t70\n", "chrZ"),
        ("not a fragment\n", "not a fragment|line 1"),
        ("", "low.bed"),
    ],
)
def test_bad_reads_are_named_and_leave_nothing(folder: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "low.bed").write_text(text)
    with pytest.raises(TrackgenError, match=message) as caught:
        run_scan(options(folder, tmp_path / "out", tmp_path / "low.bed"))
    assert caught.value.exit_status == 3
    assert not (tmp_path / "out").exists()


def test_python_reads_fragments_too_and_makes_the_signal_once(
    folder: Path, scanned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trackgen.open_model(folder / "denoise-mini.onnx")
    for _ in range(2):
        values = model.predict(folder / "g.fa", "chrI:1,001-3,000", signals={"atac": folder / "low.bed"})
        monkeypatch.setattr(made_signals, "make_signal", None)
    with pyBigWig.open(str(scanned / TRACKS[0])) as file:
        # The same float32 numbers; the track of a signal is not rounded.
        np.testing.assert_array_equal(values["signal"], file.values("chrI", 1000, 3000, numpy=True))


def test_python_makes_the_signal_again_for_a_genome_of_other_sequences(folder: Path, tmp_path: Path) -> None:
    sequence = "ACGT" * (LENGTHS["chrI"] // 4)
    write_fasta(tmp_path / "g.fa", {"I": sequence.ljust(LENGTHS["chrI"], "A")})
    write_fasta(tmp_path / "h.fa", {"chrI": sequence.ljust(LENGTHS["chrI"], "A"), "chrV": sequence})
    fragments = [line for line in (folder / "low.bed").read_text().splitlines(True) if line.startswith("chrI\t")]
    (tmp_path / "low.bed").write_text("".join(fragments))
    model = trackgen.open_model(folder / "denoise-mini.onnx")
    signals = {"atac": tmp_path / "low.bed"}
    expected = model.predict(tmp_path / "h.fa", "chrI:1,001-3,000", signals=signals)["signal"]
    assert expected.any()
    np.testing.assert_array_equal(
        model.predict(tmp_path / "g.fa", "I:1,001-3,000", signals=signals)["signal"], expected
    )
    assert not model.predict(tmp_path / "h.fa", "chrV:1,001-3,000", signals=signals)["signal"].any()


def test_an_estimate_reads_fragments_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    assert estimate_scan(options(folder, tmp_path / "out")).bases == sum(LENGTHS.values())
    assert not (tmp_path / "out").exists()


def test_explanations_read_what_a_scan_reads(folder: Path, scanned: Path) -> None:
    card = read_card(folder / "denoise-mini.onnx")
    with opened_signals([("atac", folder / "low.bed")], card, LENGTHS, ["chrI"], NullProgress()) as signals:
        values = signals.read("chrI", 500, 900)["atac"]
    with pyBigWig.open(str(scanned / INPUT)) as file:
        np.testing.assert_array_equal(values, file.values("chrI", 500, 900, numpy=True))


@pytest.mark.slow
def test_a_cluster_of_processes_gives_the_same_bytes(folder: Path, scanned: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    run_scan(options(folder, tmp_path / "out", cluster="local:2", tile=4_000, shard_size=8_000))
    assert tracks(tmp_path / "out") == tracks(scanned)
    assert (tmp_path / "out" / INPUT).read_bytes() == (scanned / INPUT).read_bytes()
