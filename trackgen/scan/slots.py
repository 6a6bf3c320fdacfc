"""Which classes are explained, and how the windows over a base are weighted: the options against the card."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import get_args

from trackgen.card import Card, ClassSpec, OutputSpec
from trackgen.errors import UsageError
from trackgen.scan.options import Attribution, ContributionWeight, ScanOptions

__all__ = [
    "ALL",
    "Slot",
    "choose_slots",
    "profile_target_of",
    "refuse_contradictions",
    "refuse_hypothetical_tracks",
    "refuse_unknown_contributions",
]

ALL = "all"
NEED_CONTRIB = (
    "contrib_weight", "reference", "attribution", "profile_target", "centred", "hypothetical", "hypothetical_tracks",
)  # fmt: skip
ONE_REGION_AT_A_TIME = ("occlusion", "substitution")
"""Attributions that run a window once or thrice for each of its bases."""
NO_REFERENCE = ("saliency", *ONE_REGION_AT_A_TIME)
LEAST_LIKENESS = 0.5


@dataclass(frozen=True)
class Slot:
    """One explained class. Indices count in the card's order."""

    output: int
    class_index: int
    weight: ContributionWeight
    threshold: float | None = None
    """Of a call; None for other weights."""


def refuse_contradictions(options: ScanOptions) -> None:
    """Options of contributions that can't be honoured together, or alone.

    Raises:
        UsageError: naming them.
    """
    defaults = {entry.name: entry.default for entry in dataclasses.fields(ScanOptions)}
    given = [name for name in NEED_CONTRIB if getattr(options, name) != defaults[name]]
    if given and not options.contrib:
        raise UsageError(
            "the option is about contributions, which are not asked for",
            place=_flag(given[0]),
            wanted="--contrib A,B or --contrib all beside it",
        )
    for name, value, choices in (
        ("attribution", options.attribution, get_args(Attribution)),
        ("contrib_weight", options.contrib_weight, (None, *get_args(ContributionWeight))),
    ):
        if value not in choices:
            known = ", ".join(choice for choice in choices if choice)
            raise UsageError("no such choice", place=_flag(name), found=value, wanted=known)
    if options.attribution in ONE_REGION_AT_A_TIME and not options.regions:
        raise UsageError(
            f"{options.attribution} runs every window once for each of its bases, or thrice: too much for a genome",
            place="--attribution",
            wanted="--regions beside it, or --attribution deeplift",
        )
    if options.attribution in NO_REFERENCE and options.reference is not None:
        raise UsageError(
            f"{options.attribution} is not measured against a reference",
            place="--reference",
            found=options.reference,
            wanted="--attribution deeplift or gradient",
        )
    if options.centred and options.contrib_weight not in (None, "uniform"):
        raise UsageError(
            "each region has one window of its own, so there is nothing to weigh",
            place="--contrib-weight and --centred",
            found=options.contrib_weight,
            wanted="one of the two",
        )
    if options.centred and not options.regions:
        raise UsageError("regions have windows of their own only where there are regions", place="--centred",
                         wanted="--regions beside it")  # fmt: skip
    if options.hypothetical is not None and not options.centred:
        raise UsageError(
            "hypothetical scores are of windows, one for each region",
            place="--hypothetical",
            wanted="--regions and --centred beside it",
        )
    if options.hypothetical is not None and (options.share is not None or options.plan_only):
        other = "--plan-only" if options.plan_only else "--shard"
        raise UsageError(
            f"hypothetical scores are written when all shards are there, which a run with {other} does not wait for",
            place=f"--hypothetical and {other}",
            wanted="one of the two",
            remedy=f"give --hypothetical without {other}, after `trackgen assemble` or in a run of its own",
        )


def refuse_hypothetical_tracks(options: ScanOptions, cards: Sequence[Card]) -> None:
    """Refuse ``--hypothetical-tracks`` where there are no multipliers of bases to make them from.

    Raises:
        UsageError: an attribution without multipliers, or a model that reads no sequence.
    """
    if not options.hypothetical_tracks:
        return
    if options.attribution in NO_REFERENCE:
        raise UsageError(
            f"{options.attribution} has no multipliers to make hypothetical contributions from",
            place="--hypothetical-tracks",
            wanted="--attribution deeplift or gradient",
        )
    for card in cards:
        if all(entry.kind != "sequence" for entry in card.inputs):
            raise UsageError(
                f"{card.name} reads no sequence, so no base can contribute to it",
                place="--hypothetical-tracks",
                wanted="a model with a sequence input",
                remedy="leave the option out",
            )


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def refuse_unknown_contributions(asked: Sequence[str], cards: Sequence[Card]) -> None:
    """Refuse classes of ``--contrib`` that no model has."""
    known = [entry.name for card in cards for entry in card.classes]
    for name in asked:
        if name != ALL and name not in known:
            raise unknown_class("--contrib", name, [*known, ALL])


def unknown_class(option: str, name: str, known: Sequence[str]) -> UsageError:
    """What to say of a class that no model has, with the nearest that there is, upper and lower case ignored."""
    folded = {entry.lower(): entry for entry in known}
    near = difflib.get_close_matches(name.lower(), list(folded), 1, cutoff=LEAST_LIKENESS)
    return UsageError(
        "no model has such a class",
        place=option,
        found=name,
        wanted=", ".join(known),
        remedy=f"did you mean {folded[near[0]]}" if near else None,
    )


def choose_slots(card: Card, options: ScanOptions, tracked: Collection[tuple[int, int]]) -> tuple[Slot, ...]:
    """The classes of a model that are explained, in the card's order.

    Args:
        tracked: (output, class) of the classes that have prediction tracks, which ``all`` stands for.

    Raises:
        UsageError: a weight that the class can't have, or a profile without ``--profile-target``.
    """
    slots = []
    for number, output in enumerate(card.outputs):
        for index, entry in enumerate(output.classes):
            if entry.name in options.contrib or (ALL in options.contrib and (number, index) in tracked):
                weight = _weight(card, output, entry, "uniform" if options.centred else options.contrib_weight)
                slots.append(Slot(number, index, weight, entry.threshold if weight == "calls" else None))
                profile_target_of(card, output, options.profile_target)
    return tuple(slots)


def _weight(card: Card, output: OutputSpec, entry: ClassSpec, asked: ContributionWeight | None) -> ContributionWeight:
    """The weight that was asked for, else the card's, as far as it fits the output."""
    weighable = output.role == "probability" and output.resolution is None
    if asked is None:
        default = card.contributions.weight or "probability"
        fits = weighable and (default != "calls" or entry.threshold is not None)
        return default if fits else "probability" if weighable else "uniform"
    if asked != "uniform" and not weighable:
        what = "a profile" if output.resolution is not None else "no probability"
        raise UsageError(
            f"the output {output.name} of {card.name} is {what}, so its windows have no probability to be weighted by",
            place="--contrib-weight",
            found=asked,
            wanted="uniform",
        )
    if asked == "calls" and entry.threshold is None:
        raise UsageError(
            f"class {entry.name} of {card.name} has no threshold, so no window of it can be a call",
            place="--contrib-weight",
            found=asked,
            wanted="a class with a `threshold` in the model's card, or the weight probability",
            remedy="set it in the card (CARD.json) and put that in with "
            "`trackgen model add-card MODEL.onnx CARD.json -o OUT.onnx`",
        )
    return asked


def profile_target_of(card: Card, output: OutputSpec, asked: str | None) -> str | int | None:
    """What of a profile is explained; None for an output without positions.

    Raises:
        UsageError: nothing was said, or a position that the profile lacks.
    """
    if output.resolution is None:
        return None
    positions = card.bin // output.resolution
    wanted = f"--profile-target sum, centre or a position of 0 to {positions - 1}"
    if asked is None:
        raise UsageError(
            f"the output {output.name} of {card.name} is a profile of {positions} positions: what is to be explained",
            place="--contrib",
            wanted=wanted,
        )
    if asked in ("sum", "centre"):
        return asked
    if not asked.isdecimal() or int(asked) >= positions:
        raise UsageError(
            f"the profile {output.name} of {card.name} has no such position",
            place="--profile-target",
            found=asked,
            wanted=wanted,
        )
    return int(asked)
