"""``trackgen train binding``: a model of one factor's binding, with what ten Dijke 2017 did as options."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trackgen.cli.options import NamedFile, progress_options, progress_to, split_names, threads_option

if TYPE_CHECKING:
    from trackgen.learn.binding_options import CellFiles

__all__ = ["binding"]

FILE = click.Path(path_type=Path)


class Cell(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``NAME=PEAKS[,RELAXED[,SIGNAL[,REGIONS]]]`` -> `trackgen.learn.binding_options.CellFiles`."""

    name = "NAME=PEAKS[,RELAXED[,SIGNAL[,REGIONS]]]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> CellFiles:
        from trackgen.learn.binding_options import CellFiles

        if isinstance(value, CellFiles):
            return value
        name, _, text = value.partition("=")
        files = [Path(part) if part else None for part in text.split(",")]
        if not name or files[0] is None or len(files) > 4:
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return CellFiles(name, files[0], *files[1:])


@click.command()
@click.option("--genome", required=True, type=FILE, help="FASTA (plain or bgzip) or 2bit.")
@click.option(
    "--peaks", required=True, type=FILE, help="Peaks of one factor: BED or narrowPeak, intervals or midpoints."
)
@click.option(
    "--relaxed", type=FILE, help="Weaker peaks of the factor, as of a relaxed threshold: bins they touch are ambiguous."
)
@click.option(
    "--ambiguous-as", type=click.Choice(["left-out", "unbound"]), default="left-out", show_default=True,
    help="What ambiguous bins are, in training and in figures; ten Dijke 2017 has them unbound.",
)  # fmt: skip
@click.option("--signal", type=NamedFile(), help="A BigWig to read beside the sequence, and the input's name.")
@click.option(
    "--regions", type=FILE,
    help="Peaks of the signal: train on the bins that overlap them and on --others, as ten Dijke 2017.  "
    "[default: bins drawn anew every epoch]",
)  # fmt: skip
@click.option(
    "--others", type=click.IntRange(min=0),
    help="With --regions: bins that overlap none of them, of each cell type.  [default: 100000]",
)  # fmt: skip
@click.option(
    "--cell", type=Cell(), multiple=True,
    help="With --regions: another cell type to train on; files that there are not are left empty (K562=a.bed,,b.bw).",
)  # fmt: skip
@click.option("--output", "-o", required=True, type=FILE, help="Folder for the model and its report.")
@click.option("--validation", required=True, multiple=True, callback=split_names, help="Sequences to choose by: A,B.")
@click.option("--test", required=True, multiple=True, callback=split_names, help="Sequences to judge by: A,B.")
@click.option("--exclude", multiple=True, help="Leave out: a BED file, chr:a-b (1-based closed), or a sequence.")
@click.option("--peak-width", default=200, show_default=True, help="Narrower peaks are widened to this, bp.")
@click.option("--min-score", default=0.0, show_default=True, help="Peaks below this score (column 5) are uncertain.")
@click.option("--name", help="The model's name  [default: the output folder's]")
@click.option("--title", default="Transcription-factor binding", show_default=True, help="The model in a few words.")
@click.option("--label", default="bound", show_default=True, help="The track in a few words.")
@click.option("--data", default="", help="Where the data comes from and how the signal was made, for card and README.")
@click.option("--license", default="", help="Licence of the model, for its card.")
@click.option(
    "--architecture", default="",
    help="With a signal binding-thesis, binding-plain or binding-deep; without one binding-sequence, "
    "binding-plain-sequence or binding-deep-sequence.  [default: the thesis' shallow net for what there is]",
)  # fmt: skip
@click.option(
    "--motifs", type=FILE, help="Start filters from the motifs of a MEME, TRANSFAC or JASPAR file, not from that found."
)
@click.option("--motif", multiple=True, metavar="NAME", help="Of --motifs: only this one.  [default: the first ones]")
@click.option("--pretrain", type=FILE, help="A BigWig of ChIP fold change that the net learns first, by regression.")
@click.option(
    "--pretrain-epochs", type=click.IntRange(min=1), help="Of --pretrain, at most so many epochs.  [default: 10]"
)
@click.option("--epochs", default=60, show_default=True, help="Train for at most so many epochs.")
@click.option("--patience", default=10, show_default=True, help="Stop after so many epochs without improvement.")
@click.option("--batch-size", default=256, show_default=True, help="Windows in a training step.")
@click.option("--learning-rate", default=5e-3, show_default=True, help="Step size of Adam.")
@click.option(
    "--precision", type=click.Choice(["fp32", "mixed"]), default="fp32", show_default=True,
    help="mixed: half precision where that is safe, on CUDA.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of weights, bins, strands, order and dropout.")
@click.option("--device", default="cpu", show_default=True, help="Where to train: cpu, cuda, cuda:1.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@threads_option
@progress_options
def binding(output: Path, name: str | None, threads: int | None, quiet: bool, **rest: Any) -> None:
    """Train a model of one factor's binding: bins of 200 bp, from the sequence, and a signal such as ATAC-seq coverage.

    The peaks' best motif is judged beside it; with a signal also a second net without it, and the signal by itself.
    """
    from trackgen.cli.train import command_text
    from trackgen.learn.binding_task import BindingOptions, train_binding
    from trackgen.runtime import default_threads

    log_file = rest.pop("log_file")
    chosen = name or output.resolve().name
    options = BindingOptions(output=output, name=chosen, threads=threads or default_threads(), **rest)
    with progress_to(quiet, log_file) as progress:
        text = command_text(options, "binding")
        click.echo(train_binding(dataclasses.replace(options, command=text), progress))
