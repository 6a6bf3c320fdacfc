"""Nets by name, and how each is trained unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from trackgen.errors import UsageError
from trackgen.learn.architectures.tss import CentreTss, ThesisTss

__all__ = ["ARCHITECTURES", "Architecture", "architecture"]


@dataclass(frozen=True)
class Architecture:
    """A net and its habits.

    Attributes:
        build: makes the net, with random weights.
        window: L, bases.
        summary: one sentence for people.
        redraw_background: draw new background every epoch, instead of once.
        average: decay of the moving average of the weights that is kept, None for none.
    """

    build: Callable[[], nn.Module]
    window: int
    summary: str
    redraw_background: bool = False
    average: float | None = None


ARCHITECTURES = {
    "tss-thesis": Architecture(
        ThesisTss, ThesisTss.window,
        "the net of ten Dijke 2017, Table 9: convolution 10 x 16, max-pool 4, dense 128, dense 3",
    ),
    "tss-centre": Architecture(
        CentreTss, CentreTss.window,
        "the thesis' convolution and max-pool for the context, and an unpooled path over the 41 central bases that "
        "keeps the register; dense 64, dense 3; background drawn anew every epoch, averaged weights",
        redraw_background=True, average=0.999,
    ),
}  # fmt: skip


def architecture(name: str) -> Architecture:
    """The architecture called `name`.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in ARCHITECTURES:
        raise UsageError("unknown architecture", found=name, wanted=", ".join(ARCHITECTURES))
    return ARCHITECTURES[name]
