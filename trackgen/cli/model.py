"""``trackgen model``: list, show, check and explain models, or put a card into one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from trackgen.cli.options import stride_option, threads_option

__all__ = ["command"]


@click.group()
def command() -> None:
    """List, show, check and explain models, or put a card into one."""


@command.command("list")
def list_models() -> None:
    """List the models that ship with trackgen."""
    from trackgen.card import read_card
    from trackgen.resources import shipped_models

    for name, path in shipped_models().items():
        card = read_card(path)
        classes = ", ".join(entry.name for entry in card.classes if entry.track)
        click.echo(f"{name}\t{card.window} bp\t{classes}\t{card.title}")


@command.command()
@click.argument("model")
def show(model: str) -> None:
    """Print the card of MODEL, a file or the name of a shipped model, as JSON."""
    from trackgen.card import read_card
    from trackgen.resources import find_model

    click.echo(json.dumps(read_card(find_model(model)).to_dict(), indent=2, ensure_ascii=False))


@command.command()
@click.argument("model")
@click.option("--device", default="cpu", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to run.")
@threads_option
def check(model: str, device: str, threads: int | None) -> None:
    """Check MODEL: its card against its graph, and its values at batch sizes 1, 7 and 256."""
    from trackgen.resources import find_model
    from trackgen.runtime import default_threads
    from trackgen.scan.model_check import BATCH_SIZES, check_model

    path = find_model(model)
    result = check_model(path, device=device, threads=threads or default_threads())
    click.echo(f"card\tfits the graph: {result.card.name}, window {result.card.window} bp, {result.card.strands}")
    sizes = ", ".join(map(str, BATCH_SIZES))
    click.echo(f"batch sizes\t{sizes} agree: largest difference {result.largest_difference:.2g}")
    click.echo(f"speed\t{result.windows_per_second:,.0f} windows a second on {result.device}")


@command.command()
@click.argument("model")
@stride_option
def explain(model: str, stride: int | None) -> None:
    """Show how MODEL runs densely at a stride, and why that is fast; or why it can't."""
    from trackgen.card import load_model, read_card
    from trackgen.errors import TrackgenError
    from trackgen.graph import NotDense, compile_dense
    from trackgen.graph import explain as explained
    from trackgen.resources import find_model
    from trackgen.scan.modes import why_windows

    path = find_model(model)
    card = read_card(path)
    stride = card.stride if stride is None else stride
    try:
        compiled = compile_dense(load_model(path), card, stride)
    except NotDense as refusal:
        click.echo(f"{card.name} can't run densely: windows are run one by one, with the same values")
        click.echo(f"  node    {refusal.node} ({refusal.op})\n  reason  {refusal.reason}")
        return
    except TrackgenError as error:
        raise error.in_file(path) from None
    reason = why_windows(compiled)
    click.echo(f"{card.name}: {explained(compiled)}")
    click.echo(f"\n`trackgen scan` runs {f'windows one by one: {reason}' if reason else 'it densely'}")


@command.command("add-card")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("card", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The ONNX file to write.")
def put_card(model: Path, card: Path, output: Path) -> None:
    """Write a copy of MODEL (ONNX) with CARD (JSON) inside, after checking that the two agree."""
    from trackgen.card import add_card, parse_card
    from trackgen.errors import ModelError

    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("the card can't be read", path=card, found=str(error), wanted="a JSON file") from error
    add_card(model, parse_card(text, str(card)), output)
    click.echo(output)
