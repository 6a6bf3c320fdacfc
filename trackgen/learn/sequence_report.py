"""The card of a classifier of sequences, and the report of its training run: README.md, figures as JSON, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, ContributionSpec, InputSpec, OutputSpec, ReferenceSpec
from trackgen.learn.figures import rounded
from trackgen.learn.plots import Curve, plot_history, plot_precision_recall, plot_reliability
from trackgen.learn.tss_report import again_section, markdown_table

__all__ = ["sequence_card", "write_report"]

COLOR = "30,110,60"
LABELS = {
    "net": "this net", "motif": "best hit of the training sequences' motif",
    "kmers": "logistic regression on k-mer counts",
}  # fmt: skip
DESCRIPTION = (
    "Probability that the {length} bases around a place look like a bound sequence rather than an unbound one of its "
    "training set, by {summary}. {balance}"
)
BALANCED = (
    "It is calibrated where both are as frequent as in that set: on a genome, where binding is far rarer, it ranks "
    "places, and a high value alone does not make a site."
)
AT_PREVALENCE = (
    "It is calibrated for a genome of which {prevalence:g} of the windows are bound, the others being {others}."
)
OTHERS = {True: "windows of that genome away from those of the set", False: "like the set's unbound sequences"}
STRANDLESS = " Binding has no strand: the value is the mean of the window's and of its reverse complement's."
LONGER = " Scanned by windows of {window} bases, of which the highest motif hit counts."


def sequence_card(
    options: Mapping[str, Any], figures: Mapping[str, Any], frequencies: tuple[float, float, float, float],
    window: int, *, turned: bool,
) -> Card:  # fmt: skip
    """The card, with what a reader needs to judge the model in ``training``.

    Args:
        options: of the run (`SequenceOptions` as a mapping, with the architecture's ``summary``).
        figures: of the run; see `trackgen.learn.sequence_task`.
        frequencies: of A, C, G, T: the reference of contributions.
        window: L of the exported model, bases.
        turned: whether the value is the mean over both strands.
    """
    net, data = figures["models"]["net"], figures["data"]
    training = {
        "data": options["data"], "set": data["set"], "digest": data["digest"], "sequences": data["sequences"],
        "length": data["length"], "architecture": options["architecture"], "seed": options["seed"],
        "manner": {key: options[key] for key in ("optimizer", "learning_rate", "rho", "epsilon", "dropout",
                                                 "batch_size")} | {"best_step": figures["fit"]["best_step"]},
        "motif": data["motif"], "held_out": list(options["test"]),
        "metrics": {
            **figures["models"]["compared"]["net"], "models": figures["models"]["compared"],
        },
        "thresholds": {
            "chosen_on": list(options["validation"]) or "one in eight of the training sequences",
            "bound": {"threshold": net["threshold"]} | {
                part: {key: net[part][key] for key in ("precision", "recall", "called", "bound")}
                for part in ("validation", "test")
            },
        },
        "calibration": {"fitted_on": "validation", **net["calibration"], "reliability": net["test"]["reliability"]},
    }  # fmt: skip
    if net["prevalence"] is not None:
        training["calibration"] |= {"prevalence": net["prevalence"], "unbound": _others(options)}
    text = DESCRIPTION.format(length=data["length"], summary=options["summary"], balance=_balance(options))
    text += STRANDLESS if turned else ""
    text += LONGER.format(window=window) if window != data["length"] else ""
    stride = options["stride"]
    return Card(
        name=options["name"], window=window, bin=stride, stride=stride, strands="average" if turned else "forward",
        title=options["title"], license=options["license"], description=text,
        inputs=(InputSpec("sequence", "sequence"),), outputs=(_output(options, net["threshold"]),),
        reference=ReferenceSpec(values=frequencies), contributions=ContributionSpec("probability", window),
        training=rounded(training),
    )  # fmt: skip


def _others(options: Mapping[str, Any]) -> str:
    return OTHERS[options["genome"] is not None]


def _balance(options: Mapping[str, Any]) -> str:
    if options["prevalence"] is None:
        return BALANCED
    return AT_PREVALENCE.format(prevalence=options["prevalence"], others=_others(options))


def _output(options: Mapping[str, Any], threshold: float) -> OutputSpec:
    bound = ClassSpec("bound", label=options["label"], color=COLOR, threshold=threshold)
    if options["activation"] == "sigmoid":
        return OutputSpec("binding", "sigmoid", (bound,), role="probability", unit="probability")
    classes = (ClassSpec("unbound", track=False), bound)
    return OutputSpec("binding", "softmax", classes, role="probability", unit="probability")


def write_report(
    folder: Path, card: Card, figures: Mapping[str, Any], curves: Mapping[str, Curve], command: str
) -> None:
    """``README.md``, and ``report/`` with ``metrics.json`` and pictures.

    Args:
        folder: the run's output folder; ``report/`` in it exists.
        card: of the exported model.
        figures: all of the run's.
        curves: model -> (recall, precision) on the test sequences.
        command: the command line that makes the model again.
    """
    report = folder / "report"
    (report / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    plot_precision_recall({"test sequences": {LABELS[n]: c for n, c in curves.items()}},
                          report / "precision_recall.png")  # fmt: skip
    reliability = {card.classes[-1].title: figures["models"]["net"]["test"]["reliability"]}
    plot_reliability(reliability, report / "reliability.png", "test sequences")
    best = min(range(len(figures["fit"]["history"])), key=lambda i: -figures["fit"]["history"][i]["auroc"])
    plot_history(figures["fit"]["history"], best, report / "history.png")
    (folder / "README.md").write_text(_readme(card, figures, command))


def _readme(card: Card, figures: Mapping[str, Any], command: str) -> str:
    sections = [
        f"# {card.name}: {card.title}", card.description, _data_section(card, figures), _figure_section(figures),
        _threshold_section(card, figures), again_section(command),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _data_section(card: Card, figures: Mapping[str, Any]) -> str:
    data, fit = figures["data"], figures["fit"]
    rows = [
        [part, f"{counts['bound']:,}", f"{counts['unbound']:,}"] for part, counts in data["sequences"].items()
    ]  # fmt: skip
    notes = "".join(f"* {note}\n" for note in data["notes"]) + ("\n" if data["notes"] else "")
    origin = f"{card.training['data']}\n\n" if card.training["data"] else ""
    manner = card.training["manner"]
    rates = f" (rho {manner['rho']:g}, epsilon {manner['epsilon']:g})" if manner["optimizer"] == "adadelta" else ""
    return f"""## Data and training

{origin}The set `{data["set"]}`: sequences of {data["length"]} bp, digest {data["digest"]}.

{markdown_table(["part", "bound", "unbound"], rows)}

{notes}
{card.training["architecture"]}, trained by {manner["optimizer"]}{rates} at a rate of {manner["learning_rate"]:g} on
batches of {manner["batch_size"]}, dropout {manner["dropout"]:g}, seed {card.training["seed"]}. Kept is the step with
the highest AUROC on validation ({fit["best_step"]:,} of {fit["steps"]:,})."""


def _figure_section(figures: Mapping[str, Any]) -> str:
    rows = [
        [LABELS[name], f"{entry['auroc']:.3f}", f"{entry['auprc']:.3f}"]
        for name, entry in figures["models"]["compared"].items()
    ]
    test = figures["models"]["net"]["test"]
    apart = "" if test["auroc_apart"] is None else f"; without them the AUROC is {test['auroc_apart']:.3f}"
    return f"""## Figures

On the {sum(figures["data"]["sequences"]["test"].values()):,} test sequences, which neither trained nor chose:

{markdown_table(["model", "AUROC", "AUPRC"], rows)}

Of one strand alone the net's AUROC is {test["auroc_of_one_strand"]:.3f}. Of the test sequences,
{test["near_training"]:,} have a training sequence with half or more of their 12-mers{apart}.

The motif: `{figures["data"]["motif"]}`."""


def _threshold_section(card: Card, figures: Mapping[str, Any]) -> str:
    net, calibration = figures["models"]["net"], card.training["calibration"]
    rows = [
        [part, *(f"{net[part][key]:,}" for key in ("called", "bound")),
         *(f"{net[part][key]:.3f}" for key in ("precision", "recall"))]
        for part in ("validation", "test")
    ]  # fmt: skip
    precision = "Precision is that of the set's balance of classes, not of a genome"
    if "prevalence" in calibration:
        precision = (
            f"Against {calibration['unbound']} the AUROC on test is {net['test']['auroc']:.3f}. Precision is that of a "
            f"genome of which {calibration['prevalence']:g} of the windows are bound, the others being so"
        )
    moved = ", and moved to that prevalence" if "prevalence" in calibration else ""
    return f"""## Threshold and calibration

The threshold {net["threshold"]:g} has the highest F1 on validation. {precision}:

{markdown_table(["on", "called", "bound", "precision", "recall"], rows)}

The graph holds a fixed scale ({net["calibration"]["scale"]:.4f}) and shift ({net["calibration"]["shift"]:+.3f}) of the
log-odds, fitted by maximum likelihood to validation{moved}."""
