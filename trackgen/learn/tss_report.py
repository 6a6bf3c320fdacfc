"""The card of a TSS model, and the report of its training run: README.md, figures as JSON, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, ContributionSpec, InputSpec, OutputSpec, ReferenceSpec
from trackgen.learn.datasets.tss import BACKGROUND_PER_TSS, CLASSES, LONGEST_SHARP, NEAR
from trackgen.learn.evaluate import CALL_DISTANCE, SITE_CLASSES, THRESHOLD_TOLERANCE, TOLERANCES
from trackgen.learn.figures import rounded
from trackgen.learn.plots import Curve, plot_confusion, plot_history, plot_precision_recall, plot_reliability

__all__ = ["markdown_table", "tss_card", "write_report"]

COLORS = {"sharp": "200,30,30", "broad": "30,30,200"}
LABELS = {"net": "this net", "kmer": "linear, k-mer counts", "positional": "linear, base at each position"}
DESCRIPTION = (
    "Probability that the transcription start site of a cluster is this very base, on this strand: of a sharp cluster "
    "({longest} bp or less) or of a broad one. Read from the {window} bases around it by {summary}. Probabilities are "
    "calibrated at the genome's own prevalence, where a start site is rare: they are small numbers, and their sum over "
    "a stretch is the number of start sites to expect there."
)


def tss_card(
    options: Mapping[str, Any], figures: Mapping[str, Any], frequencies: tuple[float, float, float, float], window: int
) -> Card:
    """The card, with what a reader needs to judge the model in ``training``.

    Args:
        options: of the run (`TssOptions` as a mapping, with the architecture's ``summary`` and ``manner``).
        figures: of the run; see `trackgen.learn.tss_task`.
        frequencies: of A, C, G, T: the reference of contributions.
        window: L, bases.
    """
    calls = figures["every_base"]["net"]["validation"]["calls"]
    classes = [ClassSpec("background", track=False)]
    for name in CLASSES[1:]:
        threshold = calls[name]["threshold"]
        classes.append(ClassSpec(name, label=f"{name} TSS", color=COLORS[name], threshold=threshold))
    training = {
        "assembly": figures["data"]["assembly"], "data": options["data"], "architecture": options["architecture"],
        "manner": options["manner"], "seed": options["seed"], "split": figures["data"]["split"],
        "held_out": figures["data"]["split"]["test"],
        "clusters": figures["data"]["clusters"], "min_count": options["min_count"],
        "examples": figures["data"]["examples"], "metrics": _card_metrics(figures),
        "thresholds": _card_thresholds(figures), "calibration": _card_calibration(figures),
    }  # fmt: skip
    summary = options["summary"]
    return Card(
        name=options["name"], window=window, strands="both", title=options["title"], license=options["license"],
        description=DESCRIPTION.format(longest=LONGEST_SHARP, window=window, summary=summary),
        inputs=(InputSpec("sequence", "sequence"),),
        outputs=(OutputSpec("tss", "softmax", tuple(classes), role="probability", unit="probability"),),
        reference=ReferenceSpec(values=frequencies), contributions=ContributionSpec("calls", CALL_DISTANCE),
        training=rounded(training),
    )  # fmt: skip


def _card_metrics(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Test figures of the net and of the linear models, in short."""
    metrics: dict[str, Any] = {"auroc": figures["windows"]["net"]["classes"]["background"]["auroc"]}
    for part, entries in (("windows", figures["windows"]), ("every_base", figures["every_base"])):
        metrics[part] = {}
        for name, entry in entries.items():
            table = entry["classes"] if part == "windows" else entry["test"]["classes"]
            metrics[part][name] = {c: {"auroc": row["auroc"], "auprc": row["auprc"]} for c, row in table.items()}
    metrics["confusion"] = figures["windows"]["net"]["confusion"]
    metrics["calls"] = {
        name: {f"auprc_within_{t}": entry[f"within_{t}"]["auprc"] for t in TOLERANCES}
        for name, entry in figures["every_base"]["net"]["test"]["calls"].items()
    }
    return metrics


def _card_thresholds(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Threshold of each class, and what it stands for on the validation and test sequences."""
    table: dict[str, Any] = {"within": THRESHOLD_TOLERANCE, "chosen_on": figures["data"]["split"]["validation"]}
    for name in SITE_CLASSES:
        table[name] = {"threshold": figures["every_base"]["net"]["validation"]["calls"][name]["threshold"]}
        for part in ("validation", "test"):
            entry = figures["every_base"]["net"][part]["calls"][name][f"within_{THRESHOLD_TOLERANCE}"]
            table[name][part] = {key: entry[key] for key in ("precision", "recall", "calls", "sites")}
    return table


def _card_calibration(figures: Mapping[str, Any]) -> dict[str, Any]:
    net = figures["every_base"]["net"]
    return {
        "fitted_on": figures["data"]["split"]["validation"],
        **{key: net["calibration"][key] for key in ("prior_shift", "scale", "shift")},
        "sums": net["test"]["sums"],
        "reliability": {name: net["test"]["reliability"][name] for name in CLASSES[1:]},
    }


def write_report(
    folder: Path, card: Card, figures: Mapping[str, Any], curves: Mapping[str, Mapping[str, Curve]], command: str
) -> None:
    """``README.md``, and ``report/`` with ``metrics.json`` and pictures.

    Args:
        folder: the run's output folder; ``report/`` in it exists.
        card: of the exported model.
        figures: all of the run's.
        curves: model -> class of sites -> (recall, precision) of calls on the test sequences.
        command: the command line that makes the model again.
    """
    report = folder / "report"
    (report / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    by_class = {
        f"{name}: calls within {THRESHOLD_TOLERANCE} bp": {LABELS[model]: curves[model][name] for model in curves}
        for name in SITE_CLASSES
    }
    plot_precision_recall(by_class, report / "precision_recall.png")
    plot_reliability(figures["every_base"]["net"]["test"]["reliability"], report / "reliability.png")
    plot_confusion(figures["windows"]["net"]["confusion"], CLASSES, report / "confusion.png")
    plot_history(figures["fit"]["history"], figures["fit"]["best_epoch"] - 1, report / "history.png")
    (folder / "README.md").write_text(_readme(card, figures, command))


def _readme(card: Card, figures: Mapping[str, Any], command: str) -> str:
    sections = [
        f"# {card.name}: {card.title}", card.description, _data_section(card, figures),
        _windows_section(figures), _every_base_section(figures), _calls_section(figures),
        _calibration_section(figures), again_section(command),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections) + "\n"


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _data_section(card: Card, figures: Mapping[str, Any]) -> str:
    data = figures["data"]
    rows = [
        [part, ", ".join(data["split"][part]), *(f"{data['examples'][part][name]:,}" for name in CLASSES)]
        for part in ("train", "validation", "test")
    ]
    clusters = ", ".join(f"{count:,} {name}" for name, count in data["clusters"].items())
    return f"""## Data and split

{card.training["data"]}

Clusters with a count of at least {data["min_count"]:g} are used ({clusters}); the position of each is its
dominant TSS, the base with the highest count. Weaker clusters are neither TSS nor drawn as background. Background
outnumbers TSSs {BACKGROUND_PER_TSS} to 1; half of it lies {NEAR[0]} to {NEAR[1]} bp from a dominant TSS on its strand,
half farther from any. Windows of the minus strand are reverse complements.

{card.training["manner"]} Kept is the epoch with the lowest loss on the validation windows
({figures["fit"]["best_epoch"]} of {figures["fit"]["epochs"]}).

{markdown_table(["part", "sequences", *CLASSES], rows)}"""


def _windows_section(figures: Mapping[str, Any]) -> str:
    rows = []
    for model, entry in figures["windows"].items():
        rows.append([_label(model, entry), *(_areas(entry["classes"][name]) for name in CLASSES)])
    halves = [
        [_label(model, entry), *(_areas(entry[half][name]) for half in ("near", "far") for name in SITE_CLASSES)]
        for model, entry in figures["windows"].items()
    ]
    header = ["model", *(f"{name}, {half}" for half in ("near", "far") for name in SITE_CLASSES)]
    confusion = [
        [f"**{name}**", *(f"{count:,}" for count in row)]
        for name, row in zip(CLASSES, figures["windows"]["net"]["confusion"], strict=True)
    ]
    return f"""## On the test windows (9 background to 1 TSS)

AUROC / AUPRC, each class against all others:

{markdown_table(["model", *CLASSES], rows)}

Against each half of the background alone (*tss* is a start site of either class):

{markdown_table(header, halves)}

Confusion (rows true, columns most probable, as trained):

{markdown_table(["", *CLASSES], confusion)}"""


def _label(model: str, entry: Mapping[str, Any]) -> str:
    return LABELS[model] + (f" (k = {entry['k']})" if "k" in entry else "")


def _areas(figures: Mapping[str, float]) -> str:
    return f"{figures['auroc']:.3f} / {figures['auprc']:.3f}"


def _every_base_section(figures: Mapping[str, Any]) -> str:
    rows = []
    for model, entry in figures["every_base"].items():
        own, calls = entry["test"]["classes"], entry["test"]["calls"]
        for name in SITE_CLASSES:
            exact = f"{own[name]['auroc']:.4f} / {own[name]['auprc']:.4f}" if name in own else ""
            areas = [f"{calls[name][f'within_{tolerance}']['auprc']:.3f}" for tolerance in TOLERANCES]
            rows.append([LABELS[model], name, exact, *areas])
    bases = figures["every_base"]["net"]["test"]["bases"]
    own = figures["every_base"]["net"]["test"]["classes"]
    share = ", ".join(f"{name} {own[name]['prevalence']:.1e}" for name in CLASSES[1:])
    header = ["model", "class", "AUROC / AUPRC, every base", *(f"calls, within {t} bp" for t in TOLERANCES)]
    return f"""## At every base of both strands of the test sequences (natural prevalence)

{bases:,} bases; share of each class: {share}. The third column judges every single base; the others judge calls
(the base of highest probability within {CALL_DISTANCE} bp on its strand) by the area under their precision-recall
curve, a call being right when a site of its class lies within the distance on its strand.

{markdown_table(header, rows)}"""


def _calls_section(figures: Mapping[str, Any]) -> str:
    rows = []
    for name in SITE_CLASSES:
        for part in ("validation", "test"):
            entry = figures["every_base"]["net"][part]["calls"][name]
            figure = entry[f"within_{THRESHOLD_TOLERANCE}"]
            rows.append([
                name, f"{entry['threshold']:g}", part, f"{figure['calls']:,}", f"{figure['sites']:,}",
                f"{figure['precision']:.3f}", f"{figure['recall']:.3f}",
            ])  # fmt: skip
    return f"""## Thresholds

Chosen on the validation sequences: the highest F1 of calls within {THRESHOLD_TOLERANCE} bp at natural prevalence.

{markdown_table(["class", "threshold", "on", "calls", "sites", "precision", "recall"], rows)}"""


def _calibration_section(figures: Mapping[str, Any]) -> str:
    net = figures["every_base"]["net"]
    calibration = net["calibration"]
    tables = (calibration["sums_uncalibrated"], calibration["sums_prior_shift"], net["test"]["sums"])
    sums = [
        [name, *(f"{table[name]['sum']:,.0f}" for table in tables), f"{tables[2][name]['sites']:,}"]
        for name in SITE_CLASSES
    ]
    rows = [
        [f"{row['from']:g} to {row['to']:g}", f"{row['bases']:,}", f"{row['predicted']:.2e}", f"{row['observed']:.2e}"]
        for row in net["test"]["reliability"]["tss"]
    ]
    shift = ", ".join(f"{value:+.3f}" for value in calibration["shift"])
    header = ["class", "as trained", "prior shift alone", "calibrated", "true number"]
    return f"""## Calibration

The graph holds, in front of its softmax, a fixed scale ({calibration["scale"]:.4f}) and shift ({shift}) of the
logits, fitted by maximum likelihood to every base of the validation sequences. Sum of the track over the test
sequences, both strands:

{markdown_table(header, sums)}

Reliability on the test sequences, a start site of either class:

{markdown_table(["predicted", "bases", "mean predicted", "observed"], rows)}"""


def again_section(command: str) -> str:
    """Markdown: how the model is made again.

    Args:
        command: the command line that does it.
    """
    return f"""## To make it again

```
{command}
```

The same seed, machine type and versions give the same weights; elsewhere the last digits may differ."""
