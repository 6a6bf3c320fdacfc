"""Live tracks in JBrowse, in a real browser: asked for by the protocol, drawn as bars and as letters, cancelled."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.plugins.jbrowse.conftest import FROM, LENGTH, PLUGIN, TO, Site, configuration, serve
from tests.plugins.jbrowse.live import DESCRIPTION, MOST, KnownServer
from tests.plugins.jbrowse.test_letters import NEW, NEWEST, NEWEST_VIEW, assert_letters, is_near
from tests.plugins.protocol.schemas import fits
from trackgen.hub.jbrowse_live import live_entries, with_live_tracks

UMD = PLUGIN / "trackgen-jbrowse-live.js"
BARS, LETTERS = 0, 1


@dataclass(frozen=True)
class Live:
    """A live server, and its address."""

    server: KnownServer
    address: str

    def configured(self, first: int = FROM, last: int = TO) -> dict[str, Any]:
        """A configuration that shows a track of bars and one of letters."""
        config = configuration(first=first, last=last)
        entries = live_entries(DESCRIPTION, "small", f"{self.address}api/v1/")
        shown = [track for track in entries.tracks if "plus" in track["trackId"]]
        shown[LETTERS]["displays"][0] |= {"minScore": -1, "maxScore": 1}
        shown[LETTERS]["adapter"]["sequenceAdapter"] = config["tracks"][0]["adapter"]["sequenceAdapter"]
        config["plugins"].append(entries.plugin)
        config["tracks"] = shown
        config["defaultSession"]["views"][0]["tracks"] = [
            {
                "type": "QuantitativeTrack",
                "configuration": track["trackId"],
                "displays": [{key: track["displays"][0][name] for key, name in DISPLAY.items()}],
            }
            for track in shown
        ]
        return config


DISPLAY = {"type": "type", "configuration": "displayId"}


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    known = KnownServer()
    server, address = serve(known.app)
    yield Live(known, address)
    server.should_exit = True


@pytest.fixture
def fresh(live: Live) -> Live:
    live.server.busy, live.server.seconds, live.server.left = 0, 0.0, 0
    live.server.asked.clear()
    return live


def assert_drawn(site: Site) -> None:
    assert site.page.ask(f"window.errorsOf({BARS}).concat(window.errorsOf({LETTERS}))") == []
    assert_letters(site, NEW, LETTERS)
    (block, *_) = site.blocks(BARS)
    (rows, columns) = block.box(FROM + 5) or pytest.fail("no bars are drawn")
    bar = is_near(site.page.picture()[rows, columns], (200, 30, 30)).mean(axis=1)
    # A value of one half fills the lower half of the plot, which leaves room for labels.
    assert bar[: len(bar) // 3].max() < 0.1
    assert bar[len(bar) * 2 // 3 : -8].min() > 0.9


@pytest.mark.browser
@pytest.mark.parametrize("name", [NEWEST, pytest.param(NEWEST_VIEW, marks=pytest.mark.slow)])
def test_live_tracks_are_drawn_as_bars_and_letters(visit: Any, fresh: Live, name: str) -> None:
    site = visit(name)
    fresh.server.busy = 1
    site.show(fresh.configured())
    assert_drawn(site)
    for asked in fresh.server.asked:
        numbers = {key: float(asked[key]) for key in ("start", "end")}
        fits("predictions-question", {**asked, **numbers, "step": int(asked["step"]), "classes": [asked["classes"]]})
    assert {asked["classes"] for asked in fresh.server.asked} == {"hit"}
    # The one question that was refused was asked again, and nothing was said of it on the page.
    assert fresh.server.busy == 0


@pytest.mark.browser
@pytest.mark.slow
def test_live_letters_are_drawn_in_a_worker(visit: Any, fresh: Live) -> None:
    site = visit(NEWEST)
    config = fresh.configured()
    config["configuration"] = {"rpc": {"defaultDriver": "WebWorkerRpcDriver"}}
    site.show(config, "worker=1")
    assert site.page.ask("window.fromWorker")
    assert_drawn(site)


@pytest.mark.browser
def test_a_view_over_the_limit_says_so_and_no_server_is_asked_for_it(visit: Any, fresh: Live) -> None:
    site = visit(NEWEST)
    site.show(fresh.configured(0, LENGTH - 1))
    site.page.wait(f"window.errorsOf({BARS}).length")
    (error, *_) = site.page.ask(f"window.errorsOf({BARS})")
    assert re.search(rf"Zoom in: live predictions are of at most {MOST:,} bases at once, and these are [34],\d+", error)
    assert all(float(asked["end"]) - float(asked["start"]) <= MOST for asked in fresh.server.asked)


@pytest.mark.browser
def test_questions_are_withdrawn_when_the_view_moves_on(visit: Any, fresh: Live) -> None:
    site = visit(NEWEST)
    site.show(fresh.configured())
    fresh.server.seconds = 20
    fresh.server.asked.clear()
    site.page.ask("view.navToLocString('chrA:2001-2030')")
    _until(lambda: len(fresh.server.asked) >= 2)
    site.page.ask("view.navToLocString('chrA:3001-3030')")
    _until(lambda: fresh.server.left >= 1)
    fresh.server.seconds = 0
    site.changed()


def _until(is_so: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def test_the_known_server_speaks_the_protocol() -> None:
    fits("description", DESCRIPTION)
    for kind in ("predictions", "contributions"):
        fits("values", KnownServer().answer(kind, {"chr": "chrA", "start": "-3.5", "end": "40.1", "step": "7"}))


def test_each_track_of_the_description_has_an_entry() -> None:
    entries = live_entries(DESCRIPTION, "small", "api/v1/")
    assert entries.plugin["name"] == "TrackgenLive"
    tracks = {track["trackId"]: track for track in entries.tracks}
    assert list(tracks) == ["live-known-hit.plus", "live-known-hit.minus", "live-known-hit.plus.contrib"]
    assert [track["name"] for track in entries.tracks] == ["Hit, live +", "Hit, live -", "Hit, live contributions +"]
    assert tracks["live-known-hit.minus"]["displays"][0]["inverted"] is True
    assert tracks["live-known-hit.plus"]["displays"][0]["maxScore"] == 1
    letters = tracks["live-known-hit.plus.contrib"]
    assert letters["adapter"]["wiggleAdapter"]["kind"] == "contributions"
    assert letters["displays"][0]["type"] == "LinearDynseqDisplay"


def test_a_hubs_configuration_shows_live_tracks_first_and_once() -> None:
    view = {"init": {"assembly": "small", "tracks": ["sequence", "recorded"]}}
    config = {
        "plugins": [{"name": "Trackgen"}],
        "tracks": [{"trackId": "recorded"}],
        "defaultSession": {"views": [view]},
    }
    once = with_live_tracks(json.dumps(config).encode(), DESCRIPTION, "small", "api/v1/")
    assert with_live_tracks(once, DESCRIPTION, "small", "api/v1/") == once
    values = json.loads(once)
    live = [track["trackId"] for track in live_entries(DESCRIPTION, "small", "api/v1/").tracks]
    assert [track["trackId"] for track in values["tracks"]] == [*live, "recorded"]
    assert values["defaultSession"]["views"][0]["init"]["tracks"] == ["sequence", *live, "recorded"]
    assert [plugin["name"] for plugin in values["plugins"]] == ["Trackgen", "TrackgenLive"]


def test_the_code_is_quiet_and_touches_no_document() -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", UMD.read_text(encoding="utf-8"), flags=re.S)
    assert re.findall(r"console\.|\bdocument\b|\bwindow\b|\beval\b|require\(", code.replace("jbrequire(", "")) == []
