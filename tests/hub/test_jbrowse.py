"""JBrowse's configuration of a hub; that JBrowse draws it is tested in tests/browsers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub.made import GENES, HOSTILE, LONG, made_hub, relabelled
from trackgen.hub.jbrowse import render_jbrowse


@pytest.fixture
def run(finished: Path) -> Path:
    return finished / "out"


def config(text: str) -> dict[str, Any]:
    return dict(json.loads(text))


def tracks(text: str) -> dict[str, Any]:
    return {track["trackId"]: track for track in config(text)["tracks"]}


def addresses(value: Any) -> list[str]:
    """Every ``uri`` in `value`."""
    if isinstance(value, list):
        return [address for entry in value for address in addresses(entry)]
    if isinstance(value, dict):
        own = [value["uri"]] if "uri" in value else []
        return [*own, *(address for entry in value.values() for address in addresses(entry))]
    return []


def test_a_prediction_is_bars_of_its_colour_with_its_limits(run: Path) -> None:
    track = tracks(render_jbrowse(made_hub(run)))["tss_mini_sharp_plus"]
    display = track["displays"][0]
    assert track["adapter"] == {
        "type": "BigWigAdapter",
        "bigWigLocation": {"uri": "tss-mini.sharp.plus.bw", "locationType": "UriLocation"},
    }
    assert (display["type"], display["minScore"], display["maxScore"]) == ("LinearWiggleDisplay", 0, 0.4)
    assert not display["inverted"]
    renderer = display["renderers"]["XYPlotRenderer"]
    assert {renderer[key] for key in ("color", "posColor", "negColor")} == {"rgb(200,30,30)"}
    # A narrow peak must survive when many bases share a pixel.
    assert renderer["summaryScoreMode"] == "max"


def test_the_minus_strand_of_a_prediction_hangs_from_zero(run: Path) -> None:
    track = tracks(render_jbrowse(made_hub(run)))["tss_mini_sharp_minus"]
    assert track["displays"][0]["inverted"]


def test_contributions_are_letters_by_the_plugin(run: Path) -> None:
    text = render_jbrowse(made_hub(run))
    track = tracks(text)["tss_mini_sharp_plus_contrib"]
    assert track["adapter"]["type"] == "TrackgenDynseqAdapter"
    assert track["adapter"]["wiggleAdapter"]["bigWigLocation"]["uri"] == "tss-mini.sharp.plus.contrib.bw"
    assert [display["type"] for display in track["displays"]] == ["LinearDynseqDisplay"]
    assert config(text)["plugins"] == [
        {"name": "Trackgen", "umdLoc": {"uri": "trackgen-jbrowse.js", "locationType": "UriLocation"}}
    ]


def test_every_address_is_relative_or_starts_with_the_base(run: Path) -> None:
    hub = made_hub(run, genes=GENES, motifs=True)
    relative = addresses(config(render_jbrowse(hub)))
    assert all("/" not in address for address in relative)
    assert {"mini.2bit", "mini.chrom.sizes", "genes.bb", "genes.ix", "motifs_mini.bb"} <= set(relative)
    base = "https://example.org/hub/"
    assert addresses(config(render_jbrowse(hub, base))) == [base + address for address in relative]


def test_an_assembly_of_ucsc_gets_its_sequence_there(run: Path) -> None:
    hub = made_hub(run, names=("hg38",), two_bit=False)
    adapter = config(render_jbrowse(hub, "https://example.org/"))["assemblies"][0]["sequence"]["adapter"]
    assert addresses(adapter) == [
        "https://hgdownload.soe.ucsc.edu/goldenPath/hg38/bigZips/hg38.2bit",
        "https://hgdownload.soe.ucsc.edu/goldenPath/hg38/bigZips/hg38.chrom.sizes",
    ]


def test_the_session_shows_every_track_at_the_locus_said_for_old_and_for_new_versions(run: Path) -> None:
    text = render_jbrowse(made_hub(run, genes=GENES, motifs=True))
    view = config(text)["defaultSession"]["views"][0]
    names = ["mini-trackgen-sequence", *tracks(text)]
    assert view["init"] == {"assembly": "mini", "loc": "chrI:29801-30200", "tracks": names}
    assert [track["configuration"] for track in view["tracks"]] == names
    displays = {display["displayId"] for track in tracks(text).values() for display in track["displays"]}
    assert {track["displays"][0]["configuration"] for track in view["tracks"][1:]} == displays
    assert view["displayedRegions"][0] | {"end": 60_000} == view["displayedRegions"][0]
    # The locus fills the view: its first base is as many pixels from the left as the view is moved.
    assert view["offsetPx"] * view["bpPerPx"] == pytest.approx(29_800, abs=view["bpPerPx"])


def test_each_genome_has_its_assembly_its_tracks_and_its_view(run: Path) -> None:
    text = render_jbrowse(made_hub(run, names=("mini", "maxi"), motifs=True))
    found = config(text)
    assert [assembly["name"] for assembly in found["assemblies"]] == ["mini", "maxi"]
    assert [view["init"]["assembly"] for view in found["defaultSession"]["views"]] == ["mini", "maxi"]
    assert len(tracks(text)) == len(found["tracks"]) == 10
    for view in found["defaultSession"]["views"]:
        shown = {tracks(text)[name]["assemblyNames"][0] for name in view["init"]["tracks"][1:]}
        assert shown == {view["init"]["assembly"]}


def test_genes_can_be_searched_by_name(run: Path) -> None:
    found = config(render_jbrowse(made_hub(run, genes=GENES)))
    search = found["aggregateTextSearchAdapters"][0]
    assert (search["type"], search["assemblyNames"]) == ("TrixTextSearchAdapter", ["mini"])
    assert found["tracks"][0]["trackId"] == "genes"
    assert "aggregateTextSearchAdapters" not in config(render_jbrowse(made_hub(run)))


@pytest.mark.parametrize("text", [HOSTILE, LONG, ""])
def test_labels_of_any_kind_are_strings_and_change_nothing_else(run: Path, text: str) -> None:
    hub = made_hub(run, motifs=True)
    wild = tracks(render_jbrowse(relabelled(hub, text)))
    for name, track in tracks(render_jbrowse(hub)).items():
        assert wild[name]["name"] == text
        for key in ("trackId", "assemblyNames", "category", "adapter", "displays"):
            assert wild[name][key] == track[key]
