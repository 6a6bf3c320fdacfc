"""hub.txt: settings by role, stanzas in order, and what a second opinion says."""

from __future__ import annotations

from pathlib import Path

import pytest
from trackhub.track import AggregateTrack, CompositeTrack, SuperTrack, Track

from tests.hub.conftest import Build
from tests.hub.stanzas import read_stanzas
from tests.hubs import CARD, LENGTHS, write_run


@pytest.fixture
def stanzas(build: Build) -> list[dict[str, str]]:
    return read_stanzas((build().path / "hub.txt").read_text())


def test_the_first_stanza_is_the_hub_and_the_second_the_genome(stanzas: list[dict[str, str]]) -> None:
    assert next(iter(stanzas[0])) == "hub"
    assert stanzas[0]["useOneFile"] == "on"
    assert {"shortLabel", "longLabel", "email", "descriptionUrl"} <= set(stanzas[0])
    assert next(iter(stanzas[1])) == "genome"
    assert all(next(iter(stanza)) == "track" for stanza in stanzas[2:])


def test_an_assembly_hub_carries_its_genome(stanzas: list[dict[str, str]], tmp_path: Path) -> None:
    genome = stanzas[1]
    assert genome["genome"] == "mini"
    for key in ("twoBitPath", "chromSizes", "groups", "htmlPath"):
        assert (tmp_path / "hub" / genome[key]).is_file(), key
    sizes = (tmp_path / "hub" / genome["chromSizes"]).read_text()
    assert sizes == "".join(f"{name}\t{length}\n" for name, length in LENGTHS.items())


def test_a_hub_on_an_assembly_of_ucsc_names_it_and_carries_none(build: Build, tmp_path: Path) -> None:
    stanzas = read_stanzas((build(genome="hg38").path / "hub.txt").read_text())
    assert stanzas[1] == {"genome": "hg38"}
    assert not any("group" in stanza for stanza in stanzas)
    assert not list((tmp_path / "hub").glob("*.2bit"))
    assert not (tmp_path / "hub" / "groups.txt").exists()


def test_containers_stand_before_their_children_and_hold_no_data(stanzas: list[dict[str, str]]) -> None:
    seen: set[str] = set()
    for stanza in stanzas[2:]:
        if "parent" in stanza:
            assert stanza["parent"].split()[0] in seen
        if {"compositeTrack", "superTrack", "container"} & set(stanza):
            assert "bigDataUrl" not in stanza
        else:
            assert "bigDataUrl" in stanza
        if {"compositeTrack", "superTrack"} & set(stanza):
            assert len(stanza["longLabel"]) < 50
        seen.add(stanza["track"])
    assert len(seen) == len(stanzas) - 2


def test_every_track_has_its_color_its_page_and_its_file(stanzas: list[dict[str, str]], tmp_path: Path) -> None:
    leaves = [stanza for stanza in stanzas[2:] if "bigDataUrl" in stanza]
    assert [leaf["color"] for leaf in leaves] == ["200,30,30", "200,30,30", "30,30,200", "80,80,80"]
    for leaf in leaves:
        assert (tmp_path / "hub" / leaf["bigDataUrl"]).is_file()
        assert (tmp_path / "hub" / leaf["html"]).is_file()
        assert leaf["html"] == f"{leaf['track']}.html"
        assert leaf["visibility"] == "full"
        assert len(leaf["shortLabel"]) <= 17
        assert len(leaf["longLabel"]) <= 80
    assert len({leaf["track"] for leaf in leaves}) == len(leaves)


def test_settings_of_a_probability(stanzas: list[dict[str, str]]) -> None:
    leaf = next(stanza for stanza in stanzas if stanza.get("track") == "tss_mini_sharp_minus")
    assert leaf["type"] == "bigWig 0 1"
    assert leaf["windowingFunction"] == "maximum"
    assert leaf["shortLabel"] == "sharp TSS -"
    # igv.js cuts fractional limits to whole numbers, 0:0, and draws nothing, unless it may choose them itself.
    assert (leaf["viewLimits"], leaf["autoScale"]) == ("0:0.4", "on")
    assert "logo" not in leaf


def test_both_strands_of_a_prediction_are_one_overlay_with_the_minus_strand_below_zero(
    stanzas: list[dict[str, str]],
) -> None:
    by_name = {stanza["track"]: stanza for stanza in stanzas[2:]}
    overlay = by_name["tss_mini_sharp_both"]
    assert overlay["container"] == "multiWig"
    assert overlay["parent"] == "tss_mini_predictions"
    assert by_name["tss_mini_predictions"]["superTrack"] == "on show"
    plus, minus = by_name["tss_mini_sharp_plus"], by_name["tss_mini_sharp_minus"]
    assert plus["parent"] == minus["parent"] == "tss_mini_sharp_both"
    assert ("negateValues" in plus, minus["negateValues"]) == (False, "on")
    # Only UCSC reads a container's limits, and reads them right: they need no automatic scale.
    assert (overlay["viewLimits"], overlay["autoScale"]) == ("-0.4:0.4", "off")
    assert (overlay["shortLabel"], overlay["longLabel"].split(":")[0]) == ("sharp TSS +/-", "sharp TSS, both strands")
    assert (plus["yLineMark"], plus["yLineOnOff"], "yLineMark" in minus) == ("0.03", "on", False)


def test_a_strand_without_the_other_is_drawn_upwards(build: Build, tmp_path: Path) -> None:
    run = write_run(tmp_path / "minus", tracks=[("sharp", "minus", "probability", "probability", 0.2)])
    (leaf,) = read_stanzas((build(run).path / "hub.txt").read_text())[2:]
    assert "negateValues" not in leaf
    assert leaf["yLineMark"] == "0.03"
    assert "flipAxis" not in (tmp_path / "hub" / "igv.json").read_text()


def test_settings_of_contributions(stanzas: list[dict[str, str]]) -> None:
    leaf = next(stanza for stanza in stanzas if stanza.get("track") == "tss_mini_sharp_plus_contrib")
    assert leaf["logo"] == "on"
    assert leaf["autoScale"] == "on"
    assert leaf["windowingFunction"] == "mean+whiskers"
    assert (leaf["yLineMark"], leaf["yLineOnOff"]) == ("0", "on")
    assert leaf["shortLabel"] == "sharp contrib +"
    assert "smoothingWindow" not in leaf


def test_whole_limits_come_without_automatic_scale(build: Build, tmp_path: Path) -> None:
    run = write_run(tmp_path / "tall", tracks=[("sharp", "plus", "probability", "probability", 0.9)])
    stanzas = read_stanzas((build(run).path / "hub.txt").read_text())
    assert (stanzas[2]["viewLimits"], stanzas[2]["autoScale"]) == ("0:1", "off")
    assert "parent" not in stanzas[2]
    assert stanzas[2]["group"] == "predictions"


def test_a_signal_scales_itself(build: Build, tmp_path: Path) -> None:
    card = CARD | {
        "strands": "forward",
        "outputs": [{"name": "depth", "activation": "none", "unit": "reads", "classes": [{"name": "atac"}]}],
    }
    run = write_run(tmp_path / "signal", card=card, tracks=[("atac", "", "signal", "reads", 44.0)])
    leaf = read_stanzas((build(run).path / "hub.txt").read_text())[2]
    assert (leaf["autoScale"], leaf["windowingFunction"]) == ("on", "mean+whiskers")
    assert leaf["viewLimits"].startswith("0:")
    assert leaf["longLabel"].startswith("atac: signal (reads); ")
    assert leaf["color"].count(",") == 2


def test_contributions_of_a_signal_input_are_no_letters(build: Build, tmp_path: Path) -> None:
    run = write_run(tmp_path / "two", tracks=[("sharp", "plus", "contribution", "logit", 0.8)])
    (run / "tss-mini.sharp.plus.contrib.bw").rename(run / "tss-mini.sharp.plus.dnase.contrib.bw")
    text = (run / "run.json").read_text()
    (run / "run.json").write_text(text.replace("plus.contrib.bw", "plus.dnase.contrib.bw"))
    report = build(run)
    assert "logo" not in (report.path / "hub.txt").read_text()
    assert "dynseq" not in (report.path / "igv.json").read_text()


def second_opinion(settings: dict[str, str]) -> None:
    """Let trackhub check a stanza; it knows neither parents nor pages."""
    rest = {key: value for key, value in settings.items() if key not in ("track", "type", "parent", "html")}
    kinds = {"compositeTrack": CompositeTrack, "superTrack": SuperTrack, "container": AggregateTrack}
    kind = next((kinds[key] for key in kinds if rest.pop(key, None)), Track)
    labels = {"short_label": rest.pop("shortLabel"), "long_label": rest.pop("longLabel")}
    where = {"url": rest.pop("bigDataUrl")} if "bigDataUrl" in rest else {}
    types = {"tracktype": settings["type"]} if "type" in settings else {}
    str(kind(name=settings["track"], **types, **where, **labels, **rest))


def test_trackhub_finds_nothing_to_object_to(stanzas: list[dict[str, str]]) -> None:
    for settings in stanzas[2:]:
        second_opinion(settings)


@pytest.mark.parametrize(
    "wrong", [{"autoScale": "maybe"}, {"color": "300,1,1"}, {"windowingFunction": "most"}, {"nothing": "x"}]
)
def test_the_second_opinion_can_object(stanzas: list[dict[str, str]], wrong: dict[str, str]) -> None:
    with pytest.raises(Exception, match=next(iter(wrong)) if "color" not in wrong else "300"):
        second_opinion(stanzas[3] | wrong)
