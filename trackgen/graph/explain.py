"""What the dense compiler did with a model, as text for people: passes, geometry, operations."""

from __future__ import annotations

from collections.abc import Sequence

from trackgen.graph.dense import DenseModel, Layer
from trackgen.graph.operations import Operations

__all__ = ["explain"]

COLUMNS = ("layer", "operator", "channels", "elements", "reach", "spacing", "grid", "by window", "dense")
QUIET = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Cast")
"""Operators that only rename what a layer holds; not worth a row."""


def explain(compiled: DenseModel) -> str:
    """Why a compiled model is fast, in words and a table.

    Columns: `elements` of one window at this layer; `reach`: bp of genome that one element sees; `spacing`: bp between
    elements (the cumulative stride); `grid`: bp between points of the tile; operations a base, window by window and
    dense.
    """
    operations = compiled.operations
    rows = [_row(layer, operations) for layer in compiled.layers if layer.op not in QUIET]
    lines = [
        f"windows of {compiled.window:,} bp every {compiled.stride:,} bp",
        "",
        "passes",
        *(f"  {line}" for line in compiled.log),
        "",
        "geometry: element j of window i stands at base i x stride + j x spacing; a tile keeps every grid point once",
        "  elements: of one window; reach: bp that one sees; spacing, grid: bp between elements, points of a tile;",
        "  by window, dense: operations a base (fast forms of convolutions, named above, take fewer than counted)",
        *(f"  {line}" for line in _table(rows)),
        "",
        "operations a base (multiply-adds, comparisons, function values), on one strand",
        f"  window by window  {operations.windowed:>16,.0f}",
        f"  dense             {operations.dense:>16,.0f}",
        f"  ratio             {operations.ratio:>16,.2f}",
    ]
    return "\n".join(lines)


def _row(layer: Layer, operations: Operations) -> tuple[str, ...]:
    place = ("1", "window", "-", f"{layer.step:,}")
    if layer.spacing:
        place = (f"{layer.length:,}", f"{layer.reach:,}", f"{layer.spacing:,}", f"{layer.step:,}")
    work = (operations.windowed_by_node.get(layer.node, 0.0), operations.dense_by_node.get(layer.node, 0.0))
    return (layer.node, layer.op, f"{layer.channels:,}", *place, *(f"{amount:,.0f}" for amount in work))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side, numbers to the right."""
    table = [COLUMNS, *rows]
    widths = [max(len(row[number]) for row in table) for number in range(len(COLUMNS))]
    left = (0, 1)
    return [
        "  ".join(
            cell.ljust(width) if number in left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
