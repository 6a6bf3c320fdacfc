"""The model in the page, in a real browser, from a plain file server: its answers are what Python computes.

Nothing of trackgen runs behind the page: files alone, without byte ranges or any header of its own.
"""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chromium import CHROMIUM, Page, chromium
from tests.models import small_model
from tests.plugins.protocol.schemas import fits
from tests.serve.looks import need
from trackgen.genome import Edit, EditedGenome, Genome, decode, open_genome
from trackgen.genome.tiling import Grid
from trackgen.hub import build_hub
from trackgen.live.steps import reduced
from trackgen.progress import NullProgress
from trackgen.resources import IGV_JS, ONNX_RUNTIME
from trackgen.scan import ScanOptions, run_scan
from trackgen.scan.opened import Model, open_model
from trackgen.scan.weights import weight_at_bases

pytestmark = pytest.mark.browser

ALIKE = 1e-4
"""What the page may differ by from Python, in probability and in logits."""
WEIGHTED = 1e-3
"""Where all windows over a base predict less, float32 leaves a probability few digits, in Python as in a page; so has
the mean that is weighted by it."""
MANY = 10
"""Tracks of an answer that are no longer held against the schema, value by value."""
PROBE = """<!doctype html><script type="module">
import {{PageEngine}} from "./hub/trackgen-model.js"
const genome = await (await fetch("genome.json")).json()
const description = await (await fetch("hub/live.json")).json()
window.asked = 0
const sequence = async (chr, start, end) => {{
    window.asked += 1
    return genome[chr].slice(start, end)
}}
window.engine = new PageEngine({{description, base: "hub/", sequence}})
const told = error => ({{status: error.status, text: error.text ?? error.name}})
window.failed = async promise => promise.then(() => null, told)
</script>"""
EDITS = [
    {"start": 2050, "end": 2051, "sequence": "A"},
    {"start": 2100, "end": 2100, "sequence": "acgtacgtggtt"},
    {"start": 2150, "end": 2175, "sequence": ""},
    {"start": 2190, "end": 2193, "sequence": "GGGNGGG"},
]
"""A changed base, an insertion, a deletion, and all of it at once."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``g.fa``, and a hub of it with four models: of both strands, of 62 classes, of windows both ways, of a signal."""
    need(ONNX_RUNTIME)
    folder = tmp_path_factory.mktemp("page")
    random = np.random.default_rng(6)
    one, other, short = ("".join(random.choice([*"ACGT"], count)) for count in (4_000, 1_500, 130))
    letters = {"chrA": f"{'N' * 50}{one}{'N' * 120}{other}", "chrB": short}
    (folder / "g.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    (folder / "genome.json").write_text(json.dumps(letters))
    (folder / "probe.html").write_text(PROBE.format())
    classes = ("one", "other", "third")
    average = small_model(
        folder, name="average", window=24, bin_=10, stride=3, strands="average", classes=classes, reverse=True
    )
    signal = small_model(folder, name="signal", window=21, bin_=2, stride=4, strands="both", activation="none")
    models = ("tss-yeast", "binding-yeast", str(average.path), str(signal.path))
    run = ScanOptions(models=models, genome=folder / "g.fa", output=folder / "out", chroms=("chrB",), threads=1)
    run_scan(run, NullProgress())
    build_hub(
        [folder / "out"],
        folder / "hub",
        genome=str(folder / "g.fa"),
        email="me@example.org",
        url=None,
        progress=NullProgress(),
        models=[average.path, signal.path],
    )
    return folder


class Files(http.server.SimpleHTTPRequestHandler):
    """A plain file server."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


class OldFiles(Files):
    """One that does not know what .mjs and .wasm are, but lets pages of other sites read."""

    def guess_type(self, path: Any) -> str:
        return "application/octet-stream" if str(path).endswith((".mjs", ".wasm")) else super().guess_type(path)

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


@contextmanager
def served(folder: Path, handler: type[Files]) -> Iterator[str]:
    """The address of the folder's files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Page]:
    """A page with an engine, from a plain file server."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with served(folder, Files) as address, chromium() as page:
        page.open(f"{address}probe.html")
        page.wait("window.engine")
        yield page


@pytest.fixture(scope="module")
def genome(folder: Path) -> Genome:
    return open_genome(folder / "g.fa")


@functools.cache
def opened(name: str, folder: Path) -> Model:
    path = folder / f"{name}.onnx"
    return open_model(path if path.is_file() else name, threads=1)


def ask(page: Page, kind: str, **question: Any) -> dict[str, Any]:
    """The engine's answer, which fits its schema."""
    answer: dict[str, Any] = page.ask(f"engine.{kind}({json.dumps(question)})")
    if len(answer.get("tracks", ())) < MANY:
        fits("values" if kind in ("predictions", "contributions") else kind, answer)
    return answer


def numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values])


def compare(found: Sequence[float | None], wanted: np.ndarray, name: str, counted: np.ndarray | None = None) -> None:
    """Gaps are where they are wanted, and values alike where they are `counted`."""
    values = numbers(found)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(wanted), name)
    difference = np.abs(values - wanted)[slice(None) if counted is None else counted]
    assert np.nanmax(difference, initial=0) <= ALIKE, name


def digits(model: Model, genome: Genome, chr: str, start: int, end: int) -> dict[str, np.ndarray]:
    """Per track, over which bases some window predicts enough: near 0 a sigmoid of float32 has hardly a digit."""
    reach = model.card.window // 2 - model.card.bin
    first, last = max(0, start - reach), min(genome.lengths[chr], end + reach)
    found = {}
    for name, values in model.predict(genome, f"{chr}:{first + 1}-{last}").items():
        sure = np.nan_to_num(values) >= WEIGHTED
        near = np.convolve(sure, np.ones(2 * reach + 1), "same") > 0
        found[name] = near[start - first : len(values) - (last - end)]
    return found


PLACES = [("chrA", 0, 300), ("chrA", 3990, 4250), ("chrA", 5440, 5670), ("chrB", 0, 130), ("chrB", 77, 78)]
"""At the ends of sequences, over N, of a sequence shorter than a window, of one base."""
MODELS = ["tss-yeast", "binding-yeast", "average", "signal"]


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_python(page: Page, folder: Path, genome: Genome, name: str) -> None:
    for chr, start, end in PLACES:
        wanted = opened(name, folder).predict(genome, f"{chr}:{start + 1}-{end}")
        answer = ask(page, "predictions", model=name, chr=chr, start=start, end=end)
        assert [track["name"] for track in answer["tracks"]] == list(wanted)
        for track in answer["tracks"]:
            compare(track["values"], wanted[track["name"]], f"{chr}:{start}-{end} {track['name']}")


@pytest.mark.parametrize(
    ("name", "weight"), [*((name, "uniform") for name in MODELS), *((name, "probability") for name in MODELS[:3])]
)
def test_contributions_are_those_of_python(page: Page, folder: Path, genome: Genome, name: str, weight: Any) -> None:
    model = opened(name, folder)
    classes = [entry.name for entry in model.card.classes if entry.track][:2]
    for chr, start, end in PLACES:
        place = {"model": name, "chr": chr, "start": start, "end": end}
        answer = ask(page, "contributions", **place, classes=classes, weight=weight)
        region, wanted = f"{chr}:{start + 1}-{end}", dict[str, np.ndarray]()
        for one in classes:
            wanted |= model.contributions(genome, region, one, weight=weight)
        assert {track["name"] for track in answer["tracks"]} == set(wanted)
        is_sigmoid = model.card.outputs[0].activation == "sigmoid" and weight == "probability"
        sure = digits(model, genome, chr, start, end) if is_sigmoid else {}
        for track in answer["tracks"]:
            mask = sure.get(track["name"].removesuffix(".contrib"))
            compare(track["values"], wanted[track["name"]], f"{region} {track['name']}", mask)


@pytest.mark.parametrize(("name", "weight"), [("tss-yeast", "probability"), ("signal", "uniform")])
def test_probabilities_weigh_by_themselves_and_signals_all_alike(page: Page, name: str, weight: str) -> None:
    place = {"model": name, "chr": "chrA", "start": 1000, "end": 1010}
    assert ask(page, "contributions", **place) == ask(page, "contributions", **place, weight=weight)


@pytest.mark.parametrize("name", MODELS)
def test_what_if_is_what_python_computes_on_the_edited_sequence(
    page: Page, folder: Path, genome: Genome, name: str
) -> None:
    model = opened(name, folder)
    first = next(entry.name for entry in model.card.classes if entry.track)
    start, end = 2000, 2200
    contributions = [] if name == "binding-yeast" else [first]
    answer = ask(page, "whatif", model=name, chr="chrA", start=start, end=end, edits=EDITS, contributions=contributions)
    edited = EditedGenome(genome, [Edit("chrA", e["start"], e["end"], e["sequence"].upper()) for e in EDITS])
    low, high = edited.span("chrA", start, end)
    assert answer["alternative"] == {"start": low, "end": high}
    assert answer["aligned"] == [list(piece) for piece in edited.aligned("chrA", start, end)]
    assert answer["sequence"] == {
        "reference": decode(genome.fetch("chrA", start, end)),
        "alternative": decode(edited.fetch("chrA", low, high)),
    }
    assert [edit["reference"] for edit in answer["edits"]] == [
        decode(genome.fetch("chrA", edit["start"], edit["end"])) for edit in EDITS
    ]
    sides = {"reference": (genome, start, end), "alternative": (edited, low, high)}
    for side, (source, begin, stop) in sides.items():
        region = f"chrA:{begin + 1}-{stop}"
        wanted = model.predict(source, region)
        if contributions:
            weight = "uniform" if name == "signal" else "probability"
            wanted |= model.contributions(source, region, first, weight=weight)
        assert [track["name"] for track in answer["tracks"]] == list(wanted)
        for track in answer["tracks"]:
            compare(track[side], wanted[track["name"]], f"{side} {track['name']}")


@pytest.mark.parametrize(("name", "strand"), [("tss-yeast", "-"), ("binding-yeast", "."), ("average", ".")])
def test_mutagenesis_is_what_python_computes_base_by_base(
    page: Page, folder: Path, genome: Genome, name: str, strand: str
) -> None:
    model = opened(name, folder)
    track = next(entry.name for entry in model.card.classes if entry.track)
    file = track + {"+": ".plus", "-": ".minus", ".": ""}[strand]
    start, end, at = 4048, 4051, 4030
    reach = 2 * model.card.window
    region = (max(0, start - reach), end + reach)
    before = model.predict(genome, f"chrA:{region[0] + 1}-{region[1]}")[file]
    question = {"model": name, "chr": "chrA", "start": start, "end": end, "class": track, "strand": strand}
    largest, watched = (ask(page, "mutagenesis", **question, at=place) for place in (None, at))
    assert watched["reference"] == pytest.approx(before[at - region[0]], abs=ALIKE)
    assert largest["reference"] is None
    letters = decode(genome.fetch("chrA", start, end))
    assert largest["sequence"] == watched["sequence"] == letters
    for place, letter in enumerate(letters):
        for base in "ACGT":
            if letter == "N":
                assert largest["deltas"][base][place] is None
                continue
            edit = Edit("chrA", start + place, start + place + 1, base)
            with EditedGenome(genome, [edit]) as edited:
                change = model.predict(edited, f"chrA:{region[0] + 1}-{region[1]}")[file].astype(float) - before
            size = np.nanmax(np.abs(change))
            assert abs(largest["deltas"][base][place]) == pytest.approx(size, abs=ALIKE)
            assert watched["deltas"][base][place] == pytest.approx(change[at - region[0]], abs=ALIKE)


def test_steps_join_values_as_a_server_does(page: Page, genome: Genome) -> None:
    for kind, model, rule in (
        ("predictions", "tss-yeast", "largest"),
        ("predictions", "signal", "mean"),
        ("contributions", "tss-yeast", "largest size"),
    ):
        place = {"model": model, "chr": "chrA", "start": 4000, "end": 4301}
        whole, steps = (ask(page, kind, **place, step=step) for step in (1, 7))
        for one, joined in zip(whole["tracks"], steps["tracks"], strict=True):
            wanted = reduced(numbers(one["values"]).astype(np.float32), 7, rule)
            np.testing.assert_allclose(numbers(joined["values"]), wanted, rtol=1e-6)


def test_regions_are_whole_bases_within_the_sequence(page: Page) -> None:
    answer = ask(page, "predictions", model="tss-yeast", chr="chrB", start=-3.5, end=1e9)
    assert (answer["start"], answer["end"]) == (0, 130)
    answer = ask(page, "predictions", model="tss-yeast", chr="chrA", start=100.9, end=102.1, classes=["broad"])
    assert (answer["start"], answer["end"]) == (100, 103)
    assert [track["name"] for track in answer["tracks"]] == ["broad.plus", "broad.minus"]


PLACE = {"model": "tss-yeast", "chr": "chrA", "start": 100, "end": 200}
REFUSED = [
    (
        "predictions",
        {"model": "no"},
        404,
        "model: there is no model of this name; found no; wanted tss-yeast, ",
    ),
    ("predictions", {"chr": "chrZ"}, 404, "chr: there is no sequence of this name; found chrZ; wanted chrA, chrB"),
    ("predictions", {"start": 300}, 400, "start, end: the region is reversed; found 300, 200"),
    ("predictions", {"start": 200}, 400, "the region is empty"),
    ("predictions", {"start": None}, 400, "start: this is no finite number; found null"),
    ("predictions", {"start": 9000, "end": 9001}, 400, "the region lies beside chrA; found 9000 to 9001; wanted bases"),
    ("predictions", {"classes": ["no"]}, 404, "classes: there is no class of this name; found no; wanted sharp, broad"),
    ("predictions", {"step": 0}, 400, "step: this is no number of bases; found 0; wanted 1 or more"),
    ("predictions", {"weight": "uniform"}, 400, "weight: the parameter is not known here"),
    ("contributions", {"weight": "calls"}, 400, "weight: a model in a page weighs no calls; found calls; wanted "),
    (
        "mutagenesis",
        {"class": "sharp", "strand": "+", "start": 0, "end": 401},
        413,
        "too large for mutagenesis; found",
    ),
    (
        "mutagenesis",
        {"class": "sharp", "strand": "."},
        404,
        "the model has no track of this strand; found .; wanted +",
    ),
    ("mutagenesis", {"class": "sharp", "strand": "+", "at": 9000}, 400, "at: this is no base of chrA; found 9000"),
    ("whatif", {"edits": [{"start": 5, "end": 4, "sequence": ""}]}, 400, "edits, number 1: these are no bases"),
    ("whatif", {"edits": [{"start": 5, "end": 6, "sequence": "X"}]}, 400, "an edit puts in what is no base; found X"),
    ("whatif", {"edits": [{"start": 9000, "end": 9001, "sequence": "A"}]}, 400, "an edit reaches beyond its sequence"),
    ("whatif", {"edits": EDITS * 26}, 413, "edits: there are too many edits; found 104; wanted at most 100"),
    (
        "whatif",
        {"edits": [{"start": 5, "end": 8, "sequence": ""}, {"start": 7, "end": 9, "sequence": "A"}]},
        400,
        "chrA:8-9 -> A: two edits overlap; found chrA:6-8 -> nothing; write them as one edit",
    ),
]


@pytest.mark.parametrize(("kind", "change", "status", "text"), REFUSED)
def test_what_cannot_be_answered_is_refused(
    page: Page, kind: str, change: dict[str, Any], status: int, text: str
) -> None:
    refusal = page.ask(f"failed(engine.{kind}({json.dumps(PLACE | change)}))")
    assert refusal["status"] == status, refusal
    assert text in refusal["text"]


def test_a_question_that_nobody_waits_for_ends_and_leaves_the_next_one_alone(page: Page) -> None:
    question = json.dumps({"model": "tss-yeast", "chr": "chrA", "start": 2000, "end": 2400, "class": "sharp",
                           "strand": "+", "at": None})  # fmt: skip
    page.ask(
        "(() => { window.shares = []; window.stop = new AbortController(); window.ended = failed(engine.mutagenesis("
        f"{question}, {{signal: stop.signal, progress: share => shares.push(share)}})) }})()"
    )
    page.wait("shares.length > 1")
    page.ask("stop.abort()")
    assert page.ask("ended")["text"] == "AbortError"
    shares = page.ask("shares")
    assert 0 < shares[0] < shares[-1] < 1
    assert ask(page, "predictions", model="tss-yeast", chr="chrA", start=2000, end=2010)["end"] == 2010


def test_edited_sequences_are_those_of_python(page: Page, genome: Genome) -> None:
    """Random edits: spans, what stands over what, and letters."""
    random, cases, wanted = np.random.default_rng(8), [], []
    length = genome.lengths["chrB"]
    for _ in range(200):
        borders = np.sort(random.choice(length + 1, 2 * random.integers(0, 6), replace=False)).tolist()
        edits = [
            {"start": low, "end": low if random.random() < 0.3 else high,
             "sequence": "".join(random.choice([*"ACGTN"], random.integers(0, 7)))}
            for low, high in zip(borders[::2], borders[1::2], strict=True)
        ]  # fmt: skip
        start, end = sorted(random.choice(length + 1, 2, replace=False).tolist())
        cases.append({"edits": edits, "start": start, "end": end})
        edited = EditedGenome(genome, [Edit("chrB", e["start"], e["end"], e["sequence"]) for e in edits])
        low, high = edited.span("chrB", start, end)
        aligned = [list(piece) for piece in edited.aligned("chrB", start, end)]
        wanted.append([low, high, aligned, decode(edited.fetch("chrB", low - 3, high + 3))])
    found = page.ask(
        f"""(async () => {{
        const {{EditedSequence, Sequence, lettersOf}} = await import("./hub/trackgen-model-sequence.js")
        const genome = await (await fetch("genome.json")).json()
        const original = new Sequence(async (chr, start, end) => genome[chr].slice(start, end), "chrB", {length})
        return Promise.all({json.dumps(cases)}.map(async ({{edits, start, end}}) => {{
            const edited = new EditedSequence(original, edits)
            const span = edited.span(start, end)
            const codes = await edited.codes(span.start - 3, span.end + 3)
            return [span.start, span.end, edited.aligned(start, end), lettersOf(codes)]
        }}))}})()"""
    )
    assert found == wanted


def test_the_grid_and_the_weights_of_bases_are_those_of_python(page: Page) -> None:
    random, cases, wanted = np.random.default_rng(9), [], []
    for _ in range(200):
        window = int(random.integers(1, 40))
        bin_, stride = int(random.integers(1, window + 1)), int(random.integers(1, 45))
        grid, length = Grid(window, bin_, stride), int(random.integers(1, 200))
        start, end = sorted(random.choice(length + 1, 2, replace=False).tolist())
        weights = random.random(5).astype(np.float32)
        cases.append(
            {
                "grid": {"window": window, "stride": stride, "pad": grid.pad, "tail": grid.tail, "offset": grid.offset},
                "length": length, "start": start, "end": end, "weights": [float(weight) for weight in weights],
            }
        )  # fmt: skip
        every = grid.windows(length)
        items = [item for item in every if (span := grid.item_span(item, length))[0] < end and span[1] > start]
        summed = weight_at_bases(weights[None].astype(float), -3, stride, window, start, end)[0]
        wanted.append([[every.start, every.stop], [items[0], items[-1] + 1], summed.tolist()])
    found = page.ask(
        f"""(async () => {{
        const {{Grid, weightAtBases}} = await import("./hub/trackgen-model-grid.js")
        return {json.dumps(cases)}.map(({{grid, length, start, end, weights}}) => {{
            const one = new Grid(grid)
            return [one.every(length), one.standingOn(start, end, length),
                Array.from(weightAtBases(Float32Array.from(weights), -3, grid, start, end))]
        }})}})()"""
    )
    for one, other in zip(found, wanted, strict=True):
        assert one[:2] == other[:2]
        np.testing.assert_allclose(one[2], other[2], rtol=1e-12)


def test_nothing_was_asked_of_the_network_and_nothing_failed(page: Page) -> None:
    loaded = page.ask("performance.getEntriesByType('resource').map(entry => entry.name)")
    origin = page.ask("location.origin")
    assert loaded
    assert [address for address in loaded if not address.startswith((origin, "blob:"))] == []
    # What Chromium itself says where there is no GPU.
    usual = ("favicon", "No available adapters")
    assert [text for text in page.console if not any(part in text for part in usual)] == []
    assert page.ask("engine.title") == f"this page, onnxruntime-web {ONNX_RUNTIME.version} on WebAssembly"


def test_a_hub_elsewhere_on_a_server_that_knows_no_modules_works_as_well(page: Page, folder: Path) -> None:
    question = json.dumps(PLACE)
    with served(folder, OldFiles) as address:
        other = page.ask(
            f"""(async () => {{
            const {{PageEngine}} = await import("{address}hub/trackgen-model.js")
            const description = await (await fetch("{address}hub/live.json")).json()
            const sequence = engine.letters
            const other = new PageEngine({{description, base: "{address}hub", sequence, device: "wasm"}})
            const answer = await other.predictions({question})
            other.close()
            return answer
            }})()"""
        )
    assert other == page.ask(f"engine.predictions({question})")


def test_a_runtime_that_cannot_be_had_is_told_and_had_later(page: Page) -> None:
    question = json.dumps(PLACE)
    page.ask(
        """(() => {
        const {runtime, ...description} = engine.description
        const nowhere = {...runtime.wasm, script: "gone.mjs", address: "./gone/"}
        window.other = new engine.constructor({description: {...description, runtime: {...runtime, wasm: nowhere}},
            base: "hub/", sequence: engine.letters, device: "wasm"})
        })()"""
    )
    refusal = page.ask(f"failed(other.predictions({question}))")
    assert refusal["text"].startswith("the model can't be run in this page; found ")
    assert "/hub/gone/" in refusal["text"]
    assert "status 404" in refusal["text"]
    page.ask("other.runtime.places = engine.description.runtime")
    assert page.ask(f"other.predictions({question})") == page.ask(f"engine.predictions({question})")
    page.ask("other.close()")
    page.console.clear()


def test_a_static_copy_of_the_hub_answers_what_if_in_its_live_page(page: Page, folder: Path, genome: Genome) -> None:
    need(IGV_JS)
    page.size(1200, 900)
    origin = page.ask("location.origin")
    page.open(f"{origin}/hub/live.html?locus=chrA:2001-2200&edits=chrA:g.2151_2175del;chrA:g.2190_2191insACGT")
    page.wait("window.trackgenReady && trackgenReady.done && trackgenReady.whatif")
    assert page.ask("trackgenReady.engine") == "in this page"
    # This server sends no parts of files, which recorded tracks need and the page does not.
    assert page.ask("trackgenReady.errors") == []
    assert "WebAssembly" in page.ask("document.getElementById('engine').textContent")
    answer = page.ask("trackgenReady.whatif")
    fits("whatif", answer)
    edits = [Edit("chrA", 2150, 2175, ""), Edit("chrA", 2190, 2190, "ACGT")]
    edited = EditedGenome(genome, edits)
    assert answer["alternative"] == dict(
        zip(("start", "end"), edited.span("chrA", answer["start"], answer["end"]), strict=True)
    )
    region = f"chrA:{answer['alternative']['start'] + 1}-{answer['alternative']['end']}"
    wanted = opened("tss-yeast", folder).predict(edited, region)
    found = {track["name"]: track["alternative"] for track in answer["tracks"]}
    for name, values in wanted.items():
        compare(found[name], values, name)
