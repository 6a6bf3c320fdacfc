"""``trackgen sweep``: architectures against data sets, searched and trained alike, and the report on them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from trackgen.cli.options import progress_options, progress_to, split_names

__all__ = ["command"]

FILE = click.Path(path_type=Path)
ALL = "all"


class NamedText(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``NAME=TEXT`` -> (name, text)."""

    envvar_list_splitter = os.linesep  # a text may hold spaces

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, _, text = value.partition("=")
        if not name.strip() or not text.strip():
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        if set(name) & set("/ \t") or name.startswith("."):
            self.fail(f"{name!r} is to be part of file names: without slashes and spaces", param, ctx)
        return name, text


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """``40000,10000`` -> numbers."""
    try:
        return tuple(int(text) for text in (value or "").split(",") if text.strip())
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers", context, parameter) from error


@click.group(invoke_without_command=True)
@click.option(
    "--set", "sets", envvar="TRACKGEN_SWEEP_SET", multiple=True, type=NamedText("NAME=SET"),
    help="A data set: zeng:FASTA[+FASTA], deepbind:AC_FILE, fasta:BOUND,UNBOUND, or peaks with --genome.",
)  # fmt: skip
@click.option(
    "--architecture", "architectures", envvar="TRACKGEN_SWEEP_ARCHITECTURE", multiple=True, callback=split_names,
    help="Codes A,B, those that matter first; all: the ten of Zeng 2016.",
)  # fmt: skip
@click.option("--output", "-o", type=FILE, help="Folder of the sweep: new, or one to go on with.")
@click.option("--genome", type=FILE, help="FASTA (plain or bgzip) or 2bit that peaks lie on.")
@click.option("--draws", type=click.IntRange(min=1), default=30, show_default=True, help="Settings tried in a search.")
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True, help="Trainings with the best one.")
@click.option(
    "--search-steps", type=click.IntRange(min=1), default=1000, show_default=True, help="Mini-batches of a draw."
)
@click.option(
    "--train-steps", type=click.IntRange(min=1), default=5000, show_default=True, help="Mini-batches of a training."
)
@click.option(
    "--search-every", type=click.IntRange(min=1), default=100, show_default=True,
    help="Mini-batches between two looks at validation in a search.",
)  # fmt: skip
@click.option(
    "--train-every", type=click.IntRange(min=1), default=500, show_default=True, help="The same in a training."
)
@click.option("--batch-size", type=click.IntRange(min=2), default=100, show_default=True, help="Of a mini-batch.")
@click.option(
    "--validation", type=click.IntRange(min=50), default=2000, show_default=True,
    help="At most so many sequences validate.",
)  # fmt: skip
@click.option("--positives", callback=_numbers, help="Also cut the sets down to so many bound sequences: A,B.")
@click.option(
    "--family", "families", envvar="TRACKGEN_SWEEP_FAMILY", multiple=True, type=NamedText("NAME=FAMILY"),
    help="Family of a set's factor, for ANOVA.",
)  # fmt: skip
@click.option("--task", default="discovery", show_default=True, help="What the sets ask: discovery, occupancy, free.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of draws, weights and order.")
@click.option(
    "--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Processes here, of one core each."
)
@click.option("--cluster", metavar="ADDRESS", help="A Dask cluster: host:port of its scheduler, or local:N.")
@progress_options
@click.pass_context
def command(context: click.Context, /, quiet: bool, log_file: Path | None, **rest: Any) -> None:
    """Search, train and test architectures on sets of sequences, as Zeng 2016 did (needs trackgen[train]).

    For each set and architecture 30 settings of dropout and AdaDelta are drawn and tried on validation, and the best
    is trained from several seeds and tested once. The same command goes on where it was stopped.
    """
    if context.invoked_subcommand is not None:
        return
    for name in ("sets", "architectures", "output"):
        if not rest[name]:
            raise click.UsageError(f"--{name.removesuffix('s')} is missing", context)
    _run(quiet, log_file, **rest)


def _run(
    quiet: bool, log_file: Path | None, *, sets: tuple[tuple[str, str], ...], architectures: tuple[str, ...],
    output: Path, genome: Path | None, processes: int, cluster: str | None, seeds: int, positives: tuple[int, ...],
    families: tuple[tuple[str, str], ...], **recipe: Any,
) -> None:  # fmt: skip
    from trackgen.learn.architectures.sequence_nets import SEQUENCE_NETS
    from trackgen.learn.datasets.importers import SetOptions, open_set
    from trackgen.learn.sweep.plan import Plan, Recipe
    from trackgen.learn.sweep.runner import Makers, sweep

    zeng = [name for name, net in SEQUENCE_NETS.items() if net.zeng]
    codes = dict.fromkeys(code for name in architectures for code in (zeng if name == ALL else [name]))
    names = [name for name, _ in sets]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"two sets are called {name}: give --set another NAME=")
    plan = Plan(Recipe(**recipe), tuple(dict(sets)), tuple(codes), seeds, positives, dict(families))
    with progress_to(quiet, log_file) as progress:
        opened = [replace(open_set(text, SetOptions(genome)), name=name) for name, text in sets]
        for one in opened:
            for note in one.notes:
                progress.note(f"{one.name}: {note}")
        click.echo(sweep(plan, opened, output, Makers(processes, cluster), progress))


@command.command()
@click.argument("folders", nargs=-1, required=True, type=FILE)
@click.option("--output", "-o", required=True, type=FILE, help="Folder of the report.")
@click.option("--families", type=FILE, help="Factors' families: NAME<tab>FAMILY, or JASPAR's TRANSFAC file.")
@click.option("--family", multiple=True, type=NamedText("NAME=FAMILY"), help="Family of a set's factor.")
@click.option("--baselines", type=FILE, help="Records of baselines  [default: baselines.jsonl in FOLDERS]")
def report(
    folders: tuple[Path, ...],
    output: Path,
    families: Path | None,
    family: tuple[tuple[str, str], ...],
    baselines: Path | None,
) -> None:
    """Write the report on the sweeps in FOLDERS, finished or not: tables, pictures, statistics, JSON."""
    from trackgen.learn.sweep.report import write_report

    click.echo(write_report(folders, output, families=families, named=dict(family), baselines=baselines))
