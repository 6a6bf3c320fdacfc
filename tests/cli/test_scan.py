"""``trackgen scan`` as a user meets it: good runs, bad input with message and exit status, interruptions."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pyBigWig
import pytest

from tests.conftest import Trackgen
from tests.models import small_model
from tests.scan.test_values import write_fasta

LETTERS = "ACGT"


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    sequences = {name: "".join(random.choice(list(LETTERS), size)) for name, size in (("chrI", 900), ("chrII", 500))}
    return write_fasta(tmp_path / "genome.fa", sequences)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return small_model(tmp_path, strands="both").path


def assert_refused(result: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert result.returncode == status, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    missing = [word for word in words if word.lower() not in result.stderr.lower()]
    assert not missing, f"{missing} not in: {result.stderr}"


def test_a_scan_writes_the_documented_files_and_names_them_on_stdout(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    result = trackgen("scan", model, genome, "-o", "out", "--device", "cpu", "-t", 1)
    assert result.returncode == 0, result.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    tracks = {f"small.{entry}.{strand}.bw" for entry in ("background", "hit") for strand in ("plus", "minus")}
    assert names == tracks | {"run.json", "skipped.bed"}
    assert {Path(line).name for line in result.stdout.split()} == tracks
    assert "device: cpu" in result.stderr
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert run["genome"]["names"] == ["chrI", "chrII"]
    assert run["command"][:2] == ["trackgen", "scan"]


def test_classes_chroms_and_regions_leave_the_other_values_unchanged(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    bed = tmp_path / "regions.bed"
    bed.write_text("chrI\t100\t250\nchrI\t200\t300\nII\t10\t11\n")
    assert trackgen("scan", model, genome, "-o", "all", "--digits", "full").returncode == 0
    result = trackgen(
        "scan", model, genome, "-o", "part", "--digits", "full", "--classes", "hit", "--regions", bed, "--tile", 64
    )
    assert result.returncode == 0, result.stderr
    assert "II" in result.stderr
    assert "chrII" in result.stderr
    assert not (tmp_path / "part" / "small.background.plus.bw").exists()
    for strand in ("plus", "minus"):
        with (
            pyBigWig.open(str(tmp_path / "all" / f"small.hit.{strand}.bw")) as whole,
            pyBigWig.open(str(tmp_path / "part" / f"small.hit.{strand}.bw")) as part,
        ):
            for name, spans in (("chrI", [(100, 300)]), ("chrII", [(10, 11)])):
                size = whole.chroms()[name]
                expected = np.asarray(whole.values(name, 0, size, numpy=True))
                asked = np.zeros(size, bool)
                for start, end in spans:
                    asked[start:end] = True
                expected[~asked] = np.nan
                np.testing.assert_allclose(part.values(name, 0, size, numpy=True), expected, rtol=0, atol=1e-7)


def test_a_one_based_region_and_an_exclusion(trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path) -> None:
    (tmp_path / "no.bed").write_text("chrI\t104\t106\n")
    result = trackgen("scan", model, genome, "-o", "out", "--regions", "chrI:101-110", "--exclude", "no.bed")
    assert result.returncode == 0, result.stderr
    with pyBigWig.open(str(tmp_path / "out" / "small.hit.plus.bw")) as track:
        values = track.values("chrI", 0, 900, numpy=True)
    assert np.flatnonzero(np.isfinite(values)).tolist() == [100, 101, 102, 103, 106, 107, 108, 109]
    assert (tmp_path / "out" / "skipped.bed").read_text() == "chrI\t104\t106\texcluded\n"


def test_two_models_share_one_pass(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    first = small_model(tmp_path, name="one", window=20).path
    second = small_model(tmp_path, name="two", window=60, bin_=50, stride=10, seed=3).path
    assert trackgen("scan", first, second, genome, "-o", "both").returncode == 0
    assert trackgen("scan", second, genome, "-o", "alone").returncode == 0
    together, alone = (tmp_path / folder / "two.hit.bw" for folder in ("both", "alone"))
    assert together.read_bytes() == alone.read_bytes()
    assert json.loads((tmp_path / "both" / "run.json").read_text())["mode"] == {"one": "dense", "two": "dense"}


def test_the_same_scan_again_does_nothing_and_another_is_refused(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    assert trackgen("scan", model, genome, "-o", "out").returncode == 0
    track = tmp_path / "out" / "small.hit.plus.bw"
    before = track.stat().st_mtime_ns
    again = trackgen("scan", model, genome, "-o", "out", "--threads", 1, "--resume")
    assert again.returncode == 0
    assert "already" in again.stderr
    assert track.stat().st_mtime_ns == before
    other = trackgen("scan", model, genome, "-o", "out", "--stride", 5)
    assert_refused(other, 2, "out", "holds a finished run", "another stride", "--overwrite")
    assert track.stat().st_mtime_ns == before
    assert trackgen("scan", model, genome, "-o", "out", "--stride", 5, "--overwrite").returncode == 0
    assert track.stat().st_mtime_ns != before


def test_estimate_and_list_outputs_write_nothing(trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path) -> None:
    listed = trackgen("scan", model, genome, "-o", "out", "--list-outputs")
    assert "small.hit.minus.bw" in listed.stdout.split()
    estimate = trackgen("scan", model, genome, "-o", "out", "--estimate")
    assert estimate.returncode == 0, estimate.stderr
    assert [line.split("\t")[0] for line in estimate.stdout.splitlines()] == ["time", "memory", "disk", "bases"]
    assert not (tmp_path / "out").exists()


def test_an_option_can_be_an_environment_variable(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    assert (
        trackgen("scan", model, genome, TRACKGEN_SCAN_OUTPUT="from-environment", TRACKGEN_SCAN_CLASSES="hit").returncode
        == 0
    )
    assert not (tmp_path / "from-environment" / "small.background.plus.bw").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["MODEL", "nothing.fa", "-o", "out"], 3, ["nothing.fa", "does not exist"]),
        (["nothing.onnx", "GENOME", "-o", "out"], 4, ["nothing.onnx", "does not exist"]),
        (["tss-yeats", "GENOME", "-o", "out"], 2, ["tss-yeats", "did you mean tss-yeast"]),
        (["GENOME", "MODEL", "-o", "out"], 2, ["swapped", "MODEL first", "run: trackgen scan"]),
        (["GENOME", "tss-yeast", "-o", "out"], 2, ["swapped", "MODEL first", "scan tss-yeast"]),
        (["card.json", "GENOME", "-o", "out"], 4, ["card.json", "does not exist"]),
        (["GENOME", "GENOME", "-o", "out"], 4, ["looks like a genome"]),
        (["MODEL", "GENOME", "-o", "out", "--classes", ","], 2, ["--classes", "names nothing"]),
        (["MODEL", "GENOME", "-o", "out", "--resume", "--overwrite"], 2, ["--resume", "--overwrite"]),
        (["MODEL", "GENOME", "-o", "out", "--regions", "none.narrowPeak"], 3, ["none.narrowPeak", "does not exist"]),
        (["MODEL", "GENOME", "-o", "out", "--log-file", "none/x.log"], 3, ["none/x.log", "No such file"]),
        (["MODEL", "GENOME", "-o", "out", "--device", "gpu"], 2, ["--device", "gpu", "cuda:N"]),
        (["MODEL", "GENOME", "-o", "out", "--device", "cuda:99"], 2, ["cuda:99", "trackgen doctor"]),
        (["MODEL", "GENOME", "-o", "out", "--classes", "hitt"], 2, ["hitt", "did you mean hit"]),
        (["MODEL", "MODEL", "GENOME", "-o", "out"], 2, ["two models of one name", "small"]),
        (["MODEL", "GENOME", "-o", "genome.fa"], 2, ["genome.fa", "not a folder"]),
        (["MODEL", "GENOME", "-o", "genome.fa/sub"], 2, ["genome.fa", "can't be written"]),
        (["MODEL", "GENOME", "-o", "out", "--chroms", "chrX"], 2, ["--chroms", "chrX"]),
        (["MODEL", "GENOME", "-o", "out", "--regions", "chrI:10-2"], 2, ["chrI:10-2"]),
        (["MODEL", "GENOME", "-o", "out", "--regions", "chrI:1-901"], 2, ["900"]),
        (["MODEL", "GENOME", "-o", "out", "--regions", "none.bed"], 3, ["none.bed", "does not exist"]),
        (["MODEL", "GENOME", "-o", "out", "--stride", "0"], 2, ["--stride", "0"]),
        (["MODEL", "GENOME", "-o", "out", "--digits", "many"], 2, ["--digits", "many", "full"]),
        (["MODEL", "GENOME"], 2, ["--output"]),
    ],
)
def test_bad_input_names_the_cause(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, arguments: list[str], status: int, words: list[str]
) -> None:
    named = {"MODEL": str(model), "GENOME": str(genome)}
    result = trackgen("scan", *[named.get(word, word) for word in arguments])
    assert_refused(result, status, *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("chrI\t20\t10", ["line 2", "20", "10"]),
        ("chrI\t20\t901", ["line 2", "901", "900"]),
        ("chrZ\t20\t30", ["line 2", "chrZ"]),
        ("chrI 20 30", ["line 2", "tab"]),
        ("chrI\ttwenty\t30", ["line 2", "twenty"]),
    ],
)
def test_a_bad_bed_line_is_named(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, line: str, words: list[str]
) -> None:
    (tmp_path / "r.bed").write_text(f"chrI\t0\t10\n{line}\n")
    assert_refused(trackgen("scan", model, genome, "-o", "out", "--regions", "r.bed"), 3, "r.bed", *words)
    assert not (tmp_path / "out").exists()


def with_weight(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """The model with another value of one weight, in place."""
    proto = onnx.load(str(path))
    (entry,) = [entry for entry in proto.graph.initializer if entry.name == name]
    changed = change(onnx.numpy_helper.to_array(entry)).astype(np.float32)
    entry.CopyFrom(onnx.numpy_helper.from_array(changed, name))
    onnx.save(proto, str(path))
    return path


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_refused_by_every_command(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, broken: float
) -> None:
    """A ReLU turns NaN into 0: what comes out may look like a track."""
    with_weight(model, "first_weight", lambda value: np.where(value == value.flat[5], broken, value))
    (tmp_path / "card.json").write_text(json.dumps(json.loads(onnx.load(str(model)).metadata_props[0].value)))
    told = (4, "small.onnx", "weight first_weight, element [", str(broken), "finite numbers")
    for mode in ("auto", "dense", "window"):
        assert_refused(trackgen("scan", model, genome, "-o", "out", "--mode", mode), *told)
    assert not (tmp_path / "out").exists()
    for words in (("check", model), ("explain", model), ("add-card", model, "card.json", "-o", "new.onnx")):
        assert_refused(trackgen("model", *words), *told)
    assert not (tmp_path / "new.onnx").exists()


def test_values_that_are_no_numbers_are_refused_with_their_window(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    """Sums beyond float32 are infinite, and a softmax of them is no number."""
    with_weight(model, "second_weight", lambda value: np.full(value.shape, 3e38))
    for mode in ("dense", "window"):
        result = trackgen("scan", model, genome, "-o", "out", "--mode", mode)
        assert_refused(result, 4, "small.onnx", "not a number", "window at chrI:")
        assert not list((tmp_path / "out").glob("*.bw"))
    assert_refused(trackgen("model", "check", model), 4, "not a number")


def test_an_opset_that_is_not_known_is_refused_in_every_mode(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    proto = onnx.load(str(model))
    proto.opset_import[0].version = 99
    onnx.save(proto, str(model))
    for mode in ("auto", "window"):
        result = trackgen("scan", model, genome, "-o", "out", "--mode", mode)
        assert_refused(result, 4, "small.onnx", "opset 99", "update the onnx package")
    assert_refused(trackgen("model", "check", model), 4, "small.onnx", "opset 99")


def test_explain_ends_in_what_a_scan_does(trackgen: Trackgen, model: Path) -> None:
    assert trackgen("model", "explain", model).stdout.rstrip().endswith("runs it densely")
    far = trackgen("model", "explain", model, "--stride", 5000).stdout.rstrip().splitlines()[-1]
    assert "windows one by one" in far
    assert "at stride 5,000" in far
    for stride in (0, -1, "1.5", 2**40):
        assert_refused(trackgen("model", "explain", model, "--stride", stride), 2, "--stride")


def test_a_fault_of_ours_is_one_line_that_says_where(trackgen: Trackgen, tmp_path: Path, model: Path) -> None:
    lines = ("import trackgen.resources as resources", "", "def fail(name):", "    raise ZeroDivisionError('odd')", "")
    (tmp_path / "sitecustomize.py").write_text("\n".join([*lines, "resources.find_model = fail", ""]))
    result = trackgen("model", "show", model, PYTHONPATH=str(tmp_path))
    assert_refused(result, 1, "fault of trackgen itself", "ZeroDivisionError: odd", "sitecustomize.py:4", "--debug")
    assert "Traceback" in trackgen("--debug", "model", "show", model, PYTHONPATH=str(tmp_path)).stderr


def test_a_batch_size_frozen_inside_the_graph_is_found_by_check(trackgen: Trackgen, tmp_path: Path) -> None:
    """The input's batch axis is open, and a constant inside is not: only running it tells."""
    path = small_model(tmp_path, positions=4, bin_=4, activation="none").path
    proto = onnx.load(str(path))
    (shape,) = [entry for entry in proto.graph.initializer if entry.name == "shape"]
    shape.CopyFrom(onnx.numpy_helper.from_array(np.array([1, 2, 4], np.int64), "shape"))
    onnx.save(proto, str(path))
    assert_refused(trackgen("model", "check", path), 4, "batch size 7", "open batch axis")


def test_model_commands_list_show_and_check(trackgen: Trackgen, model: Path) -> None:
    assert "tss-yeast" in trackgen("model", "list").stdout
    assert json.loads(trackgen("model", "show", model).stdout)["name"] == "small"
    checked = trackgen("model", "check", model)
    assert checked.returncode == 0, checked.stderr
    assert "1, 7, 256" in checked.stdout


def start_long_scan(folder: Path) -> tuple[subprocess.Popen[str], Path, Path]:
    """A scan of many seconds that has begun to work, its model and its genome."""
    random = np.random.default_rng(2)
    genome = write_fasta(folder / "large.fa", {"chr1": "".join(random.choice(list(LETTERS), 6_000_000))})
    model = small_model(folder, strands="both").path
    arguments = [sys.executable, "-m", "trackgen", "scan", str(model), str(genome), "-o", "out", "--mode", "window"]
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list((folder / "out" / ".trackgen" / "shards").glob("*.tmp")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    return process, model, genome


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_scan_leaves_nothing(tmp_path: Path, number: signal.Signals, status: int) -> None:
    process, _, _ = start_long_scan(tmp_path)
    process.send_signal(number)
    assert process.wait(timeout=20) == status
    assert not (tmp_path / "out").exists()


def test_a_killed_scan_leaves_no_track_and_can_be_run_again(trackgen: Trackgen, tmp_path: Path) -> None:
    process, model, genome = start_long_scan(tmp_path)
    process.kill()
    process.wait(timeout=20)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".trackgen"]
    other = trackgen("scan", model, genome, "-o", "out", "--stride", 400)
    assert_refused(other, 2, "unfinished run", "another stride", "1 instead of 400", "--overwrite")
    done = trackgen("scan", model, genome, "-o", "out", "--stride", 400, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "small.hit.minus.bw").exists()
    assert not (tmp_path / "out" / ".trackgen").exists()


def test_a_second_run_into_one_folder_is_told_who_writes_there(trackgen: Trackgen, tmp_path: Path) -> None:
    process, model, genome = start_long_scan(tmp_path)
    second = trackgen("scan", model, genome, "-o", "out", "--mode", "window")
    assert_refused(second, 2, "another run is writing", f"process {process.pid}", "wait for it")
    assert process.poll() is None
    process.terminate()
    process.wait(timeout=20)


@pytest.mark.parametrize("mode", ["dense", "window"])
def test_threads_and_batches_never_change_a_byte(trackgen: Trackgen, tmp_path: Path, genome: Path, mode: str) -> None:
    ways = [["-t", "1"], ["-t", "2"], ["--batch-size", "31"], ["-t", "5", "--batch-size", "7"]]
    ways = [[*way, "--mode", mode, "--tile", "97"] for way in ways]
    written = []
    for number, way in enumerate(ways):
        assert trackgen("scan", "tss-yeast", genome, "-o", f"out{number}", *way).returncode == 0
        written.append({path.name: path.read_bytes() for path in (tmp_path / f"out{number}").glob("*.bw")})
    assert len(written[0]) == 4
    assert all(files == written[0] for files in written[1:])


def test_the_size_of_tiles_changes_rounding_only(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    """A wide convolution computes four positions together: which four, depends on where a tile begins."""
    tracks = []
    for tile in (97, 701, 32_768):
        out = f"out{tile}"
        assert trackgen("scan", "tss-yeast", genome, "-o", out, "--tile", tile, "--digits", "full").returncode == 0
        with pyBigWig.open(str(tmp_path / out / "tss-yeast.broad.plus.bw")) as track:
            tracks.append(np.array(track.values("chrI", 0, 900)))
    assert np.nanmax(np.abs(tracks[1] - tracks[0])) < 1e-6
    assert np.nanmax(np.abs(tracks[2] - tracks[0])) < 1e-6


def test_regions_never_change_a_byte_of_a_value(trackgen: Trackgen, tmp_path: Path, genome: Path) -> None:
    """Of a real model, densely: a base's value is the same in every run."""
    spans = ("chrI:400-410", "chrI:795-801", "chrII:77-77")
    command = ["scan", "tss-yeast", genome, "--tile", "256", "--digits", "full"]
    assert trackgen(*command, "-o", "all").returncode == 0
    regions = [word for span in spans for word in ("--regions", span)]
    assert trackgen(*command, "-o", "some", *regions).returncode == 0
    for name in ("tss-yeast.sharp.plus.bw", "tss-yeast.broad.minus.bw"):
        with pyBigWig.open(str(tmp_path / "all" / name)) as whole, pyBigWig.open(str(tmp_path / "some" / name)) as some:
            for span in spans:
                chromosome, _, ends = span.partition(":")
                first, last = map(int, ends.split("-"))
                assert some.values(chromosome, first - 1, last) == whole.values(chromosome, first - 1, last)


def test_a_finished_run_that_lost_a_track_is_run_again(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    assert trackgen("scan", model, genome, "-o", "out").returncode == 0
    track = tmp_path / "out" / "small.hit.plus.bw"
    before = track.read_bytes()
    track.unlink()
    assert trackgen("scan", model, genome, "-o", "out").returncode == 0
    assert track.read_bytes() == before


def test_files_of_somebody_else_are_not_replaced(trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "skipped.bed").write_text("mine")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert_refused(trackgen("scan", model, genome, "-o", "out"), 2, "not trackgen's", "skipped.bed", "--overwrite")
    assert (tmp_path / "out" / "skipped.bed").read_text() == "mine"
    assert trackgen("scan", model, genome, "-o", "out", "--overwrite").returncode == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "run",
    [
        {"plan": None, "tracks": [{"file": "../victim.bw"}]},
        {"plan": {"models": ["a"]}, "tracks": [1]},
        {"tracks": None},
        [],
    ],
)
def test_overwrite_removes_nothing_outside_whatever_run_json_says(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, run: object
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(json.dumps(run))
    (tmp_path / "victim.bw").write_text("mine")
    assert_refused(trackgen("scan", model, genome, "-o", "out"), 2, "holds a finished run of something else")
    assert trackgen("scan", model, genome, "-o", "out", "--overwrite").returncode == 0
    assert (tmp_path / "victim.bw").read_text() == "mine"


def test_run_json_never_stands_beside_tracks_it_does_not_describe(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    """A kill in the middle of an --overwrite's last step: the old run must not count as finished."""
    assert trackgen("scan", model, genome, "-o", "out").returncode == 0
    assert trackgen("scan", model, genome, "-o", "new", "--stride", 7).returncode == 0
    work = tmp_path / "out" / ".trackgen"
    plan = json.loads((tmp_path / "new" / "run.json").read_text())["plan"]
    assert trackgen("scan", model, genome, "-o", "planned", "--stride", 7, "--plan-only").returncode == 0
    (tmp_path / "planned" / ".trackgen").replace(work)
    (tmp_path / "new" / "small.hit.plus.bw").replace(tmp_path / "out" / "small.hit.plus.bw")
    (tmp_path / "out" / "run.json").unlink()
    assert trackgen("scan", model, genome, "-o", "out", "--stride", 7).returncode == 0
    assert not work.exists()
    first = json.loads((tmp_path / "out" / "run.json").read_text())
    assert first["plan"] == plan


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"models": 3}'])
def test_a_damaged_record_of_an_unfinished_run_can_be_overwritten(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path, content: str
) -> None:
    (tmp_path / "out" / ".trackgen").mkdir(parents=True)
    (tmp_path / "out" / ".trackgen" / "plan.json").write_text(content)
    assert_refused(trackgen("scan", model, genome, "-o", "out"), 2, "unfinished run", "--overwrite")
    assert trackgen("scan", model, genome, "-o", "out", "--overwrite").returncode == 0


def test_results_into_a_closed_pipe_and_onto_a_full_device(model: Path) -> None:
    show = f"{sys.executable} -m trackgen model show {model}"
    closed = subprocess.run(["bash", "-c", f"{show} | true; exit ${{PIPESTATUS[0]}}"], capture_output=True, check=False)
    assert (closed.returncode, closed.stderr) == (0, b"")
    full = subprocess.run(["bash", "-c", f"{show} > /dev/full"], capture_output=True, check=False)
    assert full.returncode == 75
    assert b"No space left" in full.stderr
    assert b"Traceback" not in full.stderr


def test_run_json_keeps_no_folder_and_no_private_option(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    (tmp_path / "secret").mkdir()
    bed = tmp_path / "r.bed"
    bed.write_text("chrI\t0\t100\n")
    log = tmp_path / "secret" / "log.txt"
    result = trackgen(
        "scan", model, genome, f"--output={tmp_path / 'out'}", f"--regions={bed}", "--tmp-dir", tmp_path / "secret",
        f"--log-file={log}", "-q",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert "device: cpu" in log.read_text()
    text = (tmp_path / "out" / "run.json").read_text()
    assert "secret" not in text
    assert str(tmp_path) not in text
    command = ["trackgen", "scan", "small.onnx", "genome.fa", "--output=out", "--regions=r.bed", "-q"]
    assert json.loads(text)["command"] == command


def test_a_model_whose_weights_lie_outside_is_refused_until_it_is_one_file(
    trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path
) -> None:
    proto = onnx.load(str(model))
    onnx.save(proto, str(tmp_path / "outside.onnx"), save_as_external_data=True, location="w.bin", size_threshold=0)
    result = trackgen("scan", tmp_path / "outside.onnx", genome, "-o", "out")
    assert_refused(result, 4, "outside.onnx", "weights lie in other files", "add-card")
    (tmp_path / "card.json").write_text(trackgen("model", "show", model).stdout)
    joined = trackgen("model", "add-card", tmp_path / "outside.onnx", "card.json", "-o", "joined.onnx")
    assert joined.returncode == 0, joined.stderr
    assert trackgen("scan", "joined.onnx", genome, "-o", "out").returncode == 0


HIDING = """
import sys
for name in {names}:
    sys.modules[name] = None  # what an import finds where the package is not installed
sys.argv = ["trackgen", *{arguments}]
from trackgen.cli.main import main
main()
"""


def test_a_scan_needs_neither_pybigwig_nor_torch(trackgen: Trackgen, tmp_path: Path, model: Path, genome: Path) -> None:
    assert trackgen("scan", model, genome, "-o", "plain").returncode == 0
    names = ["pyBigWig", "torch", "sklearn", "scipy", "pybedtools"]
    arguments = ["scan", str(model), str(genome), "-o", "hidden", "-q"]
    code = HIDING.format(names=names, arguments=arguments)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    for path in (tmp_path / "plain").glob("*.bw"):
        assert (tmp_path / "hidden" / path.name).read_bytes() == path.read_bytes()


def test_a_scan_on_one_core_is_told_one_thread_and_says_nothing_else(tmp_path: Path, model: Path, genome: Path) -> None:
    command = [
        "taskset",
        "-c",
        "0",
        sys.executable,
        "-m",
        "trackgen",
        "scan",
        str(model),
        str(genome),
        "-o",
        "out",
        "-q",
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["threads"] == 1
