"""``trackgen hub``: tracks of one or more runs -> a hub for genome browsers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from trackgen.cli.hub_check import check
from trackgen.cli.options import NamedFile, progress_options, progress_to
from trackgen.errors import UsageError

if TYPE_CHECKING:
    from trackgen.hub.build import Layout


@click.group()
def command() -> None:
    """Package tracks so that they look right in genome browsers."""


@command.command()
@click.argument("runs", metavar="OUT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="HUB", required=True, type=click.Path(path_type=Path), help="The hub's folder.")
@click.option(
    "--genome",
    metavar="NAME|FILE",
    multiple=True,
    help="The UCSC name of the assembly (hg38), or its FASTA or 2bit file, which the hub then carries; once for each "
    "genome of the runs.",
)
@click.option(
    "--motifs",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also show the motif hits that trackgen explain motifs wrote into FOLDER; may be given several times.",
)
@click.option(
    "--calls",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also show the calls that trackgen call wrote into FOLDER; may be given several times.  [default: OUT/calls]",
)
@click.option(
    "--beside",
    metavar="LABEL=FILE.bw",
    multiple=True,
    type=NamedFile(),
    help="Draw the predicted signal over this BigWig file, such as the deep data, on one scale; what the model read is "
    "drawn there in any case where the scan made it of reads.",
)
@click.option("--email", metavar="ADDRESS", help="The contact that UCSC wants in a published hub.")
@click.option("--url", metavar="BASE", help="The address of the published folder, for absolute links.")
@click.option(
    "--layout",
    type=click.Choice(["one-file", "three-file"]),
    help="Settings in hub.txt alone, or also in genomes.txt and trackDb files; several genomes need the second.",
)
@click.option(
    "--genes",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Genes to draw and to find by name: GTF, GFF3 or BED; once for each genome.",
)
@click.option(
    "--into",
    metavar="CONFIG",
    type=click.Path(path_type=Path),
    help="Also put the tracks into the config.json of your own JBrowse, beside what is there.",
)
@click.option(
    "--names",
    metavar="ucsc|ensembl|FILE",
    help="Rename sequences: chr1 or 1, or by the lines OLD<TAB>NEW of FILE; tracks and genome follow.",
)
@click.option(
    "--with-model",
    is_flag=True,
    help="Put the runs' models into the hub, too: its live page then predicts by itself, wherever the hub lies.",
)
@click.option(
    "--model",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="With --with-model: the file of a model that does not ship with trackgen; may be given several times.",
)
@progress_options
def build(
    runs: tuple[Path, ...],
    output: Path,
    genome: tuple[str, ...],
    motifs: tuple[Path, ...],
    calls: tuple[Path, ...],
    beside: tuple[tuple[str, Path], ...],
    email: str | None,
    url: str | None,
    layout: Layout | None,
    genes: tuple[Path, ...],
    into: Path | None,
    names: str | None,
    with_model: bool,
    model: tuple[Path, ...],
    quiet: bool,
    log_file: Path | None,
) -> None:
    """Build the folder HUB from the tracks of the runs OUT..., which trackgen scan made."""
    from trackgen.hub import build_hub
    from trackgen.hub.text import counted

    if model and not with_model:
        raise UsageError("the option is for models in the hub", place="--model", wanted="--with-model beside it")
    with progress_to(quiet, log_file) as progress:
        report = build_hub(
            runs,
            output,
            genome=genome,
            email=email,
            url=url,
            progress=progress,
            motifs=motifs,
            calls=calls,
            beside=beside,
            layout=layout,
            names=names,
            genes=genes,
            jbrowse_config=into,
            models=model if with_model else None,
        )
        made = f"{counted(len(report.tracks), 'track')}, {counted(len(report.pages), 'page')}"
        progress.note(f"{made}; look at them: trackgen serve {output}")
    click.echo(report.path)
    for name, address in report.links:
        click.echo(f"{name}\t{address}")


command.add_command(check)
