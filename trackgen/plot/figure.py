"""The figure: panels under each other on one axis of positions, with names, scales, genes and coordinates."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import UsageError
from trackgen.genome import Interval
from trackgen.genome.annotation import Gene
from trackgen.plot.models import GeneRows, draw_genes, place_genes
from trackgen.plot.panels import draw_panel, panel_limits
from trackgen.plot.sources import Panel
from trackgen.plot.style import MM, THEMES, Color, PlotOptions, Theme
from trackgen.plot.values import Columns

__all__ = ["LETTER_WIDTH", "Content", "Intervals", "Layout", "draw_figure", "layout_of"]

LETTER_WIDTH = 0.8
"""Points; where a base has less, contributions are bars."""
MARGIN, GAP, LABEL_GAP, TICK = 6.0, 6.0, 4.0, 2.0
POINTS_PER_PIXEL = 0.42
"""Of a panel's height in igv.js."""
LEAST_PANEL = 8.0
LABELS_AT_MOST, LABEL_LINES = 0.2, 4
"""The part of the figure's width that names may take, and their lines."""
SMALLER = 0.86
"""Of numbers on axes, and of names of genes."""


@dataclass(frozen=True)
class Intervals:
    """Genes, or what is drawn as they are, in sight; `colors` are of those that have their own."""

    name: str
    genes: tuple[Gene, ...]
    colors: Mapping[Gene, Color]


@dataclass(frozen=True)
class Content:
    """What is drawn: panels with the columns of each layer, intervals under them, codes of single bases or None."""

    locus: Interval
    panels: tuple[Panel, ...]
    columns: tuple[tuple[Columns, ...], ...]
    intervals: tuple[Intervals, ...]
    codes: NDArray[np.uint8] | None
    highlights: tuple[tuple[int, int], ...]
    heading: str


@dataclass(frozen=True)
class Layout:
    """Sizes in points: of the figure, and of its axes, which begin at `left`; `names` by their wrapped forms."""

    width: float
    left: float
    axes_width: float
    names: Mapping[str, str]


def layout_of(names: Sequence[str], options: PlotOptions) -> Layout:
    """How wide names and axes are, before any value is read."""
    width = options.width * MM
    measure = _measure(options.font_size)
    most = width * LABELS_AT_MOST
    letter = max(measure(name) / max(len(name), 1) for name in names) or 1.0
    wrapped = {name: _wrapped(name, max(4, int(most / letter))) for name in names}
    label = max((measure(line) for name in wrapped.values() for line in name.splitlines()), default=0.0)
    # Numbers of the scales stand between names and axes.
    numbers = _measure(options.font_size * SMALLER)("−0.0000")
    # Axes begin and end at the border of a pixel, so that columns of one pixel are sharp.
    pixel = 72 / options.dpi
    left = math.ceil((MARGIN + label + LABEL_GAP + numbers + TICK + 1) / pixel) * pixel
    axes_width = math.floor((width - left - MARGIN) / pixel) * pixel
    if axes_width < 36:
        raise UsageError(
            "the figure is too narrow for its names", place="--width", found=f"{options.width:g} mm", remedy="raise it"
        )
    return Layout(width, left, axes_width, wrapped)


def _measure(font_size: float) -> Callable[[str], float]:
    """The width of a text in points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    converter, properties = TextToPath(), FontProperties(family="DejaVu Sans", size=font_size)

    def width(text: str) -> float:
        measured, _, _ = converter.get_text_width_height_descent(text, properties, False)
        return float(measured)

    return width


def _wrapped(name: str, letters: int) -> str:
    """`name` in as few lines of so many letters as it fits into, of about one length; the last may end in dots."""
    count = -(-len(name) // letters)
    for length in range(max(4, len(name) // max(count, 1)), max(letters, 5) + 1):
        lines = textwrap.wrap(name, length)
        if len(lines) <= count:
            break
    if len(lines) > LABEL_LINES:
        lines = [
            *lines[: LABEL_LINES - 1],
            textwrap.shorten(" ".join(lines[LABEL_LINES - 1 :]), letters, placeholder=".."),
        ]
    return "\n".join(line[: letters + 2] for line in lines)


def draw_figure(content: Content, layout: Layout, options: PlotOptions) -> Any:
    """A matplotlib figure. The caller has set `trackgen.plot.style.settings`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    theme, font = THEMES[options.theme], options.font_size
    small = _measure(font * SMALLER)
    rows = [
        place_genes(part.genes, content.locus, layout.axes_width, small, font * SMALLER) for part in content.intervals
    ]
    heights, total = _heights(content.panels, rows, options)
    figure = Figure(figsize=(layout.width / 72, total / 72))
    FigureCanvasAgg(figure)
    canvas = _Canvas(figure, layout, total, content.locus)
    top = total - MARGIN - font * 2.0
    bottom = MARGIN + font * SMALLER + 8
    _highlight(canvas.axes(bottom, top - bottom), content, theme)
    _head(figure, canvas, content, total, theme, font)
    limits = panel_limits(content.panels, content.columns, options.scale)
    drawn = zip(content.panels, content.columns, limits, heights, strict=True)
    for number, (panel, columns, extent, height) in enumerate(drawn, 1):
        top -= height
        axis = canvas.axes(top, height)
        draw_panel(axis, panel, columns, extent, theme, content.codes, name=f"track{number}")
        _scale(axis, extent, panel.downwards, theme, font * SMALLER)
        _label(figure, canvas, layout.names[panel.name], top + height / 2, font)
        top -= GAP
    for number, (part, placed) in enumerate(zip(content.intervals, rows, strict=True)):
        if placed.rows:
            top -= placed.height
            axis, gid = canvas.axes(top, placed.height), f"intervals{number}" if number else "genes"
            draw_genes(
                axis, placed, content.locus, layout.axes_width, theme, font * SMALLER, colors=part.colors, name=gid
            )
            _label(figure, canvas, layout.names[part.name], top + placed.height / 2, font)
            top -= GAP
    _positions(canvas.axes(bottom - 1, 1), content.locus, layout.axes_width, theme, font * SMALLER)
    return figure


class _Canvas:
    """Axes by their lower edge and height in points, all with the positions of the locus."""

    def __init__(self, figure: Any, layout: Layout, total: float, locus: Interval) -> None:
        self._figure, self.layout, self.total, self._locus = figure, layout, total, locus

    def axes(self, bottom: float, height: float) -> Any:
        layout = self.layout
        box = (layout.left / layout.width, bottom / self.total, layout.axes_width / layout.width, height / self.total)
        axis = self._figure.add_axes(box, xlim=(self._locus.start, self._locus.end), xticks=[], yticks=[])
        axis.patch.set_visible(False)
        for side in ("top", "right", "left", "bottom"):
            axis.spines[side].set_visible(False)
        return axis


def _heights(panels: Sequence[Panel], rows: Sequence[GeneRows], options: PlotOptions) -> tuple[list[float], float]:
    """Points of each panel, and of the whole figure."""
    font = options.font_size
    around = 2 * MARGIN + font * 2.0 + font * SMALLER + 8 + GAP * len(panels)
    around += sum(part.height + GAP for part in rows if part.rows)
    natural = [max(LEAST_PANEL, min(panel.height, 1000.0) * POINTS_PER_PIXEL) for panel in panels]
    if options.height is None:
        return natural, around + sum(natural)
    total = options.height * MM
    room = total - around
    if room < LEAST_PANEL * len(panels):
        least = (around + LEAST_PANEL * len(panels)) / MM
        raise UsageError(
            "the figure is too low for its tracks",
            place="--height",
            found=f"{options.height:g} mm",
            wanted=f"at least {np.ceil(least):.0f} mm, or fewer --tracks",
        )
    return [height * room / sum(natural) for height in natural], total


def _highlight(axis: Any, content: Content, theme: Theme) -> None:
    axis.set_zorder(-1)
    for number, (start, end) in enumerate(content.highlights, 1):
        axis.axvspan(start, end, color=theme.highlight, linewidth=0, gid=f"highlight{number}")


def _head(figure: Any, canvas: _Canvas, content: Content, total: float, theme: Theme, font: float) -> None:
    """The heading on the left, and on the right a bar of a round length."""
    layout = canvas.layout
    base = layout.axes_width / (content.locus.end - content.locus.start)
    length, text = _round_length((content.locus.end - content.locus.start) / 5)
    right, middle = layout.left + layout.axes_width, total - MARGIN - font * 0.5
    end = right - length * base
    x, y = [end / layout.width, right / layout.width], [middle / total, middle / total]
    from matplotlib.lines import Line2D

    figure.add_artist(Line2D(x, y, color=theme.text, linewidth=1.2, solid_capstyle="butt", gid="scale-bar"))
    figure.text(
        (end - 3) / layout.width, middle / total, text, ha="right", va="center_baseline", fontsize=font * SMALLER
    )
    figure.text(
        MARGIN / layout.width, middle / total, content.heading, va="center_baseline", fontweight="bold", fontsize=font
    )


def _round_length(most: float) -> tuple[int, str]:
    """The largest of 1, 2 or 5 times a power of ten that is no more than `most` bases, and how it is written."""
    power = 10 ** max(0, int(np.floor(np.log10(max(most, 1)))))
    length = max(step * power for step in (1, 2, 5) if step * power <= max(most, 1))
    for unit, size in (("Mb", 1_000_000), ("kb", 1_000)):
        if length >= size:
            return length, f"{length // size:,} {unit}"
    return length, f"{length} bp"


def _label(figure: Any, canvas: _Canvas, name: str, middle: float, font: float) -> None:
    x, y = MARGIN / canvas.layout.width, middle / canvas.total
    figure.text(x, y, name, ha="left", va="center", fontsize=font, linespacing=1.15)


def _scale(axis: Any, limits: tuple[float, float], downwards: bool, theme: Theme, font: float) -> None:
    """A small axis with its two ends written."""
    axis.spines["left"].set_visible(True)
    axis.spines["left"].set(linewidth=0.5, color=theme.quiet)
    axis.set_yticks(list(limits), [_number(value) for value in limits])
    axis.tick_params(axis="y", length=TICK, width=0.5, pad=1, color=theme.quiet, labelcolor=theme.text, labelsize=font)
    low, high = axis.get_yticklabels()
    # Inside the panel's height, so that those of neighbours do not touch.
    low.set_va("top" if downwards else "bottom")
    high.set_va("bottom" if downwards else "top")


def _number(value: float) -> str:
    """At most three digits; with a true minus."""
    return f"{value:.3g}".replace("-", "−")


def _positions(axis: Any, locus: Interval, width: float, theme: Theme, font: float) -> None:
    """Coordinates, 1-based, a tick in the middle of its base."""
    from matplotlib.ticker import MaxNLocator

    measure = _measure(font)
    most = measure(f"{locus.end:,}")
    count = max(1, min(10, int(width / (most * 1.5))))
    ticks = MaxNLocator(nbins=count, integer=True, steps=[1, 2, 5, 10]).tick_values(locus.start + 1, locus.end)
    shown = [int(tick) for tick in ticks if locus.start + 1 <= tick <= locus.end and tick == int(tick)]
    axis.spines["bottom"].set_visible(True)
    axis.spines["bottom"].set(linewidth=0.6, color=theme.quiet)
    axis.set_xticks([tick - 0.5 for tick in shown], [f"{tick:,}" for tick in shown])
    axis.tick_params(axis="x", length=3, width=0.6, pad=1.5, color=theme.quiet, labelcolor=theme.text, labelsize=font)
    base = width / (locus.end - locus.start)
    before = -np.inf
    for tick, label in zip(shown, axis.get_xticklabels(), strict=True):
        at, long = (tick - 0.5 - locus.start) * base, measure(f"{tick:,}")
        # A number that would leave the figure ends at its tick, or is left out where another stands.
        inside = at + long / 2 <= width + MARGIN
        label.set_ha("center" if inside else "right")
        label.set_visible(at - (long / 2 if inside else long) > before + LABEL_GAP)
        before = at + long / 2
