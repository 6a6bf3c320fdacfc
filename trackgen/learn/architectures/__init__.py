"""Nets by name, and how each is trained unless the user says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from trackgen.errors import UsageError
from trackgen.learn.architectures.binding import ThesisBinding, ThesisDeepBinding
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
        task: of ``trackgen train`` that it is for.
        blind: of a net that reads a signal, the name of the same net without it.
    """

    build: Callable[[], nn.Module]
    window: int
    summary: str
    manner: str
    redraw: float | None = None
    average: float | None = None
    task: str = "tss"
    blind: str = ""


BINDING_MANNER = "Weights are averaged over steps (.99)."
"""What `trackgen.learn.binding_report` says behind what a run's options decide."""

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
    "binding-thesis": Architecture(
        ThesisBinding, ThesisBinding.window,
        "the shallow net of ten Dijke 2017 for ENCODE-DREAM: sequence by convolution 15 x 32, max-pool 35, dense 100; "
        "signal by max-pool 30; joined by dense 1000",
        BINDING_MANNER, average=0.99, task="binding", blind="binding-sequence",
    ),
    "binding-plain": Architecture(
        partial(ThesisBinding, width=20, signal_pool=20), ThesisBinding.window,
        "the plain variant of the shallow net of ten Dijke 2017 for ENCODE-DREAM: sequence by convolution 20 x 32, "
        "max-pool 35, dense 100; signal by max-pool 20; joined by dense 1000",
        BINDING_MANNER, average=0.99, task="binding", blind="binding-plain-sequence",
    ),
    "binding-deep": Architecture(
        ThesisDeepBinding, ThesisDeepBinding.window,
        "the deep net of ten Dijke 2017 for ENCODE-DREAM: sequence by eight convolutions of width 3 in four blocks, "
        "dense 100; signal by max-pool 30; joined by dense 1000",
        BINDING_MANNER, average=0.99, task="binding", blind="binding-deep-sequence",
    ),
    "binding-sequence": Architecture(
        partial(ThesisBinding, with_signal=False), ThesisBinding.window,
        "the shallow net of ten Dijke 2017 for ENCODE-DREAM without its signal: convolution 15 x 32, max-pool 35, "
        "dense 100, dense 1000",
        BINDING_MANNER, average=0.99, task="binding",
    ),
    "binding-plain-sequence": Architecture(
        partial(ThesisBinding, with_signal=False, width=20), ThesisBinding.window,
        "the plain variant of the shallow net of ten Dijke 2017 for ENCODE-DREAM without its signal: convolution "
        "20 x 32, max-pool 35, dense 100, dense 1000",
        BINDING_MANNER, average=0.99, task="binding",
    ),
    "binding-deep-sequence": Architecture(
        partial(ThesisDeepBinding, with_signal=False), ThesisDeepBinding.window,
        "the deep net of ten Dijke 2017 for ENCODE-DREAM without its signal: eight convolutions of width 3 in four "
        "blocks, dense 100, dense 1000",
        BINDING_MANNER, average=0.99, task="binding",
    ),
}  # fmt: skip


def architecture(name: str, task: str | None = None) -> Architecture:
    """The architecture called `name`, for `task` where one is given.

    Raises:
        UsageError: there is none of that name, or it is for another task.
    """
    known = [key for key, entry in ARCHITECTURES.items() if task in (None, entry.task)]
    if name not in known:
        raise UsageError("unknown architecture", found=name, wanted=", ".join(known))
    return ARCHITECTURES[name]
