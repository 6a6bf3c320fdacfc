"""``trackgen train sequences``: a classifier of sequences from a set of them."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names, threads_option

__all__ = ["sequences"]

FILE = click.Path(path_type=Path)


@click.command()
@click.option(
    "--set", "set", required=True, metavar="SET",
    help="zeng:FASTA[+FASTA], deepbind:AC_FILE, fasta:BOUND.fa,UNBOUND.fa, or, with --genome, PEAKS[#FACTOR[#CELL]], "
    "occupancy:PEAKS,MOTIFS,NAME or free:PEAKS,MOTIFS,NAME; NAME= before it names the set.",
)  # fmt: skip
@click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report.")
@click.option("--genome", type=FILE, help="FASTA (plain or bgzip) or 2bit that peaks lie on, or --prevalence is of.")
@click.option(
    "--window",
    type=click.IntRange(min=1),
    default=101,
    show_default=True,
    help="Bases around a peak's summit or middle.",
)
@click.option(
    "--validation", multiple=True, callback=split_names, help="Of peaks: sequences to choose by: A,B.  [default: drawn]"
)
@click.option(
    "--test", multiple=True, callback=split_names, help="Of peaks: sequences to judge by: A,B.  [default: drawn]"
)
@click.option(
    "--exclude", multiple=True, help="Of peaks: leave out a BED file, chr:a-b (1-based closed), or a sequence."
)
@click.option("--motif-threshold", default=1e-4, show_default=True, help="Largest p-value of a motif instance.")
@click.option("--name", help="The model's name  [default: the output folder's]")
@click.option("--title", default="Transcription-factor binding", show_default=True, help="The model in a few words.")
@click.option("--label", default="bound", show_default=True, help="The track in a few words.")
@click.option("--data", default="", help="One sentence on where the data comes from, for card and README.")
@click.option("--license", default="", help="Licence of the model, for its card.")
@click.option(
    "--architecture", default="1layer_128motif", show_default=True, help="A code of Zeng 2016, or deepbind, ..."
)
@click.option(
    "--activation", type=click.Choice(["sigmoid", "softmax"]), default="sigmoid", show_default=True,
    help="One output (bound), or two (unbound, bound).",
)  # fmt: skip
@click.option(
    "--strands", type=click.Choice(["average", "forward"]), default="average", show_default=True,
    help="The mean over a window and its reverse complement, or the window as it stands; a net that reads both strands "
    "by itself does not mind.",
)  # fmt: skip
@click.option(
    "--scan-window",
    type=click.IntRange(min=1),
    help="Window of the exported model, bp, of a net with a global max-pool.",
)
@click.option(
    "--prevalence", type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of a genome's windows that are bound: probabilities, threshold and precision are for it; with "
    "--genome, its own windows are the unbound ones of that.  [default: the set's balance]",
)  # fmt: skip
@click.option("--stride", type=click.IntRange(min=1), default=10, show_default=True, help="Of the exported model, bp.")
@click.option(
    "--motifs",
    type=FILE,
    help="Start from motifs: up to half of the kernels, of a MEME, TRANSFAC or JASPAR file.",
)
@click.option("--motif", multiple=True, metavar="NAME", help="Of --motifs: only this one.  [default: the first ones]")
@click.option(
    "--precision", type=click.Choice(["fp32", "mixed"]), default="fp32", show_default=True,
    help="mixed: half precision where that is safe, on CUDA.",
)  # fmt: skip
@click.option("--optimizer", default="adadelta", show_default=True, help="adadelta, adam, adamw or sgd.")
@click.option("--learning-rate", default=1.0, show_default=True, help="Step size; 1 is Caffe's for AdaDelta.")
@click.option("--rho", default=0.9, show_default=True, help="Of AdaDelta: what Caffe calls momentum.")
@click.option("--epsilon", default=1e-6, show_default=True, help="Of AdaDelta: what Caffe calls delta.")
@click.option("--dropout", default=0.5, show_default=True, help="Share of the dense layer's outputs that is masked.")
@click.option("--steps", type=click.IntRange(min=1), default=5000, show_default=True, help="Batches to train on.")
@click.option(
    "--every", type=click.IntRange(min=1), default=500, show_default=True, help="Batches between looks at validation."
)
@click.option("--patience", default=10, show_default=True, help="Stop after so many looks without improvement.")
@click.option("--batch-size", type=click.IntRange(min=1), default=100, show_default=True, help="Sequences in a batch.")
@click.option(
    "--new-shuffles", is_flag=True,
    help="Train against shuffles that are drawn anew in every pass, not against the set's own unbound sequences.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of weights, order, dropout and validation.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@threads_option
@progress_options
def sequences(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Train a classifier of sequences, such as a net of Zeng 2016: bound or not.

    A set that comes without a test part gives one in five sequences of each class to it, and one in eight of the others
    to validation; with peaks, whole sequences of the genome can be set aside.
    """
    from trackgen.cli.train import command_text
    from trackgen.learn.sequence_task import SequenceOptions, train_sequences
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = SequenceOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    shown = dataclasses.replace(options, set=public_set(options.set))
    with progress_to(quiet, log_file) as progress:
        # in double quotes, where a shell puts in what $TRACKGEN_DATA stands for
        text = command_text(shown, "sequences").replace(shlex.quote(shown.set), f'"{shown.set}"')
        click.echo(train_sequences(dataclasses.replace(options, command=text), progress))


def public_set(text: str) -> str:
    """A set's text without this machine's folders."""
    from trackgen.cli.train import public_text

    return re.sub(r"[^=:+,#]*/[^=:+,#]*", lambda match: public_text(Path(match[0])).strip("'"), text)
