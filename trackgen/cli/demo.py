"""``trackgen demo``: the whole main job on the yeast genome with the shipped models."""

from __future__ import annotations

import time
from pathlib import Path

import click

from trackgen.cli.options import command_line, progress_options, progress_to, threads_option

__all__ = ["command"]

DEFAULT_STRIDE = 5
"""Bases between windows: window by window, a stride of 5 keeps the demo at a minute or two on two cores."""


@click.command()
@click.argument("output", default="trackgen-demo", type=click.Path(path_type=Path), metavar="[OUT]")
@click.option("--genome", type=click.Path(path_type=Path), help="Your own copy of sacCer3 (FASTA or 2bit).")
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    default=DEFAULT_STRIDE,
    show_default=True,
    help="Distance between windows, bp.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to run.")
@click.option("--overwrite", is_flag=True, help="Replace the run that OUT holds.")
@click.option(
    "--open",
    "open_page",
    envvar="TRACKGEN_DEMO_OPEN",
    is_flag=True,
    help="Serve the page at once and open it in the browser.",
)
@threads_option
@progress_options
def command(
    output: Path,
    genome: Path | None,
    stride: int,
    device: str,
    overwrite: bool,
    open_page: bool,
    threads: int | None,
    quiet: bool,
    log_file: Path | None,
) -> None:
    """Scan the yeast genome with the shipped models, build a hub in OUT, and say how to look at it."""
    from trackgen.genome.yeast import find_saccer3
    from trackgen.hub import build_hub
    from trackgen.resources import shipped_models
    from trackgen.runtime import default_threads
    from trackgen.scan import ScanOptions, run_scan

    began = time.monotonic()
    with progress_to(quiet, log_file) as progress:
        path, origin = find_saccer3(genome, progress)
        progress.note(f"genome: {path.name} from {origin}, verified")
        options = ScanOptions(
            models=tuple(map(str, shipped_models().values())),
            genome=path,
            output=output / "tracks",
            stride=stride,
            device=device,
            threads=threads or default_threads(),
            overwrite=overwrite,
            command=command_line(),
        )
        result = run_scan(options, progress)
        hub = build_hub([result.folder], output / "hub", genome=str(path), email=None, url=None, progress=progress)
    click.echo(f"tracks\t{result.folder} ({len(result.tracks)} BigWig files, run.json, skipped.bed)")
    click.echo(f"hub\t{output / 'hub'} (hub.txt for UCSC, igv.json, index.html)")
    click.echo(f"time\t{time.monotonic() - began:.0f} s")
    if open_page:
        from trackgen.cli.serve import command as serve

        click.get_current_context().invoke(serve, root=hub.path, open_page=True)
    else:
        click.echo(f"show\ttrackgen serve {output / 'hub'}")
