"""Pictures of a locus, for papers: the tracks of a hub as PNG, SVG or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from trackgen.plot.sources import Source, bigwig_source, chosen, config_source, hub_source
from trackgen.plot.style import PlotOptions, check_options

__all__ = ["PlotOptions", "PlotReport", "Source", "bigwig_source", "config_source", "hub_source", "plot_locus"]


@dataclass(frozen=True)
class PlotReport:
    """What was drawn: the locus as people write it, the tracks' names, and what a person should know."""

    locus: str
    tracks: tuple[str, ...]
    notes: tuple[str, ...]


def plot_locus(locus: str, source: Source, outputs: Sequence[Path], options: PlotOptions | None = None) -> PlotReport:
    """Draw the tracks of `source` over a locus and write the figure to every path of `outputs`, all or none.

    Args:
        locus: ``chr:a-b`` (1-based, both ends included), ``chr``, or a gene's name where genes are known.
        outputs: files that end in .png, .svg or .pdf.

    Raises:
        UsageError: the locus, a track, an option or an output is no good.
        DataError: a track, the genome or the annotation is missing or malformed.
    """
    from trackgen.plot.draw import make_figure
    from trackgen.plot.save import check_outputs, save_figure

    options = options or PlotOptions()
    check_options(options)
    check_outputs(outputs)
    source = chosen(source, options.tracks)
    source = replace(source, sequence=options.genome or source.sequence, genes=options.genes or source.genes)
    with make_figure(locus, source, options) as made:
        save_figure(made.figure, outputs, options.dpi, made.locus)
    return PlotReport(made.locus, tuple(panel.name for panel in source.panels), (*source.notes, *made.notes))
