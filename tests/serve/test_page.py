"""The page in a real browser: the tracks are drawn, and what cannot be drawn is said.

The page tells how it went in attributes of <html>; the picture is then searched for the tracks' own colours, since only
pixels prove that something was drawn.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from tests.chromium import CHROMIUM, Page, chromium
from tests.hubs import LENGTHS, write_fasta, write_run
from tests.serve.looks import BROAD, SHARP, Look, glance, look, need
from tests.serve.test_process import running
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS

# igv.js's letters A and C, which the contributions are drawn with.
LETTER_A, LETTER_C = (0, 200, 0), (0, 0, 200)
GENES = "chrI\t20000\t20900\tABC1\t0\t+\nchrII\t100\t900\tXYZ9\t0\t-\n"

# What may stand behind ?locus=, and the place that both pages show then; the hub's own where it is None.
PLACES = {
    "chrI:1,001-2,000": "chrI:1001-2000",
    " chrII:1001-2000\t": "chrII:1001-2000",
    "chrI:1001..2000": "chrI:1001-2000",
    "I:1001-2000": "chrI:1001-2000",
    "CHRii:1001-2000": "chrII:1001-2000",
    "MT:101-300": "chrM:101-300",
    "chrII:19,002-999,999,999": "chrII:19002-20001",
    "chrII": "chrII:1-20001",
    " ": None,
}
# What is not there, and what the pages tell about it.
MISSING = {
    "all": "one place can be asked for, not all",
    "*": "one place can be asked for, not all",
    "chrI:5,000-2,000": "its end lies before its start",
    "chrI:0-10": "bases count from 1",
    "chrI:,-10": "bases count from 1",
    "chrI:-5-10": "a region has whole numbers, from 1 on",
    "chrI:1e3-2e3": "a region has whole numbers, from 1 on",
    "chrI:1000-": "a region has whole numbers, from 1 on",
    "chrI 1000 2000": "one place can be asked for, without blanks",
    "chrI:1-1000 chrII:1-1000": "one place can be asked for, without blanks",
    "chrZZ:1-100": "no sequence is named chrZZ",
    "chrII:20,002-20,100": "chrII has 20,001 bases",
    "NOGENE": None,
}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module", autouse=True)
def igv_is_installed() -> None:
    need(IGV_JS)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with chromium() as page:
        page.size(1280, 1250)
        yield page


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    genome = write_fasta(folder / "mini.fa")
    run = write_run(folder / "out")
    report = build_hub([run], folder / "hub", genome=str(genome), email=None, url=None, progress=NullProgress())
    return report.path


@pytest.fixture(scope="module")
def address(hub: Path) -> Iterator[str]:
    with running(str(hub), "--port", "0") as (_, address):
        yield address


@pytest.fixture(scope="module")
def sound(tab: Page, address: str) -> Look:
    return look(tab, address)


def test_every_track_is_loaded_and_drawn_without_a_complaint(sound: Look) -> None:
    assert (sound.data("state"), sound.data("tracks"), sound.data("drawn")) == ("ready", "4", "4")
    assert sound.data("errors") == "0"
    assert sound.console == []
    assert sound.messages == []


def test_the_picture_has_the_colors_of_the_tracks(sound: Look) -> None:
    # A swatch of the table is about 170 pixels; the peaks are far more.
    assert sound.pixels(SHARP) > 4000
    assert sound.pixels(BROAD) > 2000


def test_contributions_are_letters(sound: Look) -> None:
    assert sound.pixels(LETTER_A) > 100
    assert sound.pixels(LETTER_C) > 100


def test_another_region_can_be_asked_for_in_the_address(tab: Page, address: str) -> None:
    seen = look(tab, f"{address}?locus=chrII:1-2000")
    assert seen.data("drawn") == "4"
    assert seen.pixels(SHARP) < 4000, "there are no peaks on chrII, so the check for colours can fail"


def test_the_page_is_dark_where_the_system_is(address: str, sound: Look) -> None:
    with chromium() as night:
        night.size(1280, 1250)
        night.dark()
        dark = look(night, address)
    assert sound.picture[:8].mean() > 230
    assert dark.picture[:8].mean() < 60
    assert np.median(dark.picture) < 60, "the browser's panel is dark, too"
    assert dark.data("state") == "ready"


VIA_HUB = """<!doctype html><html><body><div id="browser"></div><script type="module">
import igv from "./igv.esm.min.js"
const data = document.documentElement.dataset
try {
    const options = {hubURL: "hub.txt", loadDefaultGenomes: false}
    const browser = await igv.createBrowser(document.getElementById("browser"), options)
    const hub = await igv.loadHub(new URL("hub.txt", location).href)
    const groups = await hub.getGroupedTrackConfigurations("mini")
    data.tracks = browser.trackViews.filter(view => view.track.type === "wig").length
    data.groups = groups.map(group => group.label).join(";")
} catch (error) {
    data.failure = error.message
}
</script></body></html>
"""


def test_igv_draws_the_hub_of_ucsc_as_well(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / "via_hub.html").write_text(VIA_HUB)
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, f"{address}via_hub.html", "document.documentElement?.dataset.tracks")
    assert seen.data("failure") is None
    assert seen.data("tracks") == "4"
    assert seen.data("groups") == "Predictions;Contributions of each base"
    assert seen.pixels(SHARP) > 2000
    assert seen.pixels(BROAD) > 1000


def damaged(hub: Path, folder: Path) -> Path:
    return Path(shutil.copytree(hub, folder / "damaged"))


def test_a_missing_track_is_said_on_the_page_and_the_others_are_drawn(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / "tss-mini.broad.plus.bw").unlink()
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, address)
    assert (seen.data("state"), seen.data("tracks"), seen.data("errors")) == ("incomplete", "3", "1")
    assert seen.messages == ["broad TSS +: tss-mini.broad.plus.bw cannot be loaded (the server answers 404)"]
    assert seen.pixels(SHARP) > 4000
    assert seen.pixels(BROAD) < 2000


def test_data_that_are_gone_leave_nothing_drawn(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    for path in folder.glob("*.bw"):
        path.write_bytes(b"")
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, address)
    assert (seen.data("state"), seen.data("drawn"), seen.data("errors")) == ("incomplete", "0", "4")
    assert seen.pixels(SHARP) < 4000


def test_a_missing_genome_is_said_on_the_page(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / "mini.2bit").unlink()
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, address)
    assert seen.data("state") == "incomplete"
    assert int(seen.data("errors") or 0) >= 1


def test_the_page_works_behind_a_path_prefix(tab: Page, hub: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(hub, site / "lab" / "hubs" / "mini")
    (site / "hub.txt").write_text("hub site\n")
    with running(str(site), "--port", "0") as (_, address):
        seen = look(tab, f"{address}lab/hubs/mini/")
    assert (seen.data("state"), seen.data("drawn")) == ("ready", "4")


def test_the_pages_of_tracks_are_shown_with_their_style(tab: Page, address: str) -> None:
    seen = look(tab, f"{address}tss_mini_sharp_plus.html", "document.readyState === 'complete'")
    assert seen.console == []
    assert seen.pixels(SHARP) > 200


def test_a_hub_without_igv_gets_it_from_the_machine(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / IGV_JS.file).unlink()
    with running(str(folder), "--port", "0") as (process, address):
        seen = look(tab, address)
        tab.open("about:blank")
    assert (seen.data("state"), seen.data("drawn"), seen.console) == ("ready", "4", [])
    assert process.stderr is not None
    assert "igv.js" not in process.stderr.read()


def test_an_igv_that_is_nowhere_is_said_on_the_page(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    page = (folder / "index.html").read_text().replace(IGV_JS.address, "http://127.0.0.1:9/igv.js")
    (folder / "index.html").write_text(page.replace(IGV_JS.file, "gone.js"))
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, address)
    assert seen.data("state") == "incomplete"
    assert len(seen.messages) == 1
    assert "neither from the hub nor from http://127.0.0.1:9/igv.js" in seen.messages[0]


@pytest.fixture(scope="module")
def with_genes(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    genes = tmp_path_factory.mktemp("genes") / "mini.bed"
    genes.write_text(GENES)
    with running(str(hub), "--port", "0", "--genes", str(genes)) as (_, address):
        yield address


def test_a_gene_is_found_by_its_name_in_the_address_and_in_the_search_box(tab: Page, with_genes: str) -> None:
    seen = look(tab, f"{with_genes}?locus=abc1")
    assert (seen.data("tracks"), seen.data("drawn"), seen.messages) == ("5", "5", [])
    name, _, place = (seen.data("locus") or "").partition(":")
    start, end = (int(part) for part in place.split("-"))
    assert name == "chrI"
    assert start <= 20001 < 20900 <= end < 30000
    tab.ask("trackgenReady.browser.search('XYZ9')")
    assert tab.ask("trackgenReady.browser.currentLoci()").startswith("chrII:")
    assert seen.console == [], "names of genes stay on this server"


def test_a_name_that_is_not_found_is_said_on_the_page_until_one_is(tab: Page, with_genes: str) -> None:
    before = look(tab, with_genes)
    tab.ask("trackgenReady.browser.search('<b>NO</b>')")
    seen = glance(tab)
    assert len(seen.messages) == 1
    assert seen.messages[0].startswith("There is no &lt;b&gt;NO&lt;/b&gt; on this genome. Ask for the name of a gene")
    assert tab.ask("trackgenReady.browser.currentLoci()") == before.data("locus")
    tab.ask("trackgenReady.browser.search('ABC1')")
    assert glance(tab).messages == []


def told(text: str, why: str | None) -> str:
    """How a message about a place begins that is not there."""
    return f"There is no {text} on this genome{f' ({why})' if why else ''}. Ask for the name of a gene, "


@pytest.mark.parametrize("text", PLACES)
def test_a_place_is_read_as_its_writer_meant_it(tab: Page, with_genes: str, sound: Look, text: str) -> None:
    seen = look(tab, f"{with_genes}?{urlencode({'locus': text})}")
    assert (seen.data("state"), seen.messages) == ("ready", [])
    assert seen.data("locus") == (PLACES[text] or sound.data("locus"))


@pytest.mark.parametrize("text", MISSING)
def test_a_place_that_is_not_there_is_told_and_the_hub_shown(
    tab: Page, with_genes: str, sound: Look, text: str
) -> None:
    seen = look(tab, f"{with_genes}?{urlencode({'locus': text})}")
    assert (seen.data("state"), seen.data("errors"), seen.data("locus")) == ("ready", "0", sound.data("locus"))
    assert len(seen.messages) == 1
    assert seen.messages[0].startswith(told(text, MISSING[text]))
    assert seen.console == []


def test_the_search_box_reads_regions_as_the_address_is_read(tab: Page, with_genes: str) -> None:
    before = look(tab, with_genes)
    tab.ask("trackgenReady.browser.search('chrI:5,000-2,000')")
    assert glance(tab).messages[0].startswith(told("chrI:5,000-2,000", MISSING["chrI:5,000-2,000"]))
    assert tab.ask("trackgenReady.browser.currentLoci()") == before.data("locus")
    tab.ask("trackgenReady.browser.search('ii:1001-2000')")
    assert tab.ask("trackgenReady.browser.currentLoci()") == "chrII:1001-2000"
    tab.ask("trackgenReady.browser.search('chrI:1-1000 chrII:1-1000')")
    assert tab.ask("trackgenReady.browser.currentLoci()") == ["chrI:1-1000", "chrII:1-1000"]
    assert glance(tab).messages == []


@pytest.mark.parametrize("width", [400, 320])
def test_on_a_narrow_screen_only_boxes_of_their_own_scroll_sideways(address: str, width: int) -> None:
    with chromium() as phone:
        phone.size(width, 900)
        assert look(phone, address).data("state") == "ready"
        assert phone.ask("document.documentElement.scrollWidth") <= width
        bar = phone.ask(
            "[...document.getElementById('browser').shadowRoot.querySelectorAll('.igv-navbar *')]"
            ".map(part => Math.round(part.getBoundingClientRect().right))"
        )
        assert len(bar) > 10
        assert max(bar) <= width, "every button can be reached"


@pytest.fixture(scope="module")
def two_genomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("two")
    lengths = LENGTHS | {"chrI": LENGTHS["chrI"] + 500}
    first, second = write_fasta(folder / "mini.fa"), write_fasta(folder / "maxi.fa", lengths=lengths)
    runs = [
        write_run(folder / "mini", genome="mini.fa"),
        write_run(folder / "maxi", genome="maxi.fa", lengths=lengths),
    ]
    options = {"email": None, "url": None, "progress": NullProgress()}
    path = build_hub(runs, folder / "hub", genome=[str(first), str(second)], **options).path  # type: ignore[arg-type]
    with running(str(path), "--port", "0") as (_, address):
        yield address


def test_one_of_several_genomes_is_chosen_in_the_address_or_on_the_page(tab: Page, two_genomes: str) -> None:
    first = look(tab, two_genomes)
    assert (first.data("state"), first.data("drawn")) == ("ready", "4")
    assert tab.ask("[...document.getElementById('genome').options].map(option => option.value)") == ["mini", "maxi"]
    assert tab.ask("trackgenReady.browser.genome.id") == "mini"
    second = look(tab, f"{two_genomes}?genome=maxi&locus=chrI:29,000-31,000")
    assert (second.data("drawn"), second.data("locus")) == ("4", "chrI:29000-31000")
    assert tab.ask("trackgenReady.browser.genome.id") == "maxi"
    assert tab.ask("document.getElementById('genome').checkVisibility()")
    link = "document.querySelector('a[data-page]')"
    tab.ask(f"{link}.addEventListener('click', event => event.preventDefault()), {link}.click()")
    assert tab.ask(f"new URL({link}.href).search") == "?genome=maxi&locus=chrI%3A29000-31000"
    wrong = look(tab, f"{two_genomes}?genome=other")
    assert wrong.messages == ["there is no genome other in this hub, which has mini, maxi"]


def test_a_hub_of_one_genome_has_no_chooser(sound: Look, tab: Page, address: str) -> None:
    look(tab, address)
    assert not tab.ask("document.getElementById('genome').checkVisibility()")


def test_hostile_labels_are_text_on_the_page(tab: Page, hub: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path / "out", labels={"sharp": "<img src=x onerror='window.broken = 1'>"})
    fasta = str(write_fasta(tmp_path / "mini.fa"))
    path = build_hub([run], tmp_path / "hub", genome=fasta, email=None, url=None, progress=NullProgress()).path
    assert "<img" not in json.loads((path / "igv.json").read_text())["tracks"][0]["name"]
    with running(str(path), "--port", "0") as (_, address):
        seen = look(tab, address)
    assert (seen.data("state"), seen.console) == ("ready", [])
    assert tab.ask("window.broken") is None
