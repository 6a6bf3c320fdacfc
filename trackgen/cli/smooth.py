"""``trackgen smooth``: a track by a box or Gauss's curve."""

from __future__ import annotations

from pathlib import Path

import click

from trackgen.cli.options import progress_options, progress_to, split_names

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("track", metavar="TRACK.bw", type=FILE)
@click.option("-o", "--output", metavar="OUT.bw", required=True, type=FILE, help="The BigWig file to write.")
@click.option(
    "--kernel", metavar="box:N|gauss:S", required=True,
    help="The mean of N neighbouring bases, an odd number; or by Gauss's curve of S bases' standard deviation.",
)  # fmt: skip
@click.option("--chroms", multiple=True, callback=split_names, metavar="A,B", help="Only these sequences.")
@progress_options
def command(
    track: Path, output: Path, kernel: str, chroms: tuple[str, ...], quiet: bool, log_file: Path | None
) -> None:
    """Smooth a track: what a denoised one has to beat.

    Bases without a value keep none, and count nowhere.
    """
    from trackgen.signals.smoothing import parse_kernel, smooth_track

    chosen = parse_kernel(kernel)
    with progress_to(quiet, log_file) as progress:
        smooth_track(track, output, chosen, progress, chroms)
    click.echo(output)
