"""Tracks on axes: values as filled steps, contributions as letters, gaps as gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackgen.plot.letters import draw_letters, letter_path
from trackgen.plot.sources import Layer, Panel
from trackgen.plot.style import Color, Theme, readable
from trackgen.plot.values import Columns

__all__ = ["draw_panel", "panel_limits"]

Floats = NDArray[np.float64]

SHADE = 0.5
"""How strong the extremes of a column are drawn beside its mean."""
ZERO_LINE, GUIDE_LINE, CLIPPED_LINE = 0.4, 0.6, 1.0
"""Points."""


def panel_limits(
    panels: Sequence[Panel], columns: Sequence[Sequence[Columns]], scale: str
) -> list[tuple[float, float]]:
    """The range of values that each panel shows.

    Args:
        columns: of each panel, those of its layers.
        scale: ``fixed``, ``auto`` or ``shared``, as in `trackgen.plot.style.PlotOptions`.
    """
    own = [_seen(panel, layers) for panel, layers in zip(panels, columns, strict=True)]
    if scale == "fixed":
        return [panel.limits or seen for panel, seen in zip(panels, own, strict=True)]
    if scale == "auto":
        return own
    shared: dict[bool, tuple[float, float]] = {}
    for panel, (low, high) in zip(panels, own, strict=True):
        before = shared.get(panel.letters, (0.0, 0.0))
        shared[panel.letters] = min(low, before[0]), max(high, before[1])
    return [shared[panel.letters] for panel in panels]


def _seen(panel: Panel, layers: Sequence[Columns]) -> tuple[float, float]:
    """From the least to the largest value in sight, zero included; 0 to 1 where there is none."""
    low = high = 0.0
    for columns in layers:
        known = columns.value[np.isfinite(columns.value)]
        if len(known):
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (_outward(low), _outward(high)) if low < high else (0.0, 1.0)


def _outward(value: float) -> float:
    """The nearest number of two digits that is no nearer to zero: what an axis is labelled with."""
    if value == 0:
        return 0.0
    exponent = math.floor(math.log10(abs(value))) - 1
    digits = math.ceil(round(abs(value) / 10.0**exponent, 9))
    return math.copysign(float(f"{digits}e{exponent}"), value)


def draw_panel(
    axis: Any,
    panel: Panel,
    columns: Sequence[Columns],
    limits: tuple[float, float],
    theme: Theme,
    codes: NDArray[np.uint8] | None,
    *,
    name: str = "track",
) -> None:
    """Draw the layers of a panel.

    Args:
        columns: of each layer.
        codes: the bases in sight where they are wide enough for letters, one a column; else None.
        name: what the names of its groups in SVG begin with.
    """
    axis.set_ylim(limits[::-1] if panel.downwards else limits)
    for number, (layer, values) in enumerate(zip(panel.layers, columns, strict=True)):
        pen = _Pen(axis, limits, theme, name if number == 0 else f"{name}-{number}")
        if layer.letters and codes is not None:
            pen.letters(values, codes)
        else:
            pen.bars(layer, values)
        pen.zero_line(values)
        pen.beyond(values)
    if not any(np.isfinite(values.value).any() for values in columns):
        middle = {"ha": "center", "va": "center", "color": theme.quiet, "fontstyle": "italic", "fontsize": "smaller"}
        axis.text(0.5, 0.5, "no values", transform=axis.transAxes, **middle)
    for line in panel.lines:
        if limits[0] <= line <= limits[1]:
            axis.axhline(line, color=theme.quiet, linewidth=GUIDE_LINE, linestyle=(0, (1, 2)), zorder=3)


@dataclass(frozen=True)
class _Pen:
    """Draws one layer on `axis`, cut at `limits`; `name` begins the names of its groups in SVG."""

    axis: Any
    limits: tuple[float, float]
    theme: Theme
    name: str

    def bars(self, layer: Layer, columns: Columns) -> None:
        """The values as filled steps; where a step is a mean, the extremes behind it, paler."""
        color = readable(layer.color, self.theme.ground)
        if layer.statistic == "mean" and columns.low is not columns.value:
            for extreme, end in ((np.minimum(columns.low, 0), "low"), (np.maximum(columns.high, 0), "high")):
                self._fill(columns.edges, extreme, color, end, alpha=SHADE, zorder=1)
        self._fill(columns.edges, columns.value, color, "values", alpha=1.0, zorder=2)

    def _fill(self, edges: Floats, values: Floats, color: Color, part: str, *, alpha: float, zorder: int) -> None:
        from matplotlib.patches import PathPatch

        path = _steps(edges, values, self.limits)
        gid = f"{self.name}-{part}"
        self.axis.add_patch(PathPatch(path, facecolor=color, alpha=alpha, linewidth=0, zorder=zorder, gid=gid))

    def letters(self, columns: Columns, codes: NDArray[np.uint8]) -> None:
        """A letter for each base with a value, as high as this; below zero where it is negative, upside down."""
        shapes: dict[str, list[Any]] = {base: [] for base in "ACGT"}
        heights = np.clip(columns.value, *self.limits)
        drawn = np.isfinite(heights) & (heights != 0)
        for index in np.flatnonzero(drawn & (codes < len("ACGT"))):
            letter = letter_path("ACGT"[codes[index]], columns.edges[index] + 0.5, 0.0, float(heights[index]))
            shapes["ACGT"[codes[index]]].append(letter)
        draw_letters(self.axis, shapes, self.theme.letters, name=f"{self.name}-letters")
        unknown = np.flatnonzero(drawn & (codes >= len("ACGT")))
        places = columns.edges[unknown] + 0.5
        self.axis.bar(places, heights[unknown], width=0.5, color=self.theme.quiet, linewidth=0)

    def zero_line(self, columns: Columns) -> None:
        """A line at zero where the track has values, so that a gap is told from a zero."""
        if self.limits[0] <= 0 <= self.limits[1]:
            self._lines(columns.edges, np.isfinite(columns.value), 0.0, self.theme.quiet, ZERO_LINE, "zero")

    def beyond(self, columns: Columns) -> None:
        """A bar at the edge over columns whose value lies beyond it."""
        low, high = self.limits
        self._lines(columns.edges, columns.value > high, high, self.theme.text, CLIPPED_LINE, "above")
        self._lines(columns.edges, columns.value < low, low, self.theme.text, CLIPPED_LINE, "below")

    def _lines(
        self, edges: Floats, chosen: NDArray[np.bool_], height: float, color: str, width: float, part: str
    ) -> None:
        from matplotlib.collections import LineCollection

        segments = [[(edges[first], height), (edges[last], height)] for first, last in _runs(chosen)]
        if segments:
            gid = f"{self.name}-{part}"
            lines = LineCollection(segments, colors=color, linewidths=width, zorder=3, gid=gid, clip_on=False)
            self.axis.add_collection(lines, autolim=False)


def _steps(edges: Floats, values: Floats, limits: tuple[float, float]) -> Any:
    """The outline between zero and the values: a polygon for each run of columns that have one, cut at the limits."""
    from matplotlib.path import Path

    foot = min(max(0.0, limits[0]), limits[1])
    vertices: list[tuple[float, float]] = []
    codes: list[Any] = []
    for first, last in _runs(np.isfinite(values) & (values != 0)):
        shown = np.clip(values[first:last], *limits)
        # Neighbours of one height are one step.
        begins = np.flatnonzero(np.concatenate([[True], shown[1:] != shown[:-1]]))
        ends = np.concatenate([begins[1:], [last - first]])
        vertices.append((edges[first], foot))
        for begin, end in zip(begins, ends, strict=True):
            height = float(shown[begin])
            vertices += [(edges[first + begin], height), (edges[first + end], height)]
        vertices += [(edges[last], foot), (edges[first], foot)]
        codes += [Path.MOVETO, *[Path.LINETO] * (2 * len(begins) + 1), Path.CLOSEPOLY]
    return Path(np.array(vertices, np.float64).reshape(-1, 2), codes)


def _runs(chosen: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[first, last) of each stretch that is chosen."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]
