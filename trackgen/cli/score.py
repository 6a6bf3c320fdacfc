"""``trackgen score``: what a model says of regions, of transcripts' starts, and of variants."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import NamedFile, progress_options, progress_to, split_names, threads_option

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("model", metavar="MODEL")
@click.argument("genome", type=FILE, metavar="GENOME")
@click.argument("file", type=FILE, metavar="BED|GTF|VCF")
@click.option(
    "-o", "--output", type=FILE, metavar="OUT.tsv|.vcf|.vcf.gz",
    help="The file to write; .vcf and .vcf.gz of a VCF: the same lines with INFO fields.  [default: TSV on stdout]",
)  # fmt: skip
@click.option("--classes", multiple=True, callback=split_names, metavar="A,B", help="Only these classes.")
@click.option(
    "--signal", "signals", envvar="TRACKGEN_SCORE_SIGNAL", multiple=True, type=NamedFile(), metavar="NAME=FILE",
    help="The file of a signal input, as `trackgen scan` has it; once for each input.",
)  # fmt: skip
@click.option(
    "--vector", "vectors", envvar="TRACKGEN_SCORE_VECTOR", multiple=True, type=NamedFile(), metavar="NAME=FILE.tsv",
    help="The values of a vector input.  [default: the card's]",
)  # fmt: skip
@click.option(
    "--unfit", type=click.Choice(["refuse", "skip"]), default="refuse", show_default=True,
    help="A record that can't be scored (unknown sequence, another reference base, a symbolic allele) ends the run, or "
    "is left out and counted.",
)  # fmt: skip
@click.option("--prefix", default="TG", show_default=True, help="What the names of INFO fields begin with.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to run.")
@threads_option
@progress_options
def command(quiet: bool, log_file: Path | None, threads: int | None, **values: Any) -> None:
    """Score the records of a BED, GTF, GFF3 or VCF file with MODEL: one window each.

    BED: the window whose bin is about the middle of each region. GTF and GFF3: that of each transcript's start (of
    genes without transcripts, the gene's), on its own strand and the other. VCF: that of POS, in the genome and with
    each allele: ref, alt, delta and log odds, one row an allele. Files may be gzipped; content tells what they are.
    """
    from trackgen.runtime import default_threads
    from trackgen.score import ScoreOptions, run_score

    options = ScoreOptions(**values, threads=threads or default_threads())
    with progress_to(quiet, log_file) as progress:
        run_score(options, progress, sys.stdout.buffer)
    if options.output is not None:
        click.echo(options.output)
