"""The pictures of a sweep's report, as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trackgen.learn.plots import new_figure, save_figure
from trackgen.learn.sweep.figures import BASE, FAILED, Models

__all__ = ["plot_cut_down", "plot_deepbind", "plot_deltas", "plot_distributions"]

QUIET = "#8a8f97"
MANY = 12
"""Sets beyond which each is no longer named by a colour."""
WORDS = "mean test AUROC over seeds"


def plot_distributions(models: Models, fraction: int | None, path: Path) -> None:
    """AUROC by architecture: a box over the sets, and a point for each set (its mean over seeds)."""
    architectures, sets = models.architectures(fraction), models.sets(fraction)
    figure, (axis,) = new_figure(1, width=2.6 + 0.62 * len(architectures), height=4.6)
    columns = [
        [value for name in sets if (value := models.mean(name, code, fraction)) is not None] for code in architectures
    ]
    axis.boxplot(
        columns, positions=range(len(columns)), widths=0.62, showfliers=False,
        boxprops={"color": QUIET}, whiskerprops={"color": QUIET}, capprops={"color": QUIET},
        medianprops={"color": "#23262b", "linewidth": 1.6},
    )  # fmt: skip
    colors = _colors(len(sets))
    for number, name in enumerate(sets):
        means = [models.mean(name, code, fraction) for code in architectures]
        shown = [(i, value) for i, value in enumerate(means) if value is not None]
        shift = (number / max(len(sets) - 1, 1) - 0.5) * 0.4
        axis.plot(
            [i + shift for i, _ in shown], [value for _, value in shown], linestyle="", marker="o", markersize=4,
            color=colors[number], label=name,
        )  # fmt: skip
    axis.set_xticks(range(len(architectures)), architectures, rotation=40, ha="right", rotation_mode="anchor")
    axis.set(ylabel=WORDS)
    if len(sets) <= MANY:
        axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save_figure(figure, path)


def _colors(number: int) -> list[Any]:
    from matplotlib import colormaps

    if number > MANY:
        return [QUIET] * number
    return [colormaps["tab10" if number <= 10 else "tab20"](i) for i in range(number)]


def plot_deltas(table: Mapping[str, Any], sizes: Mapping[str, int], path: Path) -> None:
    """Figure 4A and B: change of the AUROC from `BASE`, sets clustered by Ward's method, their sizes below.

    Args:
        table: of `trackgen.learn.sweep.figures.deltas`.
        sizes: set -> bound sequences that were learned from.
        path: of the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sets, values = table["sets"], np.array(table["values"])
    many = len(sets) > 30
    figure = Figure(
        figsize=(3.4 + (0.12 if many else 0.75) * len(sets), 3.4 + 0.32 * len(values)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    tree, heat, bars = figure.subplots(3, 1, sharex=True, height_ratios=[1, 0.34 * len(values), 1])
    _draw_tree(tree, table)
    limit = max(float(np.quantile(np.abs(values), 0.9)), 0.01)  # one hopeless net must not take all colours
    image = heat.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
    heat.set_yticks(range(len(values)), table["architectures"], fontsize=8)
    if not many:
        for row, column in np.ndindex(values.shape):
            dark = abs(values[row, column]) > 0.6 * limit
            heat.text(column, row, f"{values[row, column]:+.3f}", ha="center", va="center", fontsize=7,
                      color="white" if dark else "black")  # fmt: skip
    figure.colorbar(image, ax=heat, extend="both", label=f"change of AUROC\nfrom {BASE}", pad=0.01)
    bars.bar(range(len(sets)), [sizes[name] for name in sets], color=QUIET)
    lowest = min(sizes[name] for name in sets)
    bars.set(yscale="log", ylim=(10 ** np.floor(np.log10(lowest / 2)), None))
    bars.set_ylabel("bound\nsequences", fontsize=8)
    bars.set_xticks(range(len(sets)), [] if many else sets, rotation=40, ha="right", rotation_mode="anchor")
    save_figure(figure, path)


def _draw_tree(axis: Any, table: Mapping[str, Any]) -> None:
    """The dendrogram, its leaves at 0, 1, ...: scipy puts them at 5, 15, ... ."""
    axis.set_axis_off()
    if table["linkage"] is None:
        return
    from scipy.cluster.hierarchy import dendrogram

    drawn = dendrogram(np.array(table["linkage"]), no_plot=True)
    for x, y in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        axis.plot((np.array(x) - 5) / 10, y, color=QUIET, linewidth=1.2)


def plot_deepbind(comparison: Mapping[str, Any], path: Path) -> None:
    """Figure 2B: one point a set, whose arms reach over the seeds; left of the dotted line nothing was learned."""
    code = comparison["architecture"]
    figure, (axis,) = new_figure(1, width=5.0, height=4.6)
    axis.plot([0.45, 1], [0.45, 1], color="#999999", linewidth=1, linestyle="--")
    lows = [1.0]
    colors = _colors(len(comparison["points"]))
    for color, (name, values) in zip(colors, comparison["points"].items(), strict=True):
        x, y = (np.array(values[one]) for one in (code, BASE))
        axis.errorbar(
            x.mean(), y.mean(), xerr=[[x.mean() - x.min()], [x.max() - x.mean()]],
            yerr=[[y.mean() - y.min()], [y.max() - y.mean()]], fmt="o", markersize=5, linewidth=1,
            color=color, label=name,
        )  # fmt: skip
        lows += [float(x.min()), float(y.min())]
    low = max(min(lows) - 0.03, 0.0)
    axis.axvline(FAILED, color="#999999", linewidth=0.8, linestyle=":")
    if len(colors) <= MANY:
        axis.legend(fontsize=8, loc="upper left")
    axis.set(xlim=(low, 1.005), ylim=(low, 1.005), xlabel=f"{code}, test AUROC", ylabel=f"{BASE}, test AUROC")
    r2 = comparison["r_squared"]
    axis.set_title(f"{len(comparison['points'])} sets" + (f", R² = {r2:.3f}" if r2 is not None else ""), fontsize=10)
    save_figure(figure, path)


def plot_cut_down(changes: Mapping[str, Mapping[int, float]], path: Path) -> None:
    """Mean change of the AUROC from `BASE` by size of the training set, one line an architecture.

    Args:
        changes: architecture -> {bound sequences: change}.
        path: of the picture.
    """
    figure, (axis,) = new_figure(1, width=6.6, height=4.4)
    colors = _colors(len(changes))
    for color, (name, line) in zip(colors, changes.items(), strict=True):
        sizes = sorted(line)
        axis.plot(sizes, [line[size] for size in sizes], marker="o", markersize=4, color=color, label=name)
    axis.axhline(0, color="#999999", linewidth=1, linestyle="--")
    sizes = sorted({size for line in changes.values() for size in line})
    axis.set(xscale="log", xlabel="bound sequences in the training set", ylabel=f"change of AUROC from {BASE}")
    axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axis.minorticks_off()
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    save_figure(figure, path)
