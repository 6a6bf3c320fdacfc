"""Figures of reports as JSON keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["rounded"]


def rounded(value: Any) -> Any:
    """`value` with every number to five significant digits (but what would become 1), and NaN as None: for JSON."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        # a threshold just below 1 is not 1, which nothing reaches
        short = float(f"{value:.5g}")
        return value if short == 1 else short
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
