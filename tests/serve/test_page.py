"""The page in a real browser: the tracks are drawn, and what cannot be drawn is said.

Chromium runs without a screen. The page tells how it went in attributes of <html>, which the dumped page keeps; the
picture is then searched for the tracks' own colours, since only pixels prove that something was drawn.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.hubs import write_fasta, write_run
from tests.serve.test_process import running
from trackgen import resources
from trackgen.hub import build_hub
from trackgen.progress import NullProgress

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--enable-logging=stderr",
    "--window-size=1280,1250",
    # Makes network and canvas finish before the picture is taken.
    "--virtual-time-budget=25000",
]
SHARP, BROAD = (200, 30, 30), (30, 30, 200)
# igv.js's letters A and C, which the contributions are drawn with.
LETTER_A, LETTER_C = (0, 200, 0), (0, 0, 200)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


INSTALL = Path(__file__).resolve().parent.parent.parent / "plugins" / "assets" / "install_assets.py"


@pytest.fixture(scope="module", autouse=True)
def igv_is_installed() -> None:
    """igv.js as ``make assets`` installs it; fetched here where that was not run."""
    if resources.browser_assets() is None:
        done = subprocess.run([sys.executable, str(INSTALL)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"igv.js is not installed (make assets): {done.stderr.strip().splitlines()[-1]}")


@dataclass(frozen=True)
class Look:
    """What a browser made of a page: its text after loading, its console, its picture (height, width, 3)."""

    page: str
    console: str
    picture: np.ndarray

    def data(self, name: str) -> str | None:
        found = re.search(rf'<html[^>]*\bdata-{name}="([^"]*)"', self.page)
        return None if found is None else found[1]

    def pixels(self, color: tuple[int, int, int], tolerance: int = 12) -> int:
        """How many pixels of the picture have this colour."""
        return int((np.abs(self.picture.astype(int) - color).max(axis=2) <= tolerance).sum())


def look(address: str, *flags: str) -> Look:
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "page.png"
        done = subprocess.run(
            [
                CHROMIUM,
                *FLAGS,
                *flags,
                f"--user-data-dir={folder}/profile",
                "--dump-dom",
                f"--screenshot={picture}",
                address,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
        return Look(done.stdout, console, np.asarray(Image.open(picture).convert("RGB")))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, igv_is_installed: None) -> Path:
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
def sound(address: str) -> Look:
    return look(address)


def test_every_track_is_loaded_and_drawn_without_a_complaint(sound: Look) -> None:
    assert (sound.data("state"), sound.data("tracks"), sound.data("drawn")) == ("ready", "4", "4")
    assert sound.data("errors") == "0"
    assert sound.console == ""
    assert re.search(r'<ul id="messages"[^>]*\bhidden', sound.page)


def test_the_picture_has_the_colors_of_the_tracks(sound: Look) -> None:
    # A swatch of the table is about 170 pixels; the peaks are far more.
    assert sound.pixels(SHARP) > 4000
    assert sound.pixels(BROAD) > 2000


def test_contributions_are_letters(sound: Look) -> None:
    assert sound.pixels(LETTER_A) > 100
    assert sound.pixels(LETTER_C) > 100


def test_another_region_can_be_asked_for_in_the_address(address: str) -> None:
    seen = look(f"{address}?locus=chrII:1-2000")
    assert seen.data("drawn") == "4"
    assert seen.pixels(SHARP) < 4000, "there are no peaks on chrII, so the check for colours can fail"


def test_the_page_is_dark_where_the_system_is(address: str, sound: Look) -> None:
    dark = look(address, "--force-dark-mode")
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


def test_igv_draws_the_hub_of_ucsc_as_well(hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / "via_hub.html").write_text(VIA_HUB)
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(f"{address}via_hub.html")
    assert seen.data("failure") is None
    assert seen.data("tracks") == "4"
    assert seen.data("groups") == "Predictions;Contributions of each base"
    assert seen.pixels(SHARP) > 2000
    assert seen.pixels(BROAD) > 1000


def damaged(hub: Path, folder: Path) -> Path:
    return Path(shutil.copytree(hub, folder / "damaged"))


def test_a_missing_track_is_said_on_the_page_and_the_others_are_drawn(hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / "tss-mini.broad.plus.bw").unlink()
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(address)
    assert (seen.data("state"), seen.data("tracks"), seen.data("errors")) == ("incomplete", "3", "1")
    assert "broad TSS +: tss-mini.broad.plus.bw cannot be loaded (the server answers 404)" in seen.page
    assert not re.search(r'<ul id="messages"[^>]*\bhidden', seen.page)
    assert seen.pixels(SHARP) > 4000
    assert seen.pixels(BROAD) < 2000


def test_data_that_are_gone_leave_nothing_drawn(hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    for path in folder.glob("*.bw"):
        path.write_bytes(b"")
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(address)
    assert (seen.data("state"), seen.data("drawn"), seen.data("errors")) == ("incomplete", "0", "4")
    assert seen.pixels(SHARP) < 4000


def test_a_missing_genome_is_said_on_the_page(hub: Path, tmp_path: Path) -> None:
    folder = damaged(hub, tmp_path)
    (folder / "mini.2bit").unlink()
    with running(str(folder), "--port", "0") as (_, address):
        seen = look(address)
    assert seen.data("state") == "incomplete"
    assert int(seen.data("errors") or 0) >= 1


def test_the_page_works_behind_a_path_prefix(hub: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(hub, site / "lab" / "hubs" / "mini")
    (site / "hub.txt").write_text("hub site\n")
    with running(str(site), "--port", "0") as (_, address):
        seen = look(f"{address}lab/hubs/mini/")
    assert (seen.data("state"), seen.data("drawn")) == ("ready", "4")


def test_the_pages_of_tracks_are_shown_with_their_style(address: str) -> None:
    seen = look(f"{address}tss_mini_sharp_plus.html")
    assert seen.console == ""
    assert seen.pixels(SHARP) > 200
