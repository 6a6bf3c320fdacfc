"""``trackgen train factors``: one model of many factors, from one file of their peaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names, threads_option

__all__ = ["factors"]

FILE = click.Path(path_type=Path)


@click.command()
@click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit.")
@click.option(
    "--peaks", required=True, type=FILE, help="Peaks of all factors: BED or narrowPeak, the factor's name in column 4."
)
@click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report.")
@click.option("--validation", required=True, multiple=True, callback=split_names, help="Sequences to choose by: A,B.")
@click.option("--test", required=True, multiple=True, callback=split_names, help="Sequences to judge by: A,B.")
@click.option("--exclude", multiple=True, help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence.")
@click.option("--factors", multiple=True, callback=split_names, help="Only these: A,B.  [default: all]")
@click.option("--leave-out", multiple=True, callback=split_names, help="All but these: A,B.")
@click.option("--min-peaks", default=40, show_default=True, help="Leave out factors with fewer peaks.")
@click.option(
    "--min-auroc", default=0.0, show_default=True,
    help="Keep factors whose peaks on validation stand out from windows from anywhere this well.",
)  # fmt: skip
@click.option("--motifs", type=FILE, help="Known motifs that kernels start from: MEME, TRANSFAC or JASPAR.")
@click.option("--with-motif", is_flag=True, help="Only factors that have a motif there.")
@click.option("--near", default=25, show_default=True, help="A window is bound by a peak this near to its middle, bp.")
@click.option("--far", default=100, show_default=True, help="And unknown up to here, bp.")
@click.option("--per-site", default=1.5, show_default=True, help="Windows from anywhere for each site, in an epoch.")
@click.option("--name", help="The model's name  [default: the output folder's]")
@click.option("--title", default="Transcription-factor binding", show_default=True, help="The model in a few words.")
@click.option("--data", default="", help="Where the data comes from, for card and README.")
@click.option("--license", default="", help="Licence of the model, for its card.")
@click.option("--epochs", default=10, show_default=True, help="Train for at most so many epochs.")
@click.option("--patience", default=10, show_default=True, help="Stop after so many epochs without improvement.")
@click.option("--batch-size", default=128, show_default=True, help="Windows in a training step.")
@click.option("--learning-rate", default=2e-3, show_default=True, help="Step size of Adam at the start.")
@click.option("--seed", default=1, show_default=True, help="Of weights, windows, order and dropout.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@threads_option
@progress_options
def factors(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Train one model of many factors' binding from sequence: a track for each factor, every 10 bp.

    The factors share a trunk, so that those with few peaks learn from those with many. Windows are labelled by the
    centres of peaks. Factors that fail on the validation sequences are trained on, but not exported.
    """
    from trackgen.cli.train import command_text
    from trackgen.learn.factors_task import FactorsOptions, train_factors
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = FactorsOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    with progress_to(quiet, log_file) as progress:
        text = command_text(options, "factors")
        click.echo(train_factors(dataclasses.replace(options, command=text), progress))
