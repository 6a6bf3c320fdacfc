"""``trackgen plot``: the tracks of a hub over a locus, as a figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names
from trackgen.errors import UsageError

if TYPE_CHECKING:
    from trackgen.plot import Source

MILLIMETRES = {"": 1.0, "mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72}
RUN, HUB = "run.json", "igv.json"
SUFFIXES = (".bw", ".bigwig", ".json")


class Length(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A length in mm, or with its unit: ``180``, ``18cm``, ``7in``."""

    name = "LENGTH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(mm|cm|in|pt|)\s*", str(value), re.IGNORECASE)
        if match is None:
            self.fail(f"{value!r} is no length: mm, or with a unit, such as 180, 18cm or 7in", param, ctx)
        return float(match[1]) * MILLIMETRES[match[2].lower()]


@click.command()
@click.argument("locus", required=False)
@click.argument("sources", metavar="[HUB|FILE...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="FIGURE", multiple=True, type=click.Path(path_type=Path),
    help="The file to write: .png, .svg or .pdf; may be given several times.",
)  # fmt: skip
@click.option(
    "--list", "only_list", envvar="TRACKGEN_PLOT_LIST", is_flag=True, help="List the tracks and end."
)  # fmt: skip
@click.option(
    "--tracks", metavar="A,B", multiple=True, callback=split_names,
    help="Draw these alone, in this order: names, ids or patterns, such as '*contrib*'.",
)  # fmt: skip
@click.option("--genome", metavar="FILE", type=click.Path(path_type=Path), help="FASTA or 2bit, for letters.")
@click.option("--genes", metavar="FILE", type=click.Path(path_type=Path), help="GTF, GFF3 or BED of genes to draw.")
@click.option(
    "--scale", type=click.Choice(["fixed", "auto", "shared"]), default="fixed", show_default=True,
    help="Limits of the hub, of the values in sight, or of those of all tracks of a kind.",
)  # fmt: skip
@click.option(
    "--highlight", metavar="START-END", multiple=True, help="Put a colour behind this part; may be given several times."
)
@click.option("--width", type=Length(), default="180mm", show_default=True, help="In mm, or with cm, in or pt.")
@click.option("--height", type=Length(), help="As --width.  [default: as the tracks need]")
@click.option("--dpi", type=int, default=300, show_default=True, help="Pixels an inch, of PNG.")
@click.option("--title", help="The heading.  [default: genome and locus]")
@click.option("--font-size", type=float, default=7.0, show_default=True, help="In points.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@progress_options
def command(
    locus: str | None, sources: tuple[Path, ...], output: tuple[Path, ...], only_list: bool, tracks: tuple[str, ...],
    genome: Path | None, genes: Path | None, scale: str, highlight: tuple[str, ...], width: float,
    height: float | None, dpi: int, title: str | None, font_size: float, theme: str, quiet: bool, log_file: Path | None,
) -> None:  # fmt: skip
    """Draw the tracks of a hub over LOCUS: letters, values, genes.

    LOCUS is chr:a-b (1-based, both ends included), chr, or a gene's name. HUB is a hub, a folder of trackgen scan, or
    BigWig files; without it, the current folder.
    """
    from trackgen.plot import PlotOptions, plot_locus

    if only_list:
        if locus is not None and _is_source(locus, sources):
            sources = (Path(locus), *sources)
        for panel in _source(sources).panels:
            click.echo(f"{panel.identifier}\t{panel.name}")
        return
    if locus is None:
        raise UsageError(
            "no locus is given", wanted="chr:a-b, chr or a gene's name", remedy="or list tracks with --list"
        )
    options = PlotOptions(
        width=width, height=height, dpi=dpi, title=title, font_size=font_size, scale=scale, theme=theme,
        highlights=highlight, tracks=tracks, genome=genome, genes=genes,
    )  # fmt: skip
    with progress_to(quiet, log_file) as progress:
        report = plot_locus(locus, _source(sources), output, options)
        for note in report.notes:
            progress.note(note)
    for path in output:
        click.echo(path)


def _is_source(text: str, sources: tuple[Path, ...]) -> bool:
    """Whether the first argument is no locus: lists of tracks need none.

    By itself it is a source even where there is none of this name, so that a slip is told and not taken for the locus
    of the hub in the current folder.
    """
    path = Path(text)
    if path.exists() or path.name != text or path.suffix.lower() in SUFFIXES:
        return True
    return not sources and not re.search(r":[\d,]", text)


def _source(sources: tuple[Path, ...]) -> Source:
    """A hub, a run, or BigWig files."""
    from trackgen.plot import bigwig_source, config_source, hub_source

    first = sources[0] if sources else Path()
    if len(sources) > 1 or (first.is_file() and first.suffix.lower() != ".json"):
        return bigwig_source(sources)
    if first.is_dir() and (first / RUN).is_file() and not (first / HUB).is_file():
        from trackgen.hub.figure import run_config

        config, lengths = run_config(first)
        return config_source(config, first / RUN, lengths)
    return hub_source(first)
