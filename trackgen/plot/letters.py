"""Letters of bases as outlines on matplotlib axes: the ones of contributions, and those of sequence logos."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLORS", "draw_letters", "draw_logo", "letter_path"]

COLORS = {"A": "#2a8c3c", "C": "#2456b8", "G": "#e09a17", "T": "#c8321e"}
"""As browsers and logos of the field have it: A green, C blue, G orange, T red."""
WIDTH = 0.92
"""Of a letter, as a part of its column."""


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


def letter_path(base: str, centre: float, foot: float, height: float) -> Any:
    """The outline of a letter that stands on `foot`; a negative `height` turns it about its foot, upside down."""
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(WIDTH, height).translate(centre - WIDTH / 2, foot).transform_path(_letter(base))


def draw_letters(
    axis: Any, shapes: dict[str, list[Any]], colors: dict[str, str] | None = None, *, name: str = "letters"
) -> None:
    """Fill the outlines `shapes`, by base, each base in its colour; in SVG they are groups ``NAME-A`` and so on."""
    from matplotlib.collections import PathCollection

    for base, paths in shapes.items():
        if paths:
            color = (colors or COLORS)[base]
            letters = PathCollection(paths, facecolors=color, linewidths=0, transOffset=None, gid=f"{name}-{base}")
            axis.add_collection(letters, autolim=False)


def draw_logo(axis: Any, heights: NDArray[np.floating], *, first: int = 0) -> None:
    """Stack letters on `axis`: positive heights upward from zero; negative ones downward and upside down.

    The largest of either sign is the outermost.

    Args:
        heights: (4, W), of A, C, G and T.
        first: the position of column 0 on the x axis; each column is centred on its position.
    """
    shapes: dict[str, list[Any]] = {base: [] for base in COLORS}
    low = high = 0.0
    for column in range(heights.shape[1]):
        up = down = 0.0
        for base in np.argsort(np.abs(heights[:, column])):
            height = float(heights[base, column])
            if height == 0:
                continue
            foot = up if height > 0 else down
            shapes["ACGT"[base]].append(letter_path("ACGT"[base], first + column, foot, height))
            up, down = (up + height, down) if height > 0 else (up, down + height)
        low, high = min(low, down), max(high, up)
    draw_letters(axis, shapes)
    axis.set_xlim(first - 0.5, first + heights.shape[1] - 0.5)
    # An empty logo still needs a range.
    axis.set_ylim(low * 1.05, max(high, -low, 1e-9) * 1.05 if high == 0 else high * 1.05)
