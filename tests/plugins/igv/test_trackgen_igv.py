"""The igv.js module, in a real browser: what it makes of hubs, ours and others', and what igv.js makes without it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

from tests.chromium import CHROMIUM, Page, PageError, chromium
from tests.hubs import write_fasta, write_run
from tests.serve.test_process import running
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, browser_assets, browser_plugins

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

MODULE = "trackgen-igv.js"
LETTER_A, LETTER_C = (0, 200, 0), (0, 0, 200)
PAGE = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body><div id="browser"></div>
<script type="module">
import igv from "./igv.esm.min.js"
import * as plugin from "./trackgen-igv.js"
Object.assign(window, {igv, plugin})
</script></body></html>
"""
# As hubs of other people look: three files, containers of every kind, settings handed down, comments.
OTHERS = {
    "hub.txt": "hub other\nshortLabel other\nlongLabel of others\ngenomesFile data/genomes.txt\nemail a@b.c\n",
    "data/genomes.txt": "# two genomes\ngenome hg38\ntrackDb hg38/trackDb.txt\n\n"
    "genome odd\ntrackDb odd.txt\ntwoBitPath odd.2bit\nchromAlias odd.alias.txt\ndefaultPos one:1-100\n",
    "data/odd.txt": "",
    "data/hg38/trackDb.txt": r"""
track top
superTrack on show
shortLabel top
longLabel top

    track pair
    parent top
    container multiWig
    aggregate transparentOverlay
    type bigWig
    autoScale off
    viewLimits -0.5:1.5
    maxHeightPixels 128:64:16
    shortLabel both
    longLabel both of them

        track first
        parent pair
        shortLabel first
        longLabel first
        type bigWig 0 1
        bigDataUrl first.bw
        color 1,2,3

        # a comment between the settings
        track second
        parent pair
        shortLabel second
        longLabel \
            second
        type bigWig
        bigDataUrl https://elsewhere.example/second.bw

track strands
container multiWig
type bigWig
viewLimits 0:0.25
shortLabel strands

    track up
    parent strands
    shortLabel +
    type bigWig
    bigDataUrl up.bw
    windowingFunction maximum
    yLineMark 0.125
    yLineOnOff on

    track down
    parent strands
    shortLabel -
    type bigWig
    bigDataUrl down.bw
    negateValues on
    viewLimits -0.25:0

track inner
compositeTrack on
autoScale group
type bigWig
shortLabel inner

    track chosen
    parent inner on
    shortLabel <img src=x onerror="window.broken=1">
    longLabel a "label" & more
    html ../chosen.html
    type bigWig
    bigDataUrl chosen.bw
    logo on

    track left
    parent inner off
    shortLabel left
    type bigWig
    bigDataUrl left.bw

track secret
visibility hide
shortLabel secret
type bigBed 9
bigDataUrl secret.bb

include more/genes.txt
""",
    "data/hg38/more/genes.txt": "track genes\nshortLabel genes\ntype bigBed 12 +\nvisibility dense\n"
    "bigDataUrl genes.bb\nsearchTrix genes.ix\nsearchIndex name\ndefaultLabelFields name2,name\n\n"
    "track table\nshortLabel no data\n",
    "old.txt": r"""
hub old
useOneFile On

genome hg38

track comp
compositeTrack on
type bigWig
shortLabel comp
viewLimits 0:0.5

    track inside
    subTrack comp
    shortLabel inside
    bigDataUrl inside.bw
    logo On
    autoScale On
    yLineMark 0.25
    yLineOnOff ON

    track beside
    subTrack comp off
    shortLabel beside
    bigDataUrl beside.bw
    negateValues On
""",
    "links.txt": "hub links\nuseOneFile on\n\ngenome hg38\n"
    + "".join(
        f"\ntrack t{index}\ntype bigWig\nbigDataUrl a.bw\nshortLabel t\nlongLabel a < b\nhtml {address}\n"
        for index, address in enumerate(
            [
                "javascript:window.broken=1",
                "JavaScript:window.broken=1",
                "data:text/html,<script>opener.broken=1</script>",
                "vbscript:broken",
                "file:///etc/hosts",
                "page.html",
                'HTTPS://example.org/a?b="c"',
            ]
        )
    ),
    "chosen.html": "",
    "loop.txt": "hub x\nuseOneFile on\n\ninclude loop.txt\n",
    "none.txt": "nothing here\n",
    "bare.txt": "hub x\nshortLabel x\n",
    "empty.txt": "hub x\nuseOneFile on\n",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assets = browser_assets()
    if assets is None or not (assets / IGV_JS.file).is_file():
        pytest.skip("igv.js is not installed (make assets)")
    folder = tmp_path_factory.mktemp("igv")
    genome, run = write_fasta(folder / "mini.fa"), write_run(folder / "out")
    path = build_hub([run], folder / "hub", genome=str(genome), email=None, url=None, progress=NullProgress()).path
    (path / "page.html").write_text(PAGE)
    shutil.copyfile(browser_plugins()[MODULE], path / MODULE)
    for name, text in OTHERS.items():
        (path / "others" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "others" / name).write_text(text)
    return path


@pytest.fixture(scope="module")
def address(hub: Path) -> Iterator[str]:
    with running(str(hub), "--port", "0") as (_, address):
        yield address


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with chromium() as page:
        page.size(1200, 900)
        yield page


@pytest.fixture
def page(tab: Page, address: str) -> Page:
    return opened(tab, address)


def opened(page: Page, address: str) -> Page:
    page.console.clear()
    page.open(f"{address}page.html")
    page.wait("window.plugin && window.igv")
    return page


DRAWN = """(() => {
    const views = browser.trackViews.filter(view => view.track.type === "wig")
    return views.map(({track, viewports}) => ({
        id: track.id ?? track.config.id, graphType: track.graphType, min: track.dataRange.min, max: track.dataRange.max,
        top: viewports[0].viewportElement.getBoundingClientRect().top,
        bottom: viewports[0].viewportElement.getBoundingClientRect().bottom,
        flipped: Boolean(track.flipAxis), values: viewports.some(port => port.featureCache?.features?.length > 0)
    }))
})()"""
WITH = "plugin.loadHub(igv, 'hub.txt', {div: document.getElementById('browser')})"
WITHOUT = "igv.createBrowser(document.getElementById('browser'), {hubURL: 'hub.txt', loadDefaultGenomes: false})"


def draw(page: Page, how: str) -> dict[str, dict[str, Any]]:
    """The wig tracks that igv.js draws, by name."""
    page.ask(f"{how}.then(browser => {{window.browser = browser}})")
    page.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)))")
    return {track["id"]: track for track in page.ask(DRAWN)}


def letters(page: Page, track: dict[str, Any]) -> int:
    """Pixels in the colours of A and C on one track."""
    picture = page.picture()[int(track["top"]) : int(track["bottom"])]
    return min(int((np.abs(picture.astype(int) - color).max(axis=2) <= 12).sum()) for color in (LETTER_A, LETTER_C))


def test_contributions_are_letters_with_the_module_and_bars_without(page: Page, address: str) -> None:
    drawn = draw(page, WITH)
    name = next(name for name in drawn if name.endswith("contrib"))
    assert drawn[name]["graphType"] == "dynseq"
    assert letters(page, drawn[name]) > 30
    assert page.console == []
    bars = draw(opened(page, address), WITHOUT)
    assert bars.keys() == drawn.keys()
    assert bars[name]["graphType"] == "bar"
    assert letters(page, bars[name]) == 0


def test_limits_and_the_direction_of_axes_are_those_of_the_hub(page: Page, hub: Path) -> None:
    drawn = draw(page, WITH)
    wanted = {track["id"]: track for track in json.loads((hub / "igv.json").read_text())["tracks"]}
    assert len(drawn) == 4
    for name, track in drawn.items():
        assert track["values"], name
        assert (track["min"], track["max"]) == (wanted[name]["min"], wanted[name]["max"]), name
        assert track["flipped"] == wanted[name].get("flipAxis", False), name
    assert any(track["flipped"] for track in drawn.values())
    assert any(track["max"] != int(track["max"]) for track in drawn.values()), "whole limits would prove nothing"


def test_without_data_nothing_is_drawn(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hub, tmp_path / "hub"))
    for path in folder.glob("*.bw"):
        with pyBigWig.open(str(path), "w") as empty:
            empty.addHeader([("chrI", 60_000)])
            empty.addEntries("chrI", [0], values=[0.0], span=1)
    with running(str(folder), "--port", "0") as (_, address):
        drawn = draw(opened(tab, address), WITH)
        assert [track["values"] for track in drawn.values()] == [False] * 4
        assert letters(tab, next(track for track in drawn.values() if track["graphType"] == "dynseq")) == 0


def test_a_browser_keeps_its_genome_and_gets_the_tracks(page: Page) -> None:
    own = "{reference: {id: 'mini', twoBitURL: 'mini.2bit', chromSizesURL: 'mini.chrom.sizes'}, locus: 'chrI:1-900', "
    make = f"igv.createBrowser(document.getElementById('browser'), {own} loadDefaultGenomes: false}})"
    drawn = draw(page, f"{make}.then(browser => plugin.loadHub(browser, 'hub.txt'))")
    assert len(drawn) == 4
    assert page.ask("[browser.currentLoci()].flat()[0]") == "chrI:1-900"


def configs(page: Page, options: str = "{}") -> list[dict[str, Any]]:
    ask = f"plugin.readHub('others/hub.txt').then(hub => hub.trackConfigs('hg38', {options}))"
    return list(page.ask(ask))


def test_hubs_of_others_are_understood(page: Page, address: str) -> None:
    folder = f"{address}others/data/hg38/"
    both, up, down, chosen, genes = configs(page)
    assert (both["type"], both["name"], both["alpha"], both["height"]) == ("merged", "both", 0.5, 64)
    assert (both["min"], both["max"], both["autoscale"]) == (-0.5, 1.5, False)
    assert [track["id"] for track in both["tracks"]] == ["first", "second"]
    assert both["tracks"][0] == {
        "id": "first",
        "name": "first",
        "description": "first",
        "color": "rgb(1,2,3)",
        "height": 64,
        "type": "wig",
        "format": "bigwig",
        "url": f"{folder}first.bw",
        "min": -0.5,
        "max": 1.5,
        "autoscale": False,
    }
    assert both["tracks"][1]["url"] == "https://elsewhere.example/second.bw"
    assert both["tracks"][1]["description"] == "second"
    assert (up["windowFunction"], up["guideLines"][0]["y"], up["max"]) == ("max", 0.125, 0.25)
    assert "flipAxis" not in up
    assert (down["flipAxis"], down["min"], down["max"]) == (True, 0, 0.25)
    assert (chosen["graphType"], chosen["autoscaleGroup"]) == ("dynseq", "inner")
    assert (genes["type"], genes["format"], genes["displayMode"]) == ("annotation", "bigbed", "COLLAPSED")
    assert (genes["trixURL"], genes["searchIndex"]) == (f"{folder}more/genes.ix", "name")
    assert genes["labelField"] == "name2"


def test_labels_cannot_bring_code_into_the_page(page: Page, address: str) -> None:
    chosen = configs(page)[3]
    assert chosen["name"] == "&lt;img src=x onerror=&quot;window.broken=1&quot;&gt;"
    link = f'<a target="_blank" rel="noopener" href="{address}others/data/chosen.html">'
    assert chosen["description"] == f"{link}a &quot;label&quot; &amp; more</a>"


def test_descriptions_link_to_pages_of_the_web_only(page: Page, address: str) -> None:
    tracks = page.ask("plugin.readHub('others/links.txt').then(hub => hub.trackConfigs())")
    descriptions = [track["description"] for track in tracks]
    assert descriptions[:5] == ["a &lt; b"] * 5
    start = '<a target="_blank" rel="noopener" href="'
    assert descriptions[5] == f'{start}{address}others/page.html">a &lt; b</a>'
    assert descriptions[6] == f'{start}https://example.org/a?b=%22c%22">a &lt; b</a>'


def test_settings_of_older_hubs_are_understood(page: Page) -> None:
    ask = "plugin.readHub('others/old.txt').then(hub => hub.trackConfigs('hg38', %s))"
    (inside,) = page.ask(ask % "{autoscale: true}")
    assert (inside["id"], inside["type"], inside["graphType"], inside["autoscale"]) == ("inside", "wig", "dynseq", True)
    assert inside["guideLines"][0]["y"] == 0.25
    inside, beside = page.ask(ask % "{hidden: true}")
    assert (inside["min"], inside["max"], inside["autoscale"]) == (0, 0.5, False)
    assert (beside["id"], beside["type"], beside["flipAxis"], beside["max"]) == ("beside", "wig", True, 0.5)


def test_options_show_what_is_hidden_and_take_overlays_apart(page: Page) -> None:
    everything = [track["id"] for track in configs(page, "{hidden: true, overlays: false}")]
    assert everything == ["first", "second", "up", "down", "chosen", "left", "secret", "genes"]


def test_autoscale_can_be_obeyed_where_limits_are_given_too(page: Page) -> None:
    ask = "plugin.readHub('hub.txt').then(hub => hub.trackConfigs(undefined, {autoscale: %s}))"
    assert not any(track["autoscale"] for track in page.ask(ask % "false"))
    assert any(track["autoscale"] for track in page.ask(ask % "true"))


def test_genomes_are_named_or_described(page: Page, address: str) -> None:
    ask = "plugin.readHub('others/hub.txt').then(hub => [hub.genomeIds, hub.genomeConfig(), hub.genomeConfig('odd')])"
    names, known, odd = page.ask(ask)
    assert names == ["hg38", "odd"]
    assert known == {"genome": "hg38"}
    assert odd["reference"]["twoBitURL"] == f"{address}others/data/odd.2bit"
    assert odd["reference"]["aliasURL"] == f"{address}others/data/odd.alias.txt"
    assert odd["locus"] == "one:1-100"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ("readHub('others/nothing.txt')", r"others/nothing\.txt: cannot be loaded \(the server answers 404\)"),
        ("readHub('others/none.txt')", "this is no hub"),
        ("readHub('others/bare.txt')", "names neither a genomesFile nor"),
        ("readHub('others/empty.txt')", "the hub names no genome"),
        ("readHub('others/loop.txt')", "the file includes itself"),
        ("hubConfig('others/hub.txt', {genome: 'mm10'})", "there is no genome mm10 in this hub, which has hg38, odd"),
        ("loadHub(igv, 'hub.txt')", "name the element"),
    ],
)
def test_what_cannot_be_read_is_said(page: Page, ask: str, message: str) -> None:
    with pytest.raises(PageError, match=message):
        page.ask(f"plugin.{ask}")
