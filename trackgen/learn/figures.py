"""Figures of reports as JSON keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["rounded"]


def rounded(value: Any) -> Any:
    """`value` with every number to five significant digits, and NaN as None: for JSON."""
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
