"""Hub -> what the page of what A, C, G and T would contribute says: how to read it, and how good an estimate it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from trackgen.card import Card, read_card
from trackgen.hub.model import Hub, HubTrack
from trackgen.hub.templates import escaped, fill
from trackgen.resources import find_model, shipped_models

__all__ = ["MEASURED", "Agreement", "stack_colors", "stack_facts", "stack_reading", "stack_title"]


class Agreement(NamedTuple):
    """How the estimate goes together with exact mutagenesis of called windows on chromosomes held out.

    Attributes:
        pearson, spearman: over all single-base changes.
        sign: share of the tenth with the largest effects whose estimate has the right sign.
        changes: how many.
    """

    pearson: float
    spearman: float
    sign: float
    changes: int


MEASURED = {
    "tss-yeast": Agreement(0.762, 0.701, 0.923, 120_000),
    "binding-yeast": Agreement(0.792, 0.735, 0.954, 75_915),
    "binding-ctcf-human": Agreement(0.953, 0.794, 0.993, 90_000),
}
"""Of shipped models, docs/benchmarks/mutagenesis.md, by `--contrib-weight calls`."""


def stack_title(track: HubTrack) -> str:
    strand = f", {track.strand} strand" if track.strand else ""
    return f"{track.label}{strand}: what each base would contribute"


def stack_reading(hub: Hub, track: HubTrack, axis: str, strand: str) -> str:
    """How to read the letters, and how far to trust them."""
    contributions = next(
        (
            other
            for other in hub.tracks
            if other.sequence_letters and _place(other) == _place(track) and other.source.parent == track.source.parent
        ),
        None,
    )
    link = (
        f'<a href="{escaped(contributions.page)}">contributions</a>' if contributions is not None else "contributions"
    )
    return fill(
        "reading_hypothetical.html",
        label=escaped(track.label),
        contributions=link,
        quality=_quality(track.card),
        axis=axis,
        strand=strand,
    )


def stack_colors(tracks: Sequence[HubTrack], swatch: Sequence[str]) -> str:
    rows = [f"{mark}{track.base}" for track, mark in zip(tracks, swatch, strict=True)]
    return f"<p>{' '.join(rows)}, in every browser.</p>"


def stack_facts(tracks: Sequence[HubTrack]) -> dict[str, object]:
    """What the files hold, by base."""
    return {
        "file": {track.base: track.file for track in tracks},
        "lowest value": {track.base: track.run.minimum for track in tracks},
        "highest value": {track.base: track.run.maximum for track in tracks},
        "percentiles": {},
    }


def _place(track: HubTrack) -> tuple[str, str, str]:
    return track.model, track.class_name, track.strand


def _quality(card: Card) -> str:
    """What was measured of this very model, else of the shipped ones."""
    if card.name in MEASURED and card == _shipped_card(card.name):
        return f"<p>Measured for this model: {_words(MEASURED[card.name])}.</p>"
    lowest, highest = (pick(row.pearson for row in MEASURED.values()) for pick in (min, max))
    return (
        "<p>How good it is has not been measured for this model. Of the models that ship with trackgen, Pearson's "
        f"correlation with exact mutagenesis is {lowest:.2f} to {highest:.2f}.</p>"
    )


def _words(row: Agreement) -> str:
    return (
        f"over {row.changes:,} single-base changes in called windows of chromosomes that it was not trained on, the "
        f"estimate goes together with exact mutagenesis by Pearson's {row.pearson:.2f} and Spearman's "
        f"{row.spearman:.2f}; of the tenth with the largest effects, {row.sign:.0%} have the right sign"
    )


@cache
def _shipped_card(name: str) -> Card | None:
    return read_card(find_model(name)) if name in shipped_models() else None
