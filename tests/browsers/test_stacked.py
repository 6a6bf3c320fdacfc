"""Stacked letters in real browsers: what each base would contribute, in igv.js and in JBrowse, and without our code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from tests.chromium import CHROMIUM, Page, chromium
from tests.data import data_file
from tests.hubs import PEAK, STACK, TRACKS, write_fasta, write_run
from tests.serve.looks import READY, Look, look, need
from tests.serve.test_process import running
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, JBROWSE
from trackgen.scan import ScanOptions, run_scan

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

NAME = "tss_mini_sharp_plus_hypothetical"
IGV_COLORS = {"A": (0, 200, 0), "C": (0, 0, 200), "G": (209, 113, 5), "T": (255, 0, 0)}
JBROWSE_COLORS = {"A": (76, 175, 80), "C": (33, 150, 243), "G": (255, 152, 0), "T": (244, 67, 54)}
FROM_TOP = ["A", "G", "C", "T"]
"""At the peak A is .8, G .3, C -.4 and T -.6: the largest outermost."""
PLACE = PEAK - 1000
"""0-based, the first of eleven bases with these values."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need(IGV_JS)
    need(JBROWSE)
    folder = tmp_path_factory.mktemp("stacked")
    genome = write_fasta(folder / "mini.fa")
    run = write_run(folder / "out", tracks=[*TRACKS[:1], *STACK])
    hub = build_hub([run], folder / "hub", genome=str(genome), email="a@b.c", url=None, progress=NullProgress()).path
    with running(str(hub), "--port", "0") as (_, where):
        yield where


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with chromium() as page:
        page.size(1200, 1500)
        yield page


@pytest.fixture(scope="module")
def igv(address: str, tab: Page) -> Look:
    """The page with igv.js, at the peak; what `tab` shows until JBrowse is opened."""
    return look(tab, at_peak(address))


def at_peak(address: str, page: str = "index.html") -> str:
    """A page at bases of one peak, wide enough for letters that one can read."""
    return f"{address.rstrip('/')}/{page}?locus={quote(f'chrI:{PLACE + 2}-{PLACE + 10}')}"


def order(picture: np.ndarray, colors: dict[str, tuple[int, int, int]]) -> list[str]:
    """The bases from top to bottom, by the mean height of their colour's pixels."""
    heights = {}
    for base, color in colors.items():
        rows = np.nonzero((np.abs(picture.astype(int) - color).max(axis=2) <= 12).sum(axis=1) > 20)[0]
        assert len(rows) > 4, base
        heights[base] = rows.mean()
    return sorted(heights, key=lambda base: heights[base])


def strip(tab: Page, script: str) -> np.ndarray:
    """The picture beside an element, less what stands in its corners; `script` gives it."""
    top, bottom = tab.ask(f"(() => {{const box = ({script}).getBoundingClientRect(); return [box.top, box.bottom]}})()")
    return tab.picture()[int(top) + 3 : int(bottom) - 2, 100:1000]


def test_igv_js_draws_the_four_letters_on_top_of_each_other(igv: Look, tab: Page) -> None:
    assert igv.messages == []
    assert igv.console == []
    assert igv.data("drawn") == "3"
    track = f"trackgenReady.browser.trackViews.find(view => view.track.id === '{NAME}')"
    assert tab.ask(f"{track}.track.type") == "trackgen-stacked"
    assert (
        order(strip(tab, f"{track}.viewports[0].viewportElement ?? {track}.viewports[0].$viewport?.[0]"), IGV_COLORS)
        == FROM_TOP
    )
    words = tab.ask(
        f"{track}.track.popupData({{genomicLocation: {PLACE + 5}.5, viewport: {track}.viewports[0]}})"
        ".map(({name, value}) => `${name} ${value}`)"
    )
    assert words[1:] == ["A 0.8", "C -0.4", "G 0.3", "T -0.6"]


@pytest.mark.usefixtures("igv")
def test_without_our_code_igv_js_lays_the_four_over_each_other(tab: Page) -> None:
    tab.ask(
        "(async () => {const config = await (await fetch('igv.json')).json();"
        f"const track = config.tracks.find(({{id}}) => id === '{NAME}');"
        "const made = await trackgenReady.browser.loadTrack({...track, id: 'plain'}); window.plain = made})()"
    )
    assert tab.ask("[plain.type, plain.tracks.length]") == ["merged", 4]


@pytest.mark.usefixtures("igv")
def test_a_hub_s_own_text_tells_the_same(tab: Page) -> None:
    configs = tab.ask(
        "(async () => {const plugin = await import('./trackgen-igv.js');"
        "const stacked = await import('./trackgen-stacked.js');"
        "const config = await plugin.hubConfig('hub.txt', {hidden: true});"
        "return [config, stacked.withStacked(config)].map(({tracks}) => tracks.filter(one => one.stackedLetters))})()"
    )
    read, made = configs
    assert [track["type"] for track in read] == ["merged", "merged"]
    assert [track["type"] for track in made] == ["trackgen-stacked"] * 2
    assert read[0]["stackedLetters"] == list("ACGT")
    assert [part["url"].split(".")[-3] for part in read[0]["tracks"]] == list("ACGT")
    assert all("graphType" not in part for part in read[0]["tracks"])
    assert (
        tab.ask("import('./trackgen-igv.js').then(({hubConfig}) => hubConfig('hub.txt')).then(c => c.tracks.length)")
        == 1
    )


@pytest.mark.usefixtures("igv")
def test_stacks_are_laid_from_zero_outwards_and_runs_are_letters_of_their_own(tab: Page) -> None:
    tab.ask("import('./trackgen-stacked.js').then(module => {window.stacked = module})")
    assert tab.ask("stacked.stack([3, -1, NaN, 1]).map(({index, from, to}) => [index, from, to])") == [
        [1, 0, -1], [3, 0, 1], [0, 1, 4]
    ]  # fmt: skip
    run = "[[{start: 10, end: 13, value: 2}], [{start: 11, end: 12, value: -1}], undefined]"
    columns = "map(({start, end, values}) => [start, end, values.map(value => Number.isNaN(value) ? null : value)])"
    assert tab.ask(f"stacked.columnsOf({run}, 0.5, 10.5, 12.2).{columns}") == [
        [10, 11, [2, None, None]], [11, 12, [2, -1, None]], [12, 13, [2, None, None]]
    ]  # fmt: skip
    assert tab.ask(f"stacked.columnsOf({run}, 20).length") == 2
    assert tab.ask(f"stacked.extent(stacked.columnsOf({run}, 0.5), 0, 50)") == [-1, 2]
    assert tab.ask("stacked.stackedTrack({type: 'merged', stackedLetters: ['A'], tracks: []}).type") == "merged"


def test_jbrowse_draws_them_once_they_are_asked_for(address: str, tab: Page) -> None:
    seen = look(tab, at_peak(address, "jbrowse.html"))
    assert seen.messages == []
    view = "trackgenReady.session.views[0]"
    assert NAME not in tab.ask(f"{view}.tracks.map(track => track.configuration.trackId)")
    tab.ask(f"Boolean({view}.showTrack('{NAME}'))")
    display = f"{view}.tracks.at(-1).displays[0]"
    # The last canvas is that of the last track.
    drawn = "[...document.querySelectorAll('canvas[data-testid^=prerendered_canvas]')].at(-1)"
    parts = f"{display}.blockDefinitions.contentBlocks.map(({{key}}) => {display}.blockState.get(key))"
    done = f"{view}.tracks.length === 3 && {parts}.length && {parts}.every(part => part?.filled)"
    tab.wait(f"{done} && {drawn}.dataset.testid.endsWith('_done')")
    assert order(strip(tab, drawn), JBROWSE_COLORS) == FROM_TOP
    # Zoomed out there are bars, and no letters.
    tab.ask(f"{view}.navToLocString('chrI:{PEAK - 9000}-{PEAK + 9000}')")
    tab.wait(f"{view}.bpPerPx > 5 && {done} && {drawn}?.dataset.testid.endsWith('_done')")
    time.sleep(0.3)
    bars = strip(tab, drawn)
    assert (np.abs(bars.astype(int) - 0x88).max(axis=2) <= 12).sum() > 100


def test_the_picture_of_the_documentation(tab: Page, tmp_path: Path, pictures: Path | None) -> None:
    if pictures is None:
        pytest.skip("only with --pictures")
    need(IGV_JS)
    genome = data_file("genome_yeast/sacCer3.2bit")
    options = ScanOptions(
        ("tss-yeast",), genome, tmp_path / "out", classes=("sharp",), contrib=("sharp",), contrib_weight="probability",
        hypothetical_tracks=True, regions=("chrI:68001-71000",),
    )  # fmt: skip
    run_scan(options)
    hub = build_hub(
        [tmp_path / "out"], tmp_path / "hub", genome=str(genome), email="a@b.c", url=None, progress=NullProgress()
    ).path
    with running(str(hub), "--port", "0") as (_, where):
        look(tab, f"{where.rstrip('/')}/index.html?locus=chrI:69131-69230")
        assert tab.ask(READY)
        Image.fromarray(tab.picture()[130:860]).save(pictures / "stacked.png", optimize=True)
