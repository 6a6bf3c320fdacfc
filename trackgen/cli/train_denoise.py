"""``trackgen train denoise``: a model that denoises shallow ATAC-seq, from deep data of the user's own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names, threads_option

__all__ = ["denoise"]

FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--deep", required=True, multiple=True, type=FILE,
    help="Deep data: BAM, or fragments (BED, BEDPE, 10x); several are taken together.",
)  # fmt: skip
@click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit.")
@click.option("--peaks", type=FILE, help="Peaks of the deep data: BED, narrowPeak.  [default: macs3 calls them]")
@click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report.")
@click.option("--validation", required=True, multiple=True, callback=split_names, help="Sequences to choose by: A,B.")
@click.option("--test", required=True, multiple=True, callback=split_names, help="Sequences to judge by: A,B.")
@click.option("--exclude", multiple=True, help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence.")
@click.option("--sequence", is_flag=True, help="The model reads the DNA, too.")
@click.option("--input", default="atac", show_default=True, help="Name of the model's signal, for scan --signal.")
@click.option("--shallowest", default=0.01, show_default=True, help="Smallest share that the data is thinned to.")
@click.option("--deepest", default=0.5, show_default=True, help="Largest share that the data is thinned to.")
@click.option("--pairs", type=click.Choice(["auto", "paired", "reads"]), default="auto", show_default=True,
              help="Whole fragments of read pairs, or single reads.")  # fmt: skip
@click.option("--mapping-quality", default=10, show_default=True, help="Smallest one of a read that is used.")
@click.option("--duplicates", is_flag=True, help="Use reads that are marked as duplicates, too.")
@click.option("--longest", default=2000, show_default=True, help="Leave out longer fragments, bp; 0 for no limit.")
@click.option("--name", help="The model's name  [default: the output folder's]")
@click.option("--title", default="Denoised ATAC-seq", show_default=True, help="The model in a few words.")
@click.option("--data", default="", help="Where the data comes from, for card and README.")
@click.option("--license", default="", help="Licence of the model, for its card.")
@click.option("--channels", default=32, show_default=True, help="Width of the net.")
@click.option("--epochs", default=40, show_default=True, help="Train for at most so many epochs.")
@click.option("--patience", default=20, show_default=True, help="Stop after so many epochs without improvement.")
@click.option("--tiles", default=1000, show_default=True, help="Tiles of 1,024 bins in an epoch, at most.")
@click.option("--batch-size", default=8, show_default=True, help="Tiles in a training step.")
@click.option("--learning-rate", default=2e-3, show_default=True, help="Step size of AdamW at the start.")
@click.option("--seed", default=1, show_default=True, help="Of weights, thinning, tiles and order.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@threads_option
@progress_options
def denoise(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Train a model that tells what shallow ATAC-seq would look like deep, and where its peaks would be.

    It learns from deep data alone: each epoch thins the fragments anew, at many depths, and what is left out is the
    truth. Signal and peak probability come every 10 bp; `trackgen scan` runs the model on a BAM or fragments file.
    """
    from trackgen.cli.train import command_text
    from trackgen.learn.denoise_task import DenoiseOptions, train_denoise
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = DenoiseOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    with progress_to(quiet, log_file) as progress:
        text = command_text(options, "denoise")
        click.echo(train_denoise(dataclasses.replace(options, command=text), progress))
