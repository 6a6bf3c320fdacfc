"""Motif hits in a hub: their track in each browser's terms, their page, names that do not collide, every refusal."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pybigtools
import pytest
from click.testing import CliRunner

from tests.hub.conftest import Build
from tests.hub.stanzas import read_stanzas
from tests.hub.test_pages import HOSTILE, Links
from tests.hubs import LENGTHS, PEAK, change_run, write_run
from trackgen.cli.hub import command
from trackgen.errors import DataError, UsageError

STEM = "tss-mini.sharp.motifs"
PAGE = "tss_mini_sharp_motifs.html"


def described(**changes: Any) -> dict[str, Any]:
    """What `trackgen explain motifs` writes beside its bigBed file."""
    return {
        "schema_version": 1, "trackgen": "0.1.0", "kind": "motif hits", "file": f"{STEM}.bb", "type": "bigBed 9 +",
        "model": "tss-mini", "class": "sharp", "label": "motifs of sharp TSS",
        "genome": {"names": list(LENGTHS), "lengths": list(LENGTHS.values())}, "hits": 2,
        "patterns": [
            {"name": "positive_0", "hits": 1, "color": "200,30,30", "matches": ["REB1", "RAP1"]},
            {"name": "negative_0", "hits": 1, "matches": []},
        ],
    } | changes  # fmt: skip


def write_hits(folder: Path, **changes: Any) -> Path:
    """A folder as `trackgen explain motifs` leaves it, the report left out."""
    folder.mkdir()
    rows = [
        ("chrI", PEAK, PEAK + 7, f"positive_0_REB1\t1000\t+\t{PEAK}\t{PEAK + 7}\t200,30,30\t8.5"),
        ("chrI", PEAK + 40, PEAK + 46, f"negative_0\t100\t-\t{PEAK + 40}\t{PEAK + 46}\t30,30,200\t-0.8"),
    ]
    fields = "".join(
        f'{kind} {name}; ""\n'
        for kind, name in (
            ("string", "chrom"), ("uint", "chromStart"), ("uint", "chromEnd"), ("string", "name"), ("uint", "score"),
            ("char[1]", "strand"), ("uint", "thickStart"), ("uint", "thickEnd"), ("uint", "reserved"),
            ("float", "contribution"),
        )
    )  # fmt: skip
    writer = pybigtools.open(os.fspath(folder / f"{STEM}.bb"), "w")
    writer.write(LENGTHS, iter(rows), f'table motifHits\n"hits"\n(\n{fields})\n')
    (folder / f"{STEM}.bed").write_text("".join(f"{a}\t{b}\t{c}\t{rest}\n" for a, b, c, rest in rows))
    (folder / f"{STEM}.json").write_text(json.dumps(described(**changes)))
    (folder / "report.json").write_text("{}")
    return folder


@pytest.fixture
def hits(tmp_path: Path) -> Path:
    return write_hits(tmp_path / "motifs")


def test_hits_become_a_track_of_every_browser(build: Build, hits: Path) -> None:
    report = build(motifs=[hits])
    folder = report.path
    assert report.tracks[-1] == f"{STEM}.bb"
    assert report.pages[-1] == PAGE
    copy, original = (pybigtools.open(str(place / f"{STEM}.bb")) for place in (folder, hits))
    assert copy.chroms() == original.chroms()
    assert copy.sql() == original.sql()
    assert list(copy.records("chrI")) == list(original.records("chrI"))
    (stanza,) = (entry for entry in read_stanzas((folder / "hub.txt").read_text()) if "bigBed" in entry.get("type", ""))
    assert stanza == {
        "track": "tss_mini_sharp_motifs", "group": "annotations", "shortLabel": "sharp motifs",
        "longLabel": "motifs of sharp TSS: stretches that contribute; Transcription starts, a sm..",
        "type": "bigBed 9 +", "bigDataUrl": f"{STEM}.bb", "visibility": "pack", "color": "60,60,60", "itemRgb": "on",
        "html": PAGE,
    }  # fmt: skip
    assert [entry["name"] for entry in read_stanzas((folder / "groups.txt").read_text())][-1] == "annotations"
    track = json.loads((folder / "igv.json").read_text())["tracks"][-1]
    assert (track["type"], track["format"], track["url"]) == ("annotation", "bigbed", f"{STEM}.bb")
    assert track["name"] == "motifs of sharp TSS"
    # igv.js would draw all hits in it
    assert "color" not in track
    manifest = json.loads((folder / "trackgen.json").read_text())
    assert manifest["tracks"][-1] == {
        "name": "tss_mini_sharp_motifs", "file": f"{STEM}.bb", "model": "tss-mini", "class": "sharp",
        "genome": "mini",
    }  # fmt: skip
    assert manifest["files"] == sorted(path.name for path in folder.iterdir())


def test_hits_on_a_known_assembly_are_in_no_group_of_ours(build: Build, hits: Path) -> None:
    folder = build(motifs=[hits], genome="hg38", url="https://example.org/hub").path
    (stanza,) = (entry for entry in read_stanzas((folder / "hub.txt").read_text()) if "bigBed" in entry.get("type", ""))
    assert "group" not in stanza
    track = json.loads((folder / "igv.absolute.json").read_text())["tracks"][-1]
    assert track["url"] == f"https://example.org/hub/{STEM}.bb"


def test_the_pages_say_what_the_hits_are_and_name_the_motifs(build: Build, hits: Path) -> None:
    folder = build(motifs=[hits]).path
    page = (folder / PAGE).read_text()
    for words in ("Motifs of sharp TSS", "positive_0", "REB1; RAP1", "negative_0", "tfmodisco-lite", "bigBed 9 +"):
        assert words in page
    # The colour of its hits stands before a motif's name, where the file of hits says it.
    assert re.search(r'<td><span class="swatch" [^>]*rgb\(200,30,30\)"></span>positive_0</td>', page)
    assert "<td>negative_0</td>" in page
    for name in ("index.html", "hub.html"):
        text = (folder / name).read_text()
        assert f'<a href="{PAGE}">motifs of sharp TSS</a>' in text
        assert "REB1, negative_0" in text
    assert "5 tracks." in (folder / "index.html").read_text()
    for path in folder.glob("*.html"):
        assert Links(path.read_text()).open == []


def test_without_hits_no_page_speaks_of_them(build: Build) -> None:
    folder = build().path
    assert not [path for path in folder.glob("*.*t*") if "<h2>Motifs</h2>" in path.read_text(errors="replace")]


def test_names_of_several_folders_do_not_collide(build: Build, hits: Path, tmp_path: Path) -> None:
    report = build(motifs=[hits, write_hits(tmp_path / "again")])
    assert report.tracks[-2:] == (f"{STEM}.bb", f"{STEM}.2.bb")
    assert report.pages[-2:] == (PAGE, "tss_mini_sharp_motifs_2.html")
    assert "shortLabel sharp motifs 2\n" in (report.path / "hub.txt").read_text()


def test_hits_never_take_the_name_of_a_track_or_of_a_page(build: Build, hits: Path, tmp_path: Path) -> None:
    for name in ("tss-mini.sharp.plus", "hub"):
        (hits / f"{STEM}.bb").rename(hits / f"{name}.bb")
        (hits / f"{STEM}.json").write_text(json.dumps(described(file=f"{name}.bb")))
        report = build(motifs=[hits], output=tmp_path / name)
        assert len(set(report.pages)) == len(report.pages) == 8
        (hits / f"{name}.bb").rename(hits / f"{STEM}.bb")


def test_hits_of_another_model_are_named_with_it(build: Build, hits: Path) -> None:
    (hits / f"{STEM}.json").write_text(json.dumps(described(model="other")))
    tracks = json.loads((build(motifs=[hits]).path / "igv.json").read_text())["tracks"]
    assert tracks[-1]["name"] == "other: motifs of sharp TSS"
    assert tracks[0]["name"].startswith("tss-mini: ")


def test_hostile_names_stay_words(build: Build, hits: Path) -> None:
    pattern = {"name": HOSTILE, "hits": 1, "matches": [HOSTILE]}
    changes = {"model": HOSTILE, "class": HOSTILE, "label": HOSTILE, "trackgen": HOSTILE, "patterns": [pattern]}
    (hits / f"{STEM}.json").write_text(json.dumps(described(**changes)))
    folder = build(motifs=[hits]).path
    read_stanzas((folder / "hub.txt").read_text())
    for path in folder.glob("*.html"):
        assert "<script>alert" not in path.read_text()
    assert "<script>" not in (folder / "igv.json").read_text()


def test_the_same_folder_twice_is_refused(build: Build, hits: Path) -> None:
    with pytest.raises(UsageError, match="the same folder is given twice") as caught:
        build(motifs=[hits, hits / ".." / hits.name])
    assert caught.value.exit_status == 2


def test_a_folder_without_hits_is_refused(build: Build, tmp_path: Path, finished: Path) -> None:
    with pytest.raises(DataError, match="there are no motif hits in the folder") as caught:
        build(motifs=[finished / "out"])
    assert caught.value.exit_status == 3
    with pytest.raises(DataError, match=r"no such folder.*trackgen explain motifs"):
        build(motifs=[tmp_path / "nothing"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "unknown kind; found 2; wanted 1"),
        ({"kind": "genes"}, "unknown kind.*found genes"),
        ({"type": "bigBed 3"}, "unknown kind.*found bigBed 3"),
        ({"file": "../x.bb"}, "no name of a bigBed file"),
        ({"file": "x.bw"}, "no name of a bigBed file"),
        ({"file": "x.bb"}, r"x\.bb: the motif hits are missing"),
        ({"hits": "two"}, "hits"),
        ({"patterns": [{"name": "positive_0"}]}, r"patterns\[0\]\.hits"),
        ({"genome": {"names": ["chrI"], "lengths": [60_000]}}, "another genome than the runs.*chrII, chrM"),
        ({"genome": {"names": ["chrI"], "lengths": []}}, "as many sequence names as lengths"),
    ],
)
def test_hits_that_make_no_sense_are_refused(build: Build, hits: Path, changes: dict[str, Any], words: str) -> None:
    (hits / f"{STEM}.json").write_text(json.dumps(described(**changes)))
    with pytest.raises(DataError, match=words):
        build(motifs=[hits])


def test_files_that_are_not_what_they_should_be_are_refused(build: Build, hits: Path) -> None:
    (hits / f"{STEM}.bb").write_bytes(b"")
    with pytest.raises(DataError, match="not a bigBed file; found an empty file"):
        build(motifs=[hits])
    (hits / f"{STEM}.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        build(motifs=[hits])


def test_a_refusal_leaves_no_folder(build: Build, hits: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "out")
    change_run(run, "genome", "lengths", 2, value=701)
    with pytest.raises(DataError, match=r"another genome than the runs.*found chrM"):
        build(run, motifs=[hits], genome="hg38")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["motifs", "out"]


def test_the_command_takes_folders_of_hits(finished: Path, hits: Path, tmp_path: Path) -> None:
    arguments = ["build", str(finished / "out"), "-o", str(tmp_path / "hub"), "--genome", str(finished / "mini.fa")]
    done = CliRunner().invoke(command, [*arguments, "--motifs", str(hits)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "5 tracks, 8 pages" in done.stderr
