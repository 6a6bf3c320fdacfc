"""The hyper-parameters that a search draws from, and its draws.

Space: Zeng 2016, Table 3 (doi:10.1093/bioinformatics/btw255). Every combination is as likely as every other, and may be
drawn more than once: the paper draws 30 of 27.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna

__all__ = ["SPACE", "Setting", "distributions", "draw_settings", "first_of_each"]

SPACE: dict[str, tuple[float, ...]] = {
    "dropout": (0.75, 0.5, 0.1),
    "rho": (0.9, 0.99, 0.999),
    "epsilon": (1e-4, 1e-6, 1e-8),
}
"""Table 3: "Dropout ratio", "Momentum in AdaDelta optimizer", "Delta in AdaDelta optimizer"."""


@dataclass(frozen=True)
class Setting:
    """One combination.

    Attributes:
        dropout: share of the units of the dense layer that is left out in training.
        rho: decay of AdaDelta's averages.
        epsilon: AdaDelta's delta, which keeps its quotients finite.
    """

    dropout: float
    rho: float
    epsilon: float

    def to_dict(self) -> dict[str, float]:
        """For a record."""
        return asdict(self)

    def __str__(self) -> str:
        return f"dropout {self.dropout:g}, rho {self.rho:g}, epsilon {self.epsilon:g}"


def distributions() -> dict[str, Any]:
    """The space in Optuna's words."""
    return {name: optuna.distributions.CategoricalDistribution(choices) for name, choices in SPACE.items()}


def draw_settings(number: int, *seed: object) -> tuple[Setting, ...]:
    """`number` settings by Optuna's random sampler; the first of them are the same whatever the number.

    Args:
        number: of draws.
        seed: anything with a text of its own.
    """
    sampler = optuna.samplers.RandomSampler(zlib.crc32(repr(seed).encode()))
    with quiet():
        study = optuna.create_study(sampler=sampler)
        return tuple(Setting(**study.ask(distributions()).params) for _ in range(number))


def first_of_each(settings: Sequence[Setting]) -> list[int]:
    """For each draw the number of the first one that is the same, which is its own where it is new."""
    return [settings.index(setting) for setting in settings]


class quiet:
    """Optuna's log tells errors alone: it would write a line a trial to stderr, through the progress bar."""

    def __enter__(self) -> None:
        self._before = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)

    def __exit__(self, *error: object) -> None:
        optuna.logging.set_verbosity(self._before)
