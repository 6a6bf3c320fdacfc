"""``trackgen hub check``: the linter of hubs."""

from __future__ import annotations

import os
import sys

import click

# As of every refusal of data.
NOT_PASSED = 3


@click.command()
@click.argument("hub", metavar="PATH|URL")
@click.option("--json", "as_json", envvar="TRACKGEN_HUB_CHECK_JSON", is_flag=True, help="Print one JSON object.")
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1, max=3600),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a server may take to answer.",
)
def check(hub: str, as_json: bool, strict: bool, timeout: float) -> None:
    """Check a hub of any maker: a folder, its hub.txt, or a web address.

    Checks settings, parents, files, what is inside them, names against the genome, what single browsers do not show,
    and, with an address, the server. Exits with 3 where there is an error. Nothing is changed.
    """
    from trackgen.hub.check import check_hub, report_json, report_text

    found = check_hub(hub, seconds=timeout)
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    click.echo(report_json(found) if as_json else report_text(found, color=color), nl=False, color=color)
    if not found.passed(strict):
        sys.exit(NOT_PASSED)
