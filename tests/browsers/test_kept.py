"""A hub with kept regions in a real browser: every track that it had and every kept one is drawn, from each file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browsers.test_real_hub import HUB, stock_page
from tests.chromium import CHROMIUM, Page, chromium
from tests.hubs import PEAK, write_fasta, write_run
from tests.models import small_model
from tests.serve.looks import need
from tests.serve.test_process import running
from trackgen.genome.regions import Interval
from trackgen.hub import build_hub
from trackgen.hub.keep import keep_region
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, JBROWSE

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]

LOCUS = f"chrI:{PEAK - 50}-{PEAK + 50}"
RECORDED, KEPT = 4, 6


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    need(IGV_JS)
    need(JBROWSE)
    folder = tmp_path_factory.mktemp("kept")
    genome = write_fasta(folder / "mini.fa")
    run = write_run(folder / "out")
    hub = build_hub([run], folder / "hub", genome=str(genome), email="a@b.c", url=None, progress=NullProgress()).path
    model = small_model(folder, name="tss-mini", strands="both").path
    near = Interval("chrI", PEAK - 500, PEAK + 500)
    keep_region(hub, [model], genome, near, contributions={"tss-mini": ["hit"]}, device="cpu")
    (Path(hub) / HUB).write_text(stock_page(LOCUS))
    with running(str(hub), "--port", "0") as (_, where):
        yield where


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as page:
        page.size(1200, 2000)
        yield page


@pytest.mark.parametrize("name", ["index.html", HUB, pytest.param("jbrowse.html", marks=pytest.mark.slow)])
def test_recorded_and_kept_tracks_are_drawn(page: Page, address: str, name: str) -> None:
    page.console.clear()
    page.open(f"{address}{name}?locus={LOCUS}")
    page.wait("['ready', 'incomplete'].includes(document.documentElement?.dataset.state)")
    data = page.ask("({...document.documentElement.dataset})")
    count = str(RECORDED + KEPT)
    assert {key: data.get(key) for key in ("state", "tracks", "drawn", "errors")} == {
        "state": "ready",
        "tracks": count,
        "drawn": count,
        "errors": "0",
    }
    assert page.console == []
