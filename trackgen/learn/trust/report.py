"""The figures of `trackgen.learn.trust.measure` in a model's card and in its README."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trackgen.card import Card, add_card, read_card
from trackgen.learn.trust.explained import STANDARD
from trackgen.learn.trust.instances import TOP
from trackgen.learn.trust.measure import WEIGHTS

__all__ = ["FIGURES", "MODEL", "README", "card_figures", "put_section", "section", "write_trust"]

FIGURES, MODEL, README = "contributions.json", "model.onnx", "README.md"
HEADING = "## Contributions"
OF_THE_MOTIF = ("word", "stranded", "distance", "peaks")
"""What is told of motifs in words."""
FOLLOWING = ("## Limits", "## To make it again")
"""Sections of a model's README that stay behind ours."""


def write_trust(model: Path, output: Path, figures: Mapping[str, Any], command: str) -> Path:
    """Write the figures, a copy of the model with them in its card, and its README with them.

    Args:
        model: its file; a README.md beside it is where the section goes into.
        output: the folder to write.
        figures: as `measure_trust` gives them.
        command: the command line that makes them again.

    Returns:
        The README.

    Raises:
        ModelError, UsageError, ResourceError: the copy of the model can't be made.
    """
    card = read_card(model)
    (output / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    training = {**card.training, "contributions": card_figures(card, figures)}
    add_card(model, dataclasses.replace(card, training=training), output / MODEL)
    beside = model.with_name(README)
    text = beside.read_text(encoding="utf-8") if beside.is_file() else f"# {card.name}: {card.title}\n"
    (output / README).write_text(put_section(text, section(card, figures, command)), encoding="utf-8")
    return output / README


def put_section(readme: str, text: str) -> str:
    """A README with the section in the place of the one it had, else before what follows it, else at the end."""
    parts = re.split(r"^(?=## )", readme, flags=re.MULTILINE)
    kept = [part.strip() for part in parts if not part.startswith(f"{HEADING}\n")]
    place = next((number for number, part in enumerate(kept) if part.startswith(FOLLOWING)), len(kept))
    return "\n\n".join([*kept[:place], text.strip(), *kept[place:]]) + "\n"


def card_figures(card: Card, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures with a sentence each on what they mean, as ``training.contributions`` holds them."""
    found: dict[str, Any] = {
        "measured_on": figures["measured_on"],
        "calls": _calls_text(card),
        "agreement": {"meaning": _agreement_text(figures), "classes": _short(figures["agreement"])},
    }
    if figures["motif_recall"]:
        motifs = [{key: row[key] for key in row if key not in OF_THE_MOTIF} for row in _short(figures["motif_recall"])]
        found["motif_recall"] = {"meaning": _recall_text(), "known": _known_text(figures), "motifs": motifs}
    return found | {
        "tracks": {"meaning": _tracks_text(), "classes": _short(figures["tracks"])},
        "seed": figures["seed"],
    }


def _short(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows with three decimals: more would say more than some hundred windows can."""
    return [{key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()} for row in rows]


def _calls_text(card: Card) -> str:
    strand = " of their strand" if card.strands == "both" else ""
    return (
        "Windows whose probability is at least the class's threshold and the largest among all windows"
        f"{strand} whose bins begin within {card.contributions.distance} bp."
    )


def _agreement_text(figures: Mapping[str, Any]) -> str:
    few, many = figures["shuffles"], figures["shuffles_of_the_standard"]
    return (
        "Median over called windows of Pearson's correlation, over the window's bases, of DeepLIFT contributions with "
        f"those against {many} dinucleotide shuffles of the window itself (the standard). Frequencies: against the "
        f"card's base frequencies, the default. In place: {few} genomes shuffled in place (--reference shuffle:{few}). "
        f"Own: {few} shuffles of the window itself. Other: {many} other shuffles of it, the most that can be expected."
    )


def _recall_text() -> str:
    return (
        "Share of known motif instances in called windows whose bases contribute more, in the mean, than those of all "
        f"but {TOP:.0%} of the places in the window that are as long; a random place is recalled with a chance of "
        f"{TOP:.0%}. An instance counts once for each called window that holds it whole; windows that hold one are "
        "explained besides those drawn at random."
    )


def _known_text(figures: Mapping[str, Any]) -> str:
    known = {row["motif"]: row for row in figures["motif_recall"]}.values()
    texts = [
        f"{row['motif']}: {row['word']} on {'the strand of the call' if row['stranded'] else 'either strand'} within "
        f"{row['distance']} bp of a peak in {row['peaks']}"
        for row in known
    ]
    return "; ".join(texts) + "."


def _tracks_text() -> str:
    return (
        "Median over all calls of the correlation, over the bases of the call's window, of the track that `trackgen "
        "scan --contrib` writes, by its weight, with the DeepLIFT contributions of that window alone (both against "
        "the card's frequencies)."
    )


def section(card: Card, figures: Mapping[str, Any], command: str) -> str:
    """The README's section, Markdown."""
    few, many = figures["shuffles"], figures["shuffles_of_the_standard"]
    kinds = {
        "frequencies": "frequencies", "in_place": f"in place, {few}", "own": f"own, {few}", "other": f"other, {many}",
    }  # fmt: skip
    explained = {"class": "class", "calls": "calls", "explained": "explained", **kinds}
    recalled = {"class": "class", "motif": "motif", "instances": "instances", **kinds, STANDARD: f"standard, {many}"}
    tracks: dict[str, str] = {"class": "class", "windows": "calls"} | {weight: f"`{weight}`" for weight in WEIGHTS}
    calls = _calls_text(card)
    parts = [
        HEADING,
        f"How far contributions can be trusted, measured on the calls of {', '.join(figures['measured_on'])}: "
        f"{calls[0].lower()}{calls[1:]}",
        _agreement_text(figures),
        _table(figures["agreement"], explained),
    ]
    if figures["motif_recall"]:
        parts += [f"{_recall_text()} {_known_text(figures)}", _table(figures["motif_recall"], recalled)]
    parts += [_tracks_text(), _table(figures["tracks"], tracks), f"These figures again:\n\n```\n{command}\n```"]
    return "\n\n".join(parts)


def _table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Rows as Markdown: whole numbers with commas, others with three decimals."""
    lines = [list(columns.values()), ["---"] * len(columns), *([_cell(row[key]) for key in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
