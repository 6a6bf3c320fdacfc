"""The nets of Fishman and Gurev's random search: one convolution and one hidden layer, over three views of a window.

"We began with a random architecture search ... starting with one Conv2D layer going into one Dense layer. We randomized
Kernel size, filters and hidden units", for windows as a line, as a square row by row, and as a square along Hilbert's
curve. The paper gives no ranges; these are ours. Of the net that its search by morphisms ended with there are sizes to
draw, too; `trackgen.learn.architectures.layered.SPECS` has one with sizes of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trackgen.errors import UsageError
from trackgen.learn.architectures.layered import (
    OUTPUTS,
    ConcatInput,
    Conv1d,
    Conv2d,
    Dense,
    Flatten,
    Hilbert,
    NetSpec,
    Relu,
    Rows,
)  # fmt: skip

__all__ = ["KINDS", "Kind", "Sizes", "draw_sizes", "kind_of_net"]

FILTERS = (4, 8, 16)
HIDDEN = (32, 64, 128, 256)
WIDTHS = (3, 5, 7)
"""Of a square kernel."""
LINE_WIDTHS = (9, 25, 49)
"""Of a kernel along a line: as many weights as the square ones."""


@dataclass(frozen=True)
class Sizes:
    """What the search draws.

    Attributes:
        width: of kernels.
        filters: of a convolution.
        hidden: units of a hidden layer.
    """

    width: int
    filters: int
    hidden: int


@dataclass(frozen=True)
class Kind:
    """A net but for its sizes.

    Attributes:
        spec: the net of some sizes.
        widths: of kernels to draw from.
        summary: for people.
    """

    spec: Callable[[Sizes], NetSpec]
    widths: tuple[int, ...]
    summary: str


def _line(sizes: Sizes) -> NetSpec:
    return NetSpec((
        Conv1d(sizes.filters, sizes.width), Relu(), Flatten(), Dense(sizes.hidden), Relu(), Dense(OUTPUTS),
    ))  # fmt: skip


def _square(fold: Hilbert | Rows) -> Callable[[Sizes], NetSpec]:
    def spec(sizes: Sizes) -> NetSpec:
        return NetSpec((
            fold, Conv2d(sizes.filters, sizes.width), Relu(), Flatten(), Dense(sizes.hidden), Relu(), Dense(OUTPUTS),
        ))  # fmt: skip

    return spec


def _final(sizes: Sizes) -> NetSpec:
    convolution = Conv2d(sizes.filters, sizes.width)
    return NetSpec((
        Hilbert(), convolution, Relu(), convolution, Relu(), ConcatInput(), convolution, Relu(), Flatten(),
        Dense(sizes.hidden), Relu(), Dense(sizes.hidden), Relu(), Dense(OUTPUTS),
    ))  # fmt: skip


KINDS = {
    "conv1d": Kind(_line, LINE_WIDTHS, "a convolution along the window, a hidden layer"),
    "conv2d": Kind(_square(Rows()), WIDTHS, "a convolution over the window as a square of 64 rows, a hidden layer"),
    "hilbert": Kind(
        _square(Hilbert()), WIDTHS, "a convolution over the window as a square along Hilbert's curve, a hidden layer"
    ),
    "hilbert-final": Kind(
        _final, WIDTHS,
        "along Hilbert's curve two convolutions, a third over theirs and the input, two hidden layers",
    ),
}  # fmt: skip


def kind_of_net(name: str) -> Kind:
    """The kind called `name`.

    Raises:
        UsageError: there is none.
    """
    if name not in KINDS:
        raise UsageError("unknown kind of net", found=name, wanted=", ".join(KINDS))
    return KINDS[name]


def draw_sizes(name: str, number: int, seed: int) -> list[Sizes]:
    """`number` different sizes (or all there are), drawn uniformly; more draws begin with the fewer.

    Raises:
        UsageError: there is no such kind.
    """
    kind = kind_of_net(name)
    every = [Sizes(width, filters, hidden) for width in kind.widths for filters in FILTERS for hidden in HIDDEN]
    order = np.random.default_rng([seed, *name.encode()]).permutation(len(every))
    return [every[place] for place in order[:number]]
