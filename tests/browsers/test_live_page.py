"""The live page in a real browser, against ``trackgen serve`` with a model: what is in view is predicted, bases change.

Values are held against `trackgen.open_model` on an `EditedGenome`: exactly what a scan of such a genome would write.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from tests.chromium import CHROMIUM, Page, chromium
from tests.data import data_file
from tests.serve.test_process import running
from trackgen import open_model
from trackgen.genome import Edit, EditedGenome, open_genome
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, browser_assets

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

MODEL, TRACK = "tss-yeast", "sharp.plus"
START, END = 14_000, 14_060
"""What is in view, 0-based half-open: bases wide enough to be clicked."""
LOCUS = f"chrI:{START + 1}-{END}"
PLACE = START + 30
ROWS = 24 / 108
"""The share of the heat map's height above its rows."""
GENOME_BASES = 30_000


@dataclass
class Served:
    """A server with a model, which can be ended and started again on its port."""

    folder: Path
    fasta: Path
    address: str = ""
    process: subprocess.Popen[str] | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        port = urlsplit(self.address).port or 0
        options = ("--model", MODEL, "--genome", str(self.fasta), "--port", str(port))
        self.process, address = self.stack.enter_context(running(str(self.folder), *options))
        assert not port or urlsplit(address).port == port
        self.address = address

    def end(self) -> None:
        self.stack.close()


class Whole(http.server.BaseHTTPRequestHandler):
    """Hands on what the server behind it says, without parts of files."""

    behind = ""

    def do_GET(self) -> None:
        with urllib.request.urlopen(f"{self.behind}{self.path}") as answer:
            body = answer.read()
        self.send_response(200)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def bases() -> str:
    return "".join(np.random.default_rng(6).choice(list("ACGT"), GENOME_BASES))


@pytest.fixture(scope="module")
def served(bases: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    assets = browser_assets()
    if assets is None or not (assets / IGV_JS.file).is_file():
        pytest.skip("igv.js is not installed (make assets)")
    folder = tmp_path_factory.mktemp("live")
    fasta = folder / "small.fa"
    fasta.write_text(f">chrI\n{bases}\n>chrII\n{bases[:5000]}\n")
    server = Served(folder / "hub", fasta)
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with chromium() as page:
        page.size(1280, 1200)
        yield page


@pytest.fixture
def page(tab: Page) -> Page:
    tab.console.clear()
    return tab


def look(page: Page, served: Served, **asked: str) -> None:
    search = "&".join(f"{key}={value}" for key, value in {"locus": LOCUS, "classes": "sharp", **asked}.items())
    page.open("about:blank")
    page.open(f"{served.address}?{search}")
    page.wait("globalThis.trackgenReady?.done")
    rest(page)


def again(page: Page, served: Served) -> None:
    """As `look` without more, of the page that is open: it takes a tenth of the time."""
    if not page.ask("Boolean(globalThis.trackgenReady?.page)") or page.ask("location.pathname") != "/live.html":
        look(page, served)
        return
    page.ask("document.getElementById('clear').click(); document.querySelector('#strip:checked')?.click()")
    page.ask(f"trackgenReady.browser.search('{LOCUS}').then(() => true)")
    rest(page)


def rest(page: Page) -> None:
    """Until all that was asked for is drawn."""
    page.ask("trackgenReady.page?.arranging.then(() => true)")
    page.wait("!trackgenReady.busy")


def write(page: Page, text: str) -> None:
    """Put variants into the box, and apply them."""
    before = page.ask("trackgenReady.edits.length")
    page.ask(
        f"document.getElementById('variants').value = {json.dumps(text)}; document.getElementById('apply').click()"
    )
    page.wait(f"trackgenReady.edits.length > {before} || !document.getElementById('refused').hidden")
    rest(page)


def refusal(page: Page) -> str:
    return str(page.ask("document.getElementById('refused').innerText"))


def features(page: Page, track: str) -> list[dict[str, Any]]:
    """What igv.js holds of a track for what is in view."""
    found = page.ask(
        f"trackgenReady.browser.trackViews.find(({{track}}) => track.id === {json.dumps(track)})"
        ".viewports[0].featureCache.features"
    )
    return [part for part in found if START <= part["start"] < END]


def spot(page: Page, kind: str, position: int, share: float = 0.5) -> tuple[float, float]:
    """Where a base is on the page, in the track of a type; `share` of its height from the top."""
    x, y = page.ask(
        f"""(() => {{
        const port = trackgenReady.browser.trackViews.find(({{track}}) => track.type === "{kind}").viewports[0]
        const [box, frame] = [port.viewportElement.getBoundingClientRect(), port.referenceFrame]
        return [box.left + ({position} + 0.5 - frame.start) / frame.bpPerPixel, box.top + {share} * box.height]
    }})()"""
    )
    return float(x), float(y)


def expected(served: Served, edits: Sequence[Edit]) -> tuple[dict[int, float], list[float]]:
    """Values of the track by the reference's base that they stand over, and those of the bases that came in."""
    with open_genome(served.fasta) as genome:
        edited = EditedGenome(genome, edits)
        low, high = edited.span("chrI", START, END)
        values = open_model(MODEL).predict(edited, f"chrI:{low + 1}-{high}")[TRACK]
        over, rest = {}, set(range(high - low))
        for piece in edited.aligned("chrI", START, END):
            for place in range(piece.length):
                over[piece.reference + place] = float(values[piece.edited + place - low])
                rest.discard(piece.edited + place - low)
    return over, [float(values[place]) for place in sorted(rest)]


def agrees(page: Page, served: Served, edits: Sequence[Edit]) -> None:
    """The alternative that is drawn is what trackgen writes on a genome with those edits."""
    over, inserted = expected(served, edits)
    found = features(page, f"live {MODEL} {TRACK} alternative")
    values = {part["start"]: part["value"] for part in found if not part.get("kind")}
    assert values.keys() == over.keys()
    order = sorted(over)
    np.testing.assert_allclose([values[key] for key in order], [over[key] for key in order], atol=1e-5, rtol=1e-4)
    put = [value for part in found if part.get("kind") == "insertion" for value in part["values"]]
    np.testing.assert_allclose(put, inserted, atol=1e-5, rtol=1e-4)
    gaps = [part for part in found if part.get("kind") == "gap"]
    assert sum(part["end"] - part["start"] for part in gaps) == END - START - len(over)


def test_what_is_in_view_is_predicted_and_its_contributions_are_letters(page: Page, served: Served) -> None:
    look(page, served)
    state = page.ask("({...trackgenReady, browser: null, page: null})")
    assert {key: state[key] for key in ("engine", "model", "errors", "edits", "tracks", "drawn")} == {
        "engine": "by trackgen serve",
        "model": MODEL,
        "errors": [],
        "edits": [],
        "tracks": 4,
        "drawn": 4,
    }
    assert page.ask("document.getElementById('engine').innerText").startswith("Computed by trackgen serve")
    values = open_model(MODEL).predict(served.fasta, LOCUS)[TRACK]
    found = features(page, f"live {MODEL} {TRACK}")
    assert [part["start"] for part in found] == list(range(START, END))
    np.testing.assert_allclose([part["value"] for part in found], values, atol=1e-5, rtol=1e-4)
    letters = features(page, f"live {MODEL} {TRACK}.contrib")
    with open_genome(served.fasta) as genome:
        codes = genome.fetch("chrI", START, END)
    assert [part["base"] for part in letters] == ["ACGT"[code] for code in codes]
    assert page.console == []


def test_a_click_on_a_base_changes_it_and_both_stand_above_each_other(page: Page, served: Served, bases: str) -> None:
    again(page, served)
    there = bases[PLACE]
    wanted = "G" if there != "G" else "A"
    page.click(*spot(page, "sequence", PLACE))
    page.wait("document.getElementById('basemenu').matches(':popover-open')")
    assert page.ask("document.querySelector('#basemenu p').innerText") == f"chrI:{PLACE + 1:,} {there}"
    page.ask(f"document.querySelector('#basemenu .base.{wanted}').click()")
    page.wait("trackgenReady.edits.length")
    rest(page)
    assert page.ask("trackgenReady.edits") == [f"chrI:{PLACE + 1}{there}>{wanted}"]
    agrees(page, served, [Edit("chrI", PLACE, PLACE + 1, wanted)])
    order = page.ask("trackgenReady.browser.trackViews.map(({track}) => track.id).filter(id => /^live/.test(id))")
    first = [f"live {MODEL} {TRACK}{part}" for part in ("", " alternative", " difference")]
    assert order[:4] == [*first, f"live {MODEL} sharp.minus"], "reference, changed and change stand together"
    changes = features(page, f"live {MODEL} {TRACK} difference")
    before = open_model(MODEL).predict(served.fasta, LOCUS)[TRACK]
    over, _ = expected(served, [Edit("chrI", PLACE, PLACE + 1, wanted)])
    differences = [over[START + index] - value for index, value in enumerate(before)]
    np.testing.assert_allclose([part["value"] for part in changes], differences, atol=1e-5)
    letters = features(page, f"live {MODEL} {TRACK}.contrib alternative")
    assert next(part["base"] for part in letters if part["start"] == PLACE) == wanted
    scales = page.ask(
        "trackgenReady.browser.trackViews.map(({track}) => track).filter(({id}) => /contrib/.test(id))"
        ".map(({dataRange: {min, max}}) => `${min} ${max}`)"
    )
    assert len(set(scales)) == 1, "reference and alternative have one scale"
    [row] = [row for row in page.ask("trackgenReady.summary") if row["name"] == TRACK]
    assert row["before"] == pytest.approx(float(before.max()), abs=1e-5)
    assert row["after"] == pytest.approx(max(over.values()), abs=1e-5)
    assert row["at"]["after"] == pytest.approx(over[PLACE], abs=1e-5)
    assert page.console == []


def test_pasted_insertions_and_deletions_are_computed_and_their_link_shows_the_same(
    page: Page, served: Served, bases: str
) -> None:
    again(page, served)
    # As calls on genomes of other projects name it.
    vcf = f"I\t{PLACE + 16}\t.\t{bases[PLACE + 15]}\t{bases[PLACE + 15]}TATAAA"
    write(page, f"chrI:g.{PLACE - 9}_{PLACE - 7}del\n{vcf}")
    edits = [
        Edit("chrI", PLACE - 10, PLACE - 7, ""),
        Edit("chrI", PLACE + 15, PLACE + 16, f"{bases[PLACE + 15]}TATAAA"),
    ]
    agrees(page, served, edits)
    page.move(*spot(page, "trackgen-alternative", PLACE + 16))
    page.wait("[...trackgenReady.browser.root.querySelectorAll('[title]')].some(({title}) => /TATAA/.test(title))", 5)
    state = "JSON.stringify([trackgenReady.edits, trackgenReady.summary, trackgenReady.locus])"
    shown, link = page.ask(state), page.ask("location.href")
    assert "edits=" in link
    page.open("about:blank")
    page.open(link)
    page.wait("globalThis.trackgenReady?.done")
    rest(page)
    assert page.ask(state) == shown
    assert page.ask("location.href") == link
    agrees(page, served, edits)
    assert page.ask("document.querySelectorAll('#edits li').length") == 2
    page.ask("document.getElementById('clear').click()")
    page.wait("!trackgenReady.edits.length")
    page.ask("document.getElementById('undo').click()")
    page.wait("trackgenReady.edits.length == 2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"chrI:{PLACE + 1}{{other}}>{{there}}", "the genome has {there}, not {other}"),
        ("chrIX:5A>G", "no sequence is named chrIX; this genome has chrI, chrII"),
        ("chrI:30001A>G", "chrI has 30,000 bases, and the variant is at 30,001"),
        ("chrI 5 . A <DEL>", "the variant is symbolic"),
        ("chrI 5 . A C,G", "one allele at a time"),
        (f"chrI:g.{PLACE}_{PLACE + 5}del;chrI:g.{PLACE + 2}del", "change the same bases"),
        ("BRCA2", "none of the forms that are read"),
    ],
)
def test_a_variant_that_does_not_fit_is_told_and_changes_nothing(
    page: Page, served: Served, bases: str, text: str, said: str
) -> None:
    if page.ask("globalThis.trackgenReady?.page ? trackgenReady.edits.length : -1") != 0:
        look(page, served)
    there = bases[PLACE]
    names = {"there": there, "other": "A" if there != "A" else "C"}
    page.ask("document.getElementById('refused').hidden = true")
    write(page, text.format(**names))
    assert said.format(**names) in refusal(page)
    assert page.ask("trackgenReady.edits") == []
    assert page.ask("document.getElementById('variants').value") != ""


def test_a_view_that_is_too_wide_and_a_sequence_that_is_not_there_are_told(page: Page, served: Served) -> None:
    look(page, served, classes="sharp,flat", strip="flat.plus")
    assert page.ask("document.getElementById('messages').innerText") == (
        "There is no class flat here; there are sharp, broad. "
        "There is no track flat.plus here; there are sharp.plus, sharp.minus, broad.plus, broad.minus."
    )
    look(page, served, locus="chrIX:1-100")
    assert "There is no chrIX:1-100 on this genome" in page.ask("document.getElementById('messages').innerText")
    page.ask("trackgenReady.page.description.limits.predictions = 2000; trackgenReady.browser.search('chrI:1-3000')")
    page.wait("document.getElementById('messages').innerText.includes('This view is too wide')")
    assert "up to 2,000 bases at once. Zoom in." in page.ask("document.getElementById('messages').innerText")
    page.ask("trackgenReady.browser.search('chrI:1-1000')")
    page.wait("document.getElementById('messages').hidden")
    page.ask("trackgenReady.page.description.limits.predictions = 1_000_000")
    page.ask("trackgenReady.browser.search('chrII').then(() => true)")
    page.wait("trackgenReady.locus == 'chrII:1-5000'")
    page.ask("trackgenReady.browser.search('all').then(() => true)")
    page.wait("!/locus=/.test(location.search)")
    assert page.ask("document.getElementById('timing').innerText") == "", "the time was another view's"
    # Else igv.js would have asked igv.org what chrII is.
    assert page.console == []


def test_a_click_on_the_heat_map_makes_that_change(page: Page, served: Served, bases: str) -> None:
    look(page, served, strip=TRACK)
    cells = features(page, f"live mutagenesis {MODEL} {TRACK}")
    assert len(cells) == 4 * (END - START)
    assert all(cell["value"] == 0 for cell in cells if cell["isOwn"])
    there = bases[PLACE]
    row = "ACGT".index("T" if there != "T" else "C")
    page.click(*spot(page, "trackgen-mutagenesis", PLACE, ROWS + (row + 0.5) * (1 - ROWS) / 4))
    page.wait("trackgenReady.edits.length")
    rest(page)
    assert page.ask("trackgenReady.edits") == [f"chrI:{PLACE + 1}{there}>{'ACGT'[row]}"]
    assert page.ask("trackgenReady.refused") == ""


def test_the_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(page: Page, served: Served) -> None:
    again(page, served)
    write(page, f"chrI:g.{PLACE}del")
    served.end()
    write(page, f"chrI:g.{PLACE + 5}del")
    drawn = "trackgenReady.browser.trackViews.filter(({track}) => / (alternative|difference)$/.test(track.id))"
    page.wait("trackgenReady.engine === 'lost'")
    assert page.ask(f"{drawn}.filter(({{viewports}}) => viewports[0].canvas).length") == 0, "those of the former edits"
    page.ask("document.getElementById('clear').click()")
    page.ask("trackgenReady.browser.search('chrI:2001-2060')")
    page.wait("document.getElementById('messages').innerText.includes('The server does not answer')")
    assert not page.ask("document.getElementById('apply').disabled")
    served.start()
    page.wait("trackgenReady.engine === 'by trackgen serve'")
    page.wait("document.getElementById('messages').hidden")
    page.wait("trackgenReady.drawn === 4 && !trackgenReady.busy")
    assert page.ask("trackgenReady.browser.currentLoci()") in ("chrI:2001-2060", ["chrI:2001-2060"])


def test_the_link_of_a_view_that_was_dragged_has_whole_bases(page: Page, served: Served) -> None:
    again(page, served)
    page.ask(
        "(() => { const frame = trackgenReady.browser.referenceFrameList[0]; frame.start += 20.37; frame.end += 20.37;"
        " return trackgenReady.browser.updateViews() })()"
    )
    page.wait(f"/locus=chrI:{START + 21}-{END + 20}&/.test(location.search)", 10)


def test_a_change_out_of_view_is_said_and_its_table_is_of_the_view(page: Page, served: Served) -> None:
    again(page, served)
    write(page, f"chrI:g.{PLACE}del")
    for place in ("chrI:20001-20060", "chrII:2001-2060"):
        page.ask(f"trackgenReady.browser.search('{place}').then(() => true)")
        page.wait("document.getElementById('summary').innerText.includes('No change is in view')")
        assert "At chrI" not in page.ask("document.getElementById('summary').innerText")
    page.ask("document.querySelector('#edits .place').click()")
    page.wait(f"document.getElementById('summary').innerText.includes('At chrI:g.{PLACE}del')")


def test_many_clicks_are_one_arrangement_of_tracks(page: Page, served: Served) -> None:
    again(page, served)
    count = page.ask(
        """(async () => {
        const [live, box] = [trackgenReady.page, document.getElementById("contributions")]
        const arranged = live.arranged.bind(live)
        let count = 0
        live.arranged = () => { count += 1; return arranged() }
        for (let click = 0; click < 6; click += 1) box.click()
        await live.arranging
        delete live.arranged
        return count
        })()"""
    )
    assert (count, page.ask("trackgenReady.tracks")) == (1, 4)


def test_two_places_at_once_and_a_narrow_screen_fit(page: Page, served: Served) -> None:
    again(page, served)
    page.ask("trackgenReady.browser.search('chrI:101-160 chrII:101-160')")
    page.wait(
        "trackgenReady.browser.trackViews.filter(({track}) => /^live/.test(track.id)).every(({viewports}) =>"
        " viewports.length === 2 && viewports.every(port => port.featureCache?.features?.length))"
    )
    try:
        page.size(360, 800)
        look(page, served, edits=f"chrI:g.{PLACE}_{PLACE + 2}del")
        assert page.ask("document.documentElement.scrollWidth") == 360
    finally:
        page.size(1280, 1200)
    assert page.console == []


OWN_PAGE = """<!doctype html><html><head><link rel="icon" href="data:,"></head><body><div id="browser"></div>
<script type="module">
import igv from "./igv.esm.min.js"
import {ServerEngine} from "./trackgen-engine.js"
import {liveTracks} from "./trackgen-live.js"
const engine = new ServerEngine("api/v1/")
const browser = await igv.createBrowser(document.getElementById("browser"), {
    reference: {id: "own", fastaURL: "own.fa", indexed: false}, loadDefaultGenomes: false, locus: "LOCUS"
})
await browser.loadTrackList(await liveTracks(engine, {model: "MODEL", classes: ["sharp"], contributions: true}))
window.views = browser.trackViews.filter(({track}) => track.type === "wig")
</script></body></html>
"""


def test_live_tracks_are_drawn_in_a_page_of_ones_own(page: Page, served: Served) -> None:
    """As the module's README has it: igv.js's own tracks, and no registered kinds."""
    (served.folder / "own.fa").write_bytes(served.fasta.read_bytes())
    (served.folder / "own.html").write_text(OWN_PAGE.replace("LOCUS", LOCUS).replace("MODEL", MODEL))
    page.open(served.address.replace("live.html", "own.html"))
    page.wait("globalThis.views?.length === 4 && views.every(view => view.viewports[0].featureCache?.features?.length)")
    found = page.ask("views[0].viewports[0].featureCache.features")
    values = open_model(MODEL).predict(served.fasta, LOCUS)[TRACK]
    shown = [part["value"] for part in found if START <= part["start"] < END]
    np.testing.assert_allclose(shown, values, atol=1e-5, rtol=1e-4)
    assert page.ask("views.map(({track}) => track.graphType)") == ["bar", "bar", "dynseq", "dynseq"]
    assert page.console == []


def test_a_region_is_kept_in_the_hub_by_a_button(page: Page, served: Served) -> None:
    again(page, served)
    page.ask("document.getElementById('keep').click()")
    page.wait("/Kept in/.test(document.getElementById('done').innerText)")
    assert "Kept in 6 files of the hub, which have 1 region by now." in page.ask(
        "document.getElementById('done').innerText"
    )
    link = page.ask("document.querySelector('#done a').href")
    page.open(link)
    page.wait("['ready', 'incomplete'].includes(document.documentElement?.dataset.state)")
    data = page.ask("({...document.documentElement.dataset})")
    assert (data["state"], data["tracks"], data["drawn"]) == ("ready", "6", "6")
    without_byte_ranges_one_word_is_said(page, served)


def without_byte_ranges_one_word_is_said(page: Page, served: Served) -> None:
    """Of six kept tracks that cannot be shown; live ones work."""
    behind = served.address.removesuffix("/live.html")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Whole,), {"behind": behind})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/live.html"
        look(page, Served(served.folder, served.fasta, address), recorded="1")
        said = page.ask("document.getElementById('messages').innerText")
        counts = page.ask("[trackgenReady.errors.length, trackgenReady.tracks, trackgenReady.drawn]")
        page.open("about:blank")
        server.shutdown()
    assert said == (
        "This web server does not send parts of files (byte ranges): recorded tracks are left out, live ones work."
    )
    assert counts == [0, 4, 4]


@dataclass(frozen=True)
class View:
    """A picture of the documentation: what is asked of the page, and how tall the window is."""

    asked: dict[str, str]
    height: int


PROMOTER = "chrI:71731-71790"
"""Of CDC19, which is read on the forward strand."""
EDITS = "chrI:71758C>G;chrI:g.71776_71777insACG"
PICTURES = {
    "live.png": View({"locus": "chrI:71721-71840"}, 664),
    "whatif.png": View({"locus": PROMOTER, "strip": TRACK, "edits": EDITS}, 1200),
    "in-page.png": View({"locus": PROMOTER, "edits": "chrI:71758C>G"}, 1110),
}
"""In docs/pictures."""


def test_the_pictures_of_the_documentation(
    page: Page, request: pytest.FixtureRequest, pictures: Path | None, tmp_path: Path
) -> None:
    if pictures is None:
        pytest.skip("with --pictures")
    real_hub: Path = request.getfixturevalue("real_hub")
    genome = real_hub / "sacCer3.2bit"
    in_page = build_hub(
        [real_hub.parent / "tracks"],
        tmp_path / "hub",
        genome=str(genome),
        email="me@example.org",
        url=None,
        genes=[data_file("yeast_annotation/Saccharomyces_cerevisiae.R64-1-1.96.gtf.gz")],
        models=[],
        progress=NullProgress(),
    ).path
    options = ("--model", MODEL, "--genome", str(genome), "--port", "0")
    with running(str(real_hub), *options) as (_, by_server), running(str(in_page), "--port", "0") as (_, by_page):
        for name, view in PICTURES.items():
            page.size(1280, view.height)
            address = f"{by_page}live.html" if name == "in-page.png" else by_server
            look(page, Served(real_hub, genome, address), **view.asked)
            # Fonts, the margins of the view and the last frame.
            page.ask("new Promise(done => setTimeout(done, 1500))")
            Image.fromarray(page.picture()).save(pictures / name, optimize=True)
