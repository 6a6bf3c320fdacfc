"""How a signal is made from reads: what is counted, in which unit, from which fragments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trackgen.errors import ModelError, UsageError
from trackgen.genome import Interval
from trackgen.genome.fragments import FragmentOptions

__all__ = ["MEASURES", "SCALES", "Recipe", "recipe_from_card"]

MEASURES = ("coverage", "cuts")
SCALES = ("none", "cpm", "mean")
UNITS = {
    ("coverage", "none"): "fragments over a base",
    ("coverage", "cpm"): "fragments over a base per million",
    ("coverage", "mean"): "fold over the mean coverage",
    ("cuts", "none"): "cuts at a base",
    ("cuts", "cpm"): "cuts at a base per million fragments",
    ("cuts", "mean"): "fold over the mean number of cuts",
}


@dataclass(frozen=True)
class Recipe:
    """How a signal is made from reads.

    Attributes:
        measure: ``coverage``: how many fragments cover a base; ``cuts``: how many cuts of Tn5 lie at a base, the
            middle of the nine bases that one doubles.
        scale: ``none``: counts; ``cpm``: counts per million fragments; ``mean``: counts divided by their mean over the
            usual genome (`trackgen.signals.usual_depth`), so that sequencing depth falls out.
        fragments: which fragments are used.
        excluded: stretches without values.
        depth: for a model, the mean coverage by fragments (smallest, largest) that it was trained for; else None.

    Raises:
        UsageError: an unknown measure or scale.
    """

    measure: str = "coverage"
    scale: str = "mean"
    fragments: FragmentOptions = field(default_factory=FragmentOptions)
    excluded: Sequence[Interval] = ()
    depth: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for value, known in ((self.measure, MEASURES), (self.scale, SCALES)):
            if value not in known:
                raise UsageError("a signal can't be made so", found=value, wanted=" or ".join(known))

    @property
    def unit(self) -> str:
        """What a value is, in words."""
        return UNITS[self.measure, self.scale]

    def as_card(self) -> dict[str, Any]:
        """What ``card.training["signals"][INPUT]`` holds; see `recipe_from_card`."""
        chosen = {"measure": self.measure, "scale": self.scale, "unit": self.unit}
        for name in FRAGMENT_FIELDS:
            chosen[name] = getattr(self.fragments, name)
        return chosen if self.depth is None else {**chosen, "depth": list(self.depth)}


FRAGMENT_FIELDS = ("pairs", "mapping_quality", "duplicates", "longest", "extend")


def recipe_from_card(training: Mapping[str, Any], input_name: str) -> Recipe | None:
    """The recipe of a model's input, from ``training["signals"][input_name]`` of its card.

    Fields: measure, scale, depth (see `Recipe`); pairs, mapping_quality, duplicates, longest, extend (see
    `FragmentOptions`); unit, for people. What is absent has its default.

    Returns:
        None where the card tells no recipe.

    Raises:
        ModelError: a field that is unknown or has a value that cannot be.
    """
    told = training.get("signals", {}).get(input_name) if isinstance(training.get("signals", {}), Mapping) else None
    if told is None:
        return None
    place = f"training.signals.{input_name}"
    if not isinstance(told, Mapping):
        raise ModelError("the recipe is no object", place=place, found=told)
    unknown = sorted(set(told) - {"measure", "scale", "unit", "depth", *FRAGMENT_FIELDS})
    if unknown:
        raise ModelError(
            "the recipe has an unknown field", place=place, found=", ".join(unknown),
            remedy="the model may need a newer trackgen",
        )  # fmt: skip
    try:
        fragments = FragmentOptions(**{name: told[name] for name in FRAGMENT_FIELDS if name in told})
        depth = tuple(float(value) for value in told["depth"]) if told.get("depth") is not None else None
        if depth is not None and (len(depth) != 2 or not 0 <= depth[0] <= depth[1]):
            raise UsageError("the range of depths is not one", found=told["depth"], wanted="[low, high]")
        return Recipe(
            told.get("measure", "coverage"), told.get("scale", "mean"), fragments, (),
            None if depth is None else (depth[0], depth[1]),
        )  # fmt: skip
    except (UsageError, TypeError, ValueError) as error:
        what = error.what if isinstance(error, UsageError) else str(error)
        found = error.found if isinstance(error, UsageError) else dict(told)
        raise ModelError(f"the recipe can't be followed: {what}", place=place, found=found) from error
