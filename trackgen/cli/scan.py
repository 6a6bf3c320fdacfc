"""``trackgen scan``: models and a genome in, tracks out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import (
    NamedFile,
    command_line,
    progress_options,
    progress_to,
    split_names,
    stride_option,
    threads_option,
)

__all__ = ["command"]

"""No sequence that BigWig readers agree on is longer."""


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


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.argument("genome", type=click.Path(path_type=Path), metavar="GENOME")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="OUT", help="The folder to write."
)
@click.option("--classes", multiple=True, callback=split_names, metavar="A,B", help="Only the tracks of these classes.")
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
    help="The BigWig file of a signal input (NAME.CHANNEL=FILE where it has channels); once for each input.",
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
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to run.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), metavar="N", help="Windows run at a time; halved when memory runs out."
)
@click.option("--tile", type=click.IntRange(min=1), metavar="N", help="Bases run at a time.  [default: by the models]")
@click.option(
    "--mode",
    type=click.Choice(["auto", "dense", "window"]),
    default="auto",
    show_default=True,
    help="Share the work of neighbouring windows (dense), run each by itself (window), or dense where possible (auto).",
)
@click.option("--estimate", is_flag=True, help="Say how long it will take and what it needs, and stop.")
@click.option("--list-outputs", is_flag=True, help="List the files that would be written, and stop.")
@click.option("--resume", is_flag=True, help="Never replace another run; what happens without --overwrite anyway.")
@click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds.")
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
        if result.skipped:
            progress.note(f"{result.folder} holds this very run already: nothing to do")
        elif verbose:
            progress.note(", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items()))
    for name in result.tracks:
        click.echo(result.folder / name)


def _shown(value: object) -> str:
    """An option's value as a user would write it."""
    if isinstance(value, tuple):
        return " ".join("=".join(map(str, entry)) if isinstance(entry, tuple) else str(entry) for entry in value)
    return str(value)


def _show_estimate(estimate: Any) -> None:
    from trackgen.progress import time_text

    click.echo(f"time\t{time_text(estimate.seconds)}\t{estimate.seconds:.0f} seconds on {estimate.device}")
    click.echo(f"memory\t{estimate.memory / 2**20:.0f} MiB\t{estimate.memory} bytes at the peak")
    click.echo(f"disk\t{estimate.disk / 2**20:.0f} MiB\t{estimate.disk} bytes in {estimate.tracks} tracks")
    click.echo(f"bases\t{estimate.bases:,}\t{estimate.bases / max(estimate.seconds, 1e-9):,.0f} bases a second")
