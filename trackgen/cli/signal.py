"""``trackgen signal``: reads, fragments or a track become a signal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, threads_option

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("reads", type=FILE)
@click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit.")
@click.option("--output", "-o", required=True, type=FILE, help="The BigWig file to write.")
@click.option(
    "--measure", type=click.Choice(["coverage", "cuts", "peaks"]), default="coverage", show_default=True,
    help="Fragments over a base, or cuts of Tn5 at a base (starts moved by +4, ends by -5); or the signal of peaks, "
    "the largest in a bin and unscaled: of READS that are narrowPeak, else of what MACS3 calls (trackgen[peaks]).",
)  # fmt: skip
@click.option("--peak-threshold", default=0.01, show_default=True, help="Of MACS3: p-value of the weakest peaks.")
@click.option(
    "--scale", type=click.Choice(["mean", "cpm", "none"]), default="mean", show_default=True,
    help="Divide by the mean over the usual genome, so that depth falls out; counts per million fragments; or counts.",
)  # fmt: skip
@click.option(
    "--fraction", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True,
    help="Share of the fragments to use, drawn one by one.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the draw.")
@click.option("--complement", is_flag=True, help="Use the fragments that the draw leaves out.")
@click.option(
    "--mapping-quality", type=click.IntRange(0, 255), default=10, show_default=True,
    help="Smallest mapping quality of a BAM record.",
)  # fmt: skip
@click.option("--duplicates", is_flag=True, help="Use BAM records that are marked as duplicates.")
@click.option(
    "--pairs", type=click.Choice(["auto", "paired", "reads"]), default="auto", show_default=True,
    help="Whole fragments of proper pairs, single reads, or what the file holds.",
)  # fmt: skip
@click.option(
    "--longest", type=click.IntRange(min=0), default=2000, show_default=True,
    help="Leave out longer fragments, bp; 0 for no limit.",
)  # fmt: skip
@click.option(
    "--extend", type=click.IntRange(min=1), metavar="N", help="Make single reads N bp long  [default: as aligned]"
)
@click.option(
    "--exclude", multiple=True, help="Bases without a value: a BED file, chr:a-b (1-based closed), or a sequence."
)
@click.option("--bin", type=click.IntRange(min=1), default=1, show_default=True, help="Bases of a bin.")
@click.option(
    "--statistic", type=click.Choice(["mean", "max"]), default="mean", show_default=True,
    help="What a bin holds of its bases.",
)  # fmt: skip
@threads_option
@progress_options
def command(
    reads: Path, genome: Path, output: Path, exclude: tuple[str, ...], statistic: str, peak_threshold: float,
    threads: int | None, quiet: bool, log_file: Path | None, **rest: Any,
) -> None:  # fmt: skip
    """Make a signal from READS: coverage or cut sites as a BigWig track, for scans and for training.

    READS is a BAM file sorted by coordinate (its index is made where there is none), BED, BEDPE or 10x fragments, plain
    or gzip, or a BigWig track of counts to be binned and scaled.
    """
    from trackgen.genome import open_genome, parse_regions
    from trackgen.genome.fragments import FragmentOptions
    from trackgen.runtime import default_threads
    from trackgen.signals import Recipe, make_signal

    measure, scale, longest = rest.pop("measure"), rest.pop("scale"), rest.pop("longest")
    resolution = rest.pop("bin")
    fragments = FragmentOptions(**rest, longest=longest or None)
    with open_genome(genome) as opened, progress_to(quiet, log_file) as progress:
        lengths = dict(opened.lengths)
        excluded = [region for text in exclude for region in parse_regions(text, lengths).intervals]
        if measure == "peaks":
            from trackgen.learn.datasets.peak_calling import make_peak_signal

            make_peak_signal(
                reads, lengths, output, fragments, threshold=peak_threshold, excluded=excluded, resolution=resolution,
                progress=progress,
            )  # fmt: skip
            click.echo(output)
            return
        summary = make_signal(
            reads, lengths, output, Recipe(measure, scale, fragments, excluded), progress,
            resolution=resolution, statistic=statistic, threads=threads or default_threads(),
        )  # fmt: skip
        if summary.counts is not None:
            progress.note(str(summary.counts))
        what = "fragments over a base" if summary.counts is not None else "is the mean"
        progress.note(f"{summary.depth:.3g} {what} of the usual genome; values are multiplied by {summary.factor:.4g}")
    click.echo(output)
