"""What each base would contribute, in hubs: one picture of four tracks, with one page, in every browser's own words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hub.conftest import Build
from tests.hub.stanzas import read_stanzas
from tests.hubs import STACK, TRACKS, change_run, write_run
from tests.source import ROOT
from trackgen.errors import DataError
from trackgen.hub.check import check_hub, report_text
from trackgen.hub.runs import read_run
from trackgen.hub.stack_page import MEASURED

NAME = "tss_mini_sharp_plus_hypothetical"


@pytest.fixture(scope="module")
def stacked_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("stacked") / "out", tracks=[*TRACKS, *STACK])


@pytest.fixture
def stacked(build: Build, stacked_run: Path) -> Path:
    return build(stacked_run).path


def test_ucsc_gets_a_stacked_container_with_letters_that_is_hidden_at_first(stacked: Path) -> None:
    stanzas = {stanza.get("track"): stanza for stanza in read_stanzas((stacked / "hub.txt").read_text())}
    group, container = stanzas["tss_mini_hypothetical"], stanzas[NAME]
    assert group["superTrack"] == "on show"
    wanted = {"container": "multiWig", "aggregate": "stacked", "logo": "on", "visibility": "hide", "autoScale": "on"}
    assert {key: container[key] for key in wanted} == wanted
    assert container["showSubtrackColorOnUi"] == "on"
    assert container["html"] == f"{NAME}.html"
    parts = [stanza for stanza in stanzas.values() if stanza.get("parent") == NAME]
    # UCSC takes the letters from the order of the parts.
    assert [part["bigDataUrl"].split(".")[-3] for part in parts] == ["A", "C", "G", "T"]
    assert [part["color"] for part in parts] == ["0,200,0", "0,0,200", "209,113,5", "255,0,0"]
    assert {part["html"] for part in parts} == {f"{NAME}.html"}
    assert "logo" not in parts[0]


def test_such_a_hub_has_nothing_to_be_told_about(stacked: Path) -> None:
    check = check_hub(str(stacked))
    assert check.passed(strict=True), report_text(check)


def test_igv_js_gets_one_merged_track_that_our_page_turns_into_letters(stacked: Path) -> None:
    tracks = {track["id"]: track for track in json.loads((stacked / "igv.json").read_text())["tracks"]}
    merged = tracks[NAME]
    assert (merged["type"], merged["stackedLetters"], merged["autoscale"]) == ("merged", ["A", "C", "G", "T"], False)
    assert [part["url"] for part in merged["tracks"]] == [
        f"tss-mini.sharp.plus.{base}.hypothetical.bw" for base in "ACGT"
    ]
    assert all("graphType" not in part and "flipAxis" not in part for part in merged["tracks"])
    # Behind what the model predicts, and why.
    assert list(tracks)[-2:] == [NAME, NAME.replace("plus", "minus")]


def test_jbrowse_gets_letters_by_our_plugin_and_does_not_open_them_unasked(stacked: Path) -> None:
    config = json.loads((stacked / "config.json").read_text())
    (track,) = (track for track in config["tracks"] if track["trackId"] == NAME)
    assert track["adapter"]["type"] == "TrackgenStackedAdapter"
    assert list(track["adapter"]["wiggleAdapters"]) == ["A", "C", "G", "T"]
    assert track["displays"][0]["type"] == "LinearStackedLettersDisplay"
    (view,) = config["defaultSession"]["views"]
    assert "tss_mini_sharp_plus_contrib" in view["init"]["tracks"]
    assert NAME not in view["init"]["tracks"]


def test_other_browsers_get_four_plain_tracks_that_hide_no_prediction(stacked: Path) -> None:
    rows = [row for row in json.loads((stacked / "washu.json").read_text()) if "hypothetical" in row["url"]]
    assert [(row["type"], row["showOnHubLoad"]) for row in rows] == [("bigwig", False)] * 8
    session = (stacked / "igv.xml").read_text()
    lines = [line for line in session.splitlines() if "<Track" in line and "hypothetical" in line]
    assert len(lines) == 8
    assert all('visible="false"' in line and 'renderer="BAR_CHART"' in line for line in lines)
    ini = (stacked / "tracks.ini").read_text()
    assert ini.count("overlay_previous = share-y") >= 6


def test_four_tracks_have_one_page_that_says_how_to_read_them_and_one_row_in_lists(stacked: Path) -> None:
    page = (stacked / f"{NAME}.html").read_text()
    for words in (
        "what A, C, G and T would contribute",
        "trackgen score</code> runs the model",
        "has not been measured for this model",
        "tss_mini_sharp_plus_contrib.html",
        "tss-mini.sharp.plus.T.hypothetical.bw",
    ):
        assert words in page
    assert not (stacked / "tss_mini_sharp_plus_A_hypothetical.html").exists()
    for name in ("index.html", "hub.html"):
        assert (stacked / name).read_text().count(f'href="{NAME}.html"') == 1


def test_a_set_that_is_not_whole_is_plain_tracks(build: Build, tmp_path: Path) -> None:
    path = build(write_run(tmp_path / "out", tracks=[*TRACKS, *STACK[:3]])).path
    text = (path / "hub.txt").read_text()
    assert "aggregate stacked" not in text
    assert "tss-mini.sharp.plus.A.hypothetical.bw" in text


def test_a_base_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "out", tracks=[*TRACKS, *STACK])
    change_run(folder, "tracks", len(TRACKS), "base", value="N")
    with pytest.raises(DataError, match=r"a track's base is none that can contribute; found 'N' of a contribution"):
        read_run(folder)


def test_what_pages_say_of_shipped_models_is_what_was_measured() -> None:
    for name, told in MEASURED.items():
        record = json.loads((ROOT / "docs" / "benchmarks" / "mutagenesis" / f"{name}.json").read_text())
        row = record["weights"]["calls"]
        assert told == (row["pearson"], row["spearman"], row["large_same_sign"], row["snvs"])
