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
        manner: how it is trained, one or two sentences for people.
        redraw: None to train on the same windows every epoch, at the dominant TSSs; else draw background anew every
            epoch, and each TSS among its cluster's bases in proportion to their counts to this power.
        average: decay of the moving average of the weights that is kept, None for none.
    """

    build: Callable[[], nn.Module]
    window: int
    summary: str
    manner: str
    redraw: float | None = None
    average: float | None = None


ARCHITECTURES = {
    "tss-thesis": Architecture(
        ThesisTss, ThesisTss.window,
        "the net of ten Dijke 2017, Table 9: convolution 10 x 16, max-pool 4, dense 128, dense 3",
        "It is trained on the same windows every epoch.",
    ),
    "tss-centre": Architecture(
        CentreTss, CentreTss.window,
        "a convolution with max-pool 8 for the context, and an unpooled path over the 41 central bases that keeps the "
        "register; dense 64, dense 3",
        "Every epoch draws its background anew, and each TSS among its cluster's bases in proportion to the square of "
        "their counts; where there are counts, a second head, left out of the exported graph, learns log(1 + count) of "
        "every base beside the classes, and of 16 counted bases for each TSS. Weights are averaged over steps (.999).",
        redraw=2.0, average=0.999,
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
