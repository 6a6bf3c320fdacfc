"""``trackgen view``: a hub in a browser, or in a running IGV Desktop."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from urllib.parse import quote

import click
from click.core import ParameterSource

from trackgen.cli.serve import tell_address
from trackgen.errors import UsageError
from trackgen.serve import DEFAULT_PORT, serve
from trackgen.serve.igv_desktop import IGV_PORT, SECONDS, IgvRequest, parse_range, show_in_igv

FOR_IGV = ("host", "genome", "data_range", "timeout")
"""Parameters without a meaning for the page."""


@click.command()
@click.argument("targets", metavar="HUB|FILE...", nargs=-1, required=True)
@click.option("--igv", is_flag=True, help="Show it in the IGV Desktop that is running, instead of a web browser.")
@click.option("--locus", metavar="LOCUS", help="What to show first: chr:a-b (1-based), or a gene's name.")
@click.option(
    "--port",
    metavar="P",
    type=click.IntRange(0, 65535),
    help=f"The port that IGV listens on ({IGV_PORT}), or that the hub is served on ({DEFAULT_PORT}, or a free one).",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The machine that IGV runs on.")
@click.option("--genome", metavar="NAME|FILE", help="The genome that IGV changes to first; a hub names its own.")
@click.option(
    "--range", "data_range", envvar="TRACKGEN_VIEW_RANGE", metavar="MIN,MAX", help="The axis of all tracks in IGV."
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=SECONDS,
    show_default=True,
    help="How long IGV may take for one command.",
)
@click.pass_context
def command(
    context: click.Context,
    targets: tuple[str, ...],
    igv: bool,
    locus: str | None,
    port: int | None,
    host: str,
    genome: str | None,
    data_range: str | None,
    timeout: float,
) -> None:
    """Show a hub in the web browser until Ctrl-C, or hubs and files in a running IGV Desktop (--igv)."""
    if not igv:
        refuse_options_of_igv(context)
        show_page(targets, locus, DEFAULT_PORT if port is None else port)
        return
    axis = None if data_range is None else parse_range(data_range)
    request = IgvRequest(targets, genome=genome, locus=locus, data_range=axis)

    def tell(asked: str, answer: str) -> None:
        click.echo(f"{asked}: {answer}", err=True)

    show_in_igv(request, host=host, port=IGV_PORT if port is None else port, seconds=timeout, on_answer=tell)


def refuse_options_of_igv(context: click.Context) -> None:
    """Refuse what says something to IGV alone, where the web browser is to show the hub.

    Raises:
        UsageError: such an option was written; those of the environment are for the other calls.
    """
    for parameter in context.command.params:
        written = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if written and parameter.name in FOR_IGV:
            remedy = "add --igv, or leave the option out"
            raise UsageError(f"{parameter.opts[0]} needs --igv", remedy=remedy)


def show_page(targets: tuple[str, ...], locus: str | None, port: int) -> None:
    """Serve one hub and open its page."""
    if len(targets) > 1:
        raise UsageError("the page shows one hub", found=", ".join(targets), remedy="--igv shows several")
    root = Path(targets[0])

    def open_page(address: str) -> None:
        tell_address(address, port, root)
        webbrowser.open(address + (f"?locus={quote(locus, safe=':,')}" if locus else ""))

    serve(root, port=port, on_ready=open_page)
