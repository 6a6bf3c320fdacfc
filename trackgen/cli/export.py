"""``trackgen export``: a trained net -> ONNX with its card inside."""

from __future__ import annotations

from pathlib import Path

import click

from trackgen.errors import ModelError

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("checkpoint", type=FILE)
@click.option("--output", "-o", required=True, type=FILE, help="The ONNX file to write.")
@click.option("--card", type=FILE, help="JSON file of another card than the one that training made.")
def command(checkpoint: Path, output: Path, card: Path | None) -> None:
    """Write CHECKPOINT, the model.pt of a training run, as ONNX with its card inside.

    Refused unless ONNX Runtime reproduces PyTorch to 1e-5 at batches of 1, 7 and 256.
    """
    from trackgen.card import parse_card
    from trackgen.learn.export import calibrated, export
    from trackgen.learn.saved import load_saved

    saved = load_saved(checkpoint)
    chosen = saved.card
    if card is not None:
        if not card.is_file():
            raise ModelError("the card does not exist", path=card)
        chosen = parse_card(card.read_text(encoding="utf-8"), str(card))
    click.echo(export(calibrated(saved.build(), saved.calibration, chosen), chosen, output))
