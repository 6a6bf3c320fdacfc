"""The pictures of the reports, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.learn.explain.occlusion import CENTRE, TATA, Region
from trackgen.learn.explain.page import Picture
from trackgen.plot.letters import draw_logo

__all__ = ["logo", "logo_grid", "mean_profiles", "places", "site_logos"]

Matrix = NDArray[np.floating]

DPI = 130
INK = "#23262b"
QUIET = "#8a8f97"
BAND = {TATA.name: "#f3d9d5", CENTRE.name: "#dde6f3"}
"""Colours that mark the two regions."""
LINES = ("#c81e1e", "#1e1ec8", "#444444", "#c88a1e")


def _figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, list[Any]]:
    """(figure, axes by row), without a display, and without state shared between figures."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, number + 1) for number in range(rows * columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(QUIET)
        axis.tick_params(colors=INK, labelsize=8)
    return figure, axes


def _picture(figure: Any, words: str) -> Picture:
    buffer = io.BytesIO()
    # no creation date and no version of the library: the same figures give the same bytes
    figure.savefig(buffer, dpi=DPI, metadata={"Software": None}, transparent=True)
    return Picture(buffer.getvalue(), words)


def logo(heights: Matrix, words: str) -> Picture:
    """One small logo without axes, for a table: (4, W) heights."""
    figure, (axis,) = _figure(0.17 * heights.shape[1] + 0.1, 0.62)
    draw_logo(axis, heights)
    axis.set_axis_off()
    return _picture(figure, words)


def logo_grid(matrices: Sequence[Matrix], titles: Sequence[str], label: str, words: str, columns: int = 4) -> Picture:
    """Many logos on one scale: each (4, W) heights."""
    rows = -(-len(matrices) // columns)
    figure, axes = _figure(2.6 * columns, 1.25 * rows, rows, columns)
    highest = max(float(np.maximum(matrix, 0).sum(axis=0).max()) for matrix in matrices)
    for axis in axes[len(matrices) :]:
        axis.set_axis_off()
    for number, (axis, matrix, title) in enumerate(zip(axes, matrices, titles, strict=False)):
        draw_logo(axis, matrix, first=1)
        axis.set_ylim(0, highest * 1.05 if highest > 0 else 1)
        axis.set_title(title, fontsize=9, color=INK, loc="left", pad=3)
        axis.set_xticks([])
        if number % columns == 0:
            axis.set_ylabel(label, fontsize=8, color=INK)
        else:
            axis.set_yticklabels([])
    return _picture(figure, words)


def _mark(axis: Any, *, legend: bool) -> None:
    """The TATA region and the centre as bands, the TSS as a line."""
    for region in (TATA, CENTRE):
        first, last = _edges(region)
        axis.axvspan(first, last, color=BAND[region.name], zorder=0, linewidth=0, label=region.text)
    axis.axvline(0, color=QUIET, linewidth=0.8, linestyle=":", zorder=1)
    if legend:
        axis.legend(fontsize=8, frameon=False, loc="upper left", ncols=2)


def _edges(region: Region) -> tuple[float, float]:
    return float(region.first or 0) - 0.5, float(region.last or 0) + 0.5


def mean_profiles(profiles: Mapping[str, Matrix], site: int, words: str) -> Picture:
    """The mean contribution (L,) at each base around the TSS, one panel a class, on one scale."""
    figure, axes = _figure(10.4, 2.3 * len(profiles), len(profiles))
    low = min(float(values.min()) for values in profiles.values())
    high = max(float(values.max()) for values in profiles.values())
    room = 0.08 * (high - low or 1)
    for number, (axis, (name, values)) in enumerate(zip(axes, profiles.items(), strict=True)):
        _mark(axis, legend=number == 0)
        axis.bar(np.arange(len(values)) - site, values, width=1.0, color=LINES[number % len(LINES)], zorder=2)
        axis.axhline(0, color=QUIET, linewidth=0.6)
        axis.set_ylim(low - room, high + room * (4 if number == 0 else 1))
        axis.set_xlim(-site - 0.5, len(values) - site - 0.5)
        axis.set_ylabel("mean contribution\n(logit)", fontsize=8.5, color=INK)
        axis.set_title(name, fontsize=10, color=INK, loc="left")
    axes[-1].set_xlabel("position relative to the TSS, bp", fontsize=9, color=INK)
    return _picture(figure, words)


def site_logos(logos: Mapping[str, Matrix], site: int, label: str, words: str) -> Picture:
    """Logos (4, L) of whole windows around the TSS, one panel a class, each on its own scale."""
    figure, axes = _figure(15.6, 2.2 * len(logos), len(logos))
    for number, (axis, (name, matrix)) in enumerate(zip(axes, logos.items(), strict=True)):
        highest = float(np.maximum(matrix, 0).sum(axis=0).max())
        _mark(axis, legend=number == 0)
        draw_logo(axis, matrix, first=-site)
        axis.set_ylim(0, (highest if highest > 0 else 1) * 1.25)
        axis.set_title(name, fontsize=10, color=INK, loc="left")
        axis.set_ylabel(label, fontsize=8.5, color=INK)
    axes[-1].set_xlabel("position relative to the TSS, bp", fontsize=9, color=INK)
    return _picture(figure, words)


def places(found: NDArray[np.int64], window: int, site: int, words: str) -> Picture:
    """Where hits begin in their windows, as a small histogram for a table."""
    figure, (axis,) = _figure(2.6, 0.62)
    bins = np.linspace(-site, window - site, 41)
    axis.hist(found - site, bins=bins, color=LINES[1], linewidth=0)
    axis.axvline(0, color=LINES[0], linewidth=0.8)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.set_xlim(bins[0], bins[-1])
    axis.tick_params(labelsize=6, length=2, pad=1)
    return _picture(figure, words)
