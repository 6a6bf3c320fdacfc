"""docs/benchmarks/denoise.md, out of the records of runs; what has not been run is said."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from denoise_pairs import DEPTHS, FIGURES, RECORDS, TEST, VALIDATION
from denoise_smoothing import HIGHER, KERNELS, WIDER, best_kernels

from trackgen.learn.sweep.records import read_records
from trackgen.learn.tss_report import markdown_table

__all__ = ["METHODS", "REPORT", "document"]

REPORT = RECORDS.parent / "denoise.md"
HEADLINE = 0.1
SHIPPED = "denoise-atac-yeast"
METHODS = {
    "signal": "ours, signal alone",
    "sequence": "ours, signal and sequence",
    "denoise-atac-yeast": "`denoise-atac-yeast`, as shipped",
    "conv1d": "the paper's 1-D net",
    "conv2d": "the paper's 2-D net",
    "hilbert2d": "the paper's 2-D net on Hilbert's curve",
    "hilbert-final": "the paper's final net",
    "nash": "NASH",
}
"""Method -> what it is, in the order of tables; others follow by their names."""
SHOWN = ("mse", "pearson", "spearman", "auprc", "second_auprc")
HEADS = {"head_auprc": "AUPRC of the peak head, MACS3 peaks", "head_second_auprc": "AUPRC of the peak head, HMMRATAC"}
BARS = ("mse", "pearson", "auprc", "head_auprc", "second_auprc", "head_second_auprc")
HEAD = """# Denoising: what models reach, and what they have to beat

Made by `python benchmarks/denoise.py report` from the records in [denoise/](denoise/); no figure is written by hand.

Yeast, SRR1822137, 467,908 fragments. The input is the fragments thinned to a share, the **truth the coverage of
those that the thinning left out**; both as fold over the mean coverage. All tracks are BigWig files that trackgen
wrote, from fragments to track to figures, and all figures are those of `trackgen evaluate` over bins of {bins}
bp, by the mean of their values. Test: {test}, thinned with the seeds {seeds}; what had to be chosen was chosen on
{validation}, seeds {validation_seeds}. No model saw either. The mitochondrion and the rDNA on chrXII are masked
in training and where peaks are called.

Figures are means over the three thinnings, with their standard deviation behind ±; our models are trained three
times, and each thinning is read by one of the three. The paper's nets and NASH are trained once, with a small part of
the paper's budget (below): they show what that buys, on a genome a hundredth of man's.
**Covered** bins are those whose truth is not 0. Peaks are
MACS3's on the truth's own fragments (p below 1e-4, all duplicates kept); AUROC and AUPRC are by the value of the
track, and of models with a **peak head** by its probability as well. HMMRATAC's regions are second labels: of the
whole data, the input's fragments among them, which favours the shallow track the more, the deeper it is."""


class Table:
    """Test records: the last one of each run."""

    def __init__(self, records: Path) -> None:
        runs: dict[tuple[float, int, str], dict[str, Any]] = {}
        for record in read_records(records / "test.jsonl"):
            runs[record["depth"], record["seed"], record["method"]] = record
        self._runs = runs
        self.validation = read_records(records / "validation.jsonl")

    def methods(self) -> list[str]:
        """Models with a figure, in the order of `METHODS`."""
        found = {method for _, _, method in self._runs if method != "noisy" and method not in (*KERNELS, *WIDER)}
        return [*(name for name in METHODS if name in found), *sorted(found - METHODS.keys())]

    def runs(self, method: str, depth: float) -> list[dict[str, Any]]:
        """The records of a method at a depth."""
        return [run for (at, _, name), run in sorted(self._runs.items()) if (at, name) == (depth, method)]

    def by_seed(self, method: str, depth: float, figure: str, pairing: str = "rest") -> dict[int, float]:
        """A figure of each thinning; of `box` and `gauss` by the kernel that validation chose for this figure."""
        if method in ("box", "gauss"):
            chosen = best_kernels(self.validation, depth).get(method, {})
            method = chosen.get(figure, method)
        found = {run["seed"]: run[pairing].get(figure) for run in self.runs(method, depth) if pairing in run}
        return {seed: value for seed, value in found.items() if value is not None}

    def values(self, method: str, depth: float, figure: str, pairing: str = "rest") -> list[float]:
        """`by_seed`, in the order of seeds."""
        return list(self.by_seed(method, depth, figure, pairing).values())

    def best_smoothing(self, depth: float, figure: str) -> tuple[str, dict[int, float]] | None:
        """The shape that is better on the test sequences, which is more than a user would know, and its figures."""
        known = {shape: self.by_seed(shape, depth, figure) for shape in ("box", "gauss")}
        known = {shape: values for shape, values in known.items() if values}
        if not known:
            return None
        best = (max if HIGHER[figure] else min)(known, key=lambda shape: statistics.fmean(known[shape].values()))
        return best, known[best]


def document(records: Path = RECORDS) -> str:
    """The report's text, from a folder of records."""
    table = Table(records)
    head = HEAD.format(
        bins=25, test=" and ".join(TEST.chroms), seeds=", ".join(map(str, TEST.seeds)),
        validation=" and ".join(VALIDATION.chroms), validation_seeds=", ".join(map(str, VALIDATION.seeds)),
    )  # fmt: skip
    sections = [
        head, _headline(table), _verdicts(table), _by_depth(table), _paper(table), _widths(table), _files(table),
        _inputs(records), _search(records), _times(records), _regions(records),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def missing(title: str, command: str) -> str:
    """A section of which there is no record."""
    return f"## {title}\n\nNot measured: there is no record of it. `{command}` makes one."


def cell(values: Sequence[float]) -> str:
    """``0.861 ± 0.004``; nothing where nothing was measured."""
    if not values:
        return ""
    mean = statistics.fmean(values)
    digits = 3 if abs(mean) < 10 else 2
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean:.{digits}f}{spread}"


def rows_of(table: Table) -> list[tuple[str, str, float | None]]:
    """(method, what it is, depth if not the column's) of each row of a table."""
    rows: list[tuple[str, str, float | None]] = [
        ("noisy", "the shallow track itself", None),
        ("box", "box", None),
        ("gauss", "Gauss's curve", None),
    ]
    rows += [(name, METHODS.get(name, f"`{name}`"), None) for name in table.methods()]
    return [*rows, ("noisy", "*ceiling: one half of all fragments against the other*", 0.5)]


def _headline(table: Table) -> str:
    title = f"At {100 * HEADLINE:g} % depth"
    if not table.runs("noisy", HEADLINE):
        return missing(title, "python benchmarks/denoise.py run")
    rows = [
        [label, *(cell(table.values(name, depth or HEADLINE, figure)) for figure in (*FIGURES, *HEADS))]
        for name, label, depth in rows_of(table)
    ]
    return f"""## {title}

{markdown_table(["method", *FIGURES.values(), *HEADS.values()], rows)}

Box and Gauss's curve have, in every column, the width that was best on validation **for that column's figure** (of
covered bins by that of all, of peaks by the AUPRC of the labels): no single track of theirs reaches a whole row. The
ceiling is what another experiment of half the depth would reach, without smoothing."""


def _verdicts(table: Table) -> str:
    """Each model against the shallow track and the best smoothing."""
    lines = [_verdict(table, name, figure) for name in table.methods() for figure in BARS]
    if not any(lines):
        return missing("Against smoothing", "python benchmarks/denoise.py run --models DIR")
    return "## Against smoothing\n\nAt the same depth, by the thinnings that the model has read.\n\n" + "\n".join(
        line for line in lines if line
    )


def _verdict(table: Table, name: str, figure: str) -> str:
    """One model by one figure; nothing where it, or a rival, has none."""
    rivals = figure.removeprefix("head_")
    own, noisy = table.by_seed(name, HEADLINE, figure), table.by_seed("noisy", HEADLINE, rivals)
    smooth = table.best_smoothing(HEADLINE, rivals)
    seeds = [seed for seed in own if smooth and seed in noisy and seed in smooth[1]]
    if not seeds or smooth is None:
        return ""
    means = [statistics.fmean(values[seed] for seed in seeds) for values in (own, noisy, smooth[1])]
    sign = 1 if HIGHER[rivals] else -1
    won = sum(sign * means[0] > sign * other for other in means[1:])
    verdict = ("**beats neither**", "**beats one of the two alone**", "beats both")[won]
    often = sum(sign * own[seed] > sign * smooth[1][seed] for seed in seeds)
    return (
        f"* {METHODS.get(name, name)}, {(FIGURES | HEADS)[figure]}: {verdict}: {means[0]:.3f}, "
        f"{_change(means[0], means[1], rivals)} than the shallow track, {_change(means[0], means[2], rivals)} than "
        f"the best smoothing ({smooth[0]}), better than that in {often} of {len(seeds)} thinnings"
    )


def _change(own: float, rival: float, figure: str) -> str:
    if figure.endswith("mse"):
        return f"{abs(own - rival) / rival:.1%} {'lower' if own < rival else 'higher'}"
    return f"{abs(own - rival):.3f} {'lower' if own < rival else 'higher'}"


def _by_depth(table: Table) -> str:
    parts = []
    for figure in SHOWN:
        rows = [
            [label, *(cell(table.values(name, depth, figure)) for depth in DEPTHS)]
            for name, label, fixed in rows_of(table) if fixed is None
        ]  # fmt: skip
        heads = {name: [cell(table.values(name, at, f"head_{figure}")) for at in DEPTHS] for name in table.methods()}
        rows += [[f"{METHODS.get(name, name)}, peak head", *cells] for name, cells in heads.items() if any(cells)]
        header = ["method", *(f"{100 * depth:g} %" for depth in DEPTHS)]
        parts.append(f"### {FIGURES[figure]}\n\n{markdown_table(header, rows)}")
    return "## By depth\n\n" + _limits(table) + "\n\n".join(parts)


def _limits(table: Table) -> str:
    """Where the shipped model does not beat what costs nothing."""
    if not table.runs(SHIPPED, HEADLINE):
        return ""
    lost = []
    for depth in DEPTHS:
        for figure in SHOWN:
            own, sign = table.values(SHIPPED, depth, figure), 1 if HIGHER[figure] else -1
            others = {name: table.values(name, depth, figure) for name in ("noisy", "box", "gauss")}
            better = [
                name for name, values in others.items()
                if own and values and sign * statistics.fmean(values) >= sign * statistics.fmean(own)
            ]  # fmt: skip
            if better:
                lost.append(f"{100 * depth:g} %, {FIGURES[figure]} ({', '.join(better)})")
    text = "; ".join(lost) or "nowhere"
    where = f"Where the mean of `{SHIPPED}` is not better than that of the shallow track, box or Gauss's curve"
    return f"{where}: {text}.\n\n"


def _paper(table: Table) -> str:
    if not any("all" in run for run in table.runs("noisy", HEADLINE)):
        return missing("The paper's own pairing", "python benchmarks/denoise.py run")
    rows = [
        [label, *(cell(table.values(name, at, figure, "all")) for figure in SHOWN for at in (HEADLINE, 0.5))]
        for name, label, fixed in rows_of(table) if fixed is None
    ]  # fmt: skip
    header = ["method", *(f"{FIGURES[figure]}, {100 * at:g} %" for figure in SHOWN for at in (HEADLINE, 0.5))]
    return f"""## The paper's own pairing

Against the coverage and the peaks of **all** fragments, those of the input among them, as in the paper. An input
of half the fragments is then right by half about itself: doing nothing looks better than it is.

{markdown_table(header, rows)}"""


def _widths(table: Table) -> str:
    if not table.validation:
        return missing("Widths of the smoothings", "python benchmarks/denoise.py widths")
    rows = []
    for depth in DEPTHS:
        for shape, chosen in best_kernels(table.validation, depth).items():
            rows.append([f"{100 * depth:g} %", shape, *(chosen.get(figure, ":").split(":")[1] for figure in SHOWN)])
    return f"""## Widths of the smoothings

Of {len(KERNELS)} kernels ({len(KERNELS) + len(WIDER)} at the least depth), bases of the box or of the curve's
standard deviation, the best on validation by each figure:

{markdown_table(["depth", "kernel", *(FIGURES[figure] for figure in SHOWN)], rows)}"""


def _files(table: Table) -> str:
    """Which model files were judged."""
    rows = []
    for name in table.methods():
        runs = [run for depth in DEPTHS for run in table.runs(name, depth)]
        files = sorted({(run["file"], run["digest"]) for run in runs})
        listed = ", ".join(f"{file} `{digest}`" for file, digest in files)
        left_out = statistics.fmean(run["rest"].get("left_out", 0.0) for run in runs)
        seconds = statistics.median(run["seconds"] for run in runs)
        rows.append([METHODS.get(name, f"`{name}`"), listed, f"{seconds:.0f}", f"{left_out:.1%}"])
    if not rows:
        return ""
    return f"""## Models

Files by the first digits of their SHA-256, the seconds of a scan of the test sequences on one core, other work beside
it, and the bins to which the model gives no value, being too near to an end: figures are over the others.

{markdown_table(["method", "files", "seconds", "bins left out"], rows)}"""


def _optional(records: Path, name: str) -> Mapping[str, Any] | None:
    path = records / name
    return json.loads(path.read_text()) if path.is_file() else None


def _inputs(records: Path) -> str:
    found = _optional(records, "inputs.json")
    return f"## The paper's inputs: peaks or coverage\n\n{found['text']}" if found else ""


def _search(records: Path) -> str:
    found = _optional(records, "nash.json")
    return f"## Architecture search\n\n{found['text']}" if found else ""


def _times(records: Path) -> str:
    runs = read_records(records / "time.jsonl")
    if not runs:
        return missing("Time", "python benchmarks/denoise.py time MODEL")
    rows = [
        [run["what"], f"{run['bases'] / 1e6:.1f}", f"{run['fragments']:,}", str(run["cores"]), f"{run['seconds']:.1f}",
         f"{run['busy']:.1f}", f"{1e6 * run['busy'] / run['bases']:.2f}"]
        for run in runs
    ]  # fmt: skip
    header = ["from fragments to tracks", "Mb", "fragments", "cores", "seconds", "busy", "busy a Mb"]
    return f"""## Time

`trackgen scan` with fragments as the signal: reading, coverage, scan and BigWig files, start of Python included, the
fastest of {runs[0]["rounds"]} rounds. **Busy** are the seconds of all cores together that the scan itself took: beside
other work, as here, the clock says more than a free machine needs, about half of busy on two cores.

{markdown_table(header, rows)}"""


def _regions(records: Path) -> str:
    found = _optional(records, "regions.json")
    if not found:
        return missing("Regions", "python benchmarks/denoise.py regions MODEL")
    pictures = "\n\n".join(f"![{entry['locus']}](denoise/{entry['file']})" for entry in found["regions"])
    return f"""## Regions

The paper's Figure 9: the shallow track ({100 * HEADLINE:g} % of the fragments), the denoised one by
`{found["model"]}`, and the deep one (those that the shallow track lacks), on one scale, of test sequences.
{found["chosen"]}

{pictures}"""
