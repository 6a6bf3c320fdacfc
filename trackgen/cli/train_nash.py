"""``trackgen train nash``: a denoiser found by hill climbing over network morphisms."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names, threads_option
from trackgen.cli.stretch_options import stretch_options

__all__ = ["nash"]

COUNT = click.IntRange(min=1)


@click.command()
@stretch_options
@click.option(
    "--start", metavar="NAME|FILE.json", default="hilbert-start", show_default=True,
    help="The net to start from: hilbert-start, hilbert-final, or layers as JSON.",
)  # fmt: skip
@click.option("--steps", type=click.IntRange(min=0), default=60, show_default=True, help="Steps of the search.")
@click.option("--children", type=COUNT, default=8, show_default=True, help="Children of a step.")
@click.option(
    "--changes", type=click.IntRange(min=0), default=1, show_default=True,
    help="Morphisms that make a child; 0: children are their parent, trained on.",
)  # fmt: skip
@click.option(
    "--kinds", multiple=True, callback=split_names, default=("wider", "deeper", "input"), show_default="all",
    help="Morphisms that may be: wider,deeper,input.",
)  # fmt: skip
@click.option("--start-epochs", type=COUNT, default=20, show_default=True, help="Epochs that the start is trained for.")
@click.option("--epochs", type=COUNT, default=17, show_default=True, help="Epochs that a child is trained for.")
@click.option(
    "--final-epochs", type=click.IntRange(min=0), default=100, show_default=True,
    help="Epochs that the best net is trained on for at the end.",
)  # fmt: skip
@click.option(
    "--optimizer", type=click.Choice(["sgd", "adam", "adamw"]), default="sgd", show_default=True,
    help="Of every training; sgd has a momentum of .9.",
)  # fmt: skip
@click.option("--learning-rate", default=0.05, show_default=True, help="Where each training's rate starts.")
@click.option("--final-rate", default=0.0, show_default=True, help="Where it is annealed to.")
@click.option(
    "--annealing", type=click.Choice(["cosine", "cosine-printed", "constant"]), default="cosine", show_default=True,
    help="Cosine annealing, or the paper's equation 1 as it is printed: without the final rate as a summand.",
)  # fmt: skip
@click.option(
    "--noise", default=0.0, show_default=True,
    help="Added to copies in wider layers, in standard deviations of their weights: then functions are not kept.",
)  # fmt: skip
@click.option("--most-weights", type=COUNT, default=20_000_000, show_default=True, help="No child has more.")
@click.option("--most-multiplications", type=COUNT, help="No child needs more for a stretch.")
@threads_option
@progress_options
def nash(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Search a net that denoises ATAC-seq by hill climbing, as Fishman and Gurev did.

    Children of the best net are made by morphisms that keep its function (wider, deeper, the input joined), trained
    for a few epochs each, and compared on validation with each other and their parent. The same command goes on where
    it was stopped.
    """
    from trackgen.cli.train import command_text
    from trackgen.learn.nash.task import NashOptions, train_nash
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = NashOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    with progress_to(quiet, log_file) as progress:
        text = command_text(options, "nash")
        click.echo(train_nash(dataclasses.replace(options, command=text), progress))
