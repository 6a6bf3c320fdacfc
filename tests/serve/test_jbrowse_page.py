"""The page with JBrowse in a real browser: drawn, or said why not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from tests.chromium import CHROMIUM, Page, chromium
from tests.hubs import write_fasta, write_run
from tests.plugins.jbrowse.live import DESCRIPTION
from tests.serve.looks import SHARP, Look, look, need
from tests.serve.test_page import GENES, MISSING, PLACES, told
from tests.serve.test_process import running
from trackgen.hub import build_hub
from trackgen.hub.jbrowse_live import with_live_tracks
from trackgen.progress import NullProgress
from trackgen.resources import JBROWSE

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need(JBROWSE)
    folder = tmp_path_factory.mktemp("jbrowse")
    genome, run = write_fasta(folder / "mini.fa"), write_run(folder / "out")
    return build_hub([run], folder / "hub", genome=str(genome), email=None, url=None, progress=NullProgress()).path


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with chromium() as page:
        page.size(1280, 1250)
        yield page


@pytest.fixture(scope="module")
def address(hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    genes = tmp_path_factory.mktemp("genes") / "mini.bed"
    genes.write_text(GENES)
    with running(str(hub), "--port", "0", "--genes", str(genes)) as (_, address):
        yield f"{address}jbrowse.html"


@pytest.fixture(scope="module")
def sound(tab: Page, address: str) -> Look:
    return look(tab, address)


def test_every_track_is_drawn_with_data_and_nothing_complains(sound: Look) -> None:
    assert (sound.data("state"), sound.data("tracks"), sound.data("errors")) == ("ready", "5", "0")
    # No gene lies where the page starts.
    assert sound.data("drawn") == "4"
    assert (sound.messages, sound.console) == ([], [])
    assert sound.pixels(SHARP) > 500


def test_a_region_and_a_gene_can_be_asked_for_in_the_address(tab: Page, address: str) -> None:
    region = look(tab, f"{address}?locus=chrII:9,001-10,000")
    assert (region.data("state"), region.data("drawn")) == ("ready", "4")
    assert (region.data("locus") or "").startswith("chrII:9001-")
    assert region.pixels(SHARP) < 500, "there are no peaks on chrII, so the check for colours can fail"
    gene = look(tab, f"{address}?locus=XYZ9")
    assert (gene.data("state"), gene.data("drawn")) == ("ready", "5")
    assert (gene.data("locus") or "").startswith("chrII:")


# The pages share their reading of places, all of which the other page is asked for.
@pytest.mark.parametrize("text", ["I:1001-2000", "chrII", "chrII:19,002-999,999,999", " "])
def test_a_place_is_read_as_the_other_page_reads_it(tab: Page, address: str, sound: Look, text: str) -> None:
    seen = look(tab, f"{address}?{urlencode({'locus': text})}")
    assert (seen.data("state"), seen.messages) == ("ready", [])
    assert seen.data("locus") == (PLACES[text] or sound.data("locus"))


@pytest.mark.parametrize("text", ["all", "chrI:5,000-2,000", "chrZZ:1-100", "NOGENE"])
def test_a_place_that_is_not_there_is_told_and_the_hub_shown(tab: Page, address: str, sound: Look, text: str) -> None:
    seen = look(tab, f"{address}?{urlencode({'locus': text})}")
    assert (seen.data("state"), seen.data("errors"), seen.data("locus")) == ("ready", "0", sound.data("locus"))
    assert seen.data("tracks") == "5"
    assert len(seen.messages) == 1
    assert seen.messages[0].startswith(told(text, MISSING[text]))


def test_a_search_that_never_ends_does_not_hold_the_page(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hub, tmp_path / "hub"))
    page = folder / "trackgen-jbrowse-page.js"
    text = page.read_text()
    assert "const SEARCH_FOR = 20000\n" in text
    text = text.replace("const SEARCH_FOR = 20000\n", "const SEARCH_FOR = 200\n")
    page.write_text(text.replace("view.navToSearchString({input: name, assembly})", "new Promise(() => {})"))
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, f"{address}jbrowse.html?locus=XYZ9")
    assert (seen.data("state"), seen.data("drawn")) == ("incomplete", "4")
    assert seen.messages == ["JBrowse has not answered within 0.2 seconds where XYZ9 is"]


def test_on_a_narrow_screen_the_page_is_no_wider_than_that(address: str) -> None:
    with chromium() as phone:
        phone.size(400, 900)
        assert look(phone, address).data("state") == "ready"
        assert phone.ask("document.documentElement.scrollWidth") <= 400


def test_the_page_is_dark_where_the_system_is(address: str, sound: Look) -> None:
    with chromium() as night:
        night.size(1280, 1250)
        night.dark()
        dark = look(night, address)
    assert dark.data("state") == "ready"
    assert np.median(sound.picture) > 200
    assert np.median(dark.picture) < 60


def test_what_is_missing_or_broken_is_said_and_the_rest_is_drawn(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hub, tmp_path / "hub"))
    (folder / "tss-mini.broad.plus.bw").unlink()
    (folder / "tss-mini.sharp.minus.bw").write_bytes(b"no BigWig")
    (folder / "trackgen-jbrowse.js").unlink()
    config = folder / "config.json"
    config.write_bytes(with_live_tracks(config.read_bytes(), DESCRIPTION, "mini", "api/v1/"))
    (folder / "trackgen-jbrowse-live.js").unlink()
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, f"{address}jbrowse.html")
    told = "\n".join(seen.messages)
    assert seen.data("state") == "incomplete"
    assert "tss-mini.broad.plus.bw cannot be loaded (the server answers 404)" in told
    assert "tss-mini.sharp.minus.bw is not a BigWig file" in told
    assert "the plugin Trackgen cannot be loaded" in told
    assert re.search(r"the plugin TrackgenLive cannot be loaded .*; live tracks are left out", told)
    assert (seen.data("tracks"), seen.data("drawn"), seen.data("errors")) == ("2", "2", "4")
    assert seen.pixels(SHARP) > 200, "the plus strand is drawn"


def test_without_data_no_track_is_drawn(tab: Page, hub: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hub, tmp_path / "hub"))
    for path in folder.glob("*.bw"):
        path.unlink()
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(tab, f"{address}jbrowse.html")
    assert (seen.data("state"), seen.data("drawn"), seen.data("errors")) == ("incomplete", "0", "4")
    assert seen.pixels(SHARP) == 0
