"""Building a hub's folder: which genome, several runs, whole or not at all, and every refusal."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import py2bit
import pytest
from click.testing import CliRunner

from tests.hub.conftest import Build, Notes
from tests.hubs import LENGTHS, change_run, sequences, write_fasta, write_run
from trackgen.cli.hub import command
from trackgen.errors import DataError, ModelError, ResourceError, TrackgenError, UsageError
from trackgen.hub.compose import RESERVED_PAGES
from trackgen.hub.templates import stanza


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may change."""
    return Path(shutil.copytree(finished / "out", tmp_path / "out"))


def test_the_report_lists_what_is_in_the_folder(build: Build) -> None:
    report = build()
    assert report.tracks[0] == "tss-mini.sharp.plus.bw"
    assert len(report.tracks) == 4
    assert report.pages[:3] == ("index.html", "jbrowse.html", "hub.html")
    assert all((report.path / name).is_file() for name in (*report.tracks, *report.pages))
    manifest = json.loads((report.path / "trackgen.json").read_text())
    assert manifest["files"] == sorted(path.name for path in report.path.iterdir())


def test_tracks_are_linked_where_links_are_possible(build: Build, finished: Path) -> None:
    report = build()
    for name in report.tracks:
        assert os.path.samefile(report.path / name, finished / "out" / name)


def test_tracks_are_copied_where_links_are_not(build: Build, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    report = build()
    for name in report.tracks:
        assert not os.path.samefile(report.path / name, finished / "out" / name)
        assert (report.path / name).read_bytes() == (finished / "out" / name).read_bytes()


def test_the_folder_can_be_read_by_a_web_server(build: Build) -> None:
    folder = build().path
    umask = os.umask(0)
    os.umask(umask)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_fasta_genome_becomes_a_2bit_with_the_same_letters(build: Build) -> None:
    folder = build().path
    with py2bit.open(str(folder / "mini.2bit")) as genome:
        assert genome.chroms() == LENGTHS
        assert all(genome.sequence(name) == letters for name, letters in sequences().items())


def test_a_2bit_genome_is_taken_as_it_is(build: Build, tmp_path: Path) -> None:
    first = build().path / "mini.2bit"
    renamed = tmp_path / "dataset_17.dat"
    shutil.copy(first, renamed)
    second = build(genome=str(renamed), output=tmp_path / "second").path / "mini.2bit"
    assert os.path.samefile(second, renamed)


@pytest.mark.parametrize("place", ["current", "beside"])
def test_without_genome_the_file_of_the_run_is_looked_for(
    build: Build, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = Path(shutil.copytree(finished / "out", tmp_path / "deep" / "out"))
    monkeypatch.chdir(elsewhere)
    shutil.copy(finished / "mini.fa", (elsewhere if place == "current" else tmp_path) / "mini.fa")
    assert (build(run, genome=None).path / "mini.2bit").is_file()


def test_without_genome_a_recognised_assembly_is_taken_by_its_name(build: Build, run: Path) -> None:
    change_run(run, "genome", "assembly", value="sacCer3")
    assert "genome sacCer3\n" in (build(run, genome=None).path / "hub.txt").read_text()


def test_a_genome_that_is_nowhere_is_asked_for(
    build: Build, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(finished / "out", tmp_path / "deep" / "out"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"mini\.fa is in none of the places.*--genome FILE") as caught:
        build(run, genome=None)
    assert caught.value.exit_status == 2


def test_a_genome_with_other_names_is_refused(build: Build, tmp_path: Path) -> None:
    other = write_fasta(tmp_path / "other.fa", names={"chrII": "II"})
    with pytest.raises(DataError, match=r"not the one that was scanned: chrII not in it") as caught:
        build(genome=str(other))
    assert caught.value.exit_status == 3


def test_a_genome_with_other_lengths_is_refused(build: Build, tmp_path: Path) -> None:
    (tmp_path / "other.fa").write_text("".join(f">{name}\n{letters[:-1]}\n" for name, letters in sequences().items()))
    with pytest.raises(DataError, match=r"chrI has 59,999 bases, in the run 60,000"):
        build(genome=str(tmp_path / "other.fa"))


def test_a_genome_file_that_is_missing_is_refused(build: Build) -> None:
    with pytest.raises(DataError, match="no such genome file"):
        build(genome="nowhere/mini.fa")


def test_two_runs_make_one_hub(build: Build, finished: Path, tmp_path: Path) -> None:
    again = write_run(tmp_path / "again")
    report = build(finished / "out", again)
    assert len(set(report.tracks)) == len(report.tracks) == 8
    assert "tss-mini.sharp.plus.2.bw" in report.tracks
    assert len(set(report.pages)) == len(report.pages) == 11
    hub = (report.path / "hub.txt").read_text()
    names = re.findall(r"^\s*track (\S+)$", hub, re.MULTILINE)
    assert len(set(names)) == len(names)
    assert "shortLabel sharp TSS 2 +" in hub
    groups = [label for label in re.findall(r"^longLabel (.*)$", hub, re.MULTILINE) if ": predictions" in label]
    assert groups == [
        "Transcription starts, a small test: predictions",
        "Transcription starts, a small test: predictions 2",
    ]
    assert "shortLabel tss-mini 2\n" in hub


def test_the_same_run_twice_is_refused(build: Build, finished: Path) -> None:
    with pytest.raises(UsageError, match="the same run is given twice"):
        build(finished / "out", finished / "out")


def test_a_run_whose_genome_is_not_at_hand_is_named(build: Build, finished: Path, run: Path) -> None:
    change_run(run, "genome", "lengths", 1, value=5)
    with pytest.raises(UsageError, match=rf"{run}/run\.json: the genome file mini\.fa is in none of the places"):
        build(finished / "out", run)


def test_an_old_hub_is_replaced_and_nothing_is_left_beside_it(build: Build, tmp_path: Path) -> None:
    build(url="https://example.org/")
    report = build()
    assert not (report.path / "igv.absolute.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


@pytest.mark.parametrize("content", ["notes.txt", "hub.txt", "trackgen.json"])
def test_a_folder_of_somebody_else_is_refused(build: Build, tmp_path: Path, content: str) -> None:
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / content).write_text("{}")
    with pytest.raises(UsageError, match=f"not part of a trackgen hub.*found {re.escape(content)}"):
        build()
    assert (tmp_path / "hub" / content).read_text() == "{}"


def test_a_file_that_was_added_to_a_hub_is_not_removed(build: Build) -> None:
    (build().path / "genes.bb").write_text("mine")
    with pytest.raises(UsageError, match=r"found genes\.bb"):
        build()


def test_an_empty_folder_and_a_link_to_one_are_filled(build: Build, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    build(output=tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "hub.txt").is_file()


def test_a_file_in_the_place_of_the_folder_is_refused(build: Build, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("file")
    with pytest.raises(UsageError, match="the hub's folder is a file"):
        build()


@pytest.mark.parametrize("stage", ["_write_data", "write_contents", "write_manifest"])
def test_a_failure_at_any_stage_leaves_the_old_hub(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    folder = build().path
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "x.bw")

    monkeypatch.setattr(f"trackgen.hub.build.{stage}", fail)
    with pytest.raises(ResourceError, match="No space left on device") as caught:
        build(url="https://example.org/")
    assert caught.value.exit_status == 75
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_no_folder_host_or_user_is_named_in_the_hub(build: Build, finished: Path, tmp_path: Path) -> None:
    folder = build().path
    words = [str(finished), str(tmp_path), finished.name, os.uname().nodename, str(Path.home())]
    for path in folder.iterdir():
        ours = not path.name.startswith(("igv.esm", "igv.LICENSE", "jbrowse.umd", "jbrowse.LICENSE"))
        if ours and path.suffix in (".txt", ".html", ".json", ".js", ".css", ".sizes", ".xml", ".ini", ".bed", ".ix"):
            text = path.read_text(encoding="utf-8")
            assert not [word for word in words if len(word) > 3 and word in text], path.name


def test_without_an_address_the_contact_is_nobody_and_that_is_said(build: Build, notes: Notes) -> None:
    assert "email nobody@example.org\n" in (build(email=None).path / "hub.txt").read_text()
    assert any("--email" in text for text in notes.texts)


@pytest.mark.parametrize("email", ["me", "me@x.org\nhub evil", "a b@c.org"])
def test_what_is_no_address_is_refused(build: Build, email: str) -> None:
    with pytest.raises(UsageError, match="no e-mail address"):
        build(email=email)


@pytest.mark.parametrize(
    "url", ["example.org/hub", "file:///hub", "https://", "https://x.org/?q=1", "https://x.org/\n"]
)
def test_what_is_no_web_address_is_refused(build: Build, url: str) -> None:
    with pytest.raises(UsageError, match="--url"):
        build(url=url)


def test_without_assets_the_page_names_the_public_address_and_that_is_said(
    build: Build, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trackgen.resources.browser_assets", lambda: None)
    assert "cdn.jsdelivr.net/npm/igv@" in (build().path / "index.html").read_text()
    assert any("make assets" in text for text in notes.texts)


def test_a_folder_without_a_finished_scan_is_refused(build: Build, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no run\.json in the folder"):
        build(tmp_path / "empty")
    with pytest.raises(DataError, match="no such folder"):
        build(tmp_path / "nothing")


def test_a_missing_track_is_refused(build: Build, run: Path) -> None:
    (run / "tss-mini.broad.plus.bw").unlink()
    with pytest.raises(DataError, match=r"tss-mini\.broad\.plus\.bw: a track that run\.json lists is missing"):
        build(run)


@pytest.mark.parametrize("content", [b"", b"track"])
def test_a_track_that_is_no_bigwig_is_refused(build: Build, run: Path, content: bytes) -> None:
    (run / "tss-mini.broad.plus.bw").write_bytes(content)
    with pytest.raises(DataError, match="is not a BigWig file"):
        build(run)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("schema_version",), 2, "unknown schema version; found 2; wanted 1"),
        (("schema_version",), None, "schema_version"),
        (("tracks",), {}, "tracks"),
        (("tracks", 0, "role"), "colour", "unknown role"),
        (("tracks", 0, "model"), "other", "names a model that the run does not list"),
        (("tracks", 0, "file"), "../x.bw", "a folder in its name"),
        (("tracks", 0, "class"), 3, r"tracks\[0\]\.class"),
        (("genome", "names"), [], "as many sequence names as lengths"),
        (("genome",), None, "a JSON object is missing"),
        (("tracks", 0, "rounding"), "\ud800", "cannot be read as JSON"),
        (("checks", "\udfff"), 1, "cannot be read as JSON"),
        pytest.param(("tracks", 0, "max"), 10**400, r"tracks\[0\]\.max", id="huge extreme"),
        pytest.param(("tracks", 0, "percentiles", "1"), 10**400, "no number", id="huge percentile"),
        (("tracks", 0, "model"), "m\ntrack evil\n\nx", r"tracks\[0\]\.model: the name is none that a card may give"),
        (("tracks", 0, "class"), "sharp\u2028", r"tracks\[0\]\.class: the name is none that a card may give"),
    ],
)
def test_a_run_file_that_makes_no_sense_is_refused_with_the_place(
    build: Build, run: Path, keys: tuple[str | int, ...], value: object, message: str
) -> None:
    change_run(run, *keys, value=value)
    with pytest.raises(DataError, match=message):
        build(run)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' * 100_000, "1" * 10_000, "\x00"])
def test_a_run_file_that_is_no_json_is_refused(build: Build, run: Path, text: str) -> None:
    (run / "run.json").write_text(text)
    with pytest.raises(DataError, match="cannot be read as JSON"):
        build(run)


FILES = [
    "x\ny.bw",
    "a#b.bw",
    "a?b.bw",
    "a%20b.bw",
    "a b.bw",
    'a"b.bw',
    "a'b.bw",
    "ä.bw",
    ".a.bw",
    "a.bigwig",
    "a&b.bw",
    "",
]


@pytest.mark.parametrize("name", FILES)
def test_a_file_whose_name_would_have_to_be_quoted_is_refused(build: Build, run: Path, name: str) -> None:
    if name:
        (run / "tss-mini.sharp.plus.bw").rename(run / name)
    change_run(run, "tracks", 0, "file", value=name)
    with pytest.raises(DataError, match=r"a folder in its name|cannot be published.* wanted letters, digits"):
        build(run)


def test_a_run_without_a_card_adds_no_line_to_the_hub(build: Build, run: Path, tmp_path: Path) -> None:
    values = json.loads((run / "run.json").read_text())
    hostile = "m\ntrack evil\n\nx"
    del values["models"][0]["card"]
    values["models"][0]["name"] = hostile
    for entry in values["tracks"]:
        entry["model"] = hostile
    (run / "run.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=r"the name is none that a card may give.*wanted letters, digits, _ and -"):
        build(run)
    assert not (tmp_path / "hub").exists()


@pytest.mark.parametrize("value", ["a\ntrack evil", "a\u2028", "\x85", "a\x00", "a\tb", "a\x1b[31m"])
def test_no_setting_is_more_than_a_line_of_text(value: str) -> None:
    with pytest.raises(TrackgenError, match="label: a setting's value is more than one line"):
        stanza("group.txt", name="a", label=value, priority="1")


def test_a_card_that_makes_no_sense_is_refused(build: Build, run: Path) -> None:
    change_run(run, "models", 0, "card", "window", value="wide")
    with pytest.raises(ModelError, match="window"):
        build(run)


def test_a_run_without_tracks_is_refused(build: Build, run: Path) -> None:
    change_run(run, "tracks", value=[])
    with pytest.raises(UsageError, match="has no tracks"):
        build(run)


def test_an_empty_track_is_shown_all_the_same(build: Build, run: Path) -> None:
    for key in ("min", "max", "percentiles"):
        change_run(run, "tracks", 0, key, value=None)
    change_run(run, "tracks", 0, "values", value=0)
    assert "tss_mini_sharp_plus.html" in build(run).pages


def test_the_command_prints_the_folder_and_nothing_else(finished: Path, tmp_path: Path) -> None:
    arguments = ["build", str(finished / "out"), "-o", str(tmp_path / "hub"), "--genome", str(finished / "mini.fa")]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path / 'hub'}\n"
    assert "trackgen serve" in done.stderr


def test_page_names_of_tracks_never_hide_the_pages_of_the_hub() -> None:
    assert set(RESERVED_PAGES) == {"index", "hub", "jbrowse", "live", "genes"}


def test_a_run_with_names_that_ucsc_does_not_use_needs_its_genome(build: Build, run: Path) -> None:
    values = json.loads((run / "run.json").read_text())
    values["genome"] |= {"assembly": "sacCer3", "file": "elsewhere.fa"}
    (run / "run.json").write_text(json.dumps(values))
    assert "genome sacCer3\n" in (build(run, genome=None).path / "hub.txt").read_text()
    values["genome"]["names"] = [name.removeprefix("chr") for name in values["genome"]["names"]]
    (run / "run.json").write_text(json.dumps(values))
    with pytest.raises(UsageError, match=r"elsewhere\.fa.*--genome FILE"):
        build(run, genome=None)


def test_a_genome_of_the_same_name_but_another_content_is_not_taken(build: Build, run: Path, finished: Path) -> None:
    values = json.loads((run / "run.json").read_text())
    values["plan"] = {"genome": {"sha256": "0" * 64}}
    values["genome"]["assembly"] = None
    (run / "run.json").write_text(json.dumps(values))
    shutil.copy(finished / "mini.fa", run / "mini.fa")
    with pytest.raises(UsageError, match="is another file of that name"):
        build(run, genome=None)


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("tracks", 0, "percentiles", "1"), "x", "no number"),
        (("genome", "lengths", 0), None, "no number"),
        (("genome", "names", 0), "chrI\ntrack evil", "no name of a sequence"),
        (("genome", "names", 0), None, "no name of a sequence"),
        (("genome", "assembly"), "../../x", "no assembly's name"),
        (("tracks", 0, "file"), "..", "a folder in its name"),
        (("tracks", 0, "class"), "nothing", "class that its model's card lacks"),
        (("tracks", 0, "sha256"), "0" * 64, "not the file that the run wrote"),
    ],
)
def test_a_description_that_is_wrong_is_refused(
    build: Build, run: Path, place: tuple[str | int, ...], value: object, words: str
) -> None:
    values = json.loads((run / "run.json").read_text())
    target = values
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    (run / "run.json").write_text(json.dumps(values))
    with pytest.raises(DataError, match=words):
        build(run, genome=None)


@pytest.mark.parametrize("url", ["http://[::1", "https://ex.org:abc/a", "https://ex.org/a b", "https://u:pw@ex.org/a"])
def test_an_address_that_can_not_be_published_at_is_refused(build: Build, run: Path, url: str) -> None:
    with pytest.raises(UsageError, match="no address that a hub can be published at"):
        build(run, url=url)


def test_a_run_that_carries_no_card_gets_its_hub_all_the_same(build: Build, run: Path) -> None:
    values = json.loads((run / "run.json").read_text())
    for model in values["models"]:
        del model["card"]
    (run / "run.json").write_text(json.dumps(values))
    report = build(run)
    assert len(report.tracks) == 4
    page = (report.path / "tss_mini_sharp_plus.html").read_text()
    assert "not stated by the run" in page


def test_two_tracks_that_name_one_file_are_told_so_and_not_of_damage(build: Build, run: Path) -> None:
    change_run(run, "tracks", 1, "file", value="tss-mini.sharp.plus.bw")
    with pytest.raises(DataError, match=r"two tracks name the same file; found tss-mini\.sharp\.plus\.bw"):
        build(run)
