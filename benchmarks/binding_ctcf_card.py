"""The card and README.md of exported_models/binding-ctcf-human."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, ContributionSpec, InputSpec, OutputSpec, ReferenceSpec
from trackgen.genome.bins import BIN, STRIDE
from trackgen.learn.architectures.sequence_nets import sequence_net
from trackgen.learn.figures import rounded
from trackgen.learn.tss_report import markdown_table

__all__ = ["FIGURES", "THESIS", "ctcf_card", "motif_card", "with_interval", "write_readme"]

FIGURES = {
    "auroc": "AUROC", "auprc": "AUPRC", "recall_at_50_fdr": "recall at 50 % FDR", "recall_at_10_fdr":
    "recall at 10 % FDR",
}  # fmt: skip
THESIS = {"auroc": 0.950, "auprc": 0.263, "recall_at_50_fdr": 0.200, "recall_at_10_fdr": 0.012}
"""ten Dijke 2017, Table 4, CTCF from sequence alone: whole held-out chromosomes of one held-out cell type."""
NAME, TITLE = "binding-ctcf-human", "CTCF binding, human"
DATA = (
    "Bound: 101 bp around CTCF peaks of ENCODE on hg19, in Zeng 2016's own motif-discovery format (the part that its "
    "authors published), without the records of chr20 and chr22. Unbound: that set's dinucleotide shuffles of peaks, "
    "and real human sequence as far as it was at hand: windows of chr20:10,595,001-11,095,000 300 bp or more away from "
    "every relaxed CTCF peak of five cell types, and genomic negatives of lsgkm's example on other chromosomes. "
    "Threshold and calibration: every bin of chr20:9,995,001-10,595,000, once for each of the five cell types, against "
    "the ENCODE-DREAM peaks. No base of chr22 was seen, and no peak of HepG2 or H1-hESC was read but to judge."
)
DESCRIPTION = (
    "Probability that a bin of {bin} bp is bound by CTCF, every {stride} bp, on hg19. Read from the {window} bases "
    "around it by {number} nets of the same making, whose log-odds are averaged: {summary}. Both strands give the same "
    "value, so that there is one track. Probabilities are calibrated at the prevalence of a megabase of chr20, where "
    "most bins are unbound. It reads sequence alone: it cannot know which sites a cell type uses."
)
LIMITS = """CTCF binds some sites in one cell type and not in another, and nothing in the sequence says which. Genomic
negatives are few: half a megabase of one gene-poor region, and short pieces of other chromosomes. Other repeats and
CpG islands were seen only as far as they stand there. The threshold rests on few peaks. Bins overlap: a site stands in
four or five of them."""


def ctcf_card(record: Mapping[str, Any], window: int) -> Card:
    """The card; figures of chr22 stand in it once `record` has them under ``judged``."""
    validation = record["validation"]
    chosen = {key: validation[key] for key in ("precision", "recall", "called", "bound")}
    training: dict[str, Any] = {
        "assembly": "hg19", "data": DATA, "architecture": record["architecture"], "digest": record["digest"],
        "sequences": record["sequences"], "chromosomes": record["chromosomes"], "cells": record["cells"],
        "seeds": [run["seed"] for run in record["runs"]], "held_out": ["chr22"],
        "split": {"train": record["chromosomes"], "validation": ["chr20"], "test": ["chr22"]},
        "thresholds": {"chosen_on": ["chr20"], "bound": {"threshold": record["threshold"], "validation": chosen}},
        "calibration": {
            "fitted_on": ["chr20"], **record["calibration"], "sum": validation["sum"], "bound": validation["bound"],
            "reliability": validation["reliability"],
        },
        "metrics": {"validation": {key: validation[key] for key in FIGURES}},
    }  # fmt: skip
    if "judged" in record:
        training["metrics"] |= {
            cell: {model: {key: entry[key] for key in FIGURES} for model, entry in models.items()}
            for cell, models in record["judged"].items()
        }
    bound = ClassSpec("bound", label="CTCF bound", color="30,110,60", threshold=record["threshold"])
    words = {"bin": BIN, "stride": STRIDE, "window": window, "number": len(record["runs"])}
    summary = sequence_net(record["architecture"]).summary
    return Card(
        name=NAME, window=window, bin=BIN, stride=STRIDE, strands="forward", title=TITLE, license="MIT",
        description=DESCRIPTION.format(**words, summary=summary), inputs=(InputSpec("sequence", "sequence"),),
        outputs=(OutputSpec("binding", "sigmoid", (bound,), role="probability", unit="probability"),),
        reference=ReferenceSpec(values=(0.25, 0.25, 0.25, 0.25)), contributions=ContributionSpec("probability", BIN),
        training=rounded(training),
    )  # fmt: skip


def motif_card(window: int) -> Card:
    """Of a net that gives the best log-odds of a motif in the same window."""
    return Card(
        name="motif", window=window, bin=BIN, stride=STRIDE, strands="forward",
        inputs=(InputSpec("sequence", "sequence"),), outputs=(OutputSpec("motif", "none", (ClassSpec("best"),)),),
    )  # fmt: skip


def with_interval(entry: Mapping[str, Any]) -> str:
    """``0.950 (0.941-0.958)`` of a figure of ``trackgen evaluate``."""
    value, low, high = entry["value"], entry.get("low"), entry.get("high")
    return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f}-{high:.3f})"


def write_readme(path: Path, card: Card, record: Mapping[str, Any]) -> None:
    """The model's README.md."""
    sections = [
        f"# {card.name}: {card.title}", card.description, _data_section(record), _figure_section(record),
        _threshold_section(record), f"## Limits\n\n{LIMITS}",
        "## To make it again\n\n```\npython benchmarks/binding.py ctcf-human\n```\n\nin a checkout, with the data "
        "folder in `TRACKGEN_DATA`. The same machine type and versions give the same weights; elsewhere the last "
        "digits may differ.",
    ]  # fmt: skip
    path.write_text("\n\n".join(section.strip() for section in sections) + "\n")


def _data_section(record: Mapping[str, Any]) -> str:
    numbers = record["sequences"]
    rows = [
        [str(run["seed"]), f"{run['best_epoch']} of {run['epochs']}", f"{run['validation_auroc']:.3f}",
         f"{run['held_out_zeng_auroc']:.3f}"]
        for run in record["runs"]
    ]  # fmt: skip
    return f"""## Data, labels and split

{DATA}

{numbers["bound"]:,} bound sequences, {numbers["shuffled"]:,} shuffles and {numbers["genomic"]:,} genomic windows of
101 bp; digest of the labelled set {record["digest"]}. Records of the set by chromosome: {record["chromosomes"]}. Cell
types whose peaks were read on chr20: {", ".join(record["cells"]["seen"])}. Each net draws as many genomic windows anew
every epoch as there are bound sequences, holds back an eighth of the set and 2,000 genomic windows, and keeps the epoch
with the highest AUROC there. The last column is of the held-back part of Zeng's set alone, peaks against shuffles.

{markdown_table(["seed", "best epoch", "AUROC, held back", "AUROC, Zeng's alone"], rows)}"""


def _figure_section(record: Mapping[str, Any]) -> str:
    rows = []
    for cell, models in record["judged"].items():
        for model, label in (("net", "this model"), ("motif", f"best hit of {record['motif']['name']} in the window")):
            rows.append([cell, label, *(with_interval(models[model][key]) for key in FIGURES)])
    rows.append(["(other data)", "ten Dijke 2017, sequence alone", *(f"{THESIS[key]:.3f}" for key in FIGURES)])
    cell, models = next(iter(record["judged"].items()))
    counts = models["net"]["bins"]
    every = sum(counts[kind] for kind in ("bound", "unbound", "ambiguous"))
    return f"""## Figures

Every bin of chr22:16,050,001-22,000,000 whose bases are known, scanned by `trackgen scan`, against the ENCODE-DREAM
conservative peaks of cell types that the model never saw; bins that peaks cover less than half, or that only relaxed
peaks cover, count as unbound ({counts["bound"]:,} bound bins of {every:,} in {cell}). Intervals of 95 % are from blocks
of the chromosome. The motif is the best of CTCF's in JASPAR 2024 and HOCOMOCO on the training sequences, scored over
the same 300 bases on either strand. The thesis' row is of other chromosomes and cell types.

{markdown_table(["cell type", "model", *FIGURES.values()], rows)}"""


def _threshold_section(record: Mapping[str, Any]) -> str:
    validation, scale = record["validation"], record["calibration"]
    rows = [["chr20, five cell types", f"{validation['called']:,}", f"{validation['bound']:,}",
             f"{validation['precision']:.3f}", f"{validation['recall']:.3f}"]]  # fmt: skip
    for cell, models in record["judged"].items():
        at = models["net"]["at"][0]
        rows.append([f"chr22, {cell}", f"{at['called']:,}", f"{models['net']['bins']['bound']:,}",
                     f"{at['precision']:.3f}", f"{at['recall']:.3f}"])  # fmt: skip
    table = [
        [f"{row['from']:g} to {row['to']:g}", f"{row['bases']:,}", f"{row['predicted']:.2e}", f"{row['observed']:.2e}"]
        for row in validation["reliability"]
    ]
    return f"""## Threshold and calibration

The threshold {record["threshold"]:g} has the highest F1 on the bins of chr20:

{markdown_table(["on", "bins called", "bins bound", "precision", "recall"], rows)}

The graph holds, in front of its sigmoid, a fixed scale ({scale["scale"]:.4f}) and shift ({scale["shift"]:+.3f}) of the
log-odds, fitted by maximum likelihood to every bin of chr20 that is bound or unbound, once for each of the five cell
types. Reliability there, where it was fitted:

{markdown_table(["predicted", "bins", "mean predicted", "observed"], table)}"""
