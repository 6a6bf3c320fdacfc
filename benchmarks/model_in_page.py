"""A model in a web page: how long it takes to load and to answer, and how far its answers are from Python's.

    TRACKGEN_DATA=... python benchmarks/model_in_page.py [--models tss-yeast binding-yeast] [--views 20]

A folder with the graphs and onnxruntime-web is served by Python's plain file server to Chromium without a screen, which
asks for views of 2 kb of yeast's chrIV, each elsewhere: what the page has kept helps none of them. Needs `make assets`.

Prints a table in markdown: milliseconds are medians over the views, by the page's own clock; differences are the
largest over all bases of all views, from `trackgen.open_model` on this machine.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from processes import print_head, print_row

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.chromium import Page, chromium
from trackgen.genome import Genome, decode, open_genome
from trackgen.genome.yeast import find_saccer3
from trackgen.hub.with_model import live_page_runtime
from trackgen.live.page_model import PAGE_LIMITS, compile_for_page
from trackgen.progress import NullProgress
from trackgen.resources import ONNX_RUNTIME, browser_assets, browser_plugins, find_model
from trackgen.scan.opened import Model, open_model

NAME, FIRST, APART, VIEW, STRIP = "chrIV", 400_000, 5_000, 2_000, 200
COLUMNS = (
    "model", "graphs, MB", "loading, ms", "first view, ms", "predictions, ms", "contributions of a class, ms",
    "what-if, ms", "all changes of 200 bases, ms", "predictions, difference", "uniform contributions, difference",
    "weighted contributions, difference",
)  # fmt: skip
PAGE = """<!doctype html><script type="module">
import {PageEngine} from "./trackgen-model.js"
const letters = await (await fetch("letters.txt")).text()
const description = await (await fetch("live.json")).json()
const sequence = async (chr, start, end) => letters.slice(start, end)
window.engine = new PageEngine({description, base: "./", sequence})
window.timed = async (kind, question) => {
    const began = performance.now()
    const answer = await engine[kind](question)
    return {answer, ms: performance.now() - began}
}
</script>"""

Float32 = NDArray[np.float32]


class Files(http.server.SimpleHTTPRequestHandler):
    """A plain file server that says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["tss-yeast", "tss-yeast-centre", "binding-yeast"])
    parser.add_argument("--views", type=int, default=20)
    arguments = parser.parse_args()
    path, _ = find_saccer3(None, NullProgress())
    print_head(COLUMNS)
    with open_genome(path) as genome:
        for name in arguments.models:
            with tempfile.TemporaryDirectory() as folder:
                size = lay_out(Path(folder), name, genome)
                print_row(
                    (name, f"{size / 1e6:.2f}", *measured(Path(folder), open_model(name), genome, arguments.views))
                )


def lay_out(folder: Path, name: str, genome: Genome) -> int:
    """What the page needs, in `folder`; the bytes of its graphs."""
    assets = browser_assets()
    if assets is None:
        raise SystemExit("onnxruntime-web is not installed: make assets")
    model = compile_for_page(find_model(name))
    for file in ONNX_RUNTIME.files:
        shutil.copyfile(assets / file, folder / file)
    for file, source in browser_plugins().items():
        shutil.copyfile(source, folder / file)
    for file, data in model.files.items():
        (folder / file).write_bytes(data)
    description = {
        "genome": {"id": "sacCer3", "lengths": {NAME: genome.lengths[NAME]}},
        "limits": PAGE_LIMITS.to_dict(),
        "models": [model.entry],
        "runtime": live_page_runtime(),
    }
    (folder / "live.json").write_text(json.dumps(description))
    (folder / "letters.txt").write_text(decode(genome.fetch(NAME, 0, genome.lengths[NAME])))
    (folder / "index.html").write_text(PAGE)
    return model.size


def measured(folder: Path, model: Model, genome: Genome, views: int) -> list[str]:
    """The cells of a model's row after its size."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            with chromium() as page:
                page.open(f"http://127.0.0.1:{server.server_port}/")
                page.wait("window.engine")
                return ask_all(page, model, genome, views)
        finally:
            server.shutdown()


def ask_all(page: Page, model: Model, genome: Genome, views: int) -> list[str]:
    class_ = next(entry.name for entry in model.card.classes if entry.track)
    strand = "+" if model.card.strands == "both" else "."
    place = {"model": model.card.name, "chr": NAME}
    # One base: what is left is the runtime's and the graph's loading.
    loading = ask(page, "predictions", {**place, "start": FIRST - APART, "end": FIRST - APART + 1})["ms"]
    times: dict[str, list[float]] = {"predictions": [], "contributions": [], "whatif": [], "mutagenesis": []}
    worst = {"predictions": 0.0, "uniform": 0.0, "probability": 0.0}
    for start in range(FIRST, FIRST + views * APART, APART):
        view = {**place, "start": start, "end": start + VIEW}
        region = f"{NAME}:{start + 1}-{start + VIEW}"
        found = ask(page, "predictions", view)
        times["predictions"].append(found["ms"])
        compare(worst, "predictions", found["answer"], model.predict(genome, region))
        for weight in ("probability", "uniform"):
            found = ask(page, "contributions", {**view, "classes": [class_], "weight": weight})
            if weight == "probability":
                times["contributions"].append(found["ms"])
            compare(worst, weight, found["answer"], model.contributions(genome, region, class_, weight=weight))
        edit = {"start": start + 1000, "end": start + 1003, "sequence": "ACGTA"}
        times["whatif"].append(ask(page, "whatif", {**view, "edits": [edit], "contributions": [class_]})["ms"])
    strip = {"start": FIRST, "end": FIRST + STRIP, "class": class_, "strand": strand, "at": None}
    times["mutagenesis"] = [ask(page, "mutagenesis", {**place, **strip})["ms"]]
    middle = {kind: statistics.median(values) for kind, values in times.items()}
    cells = [loading, times["predictions"][0], *middle.values()]
    return [*(f"{cell:.0f}" for cell in cells), *(f"{value:.1e}" for value in worst.values())]


def ask(page: Page, kind: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """The answer, and the milliseconds that it took."""
    return dict(page.ask(f"timed({json.dumps(kind)}, {json.dumps(question)})"))


def compare(worst: dict[str, float], kind: str, answer: Mapping[str, Any], wanted: Mapping[str, Float32]) -> None:
    """Keep the largest difference of a kind."""
    for track in answer["tracks"]:
        found = np.array([np.nan if value is None else value for value in track["values"]])
        worst[kind] = max(worst[kind], float(np.nanmax(np.abs(found - wanted[track["name"]]))))


if __name__ == "__main__":
    main()
