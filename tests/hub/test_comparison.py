"""A predicted signal over what the model read and over the deep data: one picture on one scale, in every browser."""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from tests.cli.test_scan import assert_refused
from tests.conftest import Trackgen
from tests.denoised import CAVEATS, INPUT, write_denoised_run, write_hills
from tests.hub.conftest import Build
from tests.hub.stanzas import read_stanzas
from tests.hubs import LENGTHS, change_run, write_bigwig, write_run
from trackgen.errors import TrackgenError
from trackgen.hub.limits import limits_of_files

SIGNAL, PEAK = "denoise-mini.signal.bw", "denoise-mini.peak.bw"
DEEP = "denoise-mini.deep.bw"
PARTS = [INPUT, DEEP, SIGNAL]
NAMES = [name.removesuffix(".bw").replace("-", "_").replace(".", "_") for name in PARTS]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_denoised_run(tmp_path / "run")


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    write_hills(tmp_path / "all fragments.bw", 5.0)
    return tmp_path / "all fragments.bw"


@pytest.fixture
def hub(build: Build, run: Path, deep: Path) -> Path:
    return build(run, beside=[("deep", deep)]).path


def test_ucsc_draws_all_three_in_one_transparent_overlay_on_one_scale(hub: Path) -> None:
    stanzas = {entry["track"]: entry for entry in read_stanzas((hub / "hub.txt").read_text()) if "track" in entry}
    container = stanzas["denoise_mini_signal_compared"]
    assert container["container"] == "multiWig"
    assert container["aggregate"] == "transparentOverlay"
    assert container["longLabel"] == "input atac, deep, denoised ATAC"
    assert [stanzas[name]["parent"] for name in NAMES] == ["denoise_mini_signal_compared"] * 3
    assert {stanzas[name]["viewLimits"] for name in NAMES} == {container["viewLimits"]} == {"0:5"}
    assert len({stanzas[name]["color"] for name in NAMES}) == 3
    assert stanzas[NAMES[0]]["longLabel"] == "input atac: 46,790 fragments, 0.358 over a base"
    assert "negateValues" not in str([stanzas[name] for name in NAMES])
    assert stanzas["denoise_mini_peak"]["parent"] == container["parent"] == "denoise_mini_predictions"
    order = list(stanzas)
    assert order.index("denoise_mini_predictions") < order.index("denoise_mini_signal_compared") < order.index(NAMES[0])


def test_igv_draws_them_as_one_merged_track(hub: Path) -> None:
    merged, peak = json.loads((hub / "igv.json").read_text())["tracks"]
    assert merged["type"] == "merged"
    assert (merged["min"], merged["max"], merged["autoscale"]) == (0.0, 5.0, False)
    assert [track["url"] for track in merged["tracks"]] == PARTS
    assert [track["max"] for track in merged["tracks"]] == [5.0] * 3
    assert 0 < merged["alpha"] < 1
    assert 'href="denoise_mini_signal.html"' in merged["description"]
    assert peak["url"] == PEAK


def test_jbrowse_draws_them_as_lines_of_one_track(hub: Path) -> None:
    config = json.loads((hub / "config.json").read_text())
    overlay, _ = config["tracks"]
    assert overlay["type"] == "MultiQuantitativeTrack"
    parts = overlay["adapter"]["subadapters"]
    assert [part["bigWigLocation"]["uri"] for part in parts] == PARTS
    assert [part["source"] for part in parts] == ["input atac", "deep", "denoised ATAC"]
    (display,) = overlay["displays"]
    assert (display["minScore"], display["maxScore"]) == (0.0, 5.0)
    (view,) = config["defaultSession"]["views"]
    assert view["init"]["tracks"][1:] == [track["trackId"] for track in config["tracks"]]


def test_other_browsers_show_them_next_to_each_other_on_that_scale(hub: Path) -> None:
    washu = json.loads((hub / "washu.json").read_text())
    assert [track["url"] for track in washu] == [*PARTS, PEAK]
    assert [track["options"]["yMax"] for track in washu[:3]] == [5.0] * 3
    desktop = (hub / "igv.xml").read_text()
    assert [desktop.index(f'id="{name}"') for name in PARTS] == sorted(desktop.index(f'id="{name}"') for name in PARTS)
    assert desktop.count('maximum="5"') == 3
    ini = configparser.ConfigParser(interpolation=None)
    ini.read_string((hub / "tracks.ini").read_text().partition("\n")[2])
    assert [ini[name].get("overlay_previous") for name in NAMES] == [None, "share-y", "share-y"]
    assert ini[NAMES[0]]["title"] == "input atac, deep, denoised ATAC"


def test_pages_tell_what_is_measured_what_is_predicted_and_what_may_be_invented(hub: Path) -> None:
    page = (hub / "denoise_mini_signal.html").read_text()
    assert "What the model may invent" in page
    assert f"<li>{CAVEATS[0]}</li>" in page
    assert "A peak &lt;of&gt; one cell type" in page
    assert 'href="denoise_mini_deep.html">deep</a> (measured)' in page
    assert "caveats" not in page
    assert "measure" not in page.partition("Data</h2>")[2], "the recipe is for programs"
    measured = (hub / "denoise_mini_atac_input.html").read_text()
    assert "measured, not predicted" in measured
    assert [text for text in ("low.bam", "46,790", "0.358") if text not in measured] == []
    assert "What the model may invent" not in measured
    assert "to be compared with the prediction" in (hub / "denoise_mini_deep.html").read_text()
    whole = (hub / "hub.html").read_text()
    assert whole.count("What the model may invent") == 1
    assert "measured signal (fold over the mean)" in (hub / "index.html").read_text()
    assert "What the model may invent" in (hub / "denoise_mini_peak.html").read_text()


def test_the_check_of_hubs_finds_nothing(trackgen: Trackgen, hub: Path) -> None:
    result = trackgen("hub", "check", hub)
    assert result.returncode == 0, result.stdout
    assert "error" not in result.stdout.lower().replace("no errors", "").replace("0 errors", "")


def test_the_hub_opens_where_the_prediction_shows_something(hub: Path) -> None:
    name, _, rest = json.loads((hub / "igv.json").read_text())["locus"].partition(":")
    start, end = map(int, rest.split("-"))
    assert name == "chrI"
    assert start < 30_000 < end


def test_an_input_alone_is_an_overlay_and_without_one_all_is_as_before(build: Build, run: Path, tmp_path: Path) -> None:
    merged, _ = json.loads((build(run).path / "igv.json").read_text())["tracks"]
    assert [track["url"] for track in merged["tracks"]] == [INPUT, SIGNAL]
    change_run(run, "inputs", value=[])
    tracks = json.loads((build(run, output=tmp_path / "other").path / "igv.json").read_text())["tracks"]
    assert [track["url"] for track in tracks] == [SIGNAL, PEAK]


def test_names_of_sequences_in_a_file_beside_are_read_as_the_genome_s(build: Build, run: Path, tmp_path: Path) -> None:
    write_bigwig(tmp_path / "x.bw", "signal", 5.0, {"I": 60_000, "II": 20_001})
    folder = build(run, beside=[("deep", tmp_path / "x.bw")]).path
    with pyBigWig.open(str(folder / DEEP)) as file:
        assert file.chroms() == {"chrI": 60_000, "chrII": 20_001}
    folder = build(run, beside=[("deep", tmp_path / "x.bw")], names="ensembl", output=tmp_path / "ensembl").path
    for name in PARTS:
        with pyBigWig.open(str(folder / name)) as file:
            assert {"I", "chrI"} & {*file.chroms()} == {"I"}


def test_sequences_of_a_file_beside_that_the_genome_lacks_are_left_out(
    build: Build, trackgen: Trackgen, run: Path, tmp_path: Path
) -> None:
    write_bigwig(tmp_path / "x.bw", "signal", 5.0, {"II": 20_001, "chrEBV": 9_000, "I": 60_000})
    folder = build(run, beside=[("deep", tmp_path / "x.bw")]).path
    with pyBigWig.open(str(folder / DEEP)) as file, pyBigWig.open(str(tmp_path / "x.bw")) as given:
        assert file.chroms() == {"chrI": 60_000, "chrII": 20_001}
        for name in ("I", "II"):
            wanted = given.values(name, 0, 20_000, numpy=True)
            np.testing.assert_array_equal(file.values(f"chr{name}", 0, 20_000, numpy=True), wanted)
    checked = trackgen("hub", "check", folder)
    assert checked.returncode == 0, checked.stdout


def test_a_stretch_of_hundredfold_coverage_does_not_flatten_the_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lengths = {f"chr{number}": 300_000 for number in range(1, 8)}
    path = tmp_path / "x.bw"
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(lengths.items()))
        for name in lengths:
            values = random.exponential(1, 300_000)
            values[:20_000] *= 300 if name == "chr3" else 1
            file.addEntries(name, 0, values=values.tolist(), span=1, step=1)
    limits = limits_of_files([path])
    assert limits.low == 0
    assert 4 <= limits.high <= 8


@pytest.mark.parametrize(
    ("make", "status", "words"),
    [
        (lambda path: None, 3, ["deep.bw", "does not exist"]),
        (lambda path: path.write_text("chrI 1 2"), 3, ["deep.bw", "not a BigWig"]),
        (lambda path: write_bigwig(path, "signal", 1, {"chrI": 59_000}), 3, ["deep.bw", "another length", "59,000"]),
        (lambda path: write_bigwig(path, "signal", 1, {"chrZ": 59_000}), 3, ["deep.bw", "chrZ", "does not have"]),
    ],
)
def test_a_bad_file_beside_is_named(
    trackgen: Trackgen, run: Path, finished: Path, tmp_path: Path, make: Callable[[Path], object], status: int,
    words: list[str],
) -> None:  # fmt: skip
    make(tmp_path / "deep.bw")
    result = trackgen(
        "hub", "build", run, "-o", "hub", "--genome", finished / "mini.fa", "--beside", f"deep={tmp_path / 'deep.bw'}"
    )
    assert_refused(result, status, *words)
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["deep", "deep"], ["--beside", "a label is given twice", "'deep'", "label of its own"]),
        ([" "], ["--beside", "a label is empty"]),
    ],
)
def test_bad_labels_are_named(
    trackgen: Trackgen, run: Path, finished: Path, deep: Path, labels: list[str], words: list[str]
) -> None:
    given = [word for label in labels for word in ("--beside", f"{label}={deep}")]
    assert_refused(trackgen("hub", "build", run, "-o", "hub", "--genome", finished / "mini.fa", *given), 2, *words)


def test_without_a_predicted_signal_there_is_nothing_to_compare_with(
    trackgen: Trackgen, finished: Path, deep: Path
) -> None:
    result = trackgen(
        "hub", "build", finished / "out", "-o", "hub", "--genome", finished / "mini.fa", "--beside", f"deep={deep}"
    )
    assert_refused(result, 2, "--beside", "no track of the hub can be compared", "role signal")


def test_an_input_that_is_not_the_run_s_is_refused(build: Build, run: Path) -> None:
    write_bigwig(run / INPUT, "signal", 7.0)
    with pytest.raises(TrackgenError, match="is not the file that the run wrote") as caught:
        build(run)
    assert caught.value.exit_status == 3


def test_two_runs_have_an_overlay_each_and_a_file_stands_beside_the_first(
    build: Build, run: Path, deep: Path, tmp_path: Path
) -> None:
    other = write_denoised_run(tmp_path / "other")
    tracks = json.loads((build(run, other, beside=[("deep", deep)]).path / "igv.json").read_text())["tracks"]
    merged = [track for track in tracks if track["type"] == "merged"]
    assert [[part["url"] for part in track["tracks"]] for track in merged] == [
        PARTS, ["denoise-mini.atac.input.2.bw", "denoise-mini.signal.2.bw"]
    ]  # fmt: skip
    assert len({track["id"] for track in merged}) == 2


def test_runs_of_other_roles_keep_their_tracks(build: Build, run: Path, tmp_path: Path) -> None:
    tss = write_run(tmp_path / "tss")
    tracks = json.loads((build(tss, run).path / "igv.json").read_text())["tracks"]
    assert [track["type"] for track in tracks] == ["wig"] * 4 + ["merged", "wig"]
    assert set(LENGTHS) == {"chrI", "chrII", "chrM"}
