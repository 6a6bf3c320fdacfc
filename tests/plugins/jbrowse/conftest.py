"""A small genome with contributions whose every letter is known, and JBrowse in a real browser on it."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyBigWig
import pytest
import uvicorn

from tests.chromium import CHROMIUM, Page, chromium
from tests.source import ROOT
from trackgen import resources
from trackgen.genome import open_genome
from trackgen.genome.twobit import write_twobit
from trackgen.serve import create_app

PLUGIN = ROOT / "plugins" / "jbrowse"
HERE = Path(__file__).resolve().parent
LENGTH = 4000
WRITTEN = 1000
"""0-based: here the sequence reads BASES, and values stand on these bases alone."""
BASES = "ACGTACGT"
VALUES = (1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0)
FROM, TO = 990, 1020
"""What the view shows: 40 pixels a base at 1,200 pixels."""
WIDTH, HEIGHT = 1240, 900


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def write_values(path: Path, values: Sequence[float], at: int = WRITTEN, sequence: str = "chrA") -> None:
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader([(sequence, LENGTH)])
        file.addEntries(sequence, at, values=list(map(float, values)), span=1, step=1)


def write_genome(folder: Path) -> None:
    letters = np.random.default_rng(3).choice(list("ACGT"), LENGTH)
    letters[WRITTEN : WRITTEN + len(BASES)] = list(BASES)
    (folder / "genome.fa").write_text(f">chrA\n{''.join(letters)}\n")
    with open_genome(folder / "genome.fa") as genome:
        write_twobit(genome, folder / "genome.2bit")
    (folder / "genome.sizes").write_text(f"chrA\t{LENGTH}\n")


def location(name: str) -> dict[str, str]:
    return {"uri": name, "locationType": "UriLocation"}


SEQUENCE = {
    "type": "TwoBitAdapter",
    "twoBitLocation": location("genome.2bit"),
    "chromSizesLocation": location("genome.sizes"),
}


def track(name: str, bigwig: str) -> dict[str, Any]:
    """A track of letters in config.json."""
    return {
        "type": "QuantitativeTrack",
        "trackId": name,
        "name": name,
        "assemblyNames": ["small"],
        "adapter": {
            "type": "TrackgenDynseqAdapter",
            "wiggleAdapter": {"type": "BigWigAdapter", "bigWigLocation": location(bigwig)},
            "sequenceAdapter": SEQUENCE,
        },
        "displays": [
            {
                "type": "LinearDynseqDisplay",
                "displayId": f"{name}-display",
                "minScore": -1,
                "maxScore": 1,
                "height": 100,
            }
        ],
    }


def configuration(
    *bigwigs: str, regions: Sequence[tuple[int, int]] = ((0, LENGTH),), first: int = FROM, last: int = TO
) -> dict[str, Any]:
    """A config.json with a track of letters for each file, opened at `first` to `last`.

    The session has the form that every version of JBrowse reads.
    """
    scale = (last - first) / 1200
    tracks = [track(name.partition(".")[0], name) for name in bigwigs or ("values.bw",)]
    view = {
        "id": "view",
        "type": "LinearGenomeView",
        "trackLabels": "hidden",
        "bpPerPx": scale,
        "offsetPx": round(first / scale) if len(regions) == 1 else 0,
        "displayedRegions": [
            {"assemblyName": "small", "refName": "chrA", "start": start, "end": end, "reversed": False}
            for start, end in regions
        ],
        "tracks": [
            {
                "type": "QuantitativeTrack",
                "configuration": each["trackId"],
                "displays": [{"type": "LinearDynseqDisplay", "configuration": each["displays"][0]["displayId"]}],
            }
            for each in tracks
        ],
    }
    return {
        "assemblies": [
            {
                "name": "small",
                "sequence": {"type": "ReferenceSequenceTrack", "trackId": "small-sequence", "adapter": SEQUENCE},
            }
        ],
        "plugins": [{"name": "Trackgen", "umdLoc": location("trackgen-jbrowse.js")}],
        "tracks": tracks,
        "defaultSession": {"name": "test", "views": [view]},
    }


@dataclass(frozen=True)
class Block:
    """A stretch of a track as it lies on the page: CSS pixels, and 0-based half-open places."""

    left: float
    top: float
    width: float
    height: float
    refName: str
    start: float
    end: float
    reversed: bool
    bpPerPx: float
    pixels: int

    def box(self, place: int, scale: float = 1) -> tuple[slice, slice] | None:
        """Rows and columns, in screen pixels, of the base at `place`; None outside of the block."""
        if not self.start <= place < self.end:
            return None
        steps = self.end - place - 1 if self.reversed else place - self.start
        left = self.left + steps / self.bpPerPx
        rows = slice(round(self.top * scale), round((self.top + self.height) * scale))
        return rows, slice(round(left * scale), round((left + 1 / self.bpPerPx) * scale))


@dataclass(frozen=True)
class Site:
    """A served folder with the test page, and the browser that looks at it."""

    folder: Path
    address: str
    page: Page
    shown: list[object] = field(default_factory=list)
    """What the page shows as it was opened; empty where a test has changed the page since."""

    def show(self, config: dict[str, Any], *options: str) -> None:
        """Open the page on a configuration, and wait until all is drawn; nothing is to do where it is open."""
        if self.shown == [config, options]:
            return
        self.shown[:] = [copy.deepcopy(config), options]
        (self.folder / "config.json").write_text(json.dumps(config))
        self.page.console.clear()
        self.page.size(WIDTH, HEIGHT)
        self.page.open(f"{self.address}page.html?{'&'.join(('config=config.json', *options))}")
        self.page.wait("window.isDrawn && window.isDrawn()")

    def changed(self) -> None:
        """Says that the page no longer shows what it was opened with."""
        self.shown.clear()

    def blocks(self, number: int = 0) -> list[Block]:
        """What the track of this number, from 0, consists of."""
        return [Block(**block) for block in self.page.ask(f"window.blocksOf({number})")]

    def letter(self, place: int, scale: float = 1, number: int = 0) -> np.ndarray:
        """The picture of one base's column in a track, (height, width, 3)."""
        picture = self.page.picture()
        for block in self.blocks(number):
            box = block.box(place, scale)
            if box is not None:
                return picture[box]
        raise AssertionError(f"no block shows {place}")


@pytest.fixture(scope="session")
def fetched() -> Any:
    """Gives the path of a pinned build of JBrowse, fetched where it is not there yet."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    module = load(PLUGIN / "test" / "fetch.py")
    # A registry that does not answer must not hold up the tests, and is asked once for each build.
    for name, value in {"fetch_retries": "1", "fetch_timeout": "30000"}.items():
        os.environ.setdefault(f"npm_config_{name}", value)
    missing: dict[str, str] = {}

    def path_of(name: str) -> Path:
        if name not in missing:
            try:
                return Path(module.install(name))
            except module.NotInstalledError as error:
                missing[name] = f"{name} cannot be fetched: {error}"
        pytest.skip(missing[name])

    return path_of


@pytest.fixture(scope="session")
def visit(fetched: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Gives the site of a version of JBrowse; each has a folder, a server and a browser of its own."""
    open_sites: dict[str, tuple[Any, ...]] = {}

    def site(name: str) -> Site:
        if name not in open_sites:
            folder = tmp_path_factory.mktemp("site")
            shutil.copy(fetched(name), folder / "jbrowse.js")
            for part in ("react", "react-dom"):
                shutil.copy(fetched(f"{part}@18.3.1"), folder / f"{part}.js")
            plugins = [path for name, path in resources.browser_plugins().items() if "jbrowse" in name]
            for part in (HERE / "page.html", HERE / "worker.js", *plugins):
                shutil.copy(part, folder)
            write_genome(folder)
            write_values(folder / "values.bw", VALUES)
            server, address = serve(create_app(folder))
            browser = chromium()
            open_sites[name] = (Site(folder, address, browser.__enter__()), browser, server)
        return open_sites[name][0]

    yield site
    for _, browser, server in open_sites.values():
        browser.__exit__(None, None, None)
        server.should_exit = True


def serve(app: Any) -> tuple[uvicorn.Server, str]:
    """A server of `app`, on a free port of this machine, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    (port,) = {socket.getsockname()[1] for part in server.servers for socket in part.sockets}
    return server, f"http://127.0.0.1:{port}/"
