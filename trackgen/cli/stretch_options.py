"""Options of the nets that read stretches: what they are trained on, and what they are called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from trackgen.cli.options import split_names

__all__ = ["stretch_options"]

FILE = click.Path(path_type=Path)
VALUES = click.Choice(["coverage", "peaks"])
Command = TypeVar("Command", bound=Callable[..., Any])
OPTIONS = (
    click.option(
        "--deep", required=True, type=FILE, help="Fragments of a deep sample: BAM, BED, BEDPE or 10x fragments.tsv.gz."
    ),
    click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit."),
    click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report."),
    click.option(
        "--validation", required=True, multiple=True, callback=split_names, help="Sequences to choose by: A,B."
    ),
    click.option("--test", required=True, multiple=True, callback=split_names, help="Sequences to judge by: A,B."),
    click.option("--exclude", multiple=True, help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence."),
    click.option("--fraction", default=0.1, show_default=True, help="Share of the fragments that the net reads."),
    click.option(
        "--pairing",
        type=click.Choice(["complement", "all"]),
        default="complement",
        show_default=True,
        help="The net is to tell the other fragments, or all of them, as in the paper.",
    ),
    click.option("--reads", type=VALUES, default="coverage", show_default=True, help="What the net reads in a bin."),
    click.option(
        "--tells",
        type=VALUES,
        default="coverage",
        show_default=True,
        help="What it is to tell. peaks: the signal of peaks that MACS3 calls, as in the paper; needs trackgen[peaks].",
    ),
    click.option("--peak-threshold", default=0.01, show_default=True, help="Of MACS3: p-value of the weakest peaks."),
    click.option(
        "--thinnings",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Draws of fragments to train on; the paper has one.",
    ),
    click.option(
        "--examples", type=click.IntRange(min=1), default=9265, show_default=True, help="Stretches in an epoch."
    ),
    click.option(
        "--validation-examples",
        type=click.IntRange(min=1),
        default=488,
        show_default=True,
        help="Stretches to choose by.",
    ),
    click.option(
        "--test-examples", type=click.IntRange(min=1), default=972, show_default=True, help="Stretches to judge by."
    ),
    click.option("--redraw", is_flag=True, help="Draw the stretches to train on anew every epoch."),
    click.option(
        "--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Stretches in a step."
    ),
    click.option("--name", help="The model's name  [default: the output folder's]"),
    click.option("--title", default="Denoised ATAC-seq", show_default=True, help="The model in a few words."),
    click.option("--data", default="", help="One sentence on where the data comes from, for card and README."),
    click.option("--license", default="", help="Licence of the model, for its card."),
    click.option("--seed", default=1, show_default=True, help="Of draws of fragments, stretches, sizes and weights."),
    click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1."),
)


def stretch_options(command: Command) -> Command:
    """The fields of `trackgen.learn.denoise_paper_task.StretchOptions`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
