"""A predicted signal over what the model read and over the deep data, in a real browser: three colours, one picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browsers.test_real_hub import all_is_drawn, look
from tests.chromium import CHROMIUM, chromium
from tests.denoised import write_denoised_run, write_hills
from tests.hubs import write_fasta
from tests.serve.test_process import running
from trackgen.hub import build_hub
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, JBROWSE, browser_assets

pytestmark = pytest.mark.browser

LOCUS = "chrI:20001-32000"
COLORS = {"deep": (0, 114, 178), "denoised": (213, 94, 0)}
"""The input is grey, as much of a page is."""
VALUES = """trackgenReady.browser.trackViews.find(view => view.track.type === "merged")
    .viewports[0].featureCache.features.featureArrays.map(part => part.length > 0)"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    assets = browser_assets()
    if assets is None or not all((assets / code.file).is_file() for code in (IGV_JS, JBROWSE)):
        pytest.skip("the browsers' code is not installed (make assets)")
    folder: Path = tmp_path_factory.mktemp("compared")
    run, genome = write_denoised_run(folder / "run"), write_fasta(folder / "mini.fa")
    write_hills(folder / "deep.bw", 5.0)
    hub = build_hub(
        [run], folder / "hub", genome=str(genome), email="me@example.org", url=None, progress=NullProgress(),
        beside=[("deep", folder / "deep.bw")],
    )  # fmt: skip
    with running(str(hub.path), "--port", "0") as (_, address):
        yield address


def test_one_picture_shows_input_deep_data_and_prediction(address: str) -> None:
    with chromium() as page:
        page.size(1280, 900)
        for name in ("index.html", "jbrowse.html"):
            picture = look(page, f"{address}{name}?locus={LOCUS}").astype(int)
            # The overlay and the peaks: the parts of an overlay are one track.
            all_is_drawn(page, 2)
            for part, color in COLORS.items():
                near = np.abs(_tints(picture) - _tints(np.array(color))).max(axis=-1) < 0.08
                assert near.sum() > 40, f"{part} is seen in {name}"
            if name == "index.html":
                assert page.ask(VALUES) == [True] * 3


def _tints(colors: np.ndarray) -> np.ndarray:
    """What is taken off white, as shares of the most that is: the same whatever a colour's transparency."""
    missing = 255 - np.asarray(colors, float)
    most = missing.max(axis=-1, keepdims=True)
    return np.where(most > 20, missing / np.maximum(most, 1), -1)
