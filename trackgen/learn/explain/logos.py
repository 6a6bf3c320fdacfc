"""Sequence logos: letters as outlines, stacked on matplotlib axes."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLORS", "draw_logo", "information", "probabilities"]

Matrix = NDArray[np.floating]

COLORS = {"A": "#2a8c3c", "C": "#2456b8", "G": "#e09a17", "T": "#c8321e"}
"""As browsers and logos of the field have it: A green, C blue, G orange, T red."""
PSEUDOCOUNT = 1.0
"""Spread over the four bases in proportion to the background, when counts become probabilities."""


def probabilities(counts: Matrix, background: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, W) counts -> probabilities of each position, with one pseudocount of the background."""
    raised = counts + PSEUDOCOUNT * background[:, None]
    return np.asarray(raised / raised.sum(axis=0), dtype=np.float64)


def information(matrix: Matrix, background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights of a logo of (4, W) probabilities, bits against the background: p x sum of p log2(p / background)."""
    ratio = np.divide(matrix, background[:, None], out=np.ones_like(matrix), where=matrix > 0)
    bits = (matrix * np.log2(ratio)).sum(axis=0)
    return np.asarray(matrix * np.maximum(bits, 0), dtype=np.float64)


@functools.cache
def _letter(base: str) -> Any:
    """The outline of a letter, filling the unit square."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    path = TextPath((0, 0), base, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = path.get_extents()
    fit = Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height)
    return fit.transform_path(path)


def draw_logo(axis: Any, heights: Matrix, *, first: int = 0) -> None:
    """Stack letters on `axis`: positive heights upward from zero, negative ones downward, the largest outermost.

    Args:
        heights: (4, W), of A, C, G and T.
        first: the position of column 0 on the x axis; each column is centred on its position.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.transforms import Affine2D

    shapes: dict[str, list[Any]] = {base: [] for base in COLORS}
    low = high = 0.0
    for column in range(heights.shape[1]):
        up = down = 0.0
        for base in np.argsort(np.abs(heights[:, column])):
            height = float(heights[base, column])
            if height == 0:
                continue
            bottom = up if height > 0 else down + height
            place = Affine2D().scale(0.92, abs(height)).translate(first + column - 0.46, bottom)
            shapes["ACGT"[base]].append(place.transform_path(_letter("ACGT"[base])))
            up, down = (up + height, down) if height > 0 else (up, down + height)
        low, high = min(low, down), max(high, up)
    for base, paths in shapes.items():
        if paths:
            axis.add_collection(PathCollection(paths, facecolors=COLORS[base], linewidths=0, transOffset=None))
    axis.set_xlim(first - 0.5, first + heights.shape[1] - 0.5)
    # An empty logo still needs a range.
    axis.set_ylim(low * 1.05, max(high, -low, 1e-9) * 1.05 if high == 0 else high * 1.05)
