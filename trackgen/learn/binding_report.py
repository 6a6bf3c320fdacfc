"""The card of a binding model, and the report of its training run: README.md, figures as JSON, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, ContributionSpec, InputSpec, OutputSpec, ReferenceSpec
from trackgen.learn.datasets.binding import BIN, STRIDE, TRAINING_STRIDE, UNBOUND_PER_BOUND
from trackgen.learn.figures import rounded
from trackgen.learn.plots import Curve, plot_history, plot_precision_recall, plot_reliability
from trackgen.learn.tss_report import markdown_table

__all__ = ["binding_card", "manner", "write_report"]

COLOR = "30,110,60"
LABELS = {
    "net": "this net", "sequence": "the same net without the signal", "motif": "best motif score in the bin",
    "signal": "mean signal in the bin", "motif_and_signal": "logistic regression on these two",
}  # fmt: skip
FIGURES = ("auroc", "auprc", "recall_at_50_fdr", "recall_at_10_fdr")
DESCRIPTION = (
    "Probability that a bin of {bin} bp is bound, every {stride} bp. Read from the {window} bases around it"
    "{signal}, by {summary}. Probabilities are calibrated at the genome's own prevalence, where "
    "most bins are unbound. Binding has no strand: the value is the mean of the window's and of its reverse "
    "complement's."
)


def manner(figures: Mapping[str, Any], always: str) -> str:
    """How a net was trained, in sentences: what its bins and its weights start from, and `always`."""
    regions, start = figures["data"].get("regions"), figures["start"]
    sentences = ["Every epoch draws its bins, on a grid of 10 bp, and their strands anew."]
    if regions:
        cells = f" of {len(regions)} cell types together" if len(regions) > 1 else ""
        others = ", ".join(f"{entry['others']:,}" for entry in regions)
        sentences = [
            "An epoch has every bin of the training part that overlaps a peak of the signal, and a fixed draw of "
            f"others ({others}){cells}, once, in an order and on strands drawn anew."
        ]
    known = start.get("motifs", ())
    filters = {
        "found": "Half of the filters start from the motif found in the training peaks, on either strand; all else has "
        "a Xavier start.",
        "known": f"Filters start from known motifs ({', '.join(known)}) on either strand; all else has a Xavier start.",
        "drawn": "All weights have a Xavier start.",
    }
    sentences.append(filters[start["filters"]])
    if "signal" in start:
        sentences.append(
            "Before it learned what is bound, the net learned a ChIP signal, by regression on the mean of "
            f"log(1 + value) in each bin, for {start['signal']['epochs']} epochs."
        )
    return " ".join([*sentences, always])


def binding_card(
    options: Mapping[str, Any], figures: Mapping[str, Any], frequencies: tuple[float, float, float, float], window: int
) -> Card:
    """The card, with what a reader needs to judge the model in ``training``.

    Args:
        options: of the run (`BindingOptions` as a mapping, with ``input``, the signal's name, and the architecture's
            ``summary`` and ``manner``).
        figures: of the run; see `trackgen.learn.binding_task`.
        frequencies: of A, C, G, T: the reference of contributions.
        window: L, bases.
    """
    net = figures["models"]["net"]
    threshold = net["threshold"]["value"]
    training = {
        "assembly": figures["data"]["assembly"], "data": options["data"], "architecture": options["architecture"],
        "manner": options["manner"], "seed": options["seed"], "split": figures["data"]["split"],
        "held_out": figures["data"]["split"]["test"], "peaks": figures["data"]["peaks"],
        "min_score": options["min_score"], "peak_width": options["peak_width"], "bins": figures["data"]["bins"],
        "motif": figures["motif"]["consensus"],
        "metrics": {
            "auroc": net["test"]["auroc"], "auprc": net["test"]["auprc"],
            "models": {
                name: {key: entry["test"][key] for key in FIGURES} for name, entry in figures["models"].items()
            },
        },
        "thresholds": {
            "chosen_on": figures["data"]["split"]["validation"],
            "bound": {"threshold": threshold} | {
                part: {key: net[part][key] for key in ("precision", "recall", "called", "bound")}
                for part in ("validation", "test")
            },
        },
        "calibration": {
            "fitted_on": figures["data"]["split"]["validation"], **net["calibration"],
            "sum": net["test"]["sum"], "bound": net["test"]["bound"], "reliability": net["test"]["reliability"],
        },
    }  # fmt: skip
    if figures["data"]["ambiguous_as"] == "unbound":
        training["ambiguous_as"] = "unbound"
    if "regions" in figures["data"]:
        training["regions"] = figures["data"]["regions"]
    bound = ClassSpec("bound", label=options["label"], color=COLOR, threshold=threshold)
    words = {"bin": BIN, "stride": STRIDE, "window": window, "summary": options["summary"]}
    words["signal"] = f" and from the signal {options['input']} over them" if options["input"] else ""
    inputs = [InputSpec("sequence", "sequence")]
    if options["input"]:
        inputs.append(InputSpec(options["input"], "signal", transform=(("log1p", ()),)))
    return Card(
        name=options["name"], window=window, bin=BIN, stride=STRIDE, strands="average", title=options["title"],
        license=options["license"], description=DESCRIPTION.format(**words),
        inputs=tuple(inputs),
        outputs=(OutputSpec("binding", "sigmoid", (bound,), role="probability", unit="probability"),),
        reference=ReferenceSpec(values=frequencies), contributions=ContributionSpec("probability", BIN),
        training=rounded(training),
    )  # fmt: skip


def write_report(
    folder: Path, card: Card, figures: Mapping[str, Any], curves: Mapping[str, Curve], command: str
) -> None:
    """``README.md``, and ``report/`` with ``metrics.json`` and pictures.

    Args:
        folder: the run's output folder; ``report/`` in it exists.
        card: of the exported model.
        figures: all of the run's.
        curves: model -> (recall, precision) on the test bins.
        command: the command line that makes the model again.
    """
    report = folder / "report"
    (report / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    plot_precision_recall({"bins of the test sequences": {LABELS[n]: c for n, c in curves.items()}},
                          report / "precision_recall.png")  # fmt: skip
    reliability = {card.classes[0].title: figures["models"]["net"]["test"]["reliability"]}
    plot_reliability(reliability, report / "reliability.png", "every bin of the test sequences")
    fit = figures["fit"]["net"]
    plot_history(fit["history"], fit["best_epoch"] - 1, report / "history.png")
    (folder / "README.md").write_text(_readme(card, figures, command))


def _readme(card: Card, figures: Mapping[str, Any], command: str) -> str:
    sections = [
        f"# {card.name}: {card.title}", card.description, _data_section(card, figures), _figure_section(figures),
        _calibration_section(card, figures), _limits_section(card), _again_section(command),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _data_section(card: Card, figures: Mapping[str, Any]) -> str:
    data = figures["data"]
    rows = [
        [part, ", ".join(data["split"][part]), *(f"{data['bins'][part][name]:,}" for name in data["bins"][part])]
        for part in ("train", "validation", "test")
    ]
    fit = figures["fit"]["net"]
    return f"""## Data, labels and split

{card.training["data"]}

Bins of {BIN} bp start at every multiple of {STRIDE} bp. A peak narrower than {data["peak_width"]} bp first becomes
{data["peak_width"]} bp wide around its middle.{_weak_sentence(data)} A bin is bound where one of the
{data["peaks"]["strong"]:,} other peaks covers half of it or more; ambiguous where peaks cover less of it than that, or
where a weak one covers any of it; else unbound. {_use_sentences(data)}

{card.training["manner"]} The motif: `{card.training["motif"]}`. Kept is the epoch with the lowest loss on bins drawn
from validation ({fit["best_epoch"]} of {fit["epochs"]}).

{markdown_table(["part", "sequences", "bound", "unbound", "ambiguous or unused"], rows)}"""


def _weak_sentence(data: Mapping[str, Any]) -> str:
    """Which peaks are weak, with a space before it; nothing where none is."""
    weak = data["peaks"]["weak"]
    low = f"peaks with a score below {data['min_score']:g}" if data["min_score"] else ""
    relaxed = "relaxed peaks" if data["relaxed"] else ""
    which = " and ".join(part for part in (low, relaxed) if part)
    return f" {which.capitalize()} ({weak:,} of them) are weak." if weak else ""


def _use_sentences(data: Mapping[str, Any]) -> str:
    """What becomes of ambiguous bins, and which bins train."""
    ambiguous = "Ambiguous bins, and those with unknown bases or on excluded stretches,\nneither train nor count."
    if data["ambiguous_as"] == "unbound":
        ambiguous = (
            "Ambiguous bins count as unbound, in\ntraining and in all figures, as in ten Dijke 2017; bins with unknown "
            "bases or on excluded stretches neither\ntrain nor count."
        )
    if "regions" not in data:
        return (
            f"{ambiguous} Training bins start at multiples of {TRAINING_STRIDE} bp; an epoch has one in "
            f"{STRIDE // TRAINING_STRIDE} of\nthose that are bound, and {UNBOUND_PER_BOUND} unbound ones for each, "
            "drawn from the whole training part."
        )
    cells = "; ".join(
        f"{entry['cell'] + ': ' if entry['cell'] else ''}{entry['bound']:,} bound and {entry['unbound']:,} unbound, "
        f"{entry['others']:,} of them off the signal's peaks"
        for entry in data["regions"]
    )
    return f"{ambiguous} Training bins: {cells}."


def _figure_section(figures: Mapping[str, Any]) -> str:
    rows = [
        [LABELS[name], *(f"{entry[part][key]:.3f}" for part in ("test", "validation") for key in FIGURES)]
        for name, entry in figures["models"].items()
    ]
    test = figures["models"]["net"]["test"]
    gain = ""
    if "sequence" in figures["models"]:
        blind = figures["models"]["sequence"]["test"]
        both = (f"{test[key] - blind[key]:+.3f} {name}" for key, name in (("auroc", "AUROC"), ("auprc", "AUPRC")))
        gain = (
            f" The regression is fitted\non training bins. What the signal adds to the net on test: {', '.join(both)}."
        )
    names = ("AUROC", "AUPRC", "recall at 50 % FDR", "recall at 10 % FDR")
    header = ["model", *(f"{name}{', validation' if part else ''}" for part in (0, 1) for name in names)]
    return f"""## Figures

On every bin of the test sequences at its natural share ({test["bound"]:,} bound of {test["bins"]:,},
{test["prevalence"]:.2%}), and on validation. The motif is found in the training peaks.{gain}

{markdown_table(header, rows)}"""


def _calibration_section(card: Card, figures: Mapping[str, Any]) -> str:
    net = figures["models"]["net"]
    rows = [
        [part, *(f"{net[part][key]:,}" for key in ("called", "bound")),
         *(f"{net[part][key]:.3f}" for key in ("precision", "recall"))]
        for part in ("validation", "test")
    ]  # fmt: skip
    table = [
        [f"{row['from']:g} to {row['to']:g}", f"{row['bases']:,}", f"{row['predicted']:.2e}", f"{row['observed']:.2e}"]
        for row in net["test"]["reliability"]
    ]
    calibration = net["calibration"]
    return f"""## Threshold and calibration

The threshold {card.classes[0].threshold:g} has the highest F1 on the bins of validation:

{markdown_table(["on", "bins called", "bins bound", "precision", "recall"], rows)}

The graph holds, in front of its sigmoid, a fixed scale ({calibration["scale"]:.4f}) and shift
({calibration["shift"]:+.3f}) of the logit, fitted by maximum likelihood to every bin of validation. Sum of the
probabilities over the test bins: {net["test"]["sum"]:,.0f}; bound: {net["test"]["bound"]:,}. Reliability there:

{markdown_table(["predicted", "bins", "mean predicted", "observed"], table)}"""


def _limits_section(card: Card) -> str:
    signal = ""
    if len(card.inputs) > 1:
        signal = f"""
The signal `{card.inputs[1].name}` has to be made as the one it was trained on was: `trackgen signal` counts
fragments over a base and divides by their mean over the genome, so that depth falls out. Another scale, assay or state
of the cells shifts the probabilities. Bases without a value read as 0: on stretches that the track leaves out the model
sees sequence in closed chromatin.
"""
    return f"""## Limits
{signal}
It learned from few sites of one experiment, and tells where this factor binds under
its conditions. Bins overlap: a site stands in four or five of them."""


def _again_section(command: str) -> str:
    return f"""## To make it again

```
{command}
```

The same seed, machine type and versions give the same weights; elsewhere the last digits may differ."""
