"""Pictures of a report: precision-recall curves, reliability, confusion, training history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COLORS",
    "new_figure",
    "plot_confusion",
    "plot_history",
    "plot_precision_recall",
    "plot_reliability",
    "save_figure",
]

COLORS = ("#c81e1e", "#1e1ec8", "#444444", "#c88a1e")
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(recall, precision)."""


def new_figure(panels: int, width: float = 4.2, height: float = 4.0) -> Any:
    """(figure, axes) without a display, and without state shared between figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, panels, i + 1) for i in range(panels)]
    for axis in axes:
        axis.grid(True, color="#dddddd", linewidth=0.5)
        axis.set_axisbelow(True)
    return figure, axes


def save_figure(figure: Any, path: Path) -> None:
    """Write a picture as PNG."""
    # no creation date and no version of the library: the same figures give the same bytes
    figure.savefig(path, dpi=110, metadata={"Software": None})


def plot_precision_recall(panels: Mapping[str, Mapping[str, Curve]], path: Path) -> None:
    """One panel a class, one line a model."""
    figure, axes = new_figure(len(panels))
    for axis, (title, curves) in zip(axes, panels.items(), strict=True):
        for color, (name, (recall, precision)) in zip(COLORS, curves.items(), strict=False):
            axis.plot(recall, precision, color=color, label=name, linewidth=1.4)
        axis.set(title=title, xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
        axis.legend(fontsize=8)
    save_figure(figure, path)


def plot_reliability(
    tables: Mapping[str, Sequence[Mapping[str, float]]],
    path: Path,
    title: str = "every base, both strands, test sequences",
) -> None:
    """Observed against predicted frequency, one line a class; bins with fewer than 20 bases are left out."""
    figure, (axis,) = new_figure(1, width=5.0, height=4.6)
    lowest = 1e-6
    axis.plot([lowest, 1], [lowest, 1], color="#999999", linewidth=1, linestyle="--", label="perfect")
    for color, (name, rows) in zip(COLORS, tables.items(), strict=False):
        shown = [row for row in rows if row["bases"] >= 20 and row["observed"] > 0]
        axis.plot(
            [row["predicted"] for row in shown], [row["observed"] for row in shown],
            marker="o", markersize=4, color=color, label=name, linewidth=1.2,
        )  # fmt: skip
    axis.set(xscale="log", yscale="log", xlabel="predicted probability", ylabel="observed frequency")
    axis.set(xlim=(lowest, 1), ylim=(lowest, 1), title=title)
    axis.legend(fontsize=8)
    save_figure(figure, path)


def plot_confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], path: Path) -> None:
    """Counts and shares of the true class (rows)."""
    table = np.array(counts, dtype=np.float64)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, (axis,) = new_figure(1, width=4.6)
    axis.grid(False)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(classes)):
        for column in range(len(classes)):
            axis.text(
                column, row, f"{counts[row][column]:,}\n{shares[row, column]:.1%}", ha="center", va="center",
                color="white" if shares[row, column] > 0.5 else "black", fontsize=9,
            )  # fmt: skip
    axis.set_xticks(range(len(classes)), classes)
    axis.set_yticks(range(len(classes)), classes)
    axis.set(xlabel="most probable class", ylabel="true class", title="test windows, 9 background to 1 TSS")
    save_figure(figure, path)


def plot_history(
    history: Sequence[Mapping[str, float]], best_epoch: int, path: Path, loss: str = "cross entropy (nats)"
) -> None:
    """Loss on training and validation windows by epoch."""
    figure, (axis,) = new_figure(1, width=5.0)
    epochs = [row["epoch"] + 1 for row in history]
    axis.plot(epochs, [row["train_loss"] for row in history], color=COLORS[2], label="training")
    axis.plot(epochs, [row["loss"] for row in history], color=COLORS[0], label="validation")
    axis.axvline(best_epoch + 1, color="#999999", linestyle="--", linewidth=1, label="kept")
    axis.set(xlabel="epoch", ylabel=loss)
    axis.legend(fontsize=8)
    save_figure(figure, path)
