"""How good the all-SNV estimate is: `--hypothetical-tracks` beside exact mutagenesis of every base, in one table.

    TRACKGEN_DATA=... python benchmarks/mutagenesis.py measure [--sites 100] [--models tss-yeast ...]
    TRACKGEN_DATA=... python benchmarks/mutagenesis.py cost
    python benchmarks/mutagenesis.py report

What is compared, for the change of the base at p into b, in logits:

* the estimate: the track of b at p less the track of the base that stands there, as `trackgen scan` wrote them;
* exact: the mean, over the windows that hold p, of how the explained logit changes when b stands at p, each window
  counting what it counts in the track. Every base of every window is changed and the model run anew.

Sites are calls on chromosomes that the models were not trained on, drawn by chance; of each, all bases of the called
window are changed. With the weight `calls` the called windows alone count; with `probability` all windows over a base,
by what the model predicts of them. `cost` scans yeast's chrXVI with and without the tracks. Both keep records in
docs/benchmarks/mutagenesis, of which `report` writes docs/benchmarks/mutagenesis.md and the picture.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
from mutagenesis_report import FOLDER, RECORDS, document, draw
from numpy.typing import NDArray
from processes import data_file, read_scan, trackgen
from scipy import stats

from trackgen.card import Card, read_card
from trackgen.genome import open_genome
from trackgen.genome.tiling import Grid
from trackgen.resources import find_model
from trackgen.runtime import open_session
from trackgen.scan import ScanOptions, open_model, run_scan
from trackgen.scan.dense import DenseRunner
from trackgen.scan.dense_occlusion import compile_targets
from trackgen.scan.inputs import Stretch
from trackgen.scan.weights import called_windows

COST_RECORD = RECORDS / "cost.json"
BASES = "ACGT"
WEIGHTS = ("calls", "probability")
SHOWN = 4000
"""Points of a model in the picture."""
LARGE = 0.9
"""Quantile of exact changes, by size, from which on they are large."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A model, what of it is judged, and where."""

    name: str
    classes: tuple[str, ...]
    genome: str
    region: str
    what: str


JUDGED = (
    Judged("tss-yeast", ("sharp", "broad"), "genome_yeast/sacCer3.2bit", "chrXVI", "yeast, chrXVI, plus strand"),
    Judged("binding-yeast", (), "genome_yeast/sacCer3.2bit", "chrXVI", "yeast, chrXVI"),
    Judged(
        "binding-ctcf-human",
        ("bound",),
        "human_hg19/hg19_chr20_chr22_part.fa.gz",
        "chr22:16,050,001-22,000,000",
        "human, chr22:16,050,001-22,000,000",
    ),
)


@dataclass(frozen=True)
class Site:
    """A called window: its class (output 0), its index and its first base."""

    class_index: int
    window: int
    start: int


class Exact:
    """Exact mutagenesis of windows on the plus strand."""

    def __init__(self, card: Card, path: Path, threads: int) -> None:
        self.card, self.grid = card, Grid(card.window, card.bin, card.stride)
        self.targets = compile_targets(path, card, card.stride, [0], None, "cpu")
        graph = self.targets.compiled.model.SerializeToString()
        session = open_session(graph, device="cpu", threads=threads, path_for_messages=path)
        self._runner = DenseRunner(self.targets.card, self.targets.compiled, session)

    def logits(self, codes: NDArray[np.uint8], starts: NDArray[np.int64]) -> Float64:
        """The explained number of every class of each window, (N, K)."""
        place, centred = self.targets.outputs[0]
        values = self._runner.run(Stretch(codes), starts, reverse=False)[place].astype(np.float64)
        return values - values.mean(axis=1, keepdims=True) if centred else values

    def changes(
        self, codes: NDArray[np.uint8], starts: NDArray[np.int64], class_index: int, weights: Sequence[Float64]
    ) -> list[Float64]:
        """For each set of weights (N,) of the windows: the weighted mean change at every base, (4, T), 0 for its own.

        One pass changes every L-th base, so that each window has one changed base.
        """
        length = self.card.window
        own = self.logits(codes, starts)[:, class_index]
        sums = [np.zeros((4, len(codes))) for _ in weights]
        totals = [np.zeros(len(codes)) for _ in weights]
        for total, weight in zip(totals, weights, strict=True):
            for start, one in zip(starts.tolist(), weight.tolist(), strict=True):
                total[start : start + length] += one
        for residue in range(length):
            places = starts + (residue - starts) % length
            for change in (1, 2, 3):
                made = codes.copy()
                here = codes[residue::length]
                made[residue::length] = np.where(here < 4, (here + change) % 4, here)
                delta = self.logits(made, starts)[:, class_index] - own
                for found, weight in zip(sums, weights, strict=True):
                    np.add.at(found, (made[places].clip(0, 3), places), weight * delta)
        with np.errstate(invalid="ignore"):
            return [found / total for found, total in zip(sums, totals, strict=True)]


def sites_of(judged: Judged, card: Card, genome: Any, count: int, seed: int = 0) -> list[Site]:
    """Calls on the region, drawn by chance: `count` of all classes together, as even as may be."""
    values = open_model(judged.name).predict(genome, judged.region)
    rest = judged.region.partition(":")[2]
    first = int(rest.split("-")[0].replace(",", "")) - 1 if rest else 0
    grid, random = Grid(card.window, card.bin, card.stride), np.random.default_rng(seed)
    found: list[Site] = []
    entries = [
        (index, entry) for index, entry in enumerate(card.outputs[0].classes)
        if (entry.name in judged.classes if judged.classes else entry.track) and entry.threshold is not None
    ]  # fmt: skip
    for index, entry in entries:
        track = values[entry.name if card.strands != "both" else f"{entry.name}.plus"]
        items = grid.items(first, first + len(track))
        indices = np.arange(items.start, items.stop)
        predicted = np.nan_to_num(track[indices * grid.step + grid.offset - first], nan=-np.inf)
        called = indices[called_windows(predicted, entry.threshold, card.contributions.distance // card.stride)]
        starts = called * card.stride - grid.pad
        inside = (starts > first + 2 * card.window) & (starts < first + len(track) - 3 * card.window)
        wanted = -(-count // len(entries))
        chosen = random.permutation(called[inside])[:wanted]
        found += [Site(index, int(window), int(window) * card.stride - grid.pad) for window in np.sort(chosen)]
    return found


def estimates(judged: Judged, card: Card, genome: Path, sites: Sequence[Site], weight: str) -> Iterator[Float64]:
    """Per site (4, L): the tracks of the bases, over the called window."""
    name = judged.region.partition(":")[0]
    classes = tuple(dict.fromkeys(card.outputs[0].classes[site.class_index].name for site in sites))
    with tempfile.TemporaryDirectory() as folder:
        options = ScanOptions(
            (judged.name,), genome, Path(folder) / "out", classes=classes, contrib=classes,
            contrib_weight=weight,  # type: ignore[arg-type]
            hypothetical_tracks=True,
            regions=tuple(f"{name}:{site.start + 1}-{site.start + card.window}" for site in sites),
        )  # fmt: skip
        run_scan(options)
        for site in sites:
            entry = card.outputs[0].classes[site.class_index].name
            strand = ".plus" if card.strands == "both" else ""
            rows = []
            for base in BASES:
                file = f"{card.name}.{entry}{strand}.{base}.hypothetical.bw"
                with pyBigWig.open(str(Path(folder) / "out" / file)) as track:
                    rows.append(track.values(name, site.start, site.start + card.window))
            yield np.array(rows)


def measure(judged: Judged, count: int, threads: int) -> dict[str, Any]:
    """The record of one model."""
    began = time.perf_counter()
    path = find_model(judged.name)
    card, genome_path = read_card(path), data_file(judged.genome)
    exact = Exact(card, path, threads)
    pairs: dict[str, list[tuple[Float64, Float64]]] = {weight: [] for weight in WEIGHTS}
    with open_genome(genome_path) as genome:
        sites = sites_of(judged, card, genome, count)
        tracks = [list(estimates(judged, card, genome_path, sites, weight)) for weight in WEIGHTS]
        for place, site in enumerate(sites):
            for weight, (estimate, true) in zip(
                WEIGHTS, compared(exact, genome, judged, site, [rows[place] for rows in tracks]), strict=True
            ):
                pairs[weight].append((estimate, true))
            print(f"{judged.name}: site {place + 1} of {len(sites)}, {time.perf_counter() - began:.0f} s", flush=True)
    return {
        "model": judged.name,
        "what": judged.what,
        "classes": len({site.class_index for site in sites}),
        "sites": len(sites),
        "weights": {weight: figures(pairs[weight]) for weight in WEIGHTS},
        "points": points(pairs[WEIGHTS[0]]),
    }


def compared(
    exact: Exact, genome: Any, judged: Judged, site: Site, tracks: Sequence[Float64]
) -> Iterator[tuple[Float64, Float64]]:
    """Per weight the estimates and the exact changes of all SNVs of a site's window, (3 L,) each, gaps left out."""
    card, length = exact.card, exact.card.window
    name = judged.region.partition(":")[0]
    entry = card.outputs[0].classes[site.class_index]
    reach = card.contributions.distance // card.stride
    around = -(-length // card.stride) + 1
    windows = np.arange(site.window - around - reach, site.window + around + reach + 1)
    first = int(windows[0]) * card.stride - exact.grid.pad
    codes = genome.fetch(name, first, int(windows[-1]) * card.stride - exact.grid.pad + length)
    starts = windows * card.stride - exact.grid.pad - first
    logits = exact.logits(codes, starts)
    probabilities = _probabilities(card, logits)[:, site.class_index]
    called = called_windows(probabilities.astype(np.float32), entry.threshold or 0.0, reach).astype(np.float64)
    # Calls of others need room around them: near the ends nobody knows.
    known = slice(reach, len(windows) - reach)
    weights = [called[known], probabilities[known]]
    true = exact.changes(codes, starts[known], site.class_index, weights)
    low = site.start - first
    here = codes[low : low + length]
    for estimate, change in zip(tracks, true, strict=True):
        given = estimate - estimate[here.clip(0, 3), np.arange(length)]
        other = (np.arange(4)[:, None] != here) & (here < 4) & np.isfinite(given)
        cut = change[:, low : low + length]
        yield given[other], cut[other]


def _probabilities(card: Card, logits: Float64) -> Float64:
    if card.outputs[0].activation == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def figures(pairs: Sequence[tuple[Float64, Float64]]) -> dict[str, Any]:
    """How estimates and exact changes go together."""
    estimate, true = (np.concatenate(values) for values in zip(*pairs, strict=True))
    large = np.abs(true) >= np.quantile(np.abs(true), LARGE)
    by_site = [stats.pearsonr(*pair).statistic for pair in pairs if min(np.ptp(part) for part in pair) > 0]
    return {
        "snvs": len(true),
        "pearson": round(float(stats.pearsonr(estimate, true).statistic), 3),
        "spearman": round(float(stats.spearmanr(estimate, true).statistic), 3),
        "pearson_of_sites": [round(float(value), 3) for value in np.quantile(by_site, [0.1, 0.5, 0.9])],
        "large_same_sign": round(float((np.sign(estimate) == np.sign(true))[large].mean()), 3),
        "slope": round(float(np.polyfit(estimate, true, 1)[0]), 3),
    }


def points(pairs: Sequence[tuple[Float64, Float64]]) -> list[list[float]]:
    """Some of the pairs, for the picture."""
    together = np.concatenate([np.stack(pair, axis=1) for pair in pairs])
    chosen = np.random.default_rng(0).permutation(len(together))[:SHOWN]
    return [[float(f"{value:.4g}") for value in row] for row in together[np.sort(chosen)].tolist()]


COSTS = (
    ("tss-yeast", "sharp", "probability"),
    ("tss-yeast", "sharp", "calls"),
    ("binding-yeast", "Reb1", "probability"),
)
"""Model, class and weight."""
TURNS = 2


def _processor_seconds() -> float:
    """Of all processes that were waited for: other work on the machine hardly touches it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost() -> list[dict[str, Any]]:
    """Seconds, memory and disk of scans of yeast's chrXVI, without and with the tracks, which take turns."""
    rows = []
    for model, name, weight in COSTS:
        found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
        for _ in range(TURNS):
            for kind, more in (("without", []), ("with", ["--hypothetical-tracks"])):
                with tempfile.TemporaryDirectory() as folder:
                    command = [
                        "scan",
                        model,
                        str(data_file("genome_yeast/sacCer3.2bit")),
                        "-o",
                        folder + "/out",
                        "-t",
                        "2",
                    ]
                    command += ["--classes", name, "--contrib", name, "--contrib-weight", weight, "--chroms", "chrXVI"]
                    began = _processor_seconds()
                    trackgen([*command, *more])
                    seconds = _processor_seconds() - began
                    scan = read_scan(Path(folder) / "out")
                    row = {"seconds": seconds, "memory": scan.run["peak_rss_bytes"], "bytes": scan.track_bytes}
                    found[kind].append(row)
        best = {kind: {key: min(row[key] for row in turns) for key in turns[0]} for kind, turns in found.items()}
        rows.append({"model": model, "class": name, "weight": weight, **best})
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["measure", "cost", "report"])
    parser.add_argument("--sites", type=int, default=120, help="calls of a model, all classes together")
    parser.add_argument("--models", nargs="+", default=[judged.name for judged in JUDGED])
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    if asked.step == "measure":
        RECORDS.mkdir(exist_ok=True)
        for judged in JUDGED:
            if judged.name in asked.models:
                record = measure(judged, asked.sites, asked.threads)
                (RECORDS / f"{judged.name}.json").write_text(json.dumps(record) + "\n", encoding="utf-8")
                print(record["weights"])
        return
    if asked.step == "cost":
        RECORDS.mkdir(exist_ok=True)
        COST_RECORD.write_text(json.dumps(cost(), indent=1) + "\n", encoding="utf-8")
        return
    files = [RECORDS / f"{judged.name}.json" for judged in JUDGED]
    records = [json.loads(path.read_text(encoding="utf-8")) for path in files if path.exists()]
    costs = json.loads(COST_RECORD.read_text(encoding="utf-8")) if COST_RECORD.exists() else []
    (FOLDER / "mutagenesis.md").write_text(document(records, costs), encoding="utf-8")
    draw(records)


if __name__ == "__main__":
    main()
