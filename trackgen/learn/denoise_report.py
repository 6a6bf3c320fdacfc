"""The card of a denoiser, and the report of its training run: README.md, figures as JSON, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, ContributionSpec, InputSpec, OutputSpec, ReferenceSpec
from trackgen.learn.architectures.denoise import RESOLUTION
from trackgen.learn.figures import rounded
from trackgen.learn.plots import Curve, new_figure, plot_history, plot_precision_recall, plot_reliability, save_figure
from trackgen.learn.tss_report import again_section, markdown_table

__all__ = ["PEAK", "SIGNAL", "denoise_card", "write_report"]

SIGNAL, PEAK = "signal", "peak"
"""Tracks of the model: the signal, and the probability of a peak."""
COLORS = {SIGNAL: "30,90,160", PEAK: "180,60,20"}
LABELS = {"noisy": "the thinned data itself", "gaussian": "the best Gaussian smoothing", "net": "this net"}
DESCRIPTION = (
    "Coverage by fragments as deep sequencing would show it, and the probability that a bin of {bin} bp lies in a peak "
    "of the deep data, from shallow data{sequence}: every {bin} bp, from the {window} bases around. A dilated "
    "convolutional net decides, bin by bin, how much of each of a bank of Gaussian smoothings of the input to take, so "
    "that no signal in is no signal out. Input and output are fold over the mean coverage; one model serves depths "
    "from {low:.2g} to {high:.2g} fragments over a base. Probabilities are calibrated over these depths."
)
MANNER = (
    "Every epoch takes up to {tiles} tiles of {bins} bins, thins the fragments of each anew to a share between "
    "{low:g} and {high:g} (log-uniform), and has the remaining fragments for the truth; half of the tiles read "
    "backwards. Loss: squared error, Poisson likelihood and correlation of the signal, cross-entropy of peaks. AdamW; "
    "the rate falls along a cosine; weights are averaged over steps (.995). Kept is the epoch of the lowest loss on "
    "validation."
)


def denoise_card(
    options: Mapping[str, Any], figures: Mapping[str, Any], frequencies: tuple[float, float, float, float], window: int
) -> Card:
    """The card, with what a reader needs to judge the model in ``training``.

    Args:
        options: of the run (`DenoiseOptions` as a mapping).
        figures: of the run; see `trackgen.learn.denoise_task`.
        frequencies: of A, C, G, T: the reference of contributions.
        window: L, bases.
    """
    data, judged = figures["data"], figures["judged"]
    low, high = data["recipe"]["depth"]
    training = {
        "assembly": data["assembly"], "data": options["data"], "architecture": "denoise", "seed": options["seed"],
        "manner": MANNER.format(
            tiles=options["tiles"], bins=1024, low=options["shallowest"], high=options["deepest"]
        ),
        "split": data["split"], "held_out": data["split"]["test"], "excluded": list(options["exclude"]),
        "fragments": data["fragments"], "depth": data["depth"], "peaks": data["peaks"],
        "signals": {options["input"]: data["recipe"]},
        "caveats": caveats(options, figures),
        "metrics": {part: judged[part] for part in ("validation", "test")},
        "gaussian": judged["gaussian"],
        "thresholds": {
            "chosen_on": data["split"]["validation"], "at": judged["middle"],
            PEAK: {"threshold": judged["threshold"]} | {part: _called(judged, part) for part in ("validation", "test")},
        },
        "calibration": {"fitted_on": data["split"]["validation"], **judged["calibration"]},
    }  # fmt: skip
    inputs = [InputSpec(options["input"], "signal", resolution=RESOLUTION)]
    if options["sequence"]:
        inputs.append(InputSpec("sequence", "sequence"))
    words = {
        "bin": RESOLUTION, "window": f"{window:,}", "low": low, "high": high,
        "sequence": " and the DNA sequence" if options["sequence"] else "",
    }  # fmt: skip
    return Card(
        name=options["name"], window=window, bin=RESOLUTION, stride=RESOLUTION,
        strands="average" if options["sequence"] else "forward", title=options["title"], license=options["license"],
        description=DESCRIPTION.format(**words), inputs=tuple(inputs),
        outputs=(
            OutputSpec(SIGNAL, "none", (ClassSpec(SIGNAL, label="Denoised coverage", color=COLORS[SIGNAL]),),
                       role="signal", unit=data["recipe"]["unit"]),
            OutputSpec(
                PEAK, "sigmoid",
                (ClassSpec(PEAK, label="In a peak", color=COLORS[PEAK], threshold=judged["threshold"]),),
                role="probability", unit="probability",
            ),
        ),
        reference=ReferenceSpec(values=frequencies), contributions=ContributionSpec("uniform"),
        training=rounded(training),
    )  # fmt: skip


def _called(judged: Mapping[str, Any], part: str) -> dict[str, Any]:
    net = judged[part][f"{judged['middle']:g}"]["net"]
    return {key: net[key] for key in ("precision", "recall", "called", "peak_bins")}


def caveats(options: Mapping[str, Any], figures: Mapping[str, Any]) -> list[str]:
    """What the model may invent, a sentence or two each, for the pages that show its tracks."""
    judged = figures["judged"]
    at, net = judged["middle"], judged["test"][f"{judged['middle']:g}"]["net"]
    told = [
        "A denoised track is a guess at deep data, not data. What it shows between fragments comes from what such "
        f"places look like in the data it learned from: {options['data'] or 'one library'}",
        f"At {at:.0%} of that data's depth {1 - net['precision']:.0%} of the bins that it calls on sequences it had "
        f"never seen were in no peak of the deep data, and it missed {1 - net['recall']:.0%} of those that were. A few "
        "fragments that fell together by chance can become a peak, and a weak site with none stays empty.",
        "Where it sees no fragment it tells none; where it sees few, height and width of a peak are those of typical "
        "peaks. Shapes within a peak, such as footprints, are not to be read from it.",
        "Piles of fragments that are no open chromatin (ribosomal DNA, mitochondria, repeats that the assembly holds "
        "once) stay piles, and nothing is learned about them.",
        "Differences between samples should be tested on the data themselves: two denoised tracks share what the model "
        "expects, and look more alike, or more surely different, than the fragments say.",
    ]
    if options["sequence"]:
        told.insert(1, (
            "It also reads the DNA: at a sequence that looks like an open site it takes few fragments for a peak, and "
            "elsewhere it takes them for noise. So it can draw sites that are closed in these cells, and it must not "
            "be used to ask what a sequence does."
        ))  # fmt: skip
    return told


def write_report(
    folder: Path, card: Card, figures: Mapping[str, Any], curves: Mapping[str, Curve], command: str
) -> None:
    """``README.md``, and ``report/`` (which exists) with ``metrics.json`` and pictures.

    Args:
        folder: the run's output folder.
        card: of the exported model.
        figures: all of the run's.
        curves: model -> (recall, precision) of peak bins on test.
        command: the command line that makes the model again.
    """
    report, judged = folder / "report", figures["judged"]
    (report / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    title = f"bins of test, {judged['middle']:.0%} of the fragments"
    plot_precision_recall({title: {LABELS[name]: curves[name] for name in curves}}, report / "precision_recall.png")
    plot_reliability({"in a peak": judged["calibration"]["reliability"]}, report / "reliability.png", title)
    plot_history(figures["fit"]["history"], figures["fit"]["best_epoch"] - 1, report / "history.png")
    _plot_depths(judged, report / "depths.png")
    (folder / "README.md").write_text(_readme(card, figures, command))


def _plot_depths(judged: Mapping[str, Any], path: Path) -> None:
    """Each figure on test against depth, a line a model."""
    figure, axes = new_figure(3)
    shares = [float(depth) for depth in judged["test"]]
    for axis, key, title in zip(axes, ("mse", "pearson", "auprc"), TITLES, strict=True):
        for name, color in zip(LABELS, ("#999999", "#c88a1e", "#1e1ec8"), strict=True):
            values = [entry[name][key] for entry in judged["test"].values()]
            axis.plot(shares, values, marker="o", markersize=4, color=color, label=LABELS[name])
        axis.set(xscale="log", xlabel="share of the fragments", title=title)
        if key == "mse":
            axis.set(yscale="log")
    axes[0].legend(fontsize=8)
    save_figure(figure, path)


TITLES = ("mean squared error", "Pearson correlation", "AUPRC of peak bins")


def _readme(card: Card, figures: Mapping[str, Any], command: str) -> str:
    sections = [
        f"# {card.name}: {card.title}", card.description, _use_section(card), _data_section(card, figures),
        _figure_section(figures["judged"]), _calibration_section(figures["judged"]), _caveats_section(card),
        again_section(command),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _use_section(card: Card) -> str:
    signal = next(entry for entry in card.inputs if entry.kind == "signal")
    return f"""## Use

```
trackgen scan {card.name} GENOME --signal {signal.name}=MY.bam -o OUT
trackgen call OUT/{card.name}.{PEAK}.bw -o PEAKS
```

`MY.bam` may be fragments (BED, BEDPE, 10x) or a BigWig track of fold over the mean coverage; the model's card says how
the track is made of reads, and `trackgen signal` makes it alone."""


def _data_section(card: Card, figures: Mapping[str, Any]) -> str:
    data, training, fit = figures["data"], card.training, figures["fit"]
    rows = [
        [part, ", ".join(data["split"][part]), f"{data['fragments'][part]:,}", f"{data['peak_bins'][part]:,}"]
        for part in ("train", "validation", "test")
    ]
    excluded = ", ".join(f"`{text}`" for text in training["excluded"]) or "nothing"
    return f"""## Data and split

{training["data"]}

{data["depth"]:.3g} fragments lie over a base of the usual genome. Peaks: {data["peaks"]}. Excluded: {excluded}.

{markdown_table(["part", "sequences", "fragments", "bins in peaks"], rows)}

{training["manner"]} It was epoch {fit["best_epoch"]} of {fit["epochs"]}."""


def _figure_section(judged: Mapping[str, Any]) -> str:
    rows = []
    for part in ("test", "validation"):
        for depth, models in judged[part].items():
            for name, entry in models.items():
                width = f" ({RESOLUTION * judged['gaussian'][depth]:g} bp)" if name == "gaussian" else ""
                values = [f"{entry[key]:.3f}" for key in ("mse", "pearson", "auprc")]
                rows.append([part, f"{float(depth):.0%}", LABELS[name] + width, *values])
    header = ["part", "depth", "model", *TITLES]
    return f"""## Figures

Of bins of {RESOLUTION} bp, at several depths. The truth is the fragments that the input does not hold, fold over the
mean; it has noise of its own, which no model can tell, and more of it where the input holds more. The Gaussian's
standard deviation has the least squared error on validation at that depth. Peaks are those of all fragments; the net's
score is the probability of a peak, that of the others the signal.

{markdown_table(header, rows)}"""


def _calibration_section(judged: Mapping[str, Any]) -> str:
    rows = [
        [part, f"{float(depth):.0%}", *(f"{models['net'][key]:,}" for key in ("called", "peak_bins")),
         *(f"{models['net'][key]:.3f}" for key in ("precision", "recall")), f"{models['net']['sum']:,.0f}"]
        for part in ("validation", "test") for depth, models in judged[part].items()
    ]  # fmt: skip
    calibration = judged["calibration"]
    header = ["on", "depth", "bins called", "bins in peaks", "precision", "recall", "sum of probabilities"]
    return f"""## Threshold and calibration

The threshold {judged["threshold"]:g} has the highest F1 on the bins of validation at {judged["middle"]:.0%} of the
fragments. The graph holds, in front of its sigmoid, a fixed scale ({calibration["scale"]:.4f}) and shift
({calibration["shift"]:+.3f}) of the logit, fitted by maximum likelihood to the bins of validation at all
depths together.

{markdown_table(header, rows)}"""


def _caveats_section(card: Card) -> str:
    return "## What it may invent\n\n" + "\n".join(f"- {sentence}" for sentence in card.training["caveats"])
