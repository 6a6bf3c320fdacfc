"""docs/benchmarks/binding.md, out of the records of runs; what has not been run is said."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from binding_ctcf_card import FIGURES, THESIS, with_interval
from binding_sets import FAMILIES, MOTIF_BAR, RECORDS, SETS
from processes import data_file

from trackgen.learn.figures import rounded
from trackgen.learn.sweep.figures import Models, against_deepbind, examined, seconds
from trackgen.learn.sweep.records import append_record, read_records
from trackgen.learn.sweep.report import write_report
from trackgen.learn.tss_report import markdown_table

__all__ = ["REPORT", "document", "report_sweeps", "take_sweeps"]

REPORT = RECORDS.parent / "binding.md"
NET = "1layer_128motif"
RIVALS = {
    "motif": "best known motif", "kmer-lr": "regression on k-mers", "gkm-svm": "gapped k-mer SVM",
    "motif-any": "best motif of any factor",
}  # fmt: skip
CTCF_BAR = 0.96
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""The .975 quantile of Student's t by the number of runs: 95 % intervals of a mean."""
HEAD = """# Binding: what the models reach, and what they have to beat

Made by `python benchmarks/binding.py report` from the records in [binding/](binding/); no figure is written by hand.
Figures in brackets are the 95 % interval of the mean over runs that differ in their seed (weights, order, validation
draw), by Student's t; the test sequences are the same in all. `digest` names the data that a figure is of."""


def take_sweeps(folders: Sequence[Path], records: Path = RECORDS) -> None:
    """Take the trained models of sweep folders over into the records, in the place of what they gave before."""
    for folder in folders:
        path = records / f"sweep-{folder.name}.jsonl"
        path.unlink(missing_ok=True)
        for record in read_records(folder / "results.jsonl"):
            append_record(path, rounded(record))


def report_sweeps(folders: Sequence[Path], records: Path = RECORDS) -> None:
    """The sweeps' own reports: of discovery with the most draws, of discovery that searched less, of other tasks."""
    kinds = {folder: _kind(folder) for folder in folders}
    most = max(draws for _, draws in kinds.values())
    groups: dict[str, list[Path]] = {}
    for folder, (task, draws) in kinds.items():
        name = f"sweeps-{task}" if task != "discovery" else "sweeps" if draws == most else "sweeps-sizes"
        groups.setdefault(name, []).append(folder)
    for name, chosen in groups.items():
        write_report(chosen, records / name, families=data_file(FAMILIES), baselines=records / "baselines.jsonl")


def _kind(folder: Path) -> tuple[str, int]:
    """A sweep's task and draws."""
    first = read_records(folder / "results.jsonl")[0]
    return first["task"], first["draws"]


def document(records: Path = RECORDS) -> str:
    """The report's text, from a folder of records."""
    sections = [
        HEAD, _discovery(records), _reasons(records), _ordering(records), _occupancy(records), _yeast(records),
        _human(records), _training(records),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections) + "\n"


def missing(title: str, command: str) -> str:
    """A section of which there is no record."""
    return f"## {title}\n\nNot measured: there is no record of it. `{command}` makes one."


def interval(values: Sequence[float]) -> str:
    """``0.961 (0.958-0.964)`` of two to five runs, else the mean alone."""
    mean = statistics.fmean(values)
    if len(values) not in STUDENT:
        return f"{mean:.3f}"
    half = STUDENT[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{mean:.3f} ({mean - half:.3f}-{mean + half:.3f})"


def models_of(records: Path, task: str = "discovery") -> list[dict[str, Any]]:
    """Trained models of all sweeps of a task, of whole sets, by the search of the most draws that a set had."""
    every = [record for path in sorted(records.glob("sweep-*.jsonl")) for record in read_records(path)]
    whole = [record for record in every if record["task"] == task and record["fraction"] is None]
    # a study of sizes or of more sets searches less: where a set has both, only the thorough search counts
    most = {name: max(r["draws"] for r in whole if r["set"] == name) for name in {r["set"] for r in whole}}
    return [record for record in whole if record["draws"] == most[record["set"]]]


def areas(
    records: Sequence[Mapping[str, Any]], key: str, name: str, digest: str | None = None
) -> dict[str, list[float]]:
    """Test AUROC of each architecture or baseline (`key`) on a set."""
    found: dict[str, list[float]] = {}
    for record in records:
        if record["set"] == name and digest in (None, record["digest"]):
            found.setdefault(record[key], []).append(record["test_auroc"])
    return found


def _discovery(records: Path) -> str:
    nets, others = models_of(records), read_records(records / "baselines.jsonl")
    if not nets and not others:
        return missing("Motif discovery", "trackgen sweep, and binding.py baselines")
    rows, verdicts = [], []
    for name in SETS:
        own = next((record for record in [*nets, *others] if record["set"] == name), None)
        if own is None:
            rows.append([name, "", "not run", *[""] * (len(RIVALS) + 2)])
            continue
        digest = own["digest"]
        deep, plain = areas(nets, "architecture", name, digest), areas(others, "baseline", name, digest)
        cells = [interval(plain[rival]) if rival in plain else "not run" for rival in RIVALS]
        net = [
            f"{interval(deep[code])}, {len(deep[code])}" if code in deep else "not run" for code in (NET, "deepbind")
        ]
        rows.append([name, f"`{digest}`", *net, *cells, f"{MOTIF_BAR[name]:.2f}"])
        verdicts.append(_verdict(name, deep.get(NET), plain, own["test"]))
    header = ["set", "digest", f"`{NET}`, runs", "`deepbind`, runs", *RIVALS.values(), "motif, beforehand"]
    return f"""## Motif discovery

Area under the ROC curve on the test sequences: one in five of Zeng's CTCF set, and DeepBind's own 500 bound and 500
shuffled ones of the others. Nets are trained as `trackgen sweep` does it{_recipe(nets)}.

{markdown_table(header, rows)}

{chr(10).join(f"* {text}" for text in verdicts)}

{_baseline_words(others)}"""


def _recipe(nets: Sequence[Mapping[str, Any]]) -> str:
    kinds = sorted({(r["draws"], r["search_steps"], r["train_steps"]) for r in nets})
    words = " or ".join(f"{a} draws of {b:,} mini-batches, then {c:,}" for a, b, c in kinds)
    return f": {words}, of 100 sequences" if kinds else ""


def standard_error(area: float, test: int) -> float:
    """Of an area under the ROC curve on `test` sequences, half bound (Hanley and McNeil 1982)."""
    half = test / 2
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (half - 1) * (first - area**2) + (half - 1) * (second - area**2)
    return math.sqrt(spread / half**2)


def _verdict(name: str, net: Sequence[float] | None, plain: Mapping[str, Sequence[float]], test: int) -> str:
    """Whether the net is above motif and gapped k-mers, and by how much."""
    if not net:
        return f"{name}: `{NET}` is not trained."
    mean = statistics.fmean(net)
    parts = [
        f"{RIVALS[rival]} {mean - statistics.fmean(plain[rival]):+.3f}"
        if rival in plain
        else f"{RIVALS[rival]} not run"
        for rival in ("motif", "gkm-svm")
    ]
    error = standard_error(mean, test)
    close = [
        f" The difference to the {RIVALS[rival]} is less than one standard error of an area on {test:,} test sequences "
        f"({error:.4f}): they cannot tell the two apart."
        for rival in ("motif", "gkm-svm")
        if rival in plain and 0 <= statistics.fmean(plain[rival]) - mean < error
    ]
    above = all(mean > statistics.fmean(plain[rival]) for rival in ("motif", "gkm-svm") if rival in plain)
    bar = f"; the bar of {CTCF_BAR} is {'reached' if mean >= CTCF_BAR else 'not reached'}" if name == "CTCF" else ""
    return f"{name}: `{NET}` is {'above' if above else '**not above**'} both ({', '.join(parts)}){bar}.{''.join(close)}"


def _baseline_words(others: Sequence[Mapping[str, Any]]) -> str:
    motifs = {r["set"]: r["detail"]["motif"] for r in others if r["baseline"] == "motif"}
    anyone = {r["set"]: r["detail"]["motif"] for r in others if r["baseline"] == "motif-any"}
    named = "; ".join(f"{name} {motif}" for name, motif in motifs.items())
    free = "; ".join(f"{name} {motif}" for name, motif in anyone.items())
    return f"""The best known motif is the factor's in JASPAR 2024, HOCOMOCO 12 and HOCOMOCO 9 with the highest area on
training sequences: {named or "not run"}. The best of any factor is chosen among all of their motifs:
{free or "not run"}. Both score a sequence by their best place on either strand.

The gapped k-mer SVM is gkmSVM's default machine (l 10, k 6, 3 mismatches, truncated filter, C 1, at most 5,000
positives and as many negatives), by `trackgen.learn.baselines.gapped_kmer`. A packaged one exists, gkmsvm-lite 0.1.0,
which compares all pairs of sequences; ours gives the same decisions without. Tests hold it against LIBSVM on the kernel
of all pairs, and against the scores that lsgkm gave for its own NFE2 example."""


def _reasons(records: Path) -> str:
    """One change at a time to the paper's best net, beside the gapped k-mer machine."""
    runs = read_records(records / "reasons.jsonl")
    if not runs:
        return missing("Why gapped k-mers win where they do", "python benchmarks/binding.py reasons")
    gapped = {
        r["set"]: r["test_auroc"] for r in read_records(records / "baselines.jsonl") if r["baseline"] == "gkm-svm"
    }
    variants = sorted(
        {(r["redrawn"], r["architecture"]) for r in runs}, key=lambda v: (v[0], v[1].startswith("rc"), v[1])
    )
    rows = []
    for name in dict.fromkeys(r["set"] for r in runs):
        found = [
            [r["test_auroc"] for r in runs if (r["set"], r["redrawn"], r["architecture"]) == (name, *variant)]
            for variant in variants
        ]
        cells = [f"{interval(values)}, {len(values)}" if values else "not run" for values in found]
        rows.append([name, *cells, f"{gapped[name]:.3f}" if name in gapped else "not run"])
    header = [
        "set",
        *(f"`{net}`, {'new shuffles' if new else 'fixed shuffles'}" for new, net in variants),
        "gapped k-mers",
    ]
    return f"""## Why gapped k-mers win where they do

Bound sequences of the genome against their own shuffles differ in more than motifs: in all words longer than two
bases. A machine of k-mer counts sums up many weak words of both strands, a net that takes a maximum over positions
tells the strongest place alone, and with some thousands of sequences and the same shuffles in every pass it learns
these by heart. One change at a time, all else equal ({runs[0]["steps"]:,} mini-batches, one setting, kept where
validation was best): shuffles drawn anew in every pass, both strands by flipped weights, and short kernels that are
averaged over the window (`rc_128motif_words`). Test AUROC, number of runs:

{markdown_table(header, rows)}"""


def _occupancy(records: Path) -> str:
    nets = models_of(records, "occupancy")
    if not nets:
        return missing("Motif occupancy", "trackgen sweep --task occupancy")
    sizes = ", ".join(f"{name} {n:,}" for name, n in {r["set"]: r["train"] for r in nets}.items())
    return f"""## Motif occupancy

Instances of a factor's motif (SwissRegulon, FIMO's p below 1e-4) in the yeast genome, bound or not, matched in number,
GC content and motif strength{_recipe(nets)}. Training windows: {sizes}: few, so intervals are wide.

{_architectures(nets, "occupancy")}

[The sweep's own report](binding/sweeps-occupancy/README.md)."""


def _ordering(records: Path) -> str:
    nets = models_of(records)
    if not nets:
        return missing("The paper's ordering", "trackgen sweep")
    return f"""## The paper's ordering

{_architectures(nets, "discovery")}

{_deepbind(Models.of(nets))}

Distributions, changes by data set and hyper-parameters: [the sweeps' own report](binding/sweeps/README.md). Analysis of
variance and data sets cut down in size, with a shorter search: [report](binding/sweeps-sizes/README.md)."""


def _architectures(nets: Sequence[Mapping[str, Any]], task: str) -> str:
    """Each architecture on each set, and the paper's findings held against that."""
    models = Models.of(nets)
    table = [
        [
            f"`{code}`",
            *(interval(models.seeds(name, code)) if models.seeds(name, code) else "" for name in models.sets()),
        ]
        for code in models.architectures()
    ]
    findings = [
        [row["finding"], f"{row['change']:+.4f}", f"{row['lowest']:+.4f} to {row['highest']:+.4f}",
         f"{row['wins']} of {row['sets']}", row["verdict"]]
        for row in examined(models, task)
    ]  # fmt: skip
    return f"""Test AUROC of each architecture ({len(nets)} models):

{markdown_table(["architecture", *models.sets()], table)}

{markdown_table(["finding of the paper", "mean over sets", "over seeds", "sets", "here"], findings)}"""


def _deepbind(models: Models) -> str:
    """The paper's Figure 2B in words."""
    versus = against_deepbind(models)
    if versus is None:
        return "DeepBind is not trained."
    fit = "too few for a regression" if versus["r_squared"] is None else f"R2 {versus['r_squared']:.3f}"
    failed = ", ".join(f"{number} of `{code}`" for code, number in versus["failed"].items())
    return f"""`1layer` against `{versus["architecture"]}` over {versus["sets"]} sets: {fit} (the paper: 0.886 over
690). Models below an AUROC of .55: {failed}, of {versus["models"]} each."""


def _yeast(records: Path) -> str:
    path = records / "yeast.json"
    if not path.is_file():
        return missing("Yeast factors", "python benchmarks/binding_yeast.py")
    values = json.loads(path.read_text())
    return f"## Yeast factors\n\n{values['text'] if 'text' in values else _lines(values)}"


def _lines(values: Mapping[str, Any]) -> str:
    """A JSON object's plain values as a list."""
    return "\n".join(f"* {key}: {value}" for key, value in values.items() if isinstance(value, str | int | float))


def _human(records: Path) -> str:
    path = records / "ctcf-human.json"
    if not path.is_file():
        return missing("CTCF on chr22", "python benchmarks/binding.py ctcf-human")
    record = json.loads(path.read_text())
    rows = [
        [cell, label, *(with_interval(models[model][key]) for key in FIGURES), *_left_out(models[model])]
        for cell, models in record["judged"].items()
        for model, label in (("net", "binding-ctcf-human"), ("motif", record["motif"]["name"]))
    ]
    rows.append(["other data", "ten Dijke 2017, sequence alone", *(f"{THESIS[key]:.3f}" for key in FIGURES), "", ""])
    verdicts = [
        f"* {cell}: {name} {models['net'][key]['value'] - models['motif'][key]['value']:+.3f} from the motif's"
        for cell, models in record["judged"].items()
        for key, name in FIGURES.items() if key in ("auroc", "auprc")
    ]  # fmt: skip
    variants = f"\n\n{_variants(record)}" if "variants" in record else ""
    header = ["cell type", "model", *FIGURES.values(), "AUROC, ambiguous left out", "AUPRC, ambiguous left out"]
    return f"""## CTCF on chr22

Bins of 200 bp every 50 bp on chr22:16,050,001-22,000,000, tracks of `trackgen scan`, figures of `trackgen evaluate`;
ambiguous bins count as unbound but in the last two columns. Intervals are from blocks of the chromosome. The model:
`{record["architecture"]}`, {len(record["runs"])} runs averaged, digest `{record["digest"]}`; it saw no base of
chr22 and no peak of these cell types.

{markdown_table(header, rows)}

{chr(10).join(verdicts)}{variants}"""


def _left_out(entry: Mapping[str, Any]) -> list[str]:
    other = entry["ambiguous_the_other_way"]
    return [f"{other[key]:.3f}" for key in ("auroc", "auprc")]


def _variants(record: Mapping[str, Any]) -> str:
    """What was tried on chr20 before one was taken."""
    rows = [
        [f"`{entry['architecture']}`", entry["negatives"], str(entry["seed"]), f"{entry['held_out_zeng_auroc']:.3f}",
         *(f"{entry['validation'][key]:.3f}" for key in ("auroc", "auprc"))]
        for entry in record["variants"]
    ]  # fmt: skip
    header = ["net", "negatives", "seed", "AUROC, Zeng's held back", "AUROC, chr20", "AUPRC, chr20"]
    return f"What was tried, by chr20 and the held-back part of Zeng's set:\n\n{markdown_table(header, rows)}"


def _training(records: Path) -> str:
    taken = seconds(models_of(records))
    words = ", ".join(f"`{code}` {value:.0f}" for code, value in taken.items())
    own = "[train.md](train.md)" if (RECORDS.parent / "train.md").is_file() else "`benchmarks/train.py` (not run yet)"
    during = f" In the sweeps above, beside other work, the fastest took, in seconds: {words}." if words else ""
    return f"## Training time\n\nSeconds for 500,000 samples against a bare PyTorch loop stand in {own}.{during}"
