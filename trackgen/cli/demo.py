"""``trackgen demo``: the whole main job on the yeast genome with the shipped models that need nothing beside it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from trackgen.cli.options import command_line, progress_options, progress_to, threads_option

__all__ = ["command"]

DEFAULT_STRIDE = 1
"""Bases between windows: the shipped models are about single bases, and run densely."""


BINDING = "binding-yeast"
BINDING_STRIDE = 10
BINDING_FACTORS = ("Reb1", "Mbp1", "Tbf1")
"""Of a model of many factors a page shows a few: each has a track and its letters."""


def _models_of_sequence() -> tuple[str, ...]:
    """Shipped models of yeast that read nothing but the genome: others need a track that the demo does not have."""
    from trackgen.card import read_card
    from trackgen.resources import shipped_models

    cards = {str(path): read_card(path) for path in shipped_models().values()}
    return tuple(
        path
        for path, card in cards.items()
        if card.training.get("assembly") == "sacCer3" and all(entry.kind == "sequence" for entry in card.inputs)
    )


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
    from trackgen.runtime import default_threads
    from trackgen.scan import ScanOptions, run_scan

    began = time.monotonic()
    with progress_to(quiet, log_file) as progress:
        path, origin = find_saccer3(genome, progress)
        progress.note(f"genome: {path.name} from {origin}, verified")
        models = _models_of_sequence()
        binding = tuple(model for model in models if Path(model).parent.name == BINDING)
        options = ScanOptions(
            models=tuple(model for model in models if model not in binding),
            genome=path,
            output=output / "tracks",
            stride=stride,
            contrib=("all",),
            device=device,
            threads=threads or default_threads(),
            overwrite=overwrite,
            command=command_line(),
        )
        results = [run_scan(options, progress)]
        if binding:
            # its own stride unless a coarser one is asked for
            wider = stride if stride > BINDING_STRIDE else None
            few = replace(options, models=binding, output=output / "binding", stride=wider)
            results.append(run_scan(replace(few, classes=BINDING_FACTORS, contrib=BINDING_FACTORS), progress))
        folders = [result.folder for result in results]
        hub = build_hub(folders, output / "hub", genome=str(path), email=None, url=None, progress=progress)
    for result in results:
        click.echo(f"tracks\t{result.folder} ({len(result.tracks)} BigWig files, run.json, skipped.bed)")
    click.echo(f"hub\t{output / 'hub'} (hub.txt for UCSC, igv.json, index.html)")
    click.echo(f"time\t{time.monotonic() - began:.0f} s")
    if open_page:
        from trackgen.cli.serve import command as serve

        click.get_current_context().invoke(serve, root=hub.path, open_page=True)
    else:
        click.echo(f"show\ttrackgen serve {output / 'hub'}")
