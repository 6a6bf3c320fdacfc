"""``trackgen train``: a task, its data, and a folder that ends with an exported model and its report."""

from __future__ import annotations

import dataclasses
import os
import shlex
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names, threads_option
from trackgen.cli.train_binding import binding
from trackgen.cli.train_denoise import denoise
from trackgen.cli.train_denoise_paper import denoise_paper
from trackgen.cli.train_factors import factors
from trackgen.cli.train_nash import nash
from trackgen.cli.train_sequences import sequences

__all__ = ["command", "command_text", "public_text"]

FILE = click.Path(path_type=Path)


@click.group()
def command() -> None:
    """Train a model on real data (needs trackgen[train])."""


command.add_command(binding)
command.add_command(sequences)
command.add_command(factors)
command.add_command(nash)
command.add_command(denoise_paper)
command.add_command(denoise)


@command.command()
@click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit.")
@click.option(
    "--clusters", required=True, multiple=True, type=FILE, help="TSS clusters, stranded BED, one file a replicate."
)
@click.option("--counts", multiple=True, type=FILE, help="Counts of single bases as BED6, one a replicate.")
@click.option("--counts-plus", multiple=True, type=FILE, help="Counts of the plus strand as BigWig, one a replicate.")
@click.option("--counts-minus", multiple=True, type=FILE, help="Counts of the minus strand as BigWig, one a replicate.")
@click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report.")
@click.option("--validation", required=True, multiple=True, callback=split_names, help="Sequences to choose by: A,B.")
@click.option("--test", required=True, multiple=True, callback=split_names, help="Sequences to judge by: A,B.")
@click.option("--exclude", multiple=True, help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence.")
@click.option(
    "--min-count", default=0.0, show_default=True, help="Smallest count (reads, TPM) of a cluster that is used."
)
@click.option("--name", help="The model's name  [default: the output folder's]")
@click.option("--title", default="Transcription start sites", show_default=True, help="The model in a few words.")
@click.option("--data", default="", help="One sentence on where the data comes from, for card and README.")
@click.option("--license", default="", help="Licence of the model, for its card.")
@click.option("--architecture", default="tss-thesis", show_default=True, help="tss-thesis or tss-centre.")
@click.option("--epochs", default=100, show_default=True, help="Train for at most so many epochs.")
@click.option("--patience", default=10, show_default=True, help="Stop after so many epochs without improvement.")
@click.option("--batch-size", default=256, show_default=True, help="Windows in a training step.")
@click.option("--learning-rate", default=1e-3, show_default=True, help="Step size of Adam.")
@click.option("--seed", default=1, show_default=True, help="Of weights, background, order and dropout.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@threads_option
@progress_options
def tss(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Train a model of transcription start sites: sharp, broad, background, one base on one strand.

    The position of a cluster is the base with the highest count inside it (or the thickStart of its BED line, where
    no counts are given, as in FANTOM5's CAGE clusters).
    """
    from trackgen.learn.tss_task import TssOptions, train_tss
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = TssOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    with progress_to(quiet, log_file) as progress:
        click.echo(train_tss(dataclasses.replace(options, command=command_text(options)), progress))


def command_text(options: Any, task: str = "tss") -> str:
    """The command line that makes the model of `options` again, without this machine's folders.

    Files below the folder that TRACKGEN_DATA names are written as ``$TRACKGEN_DATA/...``, others by their names.
    """
    words = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if field.name in ("command", "resume", "threads", "device") or value == field.default or value == "":
            continue
        option = f"--{field.name.replace('_', '-')}"
        if field.name == "signal" and value is not None:
            words.append(f"{option} {shlex.quote(value[0])}={public_text(value[1])}")
            continue
        if value is True:
            words.append(option)
            continue
        for item in value if isinstance(value, tuple) else (value,):
            words.append(f"{option} {public_text(item) if field.name != 'cell' else _cell_text(item)}")
    return " \\\n    ".join([f"trackgen train {task}", *words])


def _cell_text(cell: Any) -> str:
    """``NAME=PEAKS,RELAXED,SIGNAL,REGIONS``, as `trackgen.cli.train_binding` reads it."""
    files = (cell.peaks, cell.relaxed, cell.signal, cell.regions)
    text = ",".join("" if path is None else public_text(path) for path in files).rstrip(",")
    return f"{shlex.quote(cell.name)}={text}"


def public_text(value: Any) -> str:
    """One option's value as text for a shell, without this machine's folders."""
    if not isinstance(value, Path):
        return shlex.quote(f"{value:g}" if isinstance(value, float) else str(value))
    path, root = value, os.environ.get("TRACKGEN_DATA")
    if root and path.resolve().is_relative_to(Path(root).resolve()):
        return f"$TRACKGEN_DATA/{path.resolve().relative_to(Path(root).resolve())}"
    return shlex.quote(path.name)
