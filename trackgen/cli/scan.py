"""``trackgen scan``: models and a genome in, tracks out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import (
    NamedFile,
    Size,
    command_line,
    contribution_options,
    finite,
    progress_options,
    progress_to,
    split_names,
    stride_option,
    threads_option,
)

__all__ = ["command"]


class Digits(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A number of decimals, or ``full``."""

    name = "N|full"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == "full" or isinstance(value, int):
            return value  # type: ignore[no-any-return]
        try:
            digits = int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number of decimals nor full", param, ctx)
        if not 0 <= digits <= 9:
            self.fail(f"{digits} decimals: float32 holds 0 to 9", param, ctx)
        return digits


class Share(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``K/N``: the K-th of N shares, from 1."""

    name = "K/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        share, _, shares = value.partition("/")
        if not (share.isdecimal() and shares.isdecimal() and 1 <= int(share) <= int(shares)):
            self.fail(f"{value!r} is not K/N with K from 1 to N", param, ctx)
        return int(share), int(shares)


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.argument("genome", type=click.Path(path_type=Path), metavar="GENOME")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT", help="The folder to write."
)
@click.option("--classes", multiple=True, callback=split_names, metavar="A,B", help="Only the tracks of these classes.")
@click.option(
    "--ensemble",
    metavar="NAME",
    help="Take all models, such as the folds of one training, as one of this name: tracks of their mean and of their "
    "standard deviation (class-sd).",
)
@click.option(
    "--contrib",
    multiple=True,
    callback=split_names,
    metavar="A,B|all",
    help="Also write contributions of every base to these classes, in the same pass.",
)
@contribution_options
@click.option(
    "--hypothetical-tracks",
    is_flag=True,
    help="Beside --contrib, four tracks of what A, C, G and T would contribute at every base: an estimate of what each "
    "single-base change does.",
)
@click.option(
    "--regions", multiple=True, metavar="BED|chr:a-b", help="Only these regions; chr:a-b is 1-based and closed."
)
@click.option("--chroms", multiple=True, callback=split_names, metavar="A,B|main", help="Only these sequences.")
@click.option(
    "--exclude", multiple=True, type=click.Path(path_type=Path), metavar="BED", help="No values in these stretches."
)
@click.option(
    "--signal",
    "signals",
    envvar="TRACKGEN_SCAN_SIGNAL",
    multiple=True,
    type=NamedFile(),
    metavar="NAME=FILE",
    help="The file of a signal input (NAME.CHANNEL=FILE where it has channels): BigWig, or reads (BAM, BED, BEDPE, 10x "
    "fragments) where the model's card says how they are counted; once for each input.",
)
@click.option(
    "--vector",
    "vectors",
    envvar="TRACKGEN_SCAN_VECTOR",
    multiple=True,
    type=NamedFile(),
    metavar="NAME=FILE.tsv",
    help="The values of a vector input: for each element a line of a name, a tab and a value.  [default: the card's]",
)
@stride_option
@click.option("--digits", type=Digits(), help="Round every track to N decimals, or not at all (full).")
@click.option(
    "--min-value",
    type=float,
    callback=finite,
    metavar="V",
    help="Leave smaller values out of the tracks, which makes sparse ones small.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]|cuda:all",
    help="Where to run; cuda:all spreads the shards over all CUDA devices of this machine.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", help="Windows run at a time; halved when memory runs out."
)
@click.option("--tile", type=click.IntRange(min=1), metavar="N", help="Bases run at a time.  [default: by the models]")
@click.option(
    "--memory",
    type=Size(),
    metavar="SIZE",
    help="Memory that the genome's stretches and the tracks may take beside the models, such as 500M or 2G.  "
    "[default: a few chunks a core]",
)
@click.option(
    "--mode",
    type=click.Choice(["auto", "dense", "window"]),
    default="auto",
    show_default=True,
    help="Share the work of neighbouring windows (dense), run each by itself (window), or dense where possible (auto).",
)
@click.option("--estimate", is_flag=True, help="Say how long it will take and what it needs, and stop.")
@click.option("--list-outputs", is_flag=True, help="List the files that would be written, and stop.")
@click.option("--resume", is_flag=True, help="Go on where it stopped; what happens without --overwrite anyway.")
@click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@click.option("--plan-only", is_flag=True, help="Write OUT/.trackgen/plan.json, and stop.")
@click.option(
    "--shard",
    "share",
    envvar="TRACKGEN_SCAN_SHARD",
    type=Share(),
    metavar="K/N",
    help="Make only the K-th of N shares (from 1); then `trackgen assemble OUT`.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Bases of one shard, which is what a crash can cost.  [default: by the genome]",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Make the shards on a Dask cluster: the scheduler's address, or local:N for N processes here.",
)
@click.option(
    "--tmp-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where temporary files go.  [default: $TMPDIR]",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell more: options used, seconds of each stage.")
@threads_option
@progress_options
def command(
    quiet: bool,
    verbose: bool,
    log_file: Path | None,
    estimate: bool,
    list_outputs: bool,
    resume: bool,
    tmp_dir: Path | None,
    **values: Any,
) -> None:
    """Scan GENOME (FASTA, bgzipped FASTA or 2bit) with each MODEL and write BigWig tracks into OUT.

    MODEL is an ONNX file with a card inside, or the name of a shipped model.
    """
    from trackgen import scan
    from trackgen.runtime import default_threads

    if resume and values["overwrite"]:
        raise click.UsageError("--resume keeps what is there and --overwrite replaces it: give one of them")
    given = {name: value for name, value in values.items() if value is not None}
    options = scan.ScanOptions(temporary_folder=tmp_dir, command=command_line(), **given)
    if "threads" not in given:
        options = dataclasses.replace(options, threads=default_threads())
    if list_outputs:
        click.echo("\n".join(scan.list_outputs(options)))
        return
    with progress_to(quiet, log_file) as progress:
        if verbose:
            progress.note("options: " + ", ".join(f"{name} {_shown(value)}" for name, value in given.items() if value))
        if estimate:
            _show_estimate(scan.estimate_scan(options, progress))
            return
        result = scan.run_scan(options, progress)
        if not result.assembled and not result.skipped:
            _tell_rest(result, options, progress)
            return
        if result.skipped:
            progress.note(f"{result.folder} holds this very run already: nothing to do")
        elif verbose:
            progress.note(", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items()))
    for name in result.tracks:
        click.echo(result.folder / name)


def _tell_rest(result: Any, options: Any, progress: Any) -> None:
    """What was done of a run that is not finished, and what is left to do."""
    if options.plan_only:
        progress.note(f"{result.folder} holds the plan: {result.shards} shards to make")
    else:
        share, shares = options.share
        progress.note(f"share {share} of {shares} is made; when all are: trackgen assemble {result.folder}")


def _shown(value: object) -> str:
    """An option's value as a user would write it."""
    if isinstance(value, tuple):
        return " ".join("=".join(map(str, entry)) if isinstance(entry, tuple) else str(entry) for entry in value)
    return str(value)


def _show_estimate(estimate: Any) -> None:
    from trackgen.progress import time_text

    click.echo(f"time\t{time_text(estimate.seconds)}\t{estimate.seconds:.0f} seconds on {estimate.device}")
    slots = f"of them {estimate.slots_memory} for {estimate.slots} slots of {estimate.chunk:,} bases, and tracks"
    click.echo(f"memory\t{estimate.memory / 2**20:.0f} MiB\t{estimate.memory} bytes at the peak, {slots}")
    disk = f"{estimate.disk} bytes in {estimate.tracks} tracks, twice that while it works"
    click.echo(f"disk\t{estimate.disk / 2**20:.0f} MiB\t{disk}")
    click.echo(f"bases\t{estimate.bases:,}\t{estimate.bases / max(estimate.seconds, 1e-9):,.0f} bases a second")
