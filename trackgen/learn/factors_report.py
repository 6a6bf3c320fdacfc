"""The card of a model of many factors, and the report of its training run: README.md, figures as JSON, pictures."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trackgen.card import Card, ClassSpec, ContributionSpec, InputSpec, OutputSpec, ReferenceSpec
from trackgen.learn.architectures.rc_multitask import COUNTED, POOL
from trackgen.learn.factors_counts import PENALTY
from trackgen.learn.figures import rounded
from trackgen.learn.plots import new_figure, save_figure
from trackgen.learn.tss_report import markdown_table

__all__ = ["factors_card", "plot_matrix", "write_report"]

DISTANCE = 50
"""Calls of one factor are this far apart, bp: half a window."""
DESCRIPTION = (
    "Probability that a factor binds within {near} bp, for {number} factors at once, every {stride} bp. Read from the "
    "{window} bases around, by a net that reads both strands with the same weights: a bank of kernels{motifs}, a trunk "
    "that all factors share, and hidden units of each factor's own; to them is added how often each of the "
    "{counted}-mers stands in the window. The probabilities are calibrated at the genome's own prevalence, factor by "
    "factor."
)
MANNER = (
    "Three nodes a factor, as ten Dijke 2017: unknown, unbound and bound, with weights 0, 1 and the ratio of unbound "
    "to bound windows (300 at most). An epoch has one window around every site of any factor, moved at random, and "
    "{per_site:g} times as many from anywhere, all drawn anew; of the unbound labels at sites one in ten counts; "
    "weights are averaged over steps (.99); the rate falls along a cosine. Kept is the epoch with the highest mean "
    "AUROC on windows drawn from validation. To its logit is added that of a regression of the factor's own on numbers "
    "of {counted}-mers (L2, C = {penalty:g}; training peaks against windows from anywhere), each of variance 1 there."
)


def factors_card(
    options: Mapping[str, Any], figures: Mapping[str, Any], frequencies: tuple[float, float, float, float], window: int
) -> Card:
    """The card, with what a reader needs to judge each factor in ``training``.

    Args:
        options: of the run (`FactorsOptions` as a mapping).
        figures: of the run; see `trackgen.learn.factors_task`.
        frequencies: of A, C, G, T: the reference of contributions.
        window: L, bases.
    """
    factors, data = figures["factors"], figures["data"]
    training = {
        "assembly": data["assembly"], "data": options["data"], "architecture": "rc_multitask",
        "manner": MANNER.format(per_site=options["per_site"], counted=COUNTED, penalty=PENALTY),
        "seed": options["seed"], "split": data["split"],
        "held_out": data["split"]["test"], "near": options["near"], "far": options["far"],
        "trained_on": data["factors"], "left_out": data["left_out"],
        "metrics": {
            name: {"peaks": entry["peaks"], "peak_auroc": entry["test"]["peak_auroc"],
                   "auroc": entry["test"]["auroc"], "auprc": entry["test"]["auprc"]}
            for name, entry in factors.items()
        },
        "thresholds": {
            "chosen_on": data["split"]["validation"],
            **{
                name: {"threshold": entry["threshold"]} | {
                    part: {key: entry[part][key] for key in ("precision", "recall", "called", "bound")}
                    for part in ("validation", "test")
                }
                for name, entry in factors.items()
            },
        },
        "calibration": {
            "fitted_on": data["split"]["validation"],
            **{name: {"scale": entry["scale"], "shift": entry["shift"], "sum": entry["test"]["sum"],
                      "bound": entry["test"]["bound"]} for name, entry in factors.items()},
        },
    }  # fmt: skip
    classes = tuple(
        ClassSpec(name, label=f"{name} bound", color=color, threshold=entry["threshold"])
        for (name, entry), color in zip(factors.items(), _colors(len(factors)), strict=True)
    )
    words = {
        "near": options["near"], "number": len(factors), "stride": POOL, "window": window,
        "counted": f"{4**COUNTED} {COUNTED}",
        "motifs": ", most of which start from known motifs" if data["motifs"] else "",
    }  # fmt: skip
    return Card(
        name=options["name"], window=window, bin=POOL, stride=POOL, strands="forward", title=options["title"],
        license=options["license"], description=DESCRIPTION.format(**words),
        inputs=(InputSpec("sequence", "sequence"),),
        outputs=(OutputSpec("binding", "sigmoid", classes, role="probability", unit="probability"),),
        reference=ReferenceSpec(values=frequencies), contributions=ContributionSpec("calls", DISTANCE),
        training=rounded(training),
    )  # fmt: skip


def _colors(number: int) -> list[str]:
    """Distinct colours, dark enough for a white page; neighbours in the list are far apart on the colour wheel."""
    wheel = [colorsys.hsv_to_rgb(i * 0.381966 % 1, 0.85, 0.7) for i in range(number)]
    return [",".join(str(round(255 * value)) for value in color) for color in wheel]


def write_report(folder: Path, card: Card, figures: Mapping[str, Any], command: str) -> None:
    """``README.md``, and ``report/`` (which exists) with ``metrics.json`` and ``matrix.png``."""
    report = folder / "report"
    (report / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    plot_matrix(figures["matrix"]["factors"], figures["matrix"]["auroc"], report / "matrix.png")
    (folder / "README.md").write_text(_readme(card, figures, command))


def plot_matrix(factors: Sequence[str], auroc: Sequence[Sequence[float]], path: Path) -> None:
    """AUROC of every factor's score (rows) on every factor's peaks (columns), like factors beside each other."""
    table = np.array(auroc, dtype=np.float64)
    order = _alike(table)
    size = max(4.0, 0.16 * len(factors) + 1.8)
    figure, (axis,) = new_figure(1, width=size + 0.8, height=size)
    axis.grid(False)
    image = axis.imshow(table[np.ix_(order, order)], cmap="RdBu_r", vmin=0, vmax=1, interpolation="nearest")
    names = [factors[i] for i in order]
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set(xlabel="windows around peaks of", ylabel="score of")
    figure.colorbar(image, ax=axis, shrink=0.6, label="AUROC against windows from anywhere")
    save_figure(figure, path)


def _alike(table: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """An order in which factors whose rows and columns are alike stand together (Ward linkage)."""
    if len(table) < 3:
        return list(range(len(table)))
    from scipy.cluster.hierarchy import leaves_list, linkage

    filled = np.nan_to_num(np.hstack([table, table.T]), nan=0.5)
    return [int(i) for i in leaves_list(linkage(filled, method="ward"))]


def _readme(card: Card, figures: Mapping[str, Any], command: str) -> str:
    sections = [
        f"# {card.name}: {card.title}", card.description, _data_section(card, figures), _figure_section(figures),
        _calibration_section(figures), _limits_section(card), _again_section(command),
    ]  # fmt: skip
    return "\n\n".join(section.strip() for section in sections) + "\n"


def _data_section(card: Card, figures: Mapping[str, Any]) -> str:
    data, training = figures["data"], card.training
    split = "; ".join(f"{part}: {', '.join(names)}" for part, names in data["split"].items())
    left_out = ", ".join(f"{name} ({why})" for name, why in data["left_out"].items()) or "none"
    motifs = sum(map(len, data["motifs"].values()))
    return f"""## Data, labels and split

{training["data"]}

A window is bound by a factor where the centre of one of its peaks lies at most {training["near"]} bp from the window's
middle, unknown up to {training["far"]} bp, else unbound; so a site of another factor is an unbound example.
{training["manner"]} {motifs} kernels start from motifs of {len(data["motifs"])} of the factors.

Split: {split}. Trained on {len(data["factors"])} factors; kept are the {len(figures["factors"])} that stand the test
on validation. Left out there: {left_out}.

Kept is epoch {figures["fit"]["best_epoch"]} of {figures["fit"]["epochs"]}."""


def _figure_section(figures: Mapping[str, Any]) -> str:
    rows = [
        [
            name, *(f"{entry['peaks'][part]:,}" for part in ("train", "validation", "test")),
            *(f"{entry[part][key]:.3f}" if np.isfinite(entry[part][key]) else "" for part, key in (
                ("validation", "peak_auroc"), ("test", "peak_auroc"), ("test", "auroc"), ("test", "auprc"))),
        ]
        for name, entry in figures["factors"].items()
    ]  # fmt: skip
    header = ["factor", "peaks: train", "validation", "test", "AUROC of peaks, validation", "AUROC of peaks, test",
              "AUROC of all windows, test", "AUPRC of all windows, test"]  # fmt: skip
    return f"""## Figures

AUROC of peaks: windows around the factor's peaks against windows from anywhere in the same part. Of all windows: those
at every {POOL}th base of the test sequences, bound against unbound, at their natural share. The table of every factor's
score on every factor's peaks is in `report/metrics.json`; factors of one complex share their sites and their scores.

{markdown_table(header, rows)}"""


def _calibration_section(figures: Mapping[str, Any]) -> str:
    rows = [
        [
            name, f"{entry['threshold']:g}",
            *(f"{entry[part][key]:.2f}" for part in ("validation", "test") for key in ("precision", "recall")),
            f"{entry['test']['sum']:,.0f}", f"{entry['test']['bound']:,}",
        ]
        for name, entry in figures["factors"].items()
    ]  # fmt: skip
    header = ["factor", "threshold", "precision, validation", "recall, validation", "precision, test", "recall, test",
              "sum of probabilities, test", "windows bound, test"]  # fmt: skip
    return f"""## Thresholds and calibration

Each factor's logit has a fixed scale and shift of its own in the graph, fitted by maximum likelihood to the windows at
every {POOL}th base of validation; its threshold has the highest F1 there. A site makes about five windows bound, so
precision and recall are of windows, not of sites.

{markdown_table(header, rows)}"""


def _limits_section(card: Card) -> str:
    return f"""## Limits

It sees {card.window} bases of sequence and nothing else: neither chromatin nor condition. Peaks of one experiment say
where a factor was, and for many factors that is a promoter rather than a motif: their scores are those of promoters,
and the table of scores on other factors' peaks tells which. The threshold of a factor with few peaks on validation is
rough."""


def _again_section(command: str) -> str:
    return f"""## To make it again

```
{command}
```

The same seed, machine type and versions give the same weights; elsewhere the last digits may differ."""
