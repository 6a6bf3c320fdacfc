"""``trackgen call``: tracks to calls."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names

if TYPE_CHECKING:
    from trackgen.calls import Method

FILE = click.Path(path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class Threshold(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``VALUE`` or ``CLASS=VALUE`` -> (class or "", value)."""

    name = "[CLASS=]VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, _, number = value.rpartition("=")
        try:
            found = float(number)
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            self.fail(f"{value!r} is no finite number, alone or as CLASS=NUMBER", param, ctx)
        return name, found


@click.command()
@click.argument("tracks", metavar="TRACK.bw|OUT...", nargs=-1, required=True, type=FILE)
@click.option("-o", "--output", metavar="DIR", required=True, type=FILE, help="The folder of the calls.")
@click.option("--classes", multiple=True, callback=split_names, metavar="A,B", help="Only these classes.")
@click.option(
    "--threshold", multiple=True, type=Threshold(),
    help="Least value of a call, of all classes or of one.  [default: the card's]",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["stretches", "maxima"]),
    help="Stretches over the threshold, or places that are the highest around.  [default: maxima for models of single "
    "bases, else stretches]",
)  # fmt: skip
@click.option(
    "--merge", type=int, metavar="N",
    help="Stretches with at most N bases between them are one call.  [default: joins the model's bins that touch]",
)  # fmt: skip
@click.option("--distance", type=int, metavar="N", help="A maximum is the highest within N bp.  [default: the card's]")
@click.option("--min-width", type=int, default=1, show_default=True, metavar="N", help="Leave out narrower calls, bp.")
@click.option(
    "--strand", type=click.Choice(["+", "-", "."]),
    help="Of tracks that no scan wrote.  [default: from names that end in .plus.bw and .minus.bw]",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace the calls in DIR.")
@click.option("--tmp-dir", type=FOLDER, help="Where temporary files go.  [default: $TMPDIR]")
@progress_options
def command(
    tracks: tuple[Path, ...], output: Path, classes: tuple[str, ...], threshold: tuple[tuple[str, float], ...],
    method: Method | None, merge: int | None, distance: int | None, min_width: int, strand: str | None,
    overwrite: bool, tmp_dir: Path | None, quiet: bool, log_file: Path | None,
) -> None:  # fmt: skip
    """Turn tracks into calls: BED, narrowPeak and bigBed, and calls.json, which tells how they were made.

    OUT is the folder of a scan: then thresholds come from the models' cards, with the precision and recall that they
    stand for. Any other BigWig file needs --threshold. ``trackgen hub build --calls DIR`` puts the calls into a hub.
    """
    from trackgen.calls import CallOptions, make_calls
    from trackgen.hub.call_sources import call_sources

    named = dict(threshold)
    options = CallOptions(
        output=output, threshold=named.pop("", None), thresholds=named, method=method, merge=merge, distance=distance,
        min_width=min_width, overwrite=overwrite, temporary_folder=tmp_dir,
    )  # fmt: skip
    with progress_to(quiet, log_file) as progress:
        made = make_calls(call_sources(tracks, classes, strand), options, progress)
    for entry in made:
        click.echo(f"{entry.files['bed']}\t{entry.number}")
