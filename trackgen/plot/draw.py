"""Reads what a figure shows, and draws it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trackgen.errors import DataError
from trackgen.genome import Interval, open_genome, open_signal
from trackgen.genome.annotation import Gene, read_annotation
from trackgen.genome.intervals import read_big_bed
from trackgen.plot.figure import LETTER_WIDTH, Content, Intervals, Layout, draw_figure, layout_of
from trackgen.plot.places import find_locus, parse_highlight
from trackgen.plot.sources import Panel, Source, parse_color
from trackgen.plot.style import THEMES, PlotOptions, settings
from trackgen.plot.values import Columns, read_columns

__all__ = ["Made", "make_figure"]

GENES = "genes"


class Made(NamedTuple):
    """A matplotlib figure of a locus, and what a person should know of it."""

    figure: Any
    locus: str
    notes: tuple[str, ...]


@contextmanager
def make_figure(locus: str, source: Source, options: PlotOptions) -> Iterator[Made]:
    """The figure of `source` over `locus`, under the settings that it must be saved with.

    Raises:
        UsageError: the locus or a highlight is no good, or the figure is too small for what is on it.
        DataError: a track, the genome or the annotation is missing or malformed.
    """
    import matplotlib

    genes = read_annotation(source.genes, source.lengths).genes if source.genes else None
    place = find_locus(locus, source.lengths, genes or ())
    highlights = tuple(parse_highlight(text, place) for text in options.highlights)
    heading = f"{place.name}:{place.start + 1:,}–{place.end:,}"
    with warnings.catch_warnings(), matplotlib.rc_context(settings(THEMES[options.theme], options.font_size)):
        # A letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        intervals = _intervals(source, genes, place)
        layout = layout_of([panel.name for panel in source.panels] + [part.name for part in intervals], options)
        codes, notes = _letters(source, place, layout)
        content = Content(
            locus=place,
            panels=source.panels,
            columns=_columns(source.panels, place, layout, options),
            intervals=intervals,
            codes=codes,
            highlights=highlights,
            heading=_heading(options, source, heading),
        )
        if source.panels and not any(
            np.isfinite(columns.value).any() for layers in content.columns for columns in layers
        ):
            notes = (*notes, f"no track has a value in {heading}")
        yield Made(draw_figure(content, layout, options), heading, notes)


def _heading(options: PlotOptions, source: Source, locus: str) -> str:
    if options.title is not None:
        return " ".join("".join(letter if letter.isprintable() else " " for letter in options.title).split())
    return f"{source.genome}  {locus}" if source.genome else locus


def _intervals(source: Source, genes: tuple[Gene, ...] | None, place: Interval) -> tuple[Intervals, ...]:
    """The genes in sight, then the hits of each file."""
    result = []
    if genes is not None:
        seen = (gene for gene in genes if gene.sequence == place.name)
        shown = tuple(gene for gene in seen if gene.start < place.end and gene.end > place.start)
        result.append(Intervals(GENES, shown, {}))
    for hits in source.hits:
        colors = {}
        for item in read_big_bed(hits.path, place):
            name, _, strand, _, _, color = (*item.columns, *[""] * 6)[:6]
            span = (item.start, item.end)
            gene = Gene(name, name, place.name, *span, strand or ".", (span,), span, 0)
            colors[gene] = parse_color(color)
        result.append(Intervals(hits.name, tuple(colors), colors))
    return tuple(result)


def _columns(
    panels: tuple[Panel, ...], place: Interval, layout: Layout, options: PlotOptions
) -> tuple[tuple[Columns, ...], ...]:
    # A column is a pixel: were it less, a narrow peak would fade.
    count = max(1, round(layout.axes_width / 72 * options.dpi))
    result = []
    for panel in panels:
        layers = []
        for layer in panel.layers:
            with open_signal(layer.path) as reader:
                layers.append(read_columns(reader, place, count, layer.statistic))
        result.append(tuple(layers))
    return tuple(result)


def _letters(source: Source, place: Interval, layout: Layout) -> tuple[NDArray[np.uint8] | None, tuple[str, ...]]:
    """The codes of the bases in sight, where letters are wanted, have room, and the sequence is known."""
    length = place.end - place.start
    if not any(panel.letters for panel in source.panels) or layout.axes_width / length < LETTER_WIDTH:
        return None, ()
    if source.sequence is None:
        return None, ("the genome's sequence is not known here, so contributions are bars; give it with --genome FILE",)
    with open_genome(source.sequence) as genome:
        if genome.lengths.get(place.name) != source.lengths[place.name]:
            raise DataError(
                "the genome has not the sequence that the tracks stand on",
                path=source.sequence,
                found=f"{place.name} of {genome.lengths.get(place.name, 0):,} bp",
                wanted=f"{source.lengths[place.name]:,} bp",
            )
        return genome.fetch(place.name, place.start, place.end), ()
