"""``trackgen explain``: what a trained model has learned, as a report with pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trackgen.cli.options import NamedFile, progress_options, progress_to, split_names, threads_option

if TYPE_CHECKING:
    from trackgen.learn.trust.measure import TrustOptions

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.group()
def command() -> None:
    """Explain what a model has learned, as a report with pictures (needs trackgen[explain])."""


@command.command()
@click.argument("model", metavar="MODEL")
@click.argument("genome", type=FILE, metavar="GENOME")
@click.option("--clusters", required=True, multiple=True, type=FILE, help="TSS clusters, stranded BED.")
@click.option("--counts", multiple=True, type=FILE, help="Counts of single bases as BED6, one a replicate.")
@click.option("--counts-plus", multiple=True, type=FILE, help="Counts of the plus strand as BigWig, one a replicate.")
@click.option("--counts-minus", multiple=True, type=FILE, help="Counts of the minus strand as BigWig, one a replicate.")
@click.option("--output", "-o", required=True, type=FILE, metavar="OUT", help="The folder to write.")
@click.option(
    "--test", "judged", envvar="TRACKGEN_EXPLAIN_TSS_TEST", multiple=True, callback=split_names, metavar="A,B",
    help="Sequences that the model was not trained on.  [default: those of its card]",
)  # fmt: skip
@click.option(
    "--exclude", "excluded", envvar="TRACKGEN_EXPLAIN_TSS_EXCLUDE", multiple=True,
    help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence.",
)  # fmt: skip
@click.option("--min-count", type=float, help="Smallest count of a cluster that is used.  [default: the card's]")
@click.option("--motifs", type=FILE, metavar="DB.meme", help="Known motifs to compare with, a MEME file.")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=2000, show_default=True,
    help="Start sites of each class at most, for contributions and motifs.",
)  # fmt: skip
@click.option(
    "--steps", type=click.IntRange(min=1), default=1000, show_default=True, help="Steps of activation maximisation."
)
@click.option(
    "--seqlets", type=click.IntRange(min=1), default=2000, show_default=True,
    help="Stretches that tfmodisco uses at most, of either sign.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the background and of what is drawn.")
@click.option("--device", default="cpu", show_default=True, help="Where contributions run: cpu, cuda, cuda:1.")
@threads_option
@progress_options
def tss(
    model: str, genome: Path, output: Path, motifs: Path | None, steps: int, seqlets: int, device: str,
    threads: int | None, quiet: bool, log_file: Path | None, **sources: Any,
) -> None:  # fmt: skip
    """Explain MODEL, one of transcription start sites, on GENOME and the clusters it was trained on.

    Writes OUT/report.html: filters and what activates them, inputs that maximise a class, mean contributions around
    the TSS, what is left when only a part of the window is shown, and motifs.
    """
    from trackgen.learn.explain.tss import explain_tss
    from trackgen.learn.explain.tss_context import TssExplainOptions
    from trackgen.learn.explain.tss_windows import TssSources
    from trackgen.resources import find_model
    from trackgen.runtime import default_threads

    options = TssExplainOptions(
        model=find_model(model), genome=genome, sources=TssSources(**sources), output=output, motifs=motifs,
        steps=steps, seqlets=seqlets, device=device, threads=threads or default_threads(),
    )  # fmt: skip
    with progress_to(quiet, log_file) as progress:
        click.echo(explain_tss(options, progress))


@command.command()
@click.argument("model", metavar="MODEL")
@click.argument("genome", type=FILE, metavar="GENOME")
@click.option("--run", type=FILE, metavar="RUN", help="Explain the windows where this scan's tracks are highest.")
@click.option(
    "--regions", type=FILE, metavar="BED",
    help="Explain the windows at the centres of these intervals; with strands where the model has two.",
)  # fmt: skip
@click.option(
    "--class", "class_name", envvar="TRACKGEN_EXPLAIN_MOTIFS_CLASS", metavar="NAME",
    help="The class to explain.  [default: the model's first track]",
)  # fmt: skip
@click.option("--output", "-o", required=True, type=FILE, metavar="OUT", help="The folder to write.")
@click.option("--motifs", type=FILE, metavar="DB.meme", help="Known motifs to compare with, a MEME file.")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=1000, show_default=True, help="Windows at most."
)  # fmt: skip
@click.option(
    "--seqlets", type=click.IntRange(min=1), default=2000, show_default=True,
    help="Stretches that tfmodisco uses at most, of either sign.",
)  # fmt: skip
@click.option(
    "--signal",
    "signals",
    envvar="TRACKGEN_EXPLAIN_MOTIFS_SIGNAL",
    multiple=True,
    type=NamedFile(),
    metavar="NAME=FILE",
    help="The file of a signal input, as of a scan.",
)
@click.option(
    "--vector",
    "vectors",
    envvar="TRACKGEN_EXPLAIN_MOTIFS_VECTOR",
    multiple=True,
    type=NamedFile(),
    metavar="NAME=FILE",
    help="The TSV of a vector input.",
)
@click.option("--profile-target", metavar="sum|centre|POSITION", help="What of a profile is explained.")
@click.option("--device", default="cpu", show_default=True, help="Where contributions run: cpu, cuda, cuda:1.")
@threads_option
@progress_options
def motifs(
    model: str, profile_target: str | None, threads: int | None, quiet: bool, log_file: Path | None, **rest: Any
) -> None:
    """Find the motifs in the contributions of MODEL on GENOME, with tfmodisco-lite, and name them.

    Writes OUT/report.html, the patterns (MEME, HDF5), and their hits on the genome (BED, bigBed).
    """
    from trackgen.learn.explain.motifs import MotifOptions, explain_motifs
    from trackgen.resources import find_model
    from trackgen.runtime import default_threads

    target = int(profile_target) if profile_target and profile_target.isdecimal() else profile_target
    options = MotifOptions(
        model=find_model(model), profile_target=target, threads=threads or default_threads(), **rest
    )  # fmt: skip
    with progress_to(quiet, log_file) as progress:
        click.echo(explain_motifs(options, progress))


@command.command()
@click.argument("model", metavar="MODEL")
@click.argument("genome", type=FILE, metavar="GENOME")
@click.option("--output", "-o", required=True, type=FILE, metavar="OUT", help="The folder to write.")
@click.option(
    "--test", "sequences", envvar="TRACKGEN_EXPLAIN_TRUST_TEST", multiple=True, callback=split_names, metavar="A,B",
    help="Sequences whose calls are explained.  [default: those that the card says were held out]",
)  # fmt: skip
@click.option(
    "--motif", "motifs", envvar="TRACKGEN_EXPLAIN_TRUST_MOTIF", multiple=True, type=(str, str, FILE, int),
    metavar="NAME WORD BED N",
    help="Known instances of a motif: WORD (IUPAC letters) within N bp of the middle of an interval of BED.",
)  # fmt: skip
@click.option(
    "--stranded-motif", "stranded", envvar="TRACKGEN_EXPLAIN_TRUST_STRANDED_MOTIF", multiple=True,
    type=(str, str, FILE, int), metavar="NAME WORD BED N", help="The same, on the strand of the call alone.",
)  # fmt: skip
@click.option(
    "--signal", "signals", envvar="TRACKGEN_EXPLAIN_TRUST_SIGNAL", multiple=True, type=NamedFile(),
    metavar="NAME=FILE", help="The file of a signal input, as of a scan.",
)  # fmt: skip
@click.option(
    "--vector", "vectors", envvar="TRACKGEN_EXPLAIN_TRUST_VECTOR", multiple=True, type=NamedFile(),
    metavar="NAME=FILE", help="The TSV of a vector input.",
)  # fmt: skip
@click.option(
    "-n", "--number", type=click.IntRange(min=1), default=300, show_default=True,
    help="Called windows of each class at most that are explained against shuffles.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the windows that are drawn, and of their shuffles.")
@threads_option
@progress_options
def trust(
    model: str, motifs: tuple[Any, ...], stranded: tuple[Any, ...], threads: int | None, quiet: bool,
    log_file: Path | None, **rest: Any,
) -> None:  # fmt: skip
    """Measure how far contributions of MODEL can be trusted, on its calls on GENOME.

    Against its reference, 20 shuffled genomes and 20 shuffles of each window: agreement with 200 shuffles of each
    window, and recall of known motifs; and how tracks agree with the contributions of the calls under them. Writes
    OUT/contributions.json, OUT/README.md, and OUT/model.onnx, a copy of MODEL with the figures in its card.
    """
    from trackgen.learn.trust.instances import KnownMotif
    from trackgen.learn.trust.measure import TrustOptions, measure_trust
    from trackgen.learn.trust.report import write_trust
    from trackgen.resources import find_model
    from trackgen.runtime import default_threads

    known = [
        KnownMotif(name, word, peaks, distance, own)
        for own, rows in ((False, motifs), (True, stranded))
        for name, word, peaks, distance in rows
    ]
    options = TrustOptions(
        model=find_model(model), motifs=tuple(known), threads=threads or default_threads(), **rest
    )  # fmt: skip
    with progress_to(quiet, log_file) as progress:
        figures = measure_trust(options, progress)
    click.echo(write_trust(options.model, options.output, figures, _trust_command(model, options)))


def _trust_command(model: str, options: TrustOptions) -> str:
    """The command line that makes the figures again, without this machine's folders."""
    from trackgen.cli.train import public_text

    name = public_text(Path(model)) if options.model == Path(model) else model
    lines = [f"trackgen explain trust {name} {public_text(options.genome)} -o trust"]
    lines += [f"--test {','.join(options.sequences)}"] if options.sequences else []
    for motif in options.motifs:
        words = (motif.name, motif.word, motif.peaks, motif.distance)
        lines.append(" ".join(["--stranded-motif" if motif.stranded else "--motif", *map(public_text, words)]))
    for option, files in (("--signal", options.signals), ("--vector", options.vectors)):
        lines += [f"{option} {public_text(name)}={public_text(path)}" for name, path in files]
    return " \\\n    ".join([*lines, f"-n {options.number} --seed {options.seed}"])
