"""``--ensemble NAME``: the models of a scan as one, whose tracks are their mean and their standard deviation."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from trackgen.card import Card, card_from_dict, embed_card, load_model, read_card, save_model
from trackgen.errors import TrackgenError, UsageError
from trackgen.graph import SPREAD, ensemble_card, join_models
from trackgen.resources import find_model
from trackgen.scan.digest import file_sha256
from trackgen.scan.options import ScanOptions
from trackgen.scan.slots import ALL

__all__ = ["joined"]


def joined(options: ScanOptions) -> ScanOptions:
    """The options with the joined model in the place of its members; as they are where no ensemble is asked for.

    The joined model is a file in a temporary folder that is removed when the process ends: the same members give the
    same bytes, so that every process of a run, and a run that goes on, has the same model.

    Raises:
        UsageError: fewer than two models, one given twice, or a name that no card may have.
        ModelError: members that read or give different things.
    """
    if options.ensemble is None:
        return options
    paths = [find_model(text) for text in options.models]
    _refuse_few(options, paths)
    cards = [read_card(path) for path in paths]
    card = _checked(_with_members(ensemble_card(cards, options.ensemble), cards, paths))
    model = join_models([load_model(path) for path in paths], card)
    embed_card(model, card)
    folder = Path(tempfile.mkdtemp(prefix="trackgen-ensemble-", dir=options.temporary_folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"{options.ensemble}.onnx"
    save_model(model, path)
    plain = tuple(entry.name for entry in card.classes if entry.track and not entry.name.endswith(SPREAD))
    classes = tuple(name for entry in options.classes for name in _with_spread(entry, card))
    asked = {name.removesuffix(SPREAD) for name in options.classes}
    wanted = tuple(name for name in plain if not asked or name in asked)
    contrib = wanted if ALL in options.contrib else options.contrib
    return replace(options, models=(str(path),), ensemble=None, classes=classes, contrib=contrib)


def _with_members(card: Card, cards: Sequence[Card], paths: Sequence[Path]) -> Card:
    """The card, saying which files it stands for."""
    members = [
        {"name": member.name, "file": path.name, "sha256": file_sha256(path)}
        for member, path in zip(cards, paths, strict=True)
    ]
    return replace(card, training={**card.training, "members": members})


def _with_spread(name: str, card: Card) -> list[str]:
    """A class that was asked for, and its standard deviation."""
    return [name, f"{name}{SPREAD}"] if any(entry.name == f"{name}{SPREAD}" for entry in card.classes) else [name]


def _checked(card: Card) -> Card:
    """The card as a file would have it, every rule of cards applied.

    Raises:
        UsageError: the ensemble's name is none.
    """
    try:
        return card_from_dict(card.to_dict())
    except TrackgenError as error:
        raise UsageError(
            "the ensemble can't have a card of its own",
            place="--ensemble",
            found=error.found if error.found is not None else str(error),
            wanted=error.wanted or "a name of letters, digits, _ and -",
        ) from error


def _refuse_few(options: ScanOptions, paths: Sequence[Path]) -> None:
    if len(paths) < 2:
        raise UsageError(
            "an ensemble is made of several models",
            place="--ensemble",
            found=", ".join(path.name for path in paths),
            wanted="two or more models of the same outputs before the genome",
        )
    digests = [file_sha256(path) for path in paths]
    for number, digest in enumerate(digests):
        if digest in digests[:number]:
            raise UsageError(
                "a model of the ensemble is given twice, and would count twice",
                place="--ensemble",
                found=paths[number].name,
                wanted="each model once",
            )
