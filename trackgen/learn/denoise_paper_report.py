"""The card of a net of stretches, and the report of the search that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trackgen.card import Card, ClassSpec, InputSpec, OutputSpec
from trackgen.learn.datasets.stretches import BINS, CENTRE, RESOLUTION
from trackgen.learn.figures import rounded
from trackgen.learn.tss_report import again_section, markdown_table
from trackgen.signals import Recipe

__all__ = ["CAVEATS", "INPUT", "search_section", "stretch_card", "write_report"]

INPUT = "atac"
COLOR = "40,90,160"
UNITS = {"coverage": "fold over the mean coverage", "peaks": "signal of peaks"}
VALUES = {
    "coverage": "coverage by fragments, as fold over its mean",
    "peaks": "the signal of peaks that MACS3 calls (trackgen signal --measure peaks)",
}
DESCRIPTION = (
    "Deep ATAC-seq as a net tells it from a sample of {share:g} of its fragments: {tells} in bins of {resolution} bp, "
    "from {reads} in {bins:,} bins of which the {centre:,} in the middle are told at once. The net of Fishman and "
    "Gurev: {summary}."
)
CAVEATS = (
    "Where the input holds nothing, the net tells what it has learnt of empty stretches: what is open there is missed.",
    "A peak of the input that is chance alone is told as a peak; one that lies beside the true place is pulled towards "
    "where the net expects it, and not always to the truth.",
    "The net was trained on one sample at one depth: another cell type, protocol or depth is beyond what it was shown.",
)
"""What the paper itself says fails, its Figures 10 and 11, and what follows from how it is trained."""
BOTH_WAYS = {
    "complement": "The target is of the fragments that the draw left out, so that input and target share none.",
    "all": "The target is of all fragments, the input's among them, as in the paper.",
}


def stretch_card(options: Mapping[str, Any], figures: Mapping[str, Any], summary: str) -> Card:
    """The card of an exported net of stretches.

    Args:
        options: name, title, license, data, seed, held-out sequences and how pairs were made (`PairOptions`).
        figures: of the run: ``data``, ``validation``, ``test``, ``search``.
        summary: the net in words.
    """
    reads, tells = options["reads"], options["tells"]
    depth = figures["data"]["depth"]
    training: dict[str, Any] = {
        "data": options["data"], "held_out": list(options["test"]), "seed": options["seed"],
        "fraction": options["fraction"], "pairing": options["pairing"], "reads": reads, "tells": tells,
        "net": figures["net"], "metrics": figures["test"]["net"], "validation": figures["validation"]["net"],
        "caveats": list(CAVEATS),
    }  # fmt: skip
    if reads == "coverage":
        # half and twice the depth it was trained at: beyond, noise is no longer what the net was shown
        training["signals"] = {INPUT: Recipe(depth=(depth / 2, depth * 2)).as_card()}
    told = ClassSpec("denoised", label="denoised ATAC-seq", color=COLOR)
    return Card(
        name=options["name"], title=options["title"], license=options["license"],
        description=DESCRIPTION.format(
            share=options["fraction"], tells=VALUES[tells], reads=VALUES[reads], resolution=RESOLUTION, bins=BINS,
            centre=CENTRE, summary=summary,
        ),
        window=BINS * RESOLUTION, bin=CENTRE * RESOLUTION,
        inputs=(InputSpec(INPUT, "signal", resolution=RESOLUTION, statistic="max" if reads == "peaks" else "mean"),),
        outputs=(OutputSpec("signal", "none", (told,), resolution=RESOLUTION, role="signal", unit=UNITS[tells]),),
        training=rounded(training),
    )  # fmt: skip


def write_report(folder: Path, card: Card, figures: Mapping[str, Any], section: str, command: str) -> None:
    """``README.md`` and ``report/metrics.json``.

    Args:
        folder: the run's output folder; ``report/`` in it exists.
        card: of the exported net.
        figures: all of the run's.
        section: how the net came about, Markdown.
        command: the command line that makes the net again.
    """
    report = folder / "report"
    (report / "metrics.json").write_text(json.dumps(rounded(figures), indent=1) + "\n")
    sections = [
        f"# {card.name}: {card.title}", card.description, _data_section(card, figures), section,
        _figure_section(card, figures), _caveat_section(card), again_section(command),
    ]  # fmt: skip
    (folder / "README.md").write_text("\n\n".join(section.strip() for section in sections) + "\n")


def _data_section(card: Card, figures: Mapping[str, Any]) -> str:
    data = figures["data"]
    rows = [
        [part, f"{data['examples'][part]:,}", ", ".join(data["split"][part])]
        for part in ("train", "validation", "test")
    ]
    origin = f"{card.training['data']}\n\n" if card.training["data"] else ""
    return f"""## Data

{origin}{data["fragments"]:,} fragments, of which a draw of {card.training["fraction"]:g} is read (a mean coverage of
{data["depth"]:.3g}). {BOTH_WAYS[card.training["pairing"]]} Validation and test have draws of their own.

{markdown_table(["part", "stretches", "sequences"], rows)}"""


def search_section(figures: Mapping[str, Any]) -> str:
    """How the draws of a random search did."""
    search = figures["search"]
    rows = [
        [str(draw["number"] + 1), *(f"{draw['sizes'][key]:,}" for key in ("width", "filters", "hidden")),
         f"{draw['parameters']:,}", str(draw["best_epoch"] + 1), f"{draw['validation_mse']:.4f}"]
        for draw in search["draws"]
    ]  # fmt: skip
    header = ["draw", "width", "filters", "hidden units", "weights", "best epoch", "validation MSE"]
    return f"""## Random search

Each draw of sizes is trained for {search["epochs"]} epochs; the mean over draws, which the paper tells, is
{search["mean_mse"]:.4f} on validation. Kept is draw {search["best"] + 1}: {figures["net"]["words"]}.

{markdown_table(header, rows)}"""


def _figure_section(card: Card, figures: Mapping[str, Any]) -> str:
    rows = [
        [f"{what}, {part}", *(f"{figures[part][key][name]:.4f}" for name in ("mse", "explained", "pearson"))]
        for part in ("validation", "test")
        for what, key in (("this net", "net"), ("its input as it is", "input"))
        if key == "net" or card.training["reads"] == card.training["tells"]
    ]  # fmt: skip
    return f"""## Figures

Over all bins that the stretches tell, in {card.outputs[0].unit}; explained is one minus the error's share of the
truth's variance:

{markdown_table(["", "MSE", "explained", "Pearson's r"], rows)}"""


def _caveat_section(card: Card) -> str:
    return "## What it may invent\n\n" + "\n".join(f"* {text}" for text in card.training["caveats"])
