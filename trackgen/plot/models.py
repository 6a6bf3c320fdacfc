"""Genes on axes: exons and coding stretches as boxes, introns as lines, the strand as chevrons, names above."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from trackgen.genome import Interval
from trackgen.genome.annotation import Gene
from trackgen.plot.style import Color, Theme, readable

__all__ = ["GeneRows", "draw_genes", "place_genes"]

MOST_ROWS = 6
MODEL, NAME_GAP, ROW_GAP = 6.0, 1.5, 3.0
"""Points: the height of a gene, and of what is between it, its name and the next row."""
BETWEEN = 5.0
"""Points between genes of one row."""
CHEVRON, CHEVRON_STEP = 1.6, 9.0
THIN = 0.5
"""The height of exons that do not code, as a part of those that do."""


class Placed(NamedTuple):
    """A gene in a row from above; `middle` of its name, in bases."""

    gene: Gene
    row: int
    middle: float


class GeneRows(NamedTuple):
    """Genes in rows; without names where these have no room, then by strand."""

    placed: list[Placed]
    rows: int
    named: bool
    height: float
    """Points."""


def place_genes(
    genes: Sequence[Gene], locus: Interval, width: float, text_width: Callable[[str], float], font_size: float
) -> GeneRows:
    """Put genes into rows in which neither they nor their names touch.

    Args:
        width: of the axes, points.
        text_width: the width of a name, points.
    """
    base = (locus.end - locus.start) / width
    ends: list[float] = []
    placed = []
    for gene in sorted(genes, key=lambda gene: (gene.start, -gene.end)):
        left, right = max(gene.start, locus.start), min(gene.end, locus.end)
        half = text_width(gene.name) * base / 2
        # A name stands over the visible part of its gene, inside the axes.
        middle = min(max((left + right) / 2, locus.start + half), locus.end - half)
        low, high = min(left, middle - half), max(right, middle + half)
        row = next((row for row, end in enumerate(ends) if end + BETWEEN * base <= low), len(ends))
        if row == MOST_ROWS:
            return _by_strand(genes)
        ends[row : row + 1] = [high]
        placed.append(Placed(gene, row, middle))
    row_height = MODEL + NAME_GAP + font_size + ROW_GAP
    return GeneRows(placed, len(ends), True, len(ends) * row_height)


def _by_strand(genes: Sequence[Gene]) -> GeneRows:
    placed = [Placed(gene, 1 if gene.strand == "-" else 0, 0.0) for gene in genes]
    return GeneRows(placed, 2, False, 2 * (MODEL + ROW_GAP))


def draw_genes(
    axis: Any,
    rows: GeneRows,
    locus: Interval,
    width: float,
    theme: Theme,
    font_size: float,
    *,
    colors: Mapping[Gene, Color] | None = None,
    name: str = "genes",
) -> None:
    """Draw genes on axes of `width` points that are `rows.height` points high.

    Args:
        colors: of single genes, or of other intervals that are drawn as genes are.
        name: what the names of its groups in SVG begin with.
    """
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.patches import Rectangle

    axis.set_ylim(0, max(rows.height, 1))
    step = rows.height / rows.rows if rows.rows else 0.0
    base = (locus.end - locus.start) / width
    boxes, lines, light, dark = [], [], [], []
    fills: list[Any] = []
    for gene, row, middle in rows.placed:
        centre = rows.height - (row + 1) * step + ROW_GAP / 2 + MODEL / 2
        lines.append([(gene.start, centre), (gene.end, centre)])
        for start, end, height in _boxes(gene):
            boxes.append(Rectangle((start, centre - height / 2), end - start, height))
            fills.append(readable(colors[gene], theme.ground) if colors and gene in colors else theme.genes)
        if rows.named:
            inside, outside = _chevrons(gene, centre, locus, base)
            light += inside
            dark += outside
            foot = centre + MODEL / 2 + NAME_GAP
            axis.text(middle, foot, gene.name, ha="center", va="baseline", fontsize=font_size, fontstyle="italic")
    axis.add_collection(LineCollection(lines, colors=theme.genes, linewidths=0.7, gid=f"{name}-introns"), autolim=False)
    edge = 0 if rows.named else 0.3
    shapes = PatchCollection(boxes, facecolors=fills, edgecolors=fills, linewidths=edge, gid=f"{name}-exons")
    axis.add_collection(shapes, autolim=False)
    for segments, color in ((light, theme.ground), (dark, theme.genes)):
        axis.add_collection(LineCollection(segments, colors=color, linewidths=0.6, zorder=4), autolim=False)


def _boxes(gene: Gene) -> list[tuple[int, int, float]]:
    """(start, end, height) of what is thick: exons, and more so where they code; all of them where nothing does."""
    found = []
    for start, end in gene.exons:
        if gene.coding is None:
            found.append((start, end, MODEL * 0.7))
            continue
        first, last = max(start, gene.coding[0]), min(end, gene.coding[1])
        if (first, last) != (start, end):
            found.append((start, end, MODEL * THIN))
        if first < last:
            found.append((first, last, MODEL))
    return found


def _chevrons(gene: Gene, centre: float, locus: Interval, base: float) -> tuple[list[Any], list[Any]]:
    """Marks of the strand along the visible part of a gene: those on its boxes, and those on its introns."""
    if gene.strand == ".":
        return [], []
    ahead = CHEVRON * base * (1 if gene.strand == "+" else -1)
    left, right = max(gene.start, locus.start), min(gene.end, locus.end)
    count = int((right - left) / (CHEVRON_STEP * base))
    inside: list[Any] = []
    outside: list[Any] = []
    for number in range(count):
        tip = left + (number + 0.5) * (right - left) / count
        around = (tip - abs(ahead), tip + abs(ahead))
        on_box = any(start <= around[0] and around[1] <= end for start, end in gene.exons)
        if not on_box and any(start < around[1] and around[0] < end for start, end in gene.exons):
            continue
        mark = [(tip - ahead / 2, centre + CHEVRON), (tip + ahead / 2, centre), (tip - ahead / 2, centre - CHEVRON)]
        (inside if on_box else outside).append(mark)
    return inside, outside
