"""Precision-recall curves of tracks as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trackgen.evaluate.curve import FALSE_SHARES
from trackgen.evaluate.job import Evaluation
from trackgen.plot.save import save_figure

__all__ = ["plot_curves"]

COLORS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, told apart with any kind of colour vision."""
DPI = 150


def plot_curves(found: Mapping[str, Evaluation], path: Path) -> None:
    """One step curve a track, by name; dotted lines at the false discovery rates, dashed at the prevalence.

    Raises:
        UsageError, ResourceError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    axis.grid(True, color="#e4e4e4", linewidth=0.5)
    axis.set_axisbelow(True)
    for number, (name, entry) in enumerate(found.items()):
        figures = entry.figures
        recall = [0.0, *(point.right / max(figures.bound, 1) for point in figures.curve)]
        precision = [point.right / max(point.called, 1) for point in figures.curve]
        color = COLORS[number % len(COLORS)]
        # Matplotlib would read what is between two of them as mathematics, and hide what begins with an underscore.
        plain = name.replace("$", r"\$")
        label = f"{'' if plain[:1] != '_' else ' '}{plain}: AUPRC {figures.auprc:.3f}"
        if entry.intervals:
            low, high = entry.intervals.auprc
            label += f" ({low:.3f} to {high:.3f})"
        axis.plot(recall, [*precision[:1], *precision], color=color, linewidth=1.5, label=label)
    prevalence = next(iter(found.values())).figures.prevalence
    axis.axhline(prevalence, color="#555555", linestyle="--", linewidth=0.9, label=f"prevalence {prevalence:.2g}")
    for share in FALSE_SHARES:
        axis.axhline(1 - share, color="#999999", linestyle=":", linewidth=0.9)
        axis.annotate(
            f"{100 * share:g} % false", (1.0, 1 - share), (-2, 2), textcoords="offset points", ha="right",
            fontsize=7, color="#666666",
        )  # fmt: skip
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axis.legend(fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    save_figure(figure, [path], DPI, "Precision and recall")
