"""Whether a track, or a file of reads, is what a model's signal input wants: what is odd is told before it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card, InputSpec
from trackgen.errors import UsageError
from trackgen.genome import SignalReader
from trackgen.genome.bam import is_bam
from trackgen.genome.names import MITOCHONDRION_LABEL, label
from trackgen.genome.sequence import sampled_pieces
from trackgen.signals import Recipe

__all__ = ["refuse_without_recipe", "track_warnings"]

Float32 = NDArray[np.float32]
OF_FRAGMENTS = (".bed", ".bedpe", ".tsv", ".bed.gz", ".bedpe.gz", ".tsv.gz")
PIECE = 10_000
FULLEST, TIMES_THE_MEAN = 0.01, 10.0
"""As in `trackgen.signals.usual`: which pieces are repeats, and count for nothing."""
FAR = 2.0
"""A mean that is off by more is no chance."""
LOOK, LOOKS = 1 << 18, 48
"""Bases of a stretch that is looked at, and how many there are at most."""
FEW_CHANGES = 20


def refuse_without_recipe(key: str, path: Path, card: Card) -> None:
    """Say plainly that a model's card does not tell how its signal is made of reads.

    Raises:
        UsageError: the file looks like reads or fragments.
    """
    with open(path, "rb") as file:
        head = file.read(1 << 16)
    if is_bam(head) or path.name.lower().endswith(OF_FRAGMENTS):
        raise UsageError(
            f"the card of model {card.name} does not say how its signal is made of reads",
            path=path,
            place=f"--signal {key}",
            wanted="a BigWig file, as the model was trained on",
            remedy="make one with `trackgen signal`, by what the model's maker says of it",
        )


def track_warnings(
    key: str, reader: SignalReader, names: Mapping[str, str], spec: InputSpec, model: str, recipe: Recipe | None
) -> list[str]:
    """What makes a track look unlike those that a model was trained on; nothing where its card has no recipe.

    Args:
        names: the genome's names of sequences -> the track's.
    """
    if recipe is None:
        return []
    found = []
    lengths = {theirs: reader.lengths[theirs] for name, theirs in names.items() if label(name) != MITOCHONDRION_LABEL}
    looks = [reader.values(*piece) for piece in sampled_pieces(lengths, LOOK, LOOKS)]
    mean = _usual_mean(looks, spec.missing) if recipe.scale == "mean" else None
    if mean is not None and not 1 / FAR <= mean <= FAR:
        found.append(
            f"signal {key}: the mean of {reader.path.name} is {mean:.3g}, and {model} reads values in the unit "
            f"{recipe.unit!r}, whose mean is 1; give the reads themselves, or scale the track: trackgen signal "
            f"{reader.path.name} --scale mean"
        )
    width = _bin_width(looks)
    if width > spec.resolution:
        found.append(
            f"signal {key}: the values of {reader.path.name} stand for {width} bases each, and {model} reads one for "
            f"each {spec.resolution}: it was trained on finer tracks"
        )
    return found


def _usual_mean(looks: Sequence[Float32], missing: float) -> float | None:
    """The mean over pieces that are no repeats; None where no stretch has a value."""
    means = [
        np.add.reduceat(np.where(np.isnan(values), missing, values).astype(np.float64), starts)
        / np.diff([*starts, len(values)])
        for values, starts in ((values, range(0, len(values), PIECE)) for values in looks)
        if np.isfinite(values).any()
    ]
    if not means:
        return None
    pieces = np.sort(np.concatenate(means))
    typical = pieces[: max(1, int(np.ceil(len(pieces) * (1 - FULLEST))))].mean()
    return float(pieces[pieces <= TIMES_THE_MEAN * typical].mean()) if typical > 0 else 0.0


def _bin_width(looks: Sequence[Float32]) -> int:
    """Bases that share each value: the places of changes have it as a divisor; 0 where there are few changes."""
    width = changes = 0
    for values in looks:
        # Distances, since a look need not begin where a bin does.
        places = np.flatnonzero(np.diff(np.nan_to_num(values))) + 1
        changes += len(places)
        width = int(np.gcd.reduce([width, *np.diff(places).tolist()]))
    return width if changes >= FEW_CHANGES else 0
