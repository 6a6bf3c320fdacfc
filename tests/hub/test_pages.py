"""Pages and igv.json: what they say, that everything in them is escaped, and that their links lead somewhere."""

from __future__ import annotations

import copy
import json
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hub.conftest import Build
from tests.hubs import CARD, PEAK, change_run, write_run
from trackgen.hub.facts import facts_html

HOSTILE = "a<script>alert(1)</script>\"b' \n$title \\\n&amp; " + "x" * 10_000


class Links(HTMLParser):
    """Collects what a page refers to, its tags, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value for key, value in attrs if key in ("href", "src") and value]
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def pages_of(folder: Path) -> dict[str, Links]:
    return {path.name: Links(path.read_text(encoding="utf-8")) for path in folder.glob("*.html")}


def test_relative_links_lead_to_files_of_the_hub(build: Build) -> None:
    folder = build().path
    pages = pages_of(folder)
    assert len(pages) == 7
    for name, page in pages.items():
        assert page.open == [], name
        for link in page.found:
            if not urlsplit(link).scheme:
                assert (folder / link).is_file(), f"{name} -> {link}"


def test_without_an_address_nothing_but_the_credit_is_absolute(build: Build) -> None:
    for page in pages_of(build().path).values():
        absolute = [link for link in page.found if urlsplit(link).scheme in ("http", "https")]
        assert absolute in ([], ["https://github.com/igvteam/igv.js"], ["https://jbrowse.org"])


def test_an_address_gives_links_to_the_browsers(build: Build) -> None:
    report = build(genome="hg38", url="https://example.org/hubs/mini")
    found = pages_of(report.path)["index.html"].found
    hub = "https%3A%2F%2Fexample.org%2Fhubs%2Fmini%2Fhub.txt"
    assert any(f"genome.ucsc.edu/cgi-bin/hgTracks?db=hg38&hubUrl={hub}" in link for link in found)
    assert any(link.startswith("https://igv.org/app/?sessionURL=") for link in found)
    assert any(link.startswith("http://localhost:60151/load?file=https%3A%2F%2Fexample.org") for link in found)
    assert {address for _, address in report.links} <= set(found)
    assert [name for name, _ in report.links] == [
        "Track hub", "UCSC", "IGV on the web", "IGV Desktop", "WashU", "JBrowse",
    ]  # fmt: skip
    for name in ("igv.absolute.xml", "config.absolute.json", "washu.absolute.json"):
        assert "https://example.org/hubs/mini/tss-mini." in (report.path / name).read_text()
    session = json.loads((report.path / "igv.absolute.json").read_text())
    assert all(track["url"].startswith("https://example.org/hubs/mini/tss-mini.") for track in session["tracks"])


def test_a_track_page_says_what_the_card_says(build: Build) -> None:
    text = (build().path / "tss_mini_sharp_minus.html").read_text()
    for part in ("sharp TSS, minus strand", "0.951", "12,345", "prior shift", "chrII", "From 0.03 on", "MIT", "6e-08"):
        assert part in text
    assert "the minus strand: the model read it from right to left" in text
    assert "background:rgb(200,30,30)" in text


def test_hostile_words_of_a_card_stay_words(build: Build, tmp_path: Path) -> None:
    card = copy.deepcopy(CARD)
    card |= {
        "title": HOSTILE,
        "description": HOSTILE,
        "license": HOSTILE,
        "training": {HOSTILE: [HOSTILE, {"x": HOSTILE}]},
    }
    card["outputs"][0]["classes"][1]["label"] = HOSTILE
    card["outputs"][0]["unit"] = HOSTILE
    run = write_run(tmp_path / "hostile", card=card, tracks=[("sharp", "plus", "contribution", HOSTILE, 0.5)])
    change_run(run, "tracks", 0, "label", value=HOSTILE)
    folder = build(run).path
    for name, page in pages_of(folder).items():
        assert page.tags.count("script") == (2 if name in ("index.html", "jbrowse.html") else 0)
        assert "alert(1)" not in "".join(page.found)
    hub = (folder / "hub.txt").read_text()
    assert "<" not in hub
    assert "\\" not in hub
    assert all(len(line) < 200 for line in hub.splitlines())
    for track in json.loads((folder / "igv.json").read_text())["tracks"]:
        assert "<script" not in json.dumps(track)
        assert len(track["name"]) < 80


def test_igv_gets_fractional_limits_letters_and_guide_lines(build: Build) -> None:
    config = json.loads((build().path / "igv.json").read_text())
    assert config["reference"] == {
        "id": "mini",
        "name": "mini",
        "twoBitURL": "mini.2bit",
        "chromSizesURL": "mini.chrom.sizes",
    }
    assert config["loadDefaultGenomes"] is False
    sharp, contributions = config["tracks"][0], config["tracks"][3]
    assert (sharp["min"], sharp["max"], sharp["autoscale"]) == (0.0, 0.4, False)
    assert sharp["guideLines"][0]["y"] == 0.03
    assert sharp["windowFunction"] == "max"
    assert contributions["graphType"] == "dynseq"
    assert all(track["format"] == "bigwig" and "/" not in track["url"] for track in config["tracks"])


def test_the_browser_opens_where_something_is_to_see(build: Build) -> None:
    config = json.loads((build().path / "igv.json").read_text())
    name, _, stretch = config["locus"].partition(":")
    start, end = map(int, stretch.split("-"))
    assert name == "chrI"
    assert PEAK - 4000 <= start < end <= PEAK + 4100
    assert end - start + 1 == 400


@pytest.mark.parametrize(("assembly", "key"), [("hg38", "genome"), ("ce10", "reference")])
def test_igv_gets_assemblies_it_hosts_by_name_and_others_from_ucsc(build: Build, assembly: str, key: str) -> None:
    config = json.loads((build(genome=assembly).path / "igv.json").read_text())
    assert key in config
    if key == "reference":
        assert config["reference"]["twoBitURL"].endswith("/ce10/bigZips/ce10.2bit")


def test_facts_of_any_shape_become_lists_and_tables() -> None:
    html = facts_html(
        {"held_out": ["a", "b"], "empty": [], "yes": True, "n": 1234567, "rows": [{"p": 0.1}, {"p": 0.25}]}
    )
    assert "<dt>held out</dt><dd>a, b</dd>" in html
    assert "empty" not in html
    assert "1,234,567" in html
    assert html.count("<tr>") == 3
    assert facts_html({}) == ""
    deep = {"a": {"a": {"a": {"a": {"a": 1}}}}}
    assert "&quot;" in facts_html(deep)


@pytest.mark.parametrize(("least", "told"), [(0.002, True), (None, False)])
def test_a_track_that_leaves_out_small_values_says_so(
    build: Build, tmp_path: Path, least: float | None, told: bool
) -> None:
    run = write_run(tmp_path / "run")
    for track in range(len(json.loads((run / "run.json").read_text())["tracks"])):
        change_run(run, "tracks", track, "min_value", value=least)
    pages = [page for page in build(run).path.glob("*.html") if page.name.startswith("tss_")]
    assert pages
    for page in pages:
        assert ("<dt>values left out</dt><dd>below 0.002</dd>" in page.read_text().lower()) == told
