"""``trackgen evaluate``: tracks against labels and against a true signal, genome-wide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackgen.cli.options import progress_options, progress_to, split_names

if TYPE_CHECKING:
    from trackgen.evaluate.scores import Statistic

FILE = click.Path(path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("tracks", metavar="TRACK.bw...", nargs=-1, required=True, type=FILE)
@click.option(
    "--labels", metavar="PEAKS|TABLE", type=FILE,
    help="BED or narrowPeak of bound stretches; or a table of labelled bins, with names in its first line.",
)  # fmt: skip
@click.option(
    "--signal", metavar="TRUTH.bw", type=FILE,
    help="A true track: gives mean squared error, Pearson's and Spearman's correlation, over all bins and over those "
    "whose true value is not 0.",
)  # fmt: skip
@click.option(
    "--missing", type=click.Choice(["left-out", "zero"]), default="left-out", show_default=True,
    help="Bins without a value in one of two signals; zero: bases without a value count as 0, in every figure.",
)  # fmt: skip
@click.option(
    "--ambiguous", metavar="RELAXED", type=FILE, help="Peaks that make bins ambiguous where they do not bind."
)
@click.option("--column", metavar="NAME", help="The column of labels, of a table that has several.")
@click.option("-o", "--output", metavar="DIR", required=True, type=FILE, help="The folder of the report.")
@click.option(
    "--genome", metavar="FILE", type=FILE,
    help="FASTA or 2bit: bins with an unknown base do not count; or chrom.sizes.  [default: what the track lists]",
)  # fmt: skip
@click.option(
    "--regions", multiple=True, metavar="BED|chr:a-b", help="Only bins in these regions; chr:a-b is 1-based and closed."
)
@click.option("--chroms", multiple=True, callback=split_names, metavar="A,B|main", help="Only these sequences.")
@click.option("--exclude", multiple=True, type=FILE, metavar="BED", help="Bins that touch these do not count.")
@click.option(
    "--bins", "width", envvar="TRACKGEN_EVALUATE_BINS", type=int, metavar="N",
    help="Bases of a bin.  [default: 200; 25 with --signal]",
)  # fmt: skip
@click.option("--stride", type=int, metavar="N", help="Distance between bins, bp.  [default: 50; with --signal, a bin]")
@click.option(
    "--peak-width", type=int, metavar="N",
    help="Narrower peaks are widened to this, bp.  [default: 1, but a bin where most are narrower than half of one]",
)  # fmt: skip
@click.option(
    "--statistic", type=click.Choice(["max", "mean", "centre"]),
    help="What of the values in a bin is its score.  [default: max; mean with --signal]",
)  # fmt: skip
@click.option(
    "--ambiguous-as", type=click.Choice(["unbound", "left-out"]), default="unbound", show_default=True,
    help="How ambiguous bins count; the report gives both.",
)  # fmt: skip
@click.option(
    "--threshold", "thresholds", envvar="TRACKGEN_EVALUATE_THRESHOLD", multiple=True, type=float,
    help="Also give precision and recall of the bins that score as much.",
)  # fmt: skip
@click.option(
    "--bootstrap", metavar="N", type=click.IntRange(min=0), default=1000, show_default=True,
    help="Replicates for intervals; 0: none.",
)  # fmt: skip
@click.option(
    "--block", metavar="N", type=int, help="Bases of a resampled block.  [default: 200 blocks, 20,000 or more]"
)
@click.option("--seed", default=1, show_default=True, help="Of the replicates.")
@click.option("--tmp-dir", type=FOLDER, help="Where temporary files go.  [default: $TMPDIR]")
@progress_options
def command(
    tracks: tuple[Path, ...], labels: Path | None, signal: Path | None, missing: str, ambiguous: Path | None,
    column: str | None, output: Path, genome: Path | None, regions: tuple[str, ...], chroms: tuple[str, ...],
    exclude: tuple[Path, ...], width: int | None, stride: int | None, peak_width: int | None,
    statistic: Statistic | None, ambiguous_as: str, thresholds: tuple[float, ...], bootstrap: int, block: int | None,
    seed: int, tmp_dir: Path | None, quiet: bool, log_file: Path | None,
) -> None:  # fmt: skip
    """Hold tracks against labels or a true track, bin by bin over the genome.

    Labels give AUROC, AUPRC, recall at 10 and 50 % false discoveries, at their own prevalence; a bin without any value
    scores lowest. A true track gives mean squared error and correlations. Figures are exact, with intervals from
    blocks of the genome. Works on any BigWig track.
    """
    from trackgen.evaluate import EvaluateOptions, evaluate_tracks
    from trackgen.evaluate.report import check_output, summary_lines, write_evaluation

    options = EvaluateOptions(
        tracks=tracks, labels=labels, ambiguous=ambiguous, column=column, genome=genome, regions=regions,
        chroms=chroms, exclude=exclude, width=width, stride=stride, peak_width=peak_width, statistic=statistic,
        ambiguous_as=ambiguous_as, thresholds=thresholds, bootstrap=bootstrap, block=block, seed=seed,
        temporary_folder=tmp_dir, signal=signal, zeros=missing == "zero",
    )  # fmt: skip
    check_output(output)
    with progress_to(quiet, log_file) as progress:
        found = evaluate_tracks(options, progress)
        _, pictured = write_evaluation(output, options, found)
        if not pictured:
            progress.note("no picture: Matplotlib is not installed (pip install 'trackgen[plot]')")
        progress.note(f"report: {output}")
    for line in summary_lines(options, found):
        click.echo(line)
