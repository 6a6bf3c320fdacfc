"""``trackgen train denoise-paper``: the denoising nets of Fishman and Gurev, by random search."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, threads_option
from trackgen.cli.stretch_options import stretch_options

__all__ = ["denoise_paper"]


@click.command()
@stretch_options
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
@click.option("--learning-rate", default=1e-3, show_default=True, help="Step size of Adam.")
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
