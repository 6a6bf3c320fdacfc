"""A real hub, served by ``trackgen serve``, in a real browser: igv.js from igv.json and from hub.txt, and JBrowse.

Every track is drawn with data, letters are letters, and nothing complains. Each check is also made of a hub whose data
are gone, where it must fail; and letters are proved by changing one value's sign and seeing the glyph turn.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.browsers.conftest import CLOSE, Turn
from tests.browsers.glyphs import changed_glyphs, likeness
from tests.chromium import Page, chromium
from tests.serve.test_process import running

pytestmark = pytest.mark.browser

IGV, JBROWSE, HUB = "index.html", "jbrowse.html", "via_hub.html"
PAGES = {
    IGV: "igv.js from igv.json",
    JBROWSE: "JBrowse from config.json, with the plugin",
    HUB: "igv.js from hub.txt, with the module",
}

LOOKS = 10
"""At a page until its picture stays the same."""
PICTURES = {IGV: "igv.png", JBROWSE: "jbrowse.png", HUB: "igv-hub.png"}
"""In docs/pictures."""

VIA_HUB = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body><div id="browser"></div>
<script type="module">
import igv from "./igv.esm.min.js"
import {loadHub} from "./trackgen-igv.js"
const data = document.documentElement.dataset
try {
    const locus = new URLSearchParams(location.search).get("locus")
    const browser = await igv.createBrowser(document.getElementById("browser"), {
        reference: {id: "sacCer3", twoBitURL: "sacCer3.2bit", chromSizesURL: "sacCer3.chrom.sizes"},
        loadDefaultGenomes: false, locus: locus || "chrI:1-1000"
    })
    await loadHub(browser, new URL("hub.txt", location).href, {genome: "sacCer3"})
    const views = browser.trackViews.filter(view => view.track.type === "wig" || view.track.type === "annotation")
    data.tracks = views.length
    data.drawn = views.filter(view => view.viewports.some(port => port.featureCache?.features?.length > 0)).length
    data.errors = 0
    data.state = "ready"
} catch (error) {
    data.errors = 1
    data.state = "incomplete"
    console.error(error.message)
}
</script></body></html>
"""


def stock_page(locus: str) -> str:
    """A page with hub.txt as the genome, by igv.js alone."""
    stock = VIA_HUB.replace('import {loadHub} from "./trackgen-igv.js"\n', "")
    begin, end = stock.index("    const browser"), stock.index("    const views")
    create = 'igv.createBrowser(document.getElementById("browser"), {hubURL: "hub.txt", loadDefaultGenomes: false})'
    text = f'    const browser = await {create}\n    await browser.search("{locus}")\n'
    return stock[:begin] + text + stock[end:]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as page:
        page.size(1280, 2600)
        yield page


@pytest.fixture(scope="session", autouse=True)
def page_via_hub(real_hub: Path) -> None:
    (real_hub / HUB).write_text(VIA_HUB)


@pytest.fixture(scope="module")
def count(real_hub: Path) -> int:
    """Tracks of values, and the genes."""
    tracks = json.loads((real_hub / "trackgen.json").read_text())["tracks"]
    assert len(tracks) == 16
    return len(tracks) + 1


def look(page: Page, address: str) -> np.ndarray:
    page.console.clear()
    page.open(address)
    page.wait("['ready', 'incomplete'].includes(document.documentElement?.dataset.state)")
    # Fonts and the last frame; on a busy machine the browsers draw on for a while.
    picture, before = page.picture(), None
    for _ in range(LOOKS):
        if before is not None and np.array_equal(picture, before):
            break
        page.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done, 300)))")
        picture, before = page.picture(), picture
    return picture


def all_is_drawn(page: Page, count: int) -> None:
    data = page.ask("({...document.documentElement.dataset})")
    said = {key: data.get(key) for key in ("state", "tracks", "drawn", "errors")}
    assert said == {"state": "ready", "tracks": str(count), "drawn": str(count), "errors": "0"}
    assert page.console == []


@pytest.mark.parametrize("name", PAGES, ids=PAGES.values())
def test_every_track_of_a_real_hub_is_drawn_without_a_complaint(
    page: Page, address: str, locus: str, count: int, name: str, pictures: Path | None
) -> None:
    picture = look(page, f"{address}{name}?locus={locus}")
    all_is_drawn(page, count)
    if pictures is not None:
        Image.fromarray(picture[:1400]).save(pictures / PICTURES[name], optimize=True)


@pytest.mark.parametrize("name", PAGES, ids=PAGES.values())
def test_the_same_check_fails_where_the_data_are_gone(
    page: Page, without_data: str, real_hub: Path, locus: str, count: int, name: str
) -> None:
    look(page, f"{without_data}{name}?locus={locus}")
    with pytest.raises(AssertionError):
        all_is_drawn(page, count)


@pytest.mark.parametrize("name", PAGES, ids=PAGES.values())
def test_a_letter_turns_with_the_sign_of_its_value(
    page: Page, address: str, turned: str, turn: Turn, name: str
) -> None:
    before = look(page, f"{address}{name}?locus={turn.locus}")
    after = look(page, f"{turned}{name}?locus={turn.locus}")
    up, down = changed_glyphs(before, after)
    assert up.bottom <= down.top + 2, "the letter stands above zero, then below"
    assert up.right - up.left <= 1.2 * 1280 / CLOSE, "only this letter has changed"
    assert likeness(up.ink, down.ink[::-1]) > 0.8
    assert likeness(up.ink, down.ink) < likeness(up.ink, down.ink[::-1]) - 0.1


def test_the_stock_loader_of_igv_draws_the_hub_too(
    page: Page, real_hub: Path, locus: str, count: int, tmp_path: Path
) -> None:
    """hub.txt as the genome, by igv.js alone: bars instead of letters, but nothing empty."""
    folder = Path(shutil.copytree(real_hub, tmp_path / "hub"))
    (folder / "stock.html").write_text(stock_page(locus))
    with running(str(folder), "--port", "0") as (_, address):
        look(page, f"{address}stock.html")
    all_is_drawn(page, count)
