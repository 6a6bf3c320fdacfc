"""What computes gradients and contributions of windows: `trackgen.scan.explaining`, seen through a protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from trackgen.card import Card

__all__ = ["Attribution", "Engine", "Explained", "Explainer", "ProfileTarget", "default_engine"]

Float32 = NDArray[np.float32]
Attribution = Literal["deeplift", "gradient"]
ProfileTarget = str | int | None


class Explained(Protocol):
    """Results for N windows.

    Attributes:
        multipliers: per graph input, its shape; for gradients the gradient of the class' logit (of a softmax, less
            the gradient of the mean logit).
        contributions: per input of the card, (N, L) summed over the channels.
        predictions: per output of the card.
    """

    @property
    def multipliers(self) -> Mapping[str, Float32]: ...

    @property
    def contributions(self) -> Mapping[str, Float32]: ...

    @property
    def predictions(self) -> Sequence[Float32]: ...


class Explainer(Protocol):
    """Explains windows of one model."""

    def run(self, inputs: Mapping[str, Float32], classes: NDArray[np.int64]) -> Explained:
        """Of N windows, each for the class whose index in the card's order `classes` (N,) gives."""


class OpenExplainer(Protocol):
    """Makes an `Explainer`."""

    def __call__(
        self, path: Path, card: Card, output: str, *, attribution: Attribution = "deeplift",
        profile_target: ProfileTarget = None, device: str = "cpu", threads: int = 1, batch_size: int | None = None,
    ) -> Explainer: ...  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """The two things that this package needs of `trackgen.scan.explaining`; tests put their own in its place.

    Attributes:
        open: makes an explainer.
        hypothetical: (N, 4, L) multipliers and (4,) reference -> what each of the four bases would contribute.
    """

    open: OpenExplainer
    hypothetical: Callable[[Float32, NDArray[np.float32]], Float32]


def default_engine() -> Engine:
    """The engine that scans use."""
    from trackgen.scan.explaining import WindowExplainer, hypothetical

    return Engine(WindowExplainer, hypothetical)
