"""Calls in a hub: their track in each browser's terms, beside the tracks they were made of; names; every refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pybigtools
import pytest
from click.testing import CliRunner

from tests.hub.conftest import Build, Notes
from tests.hub.stanzas import read_stanzas
from tests.hub.test_pages import HOSTILE, Links
from tests.hubs import change_run, write_fasta, write_run
from trackgen.calls import CallOptions, make_calls
from trackgen.cli.hub import command
from trackgen.errors import DataError, UsageError
from trackgen.hub.call_sources import call_sources
from trackgen.hub.check import check_hub

STEM = "tss-mini.sharp.calls"
PAGE = "tss_mini_sharp_calls.html"


def write_calls(run: Path, output: Path, **options: Any) -> Path:
    make_calls(call_sources([run], (), None), CallOptions(output, **options), Notes())
    return output


@pytest.fixture
def calls(finished: Path, tmp_path: Path) -> Path:
    return write_calls(finished / "out", tmp_path / "calls")


def change(folder: Path, *keys: str | int, value: Any) -> None:
    path = folder / "calls.json"
    described = json.loads(path.read_text())
    inner = described
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(described))


def test_calls_become_a_track_of_every_browser_beside_their_model(build: Build, calls: Path) -> None:
    report = build(calls=[calls])
    folder = report.path
    predictions = ["tss_mini_sharp_plus", "tss_mini_sharp_minus", "tss_mini_broad_plus"]
    shown = [*predictions, "tss_mini_sharp_calls", "tss_mini_broad_calls", "tss_mini_sharp_plus_contrib"]
    assert [entry["id"] for entry in json.loads((folder / "igv.json").read_text())["tracks"]] == shown
    (stanza,) = (
        entry for entry in read_stanzas((folder / "hub.txt").read_text()) if entry.get("bigDataUrl") == f"{STEM}.bb"
    )
    assert stanza == {
        "track": "tss_mini_sharp_calls", "group": "predictions", "shortLabel": "sharp calls",
        "longLabel": "calls of sharp TSS: from 0.03 on; Transcription starts, a small test", "type": "bigBed 9 +",
        "bigDataUrl": f"{STEM}.bb", "visibility": "dense", "color": "200,30,30", "html": PAGE,
    }  # fmt: skip
    track = json.loads((folder / "igv.json").read_text())["tracks"][3]
    assert (track["format"], track["url"], track["color"]) == ("bigbed", f"{STEM}.bb", "rgb(200,30,30)")
    config = json.loads((folder / "config.json").read_text())
    assert [entry["trackId"] for entry in config["tracks"]] == shown
    assert config["tracks"][3]["category"] == config["tracks"][0]["category"] == ["tss-mini", "Predictions"]
    assert config["tracks"][3]["displays"][0]["renderer"]["color1"] == "rgb(200,30,30)"
    assert [entry["type"] for entry in json.loads((folder / "washu.json").read_text())][3] == "bigbed"
    session = (folder / "igv.xml").read_text()
    assert f'<Resource name="calls of sharp TSS" path="{STEM}.bb" type="bigbed"/>' in session
    assert f'id="{STEM}.bb" name="calls of sharp TSS" attributeKey="calls of sharp TSS" color="200,30,30"' in session
    figures = (folder / "tracks.ini").read_text()
    assert f"[tss_mini_sharp_calls]\nfile = {STEM}.narrowPeak\nfile_type = narrow_peak" in figures
    assert list(pybigtools.open(str(folder / f"{STEM}.bb")).records("chrI")) == list(
        pybigtools.open(str(calls / f"{STEM}.bb")).records("chrI")
    )


def test_the_linter_finds_nothing_in_a_hub_with_calls(build: Build, calls: Path) -> None:
    for layout in ("one-file", "three-file"):
        assert check_hub(str(build(calls=[calls], layout=layout).path)).passed(True)


def test_pages_tell_how_calls_were_made(build: Build, calls: Path) -> None:
    folder = build(calls=[calls]).path
    page = (folder / PAGE).read_text()
    for words in ("Calls of sharp TSS", "reaches 0.03", "the highest base within a distance", "the model&#x27;s card"):
        assert words in page
    for name in ("index.html", "hub.html"):
        assert f'<a href="{PAGE}">calls of sharp TSS</a>' in (folder / name).read_text()
    for path in folder.glob("*.html"):
        assert Links(path.read_text()).open == []


def test_without_calls_no_page_speaks_of_them(build: Build) -> None:
    folder = build().path
    assert not [path for path in folder.glob("*.*t*") if "<h2>Calls</h2>" in path.read_text(errors="replace")]


def test_calls_in_the_folder_of_a_run_are_found(build: Build, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    write_calls(run, run / "calls")
    write_fasta(tmp_path / "mini.fa")
    report = build(run, genome=str(tmp_path / "mini.fa"))
    assert [name for name in report.tracks if name.endswith(".bb")] == [f"{STEM}.bb", "tss-mini.broad.calls.bb"]
    again = build(run, genome=str(tmp_path / "mini.fa"), calls=[run / "calls"])
    assert again.tracks == report.tracks


def test_renamed_sequences_are_renamed_in_calls_too(build: Build, calls: Path, tmp_path: Path) -> None:
    (tmp_path / "names.tsv").write_text("chrI\tone\n")
    folder = build(calls=[calls], names=str(tmp_path / "names.tsv")).path
    assert set(pybigtools.open(str(folder / f"{STEM}.bb")).chroms()) == {"one"}
    lines = (folder / f"{STEM}.narrowPeak").read_text().splitlines()
    assert {line.split("\t")[0] for line in lines} == {"one"}
    assert len(lines) == len((calls / f"{STEM}.narrowPeak").read_text().splitlines())


def test_several_folders_of_calls_do_not_collide(build: Build, calls: Path, finished: Path, tmp_path: Path) -> None:
    more = write_calls(finished / "out", tmp_path / "more", threshold=0.2)
    report = build(calls=[calls, more])
    assert [name for name in report.tracks if "sharp.calls" in name] == [f"{STEM}.bb", f"{STEM}.2.bb"]
    assert "shortLabel sharp calls 2\n" in (report.path / "hub.txt").read_text()
    assert (report.path / f"{STEM}.2.narrowPeak").is_file()


def test_calls_of_a_track_that_is_not_in_the_hub_stand_among_the_annotations(build: Build, calls: Path) -> None:
    change(calls, "calls", 0, "tracks", value=[{"file": "other.bw", "strand": "+", "sha256": "0"}])
    change(calls, "calls", 0, "model", value=None)
    folder = build(calls=[calls]).path
    (stanza,) = (
        entry for entry in read_stanzas((folder / "hub.txt").read_text()) if entry.get("bigDataUrl") == f"{STEM}.bb"
    )
    assert (stanza["group"], stanza["color"]) == ("annotations", "60,60,60")
    assert json.loads((folder / "igv.json").read_text())["tracks"][-1]["name"] == "tss-mini.sharp: calls of sharp TSS"


def test_a_class_without_calls_has_no_track(build: Build, finished: Path, tmp_path: Path) -> None:
    none = write_calls(finished / "out", tmp_path / "none", threshold=0.25)
    assert [name for name in build(calls=[none]).tracks if name.endswith(".bb")] == [f"{STEM}.bb"]


def test_hostile_names_stay_words(build: Build, calls: Path) -> None:
    for key in ("label", "model", "class"):
        change(calls, "calls", 0, key, value=HOSTILE)
    folder = build(calls=[calls]).path
    read_stanzas((folder / "hub.txt").read_text())
    for path in folder.glob("*.html"):
        assert "<script>alert" not in path.read_text()
    assert "<script>" not in (folder / "igv.json").read_text()


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("schema_version",), 2, "the calls are of an unknown kind; found 2; wanted 1"),
        (("kind",), "genes", "unknown kind; found genes; wanted calls"),
        (("genome", "lengths", 0), 61_000, "the calls stand on another genome than the runs; found chrI"),
        (("calls", 0, "type"), "bigBed 3", r"calls\[0\]\.type: the calls are of an unknown kind; found bigBed 3"),
        (("calls", 0, "files", "bigBed"), "../x.bb", "this is no name of a bigBed file"),
        (("calls", 0, "files", "bigBed"), "x.bb", r"x\.bb: the calls are missing"),
        (("calls", 0, "files", "narrowPeak"), "x", "the narrowPeak file of the calls is missing"),
        (("calls", 0, "threshold"), "high", r"calls\[0\]\.threshold"),
    ],
)
def test_calls_that_make_no_sense_are_refused(
    build: Build, calls: Path, keys: tuple[str | int, ...], value: Any, words: str
) -> None:
    change(calls, *keys, value=value)
    with pytest.raises(DataError, match=words) as caught:
        build(calls=[calls])
    assert caught.value.exit_status == 3


def test_calls_of_another_version_of_a_track_are_refused(build: Build, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    calls = write_calls(run, tmp_path / "calls")
    for number in range(3):
        change_run(run, "tracks", number, "sha256", value="")
    build(run, genome="hg38", calls=[calls])
    change(calls, "calls", 1, "tracks", 0, "sha256", value="0" * 64)
    write_run(tmp_path / "new")
    with pytest.raises(DataError, match=r"calls\[1\]\.tracks\[0\]\.file: the calls were made of another version of"):
        build(tmp_path / "new", genome="hg38", calls=[calls])


def test_calls_of_which_one_strand_was_scanned_again_are_refused(build: Build, calls: Path) -> None:
    change(calls, "calls", 0, "tracks", 0, "sha256", value="0" * 64)
    with pytest.raises(
        DataError, match=r"tracks\[0\]\.file: the calls were made of another version of the track"
    ) as caught:
        build(calls=[calls])
    assert caught.value.exit_status == 3


def test_a_big_bed_that_was_cut_off_is_refused_and_leaves_no_hub(build: Build, calls: Path, tmp_path: Path) -> None:
    path = calls / f"{STEM}.bb"
    path.write_bytes(path.read_bytes()[:-200])
    before = set(tmp_path.rglob("hub.txt"))
    with pytest.raises(DataError, match=rf"{STEM}\.bb") as caught:
        build(calls=[calls])
    assert caught.value.exit_status == 3
    assert set(tmp_path.rglob("hub.txt")) == before


def test_folders_that_hold_no_calls_are_refused(build: Build, calls: Path, tmp_path: Path, finished: Path) -> None:
    with pytest.raises(UsageError, match="--calls: the same folder is given twice"):
        build(calls=[calls, calls / ".." / "calls"])
    with pytest.raises(DataError, match="there are no calls in the folder"):
        build(calls=[finished / "out"])
    with pytest.raises(DataError, match=r"no such folder.*trackgen call"):
        build(calls=[tmp_path / "nothing"])
    (calls / f"{STEM}.bb").write_bytes(b"BED")
    with pytest.raises(DataError, match="the calls are not a bigBed file"):
        build(calls=[calls])


def test_the_command_takes_folders_of_calls(finished: Path, calls: Path, tmp_path: Path) -> None:
    arguments = ["build", str(finished / "out"), "-o", str(tmp_path / "hub"), "--genome", str(finished / "mini.fa")]
    done = CliRunner().invoke(command, [*arguments, "--calls", str(calls)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "6 tracks, 9 pages" in done.stderr
