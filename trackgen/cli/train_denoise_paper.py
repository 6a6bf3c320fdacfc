"""``trackgen train denoise-paper``: the denoising nets of Fishman and Gurev, by random search."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names, threads_option

__all__ = ["denoise_paper"]

FILE = click.Path(path_type=Path)
VALUES = click.Choice(["coverage", "peaks"])


@click.command()
@click.option(
    "--deep", required=True, type=FILE, help="Fragments of a deep sample: BAM, BED, BEDPE or 10x fragments.tsv.gz."
)
@click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit.")
@click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report.")
@click.option("--validation", required=True, multiple=True, callback=split_names, help="Sequences to choose by: A,B.")
@click.option("--test", required=True, multiple=True, callback=split_names, help="Sequences to judge by: A,B.")
@click.option("--exclude", multiple=True, help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence.")
@click.option("--fraction", default=0.1, show_default=True, help="Share of the fragments that the net reads.")
@click.option(
    "--pairing", type=click.Choice(["complement", "all"]), default="complement", show_default=True,
    help="The net is to tell the other fragments, or all of them, as in the paper.",
)  # fmt: skip
@click.option("--reads", type=VALUES, default="coverage", show_default=True, help="What the net reads in a bin.")
@click.option(
    "--tells", type=VALUES, default="coverage", show_default=True,
    help="What it is to tell. peaks: the signal of peaks that MACS3 calls, as in the paper; needs trackgen[peaks].",
)  # fmt: skip
@click.option("--peak-threshold", default=0.01, show_default=True, help="Of MACS3: p-value of the weakest peaks.")
@click.option(
    "--thinnings", type=click.IntRange(min=1), default=1, show_default=True,
    help="Draws of fragments to train on; the paper has one.",
)  # fmt: skip
@click.option("--examples", type=click.IntRange(min=1), default=9265, show_default=True, help="Stretches in an epoch.")
@click.option(
    "--validation-examples", type=click.IntRange(min=1), default=488, show_default=True, help="Stretches to choose by."
)
@click.option(
    "--test-examples", type=click.IntRange(min=1), default=972, show_default=True, help="Stretches to judge by."
)
@click.option("--redraw", is_flag=True, help="Draw the stretches to train on anew every epoch.")
@click.option(
    "--net", default="hilbert", show_default=True,
    help="conv1d, conv2d, hilbert, or hilbert-final, which the paper's search by morphisms ended with.",
)  # fmt: skip
@click.option(
    "--draws", type=click.IntRange(min=1), default=10, show_default=True,
    help="Sizes (width of kernels, filters, hidden units) to try.",
)  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(min=1), default=20, show_default=True, help="Epochs that each draw is trained for."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Stretches in a step.")
@click.option("--learning-rate", default=1e-3, show_default=True, help="Step size of Adam.")
@click.option("--name", help="The model's name  [default: the output folder's]")
@click.option("--title", default="Denoised ATAC-seq", show_default=True, help="The model in a few words.")
@click.option("--data", default="", help="One sentence on where the data comes from, for card and README.")
@click.option("--license", default="", help="Licence of the model, for its card.")
@click.option("--seed", default=1, show_default=True, help="Of draws of fragments, stretches, sizes and weights.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@threads_option
@progress_options
def denoise_paper(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Train a denoising net as published (Fishman and Gurev): 4,096 bins of 25 bp in, the centre 1,024 out.

    A random search over sizes keeps the net with the smallest error on validation. See `trackgen train nash` for the
    paper's second search.
    """
    from trackgen.cli.train import command_text
    from trackgen.learn.denoise_paper_task import DenoisePaperOptions, train_denoise_paper
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = DenoisePaperOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    with progress_to(quiet, log_file) as progress:
        text = command_text(options, "denoise-paper")
        click.echo(train_denoise_paper(dataclasses.replace(options, command=text), progress))
