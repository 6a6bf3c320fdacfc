"""Progress inside long work: shares of it, as they are done."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TellShare", "share_of", "tell_nobody"]

TellShare = Callable[[float], None]
"""Called with the share of some work that was just done; the shares sum to 1."""


def tell_nobody(share: float) -> None:
    """No progress."""


def share_of(tell_share: TellShare, part: float) -> TellShare:
    """Tells shares of a part of the work as shares of all of it."""
    return lambda share: tell_share(share * part)
