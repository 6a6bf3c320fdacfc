"""``trackgen demo``: the whole main job on the yeast genome with the shipped models of yeast."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from trackgen.cli.options import command_line, progress_options, progress_to, threads_option
from trackgen.errors import UsageError

if TYPE_CHECKING:
    from trackgen.progress import Progress

__all__ = ["command"]

DEFAULT_STRIDE = 1
"""Bases between windows: the shipped models are about single bases, and run densely."""


BINDING = "binding-yeast"
COARSEST_STRIDE = 10
"""Of the models of binding and of ATAC-seq."""
BINDING_FACTORS = ("Reb1", "Mbp1", "Tbf1")
"""Of a model of many factors a page shows a few: each has a track and its letters."""

DENOISING, DENOISED_INPUT = "denoise-atac-yeast", "atac"
SHALLOW, THINNING_SEED = 0.1, 1001
"""The share of the fragments that the model reads, drawn by a seed that no training has used."""
DENOISED_LOCUS = "chrIV:500,000-520,000"
"""On a chromosome that the model was not trained on."""


def _models_of_sequence() -> tuple[str, ...]:
    """Shipped models of yeast that read nothing but the genome: others need a track that the demo does not have."""
    from trackgen.card import read_card
    from trackgen.resources import shipped_models

    cards = {str(path): read_card(path) for path in shipped_models().values()}
    return tuple(
        path
        for path, card in cards.items()
        if card.training.get("assembly") == "sacCer3" and all(entry.kind == "sequence" for entry in card.inputs)
    )


class _Denoised(NamedTuple):
    """What the demo shows of denoising: the run, and what its signal is to be drawn over."""

    result: Any
    beside: list[tuple[str, Path]]


def _denoise(options: Any, progress: Progress) -> _Denoised | None:
    """Denoise a tenth of yeast's ATAC-seq fragments, and make tracks of that tenth and of all others to compare.

    Nothing is done where the model or the fragments can't be had.
    """
    from trackgen.calls import CallOptions, make_calls
    from trackgen.card import read_card
    from trackgen.genome import open_genome
    from trackgen.genome.yeast import find_yeast_atac
    from trackgen.hub.call_sources import call_sources
    from trackgen.resources import shipped_models
    from trackgen.scan import run_scan
    from trackgen.signals import make_signal, recipe_from_card

    model = shipped_models().get(DENOISING)
    recipe = recipe_from_card(read_card(model).training, DENOISED_INPUT) if model else None
    found = find_yeast_atac(progress) if recipe else None
    if model is None or recipe is None or found is None:
        return None
    fragments, origin = found
    progress.note(f"ATAC-seq: {fragments.name} from {origin}, verified")
    output = options.output.parent
    output.mkdir(parents=True, exist_ok=True)
    shallow, deep = output / "atac-shallow.bw", output / "atac-deep.bw"
    with open_genome(options.genome) as genome:
        for target, complement in ((shallow, False), (deep, True)):
            drawn = replace(recipe.fragments, fraction=SHALLOW, seed=THINNING_SEED, complement=complement)
            make_signal(fragments, genome.lengths, target, replace(recipe, fragments=drawn), progress)
    chosen = replace(
        options, models=(str(model),), output=output / "denoised", stride=_wider(options.stride), contrib=(),
        signals=((DENOISED_INPUT, shallow),),
    )  # fmt: skip
    result = run_scan(chosen, progress)
    calls = CallOptions(result.folder / "calls", overwrite=True)
    try:
        make_calls(call_sources([result.folder], ("peak",), None), calls, progress)
    except UsageError as error:  # pybigtools is not installed: the tracks are worth showing without calls
        progress.note(f"no calls: {error}")
    share = round(100 * SHALLOW)
    beside = [(f"shallow ({share} %)", shallow), (f"deep (other {100 - share} %)", deep)]
    return _Denoised(result, beside)


def _wider(stride: int | None) -> int | None:
    """None, a model's own stride, unless a coarser one is asked for."""
    return stride if stride is not None and stride > COARSEST_STRIDE else None


@click.command()
@click.argument("output", default="trackgen-demo", type=click.Path(path_type=Path), metavar="[OUT]")
@click.option("--genome", type=click.Path(path_type=Path), help="Your own copy of sacCer3 (FASTA or 2bit).")
@click.option(
    "--stride",
    type=click.IntRange(min=1),
    default=DEFAULT_STRIDE,
    show_default=True,
    help="Distance between windows, bp.",
)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to run.")
@click.option("--overwrite", is_flag=True, help="Replace the run that OUT holds.")
@click.option(
    "--open",
    "open_page",
    envvar="TRACKGEN_DEMO_OPEN",
    is_flag=True,
    help="Serve the page at once and open it in the browser.",
)
@threads_option
@progress_options
def command(
    output: Path,
    genome: Path | None,
    stride: int,
    device: str,
    overwrite: bool,
    open_page: bool,
    threads: int | None,
    quiet: bool,
    log_file: Path | None,
) -> None:
    """Scan the yeast genome with the shipped models, build a hub in OUT, and say how to look at it.

    Denoising is shown on a tenth of the ATAC-seq fragments of SRR1822137, from the folder TRACKGEN_DATA or downloaded
    once; without them, the rest is done.
    """
    from trackgen.genome.yeast import find_saccer3
    from trackgen.hub import build_hub
    from trackgen.runtime import default_threads
    from trackgen.scan import ScanOptions, run_scan

    began = time.monotonic()
    with progress_to(quiet, log_file) as progress:
        path, origin = find_saccer3(genome, progress)
        progress.note(f"genome: {path.name} from {origin}, verified")
        models = _models_of_sequence()
        binding = tuple(model for model in models if Path(model).parent.name == BINDING)
        options = ScanOptions(
            models=tuple(model for model in models if model not in binding),
            genome=path,
            output=output / "tracks",
            stride=stride,
            contrib=("all",),
            device=device,
            threads=threads or default_threads(),
            overwrite=overwrite,
            command=command_line(),
        )
        results = [run_scan(options, progress)]
        if binding:
            few = replace(options, models=binding, output=output / "binding", stride=_wider(stride))
            results.append(run_scan(replace(few, classes=BINDING_FACTORS, contrib=BINDING_FACTORS), progress))
        denoised = _denoise(options, progress)
        beside = denoised.beside if denoised else []
        results += [denoised.result] if denoised else []
        folders = [result.folder for result in results]
        # Those that read the genome alone run in the hub's live page, too.
        hub = build_hub(
            folders, output / "hub", genome=str(path), email=None, url=None, progress=progress, beside=beside, models=()
        )
    for result in results:
        click.echo(f"tracks\t{result.folder} ({len(result.tracks)} BigWig files, run.json, skipped.bed)")
    click.echo(f"hub\t{output / 'hub'} (hub.txt for UCSC, igv.json, index.html, live.html)")
    click.echo(f"time\t{time.monotonic() - began:.0f} s")
    if open_page:
        from trackgen.cli.serve import command as serve

        click.get_current_context().invoke(serve, root=hub.path, open_page=True)
    else:
        click.echo(f'show\ttrackgen serve {output / "hub"}  (its page "Live" predicts what changed bases would do)')
        if denoised:
            click.echo(f"look\ttrackgen view {output / 'hub'} --locus {DENOISED_LOCUS}  (denoised ATAC-seq)")
